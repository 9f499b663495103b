"""Find the columns of a table that a configuration uses, and convert them to wanted units."""

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from pipeline.config import SamplesConfig
from pipeline.config.samples import FileConfig, VariableConfig
from pipeline.errors import ConfigError
from pipeline.networks.variable import Array
from pipeline.tables import Table
from pipeline.tables.expressions import near, parse_over
from pipeline.tables.sentinels import undeclared_missing
from pipeline.tables.table import Column, listed, table_error
from pipeline.tables.units import factor_between, says_units
from pipeline.training.samples.variables import (
    SampleVariable,
    expected_units,
    sample_variable,
    variables_of,
)


@dataclass
class Findings:
    """Errors in samples, which are raised in one message, and notes, which are logged."""

    complaints: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def complain(self, error: ConfigError | str) -> None:
        """Add an error to the collection, unless it was added before."""
        text = str(error).removesuffix(".")
        if text not in self.complaints:
            self.complaints.append(text)

    def raise_complaints(self) -> None:
        """Raise the collected errors, if there are any.

        Raises:
            ConfigError: there are errors; the message lists all of them.
        """
        if self.complaints:
            raise table_error("samples", *self.complaints)


def with_new_columns(
    table: Table, file: FileConfig, config: SamplesConfig, findings: Findings
) -> Table:
    """Add new columns and units to a table; settings of the file override general settings."""
    known = config.not_missing
    table = _with_columns(table, "samples.files.columns", file.columns, known, findings)
    unknown = [name for name in file.units if name not in table.columns]
    if unknown:
        findings.complain(
            f"{table.name}: samples.files.units: no column {listed(unknown)}. Correct the name"
        )
    table = _with_units(table, file.units)
    table = _with_columns(table, "samples.columns", config.columns, known, findings)
    return _with_units(table, config.units)


def _with_columns(
    table: Table,
    key: str,
    expressions: Mapping[str, str],
    not_missing: Sequence[float],
    findings: Findings,
) -> Table:
    columns, units = dict(table.columns), dict(table.units)
    for name, text in expressions.items():
        try:
            expression = parse_over(columns, text)
            for used in set(expression.names) & set(table.columns):
                if problem := undeclared_missing(table, used, not_missing, "samples"):
                    raise ConfigError(problem)
            columns[name] = _column(expression.value(columns), len(table))
        except ConfigError as error:
            findings.complain(f"{table.name}: {key}.{name}: {error}")
            # With this column, other columns that use this column cause no further errors.
            columns[name] = np.full(len(table), np.nan)
        units.pop(name, None)
    return dataclasses.replace(table, columns=columns, units=units)


def _with_units(table: Table, given: Mapping[str, str]) -> Table:
    known = {name: units for name, units in given.items() if name in table.columns}
    return dataclasses.replace(table, units=dict(table.units) | known)


def filtered(table: Table, file: FileConfig, config: SamplesConfig, findings: Findings) -> Table:
    """Return the rows that pass the ``filter`` of the file and the ``filter`` of all files."""
    known = config.not_missing
    table = _filtered(table, "samples.files.filter", file.filter, known, findings)
    return _filtered(table, "samples.filter", config.filter, known, findings)


def _filtered(
    table: Table,
    key: str,
    condition: str | None,
    not_missing: Sequence[float],
    findings: Findings,
) -> Table:
    if condition is None:
        return table
    try:
        expression = parse_over(table.columns, condition)
        passes = np.broadcast_to(expression.condition(table.columns), len(table))
        # A filter such as chl > 0 may be what removes them.
        for used in expression.names:
            if problem := undeclared_missing(table, used, not_missing, "samples", passes):
                raise ConfigError(problem)
    except ConfigError as error:
        findings.complain(f"{table.name}: {key}: {error}")
        return table
    kept = np.flatnonzero(passes)
    findings.notes.append(f"{table.name}: {len(kept)} of {len(table)} rows pass {_word(key)}")
    return take_rows(table, kept)


def _word(key: str) -> str:
    return "the filter" if key == "samples.filter" else "the filter of the file"


def take_rows(table: Table, indices: Sequence[int] | Column) -> Table:
    """Return a table with some of the rows."""
    columns = {name: values[indices] for name, values in table.columns.items()}
    return dataclasses.replace(table, columns=columns, rows=table.rows[indices])


def read_variables(
    table: Table, wanted: Sequence[VariableConfig], config: SamplesConfig, findings: Findings
) -> tuple[tuple[SampleVariable, ...], Array]:
    """Return variables, and their values in float64 with shape (rows, variables).

    Missing values are NaN.
    """
    variables, values = [], []
    for choice, wavelength_nm in variables_of(wanted):
        try:
            column = _find(table, choice, wavelength_nm, config.tolerance_nm)
            units, factor = _units(table, column, choice)
            variable = sample_variable(choice, wavelength_nm, column, units)
            numbers = table.numbers(column)
            if problem := undeclared_missing(table, column, config.not_missing, "samples"):
                raise table_error(table.name, problem)
            numbers = numbers * factor
        except ConfigError as error:
            findings.complain(error)
            continue
        findings.notes += _conversion(table, variable, factor)
        values.append(_valid(table, variable, numbers, findings))
        variables.append(variable)
    _refuse_twice(table, variables, findings)
    findings.notes += _taken_units(table, variables)
    shape = len(table), len(variables)
    return tuple(variables), np.stack(values, axis=1) if values else np.empty(shape)


def existing(table: Table, key: str, column: str | None, findings: Findings) -> str | None:
    """Return ``column`` if the table has it, else None; a missing column is an error of ``key``."""
    if column is None or column in table.columns:
        return column
    findings.complain(
        f"{table.name}: samples.{key}: no column {column!r}{near(column, list(table.columns))}"
    )
    return None


def _column(result: Column, rows: int) -> Column:
    """Return the result of an expression as a column; false is 0, true is 1, infinity is NaN."""
    values = np.array(np.broadcast_to(result, rows))
    if values.dtype.kind == "U":
        return values
    numbers = values.astype(np.float64)
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _find(
    table: Table, choice: VariableConfig, wavelength_nm: float | None, tolerance_nm: float
) -> str:
    """Return the name of a variable's column; for a band, the column of the nearest wavelength."""
    stem = choice.column or choice.quantity
    only_one = wavelength_nm is None or len(choice.wavelengths_nm or ()) == 1
    if stem in table.columns and only_one and (wavelength_nm is None or choice.column):
        return stem
    if stem in table.repeated:
        raise table_error(table.name, _repeated(table, stem))
    if wavelength_nm is None:
        raise table_error(table.name, f"no column {stem!r}{near(stem, list(table.columns))}")
    bands = bands_of(stem, table.columns)
    _refuse_repeated_band(table, stem, wavelength_nm, bands, tolerance_nm)
    if not bands:
        name = f"{stem}_{wavelength_nm:g}"
        raise table_error(table.name, f"no column {name!r}{near(name, list(table.columns))}")
    nearest = min(bands, key=lambda column: abs(bands[column] - wavelength_nm))
    if abs(bands[nearest] - wavelength_nm) > tolerance_nm:
        found = listed([f"{nm:g}" for nm in sorted(bands.values())], 20)
        raise table_error(
            table.name,
            f"no column of {stem} within {tolerance_nm:g} nm of {wavelength_nm:g} nm; found "
            f"{found}. Use one of these wavelengths, or set samples.tolerance_nm",
        )
    return nearest


def _refuse_repeated_band(
    table: Table, stem: str, wavelength_nm: float, bands: Mapping[str, float], tolerance_nm: float
) -> None:
    """Refuse a wavelength if several columns share the name of the nearest column."""
    nearest = min((abs(nm - wavelength_nm) for nm in bands.values()), default=tolerance_nm)
    for name, nm in bands_of(stem, table.repeated).items():
        if abs(nm - wavelength_nm) <= nearest:
            raise table_error(table.name, _repeated(table, name))


def _repeated(table: Table, name: str) -> str:
    ours = table.repeated[name]
    return (
        f"{len(ours)} columns are called {name!r}, so it is not known which one is meant. Set "
        f"'column' of this variable to one of {listed([repr(own) for own in ours])}"
    )


def bands_of(stem: str, columns: Iterable[str]) -> dict[str, float]:
    """Return the wavelengths in nm of columns such as ``Rrs_443``, ``Rrs_442.5`` or ``Rrs443``."""
    pattern = re.compile(re.escape(stem) + r"_?(\d+(?:\.\d+)?)")
    matches = {column: pattern.fullmatch(column) for column in columns}
    return {column: float(match[1]) for column, match in matches.items() if match}


def _units(table: Table, column: str, choice: VariableConfig) -> tuple[str, float]:
    """Return the units of a variable, and the factor that converts its column to these units."""
    wanted, found = expected_units(choice), table.units.get(column, "")
    if wanted is None and not says_units(found):
        raise table_error(
            table.name,
            f"{choice.quantity}: the units of column {column!r} are unknown. Set the key 'units' "
            "of the variable",
        )
    if wanted is None or not says_units(found):
        return wanted or found, 1.0
    factor = factor_between(found, wanted)
    if factor is None:
        raise table_error(
            table.name,
            f"column {column!r} is in {found!r}, expected {wanted!r} for {choice.quantity}. "
            "Correct the key 'units' of this input or target. If the units in the file are wrong, "
            "set the right units of the column under samples.units",
        )
    return wanted, factor


def _taken_units(table: Table, variables: Sequence[SampleVariable]) -> list[str]:
    """Return a note that lists the columns without units."""
    silent = [v for v in variables if not says_units(table.units.get(v.column, ""))]
    named = listed([f"{v.column} ({v.units})" for v in silent], 12)
    return [f"{table.name}: columns without units are taken as {named}"] if silent else []


def _conversion(table: Table, variable: SampleVariable, factor: float) -> list[str]:
    """Return notes if units are converted, or if a column is not at the wanted wavelength."""
    notes = []
    if factor != 1.0:
        found = table.units[variable.column]
        notes.append(
            f"{table.name}: column {variable.column!r} is converted from {found} to "
            f"{variable.units}"
        )
    at = re.search(r"(\d+(?:\.\d+)?)$", variable.column)
    if variable.wavelength_nm is not None and at and float(at[1]) != variable.wavelength_nm:
        notes.append(
            f"{table.name}: {variable.quantity} at {variable.wavelength_nm:g} nm is column "
            f"{variable.column!r}"
        )
    return notes


def _valid(table: Table, variable: SampleVariable, numbers: Array, findings: Findings) -> Array:
    """Set infinite numbers to NaN, and also numbers for which the transform is not defined."""
    outside = variable.outside(numbers)
    if outside.any():
        bound = "0 or less" if variable.transform.needs_positive else "below 0"
        findings.notes.append(
            f"{table.name}: {outside.sum()} values of {variable.name} are {bound}, for which "
            f"{variable.transform_name} is not defined; they are treated as missing"
        )
    return np.where(outside | ~np.isfinite(numbers), np.nan, numbers)


def _refuse_twice(table: Table, variables: Sequence[SampleVariable], findings: Findings) -> None:
    names = Counter(variable.name for variable in variables)
    columns = Counter(variable.column for variable in variables)
    for variable in variables:
        if names[variable.name] > 1:
            findings.complain(
                f"{variable.name} is given twice (wavelengths are rounded to 1 nm). Give it once"
            )
        elif columns[variable.column] > 1:
            sharing = [v.name for v in variables if v.column == variable.column]
            findings.complain(
                f"{table.name}: column {variable.column!r} is the nearest to "
                f"{' and '.join(sharing)}. Keep one of these variables, or lower "
                "samples.tolerance_nm"
            )
