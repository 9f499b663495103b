"""Load tables of samples as arrays for training a network."""

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.config import SamplesConfig
from pipeline.config.samples import ClassesConfig, FileConfig
from pipeline.networks.variable import Array
from pipeline.tables import Table
from pipeline.tables.table import is_number, listed
from pipeline.tables.units import factor_between
from pipeline.training.samples.apart import rows_apart
from pipeline.training.samples.columns import Findings, filtered, read_variables, with_new_columns
from pipeline.training.samples.reading import read_file
from pipeline.training.samples.row_values import RowValues, read_row_values
from pipeline.training.samples.usable_rows import usable_rows
from pipeline.training.samples.variables import SampleVariable

log = logging.getLogger(__name__)

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class SampleSet:
    """Samples in physical units; for each sample, its file and row are recorded."""

    inputs: tuple[SampleVariable, ...]
    targets: tuple[SampleVariable, ...]
    x: Array
    """Inputs, with shape (n, inputs)."""
    y: Array
    """Targets, with shape (n, targets); masked values are NaN."""
    labels: Integers | None
    """Class of each sample, as an index into ``classes``, with shape (n,)."""
    classes: tuple[str, ...]
    class_quantity: str
    weights: Array | None
    """Weight of each sample, with shape (n,)."""
    groups: npt.NDArray[np.str_] | None
    """Group of each sample, with shape (n,)."""
    times: npt.NDArray[np.datetime64] | None
    """Time of each sample in UTC, with shape (n,)."""
    rows: Integers
    """Each sample's line (text files) or row (other files), from 1, with shape (n,)."""
    files: Integers
    """File of each sample, as an index into ``sources``, with shape (n,)."""
    sources: tuple[Mapping[str, Any], ...]
    """Name, sha256 and number of rows of each file; also its licence, its part, and the hashes of
    joined files, if known."""
    notes: tuple[str, ...]
    """Notes on values that were converted, left out, or changed when the file was read."""

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, indices: npt.ArrayLike) -> "SampleSet":
        """Return some of the samples, chosen by indices or by a mask."""
        names = ("x", "y", "labels", "weights", "groups", "times", "rows", "files")
        chosen = np.asarray(indices)
        chosen = chosen if chosen.dtype == np.bool_ else chosen.astype(np.int64)
        arrays: dict[str, Any] = {name: getattr(self, name) for name in names}
        taken: dict[str, Any] = {n: None if a is None else a[chosen] for n, a in arrays.items()}
        return dataclasses.replace(self, **taken)

    @property
    def row_weights(self) -> Array:
        """The weight of each sample, with shape (n,); 1 if the samples have no weights."""
        return np.ones(len(self)) if self.weights is None else self.weights

    @property
    def fixed_parts(self) -> npt.NDArray[np.str_]:
        """The part that is set for the file of each sample, with shape (n,); "" if none is set."""
        of_file = np.array([source.get("part", "") for source in self.sources], dtype=np.str_)
        return of_file[self.files]

    def place(self, index: int) -> str:
        """Return the file and the line or row of a sample, such as ``match_ups.csv 86``."""
        return f"{self.sources[self.files[index]]['name']} {self.rows[index]}"

    def log_notes(self, more: Sequence[str] = ()) -> None:
        """Log the notes of the samples, then further notes."""
        for note in (*self.notes, *more):
            log.info("samples: %s", note)


@dataclass(frozen=True, eq=False)
class _FileSamples:
    """The samples of one file."""

    file: FileConfig
    table: Table
    inputs: tuple[SampleVariable, ...]
    targets: tuple[SampleVariable, ...]
    x: Array
    y: Array
    values: RowValues


def load_samples(config: SamplesConfig) -> SampleSet:
    """Load the usable samples of all files of a configuration.

    Raises:
        ConfigError: a file cannot be read, a column is missing or wrong, or no row is left; one
            message lists all problems.
    """
    findings = Findings()
    read = [(file, read_file(file, config, findings)) for file in config.files]
    tables = [(file, table) for file, table in read if table is not None]
    _check_twice([table for _, table in tables], findings)
    whole = [(file, with_new_columns(table, file, config, findings)) for file, table in tables]
    _check_units([table for _, table in whole], config, findings)
    apart = [(file, rows_apart(table, file, config, findings)) for file, table in whole]
    parts = [
        _read_samples(file, filtered(table, file, config, findings), config, findings)
        for file, table in apart
    ]
    findings.raise_complaints()
    _check_same_units(parts, findings)
    kept = [_usable(part, config, findings) for part in parts]
    findings.raise_complaints()
    _check_left(parts, kept, findings)
    labels, classes = _classes(kept, config.classes, findings)
    findings.raise_complaints()
    lengths = [len(table) for _, table in tables]
    return _joined(kept, lengths, labels, classes, config, tuple(findings.notes))


def _check_twice(tables: Sequence[Table], findings: Findings) -> None:
    """Refuse a file given twice, because its samples could be in two parts of a split."""
    seen: dict[str, str] = {}
    for table in tables:
        if table.sha256 in seen:
            findings.complain(
                f"{table.name} and {seen[table.sha256]} are the same file. Give it once"
            )
        seen[table.sha256] = table.name


def _check_units(tables: Sequence[Table], config: SamplesConfig, findings: Findings) -> None:
    columns = {column for table in tables for column in table.columns}
    unknown = [name for name in config.units if name not in columns]
    if tables and unknown:
        findings.complain(
            f"samples.units: no file has a column {listed(unknown)}. Correct the name"
        )


def _check_same_units(parts: Sequence[_FileSamples], findings: Findings) -> None:
    """Refuse a variable with different units in two files, unless its wanted units are known."""
    first = parts[0]
    for part in parts[1:]:
        pairs = zip((*first.inputs, *first.targets), (*part.inputs, *part.targets), strict=True)
        for one, other in pairs:
            if factor_between(one.units, other.units) != 1.0:
                findings.complain(
                    f"{one.name} has the units {one.units!r} in {first.table.name}, but "
                    f"{other.units!r} in {part.table.name}. Set the key 'units' of the variable"
                )


def _read_samples(
    file: FileConfig, table: Table, config: SamplesConfig, findings: Findings
) -> _FileSamples:
    inputs, x = read_variables(table, config.inputs, config, findings)
    targets, y = read_variables(table, config.targets, config, findings)
    return _FileSamples(
        file, table, inputs, targets, x, y, read_row_values(table, config, findings)
    )


def _usable(part: _FileSamples, config: SamplesConfig, findings: Findings) -> _FileSamples:
    """Return the usable rows of a file, and check their groups, times and weights."""
    classes = part.values.classes
    y = part.y if classes is None else np.where(classes == "", np.nan, 0.0)[:, None]
    names = [v.name for v in part.targets]
    if config.classes is not None:
        names = [config.classes.column or config.classes.quantity]
    rows = usable_rows(part.table, part.inputs, part.x, names, y, config, findings)
    part.values.check(part.table, rows, config, findings)
    return dataclasses.replace(
        part,
        table=dataclasses.replace(part.table, rows=part.table.rows[rows]),
        x=part.x[rows],
        y=part.y[rows],
        values=part.values.take(rows),
    )


def _check_left(
    parts: Sequence[_FileSamples], kept: Sequence[_FileSamples], findings: Findings
) -> None:
    if any(len(part.table) for part in kept):
        return
    if not any(len(part.table) for part in parts):
        findings.complain("no row passes samples.filter. Correct the filter")
        return
    counts: dict[str, int] = {}
    for part in parts:
        for variable, column in zip(part.inputs, part.x.T, strict=True):
            counts[variable.name] = counts.get(variable.name, 0) + int(np.isnan(column).sum())
    lacking = listed([f"{name} in {count} rows" for name, count in counts.items() if count])
    rows = sum(len(part.table) for part in parts)
    findings.complain(
        f"none of {rows} rows is complete; missing values: {lacking or 'targets'}. Remove inputs "
        "that few rows have, or use other files"
    )


def _classes(
    parts: Sequence[_FileSamples], config: ClassesConfig | None, findings: Findings
) -> tuple[Integers | None, tuple[str, ...]]:
    """Return an index into the class names for each sample; also return the class names."""
    if config is None or findings.complaints:
        return None, ()
    texts = np.concatenate([part.values.classes for part in parts])
    found = sorted(set(texts.tolist()), key=_in_order)
    names = config.order or tuple(found)
    unknown = [name for name in found if name not in names]
    if unknown:
        findings.complain(
            f"{config.origin} has {listed(unknown, 10)}; expected {listed(names)}. Add "
            "the found classes to samples.classes.names, or exclude their rows by samples.filter"
        )
        return None, names
    absent = [name for name in names if name not in found]
    if absent or len(names) < 2:
        findings.complain(
            f"{config.origin}: found the classes {listed(found, 10)}; expected "
            f"{f'also {listed(absent)}' if absent else 'at least two'}. Correct the names, or use "
            "other samples"
        )
    place = {name: index for index, name in enumerate(names)}
    return np.array([place[text] for text in texts.tolist()], dtype=np.int64), names


def _in_order(name: str) -> tuple[float, str]:
    """Return a key for sorting names: numbers come first, by size, then all other names."""
    return (float(name), name) if is_number(name) else (np.inf, name)


def _joined(
    parts: Sequence[_FileSamples],
    lengths: Sequence[int],
    labels: Integers | None,
    classes: tuple[str, ...],
    config: SamplesConfig,
    notes: tuple[str, ...],
) -> SampleSet:
    def join(name: str) -> Any:
        arrays = [getattr(part.values, name) for part in parts]
        return None if arrays[0] is None else np.concatenate(arrays)

    counts = [len(part.table) for part in parts]
    return SampleSet(
        inputs=parts[0].inputs,
        targets=parts[0].targets,
        x=np.concatenate([part.x for part in parts]),
        y=np.concatenate([part.y for part in parts]),
        labels=labels,
        classes=classes,
        class_quantity="" if config.classes is None else config.classes.quantity,
        weights=join("weights"),
        groups=join("groups"),
        times=join("times"),
        rows=np.concatenate([part.table.rows for part in parts]),
        files=np.repeat(np.arange(len(parts), dtype=np.int64), counts),
        sources=tuple(
            {"name": part.table.name, "sha256": part.table.sha256, "rows": length}
            | ({"licence": part.table.licence} if part.table.licence else {})
            | ({"part": part.file.part} if part.file.part else {})
            | ({"joined": dict(part.table.beside)} if part.table.beside else {})
            for part, length in zip(parts, lengths, strict=True)
        ),
        notes=notes,
    )
