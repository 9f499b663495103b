"""Evaluates expressions that use only operators and functions of an allow-list.

Everything that is not on the allow-list is refused; nothing in an expression is executed as Python
code. Expressions over columns of tables follow the grammar :data:`COLUMNS`. Expressions over pixels
of scenes follow the grammar :data:`PIXELS`, which allows no texts and fewer operators than
:data:`COLUMNS`.
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
from pipeline.tables.truth import Truth, compared, joined, negated

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
_JOIN: dict[type[ast.boolop], np.ufunc] = {ast.And: np.logical_and, ast.Or: np.logical_or}
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
    """Everything that is allowed, in words for error messages."""
    arithmetic: Mapping[type[ast.operator], Function]
    functions: Mapping[str, np.ufunc]
    of_columns: bool = False
    """True for columns: text, ``in`` and ``& | ~`` are allowed, and conditions are 0 or 1.

    In such an expression, a comparison with NaN is false, except for ``!=``. In an expression over
    pixels, such a comparison is undecided (:class:`Truth`).
    """


PIXELS = Grammar(
    "names of the scene, numbers, + - * / **, < <= > >= == !=, and, or, not, "
    + ", ".join(_FUNCTIONS),
    _ARITHMETIC,
    _FUNCTIONS,
)
COLUMNS = Grammar(
    "names of columns (in `backticks` if they contain signs other than _), numbers, 'text', "
    "+ - * / // % **, < <= > >= == !=, in ['a', 'b'], and, or, not, "
    + ", ".join(_FUNCTIONS_OF_COLUMNS),
    _ARITHMETIC | {ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod},
    _FUNCTIONS_OF_COLUMNS,
    of_columns=True,
)


@dataclass(frozen=True)
class Evaluation:
    """Evaluates the nodes of an expression on arrays."""

    arrays: Arrays
    grammar: Grammar

    def value(self, node: ast.expr) -> Any:
        """Return the value of a node; a node that is not allowed is refused.

        Numbers are Python floats, which adopt the precision of an array. So ``Rrs_443 == 0.003`` is
        true for the float32 value nearest to 0.003.
        """
        match node:
            case ast.Constant(value=bool() | str() as value):
                if self.grammar.of_columns:
                    return value
            # The comparison is exact; float() of a very long whole number would raise.
            case ast.Constant(value=int() | float() as value) if abs(value) <= sys.float_info.max:
                return float(value)
            case ast.Name(id=name) if name in self.arrays:
                return self.arrays[name]
            case ast.BinOp(left=left, op=op, right=right) if type(op) in self.grammar.arithmetic:
                return self._arithmetic(op, self.value(left), self.value(right))
            case ast.UnaryOp(op=ast.Not(), operand=inner):
                return negated(_expect(CONDITION, self.value(inner)))
            case ast.UnaryOp(op=ast.Invert(), operand=inner) if self.grammar.of_columns:
                return negated(_expect(CONDITION, self.value(inner)))
            case ast.UnaryOp(op=op, operand=inner) if type(op) in _SIGN:
                return _apply(_SIGN[type(op)], _expect(NUMBERS, self.value(inner)))
            case ast.BoolOp(op=op, values=inners):
                truths = [_expect(CONDITION, self.value(inner)) for inner in inners]
                return functools.reduce(functools.partial(joined, _JOIN[type(op)]), truths)
            case ast.Compare(left=left, ops=ops, comparators=comparators):
                return self._chain(self.value(left), ops, comparators)
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
                function = self.grammar.functions.get(name)
                if function is not None and function.nin == len(args):
                    return _apply(function, *[self._number(self.value(arg)) for arg in args])
        raise self._refusal(node)

    def _chain(self, left: Any, ops: list[ast.cmpop], comparators: list[ast.expr]) -> Any:
        """Compare pairwise, as Python does: ``0 < Rrs_443 < 0.01``."""
        result: Any = True
        for op, node in zip(ops, comparators, strict=True):
            if type(op) in _COMPARE:
                right = self.value(node)
                holds, left = self._compare(op, left, right), right
            elif (
                self.grammar.of_columns
                and isinstance(op, ast.In | ast.NotIn)
                and isinstance(node, ast.List | ast.Tuple)
            ):
                equal = [self._compare(ast.Eq(), left, self.value(each)) for each in node.elts]
                found = functools.reduce(np.logical_or, equal, np.False_)
                holds = found if isinstance(op, ast.In) else ~found
            else:
                raise self._refusal(node)
            result = joined(np.logical_and, result, holds)
        return result

    def _compare(self, op: ast.cmpop, left: Any, right: Any) -> Any:
        kinds = {kind_of(left), kind_of(right)}
        if kinds == {TEXT}:
            return _COMPARE[type(op)](left, right)
        if TEXT in kinds and isinstance(op, ast.Eq | ast.NotEq):
            # A text equals no number.
            shape = np.broadcast_shapes(np.shape(left), np.shape(right))
            return np.full(shape, isinstance(op, ast.NotEq))
        holds = _COMPARE[type(op)](self._number(left), self._number(right))
        return holds if self.grammar.of_columns else compared(holds, left, right)

    def _arithmetic(self, op: ast.operator, left: Any, right: Any) -> Any:
        function, kinds = self.grammar.arithmetic[type(op)], {kind_of(left), kind_of(right)}
        if kinds == {TEXT} and isinstance(op, ast.Add):
            return np.char.add(left, right)
        if kinds == {CONDITION}:
            # In NumPy, the sum of two conditions is their "or", the product their "and".
            if not (self.grammar.of_columns and isinstance(op, ast.Add | ast.Mult)):
                _expect(NUMBERS, left)
            return function(np.asarray(left), np.asarray(right))
        return _apply(function, self._number(left), self._number(right))

    def _number(self, value: Any) -> Any:
        if self.grammar.of_columns and kind_of(value) == CONDITION:
            return np.asarray(value, dtype=np.float64)
        return _expect(NUMBERS, value)

    def _refusal(self, node: ast.expr) -> ConfigError:
        return ConfigError(
            f"{ast.unparse(node)[:60]} is not allowed. Allowed: {self.grammar.allowed}"
        )


def kind_of(value: Any) -> str:
    """Return the kind of a value: :data:`NUMBERS`, :data:`TEXT` or :data:`CONDITION`."""
    if isinstance(value, Truth):
        return CONDITION
    return _KINDS.get(np.asarray(value).dtype.kind, NUMBERS)


def _expect(kind: str, value: Any) -> Any:
    if kind_of(value) != kind:
        raise ConfigError(f"found {kind_of(value)}, expected {kind}")
    return value


def _apply(function: Function, *operands: Any) -> Any:
    """Apply a function to arrays or numbers.

    Plain numbers become float64, because calculations with Python's numbers may fail or hang.
    """
    if any(isinstance(operand, np.ndarray) for operand in operands):
        return function(*operands)
    result = function(*map(np.float64, operands))
    if not np.isfinite(result):
        raise ConfigError("a part of the expression, such as 1 / 0, has no finite result")
    return float(result) if isinstance(result, np.floating) else result
