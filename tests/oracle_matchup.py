"""Match-ups by brute force from netCDF files: every point against every pixel of every scene.

Written from the protocols and from the facts of NASA's Level-2 files (see `oracle`), with plain
loops; shares no code with the product. It knows 2-D bands, the flags by name, angles and aerosol.
"""

import datetime
import math
from pathlib import Path

import netCDF4
import numpy as np

EARTH_RADIUS_KM = 6371.0
NASA = {
    "window": 5,
    "hours": 3.0,
    "share": 0.5,
    "more_than": False,
    "uncounted": ("LAND", "NAVFAIL"),
    "masks": (
        *("LAND", "HIGLINT", "HILT", "HISATZEN", "HISOLZEN", "STRAYLIGHT"),
        *("CLDICE", "ATMFAIL", "LOWLW", "NAVFAIL", "NAVWARN", "FILTER"),
    ),
    "bands": (380.0, 720.0),
    "uniform": (405.0, 570.0),
    "aerosol": ("aot_862", "aot_865", "aot_868", "aot_869"),
    "variation": 0.15,
    "solar_zenith": 75.0,
    "sensor_zenith": 60.0,
    "considered_hours": 24.0,
    "considered_km": 10.0,
}
ANGLES = {"solar_zenith": "solz", "sensor_zenith": "senz"}


class Scene:
    """All of a file in memory, decoded."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        with netCDF4.Dataset(path) as file:
            file.set_auto_maskandscale(False)
            data, navigation = file["geophysical_data"], file["navigation_data"]
            self.latitude, self.longitude = (
                _floats(navigation[name]) for name in ("latitude", "longitude")
            )
            self.bands = {
                int(name[4:]): _reflectance(variable)
                for name, variable in data.variables.items()
                if name.startswith("Rrs_") and name[4:].isdigit()
            }
            self.others = {
                name: _floats(data[name])
                for name in (*NASA["aerosol"], *ANGLES.values())
                if name in data.variables
            }
            flags = data["l2_flags"]
            self.flags = flags[:].view(np.uint32)
            self.bits = {
                name: int(np.int64(mask) & 0xFFFFFFFF)
                for name, mask in zip(
                    flags.flag_meanings.split(), np.ravel(flags.flag_masks), strict=True
                )
            }
            times = [
                _time(getattr(file, name, ""))
                for name in ("time_coverage_start", "time_coverage_end")
            ]
        self.middle = None if None in times else times[0] + (times[1] - times[0]) / 2
        self.duration = 0.0 if None in times else (times[1] - times[0]).total_seconds() / 3600

    def raised(self, names) -> np.ndarray:
        """True where any of the flags is set."""
        mask = 0
        for name in names:
            mask |= self.bits.get(name, 0)
        return (self.flags & np.uint32(mask)) != 0


def _floats(variable) -> np.ndarray:
    stored = variable[:].astype(np.float64)
    fill = getattr(variable, "_FillValue", None)
    return stored if fill is None else np.where(stored == np.float64(fill), np.nan, stored)


def _reflectance(variable) -> np.ndarray:
    """Facts, section 2: exact in double precision, then single; near zero is zero."""
    counts = variable[:].astype(np.int64)
    scale, offset = np.float64(variable.scale_factor), np.float64(variable.add_offset)
    values = counts * scale + offset
    values[np.abs(values) < scale / 2] = 0
    wrong = counts == int(variable._FillValue)
    if hasattr(variable, "valid_min"):
        wrong |= (counts < int(variable.valid_min)) | (counts > int(variable.valid_max))
    return np.where(wrong, np.nan, values.astype(np.float32).astype(np.float64))


def _time(text: str) -> datetime.datetime | None:
    if not text:
        return None
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=datetime.UTC)


def haversine_km(latitude, longitude, latitudes, longitudes) -> np.ndarray:
    """Great-circle distances from a place to places, all in degrees."""
    one, other = np.radians(latitude), np.radians(latitudes)
    turn = np.radians(longitudes) - np.radians(longitude)
    root = np.sin((other - one) / 2) ** 2 + np.cos(one) * np.cos(other) * np.sin(turn / 2) ** 2
    return 2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.minimum(root, 1)))


def diagonal_km(scene: Scene, line: int, pixel: int) -> float:
    """The longest way from a pixel to one of its eight neighbours."""
    longest = math.nan
    for row in range(line - 1, line + 2):
        for column in range(pixel - 1, pixel + 2):
            inside = 0 <= row < scene.latitude.shape[0] and 0 <= column < scene.latitude.shape[1]
            if not inside or (row, column) == (line, pixel):
                continue
            way = haversine_km(
                scene.latitude[line, pixel],
                scene.longitude[line, pixel],
                scene.latitude[row, column],
                scene.longitude[row, column],
            )
            if not math.isnan(way):
                longest = way if math.isnan(longest) else max(longest, way)
    return float(longest)


def select(points, paths, *, keep_all=False, **changes):
    """Match-ups and rejections of points ``(row, latitude, longitude, time or None)``.

    Match-ups are dictionaries, rejections tuples of row, scene, reason, number found and limit.
    """
    rules = NASA | changes
    rejections = []
    complete = []
    for row, latitude, longitude, time in points:
        placed = abs(latitude) <= 90 and -180 <= longitude <= 360
        if not placed:
            rejections.append((row, "", "no_position", math.nan, math.nan))
        if time is None:
            rejections.append((row, "", "no_time", math.nan, math.nan))
        if placed and time is not None:
            complete.append((row, latitude, longitude, time))
    good = {}
    for path in paths:
        scene = Scene(path)
        for row, latitude, longitude, time in complete:
            outcome = _pair(scene, latitude, longitude, time, rules)
            if isinstance(outcome, dict):
                good.setdefault(row, []).append({"row": row, "scene": scene.name} | outcome)
            else:
                rejections += [(row, scene.name, *reason) for reason in outcome]
    matches = []
    for row, found in good.items():
        best = found[0]
        for other in found[1:]:
            nearer = abs(other["hours"]) < abs(best["hours"])
            as_near = abs(other["hours"]) == abs(best["hours"])
            if nearer or (as_near and other["distance"] < best["distance"]):
                best = other
        for match in found:
            if keep_all or match is best:
                matches.append(match)
            else:
                hours = abs(match["hours"]), abs(best["hours"])
                rejections.append((row, match["scene"], "not_nearest_in_time", *hours))
    return matches, rejections


def _pair(scene, latitude, longitude, time, rules):
    """A dictionary of a match-up, or the reasons against it; none if the pair is far apart."""
    hours = None
    if scene.middle is not None:
        hours = (time - scene.middle).total_seconds() / 3600
        if abs(hours) > rules["considered_hours"]:
            return []
    distances = haversine_km(latitude, longitude, scene.latitude, scene.longitude)
    if np.isnan(distances).all():
        return []
    line, pixel = (int(i) for i in np.unravel_index(np.nanargmin(distances), distances.shape))
    distance, limit = float(distances[line, pixel]), diagonal_km(scene, line, pixel)
    reasons = []
    if not distance <= limit:
        if distance > rules["considered_km"]:
            return []
        reasons.append(("outside_scene", distance, limit))
    if hours is None:
        reasons.append(("scene_without_time", math.nan, math.nan))
    else:
        if scene.duration > 2 * rules["hours"]:
            reasons.append(("scene_takes_too_long", scene.duration, 2 * rules["hours"]))
        if abs(hours) > rules["hours"]:
            reasons.append(("outside_time_window", abs(hours), rules["hours"]))
    if reasons:
        return reasons
    half = rules["window"] // 2
    lines, pixels = scene.latitude.shape
    to_edge = min(line, pixel, lines - 1 - line, pixels - 1 - pixel)
    if to_edge < half:
        return [("window_beyond_edge", to_edge, half)]
    return _window(scene, line, pixel, distance, hours, rules)


def _window(scene, line, pixel, distance, hours, rules):
    half = rules["window"] // 2
    part = np.s_[line - half : line + half + 1, pixel - half : pixel + half + 1]
    bands = {
        nm: values[part]
        for nm, values in scene.bands.items()
        if rules["bands"][0] <= nm <= rules["bands"][1]
    }
    uniform = [nm for nm in bands if rules["uniform"][0] <= nm <= rules["uniform"][1]]
    land = scene.raised(rules["uncounted"])[part]
    valid = ~land & ~scene.raised(rules["masks"])[part]
    for nm in uniform:
        valid &= np.isfinite(bands[nm])
    counted = int((~land).sum())
    needed = counted * rules["share"]
    needed = math.floor(needed) + 1 if rules["more_than"] else math.ceil(needed)
    needed = max(needed, 1)
    reasons, not_applied = [], []
    angles = {}
    for name, variable in ANGLES.items():
        angle = scene.others[variable][line, pixel] if variable in scene.others else math.nan
        angles[name] = float(angle)
        if math.isnan(angle):
            not_applied.append(name)
        elif angle > rules[name]:
            reasons.append((f"{name}_too_high", float(angle), rules[name]))
    if valid.sum() < needed:
        return [("too_few_valid_pixels", int(valid.sum()), needed), *reasons]
    values = {f"Rrs_{nm}": _filtered(band[valid], needed) for nm, band in bands.items()}
    aerosol = [name for name in rules["aerosol"] if name in scene.others]
    values |= {name: _filtered(scene.others[name][part][valid], needed) for name in aerosol}
    if not aerosol and rules["aerosol"]:
        not_applied.append("uniformity of aerosol")
    variations = []
    for name in (*(f"Rrs_{nm}" for nm in uniform), *aerosol):
        mean, deviation, _ = values[name]
        if not math.isnan(mean):
            variations.append(deviation / abs(mean))
    variation = float(np.median(variations))
    if variation > rules["variation"]:
        reasons.insert(0, ("variation_too_high", variation, rules["variation"]))
    if reasons:
        return reasons
    return {
        "line": line,
        "pixel": pixel,
        "distance": distance,
        "hours": hours,
        "valid": int(valid.sum()),
        "counted": counted,
        "variation": variation,
        "values": values,
        "angles": angles,
        "not_applied": ", ".join(not_applied),
    }


def _filtered(values, needed):
    """Mean, standard deviation and number of values within 1.5 standard deviations of the mean."""
    known = [float(value) for value in values if math.isfinite(value)]
    if len(known) < needed:
        return math.nan, math.nan, len(known)
    mean, deviation = _moments(known)
    kept = [v for v in known if math.isnan(deviation) or abs(v - mean) <= 1.5 * deviation]
    return *_moments(kept), len(kept)


def _moments(values):
    mean = math.fsum(values) / len(values)
    if len(values) < 2:
        return mean, math.nan
    squares = math.fsum((value - mean) ** 2 for value in values)
    return mean, math.sqrt(squares / (len(values) - 1))
