"""ESA SNAP's C2RCC of Sentinel-3 OLCI, netCDF4-BEAM, after a real sample.

Bands are numbered, not named by wavelength; ``rrs_21`` wrongly says 940 nm and band index 20.
``c2rcc_flags`` is int32 with _Unsigned; ``Valid_PE`` (the last bit) SET means good. Tie-point
grids (tp_y, tp_x) share the file with grids of full resolution.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

from miniatures.netcdf import variable
from miniatures.olci_bands import BANDWIDTH, WAVELENGTH, index_of
from miniatures.truth import Truth, Written, every, packed_flags, unpacked_flags, unwrapped

NAME = "S3A_OLCI_C2RCC_20170415T100135.nc"
DIMS = ("y", "x")
MISTAKEN = {21: (940.0, 20.0)}  # wavelength and band index as the file says them
FLAG_NAMES = (
    "Rtosa_OOS Rtosa_OOR Rhow_OOR Cloud_risk Iop_OOR Apig_at_max Adet_at_max Agelb_at_max "
    "Bpart_at_max Bwit_at_max Apig_at_min Adet_at_min Agelb_at_min Bpart_at_min Bwit_at_min "
    "Rhow_OOS Kd489_OOR Kdmin_OOR Kd489_at_max Kdmin_at_max Valid_PE"
)
BITS = {name: bit for bit, name in enumerate(FLAG_NAMES.split())} | {"Valid_PE": 31}
QUALITY_NAMES = (
    "land coastline fresh_inland_water tidal_region bright straylight_risk invalid cosmetic "
    "duplicated sun_glint_risk dubious"
)
TIE_STEP, TIE_OFFSET = 64.0, -58.0
VALID = "c2rcc_flags.Valid_PE"


def write(
    folder: Path,
    truth: Truth,
    *,
    values: Mapping[float, np.ndarray] | None = None,
    collocated: bool = False,
    relative_humidity: float | None = 70.0,
    chunk: tuple[int, int] | None = None,
    name: str = NAME,
) -> Written:
    """Write the scene; the truth's wavelengths are nominal OLCI ones, 1020 for rrs_21.

    ``values`` replaces whole bands by raw float32. ``collocated`` does what SNAP's collocation
    does: NaN becomes 0.0 and the fill value is gone, so that nothing is missing any more and Rrs
    is 0. If the truth does not say where Valid_PE is set, it is where nothing is missing. Elsewhere
    no value counts, because the file says that values are valid where Valid_PE is set.
    """
    path = folder / name
    bands = {index_of(nm): _stored(truth, nm, values or {}, collocated) for nm in truth.rrs}
    raised = {"Valid_PE": ~truth.missing} | truth.flags
    flags = packed_flags(raised, BITS, truth.shape, np.int32)
    valid = unpacked_flags(flags, BITS)["Valid_PE"]
    fill = None if collocated else np.float32(np.nan)
    with netCDF4.Dataset(path, "w") as file:
        file.setncatts(_global_attributes(truth.shape))
        _quality_flags(file, truth.shape, chunk)
        for index, stored in bands.items():
            attributes = _band_attributes(index)
            variable(file, f"rrs_{index}", stored, DIMS, attributes, fill=fill, chunk=chunk)
        chlorophyll = {
            "long_name": "Chlorophylll concentration",  # with three l, as SNAP writes it
            "units": "mg m^-3",
            "valid_pixel_expression": VALID,
            "coordinates": "lat lon",
        }
        shown = np.where(truth.missing, 0 if collocated else np.nan, 1.5).astype(np.float32)
        variable(file, "conc_chl", shown, DIMS, chlorophyll, fill=fill, chunk=chunk)
        _c2rcc_flags(file, flags, chunk)
        ties = _tie_point_grids(file, truth, relative_humidity)
        for axis, data in (("lat", truth.latitude), ("lon", truth.longitude)):
            long_name = "latitude" if axis == "lat" else "longitude"
            described = {"long_name": f"{long_name} coordinate", "standard_name": long_name}
            described["units"] = "degrees_north" if axis == "lat" else "degrees_east"
            variable(file, axis, data, DIMS, described, fill=np.nan, chunk=chunk)
    return Written(
        path=path,
        rrs={
            WAVELENGTH[index]: np.where(valid, stored.astype(np.float64), np.nan)
            for index, stored in bands.items()
        },
        latitude=truth.latitude,
        longitude=truth.longitude,
        flags=unpacked_flags(flags, BITS),
        missing=every([np.isnan(stored) | ~valid for stored in bands.values()]),
        outside=np.zeros(truth.shape, bool),
        saturated=np.zeros(truth.shape, bool),
        extra=ties,
    )


def _stored(
    truth: Truth, nm: float, values: Mapping[float, np.ndarray], collocated: bool
) -> np.ndarray:
    if nm in values:
        return np.asarray(values[nm]).astype(np.float32)
    gap = 0.0 if collocated else np.nan
    return np.where(truth.missing, gap, truth.rrs[nm]).astype(np.float32)


def _band_attributes(index: int) -> dict[str, Any]:
    wavelength, number = MISTAKEN.get(index, (WAVELENGTH[index], float(index)))
    return {
        "long_name": "Atmospherically corrected angular dependent remote sensing reflectances",
        "units": "sr^-1",
        "bandwidth": np.float32(BANDWIDTH[index]),
        "wavelength": np.float32(wavelength),
        "valid_pixel_expression": VALID,
        "spectral_band_index": np.float32(number),
        "coordinates": "lat lon",
    }


def _c2rcc_flags(file: netCDF4.Dataset, stored: np.ndarray, chunk: tuple[int, int] | None) -> None:
    masks = np.array([1 << BITS[name] for name in FLAG_NAMES.split()], np.uint32).view(np.int32)
    attributes = {
        "flag_meanings": FLAG_NAMES,
        "flag_masks": masks,
        "flag_coding_name": "c2rcc_flags",
        "flag_descriptions": "\t".join(f"about {name}" for name in FLAG_NAMES.split()),
        "long_name": "C2RCC quality flags",
        "coordinates": "lat lon",
        "_Unsigned": "true",
    }
    variable(file, "c2rcc_flags", stored, DIMS, attributes, chunk=chunk)


def _quality_flags(
    file: netCDF4.Dataset, shape: tuple[int, int], chunk: tuple[int, int] | None
) -> None:
    """The flags of the Level-1 product, which share the file; the highest bit comes first."""
    names = QUALITY_NAMES.split()
    masks = np.array([1 << (31 - place) for place in range(len(names))], np.uint32).view(np.int32)
    attributes = {
        "flag_meanings": QUALITY_NAMES,
        "flag_masks": masks,
        "flag_coding_name": "quality_flags",
        "flag_descriptions": "",
        "long_name": "Classification and quality flags",
        "coordinates": "lat lon",
        "_Unsigned": "true",
    }
    variable(file, "quality_flags", np.zeros(shape, np.int32), DIMS, attributes, chunk=chunk)


def _tie_point_grids(
    file: netCDF4.Dataset, truth: Truth, relative_humidity: float | None
) -> dict[str, np.ndarray]:
    """Grids of one point a line and one every 64 pixels, beginning 58 pixels to the left."""
    lines, pixels = truth.shape
    at = TIE_OFFSET + TIE_STEP * np.arange(int(np.ceil((pixels - TIE_OFFSET) / TIE_STEP)) + 1)
    shape = (lines, len(at))
    grids = {
        "TP_latitude": _along(truth.latitude, at),
        "TP_longitude": _along(unwrapped(truth.longitude), at),
        "OAA": np.full(shape, 104.0),
        "OZA": np.full(shape, 12.0) + 0.01 * at,
        "SAA": np.full(shape, 155.0),
        "SZA": np.full(shape, 45.0) + 0.1 * np.arange(lines)[:, None],
        "sea_level_pressure": np.full(shape, 1015.0),
    }
    if relative_humidity is not None:
        grids["humidity"] = np.full(shape, relative_humidity)
    attributes = {
        "offset_y": 0.0,
        "subsampling_x": TIE_STEP,
        "subsampling_y": 1.0,
        "offset_x": TIE_OFFSET,
    }
    stored = {name: values.astype(np.float32) for name, values in grids.items()}
    for name, values in stored.items():
        variable(file, name, values, ("tp_y", "tp_x"), attributes, fill=np.float32(np.nan))
    return stored


def _along(values: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The first and last pixel's straight line."""
    slope = (values[:, -1:] - values[:, :1]) / max(values.shape[1] - 1, 1)
    return values[:, :1] + slope * at


def _global_attributes(shape: tuple[int, int]) -> dict[str, Any]:
    return {
        "Conventions": "CF-1.4",
        "TileSize": f"{shape[0]}:{shape[1]}",
        "product_type": "C2RCC_OLCI",
        "metadata_profile": "beam",
        "metadata_version": "0.5",
        "auto_grouping": "iop:conc:rtoa:rrs:rhown:kd:unc",
        "tiepoint_coordinates": "TP_longitude TP_latitude",
        "start_date": "15-APR-2017 10:01:35.533860",
        "stop_date": "15-APR-2017 10:01:39.275607",
    }
