"""Where a scanning radiometer looks: positions, viewing and sun angles of a piece of swath.

A round Earth and a straight ground track are enough here. Angles are in degrees outside, radians
inside; every array has the shape (line, pixel).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

EARTH_RADIUS_KM = 6371.0
# Aqua: altitude 705 km; MODIS: 1354 pixels over +-55 degrees, ten lines per scan of 1.4771 s
# (MODIS Level 1A Earth Location ATBD, Nishihama et al. 1997).
ALTITUDE_KM = 705.0
PIXELS_PER_SCAN = 1354
SCAN_STEP_DEGREES = 110.0 / PIXELS_PER_SCAN
LINES_PER_SCAN = 10
SECONDS_PER_SCAN = 1.4771


@dataclass(frozen=True)
class Swath:
    """A piece of swath on an ascending pass.

    Lines follow time, so line 0 is the southernmost; the scan mirror turns from right to left of
    the track, so pixel 0 is the easternmost: shown as stored, an ascending scene is upside down.
    The overlap of neighbouring scans far from nadir (the bow-tie) is left out.
    """

    latitude: Array
    longitude: Array
    north_km: Array
    """Distance in km from the start of the ground track, positive to the north."""
    east_km: Array
    """Distance in km from the start of the ground track, positive to the east."""
    sensor_zenith: Array
    sensor_azimuth: Array
    """Direction from the pixel to the sensor, degrees clockwise from north."""


def make_swath(
    lines: int, pixels: int, first_pixel: int, start: tuple[float, float], heading: float
) -> Swath:
    """The swath beside a track from start (latitude, longitude) towards heading (degrees)."""
    scan = np.deg2rad((np.arange(pixels) + first_pixel - 676.5) * SCAN_STEP_DEGREES)
    zenith = np.arcsin((EARTH_RADIUS_KM + ALTITUDE_KM) / EARTH_RADIUS_KM * np.sin(scan))
    across = np.broadcast_to(zenith - scan, (lines, pixels))
    along = np.arange(lines)[:, np.newaxis] / EARTH_RADIUS_KM
    course, left = np.deg2rad(heading), np.deg2rad(heading - 90.0)
    track = _travel(np.deg2rad(start[0]), np.deg2rad(start[1]), along, course)
    latitude, longitude = _travel(*track, across, left)
    return Swath(
        latitude=np.rad2deg(latitude),
        longitude=np.rad2deg(longitude),
        north_km=EARTH_RADIUS_KM * (along * np.cos(course) + across * np.cos(left)),
        east_km=EARTH_RADIUS_KM * (along * np.sin(course) + across * np.sin(left)),
        sensor_zenith=np.broadcast_to(np.rad2deg(np.abs(zenith)), (lines, pixels)),
        sensor_azimuth=(heading + np.where(zenith > 0.0, 90.0, -90.0)) % 360.0
        + np.zeros((lines, 1)),
    )


def sun_position(
    latitude: Array, longitude: Array, day_of_year: int, hour_utc: float
) -> tuple[Array, Array]:
    """Zenith and azimuth of the sun in degrees, to about half a degree.

    Declination after Cooper 1969 (Solar Energy 12, 333); the equation of time, below two minutes
    on the day of the sample scene, is neglected.
    """
    declination = np.deg2rad(23.45) * np.sin(2.0 * np.pi * (284 + day_of_year) / 365.0)
    hour_angle = np.deg2rad(15.0 * (hour_utc - 12.0) + longitude)
    phi = np.deg2rad(latitude)
    cos_zenith = np.sin(phi) * np.sin(declination) + np.cos(phi) * np.cos(declination) * np.cos(
        hour_angle
    )
    north = np.cos(phi) * np.sin(declination) - np.sin(phi) * np.cos(declination) * np.cos(
        hour_angle
    )
    azimuth = np.arctan2(-np.cos(declination) * np.sin(hour_angle), north)
    return np.rad2deg(np.arccos(cos_zenith)), np.rad2deg(azimuth) % 360.0


def relative_azimuth(sensor_azimuth: Array, solar_azimuth: Array) -> Array:
    """Sensor minus 180 minus solar azimuth, wrapped to -180 ... 180 degrees, as in l2gen."""
    return (sensor_azimuth - solar_azimuth) % 360.0 - 180.0


def glint_reflectance(
    solar_zenith: Array, sensor_zenith: Array, relative: Array, wind: Array
) -> Array:
    """Sun glint in sr-1, divided by the solar irradiance; wind in m s-1.

    Cox and Munk 1954, J. Opt. Soc. Am. 44, 838: isotropic slopes with a variance of
    0.003 + 0.00512 wind; 0.022 is the Fresnel reflectance of water at the small angles that matter.
    """
    sun, view = np.deg2rad(solar_zenith), np.deg2rad(sensor_zenith)
    # l2gen's relative azimuth is 0 where the sensor looks into the mirrored sun.
    cos_twice = np.cos(sun) * np.cos(view) - np.sin(sun) * np.sin(view) * np.cos(
        np.deg2rad(relative)
    )
    cos_half = np.sqrt((1.0 + cos_twice) / 2.0)
    cos_tilt = (np.cos(sun) + np.cos(view)) / (2.0 * cos_half)
    variance = 0.003 + 0.00512 * wind
    slope_density = np.exp(-(1.0 / cos_tilt**2 - 1.0) / variance) / (np.pi * variance)
    reflectance: Array = 0.022 * slope_density / (4.0 * np.cos(view) * cos_tilt**4)
    return reflectance


def _travel(
    latitude: Array | float, longitude: Array | float, distance: Array, course: float
) -> tuple[Array, Array]:
    """End of a great circle of the given length; everything in radians."""
    end = np.arcsin(
        np.sin(latitude) * np.cos(distance) + np.cos(latitude) * np.sin(distance) * np.cos(course)
    )
    turn = np.arctan2(
        np.sin(course) * np.sin(distance) * np.cos(latitude),
        np.cos(distance) - np.sin(latitude) * np.sin(end),
    )
    return end, longitude + turn
