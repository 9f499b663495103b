"""Time and bounds of a scene, taken from its attributes before any values are read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import SceneError
from pipeline.tables.table import Array
from pipeline.times.text import EXPECTED, Instant, parse_time

# Attributes for south, north, west and east: those of ACDD, and older ones of l2gen.
_BOUNDS = (
    ("geospatial_lat_min", "geospatial_lat_max", "geospatial_lon_min", "geospatial_lon_max"),
    (
        *("southernmost_latitude", "northernmost_latitude"),
        *("westernmost_longitude", "easternmost_longitude"),
    ),
)
KM_PER_DEGREE = 111.2


@dataclass(frozen=True)
class SceneCoverage:
    """When a scene was taken, and the bounding box that contains it."""

    start: np.datetime64 | None
    """Start in UTC; None if the scene does not state its start."""
    end: np.datetime64 | None
    """End in UTC; None if the scene does not state its end."""
    bounds: tuple[float, float, float, float] | None
    """South, north, west, east in degrees; if west > east, the box crosses the antimeridian."""

    @classmethod
    def of(cls, attributes: Mapping[Any, Any]) -> "SceneCoverage":
        """Read the coverage from the attributes of a scene.

        If a scene states only its start or only its end, this one time is used for both. A date
        without a time of day covers the whole day.

        Raises:
            SceneError: a time cannot be read, or the scene ends before it starts.
        """
        start, end = (_stated(attributes, f"time_coverage_{name}") for name in ("start", "end"))
        first, last = start or end, end or start
        if first is None or last is None:
            return cls(None, None, _bounds(attributes))
        if last.end < first.utc:
            raise SceneError(
                f"the scene ends ({last.iso}) before it starts ({first.iso}). State its times in "
                "reader.options.mapping (docs/readers.md)."
            )
        utc = np.datetime64(first.utc, "us"), np.datetime64(last.end, "us")
        return cls(*utc, _bounds(attributes))

    @property
    def middle(self) -> np.datetime64 | None:
        """Middle of the time coverage, which is used as the time of the scene."""
        if self.start is None or self.end is None:
            return None
        return self.start + (self.end - self.start) // 2

    @property
    def hours(self) -> float:
        """Length of the time coverage; 0 if it is unknown."""
        if self.start is None or self.end is None:
            return 0.0
        return float((self.end - self.start) / np.timedelta64(1, "h"))

    def may_hold(
        self, latitude: Array, longitude: Array, margin_km: float
    ) -> npt.NDArray[np.bool_]:
        """Return True for each place that may be in the scene or within a margin of it.

        True for all places if the bounds are unknown. Near a pole, all longitudes are near.
        """
        if self.bounds is None:
            return np.ones(latitude.shape, dtype=bool)
        south, north, west, east = self.bounds
        margin = margin_km / KM_PER_DEGREE
        in_latitude = (latitude >= south - margin) & (latitude <= north + margin)
        highest = max(abs(south), abs(north)) + margin
        if highest >= 89:
            return np.asarray(in_latitude)
        aside = margin / np.cos(np.radians(highest))
        width = (east - west) % 360 if east - west < 360 else 360.0
        from_west = (longitude - (west - aside)) % 360
        return np.asarray(
            in_latitude & ((from_west <= width + 2 * aside) | (width + 2 * aside >= 360))
        )


def _stated(attributes: Mapping[Any, Any], name: str) -> Instant | None:
    """Return the time in an attribute; None if the scene does not have it."""
    text = str(attributes.get(name, "")).strip()
    if not text:
        return None
    found = parse_time(text)
    if found is None:
        raise SceneError(
            f"{name} of the scene is {text!r}, expected {EXPECTED}. Correct the attribute, or "
            "state its format in reader.options.mapping (docs/readers.md), as in "
            f"'{name}: {{attribute: {name}, format: ...}}'."
        )
    return found


def _bounds(attributes: Mapping[Any, Any]) -> tuple[float, float, float, float] | None:
    """Return the first complete and valid set of bounds."""
    for names in _BOUNDS:
        try:
            south, north, west, east = (float(np.ravel(attributes[name])[0]) for name in names)
        except (KeyError, ValueError, TypeError, IndexError):
            continue
        if -90 <= south <= north <= 90 and -180 <= west <= 360 and -180 <= east <= 360:
            return south, north, west, east
    return None
