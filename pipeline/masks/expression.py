"""Masks by an expression such as ``solar_zenith > 70 or Rrs_667 / Rrs_547 > 1.2``.

The text is parsed with :mod:`ast` and evaluated node by node from an allow-list: names of the
scene, numbers, arithmetic, comparisons, ``and or not``, and a few functions. Nothing is ever passed
to ``eval``.
"""

import ast
import difflib
import functools
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from pipeline.errors import ConfigError, SceneError
from pipeline.scene.scene import (
    Band,
    band_names,
    nearest_band,
    parse_band,
    plain_variables,
    wavelengths,
)

Values = Mapping[str, npt.NDArray[Any]]

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_SIGN: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
_BOOLEAN: dict[type[ast.boolop], Callable[[Any, Any], Any]] = {
    ast.And: np.logical_and,
    ast.Or: np.logical_or,
}
# Functions of numbers: how many they take, and what they are; some give true or false.
_NUMERIC: dict[str, tuple[int, Callable[..., Any]]] = {
    "abs": (1, np.abs),
    "sqrt": (1, np.sqrt),
    "log10": (1, np.log10),
    "exp": (1, np.exp),
    "min": (2, np.minimum),
    "max": (2, np.maximum),
}
_TRUTH: dict[str, tuple[int, Callable[..., Any]]] = {
    "isnan": (1, np.isnan),
    "isfinite": (1, np.isfinite),
}
_FUNCTIONS = _NUMERIC | _TRUTH
ALLOWED = (
    "names of the scene, numbers, + - * / **, < <= > >= == !=, and, or, not, "
    f"{', '.join(_FUNCTIONS)}"
)

# Far beyond what a person writes; deeper nesting would exhaust the interpreter's stack.
MOST_CHARACTERS = 10_000
DEEPEST = 200


@dataclass(frozen=True)
class Expression:
    """Excludes a pixel where an expression is true; NaN compares as in NumPy: only != is true."""

    name: str
    text: str
    tree: ast.expr
    bands: Mapping[str, Band]

    @classmethod
    def parse(cls, name: str, text: str, scene: xr.Dataset, tolerance_nm: float) -> "Expression":
        """Parse a text and bind its names to a scene.

        Raises:
            ConfigError: a syntax error, or something outside the allow-list.
            SceneError: a name that the scene does not have; the message lists those it has.
        """
        where = _where(name, text)
        tree = parse_condition(name, text)
        bands = {
            node.id: _find(node.id, scene, tolerance_nm, where)
            for node in ast.walk(tree)
            if isinstance(node, ast.Name) and node.id not in _FUNCTIONS
        }
        if not bands:
            raise ConfigError(
                f"{where} names nothing of the scene, so it cannot tell pixels apart."
            )
        return cls(name, text, tree, bands)

    @property
    def needs(self) -> tuple[Band, ...]:
        """The layers the expression reads."""
        return tuple(self.bands.values())

    def excluded(self, block: xr.Dataset) -> npt.NDArray[np.bool_]:
        """True where the expression is true, with shape (y, x)."""
        values = {name: band.values(block) for name, band in self.bands.items()}
        with np.errstate(all="ignore"):
            result = _evaluate(self.tree, values)
        return np.asarray(result, dtype=bool)


def _where(name: str, text: str) -> str:
    return f"masks.expressions.{name}: {text!r}"


def parse_condition(name: str, text: str) -> ast.expr:
    """The tree of an expression, if it is a condition and all in it is allowed.

    Raises:
        ConfigError: a syntax error, or something outside the allow-list.
    """
    where = _where(name, text)
    tree = _parse(text, where)
    _check(tree, truth=True, where=where)
    return tree


def _parse(text: str, where: str) -> ast.expr:
    """The tree of a text that is not too long and not too deep to be walked."""
    if len(text) > MOST_CHARACTERS:
        raise ConfigError(f"{where[:80]}... has more than {MOST_CHARACTERS} characters. Split it.")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ConfigError(f"{where} is not an expression ({error}). Allowed: {ALLOWED}.") from None
    level, depth = [tree], 0
    while level:
        level = [child for node in level for child in ast.iter_child_nodes(node)]  # type: ignore[misc]
        depth += 1
        if depth > DEEPEST:
            raise ConfigError(f"{where[:80]}... is nested more than {DEEPEST} deep. Simplify it.")
    return tree


def _check(node: ast.expr, *, truth: bool, where: str) -> None:
    """Refuse all that is not on the allow-list, before anything is evaluated.

    An expression is either a number or true or false: conditions are joined by and, or and not,
    numbers by arithmetic, and a comparison makes one of the other.
    """
    inner: list[tuple[ast.expr, bool]] | None
    match node:
        case ast.Constant(value=bool()):
            inner = None
        case ast.Constant(value=int() | float() as value) if not truth and _is_finite(value):
            inner = []
        case ast.Name(id=name) if not truth and name not in _FUNCTIONS:
            inner = []
        case ast.BinOp(left=left, op=op, right=right) if not truth and type(op) in _BINARY:
            inner = [(left, False), (right, False)]
        case ast.UnaryOp(op=op, operand=operand) if not truth and type(op) in _SIGN:
            inner = [(operand, False)]
        case ast.UnaryOp(op=ast.Not(), operand=operand) if truth:
            inner = [(operand, True)]
        case ast.Compare(left=left, ops=ops, comparators=comparators) if truth:
            known = all(type(op) in _COMPARE for op in ops)
            inner = [(operand, False) for operand in (left, *comparators)] if known else None
        case ast.BoolOp(values=parts) if truth:
            inner = [(part, True) for part in parts]
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
            count, _ = (_TRUTH if truth else _NUMERIC).get(name, (None, None))
            inner = [(arg, False) for arg in args] if len(args) == count else None
        case _:
            inner = None
    if inner is None:
        wanted = "it is not a condition" if truth else "a number must stand there"
        raise ConfigError(
            f"{where} uses {ast.unparse(node)!r}, which is not allowed: {wanted}. Allowed: "
            f"{ALLOWED}; conditions compare numbers, as in 'solar_zenith > 70'."
        )
    for child, child_truth in inner:
        _check(child, truth=child_truth, where=where)


def _is_finite(value: float) -> bool:
    try:
        return bool(np.isfinite(float(value)))
    except OverflowError:
        return False


def _find(name: str, scene: xr.Dataset, tolerance_nm: float, where: str) -> Band:
    if name in plain_variables(scene):
        return Band(name)
    parsed = parse_band(name)
    if parsed is not None and parsed[0] in scene:
        quantity, wavelength = parsed
        index = nearest_band(scene, quantity, wavelength, tolerance_nm)
        return Band(quantity, float(wavelengths(scene, quantity)[index]))
    known = [*band_names(scene), *plain_variables(scene)]
    close = difflib.get_close_matches(name.lower(), [other.lower() for other in known], n=1)
    hint = next((f" Did you mean {other}?" for other in known if other.lower() in close), "")
    raise SceneError(
        f"{where}: unknown name {name!r}; the scene has {', '.join(known)}.{hint} "
        "Flags are named under masks.flags."
    )


def _evaluate(node: ast.expr, values: Values) -> Any:
    """Arrays as NumPy computes them; numbers as Python floats, which take on an array's precision.

    So ``Rrs_443 == 0.003`` is true where the float32 value is the one nearest to 0.003.
    """
    match node:
        case ast.Constant(value=value):
            return float(value)  # type: ignore[arg-type]  # _check lets numbers through only
        case ast.Name(id=name):
            return values[name]
        case ast.BinOp(left=left, op=op, right=right):
            return _apply(_BINARY[type(op)], _evaluate(left, values), _evaluate(right, values))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return np.logical_not(_evaluate(operand, values))
        case ast.UnaryOp(op=op, operand=operand):
            return _apply(_SIGN[type(op)], _evaluate(operand, values))
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            return _evaluate_chain(left, ops, comparators, values)
        case ast.BoolOp(op=op, values=parts):
            truths = [_evaluate(part, values) for part in parts]
            return functools.reduce(_BOOLEAN[type(op)], truths)
        case ast.Call(func=ast.Name(id=name), args=args):
            return _apply(_FUNCTIONS[name][1], *(_evaluate(arg, values) for arg in args))
    raise AssertionError(f"unchecked node {node!r}")  # _check refuses everything else


def _apply(function: Callable[..., Any], *operands: Any) -> Any:
    """Between numbers alone in NumPy's float64, where Python would raise on overflow or 1 / 0."""
    if any(isinstance(operand, np.ndarray) for operand in operands):
        return function(*operands)
    result = function(*map(np.float64, operands))
    return float(result) if isinstance(result, np.floating) else result


def _evaluate_chain(
    left: ast.expr, ops: list[ast.cmpop], comparators: list[ast.expr], values: Values
) -> Any:
    """``0 < Rrs_443 < 0.01`` compares pairwise, as in Python."""
    operands = [_evaluate(operand, values) for operand in (left, *comparators)]
    result: Any = True
    for op, first, second in zip(ops, operands[:-1], operands[1:], strict=True):
        result = np.logical_and(result, _COMPARE[type(op)](first, second))
    return result
