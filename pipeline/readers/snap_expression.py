"""Translates expressions of ESA SNAP's band arithmetic, such as ``!flags.LAND && chl > 0``.

In SNAP, ``&&``, ``||`` and ``!`` mean ``and``, ``or`` and ``not``; ``flags.LAND`` is a flag of the
variable ``flags``. Texts are refused, and so are operators that ocpipe's own expressions lack:
``? :`` and the operators on bits.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from pipeline.errors import ConfigError
from pipeline.tables.evaluation import PIXELS
from pipeline.tables.expressions import Expression

_TOKEN = re.compile(
    r"""(?P<name>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)?)
    |'(?P<quoted>[^']+)'
    |(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    |(?P<sign>&&|\|\||[!=<>]=|[-+*/<>!(),])
    |\s+""",
    re.VERBOSE,
)
_SIGNS = {"&&": " and ", "||": " or ", "!": "~"}
_WORDS = ("and", "or", "not")
# SNAP's functions -> those of ocpipe's expressions.
_FUNCTIONS = {name: name for name in ("abs", "sqrt", "log10", "exp", "min", "max")}
_FUNCTIONS |= {"nan": "isnan"}
_NAN = "NaN"
# Masks may be defined by other masks. If the depth is larger than this, there is a circle.
DEEPEST = 10


@dataclass(frozen=True)
class SnapExpression:
    """A parsed expression."""

    expression: Expression
    operands: Mapping[str, str]
    """Name in ``expression`` -> name of a variable or flag, as SNAP writes it."""

    @classmethod
    def parse(cls, text: str, masks: Mapping[str, str]) -> "SnapExpression":
        """Parse an expression.

        Args:
            text: the expression.
            masks: name of a mask that the expression may use -> expression of the mask.

        Raises:
            ConfigError: the expression has a part that ocpipe does not know.
        """
        operands: dict[str, str] = {}
        translated = "".join(_translated(text, masks, operands, 0))
        try:
            parsed = Expression.parse(translated, PIXELS)
        except ConfigError as error:
            # The message quotes the translated text, which the user has never seen.
            cause = str(error).removeprefix(f"{translated!r} ")
            raise ConfigError(f"it {cause}") from None
        tree = _AsPython().visit(parsed.tree)
        names = tuple(name for name in parsed.names if name != _NAN)
        by_name = {name: operand for operand, name in operands.items()}
        return cls(replace(parsed, text=text, tree=tree, names=names), by_name)


def _translated(
    text: str, masks: Mapping[str, str], operands: dict[str, str], depth: int
) -> Iterator[str]:
    """Yield the parts of an expression as Python code; collect its variables and flags."""
    if depth > DEEPEST:
        raise ConfigError("its masks are defined by each other")
    at = 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            raise ConfigError(f"{text[at : at + 20]!r} is not known")
        at = token.end()
        name = token["quoted"] or token["name"]
        is_call = text[at:].lstrip().startswith("(")
        if name is None:
            yield _SIGNS.get(token[0], token[0])
        elif token["name"] and name.lower() in _WORDS:
            yield f" {name.lower()} "
        elif token["name"] and is_call:
            if name not in _FUNCTIONS:
                raise ConfigError(f"the function {name} is not known")
            yield _FUNCTIONS[name]
        elif name == _NAN:
            yield name
        elif name in masks:
            inside = _translated(masks[name], masks, operands, depth + 1)
            yield f"({''.join(inside)})"
        else:
            yield operands.setdefault(name, f"operand_{len(operands)}")


class _AsPython(ast.NodeTransformer):
    """Replaces the parts of an expression that SNAP and Python write differently."""

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.UnaryOp:
        """Replace ``~`` by ``not``.

        ``~`` stands for SNAP's ``!``, because both have the same precedence.
        """
        inner = self.visit(node.operand)
        is_not = isinstance(node.op, ast.Invert)
        return ast.UnaryOp(op=ast.Not() if is_not else node.op, operand=inner)

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        """Replace ``x == NaN`` and ``x != NaN``, which ask whether x is missing."""
        left = self.visit(node.left)
        rights = [self.visit(right) for right in node.comparators]
        is_with_nan = isinstance(rights[0], ast.Name) and rights[0].id == _NAN
        if len(rights) > 1 or not is_with_nan or not isinstance(node.ops[0], ast.Eq | ast.NotEq):
            return ast.Compare(left=left, ops=node.ops, comparators=rights)
        is_missing = ast.Call(func=ast.Name(id="isnan"), args=[left], keywords=[])
        if isinstance(node.ops[0], ast.Eq):
            return is_missing
        return ast.UnaryOp(op=ast.Not(), operand=is_missing)
