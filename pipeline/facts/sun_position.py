"""The position of the sun, from place and time.

Michalsky 1988, Solar Energy 40, 227: the formulas of the Astronomical Almanac, which are within
0.01 degrees from 1950 to 2050. Refraction by the atmosphere is not included.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.facts.optical_tables import Array

NOON_OF_2000 = np.datetime64("2000-01-01T12:00:00", "us")


def solar_zenith(times: npt.NDArray[Any], latitude: Array, longitude: Array) -> Array:
    """Return the zenith angle of the sun in degrees; NaN where an argument is unknown.

    All arrays have the same shape.

    Args:
        times: instants in UTC (datetime64).
        latitude: degrees north.
        longitude: degrees east.
    """
    elapsed = (times.astype("datetime64[us]") - NOON_OF_2000) / np.timedelta64(1, "D")
    days: Array = np.asarray(elapsed, dtype=np.float64)
    mean_longitude = 280.460 + 0.9856474 * days
    mean_anomaly = np.radians(357.528 + 0.9856003 * days)
    ecliptic = np.radians(
        mean_longitude + 1.915 * np.sin(mean_anomaly) + 0.020 * np.sin(2.0 * mean_anomaly)
    )
    obliquity = np.radians(23.439 - 4e-7 * days)
    right_ascension = np.arctan2(np.cos(obliquity) * np.sin(ecliptic), np.cos(ecliptic))
    declination = np.arcsin(np.sin(obliquity) * np.sin(ecliptic))
    hours_of_day = 24.0 * ((days + 0.5) % 1.0)
    sidereal_hours = 6.697375 + 0.0657098242 * days + hours_of_day
    hour_angle = np.radians(15.0 * sidereal_hours + longitude) - right_ascension
    place = np.radians(latitude)
    elevation = np.sin(declination) * np.sin(place)
    elevation = elevation + np.cos(declination) * np.cos(place) * np.cos(hour_angle)
    return np.asarray(np.degrees(np.arccos(np.clip(elevation, -1.0, 1.0))))
