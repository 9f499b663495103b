"""Finds when a scene was taken, from the attributes of a file or from its time variable."""

import datetime
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from pipeline.readers.attributes import as_text
from pipeline.tables.packed import decoded_numbers
from pipeline.times.durations import after_duration
from pipeline.times.serial import since_reference, utc_of
from pipeline.times.text import Instant, Resolution, parse_time

START, END = "time_coverage_start", "time_coverage_end"
# Attributes of ACDD. If the file has one time, the resolution is the period of a composite.
_DURATIONS = ("time_coverage_duration", "time_coverage_resolution")
_DAY, _SECOND = datetime.timedelta(days=1), datetime.timedelta(seconds=1)


def coverage_of_attributes(attributes: Mapping[Any, Any]) -> dict[str, str]:
    """Return new texts for the time attributes that must change.

    Compact times (``200505010000Z``) become ISO 8601. If the end is missing, it is the start plus
    the stated duration. A text that cannot be read is not changed, so that a later error can quote
    it.
    """
    said = {name: as_text(attributes[name]) for name in (START, END) if name in attributes}
    times = {name: parse_time(text) for name, text in said.items()}
    changed = {
        name: time.iso for name, time in times.items() if time is not None and "-" not in said[name]
    }
    start = times.get(START)
    if start is not None and END not in said:
        ends = (after_duration(start.utc, as_text(attributes.get(n, ""))) for n in _DURATIONS)
        end = next((end for end in ends if end is not None), None)
        changed |= {} if end is None else {END: Instant(end, Resolution.CLOCK).iso}
    return changed


def with_time_variable(
    attributes: Mapping[str, Any], variables: Mapping[str, xr.Variable]
) -> dict[str, Any]:
    """Return attributes with the time coverage that the time variable of a file states.

    If the time has bounds, the bounds are the coverage. A time without bounds is used in two cases:
    the attributes state no time, or they state a time that is more than a day away from the time
    variable. In the second case, the attributes describe a longer series from which the file was
    cut.
    """
    found = _times_of(variables)
    if not found or _are_better(attributes, found):
        return dict(attributes)
    rest = {name: value for name, value in attributes.items() if name not in (START, END)}
    return {**rest, **dict(zip((START, END), found, strict=False))}


def _are_better(attributes: Mapping[str, Any], found: list[str]) -> bool:
    """True if the attributes state a scene's coverage better than the time variable does."""
    said = [as_text(attributes[name]) for name in (START, END) if attributes.get(name)]
    stated = [time for text in said if (time := parse_time(text)) is not None]
    own = [time.utc for text in found if (time := parse_time(text)) is not None]
    if not said:
        return False
    if len(own) < len(found) or len(stated) < len(said):
        return len(own) != 2
    start, end = stated[0].utc, stated[-1].end
    if len(own) == 1:
        return start - _DAY <= own[0] <= end + _DAY
    return abs(own[0] - start) + abs(own[1] - end) < _SECOND


def _times_of(variables: Mapping[str, xr.Variable]) -> list[str]:
    """Return the only time in a file, or its two bounds, in ISO 8601; [] if there is no such time.

    A number that cannot be read as a time is returned with its units.
    """
    named = [name for name in variables if _is_time(name, variables[name])]
    if len(named) != 1:
        return []
    time = variables[named[0]]
    bounds_name = as_text(time.attrs.get("bounds", time.attrs.get("climatology", "")))
    group = named[0].rpartition("/")[0]
    bounds = variables.get(f"{group}/{bounds_name}" if group else bounds_name)
    chosen = time if bounds is None or bounds.size != 2 else bounds
    units = as_text(time.attrs["units"])
    calendar = as_text(time.attrs.get("calendar", "standard"))
    try:
        numbers = np.ravel(decoded_numbers(np.asarray(chosen.values), chosen.attrs))
    except ValueError as error:
        return [f"{named[0]} ({error})"]
    is_missing = np.isin(np.ravel(chosen.values), fills_of(time.attrs))
    if not np.isfinite(numbers).all() or is_missing.any():
        return []
    return [_iso(float(number), units, calendar) for number in numbers]


def _is_time(name: str, variable: xr.Variable) -> bool:
    is_named = name.rpartition("/")[2].lower() == "time"
    is_time = is_named or as_text(variable.attrs.get("standard_name", "")) == "time"
    is_number = variable.dtype.kind in "iuf" and variable.size == 1
    return is_time and is_number and since_reference(as_text(variable.attrs.get("units", "")))


def fills_of(attributes: Mapping[str, Any]) -> list[Any]:
    """Return the numbers that mean a missing time."""
    named = (attributes.get(name) for name in ("_FillValue", "missing_value"))
    return [number for fill in named if fill is not None for number in np.ravel(fill).tolist()]


def _iso(number: float, units: str, calendar: str) -> str:
    try:
        utc = utc_of(number, units, calendar)
    except ValueError as error:
        return f"{number:g} ({error})"
    return "" if utc is None else Instant(utc, Resolution.CLOCK).iso
