"""Expressions over named arrays, such as ``chl > 0.01 and lat < 60``."""

import ast
import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import ConfigError
from pipeline.tables.evaluation import (
    COLUMNS,
    CONDITION,
    TEXT,
    Arrays,
    Evaluation,
    Grammar,
    kind_of,
)
from pipeline.tables.table import Column, listed
from pipeline.tables.truth import Truth

# Far more than a person would write. Deeper nesting would exhaust the interpreter's stack.
MOST_CHARACTERS = 10_000
DEEPEST = 320
NEAR = 5
_QUOTED = re.compile(r"""'[^']*'|"[^"]*"|`(?P<name>[^`]+)`|(?P<sign>[&|])""")


@dataclass(frozen=True)
class Expression:
    """A parsed expression, ready to be evaluated."""

    text: str
    tree: ast.expr
    names: tuple[str, ...]
    """Names of arrays in the expression, each once."""
    grammar: Grammar

    @classmethod
    def parse(cls, text: str, grammar: Grammar) -> "Expression":
        """Parse a text without a check of the allow-list; the evaluation makes this check.

        Raises:
            ConfigError: the syntax is wrong, or the text is too long or too deeply nested.
        """
        if len(text) > MOST_CHARACTERS:
            raise ConfigError(f"{text[:40]}... exceeds {MOST_CHARACTERS} characters. Split it")
        plain, quoted = _without_quotes(text) if grammar.of_columns else (text, {})
        try:
            tree = ast.parse(plain.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise ConfigError(
                f"{text!r} is not an expression ({getattr(error, 'msg', error)}). "
                f"Allowed: {grammar.allowed}"
            ) from None
        names, functions = [], set()
        for node in _nodes(tree, text):
            match node:
                case ast.Call(func=function):
                    functions.add(function)
                case ast.Name() if node not in functions:
                    node.id = quoted.get(node.id, node.id)
                    names.append(node.id)
        return cls(text, tree, tuple(dict.fromkeys(names)), grammar)

    def value(self, arrays: Arrays) -> npt.NDArray[Any]:
        """Return the value of the expression, in the shape of the arrays (0-D without arrays).

        Args:
            arrays: an array for each name, all of one shape. A comparison with NaN is false, with
                one exception: in an expression over columns, ``!=`` with NaN is true.

        Raises:
            ConfigError: a part of the expression is not allowed or has the wrong kind, or a
                calculation such as 1 / 0 has no finite result.
        """
        value = self._evaluated(arrays)
        return value.certain if isinstance(value, Truth) else np.asarray(value)

    def _evaluated(self, arrays: Arrays) -> Any:
        try:
            with np.errstate(all="ignore"):
                return Evaluation(arrays, self.grammar).value(self.tree)
        except (ConfigError, TypeError, ValueError, RecursionError) as error:
            texts = [name for name in self.names if kind_of(arrays.get(name, 0)) == TEXT]
            hint = f"; {listed(texts)} has text" if texts else ""
            raise ConfigError(f"{self.text!r} cannot be calculated: {error}{hint}") from None

    def condition(self, arrays: Arrays) -> npt.NDArray[np.bool_]:
        """Return True where the expression is true, with the shape of :meth:`value`.

        Raises:
            ConfigError: as for :meth:`value`, or the expression is not a condition.
        """
        return self.truth(arrays).certain

    def truth(self, arrays: Arrays) -> Truth:
        """Return for each element: true, false, or undecided because a value is missing.

        Raises:
            ConfigError: as for :meth:`condition`.
        """
        value = self._evaluated(arrays)
        if kind_of(value) != CONDITION:
            raise ConfigError(
                f"{self.text!r} is not a condition. Write a comparison, such as chl > 0.01"
            )
        return Truth.of(value)


def _without_quotes(text: str) -> tuple[str, dict[str, str]]:
    """Return the text as Python code, and a dictionary: new name in the code -> column.

    Names in backticks are replaced by plain names; ``&`` and ``|`` become ``and`` and ``or``.
    """
    quoted: dict[str, str] = {}

    def plain(match: re.Match[str]) -> str:
        if match["sign"]:
            return " and " if match["sign"] == "&" else " or "
        if not match["name"]:
            return match[0]
        # No other name contains these digits.
        name = f"quoted_{match['name'].encode(errors='surrogatepass').hex()}"
        quoted[name] = match["name"]
        return name

    return _QUOTED.sub(plain, text), quoted


def _nodes(tree: ast.expr, text: str) -> Iterator[ast.AST]:
    """Yield the nodes of a tree level by level; a tree that is too deep is an error."""
    level: list[ast.AST] = [tree]
    for _ in range(DEEPEST):
        yield from level
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    if level:
        raise ConfigError(f"{text[:80]}... is nested more than {DEEPEST} deep. Simplify it")


def parse_over(columns: Mapping[str, Column], text: str) -> Expression:
    """Parse an expression over the columns of a table.

    A column whose name is not valid in Python, such as ``Rrs_442.5``, is written in backticks.

    Raises:
        ConfigError: the text is not an expression, or uses a column that the table lacks.
    """
    parsed = Expression.parse(text, COLUMNS)
    unknown = [name for name in parsed.names if name not in columns]
    if unknown:
        raise ConfigError(
            "; ".join(f"no column {name!r}{near(name, list(columns))}" for name in unknown)
        )
    return parsed


def near(name: str, known: Sequence[str]) -> str:
    """Return a hint with similar names, such as ``; did you mean chl_a, chl?``.

    If no name is similar, the hint lists the first names.
    """
    by_lower = {column.lower(): column for column in known}
    close = difflib.get_close_matches(name.lower(), list(by_lower), n=NEAR)
    if close:
        return f"; did you mean {', '.join(by_lower[column] for column in close)}?"
    return f"; the columns are {listed(known, 20)}"
