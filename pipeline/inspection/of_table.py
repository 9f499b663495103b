"""Describes a table of points or samples in words: columns, units, rows, places and times."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pipeline.config.matchup import PointsConfig
from pipeline.errors import ConfigError, PipelineError
from pipeline.matchup.points import Points, read_points
from pipeline.tables import Table, read_table, recognise

# A file with one of these endings is treated as a table, even if it cannot be read.
ENDINGS = (".csv", ".tsv", ".tab", ".sb", ".parquet", ".feather")
# Descriptions of networks and configurations are text too.
OTHER_TEXT = (".yaml", ".yml", ".json", ".xml", ".toml", ".py", ".md")
# Formats that are used more often for scenes than for tables.
ALSO_SCENES = ("netcdf",)


def table_lines(path: Path) -> list[str] | None:
    """Return lines that describe a table, or None if the file is not a table but may be a scene.

    Raises:
        ConfigError: the file has the ending of a table, but cannot be read as one.
    """
    is_meant = path.name.lower().removesuffix(".gz").endswith(ENDINGS)
    if not path.is_file() or path.suffix.lower() in OTHER_TEXT:
        return None
    try:
        file_format = recognise(path)
        if file_format in ALSO_SCENES:
            return None
        return list(_described(path, file_format, read_table(path)))
    except ConfigError:
        if is_meant:
            raise
        return None


def netcdf_table_lines(path: Path) -> list[str] | None:
    """Return lines that describe a table in a netCDF file; None if it has no table."""
    try:
        if not path.is_file() or recognise(path) not in ALSO_SCENES:
            return None
        return list(_described(path, "netcdf", read_table(path)))
    except PipelineError:
        return None


def _described(path: Path, file_format: str, table: Table) -> Iterator[str]:
    yield f"table        {table.name}"
    yield f"format       {file_format}"
    yield f"sha256       {table.sha256}"
    yield f"rows         {len(table)}"
    row = "{:<12} {:<28} {:<16} {:<10} {}".format
    yield row("columns", "name", "units", "values", "range")
    for name in table.columns:
        yield row("", name, table.units.get(name, ""), *_content(table, name)).rstrip()
    try:
        points = read_points(path, PointsConfig())
    except ConfigError as error:
        yield f"places       not known: {' '.join(str(error).split())}"
    else:
        yield from _places_and_times(points)
    yield from (f"note         {text}" for text in table.told)
    yield f"licence      {table.licence or 'none given'}"


def _content(table: Table, name: str) -> tuple[str, str]:
    """Return two texts about a column: the number of its values, and a summary of them.

    The summary of numbers is their range. The summary of texts is the number of different texts,
    and the first text.
    """
    values = table.columns[name]
    if table.is_text(name):
        present = values[values != ""]
        distinct = np.unique(present)
        shown = f"{distinct.size} texts, first {str(present[0])!r}" if present.size else "missing"
        return str(present.size), shown
    present = values[np.isfinite(values)]
    shown = f"{present.min():.10g} .. {present.max():.10g}" if present.size else "missing"
    return str(present.size), shown


def _places_and_times(points: Points) -> Iterator[str]:
    placed, timed = points.placed, points.timed
    spans = (
        f"{name} {values[placed].min():.4f} .. {values[placed].max():.4f}"
        for name, values in (("latitude", points.latitude), ("longitude", points.longitude))
        if placed.any()
    )
    yield f"places       {', '.join((f'{np.count_nonzero(placed)} of {len(points)} rows', *spans))}"
    times = points.times[timed]
    span = f", {_utc(times.min())} .. {_utc(times.max())}" if times.size else ""
    yield f"times        {times.size} of {len(points)} rows{span}"


def _utc(time: np.datetime64) -> str:
    return f"{np.datetime_as_string(time, unit='s')}Z"
