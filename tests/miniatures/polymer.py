"""POLYMER Level-2 (netCDF): Rw<nm> is the dimensionless water reflectance, Rrs = Rw / pi.

After POLYMER's public writer: format NETCDF4_CLASSIC, dimensions (height, width), the netCDF
default fill values, ``bitmask`` uint16 turned into int16 (fill -32767) because the classic model
has no unsigned types, its bits in the text attribute ``description``. Every parameter becomes a
global attribute of type text. 0 is good; the documented mask is bitmask & 1023.
"""

from collections.abc import Mapping
from pathlib import Path

import netCDF4
import numpy as np

from miniatures.netcdf import variable
from miniatures.truth import Truth, Written, every, packed_flags, unpacked_flags

NAME = "S3A_OL_1_EFR____20230615T100000_20230615T100300.polymer.nc"
DIMS = ("height", "width")
BITS = {
    "LAND": 0,
    "CLOUD_BASE": 1,
    "L1_INVALID": 2,
    "NEGATIVE_BB": 3,
    "OUT_OF_BOUNDS": 4,
    "EXCEPTION": 5,
    "THICK_AEROSOL": 6,
    "HIGH_AIR_MASS": 7,
    "EXTERNAL_MASK": 9,
    "CASE2": 10,
    "INCONSISTENCY": 11,
    "ANOMALY_RWMOD_BLUE": 12,
}
DESCRIPTION = ", ".join(f"{name}:{1 << bit}" for name, bit in BITS.items())
FILL = np.float32(netCDF4.default_fillvals["f4"])
FLAG_FILL = {np.dtype(np.int16): np.int16(-32767), np.dtype(np.uint16): np.uint16(65535)}
FLAG_FILL[np.dtype(np.int32)] = np.int32(-2147483647)


def write(
    folder: Path,
    truth: Truth,
    *,
    values: Mapping[float, np.ndarray] | None = None,
    sensor: str = "OLCI",
    bitmask_dtype: type = np.int16,
    described: bool = True,
    extra: Mapping[str, float] | None = None,
    replaced: Mapping[str, str | None] | None = None,
    chunk: tuple[int, int] | None = None,
    name: str = NAME,
) -> Written:
    """Write the scene; wavelengths are named as whole nm.

    ``values`` replaces whole bands by raw Rw (float32). ``bitmask_dtype`` other than int16 and
    int32 makes the file NETCDF4. Without ``described`` the bitmask has no description. ``extra``
    are further variables with one value; ``replaced`` changes global attributes, None drops one.
    """
    path = folder / name
    dtype = np.dtype(bitmask_dtype)
    bands = {round(nm): _stored(truth, nm, values or {}) for nm in truth.rrs}
    flags = packed_flags(truth.flags, BITS, truth.shape, bitmask_dtype)
    latitude = truth.latitude.astype(np.float32)
    longitude = truth.longitude.astype(np.float32)
    model = "NETCDF4" if dtype.kind == "u" else "NETCDF4_CLASSIC"
    with netCDF4.Dataset(path, "w", format=model) as file:
        for axis, values_of_axis in (("latitude", latitude), ("longitude", longitude)):
            variable(file, axis, values_of_axis, DIMS, fill=FILL, chunk=chunk)
        for nm, stored in bands.items():
            variable(file, f"Rw{nm}", stored, DIMS, fill=FILL, chunk=chunk)
        attributes = {"description": DESCRIPTION} if described else {}
        variable(file, "bitmask", flags, DIMS, attributes, fill=FLAG_FILL[dtype], chunk=chunk)
        logchl = np.where(truth.missing, FILL, -0.5).astype(np.float32)
        variable(file, "logchl", logchl, DIMS, fill=FILL, chunk=chunk)
        for extra_name, value in (extra or {}).items():
            plane = np.full(truth.shape, value, np.float32)
            variable(file, extra_name, plane, DIMS, fill=FILL, chunk=chunk)
        attributes = _global_attributes(path, sensor, list(bands), model) | dict(replaced or {})
        file.setncatts({key: value for key, value in attributes.items() if value is not None})
    return Written(
        path=path,
        rrs={
            float(nm): np.where(stored == FILL, np.nan, stored.astype(np.float64) / np.pi)
            for nm, stored in bands.items()
        },
        latitude=latitude.astype(np.float64),
        longitude=longitude.astype(np.float64),
        flags=unpacked_flags(flags, BITS),
        missing=every([stored == FILL for stored in bands.values()]),
        outside=np.zeros(truth.shape, bool),
        saturated=np.zeros(truth.shape, bool),
    )


def _stored(truth: Truth, nm: float, values: Mapping[float, np.ndarray]) -> np.ndarray:
    if nm in values:
        return np.asarray(values[nm]).astype(np.float32)
    return np.where(truth.missing, FILL, truth.rrs[nm] * np.pi).astype(np.float32)


def _global_attributes(path: Path, sensor: str, bands: list[int], model: str) -> dict[str, str]:
    return {
        "sensor": sensor,
        "l1_filename": path.name.replace(".polymer.nc", ".SEN3"),
        "l2_filename": path.name,
        "l2_format": model,
        "start_time": "2023-06-15 10:00:00",
        "stop_time": "2023-06-15 10:03:00",
        "datetime": "2023-06-15 10:01:30",
        "bands_rw": str(bands),
        "thres_Rcloud": "0.2",
        "water_model": "PR05",
    }
