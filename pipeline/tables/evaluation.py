"""Evaluates expressions: the allow-list of everything that they may use.

Everything else is refused, and nothing in an expression is executed as Python code. Expressions
over :data:`COLUMNS` of tables may use text and more operators than expressions over :data:`PIXELS`
of scenes.
"""

import ast
import functools
import operator
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import ConfigError

Arrays = Mapping[str, npt.NDArray[Any]]
Function = Callable[..., Any]

_ARITHMETIC: dict[type[ast.operator], Function] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_COMPARE: dict[type[ast.cmpop], Function] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_SIGN: dict[type[ast.unaryop], Function] = {ast.USub: operator.neg, ast.UAdd: operator.pos}
_JOIN: dict[type[ast.boolop], Function] = {ast.And: np.logical_and, ast.Or: np.logical_or}
_FUNCTIONS: dict[str, np.ufunc] = {
    **{name: getattr(np, name) for name in ("abs", "sqrt", "log10", "exp")},
    "min": np.minimum,
    "max": np.maximum,
    "isnan": np.isnan,
    "isfinite": np.isfinite,
}
_FUNCTIONS_OF_COLUMNS = _FUNCTIONS | {
    name: getattr(np, name)
    for name in (
        *("expm1", "log", "log1p", "floor", "ceil", "sin", "cos", "tan"),
        *("arcsin", "arccos", "arctan", "arctan2", "sinh", "cosh", "tanh"),
    )
}
NUMBERS, TEXT, CONDITION = "numbers", "text", "true or false"
_KINDS = {"U": TEXT, "b": CONDITION}


@dataclass(frozen=True)
class Grammar:
    """The operators and functions that one kind of expression may use."""

    allowed: str
    """Everything that is allowed, in words."""
    arithmetic: Mapping[type[ast.operator], Function]
    functions: Mapping[str, np.ufunc]
    of_columns: bool = False
    """Whether text, ``in`` and ``& | ~`` may occur, and conditions count as numbers 0 and 1."""


PIXELS = Grammar(
    "names of the scene, numbers, + - * / **, < <= > >= == !=, and, or, not, "
    + ", ".join(_FUNCTIONS),
    _ARITHMETIC,
    _FUNCTIONS,
)
COLUMNS = Grammar(
    "names of columns (in `backticks` if they hold other signs than _), numbers, 'text', "
    "+ - * / // % **, < <= > >= == !=, in ['a', 'b'], and, or, not, "
    + ", ".join(_FUNCTIONS_OF_COLUMNS),
    _ARITHMETIC | {ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod},
    _FUNCTIONS_OF_COLUMNS,
    of_columns=True,
)


@dataclass(frozen=True)
class _Part:
    """A part of an expression with its value."""

    node: ast.expr
    value: Any

    @property
    def kind(self) -> str:
        """The kind of the value: numbers, text, or true or false."""
        return kind_of(self.value)

    def holding(self, kind: str) -> Any:
        """Return the value; another kind is an error."""
        if self.kind != kind:
            raise ConfigError(f"{_quote(self.node)} holds {self.kind}, expected {kind}")
        return self.value


@dataclass(frozen=True)
class Evaluation:
    """Evaluates the parts of an expression on arrays."""

    arrays: Arrays
    grammar: Grammar

    def part(self, node: ast.expr) -> _Part:
        """Return a node with its value."""
        return _Part(node, self.value(node))

    def value(self, node: ast.expr) -> Any:
        """Return the value of a node; a node that is not named here is refused.

        Numbers are Python floats, which adopt the precision of an array. So ``Rrs_443 == 0.003`` is
        true for the float32 value nearest to 0.003.
        """
        match node:
            case ast.Constant(value=bool() | str() as value):
                if self.grammar.of_columns:
                    return value
            case ast.Constant(value=int() | float() as value) if _is_finite(value):
                return float(value)
            case ast.Name(id=name) if name in self.arrays:
                return self.arrays[name]
            case ast.BinOp(left=left, op=op, right=right) if type(op) in self.grammar.arithmetic:
                return self._arithmetic(op, self.part(left), self.part(right))
            case ast.UnaryOp(op=ast.Not(), operand=inner):
                return np.logical_not(self.part(inner).holding(CONDITION))
            case ast.UnaryOp(op=ast.Invert(), operand=inner) if self.grammar.of_columns:
                return np.logical_not(self.part(inner).holding(CONDITION))
            case ast.UnaryOp(op=op, operand=inner) if type(op) in _SIGN:
                return _apply(_SIGN[type(op)], self.part(inner).holding(NUMBERS))
            case ast.BoolOp(op=op, values=inners):
                truths = [self.part(inner).holding(CONDITION) for inner in inners]
                return functools.reduce(_JOIN[type(op)], truths)
            case ast.Compare(left=left, ops=ops, comparators=comparators):
                return self._chain(self.part(left), ops, comparators)
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
                function = self.grammar.functions.get(name)
                if function is not None and function.nin == len(args):
                    return _apply(function, *[self._number(self.part(arg)) for arg in args])
        raise self._refusal(_quote(node))

    def _chain(self, left: _Part, ops: list[ast.cmpop], comparators: list[ast.expr]) -> Any:
        """Compare pairwise, as Python does: ``0 < Rrs_443 < 0.01``."""
        result: Any = True
        for op, node in zip(ops, comparators, strict=True):
            if isinstance(op, ast.In | ast.NotIn) and self.grammar.of_columns:
                holds = self._is_in(left, node)
                result = np.logical_and(result, holds if isinstance(op, ast.In) else ~holds)
            elif type(op) in _COMPARE:
                right = self.part(node)
                result = np.logical_and(result, self._compare(op, left, right))
                left = right
            else:
                raise self._refusal(f"'{type(op).__name__.lower()}'")
        return result

    def _is_in(self, left: _Part, node: ast.expr) -> Any:
        if not isinstance(node, ast.List | ast.Tuple):
            raise ConfigError(f"{_quote(node)} after in is not a list such as [1, 2]")
        equal = [self._compare(ast.Eq(), left, self.part(each)) for each in node.elts]
        return functools.reduce(np.logical_or, equal, np.False_)

    def _compare(self, op: ast.cmpop, left: _Part, right: _Part) -> Any:
        kinds = {left.kind, right.kind}
        if kinds == {TEXT}:
            return _COMPARE[type(op)](left.value, right.value)
        if TEXT in kinds and isinstance(op, ast.Eq | ast.NotEq):
            # A text equals no number.
            shape = np.broadcast_shapes(np.shape(left.value), np.shape(right.value))
            return np.full(shape, isinstance(op, ast.NotEq))
        return _COMPARE[type(op)](self._number(left), self._number(right))

    def _arithmetic(self, op: ast.operator, left: _Part, right: _Part) -> Any:
        function = self.grammar.arithmetic[type(op)]
        kinds = {left.kind, right.kind}
        if kinds == {TEXT} and isinstance(op, ast.Add):
            return np.char.add(left.value, right.value)
        if kinds == {CONDITION} and isinstance(op, ast.Add | ast.Mult) and self.grammar.of_columns:
            # In NumPy, the sum of two conditions is their "or", the product their "and".
            return function(np.asarray(left.value), np.asarray(right.value))
        if kinds == {CONDITION}:
            left.holding(NUMBERS)
        return _apply(function, self._number(left), self._number(right))

    def _number(self, part: _Part) -> Any:
        if self.grammar.of_columns and part.kind == CONDITION:
            return np.asarray(part.value, dtype=np.float64)
        return part.holding(NUMBERS)

    def _refusal(self, part: str) -> ConfigError:
        return ConfigError(f"{part} is not allowed. Allowed: {self.grammar.allowed}")


def kind_of(value: Any) -> str:
    """Return the kind of a value: :data:`NUMBERS`, :data:`TEXT` or :data:`CONDITION`."""
    return _KINDS.get(np.asarray(value).dtype.kind, NUMBERS)


def _apply(function: Function, *operands: Any) -> Any:
    """Apply a function; to numbers alone in NumPy's float64, as Python would raise or never end."""
    if any(isinstance(operand, np.ndarray) for operand in operands):
        return function(*operands)
    result = function(*map(np.float64, operands))
    if not np.isfinite(result):
        raise ConfigError("it combines numbers without a finite result, such as 1 / 0")
    return float(result) if isinstance(result, np.floating) else result


def _is_finite(value: float) -> bool:
    """Tell whether a number is finite in float64; ``float`` of a long whole number raises."""
    return abs(value) <= sys.float_info.max


def _quote(node: ast.expr) -> str:
    try:
        text = ast.unparse(node)
    except RecursionError:
        return "a part of it"
    return text if len(text) <= 60 else f"{text[:57]}..."
