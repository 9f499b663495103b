"""Classes of samples by rules over their columns: the first rule that holds says the class."""

import numpy as np
import numpy.typing as npt

from pipeline.config import ClassesConfig
from pipeline.errors import ConfigError
from pipeline.training.expressions import columns_of, evaluate
from pipeline.training.sample_columns import Findings
from pipeline.training.tables import Table
from pipeline.training.tables.table import Texts

Rows = npt.NDArray[np.bool_]


def classes_by_rules(table: Table, config: ClassesConfig, findings: Findings) -> Texts:
    """The class of each row; "" where it has none, which is told.

    A comparison with a missing value is false, so that a row with one would fall through to the
    rules below: it has no class, unless a rule held before the value was asked for.
    """
    classes = np.full(len(table), "", dtype=f"U{max(map(len, config.order or ()))}")
    decided = np.zeros(len(table), dtype=bool)
    lacking = 0
    for name, rule in config.rules.items():
        try:
            holds, missing = _truth(table, rule)
        except ConfigError as error:
            findings.complain(f"{table.name}: samples.classes.rules.{name}: {error}")
            continue
        lacking += int(np.count_nonzero(~decided & missing))
        decided |= missing
        classes[~decided & holds] = name
        decided |= holds
    if lacking:
        findings.told.append(
            f"{table.name}: {lacking} rows lack a value that a rule of samples.classes asks for: "
            "they have no class"
        )
    _conclude(table, config, classes, ~decided, findings)
    return classes


def _truth(table: Table, rule: str) -> tuple[Rows, Rows]:
    """Where a rule holds, and where a value that it asks for is missing; each (rows,)."""
    holds = np.asarray(evaluate(rule, table.columns))
    if holds.dtype.kind != "b":
        raise ConfigError(f"{rule!r} gives no true or false; write a comparison: aph_443 > 0.01")
    missing = np.zeros(len(table), dtype=bool)
    for column in columns_of(rule, table.columns):
        missing |= table.labels(column) == ""
    return np.broadcast_to(holds, len(table)), missing


def _conclude(
    table: Table, config: ClassesConfig, classes: Texts, left: Rows, findings: Findings
) -> None:
    """What becomes of the rows for which no rule holds."""
    if config.otherwise is not None:
        classes[left] = config.otherwise
    elif left.any():
        findings.told.append(
            f"{table.name}: no rule of samples.classes holds for {np.count_nonzero(left)} rows: "
            "they have no class"
        )
