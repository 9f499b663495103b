"""Read the class, group, time and weight of each row of samples."""

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from pipeline.config import SamplesConfig
from pipeline.errors import ConfigError
from pipeline.networks.variable import Array
from pipeline.tables import Table
from pipeline.tables.sentinels import undeclared_missing
from pipeline.tables.table import Texts, listed
from pipeline.times.arrays import Times, parse_times
from pipeline.times.formats import formats_in_units
from pipeline.times.text import EXPECTED
from pipeline.training.samples.class_rules import classes_by_rules
from pipeline.training.samples.columns import Findings, existing

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class RowValues:
    """Class, group, time and weight of each row; a field is None if it has no column."""

    classes: Texts | None
    """Class names; "" where missing."""
    groups: Texts | None
    """Group names; "" where missing."""
    times: Times | None
    """Times in UTC; NaT where missing."""
    weights: Array | None
    """Weights; NaN where missing."""

    def take(self, rows: Rows) -> "RowValues":
        """Return the values of some rows."""
        values = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        return RowValues(**{n: None if v is None else v[rows] for n, v in values.items()})

    def check(self, table: Table, rows: Rows, config: SamplesConfig, findings: Findings) -> None:
        """Report usable rows that lack a group, time or weight, or that have a negative weight."""
        if self.groups is not None:
            lacking = rows[self.groups[rows] == ""]
            _complain(table, lacking, f"no value in group column {config.group!r}", findings)
        if self.times is not None:
            self._check_times(self.times, table, rows, config, findings)
        if self.weights is not None:
            weights = self.weights[rows]
            where = f"in weight column {config.weight!r}"
            _complain(table, rows[~np.isfinite(weights)], f"no number {where}", findings)
            negative = f"a negative number {where}, expected 0 or more"
            _complain(table, rows[weights < 0], negative, findings)

    def _check_times(
        self, times: Times, table: Table, rows: Rows, config: SamplesConfig, findings: Findings
    ) -> None:
        lacking = rows[np.isnat(times[rows])]
        if lacking.size and config.time is not None:
            found = sorted({str(text) for text in table.labels(config.time)[lacking]} - {""})
            shown = f" but {listed([repr(text) for text in found], 3)}" if found else ""
            wrong = f"no time{shown} in column {config.time!r}, expected {EXPECTED}"
            stated = " or state the format under samples.time_format" if found else ""
            _complain(table, lacking, wrong, findings, stated)


def read_row_values(table: Table, config: SamplesConfig, findings: Findings) -> RowValues:
    """Read the columns of class, group, time and weight; report columns that do not exist."""
    group_column = existing(table, "group", config.group, findings)
    time_column = existing(table, "time", config.time, findings)
    weight_column = existing(table, "weight", config.weight, findings)
    return RowValues(
        classes=None if config.classes is None else _classes(table, config, findings),
        groups=None if group_column is None else table.labels(group_column),
        times=None if time_column is None else _times(table, time_column, config),
        weights=None if weight_column is None else _numbers(table, weight_column, findings),
    )


def _times(table: Table, column: str, config: SamplesConfig) -> Times:
    """Parse times in a column; the configuration or the units of the column state the format."""
    stated = config.time_format
    forms = (stated,) if stated else formats_in_units(table.units.get(column, ""))
    return parse_times(table.labels(column), forms).utc


def _classes(table: Table, config: SamplesConfig, findings: Findings) -> Texts | None:
    """Return classes, found by rules or read from a column; None if the column does not exist."""
    said, known = config.classes, config.not_missing
    if said is None:
        return None
    if said.rules:
        return classes_by_rules(table, said.rules, said.otherwise, findings, not_missing=known)
    column = existing(table, "classes.column", said.column, findings)
    if column is None:
        return None
    # 99 may be a class, but -999 is not.
    negative = np.array([text.startswith("-") for text in table.labels(column)], dtype=np.bool_)
    if problem := undeclared_missing(table, column, known, "samples", negative):
        findings.complain(f"{table.name}: class {problem}")
    return _class_names(table, column, findings)


def _class_names(table: Table, column: str, findings: Findings) -> Texts:
    """Return class names from text or whole numbers; other numbers are reported as an error."""
    if not table.is_text(column):
        values = table.columns[column]
        broken = np.flatnonzero(np.isfinite(values) & (values != np.round(values)))
        if broken.size:
            findings.complain(
                f"{table.name}: class column {column!r} has {values[broken[0]]:g} "
                f"({table.places(broken)}), expected text or whole numbers. Use another column, "
                "or compute classes in samples.columns, for example by floor(log10(chl))"
            )
    return table.labels(column)


def _numbers(table: Table, column: str, findings: Findings) -> Array | None:
    try:
        return table.numbers(column)
    except ConfigError as error:
        findings.complain(error)
        return None


def _complain(
    table: Table, rows: Rows, problem: str, findings: Findings, way_out: str = ""
) -> None:
    if rows.size:
        findings.complain(
            f"{table.name}: {rows.size} rows have {problem} ({table.places(rows)}). Correct them,"
            f"{way_out}{',' if way_out else ''} or exclude them by samples.filter"
        )
