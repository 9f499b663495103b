"""Masks by an expression such as ``solar_zenith > 70 or Rrs_667 / Rrs_547 > 1.2``.

The text is parsed with :mod:`ast` and evaluated node by node from an allow-list: names of the
scene, numbers, arithmetic, comparisons, ``and or not``, and a few functions. Nothing is ever passed
to ``eval``.
"""

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from pipeline.errors import ConfigError, SceneError
from pipeline.scene import Band, band_names, nearest_band, parse_band, plain_variables, wavelengths

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
_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Not: np.logical_not,
}
_BOOLEAN: dict[type[ast.boolop], Callable[[Any, Any], Any]] = {
    ast.And: np.logical_and,
    ast.Or: np.logical_or,
}
_FUNCTIONS: dict[str, tuple[int, Callable[..., Any]]] = {
    "abs": (1, np.abs),
    "sqrt": (1, np.sqrt),
    "log10": (1, np.log10),
    "exp": (1, np.exp),
    "isnan": (1, np.isnan),
    "isfinite": (1, np.isfinite),
    "min": (2, np.minimum),
    "max": (2, np.maximum),
}
ALLOWED = (
    "names of the scene, numbers, + - * / **, < <= > >= == !=, and, or, not, "
    f"{', '.join(_FUNCTIONS)}"
)


@dataclass(frozen=True)
class Expression:
    """Excludes a pixel where an expression is true; a comparison with NaN is false."""

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
        where = f"masks.expressions.{name}: {text!r}"
        try:
            tree = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError) as error:
            raise ConfigError(
                f"{where} is not an expression ({error}). Allowed: {ALLOWED}."
            ) from None
        _check(tree, where)
        if not isinstance(tree, ast.Compare | ast.BoolOp) and not _is_truth(tree):
            raise ConfigError(
                f"{where} is not a condition: it must be true or false. Compare with something, "
                "as in 'solar_zenith > 70'."
            )
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


def _is_truth(node: ast.expr) -> bool:
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.Not)
    is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    return is_call and node.func.id in ("isnan", "isfinite")  # type: ignore[attr-defined]


def _check(node: ast.AST, where: str) -> None:
    """Refuse every node that is not on the allow-list, before anything is evaluated."""
    match node:
        case ast.Constant(value=value):
            allowed = isinstance(value, int | float) and not isinstance(value, bool)
        case ast.Name():
            allowed = True
        case ast.BinOp(op=op):
            allowed = type(op) in _BINARY
        case ast.UnaryOp(op=op):
            allowed = type(op) in _UNARY
        case ast.Compare(ops=ops):
            allowed = all(type(op) in _COMPARE for op in ops)
        case ast.BoolOp():
            allowed = True
        case ast.Call(func=ast.Name(id=function), args=args, keywords=[]):
            allowed = function in _FUNCTIONS and len(args) == _FUNCTIONS[function][0]
        case _:
            allowed = False
    if not allowed:
        found = ast.unparse(node) if isinstance(node, ast.expr) else type(node).__name__
        raise ConfigError(f"{where} uses {found!r}, which is not allowed. Allowed: {ALLOWED}.")
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr) and not (isinstance(node, ast.Call) and child is node.func):
            _check(child, where)


def _find(name: str, scene: xr.Dataset, tolerance_nm: float, where: str) -> Band:
    if name in plain_variables(scene):
        return Band(name)
    parsed = parse_band(name)
    if parsed is not None and parsed[0] in scene:
        quantity, wavelength = parsed
        index = nearest_band(scene, quantity, wavelength, tolerance_nm)
        return Band(quantity, float(wavelengths(scene, quantity)[index]))
    known = ", ".join([*band_names(scene), *plain_variables(scene)])
    raise SceneError(f"{where}: unknown name {name!r}; the scene has {known}.")


def _evaluate(node: ast.expr, values: Values) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            return values[name]
        case ast.BinOp(left=left, op=op, right=right):
            return _BINARY[type(op)](_evaluate(left, values), _evaluate(right, values))
        case ast.UnaryOp(op=op, operand=operand):
            return _UNARY[type(op)](_evaluate(operand, values))
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            return _evaluate_chain(left, ops, comparators, values)
        case ast.BoolOp(op=op, values=parts):
            result = _evaluate(parts[0], values)
            for part in parts[1:]:
                result = _BOOLEAN[type(op)](result, _evaluate(part, values))
            return result
        case ast.Call(func=ast.Name(id=function), args=args):
            return _FUNCTIONS[function][1](*(_evaluate(arg, values) for arg in args))
    raise AssertionError(f"unchecked node {node!r}")  # _check refuses everything else


def _evaluate_chain(
    left: ast.expr, ops: list[ast.cmpop], comparators: list[ast.expr], values: Values
) -> Any:
    """``0 < Rrs_443 < 0.01`` compares pairwise, as in Python."""
    operands = [_evaluate(operand, values) for operand in (left, *comparators)]
    result: Any = True
    for op, first, second in zip(ops, operands[:-1], operands[1:], strict=True):
        result = np.logical_and(result, _COMPARE[type(op)](first, second))
    return result
