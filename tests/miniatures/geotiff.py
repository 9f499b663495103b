"""A GeoTIFF with one band per wavelength, as tools export Rrs: a plain GDAL file by rasterio.

Navigation is what the transform and the CRS say; latitude and longitude of the truth are not
used. GDAL keeps scale and offset as float64 and one nodata value for all bands.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from pyproj import CRS, Transformer

from miniatures.truth import Truth, Written, every, wrapped

NAME = "rrs.tif"
GEOGRAPHIC, UTM = "EPSG:4326", "EPSG:32654"
ORIGIN = {True: (139.2, 35.1), False: (350_000.0, 3_900_000.0)}  # upper left, x and y
CELL = {True: (0.0025, 0.0020), False: (300.0, 250.0)}  # degrees, or metres; x and y
PACKING = (2e-6, 0.05)
NODATA = {"float32": float("nan"), "int16": -32768.0}
DEFAULT = object()


def write(
    folder: Path,
    truth: Truth,
    *,
    values: Mapping[float, np.ndarray] | None = None,
    dtype: str = "float32",
    packing: tuple[float, float] | None = None,
    nodata: Any = DEFAULT,
    described: bool = True,
    crs: str = GEOGRAPHIC,
    origin: tuple[float, float] | None = None,
    orientation: str = "north_up",
    tile: int | None = None,
    name: str = NAME,
) -> Written:
    """Write the bands in the truth's order.

    ``values`` replaces whole bands by raw numbers. ``packing`` is scale and offset; int16 always
    has some, float32 only if given. ``nodata`` is NaN for float32 and -32768 for int16 unless
    given; with None missing pixels hold NaN or -32768, and nothing says so. ``described`` names
    bands "Rrs_443". ``orientation`` is "north_up", "south_up" (the first line is the southernmost)
    or "rotated" (by 20 degrees). ``tile`` is a multiple of 16.
    """
    if truth.flags:
        raise ValueError("a GeoTIFF of Rrs has no flags")
    path = folder / name
    packing = packing or (PACKING if dtype == "int16" else None)
    gap = NODATA[dtype] if nodata is DEFAULT or nodata is None else float(nodata)
    bands = [_stored(truth, nm, values or {}, dtype, packing, gap) for nm in truth.rrs]
    transform = transform_of(truth.shape, crs, origin, orientation)
    profile: dict[str, Any] = {
        "driver": "GTiff",
        "height": truth.shape[0],
        "width": truth.shape[1],
        "count": len(bands),
        "dtype": dtype,
        "crs": crs,
        "transform": transform,
        "nodata": None if nodata is None else gap,
        "compress": "deflate",
    }
    if tile:
        profile |= {"tiled": True, "blockxsize": tile, "blockysize": tile}
    with rasterio.open(path, "w", **profile) as file:
        for number, (nm, stored) in enumerate(zip(truth.rrs, bands, strict=True), start=1):
            file.write(stored, number)
            if described:
                file.set_band_description(number, f"Rrs_{nm:g}")
        if packing:
            file.scales, file.offsets = ([part] * len(bands) for part in packing)
    latitude, longitude = _navigation(truth.shape, transform, crs)
    stated = None if nodata is None else gap
    return Written(
        path=path,
        rrs={
            float(nm): _decoded(stored, packing, stated)
            for nm, stored in zip(truth.rrs, bands, strict=True)
        },
        latitude=latitude,
        longitude=longitude,
        flags={},
        missing=every([_is_gap(stored, stated) for stored in bands]),
        outside=np.zeros(truth.shape, bool),
        saturated=np.zeros(truth.shape, bool),
    )


def transform_of(
    shape: tuple[int, int], crs: str, origin: tuple[float, float] | None, orientation: str
) -> Affine:
    """From (column, row) to (x, y) in the CRS; the corner of a pixel, not its center."""
    geographic = CRS.from_user_input(crs).is_geographic
    x, y = origin or ORIGIN[geographic]
    width, height = CELL[geographic]
    if orientation == "south_up":
        return Affine.translation(x, y - height * shape[0]) @ Affine.scale(width, height)
    north_up = Affine.translation(x, y) @ Affine.scale(width, -height)
    if orientation == "north_up":
        return north_up
    if orientation == "rotated":
        return Affine.translation(x, y) @ Affine.rotation(20) @ Affine.scale(width, -height)
    raise ValueError(f"orientation {orientation!r} is none of north_up, south_up, rotated")


def _stored(
    truth: Truth,
    nm: float,
    values: Mapping[float, np.ndarray],
    dtype: str,
    packing: tuple[float, float] | None,
    gap: float,
) -> np.ndarray:
    if nm in values:
        return np.asarray(values[nm]).astype(dtype)
    scale, offset = packing or (1.0, 0.0)
    plain = (truth.rrs[nm] - offset) / scale
    if dtype == "int16":
        plain = np.round(plain)
    return np.where(truth.missing, gap, plain).astype(dtype)


def _is_gap(stored: np.ndarray, stated: float | None) -> np.ndarray:
    empty = np.isnan(stored.astype(np.float64))
    return empty if stated is None else empty | (stored == np.array(stated).astype(stored.dtype))


def _decoded(
    stored: np.ndarray, packing: tuple[float, float] | None, stated: float | None
) -> np.ndarray:
    scale, offset = packing or (1.0, 0.0)
    rrs = stored.astype(np.float64) * scale + offset
    return np.where(_is_gap(stored, stated), np.nan, rrs)


def _navigation(
    shape: tuple[int, int], transform: Affine, crs: str
) -> tuple[np.ndarray, np.ndarray]:
    row, column = np.indices(shape) + 0.5
    x, y = transform @ (column, row)
    to_degrees = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    longitude, latitude = to_degrees.transform(x, y)
    return np.asarray(latitude), wrapped(np.asarray(longitude))
