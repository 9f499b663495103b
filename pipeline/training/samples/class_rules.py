"""Assign classes by rules over columns; the first rule that is true gives the class."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from pipeline.errors import ConfigError
from pipeline.tables import Table
from pipeline.tables.expressions import parse_over
from pipeline.tables.sentinels import undeclared_missing
from pipeline.tables.table import Texts
from pipeline.training.samples.columns import Findings

Rows = npt.NDArray[np.bool_]


def classes_by_rules(
    table: Table,
    rules: Mapping[str, str],
    otherwise: str | None,
    findings: Findings,
    key: str = "samples.classes",
    not_missing: Sequence[float] | None = None,
) -> Texts:
    """Return the class of each row, or ""; a note says how many rows have no class.

    A comparison with a missing value is false, so a row with a missing value would get the class of
    a later rule. Therefore, if a rule uses a missing value and no earlier rule is true, the row has
    no class.

    Args:
        table: table whose columns the rules use.
        rules: expression of each class, in the order of evaluation.
        otherwise: class of rows for which no rule is true.
        findings: receives errors and notes.
        key: key of the rules in the configuration, for messages.
        not_missing: numbers that are values although they look like missing values (-999); None if
            the columns were already checked for such numbers.
    """
    classes = np.full(len(table), "", dtype=f"U{max(map(len, (*rules, otherwise or '')))}")
    decided = np.zeros(len(table), dtype=bool)
    lacking = 0
    for name, rule in rules.items():
        try:
            holds, missing = _truth(table, rule, not_missing)
        except ConfigError as error:
            findings.complain(f"{table.name}: {key}.rules.{name}: {error}")
            continue
        lacking += int(np.count_nonzero(~decided & missing))
        decided |= missing
        classes[~decided & holds] = name
        decided |= holds
    if lacking:
        findings.notes.append(
            f"{table.name}: {lacking} rows lack a value that a rule of {key} needs; they have no "
            "class"
        )
    left = ~decided
    if otherwise is not None:
        classes[left] = otherwise
    elif left.any():
        findings.notes.append(
            f"{table.name}: no rule of {key} is true for {np.count_nonzero(left)} rows; they have "
            "no class"
        )
    return classes


def _truth(table: Table, rule: str, not_missing: Sequence[float] | None) -> tuple[Rows, Rows]:
    """Return two masks (rows,): where a rule is true, and where it lacks a value.

    Raises:
        ConfigError: the rule is wrong, or a column has numbers such as -999 that may be missing
            values.
    """
    expression = parse_over(table.columns, rule)
    for column in () if not_missing is None else expression.names:
        if problem := undeclared_missing(table, column, not_missing or (), "samples"):
            raise ConfigError(problem)
    holds = expression.condition(table.columns)
    missing = np.zeros(len(table), dtype=bool)
    for column in expression.names:
        missing |= table.labels(column) == ""
    return np.broadcast_to(holds, len(table)), missing
