"""Expressions over the columns of a table: arithmetic and comparisons, nothing that acts."""

import ast
import difflib
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.errors import ConfigError
from pipeline.tables.table import Column, listed

FUNCTIONS = frozenset(
    (
        *("abs", "sqrt", "exp", "expm1", "log", "log10", "log1p"),
        *("sin", "cos", "tan", "arcsin", "arccos", "arctan", "arctan2"),
        *("sinh", "cosh", "tanh", "floor", "ceil"),
    )
)
# Not attributes, subscripts and lambdas: df.eval would run what they name.
_ALLOWED = (
    *(ast.Expression, ast.BoolOp, ast.BinOp, ast.UnaryOp, ast.Compare, ast.Name, ast.Load),
    *(ast.Constant, ast.Call, ast.List, ast.Tuple, ast.And, ast.Or, ast.Not, ast.UAdd, ast.USub),
    *(ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow),
    # Pandas has & | ~ for conditions besides and, or, not.
    *(ast.BitAnd, ast.BitOr, ast.Invert, ast.In, ast.NotIn),
    *(ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq),
)
# Far beyond what a person writes.
MOST_CHARACTERS = 10_000
_MISTAKES = (
    *(TypeError, ValueError, NotImplementedError, SyntaxError, ArithmeticError),
    *(AttributeError, KeyError, RecursionError),
)
_QUOTED = re.compile(r"`([^`]+)`")
NEAR = 5


def evaluate(expression: str, columns: Mapping[str, Column]) -> Any:
    """What an expression gives for each row: an array with shape (rows,), or one value for all.

    A name that Python would not take, such as ``Rrs_442.5``, stands in backticks.

    Raises:
        ConfigError: it is no expression, a column is not known, or text is calculated with.
    """
    tree, wanted = _parsed(expression, columns)
    import pandas as pd

    frame = pd.DataFrame({name: columns[column] for name, column in wanted.items()})
    try:
        # Zero divided by zero is no value, which the samples say by themselves.
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return _plain(frame.eval(ast.unparse(tree), engine="python"))
    except _MISTAKES as error:
        texts = [column for column in wanted.values() if columns[column].dtype.kind == "U"]
        hint = f"; {listed(texts)} holds text" if texts else ""
        raise ConfigError(f"{expression!r} cannot be calculated ({error}{hint})") from None


def columns_of(expression: str, columns: Mapping[str, Column]) -> list[str]:
    """The columns that an expression names.

    Raises:
        ConfigError: it is no expression, or a column is not known.
    """
    return list(_parsed(expression, columns)[1].values())


def near(name: str, known: Sequence[str]) -> str:
    """``; did you mean chl_a, chl?``: the names like this one, or the first of all."""
    by_lower = {column.lower(): column for column in known}
    close = difflib.get_close_matches(name.lower(), list(by_lower), n=NEAR)
    if close:
        return f"; did you mean {', '.join(by_lower[column] for column in close)}?"
    return f"; there are {listed(known, 20)}"


def _parsed(
    expression: str, columns: Mapping[str, Column]
) -> tuple[ast.Expression, dict[str, str]]:
    """The expression, and the column that each name in it stands for."""
    plain, quoted = _unquoted(expression, columns)
    tree = _tree(expression, plain)
    wanted = {name: quoted.get(name, name) for name in _names(expression, tree)}
    unknown = [column for column in wanted.values() if column not in columns]
    if unknown:
        raise ConfigError(
            "; ".join(f"no column {name!r}{near(name, list(columns))}" for name in unknown)
        )
    return tree, wanted


def _unquoted(expression: str, columns: Mapping[str, Column]) -> tuple[str, dict[str, str]]:
    """The expression with a plain name for each quoted column, and which columns these are."""
    quoted: dict[str, str] = {}
    taken = set(columns)

    def plain_name(match: re.Match[str]) -> str:
        name = f"quoted_{len(quoted)}"
        while name in taken:
            name += "_"
        quoted[name] = match[1]
        return name

    return _QUOTED.sub(plain_name, expression), quoted


def _tree(expression: str, plain: str) -> ast.Expression:
    """The parsed expression, after a look at what it holds; whole numbers as floats.

    Of whole numbers 9 ** 9 ** 9 ** 9 would be calculated for ever, of floats it overflows.
    """
    if len(expression) > MOST_CHARACTERS:
        raise ConfigError(f"{expression[:40]}... has more than {MOST_CHARACTERS} characters")
    if "@" in expression or "__" in expression:
        raise ConfigError(f"{expression!r}: @ and names with __ are not allowed")
    try:
        tree = ast.parse(plain.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ConfigError(
            f"{expression!r} is no expression; write for example lw443 / es443, or chl > 0.01 "
            "and lat < 60, and names with signs in them in `backticks`"
        ) from None
    for node in ast.walk(tree):
        if not isinstance(node, _ALLOWED):
            raise ConfigError(
                f"{expression!r}: {type(node).__name__.lower()} is not allowed; known are "
                f"arithmetic, comparisons, and, or, not, in and {', '.join(sorted(FUNCTIONS))}"
            )
        if isinstance(node, ast.Constant):
            node.value = _constant(expression, node.value)
    return tree


def _constant(expression: str, value: Any) -> Any:
    if type(value) is int:
        try:
            return float(value)
        except OverflowError:
            raise ConfigError(f"{expression!r}: a number in it is too large") from None
    if isinstance(value, bool | float | str):
        return value
    raise ConfigError(f"{expression!r}: {value!r} is neither a number nor text")


def _names(expression: str, tree: ast.Expression) -> list[str]:
    """The columns an expression names."""
    functions = {_function(expression, n) for n in ast.walk(tree) if isinstance(n, ast.Call)}
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    return list(dict.fromkeys(node.id for node in names if node not in functions))


def _function(expression: str, call: ast.Call) -> ast.expr:
    if isinstance(call.func, ast.Name) and call.func.id in FUNCTIONS and not call.keywords:
        return call.func
    raise ConfigError(
        f"{expression!r}: {ast.unparse(call.func)} is no function; known are "
        f"{', '.join(sorted(FUNCTIONS))}"
    )


def _plain(result: Any) -> Any:
    """Arrays of NumPy, as tables have them."""
    values = np.asarray(result)
    if values.dtype.kind in "biuf":
        return values
    return values.astype(np.str_)
