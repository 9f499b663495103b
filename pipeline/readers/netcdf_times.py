"""Find the times of a netCDF file, and choose one of several."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import xarray as xr

from pipeline.errors import SceneError
from pipeline.readers.attributes import as_text
from pipeline.readers.opening import at_index
from pipeline.readers.time_coverage import fills_of
from pipeline.tables.packed import decoded_numbers
from pipeline.times.serial import since_reference, utc_of_all
from pipeline.times.text import parse_time

log = logging.getLogger(__name__)

Groups = Mapping[str | None, Mapping[str, xr.Variable]]
"""The variables of each group by name."""

MOST_TIMES_IN_MESSAGE = 6
UNDATED = "no date"


@dataclass(frozen=True)
class OneTime:
    """The groups of a file for one time, and attributes with the start and end of this time."""

    groups: Groups
    coverage: Mapping[str, str] = field(default_factory=dict)
    """Attributes that replace those of the file; empty if the file has a single time."""


@dataclass(frozen=True)
class FileTimes:
    """The times of a file."""

    groups: Groups
    dim: str = ""
    """The dimension along which the file has several times; empty without such a dimension."""
    times: tuple[str, ...] = ()
    """Times in ISO 8601; a time without a date is ``UNDATED``."""
    bounds: tuple[tuple[str, str], ...] = ()
    """Start and end of each time, if the file has them."""

    def at(self, chosen: int | str | None) -> OneTime:
        """Return the file at the chosen time.

        Raises:
            SceneError: the file has several times and none is chosen, or the choice fits no time
                or several times of the file.
        """
        if not self.dim and chosen in (None, 0):
            return OneTime(self.groups)
        if not self.times:
            raise SceneError(
                f"the time {chosen!r} is chosen, but the file has no variable for its time. Remove "
                "reader.options.time."
            )
        number = self._number(chosen)
        if not self.dim:
            return OneTime(self.groups)
        start, end = self.bounds[number] if self.bounds else (self.times[number],) * 2
        coverage = {"time_coverage_start": start, "time_coverage_end": end}
        groups = {
            group: {
                name: at_index(v, self.dim, number) if self.dim in v.dims else v
                for name, v in variables.items()
            }
            for group, variables in self.groups.items()
        }
        return OneTime(groups, {} if start == UNDATED else coverage)

    def _number(self, chosen: int | str | None) -> int:
        listed = ", ".join(
            f"{number}: {time}" for number, time in enumerate(self.times[:MOST_TIMES_IN_MESSAGE])
        ) + (" ..." if len(self.times) > MOST_TIMES_IN_MESSAGE else "")
        example = 0 if self.times[0] == UNDATED else f"'{self.times[0]}'"
        way = f"Choose one in reader: {{format: cf_netcdf, options: {{time: {example}}}}}."
        if chosen is None:
            raise SceneError(f"the file has {len(self.times)} times ({listed}). {way}")
        if isinstance(chosen, int):
            found = [chosen] if 0 <= chosen < len(self.times) else []
        else:
            found = self._that_begin(_text(chosen))
            parsed = parse_time(chosen)
            if not found and parsed is not None:  # the same time may be written in another way
                found = self._that_begin(_text(parsed.iso).removesuffix(".000"))
        if len(found) != 1:
            what = "has no time" if not found else "has several times that begin with"
            raise SceneError(f"the file {what} {chosen!r}; it has {listed}. {way}")
        return found[0]

    def _that_begin(self, text: str) -> list[int]:
        return [number for number, time in enumerate(self.times) if time.startswith(text)]


def _text(chosen: str) -> str:
    return chosen.strip().replace(" ", "T").removesuffix("Z")


def times_of(groups: Groups, latitude: str) -> FileTimes:
    """Find the times of a file, and the dimension along which the file has several times.

    ``latitude``: name of a variable on lines and pixels; its dimensions are never taken for times.
    """
    place = groups.get(None, {}).get(latitude)
    on_scene = place.dims if place is not None and place.ndim <= 2 else ()
    for variables in groups.values():
        for name, variable in variables.items():
            is_long = variable.ndim == 1 and variable.size > 1
            if (
                is_long
                and variable.dims[0] not in on_scene
                and _is_time(name, variable, is_named=bool(on_scene))
            ):
                return FileTimes(
                    groups,
                    str(variable.dims[0]),
                    tuple(_iso(variable, variable.attrs)),
                    _bounds(variables, variable),
                )
    return _undated(groups)


def _undated(groups: Groups) -> FileTimes:
    """Find a dimension that is called time but has no dates; its positions are numbered."""
    for variables in groups.values():
        for variable in variables.values():
            for dim, size in variable.sizes.items():
                if str(dim).lower() in ("time", "t") and size > 1 and variable.ndim >= 3:
                    return FileTimes(groups, str(dim), (UNDATED,) * size)
    return _single(groups)


def _single(groups: Groups) -> FileTimes:
    """Find the one time of a file."""
    for variables in groups.values():
        for name, variable in variables.items():
            if variable.size == 1 and _is_time(name, variable, is_named=True):
                return FileTimes(groups, times=tuple(_iso(variable, variable.attrs)))
    return FileTimes(groups)


def _is_time(name: str, variable: xr.Variable, *, is_named: bool) -> bool:
    """True for a CF time coordinate, but not for the times of a scene's lines.

    With ``is_named``, the result is also true for a variable whose name or standard name is
    ``time``.
    """
    is_axis = variable.dims == (name,) or as_text(variable.attrs.get("axis", "")) == "T"
    said = (name.lower(), as_text(variable.attrs.get("standard_name", "")))
    is_dated = since_reference(as_text(variable.attrs.get("units", "")))
    is_time = is_axis or (is_named and "time" in said)
    return is_time and is_dated and variable.dtype.kind in "iuf"


def _bounds(variables: Mapping[str, xr.Variable], time: xr.Variable) -> tuple[tuple[str, str], ...]:
    name = time.attrs.get("bounds", time.attrs.get("climatology", ""))
    stated = variables.get(as_text(name))
    if stated is None or stated.shape != (time.size, 2):
        return ()
    starts, ends = (_iso(stated[:, side], time.attrs) for side in (0, 1))
    return () if UNDATED in (*starts, *ends) else tuple(zip(starts, ends, strict=True))


def _iso(values: xr.Variable, attributes: Mapping[str, object]) -> list[str]:
    """Return times as ISO 8601; a fraction of a second is left out if it is zero.

    A time has no date if it is missing, or if its units or its calendar cannot give dates.
    """
    units, calendar = as_text(attributes["units"]), as_text(attributes.get("calendar", "standard"))
    try:
        numbers = np.ravel(decoded_numbers(np.asarray(values.values), values.attrs))
        numbers[np.isin(np.ravel(values.values), fills_of(attributes))] = np.nan
        dates = utc_of_all(numbers.tolist(), units, calendar)
    except ValueError as error:
        log.warning("the times of the file have no date: %s", error)
        return [UNDATED] * values.size
    return [UNDATED if date is None else date.isoformat() + "Z" for date in dates]
