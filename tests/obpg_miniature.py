"""The smallest faithful NASA Level-2 file, written with netCDF4 from the published layout.

Shares nothing with the reader: counts, attributes and flags are given as they stand in a file.
"""

from collections.abc import Mapping
from pathlib import Path

import netCDF4
import numpy as np

FLAGS = (
    "ATMFAIL LAND PRODWARN HIGLINT HILT HISATZEN COASTZ SPARE STRAYLIGHT CLDICE COCCOLITH TURBIDW "
    "HISOLZEN SPARE LOWLW CHLFAIL NAVWARN ABSAER SPARE MAXAERITER MODGLINT CHLWARN ATMWARN SPARE "
    "SEAICE NAVFAIL FILTER SPARE BOWTIEDEL HIPOL PRODFAIL SPARE"
)
LAND, CLDICE = 1 << 1, 1 << 9
DIMS = ("number_of_lines", "pixels_per_line")
FILL = -32767
SCALE, OFFSET = np.float32(2e-6), np.float32(0.05)


def counts_of(rrs: np.ndarray | float) -> np.ndarray:
    """Counts nearest to reflectances (sr-1)."""
    return np.round((np.asarray(rrs, dtype=np.float64) - 0.05) / 2e-6).astype(np.int16)


def write_obpg_l2(
    path: Path,
    counts: Mapping[int, np.ndarray],
    *,
    flags: np.ndarray | None = None,
    latitude: np.ndarray | None = None,
    longitude: np.ndarray | None = None,
    extra: Mapping[str, np.ndarray] | None = None,
    chunk: tuple[int, int] | None = None,
    control_point_every: int = 0,
    platform: str = "Aqua",
    instrument: str = "MODIS",
) -> Path:
    """Write Rrs counts by wavelength (nm), each with shape (lines, pixels).

    With ``control_point_every`` navigation is on control points, every so many pixels, as in older
    files.
    """
    lines, pixels = next(iter(counts.values())).shape
    line, pixel = np.mgrid[0:lines, 0:pixels]
    with netCDF4.Dataset(path, "w") as file:
        file.setncatts(
            {
                "title": "miniature Level-2",
                "instrument": instrument,
                "platform": platform,
                "time_coverage_start": "2020-01-02T03:04:05.000Z",
                "time_coverage_end": "2020-01-02T03:09:05.000Z",
            }
        )
        file.createDimension("number_of_lines", lines)
        file.createDimension("pixels_per_line", pixels)
        data = file.createGroup("geophysical_data")
        for nm, stored in counts.items():
            attributes = {
                "long_name": f"Remote sensing reflectance at {nm} nm",
                "units": "sr^-1",
                "scale_factor": SCALE,
                "add_offset": OFFSET,
                "valid_min": np.int16(-30000),
                "valid_max": np.int16(25000),
            }
            _variable(data, f"Rrs_{nm}", stored.astype(np.int16), np.int16(FILL), attributes, chunk)
        for name, values in (extra or {}).items():
            _variable(data, name, values.astype(np.float32), np.float32(FILL), {}, chunk)
        described = {
            "long_name": "Level-2 Processing Flags",
            "flag_masks": np.array([1 << bit for bit in range(32)], dtype=np.uint32).view(np.int32),
            "flag_meanings": FLAGS,
        }
        stored = np.zeros((lines, pixels), np.int32) if flags is None else flags.astype(np.int32)
        _variable(data, "l2_flags", stored, None, described, chunk)
        navigation = file.createGroup("navigation_data")
        for name, values in (
            ("latitude", 10 + 0.01 * line if latitude is None else latitude),
            ("longitude", 20 + 0.01 * pixel if longitude is None else longitude),
        ):
            stored, dims = values.astype(np.float32), DIMS
            if control_point_every:
                stored = stored[:, ::control_point_every]
                dims = ("number_of_lines", "pixel_control_points")
                if "pixel_control_points" not in file.dimensions:
                    file.createDimension("pixel_control_points", stored.shape[1])
            _variable(navigation, name, stored, np.float32(-999), {}, chunk, dims)
    return path


def _variable(group, name, stored, fill, attributes, chunk, dims=DIMS) -> None:
    variable = group.createVariable(
        name,
        stored.dtype,
        dims,
        fill_value=fill,
        zlib=True,
        chunksizes=chunk,
    )
    variable.set_auto_maskandscale(False)
    variable.setncatts(attributes)
    variable[:] = stored
