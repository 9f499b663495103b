"""Choose one time of a netCDF file that has several."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import xarray as xr

from pipeline.errors import ConfigError, SceneError
from pipeline.readers.attributes import as_text
from pipeline.readers.opening import at_index
from pipeline.tables.packed import decoded_numbers
from pipeline.times.serial import REAL_CALENDARS, utc_of_all

Groups = Mapping[str | None, Mapping[str, xr.Variable]]
"""The variables of each group by name."""

MOST_TIMES_IN_MESSAGE = 6
UNDATED = "no date"


@dataclass(frozen=True)
class OneTime:
    """The groups of a file at one time, and the coverage of that time."""

    groups: Groups
    coverage: Mapping[str, str] = field(default_factory=dict)
    """Attributes that replace those of the file; empty if the file has a single time."""


@dataclass(frozen=True)
class SeveralTimes:
    """The times of a file with several times; for any other file, ``times`` is empty."""

    groups: Groups
    dim: str = ""
    times: tuple[str, ...] = ()
    """Times in ISO 8601."""
    bounds: tuple[tuple[str, str], ...] = ()
    """Start and end of each time, if the file has them."""

    def at(self, chosen: int | str | None) -> OneTime:
        """Return the file at the chosen time.

        Raises:
            SceneError: the file has several times, and none is chosen.
            ConfigError: the file has no such time, or several times fit.
        """
        if not self.times:
            return OneTime(self.groups)
        number = self._number(chosen)
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
            found = [n for n, time in enumerate(self.times) if time.startswith(_text(chosen))]
        if len(found) != 1:
            what = "has no time" if not found else "has several times that begin with"
            raise ConfigError(f"the file {what} {chosen!r}; it has {listed}. {way}")
        return found[0]


def _text(chosen: str) -> str:
    return chosen.strip().replace(" ", "T").removesuffix("Z")


def several_times(groups: Groups, latitude: str) -> SeveralTimes:
    """Find the dimension along which a file has several times.

    ``latitude``: name of a variable on lines and pixels; its dimensions are never times.
    """
    place = groups.get(None, {}).get(latitude)
    on_scene = place.dims if place is not None and place.ndim <= 2 else ()
    for variables in groups.values():
        for name, variable in variables.items():
            is_long = variable.ndim == 1 and variable.size > 1
            if is_long and variable.dims[0] not in on_scene and _is_time(name, variable):
                return SeveralTimes(
                    groups,
                    str(variable.dims[0]),
                    tuple(_iso(variable, variable.attrs)),
                    _bounds(variables, variable),
                )
    return _undated(groups)


def _undated(groups: Groups) -> SeveralTimes:
    """Find a dimension that is called time but has no dates; its positions are numbered."""
    for variables in groups.values():
        for variable in variables.values():
            for dim, size in variable.sizes.items():
                if str(dim).lower() == "time" and size > 1 and variable.ndim >= 3:
                    return SeveralTimes(groups, str(dim), (UNDATED,) * size)
    return SeveralTimes(groups)


def _is_time(name: str, variable: xr.Variable) -> bool:
    """Whether a variable is a CF time coordinate, and not the time of each line of a scene."""
    is_axis = variable.dims == (name,) or as_text(variable.attrs.get("axis", "")) == "T"
    is_dated = " since " in as_text(variable.attrs.get("units", ""))
    return is_axis and is_dated and variable.dtype.kind in "iuf"


def _bounds(variables: Mapping[str, xr.Variable], time: xr.Variable) -> tuple[tuple[str, str], ...]:
    stated = variables.get(as_text(time.attrs.get("bounds", "")))
    if stated is None or stated.shape != (time.size, 2):
        return ()
    starts, ends = (_iso(stated[:, side], time.attrs) for side in (0, 1))
    return tuple(zip(starts, ends, strict=True))


def _iso(values: xr.Variable, attributes: Mapping[str, object]) -> list[str]:
    """Return times as ISO 8601, without a fraction of a second where it is zero."""
    units, calendar = as_text(attributes["units"]), as_text(attributes.get("calendar", "standard"))
    if calendar.strip().lower() not in REAL_CALENDARS:
        return [UNDATED] * values.size  # 30 February of a model is no date
    try:
        numbers = np.ravel(decoded_numbers(np.asarray(values.values), values.attrs))
        dates = utc_of_all(numbers.tolist(), units, calendar)
    except ValueError as error:
        raise SceneError(f"the times cannot be understood: {error}.") from error
    return [UNDATED if date is None else date.isoformat() + "Z" for date in dates]
