"""Write a scene in the layout of NASA OBPG Level-2 files (netCDF-4 groups).

Names, types and attributes follow the public files of the Ocean Biology Processing Group. No
time of writing goes in, so equal scenes are equal bytes on one machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

FILL = np.int16(-32767)
RRS_SCALE = np.float32(2e-6)
RRS_OFFSET = np.float32(0.05)
RRS_VALID = (np.int16(-30000), np.int16(25000))
ANGLE_SCALE = np.float32(0.01)
CHUNK = (128, 128)
SPECTRAL = "wavelength_3d"
SPECTRAL_CHUNK = (64, 64)

FLAG_NAMES = [
    "ATMFAIL",
    "LAND",
    "PRODWARN",
    "HIGLINT",
    "HILT",
    "HISATZEN",
    "COASTZ",
    "SPARE",
    "STRAYLIGHT",
    "CLDICE",
    "COCCOLITH",
    "TURBIDW",
    "HISOLZEN",
    "SPARE",
    "LOWLW",
    "CHLFAIL",
    "NAVWARN",
    "ABSAER",
    "SPARE",
    "MAXAERITER",
    "MODGLINT",
    "CHLWARN",
    "ATMWARN",
    "OPSHAL",
    "SEAICE",
    "NAVFAIL",
    "FILTER",
    "SPARE",
    "BOWTIEDEL",
    "HIPOL",
    "PRODFAIL",
    "SPARE",
]
FLAG_BITS = {name: bit for bit, name in enumerate(FLAG_NAMES) if name != "SPARE"}

ANGLES = {
    "solz": ("Solar Zenith Angle", "solar_zenith_angle", 0, 18000),
    "senz": ("Sensor Zenith Angle", "sensor_zenith_angle", 0, 18000),
    "relaz": ("Relative Azimuth Angle", None, -18000, 18000),
}


@dataclass(frozen=True)
class Level2:
    """What goes into one file; images have the shape (line, pixel)."""

    rrs: Mapping[int, npt.NDArray[np.int16]]
    """Counts of each band, by wavelength in nm."""
    flags: npt.NDArray[np.int32]
    angles: Mapping[str, Array]
    """solz, senz and relaz in degrees."""
    latitude: Array
    longitude: Array
    msec: npt.NDArray[np.int32]
    """Milliseconds of the day of each line."""
    year: int
    day: int
    sensor_wavelengths: tuple[int, ...]
    attributes: Mapping[str, Any]
    processing: Mapping[str, Any]
    """Attributes of the group processing_control."""
    parameters: Mapping[str, str]
    """Attributes of its subgroup input_parameters."""
    is_hyperspectral: bool = False
    """Whether Rrs is one variable with the wavelength last, as in files of PACE OCI."""


def to_counts(rrs: Array) -> npt.NDArray[np.int16]:
    """Round Rrs in sr-1 to the nearest count; NaN becomes fill, the rest is clipped to valid."""
    counts = np.round((rrs - np.float64(RRS_OFFSET)) / np.float64(RRS_SCALE))
    clipped = np.clip(counts, *RRS_VALID)
    return np.where(np.isnan(rrs), FILL, np.nan_to_num(clipped)).astype(np.int16)


def combine_flags(raised: Mapping[str, npt.NDArray[np.bool_]]) -> npt.NDArray[np.int32]:
    """OR the named masks into one signed 32-bit word per pixel."""
    words = [mask.astype(np.int32) << FLAG_BITS[name] for name, mask in raised.items()]
    combined: npt.NDArray[np.int32] = np.bitwise_or.reduce(words)
    return combined


def write_level2(path: Path, scene: Level2) -> None:
    """Write the file, replacing one of the same name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with netCDF4.Dataset(path, "w", format="NETCDF4") as file:
        lines, pixels = scene.flags.shape
        file.createDimension("number_of_lines", lines)
        file.createDimension("pixels_per_line", pixels)
        file.createDimension("number_of_bands", len(scene.sensor_wavelengths))
        if scene.is_hyperspectral:
            file.createDimension(SPECTRAL, len(scene.rrs))
        file.setncatts(dict(scene.attributes))
        _write_sensor(file.createGroup("sensor_band_parameters"), scene)
        _write_lines(file.createGroup("scan_line_attributes"), scene)
        _write_geophysics(file.createGroup("geophysical_data"), scene)
        _write_navigation(file.createGroup("navigation_data"), scene)
        _write_processing(file.createGroup("processing_control"), scene)


def _write_sensor(group: netCDF4.Group, scene: Level2) -> None:
    data = np.array(scene.sensor_wavelengths, dtype=np.int32)
    variable = group.createVariable("wavelength", "i4", ("number_of_bands",))
    variable.setncatts({"long_name": "wavelengths", "units": "nm"})
    variable[:] = data
    if scene.is_hyperspectral:
        variable = group.createVariable("wavelength_3d", "i4", (SPECTRAL,))
        variable.setncatts({"long_name": "wavelengths", "units": "nm"})
        variable[:] = np.array(list(scene.rrs), dtype=np.int32)


def _write_lines(group: netCDF4.Group, scene: Level2) -> None:
    lines = scene.msec.shape
    columns = {
        "year": (np.full(lines, scene.year), "Scan year", "years"),
        "day": (np.full(lines, scene.day), "Scan day of year", "days"),
        "msec": (scene.msec, "Scan time, milliseconds of day", "milliseconds"),
    }
    for name, (values, long_name, units) in columns.items():
        variable = group.createVariable(name, "i4", ("number_of_lines",), fill_value=-32767)
        variable.setncatts({"long_name": long_name, "units": units})
        variable[:] = values


def _write_geophysics(group: netCDF4.Group, scene: Level2) -> None:
    if scene.is_hyperspectral:
        cube = np.stack(list(scene.rrs.values()), axis=-1)
        _write_image(group, "Rrs", cube, FILL, _reflectance("Remote sensing reflectance"))
    else:
        for band, counts in scene.rrs.items():
            attributes = _reflectance(f"Remote sensing reflectance at {band} nm")
            _write_image(group, f"Rrs_{band}", counts, FILL, attributes)
    for name, degrees in scene.angles.items():
        _write_angle(group, name, degrees)
    masks = np.left_shift(np.int32(1), np.arange(32, dtype=np.int32))
    attributes = {"long_name": "Level-2 Processing Flags", "valid_min": np.int32(-2147483648)}
    attributes |= {"valid_max": np.int32(2147483647)}
    attributes |= {"flag_masks": masks, "flag_meanings": " ".join(FLAG_NAMES)}
    _write_image(group, "l2_flags", scene.flags, None, attributes)


def _reflectance(long_name: str) -> dict[str, Any]:
    return {
        "long_name": long_name,
        "scale_factor": RRS_SCALE,
        "add_offset": RRS_OFFSET,
        "units": "sr^-1",
        "standard_name": "surface_ratio_of_upwelling_radiance_emerging_from_sea_water_to_"
        "downwelling_radiative_flux_in_air",
        "valid_min": RRS_VALID[0],
        "valid_max": RRS_VALID[1],
    }


def _write_angle(group: netCDF4.Group, name: str, degrees: Array) -> None:
    long_name, standard_name, lowest, highest = ANGLES[name]
    attributes = {
        "long_name": long_name,
        "units": "degree",
        "scale_factor": ANGLE_SCALE,
        "add_offset": np.float32(0.0),
        "valid_min": np.int16(lowest),
        "valid_max": np.int16(highest),
    }
    if standard_name is not None:
        attributes["standard_name"] = standard_name
    counts = np.round(degrees / np.float64(ANGLE_SCALE)).astype(np.int16)
    _write_image(group, name, counts, FILL, attributes)


def _write_navigation(group: netCDF4.Group, scene: Level2) -> None:
    for name, values, units, limit in (
        ("longitude", scene.longitude, "degrees_east", 180.0),
        ("latitude", scene.latitude, "degrees_north", 90.0),
    ):
        attributes = {
            "long_name": name.capitalize(),
            "units": units,
            "standard_name": name,
            "valid_min": np.float32(-limit),
            "valid_max": np.float32(limit),
        }
        _write_image(group, name, values.astype(np.float32), np.float32(-999.0), attributes)


def _write_processing(group: netCDF4.Group, scene: Level2) -> None:
    group.setncatts(dict(scene.processing))
    group.createGroup("input_parameters").setncatts(dict(scene.parameters))
    shares = {name: np.float32(0.0) for name in FLAG_NAMES}
    for name, bit in FLAG_BITS.items():
        shares[name] = np.float32(100.0 * ((scene.flags >> bit) & 1).mean())
    group.createGroup("flag_percentages").setncatts(shares)


def _write_image(
    group: netCDF4.Group,
    name: str,
    data: npt.NDArray[Any],
    fill: np.generic | None,
    attributes: Mapping[str, Any],
) -> None:
    variable = group.createVariable(
        name,
        data.dtype,
        ("number_of_lines", "pixels_per_line", SPECTRAL)[: data.ndim],
        zlib=True,
        complevel=6,
        shuffle=True,
        chunksizes=CHUNK if data.ndim == 2 else (*SPECTRAL_CHUNK, data.shape[-1]),
        fill_value=fill,
    )
    variable.setncatts(dict(attributes))
    variable.set_auto_maskandscale(False)
    variable[:] = data
