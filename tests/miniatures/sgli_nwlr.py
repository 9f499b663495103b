"""GCOM-C/SGLI Level-2 NWLR (HDF5).

Layout, attribute names and their types (arrays of length 1, text of fixed length) after the public
writer by the JAXA author, murakami-eorc/oc_adjust; tie points start at line and pixel 0, as the
public readers take them. Its QA_flag description is an array of 16 texts "BitNN:...".
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from miniatures.truth import (
    Truth,
    Written,
    every,
    packed_flags,
    some,
    unpacked_flags,
    unwrapped,
    wrapped,
)

NAME = "GC1SG1_202301030209{resolution}06310_L2SG_NWLR{resolution}_2111.h5"
BANDS = (380, 412, 443, 490, 530, 565, 670)
CENTERS = {380: 379.9, 412: 412.3, 443: 443.3, 490: 490.0, 530: 529.7, 565: 566.1, 670: 672.3}
IRRADIANCE = {380: 1093.5, 412: 1711.3, 443: 1902.9, 490: 1938.2, 530: 1850.6, 565: 1797.1}
IRRADIANCE[670] = 1502.5  # W m-2 um-1, near enough
RRS_SLOPE, RRS_OFFSET = np.float32(1e-6), np.float32(-0.01)
MINIMUM_DN, SATURATED_DN, ERROR_DN = 0, 65534, 65535
CHUNK = 256
METRES = {"Q": 250.0, "K": 1000.0}

STANDARD_FLAGS = [
    "DATAMISS",
    "LAND",
    "ATMFAIL",
    "CLDICE",
    "CLDAFFCTD",
    "STRAYLIGHT",
    "HIGLINT",
    "MODGLINT",
    "HISOLZ",
    "HITAUA",
    "EPSOUT",
    "OVERITER",
    "NEGNLW",
    "HIGHWS",
    "TURBIDW",
]
STANDARD_TEXT = [f"Bit{bit:02d}: {name}" for bit, name in enumerate(STANDARD_FLAGS)]
STANDARD_TEXT.append("Bit15: reserved")
OTHER_FLAGS = {
    "no observation data": 0,
    "land pixel": 1,
    "cloud or ice": 3,
    "near cloud (+-2pix)": 4,
    "coast pixel": 6,
    "straylight flag": 7,
    "sunglint mask>0.16": 8,
    "soz>75": 11,
    "negative nLw": 14,
}
OTHER_TEXT = [
    "Bit00:no observation data  ;",
    "Bit01:land pixel           ;",
    "Bit02:                     ;",
    "Bit03:cloud or ice         ;",
    "Bit04:near cloud (+-2pix)  ;",
    "Bit05:reserved             ;",
    "Bit06:coast pixel          ;",
    "Bit07:straylight flag      ;",
    "Bit08:sunglint mask>0.16   ;",
    "Bit09:spare                ;",
    "Bit10:                     ;",
    "Bit11:soz>75               ;",
    "Bit12:reserved             ;",
    "Bit13:reserved             ;",
    "Bit14:negative nLw         ;",
    "Bit15:spare                ;",
]
QA_LAYOUTS = {
    "described": ({name: bit for bit, name in enumerate(STANDARD_FLAGS)}, STANDARD_TEXT),
    "described_other": (OTHER_FLAGS, OTHER_TEXT),
    "undescribed": ({name: bit for bit, name in enumerate(STANDARD_FLAGS)}, None),
}


def counts_of(rrs: np.ndarray | float) -> np.ndarray:
    """Counts nearest to reflectances (sr-1), clipped as the processor clips."""
    counts = np.round((np.asarray(rrs, np.float64) - float(RRS_OFFSET)) / float(RRS_SLOPE))
    return np.where(counts < 0, ERROR_DN, np.minimum(counts, SATURATED_DN)).astype(np.uint16)


def write(
    folder: Path,
    truth: Truth,
    *,
    counts: Mapping[int, np.ndarray] | None = None,
    interval: int = 10,
    covering: bool = True,
    resolution: str = "Q",
    qa_layout: str = "described",
    qa_text_as_one: bool = False,
    chunk: tuple[int, int] | None = None,
    name: str | None = None,
) -> Written:
    """Write the scene; wavelengths of the truth are those in the names, 380 to 670.

    ``counts`` replaces whole bands by raw counts. Tie points lie every ``interval`` pixels; with
    ``covering`` the last ones lie on or behind the last line and pixel, without it they are only
    as many as begin a cell, and the last pixels are extrapolated. ``qa_layout`` is "described",
    "described_other" or "undescribed"; ``qa_text_as_one`` stores the description as one text
    instead of one per bit.
    """
    path = folder / (name or NAME.format(resolution=resolution))
    bits, text = QA_LAYOUTS[qa_layout]
    stored = {nm: _stored(truth, nm, counts or {}) for nm in BANDS if _present(truth, nm, counts)}
    quality = packed_flags(truth.flags, bits, truth.shape, np.uint16)
    ties = _tie_points(truth, interval, covering)
    with h5py.File(path, "w") as file:
        _global_attributes(file, path.name)
        image = _image_group(file, truth.shape, METRES[resolution])
        for nm, values in stored.items():
            _dataset(image, f"NWLR_{nm}", values, _band_attributes(nm, METRES[resolution]), chunk)
        _dataset(image, "QA_flag", quality, _qa_attributes(text, qa_text_as_one), chunk)
        _geometry_group(file, ties, interval)
    latitude, longitude = _interpolated(ties, interval, truth.shape)
    return Written(
        path=path,
        rrs={float(nm): _decoded(values) for nm, values in stored.items()},
        latitude=latitude,
        longitude=longitude,
        flags=unpacked_flags(quality, bits),
        missing=every([values == ERROR_DN for values in stored.values()]),
        outside=np.zeros(truth.shape, bool),
        saturated=some([values == SATURATED_DN for values in stored.values()]),
        extra=dict(zip(("Latitude", "Longitude"), ties, strict=True)),
    )


def _present(truth: Truth, nm: int, counts: Mapping[int, np.ndarray] | None) -> bool:
    return nm in truth.rrs or nm in (counts or {})


def _stored(truth: Truth, nm: int, counts: Mapping[int, np.ndarray]) -> np.ndarray:
    if nm in counts:
        return np.asarray(counts[nm]).astype(np.uint16)
    stored = np.where(truth.saturated, SATURATED_DN, counts_of(truth.rrs[nm]))
    return np.where(truth.missing, ERROR_DN, stored).astype(np.uint16)


def _decoded(stored: np.ndarray) -> np.ndarray:
    rrs = stored.astype(np.float64) * np.float64(RRS_SLOPE) + np.float64(RRS_OFFSET)
    return np.where(stored == ERROR_DN, np.nan, rrs)


def _tie_points(truth: Truth, interval: int, covering: bool) -> tuple[np.ndarray, np.ndarray]:
    """Tie points as stored; those outside the scene continue its last cell linearly."""
    at = [_tie_positions(size, interval, covering) for size in truth.shape]
    latitude = _at(truth.latitude, at[0], at[1])
    longitude = _at(unwrapped(truth.longitude), at[0], at[1])
    return latitude.astype(np.float32), wrapped(longitude).astype(np.float32)


def _tie_positions(size: int, interval: int, covering: bool) -> np.ndarray:
    count = -(-(size - 1) // interval) + 1 if covering else -(-size // interval)
    return np.arange(count, dtype=np.float64) * interval


def _interpolated(
    ties: tuple[np.ndarray, np.ndarray], interval: int, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = (np.arange(size) / interval for size in shape)
    latitude = _at(ties[0].astype(np.float64), rows, columns)
    return latitude, wrapped(_at(unwrapped(ties[1]), rows, columns))


def _at(values: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Bilinear between grid points, linear outside the grid; positions count in cells."""
    along = _linear(values, rows)
    return _linear(along.T, columns).T


def _linear(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    if len(values) == 1:
        return np.repeat(values, len(rows), axis=0)
    lower = np.clip(np.floor(rows).astype(int), 0, len(values) - 2)
    share = (rows - lower)[:, None]
    return values[lower] * (1 - share) + values[lower + 1] * share


def _global_attributes(file: h5py.File, name: str) -> None:
    group = file.create_group("Global_attributes")
    texts = {
        "Satellite": "Global Change Observation Mission - Climate (GCOM-C)",
        "Sensor": "Second-generation Global Imager (SGLI)",
        "Product_level": "Level-2",
        "Product_name": "Atmospheric correction and ocean color",
        "Product_version": "2111",
        "Algorithm_version": "2.11",
        "Parameter_version": "111.00",
        "Algorithm_developer": "Japan Aerospace Exploration Agency (JAXA)",
        "Dataset_description": (
            "Normalized remote sensing reflectance and Photosynthetically Available Radiation"
        ),
        "Product_file_name": name,
        "Scene_start_time": "20230103 02:09:01.123",
        "Scene_end_time": "20230103 02:13:00.456",
        "Scene_center_time": "20230103 02:11:00.789",
    }
    numbers = {"RSP_path_number": 63, "Scene_number": 10, "Total_orbit_number": 26930}
    _set_attributes(group, texts | {key: np.int32(value) for key, value in numbers.items()})
    processing = {
        "Processing_organization": "JAXA/GCOM-C science project",
        "Contact_point": "JAXA/Earth Observation Research Center (EORC)",
        "Processing_UT": "20230104 05:06:07",
        "Processing_result": "Good",
        "Input_files": ["GC1SG1_202301030209Q06310_1BSG_VNRDQ_2000.h5"] * 2,
        "Ancillary_data_information": "Standard objective analysis data (JMA GGLA)",
        "Ozone_data": "Standard ozone data",
    }
    _set_attributes(file.create_group("Processing_attributes"), processing)
    level_1 = ("Operation_mode", "Radiometric_calibration", "Geometric_calibration")
    values = dict(zip(level_1, ("OBD", "Original", "Original"), strict=True))
    _set_attributes(file.create_group("Level_1_attributes"), values)


def _image_group(file: h5py.File, shape: tuple[int, int], metres: float) -> h5py.Group:
    group = file.create_group("Image_data")
    _set_attributes(group, _grid_attributes(shape, metres))
    return group


def _grid_attributes(shape: tuple[int, int], metres: float) -> dict[str, Any]:
    return {
        "Number_of_lines": np.int32(shape[0]),
        "Number_of_pixels": np.int32(shape[1]),
        "Image_projection": "L1B reference grid",
        "Grid_interval": np.float32(metres),
        "Grid_interval_unit": "meter",
    }


def _band_attributes(nm: int, metres: float) -> dict[str, Any]:
    irradiance = np.float32(IRRADIANCE[nm])
    return {
        "Data_description": (
            f"Normalized Water Leaving Radiance(NWLR) at {nm} nm [W/m^2/sr/um] = DN * Slope + "
            f"Offset; Remote Sensing Reflectance(Rrs) at {nm} [sr^-1] = DN * Rrs_slope + Rrs_offset"
        ),
        "Unit": "W/m^2/sr/um",
        "Slope": RRS_SLOPE * irradiance,
        "Offset": RRS_OFFSET * irradiance,
        "Minimum_valid_DN": np.int32(MINIMUM_DN),
        "Maximum_valid_DN": np.int32(SATURATED_DN),
        "Error_DN": np.int32(ERROR_DN),
        "Spatial_resolution": np.float32(metres),
        "Spatial_resolution_unit": "meter",
        "Mask_for_statistics": np.uint16(0b11111),
        "Center_wavelength": np.float32(CENTERS[nm]),
        "Center_wavelength_unit": "nm",
        "Band_width": np.float32(10),
        "Band_width_unit": "nm",
        "Band_weighted_TOA_solar_irradiance": irradiance,
        "Band_weighted_TOA_solar_irradiance_unit": "W/m^2/um",
        "Rrs_slope": RRS_SLOPE,
        "Rrs_offset": RRS_OFFSET,
        "Rrs_unit": "sr^-1",
    }


def _qa_attributes(text: list[str] | None, as_one: bool) -> dict[str, Any]:
    attributes: dict[str, Any] = {}
    if text is not None:
        attributes["Data_description"] = "\n".join(text) if as_one else text
    return attributes | {
        "Unit": "NA",
        "Slope": np.float32(1),
        "Offset": np.float32(0),
        "Minimum_valid_DN": np.int32(MINIMUM_DN),
        "Maximum_valid_DN": np.int32(SATURATED_DN),
        "Error_DN": np.int32(ERROR_DN),
        "Spatial_resolution": np.float32(250),
        "Spatial_resolution_unit": "meter",
    }


def _geometry_group(file: h5py.File, ties: tuple[np.ndarray, np.ndarray], interval: int) -> None:
    group = file.create_group("Geometry_data")
    latitude, longitude = ties
    corners = {"Upper_left": (0, 0), "Upper_right": (0, -1)}
    corners |= {"Lower_left": (-1, 0), "Lower_right": (-1, -1)}
    attributes = _grid_attributes(latitude.shape, 250.0 * interval)
    for corner, at in corners.items():
        attributes[f"{corner}_longitude"] = longitude[at]
        attributes[f"{corner}_latitude"] = latitude[at]
    _set_attributes(group, attributes)
    for name, values, limit in (("Latitude", latitude, 90), ("Longitude", longitude, 180)):
        described = {
            "Data_description": f"{name} in degrees",
            "Unit": "NA",
            "Slope": np.float32(1),
            "Offset": np.float32(0),
            "Minimum_valid_value": np.float32(-limit),
            "Maximum_valid_value": np.float32(limit),
            "Error_value": np.float32(-999),
            "Resampling_interval": np.int32(interval),
            "Resampling_interval_unit": "pixel",
        }
        _dataset(group, name, values, described, None)


def _dataset(
    group: h5py.Group,
    name: str,
    values: np.ndarray,
    attributes: Mapping[str, Any],
    chunk: tuple[int, int] | None,
) -> None:
    rows, columns = chunk or (CHUNK, CHUNK)
    chunks = min(rows, values.shape[0]), min(columns, values.shape[1])
    created = group.create_dataset(
        name, data=values, chunks=chunks, compression="gzip", compression_opts=4
    )
    _set_attributes(created, attributes)


def _set_attributes(target: h5py.Group | h5py.Dataset, attributes: Mapping[str, Any]) -> None:
    """Every attribute as an array of length 1 (or more), text as bytes of fixed length."""
    for name, value in attributes.items():
        texts = [value] if isinstance(value, str) else value
        if isinstance(texts, list):
            target.attrs[name] = np.array([text.encode("ascii") for text in texts])
        else:
            target.attrs[name] = np.array([value])
