"""Classes of samples by rules over their columns: the first rule that holds says the class."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from pipeline.errors import ConfigError
from pipeline.tables import Table
from pipeline.tables.expressions import parse_over
from pipeline.tables.table import Texts
from pipeline.training.samples.columns import Findings

Rows = npt.NDArray[np.bool_]


def classes_by_rules(
    table: Table,
    rules: Mapping[str, str],
    otherwise: str | None,
    findings: Findings,
    key: str = "samples.classes",
) -> Texts:
    """The class of each row; "" where it has none, which is told.

    A comparison with a missing value is false, so that a row with one would fall through to the
    rules below: it has no class, unless a rule held before the value was asked for.

    Args:
        table: its columns are what rules may name.
        rules: expression of each class, in order.
        otherwise: the class of rows for which no rule holds.
        findings: told of, and complained to.
        key: where the rules stand in the configuration.
    """
    classes = np.full(len(table), "", dtype=f"U{max(map(len, (*rules, otherwise or '')))}")
    decided = np.zeros(len(table), dtype=bool)
    lacking = 0
    for name, rule in rules.items():
        try:
            holds, missing = _truth(table, rule)
        except ConfigError as error:
            findings.complain(f"{table.name}: {key}.rules.{name}: {error}")
            continue
        lacking += int(np.count_nonzero(~decided & missing))
        decided |= missing
        classes[~decided & holds] = name
        decided |= holds
    if lacking:
        findings.told.append(
            f"{table.name}: {lacking} rows lack a value that a rule of {key} asks for: they have "
            "no class"
        )
    left = ~decided
    if otherwise is not None:
        classes[left] = otherwise
    elif left.any():
        findings.told.append(
            f"{table.name}: no rule of {key} holds for {np.count_nonzero(left)} rows: they have no "
            "class"
        )
    return classes


def _truth(table: Table, rule: str) -> tuple[Rows, Rows]:
    """Where a rule holds, and where a value that it asks for is missing; each (rows,)."""
    expression = parse_over(table.columns, rule)
    holds = expression.condition(table.columns)
    missing = np.zeros(len(table), dtype=bool)
    for column in expression.names:
        missing |= table.labels(column) == ""
    return np.broadcast_to(holds, len(table)), missing
