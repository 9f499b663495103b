"""NASA OBPG Level-2 with one three-dimensional Rrs, as PACE OCI (AOP V3.1), OLCI or HICO.

After a real PACE sample. ``sensor_band_parameters/wavelength`` lists the sensor's bands and is NOT
the axis of Rrs; ``wavelength_3d`` is. Each group of the sample has its own dimensions, because a
subsetter wrote it; files as they come from l2gen have them at the root (``dimensions_at_root``).
"""

from collections.abc import Mapping
from pathlib import Path

import netCDF4
import numpy as np

from miniatures import obpg_parts as obpg
from miniatures.netcdf import variable
from miniatures.truth import Truth, Written, packed_flags, unpacked_flags

DIMS = ("number_of_lines", "pixels_per_line")
CUBE = (*DIMS, "wavelength_3d")
BITS = obpg.bits_of(obpg.FLAG_NAMES)
NAMES = {
    "PACE": "PACE_OCI.20250305T160933.L2.OC_AOP.V3_1.nc",
    "Sentinel-3A": "S3A_OLCI_EFRNT.20250305T160933.L2.OC.nc",
    "Sentinel-3B": "S3B_OLCI_EFRNT.20250305T160933.L2.OC.nc",
    "ISS": "ISS_HICO.20250305T160933.L2.OC.nc",
}
UNCERTAINTY_SCALE, UNCERTAINTY_OFFSET = np.float32(5e-8), np.float32(0.0015)
UNCERTAINTY_COUNT = np.int16(-10000)  # 0.001 sr-1
DECOY_BANDS = (315, 316, 318, 320, 323, 325, 328, 330, 333, 335)  # nm, as in the sample
WHOLE_FILL, REAL_FILL = np.int32(-32767), np.float32(-32767)


def write(
    folder: Path,
    truth: Truth,
    *,
    counts: Mapping[float, np.ndarray] | None = None,
    platform: str = "PACE",
    instrument: str = "OCI",
    decoy: tuple[int, ...] = DECOY_BANDS,
    uncertainty: bool = True,
    dimensions_at_root: bool = False,
    chunk: tuple[int, ...] | None = None,
    name: str | None = None,
) -> Written:
    """Write the scene with wavelengths rounded to whole nm, as the format stores them.

    ``counts`` replaces whole bands by raw counts, by the truth's wavelength. ``decoy`` is what
    ``sensor_band_parameters/wavelength`` holds. A ``chunk`` of two sizes keeps all bands together.
    """
    path = folder / (name or NAMES.get(platform, f"{platform}_{instrument}.L2.OC.nc"))
    wavelengths = np.array([round(nm) for nm in truth.rrs], np.int32)
    bands = [
        np.asarray(counts[nm]).astype(np.int16)
        if counts and nm in counts
        else obpg.stored_counts(rrs, truth.missing, truth.outside)
        for nm, rrs in truth.rrs.items()
    ]
    cube = np.stack(bands, axis=-1)
    flags = packed_flags(truth.flags, BITS, truth.shape, np.int32)
    stored = truth.latitude.astype(np.float32), truth.longitude.astype(np.float32)
    raised = unpacked_flags(flags, BITS)
    with netCDF4.Dataset(path, "w") as file:
        title = f"{instrument} Level-2 Data AOP"
        file.setncatts(
            obpg.global_attributes(
                path,
                title=title,
                instrument=instrument,
                platform=platform,
                latitude=stored[0],
                longitude=stored[1],
            )
        )
        if dimensions_at_root:
            for dim, size in zip(CUBE, cube.shape, strict=True):
                file.createDimension(dim, size)
            file.createDimension("number_of_bands", len(decoy))
        _band_parameters(file.createGroup("sensor_band_parameters"), wavelengths, decoy)
        obpg.scan_line_attributes(file.createGroup("scan_line_attributes"), *stored)
        _geophysical(file.createGroup("geophysical_data"), cube, flags, uncertainty, chunk)
        _navigation(file.createGroup("navigation_data"), *stored, chunk)
        obpg.processing_control(file, path, path.name.replace("L2", "L1B"), raised)
    extra = {}
    if uncertainty:
        extra["Rrs_unc"] = np.where(cube == obpg.FILL, np.nan, _uncertainty_value())
    return Written(
        path=path,
        rrs={float(nm): obpg.decoded(band) for nm, band in zip(wavelengths, bands, strict=True)},
        latitude=stored[0].astype(np.float64),
        longitude=stored[1].astype(np.float64),
        flags=raised,
        missing=obpg.is_missing(bands),
        outside=obpg.is_outside(bands),
        saturated=np.zeros(truth.shape, bool),
        extra=extra,
    )


def _uncertainty_value() -> float:
    count = np.float64(UNCERTAINTY_COUNT)
    return float(count * np.float64(UNCERTAINTY_SCALE) + np.float64(UNCERTAINTY_OFFSET))


def _band_parameters(
    group: netCDF4.Dataset, wavelengths: np.ndarray, decoy: tuple[int, ...]
) -> None:
    described = {
        "long_name": "wavelengths",
        "units": "nm",
        "valid_min": np.int32(0),
        "valid_max": np.int32(20000),
    }
    bands = np.array(decoy, np.int32)
    variable(group, "wavelength", bands, ("number_of_bands",), described, fill=WHOLE_FILL)
    reflective = ("number_of_reflective_bands",)
    for name, value, long_name, units, high in (
        ("vcal_gain", 1, "Vicarious Calibration Gain", None, 2),
        ("vcal_offset", 0, "Vicarious Calibration Offset", "mW cm^-2 um^-1 sr^-1", 10),
        ("F0", 1700, "Mean Solar Flux", "W m^-2 um^-1", 2500),
    ):
        limits = {"valid_min": np.float32(0), "valid_max": np.float32(high)}
        attributes = {"long_name": long_name} | ({"units": units} if units else {}) | limits
        values = np.full(len(decoy), value, np.float32)
        variable(group, name, values, reflective, attributes, fill=REAL_FILL)
    variable(group, "wavelength_3d", wavelengths, ("wavelength_3d",), described, fill=WHOLE_FILL)


def _geophysical(
    group: netCDF4.Dataset,
    cube: np.ndarray,
    flags: np.ndarray,
    uncertainty: bool,
    chunk: tuple[int, ...] | None,
) -> None:
    attributes = obpg.rrs_attributes("Remote sensing reflectance", coordinates=True)
    variable(group, "Rrs", cube, CUBE, attributes, fill=obpg.FILL, chunk=chunk)
    coordinates = {"coordinates": "longitude latitude"}
    if uncertainty:
        counts = np.where(cube == obpg.FILL, obpg.FILL, UNCERTAINTY_COUNT).astype(np.int16)
        described = {
            "long_name": "Uncertainty in remote sensing reflectance",
            "units": "sr^-1",
            "valid_min": np.int16(-30000),
            "valid_max": np.int16(30000),
            **coordinates,
            "add_offset": UNCERTAINTY_OFFSET,
            "scale_factor": UNCERTAINTY_SCALE,
        }
        variable(group, "Rrs_unc", counts, CUBE, described, fill=obpg.FILL, chunk=chunk)
    flat = chunk[:2] if chunk else None
    described = obpg.flag_attributes(obpg.FLAG_NAMES) | coordinates
    variable(group, "l2_flags", flags, DIMS, described, chunk=flat)


def _navigation(
    group: netCDF4.Dataset,
    latitude: np.ndarray,
    longitude: np.ndarray,
    chunk: tuple[int, ...] | None,
) -> None:
    group.setncatts(
        {
            "gringpointlongitude": longitude[[-1, -1, 0, 0], [0, -1, -1, 0]],
            "gringpointlatitude": latitude[[-1, -1, 0, 0], [0, -1, -1, 0]],
            "gringpointsequence": np.array([1, 2, 3, 4], np.int32),
        }
    )
    flat = chunk[:2] if chunk else None
    for name, values in (("longitude", longitude), ("latitude", latitude)):
        attributes = obpg.angle_attributes(name.capitalize())
        variable(group, name, values, DIMS, attributes, fill=obpg.NAVIGATION_FILL, chunk=flat)
    tilt = {"long_name": "Sensor tilt angle", "units": "degree"}
    tilt |= {"valid_min": np.float32(-25), "valid_max": np.float32(25)}
    values = np.full(len(latitude), 20, np.float32)
    variable(group, "tilt", values, DIMS[:1], tilt, fill=REAL_FILL)
