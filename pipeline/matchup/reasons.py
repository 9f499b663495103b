"""Reasons why a pair of point and scene was not used."""

from dataclasses import dataclass

NO_POSITION = "no_position"
NO_TIME = "no_time"
SCENE_WITHOUT_TIME = "scene_without_time"
SCENE_TAKES_TOO_LONG = "scene_takes_too_long"
OUTSIDE_SCENE = "outside_scene"
OUTSIDE_TIME = "outside_time_window"
BEYOND_EDGE = "window_beyond_edge"
TOO_FEW_VALID = "too_few_valid_pixels"
NOT_UNIFORM = "variation_too_high"
ZENITH_TOO_HIGH = {
    "solar_zenith": "solar_zenith_too_high",
    "sensor_zenith": "sensor_zenith_too_high",
}
NOT_NEAREST = "not_nearest_in_time"

# What each reason means, in the order of the summary.
MEANINGS = {
    NO_POSITION: "the table has no valid position for the point",
    NO_TIME: "the table has no date with a time of day for the point",
    SCENE_WITHOUT_TIME: "the scene does not state when it was taken",
    SCENE_TAKES_TOO_LONG: "the scene covers more time than the time window (a composite)",
    OUTSIDE_SCENE: "no pixel of the scene is near enough (km)",
    OUTSIDE_TIME: "measured too long before or after the scene (h)",
    BEYOND_EDGE: "the window goes beyond the edge of the scene (pixels to the edge)",
    TOO_FEW_VALID: "too few valid pixels in the window",
    NOT_UNIFORM: "the window varies too much (coefficient of variation)",
    ZENITH_TOO_HIGH["solar_zenith"]: "the sun is too low (degree)",
    ZENITH_TOO_HIGH["sensor_zenith"]: "the view is too oblique (degree)",
    NOT_NEAREST: "another scene with a good window is nearer in time (h)",
}


@dataclass(frozen=True)
class Reason:
    """One reason, with the number that was compared with a limit."""

    name: str
    """A key of ``MEANINGS``."""
    found: float = float("nan")
    """The number that was compared with ``limit``; NaN for reasons without a number."""
    limit: float = float("nan")
    """The limit with which ``found`` was compared."""
    detail: str = ""
    """Further explanation."""
