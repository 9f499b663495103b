"""What netCDF4, h5py or rasterio alone find in a file; shares nothing with ``pipeline``."""

import re
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from oracle_geolocation import interpolate_tie_points
from pyproj import Transformer

from fuzz.outside import is_canary
from fuzz.stored import (
    ByH5py,
    ByNetcdf4,
    Decoded,
    Library,
    MeaninglessError,
    Packing,
    Variable,
    as_text,
    decoded,
    has_bits,
    listed,
    number,
    on_dims,
    packing_of,
    raised,
)

LIBRARIES = {
    "obpg_l2": ("netCDF4", "h5py"),
    "sgli_l2": ("h5py",),
    "olci_wfr": ("netCDF4", "h5py"),
    "cf_netcdf": ("netCDF4", "h5py"),
    "geotiff": ("rasterio",),
}
OLCI_CHANNELS = {412.5: "Oa02", 442.5: "Oa03", 560.0: "Oa06", 673.75: "Oa09"}
NONE = ("", "1", "dl", "dimensionless", "unitless", "none", "unknown", "na", "n/a", "-", "?")
DEGREES = (
    *("", "degree", "degrees", "deg", "degrees_north", "degrees_east", "degree_north", "na"),
    *("degree_east", "none", "unknown", "n/a", "-", "?"),
)
SR = ("sr-1", "sr^-1", "sr**-1", "1/sr", "1 sr-1", "steradian-1")


@dataclass(frozen=True)
class Wanted:
    """What a run takes of a file."""

    base: str
    reader: str
    wavelengths: tuple[float, ...]
    tolerance_nm: float
    masking_flag: str | None
    options: dict[str, Any]


@dataclass(frozen=True)
class Seen:
    """What a product must hold, all with shape (lines, pixels)."""

    bands: tuple[np.ndarray, ...]
    """Values (float64) in the order of the wavelengths, NaN where missing or outside."""
    outside_of: tuple[np.ndarray, ...]
    """Of each band."""
    saturated: np.ndarray
    latitude: np.ndarray
    longitude: np.ndarray
    flags: np.ndarray | None
    """As stored."""
    masked: np.ndarray
    has_canary: bool

    @property
    def outside(self) -> np.ndarray:
        """Where any band is outside its valid range."""
        return np.logical_or.reduce(self.outside_of)


def seen(path: Path, wanted: Wanted, library: str) -> Seen:
    """What a library finds, with nothing else beside the file."""
    with tempfile.TemporaryDirectory() as folder:
        alone = Path(folder) / path.name
        if path.is_dir():
            alone.mkdir()
        for file in path.iterdir() if path.is_dir() else [path]:
            if file.is_file():
                shutil.copyfile(file, alone / file.name if path.is_dir() else alone)
        return _FORMATS[wanted.reader](alone, wanted, library)


def _opened(path: Path, library: str) -> Library:
    return ByNetcdf4(path) if library == "netCDF4" else ByH5py(path)


def _seen(
    wanted: Wanted,
    bands: dict[float, Decoded],
    place: tuple[np.ndarray, np.ndarray],
    flags: Variable | None,
    masked: np.ndarray | None,
    stored: list[np.ndarray],
) -> Seen:
    """Together, for the bands that are nearest to what is wanted."""
    chosen = [_nearest(bands, nm, wanted.tolerance_nm) for nm in wanted.wavelengths]
    shape = chosen[0].values.shape
    latitude = np.where(np.abs(place[0]) <= 90, place[0], np.nan)
    longitude = np.where((place[1] >= -180) & (place[1] <= 360), place[1], np.nan)
    longitude = np.where(longitude > 180, longitude - 360, longitude)
    shapes = {band.values.shape for band in chosen} | {place[0].shape, longitude.shape}
    if len(shapes) > 1 or len(shape) != 2:
        raise MeaninglessError(f"shapes {shapes}")
    return Seen(
        tuple(band.values for band in chosen),
        tuple(band.outside for band in chosen),
        np.logical_or.reduce([band.saturated for band in chosen]),
        latitude,
        longitude,
        None if flags is None else flags.values,
        np.zeros(shape, bool) if masked is None else masked,
        any(is_canary(array) for array in stored),
    )


def _nearest(bands: dict[float, Decoded], nm: float, tolerance: float) -> Decoded:
    near = {centre: band for centre, band in bands.items() if abs(centre - nm) <= tolerance}
    if not near:
        raise MeaninglessError(f"no band near {nm} among {list(bands)}")
    return near[min(near, key=lambda centre: abs(centre - nm))]


def _plain(file: Library, name: str) -> np.ndarray:
    variable = file.variable(name)
    _require_units(variable, "units", DEGREES)
    return decoded(variable, packing_of(variable)).values


def _masked(file: Library, name: str, wanted: Wanted) -> tuple[Variable | None, np.ndarray | None]:
    """The variable with flags, and where the masking one is raised."""
    group, _, last = name.rpartition("/")
    if last not in file.names(group):
        if wanted.masking_flag:
            raise MeaninglessError(f"no {name}")
        return None, None
    flags = file.variable(name)
    return flags, raised(flags, wanted.masking_flag) if wanted.masking_flag else None


def _obpg(path: Path, wanted: Wanted, library: str) -> Seen:
    file = _opened(path, library)
    names = file.names("geophysical_data")
    found = [n for n in names if re.fullmatch(r"Rrs_\d+", n)] or [n for n in names if n == "Rrs"]
    variables = [file.variable(f"geophysical_data/{name}") for name in found]
    bands: dict[float, Decoded] = {}
    for variable in variables:
        _require_units(variable, "units", SR)
        whole = decoded(variable, packing_of(variable, band=True))
        if variable.values.ndim == 2:
            bands[float(variable.name.rpartition("_")[2])] = whole
            continue
        for index, nm in enumerate(np.ravel(_centres(file, variable.values.shape[-1]))):
            parts = (whole.values, whole.outside, whole.saturated)
            bands[float(nm)] = Decoded(*(part[..., index] for part in parts))
    flags, masked = _masked(file, "geophysical_data/l2_flags", wanted)
    shape = next(iter(bands.values())).values.shape
    latitude = _plain(file, "navigation_data/latitude")
    longitude = _plain(file, "navigation_data/longitude")
    if latitude.shape[1] != shape[1]:
        latitude, longitude = _between_columns(file, latitude, longitude, shape)
    stored = [variable.values for variable in variables]
    return _seen(wanted, bands, (latitude, longitude), flags, masked, stored)


def _centres(file: Library, count: int) -> np.ndarray:
    centres = file.numbers("sensor_band_parameters/wavelength_3d")
    if centres.size != count or centres.dtype.kind not in "iuf":
        raise MeaninglessError(f"{centres} for {count} bands")
    if len(set(np.ravel(centres).tolist())) < count:
        raise MeaninglessError(f"bands at {centres}")
    return centres


def _between_columns(
    file: Library, latitude: np.ndarray, longitude: np.ndarray, shape: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """From control points, which lie at columns counted from 1."""
    groups = ("navigation_data", "sensor_band_parameters")
    place = next(f"{g}/cntl_pt_cols" for g in groups if "cntl_pt_cols" in file.names(g))
    at = np.ravel(file.numbers(place)).astype(np.float64) - 1
    if at.size != latitude.shape[1] or not (np.diff(at) > 0).all() or at[0] > 0:
        raise MeaninglessError(f"columns {at}")
    columns = np.arange(shape[1])
    made = []
    for values, wraps in ((latitude, False), (longitude, True)):
        lines = []
        for line in values:
            known = np.unwrap(line, period=360) if wraps else line
            along = np.interp(columns, at, known)
            beyond = columns > at[-1]
            slope = (known[-1] - known[-2]) / (at[-1] - at[-2])
            along[beyond] = known[-1] + slope * (columns[beyond] - at[-1])
            lines.append((along + 180) % 360 - 180 if wraps else along)
        made.append(np.stack(lines))
    return made[0], made[1]


def _sgli(path: Path, wanted: Wanted, library: str) -> Seen:
    file = _opened(path, library)
    said = file.attributes("Image_data")
    shape = tuple(int(listed(said, name)[0]) for name in ("Number_of_lines", "Number_of_pixels"))
    bands: dict[float, Decoded] = {}
    stored = []
    for name in file.names("Image_data"):
        if re.fullmatch(r"NWLR_\d+", name):
            nominal = float(name.removeprefix("NWLR_"))
            variable = file.variable(f"Image_data/{name}")
            if "Rrs_unit" in variable.attributes:
                _require_units(variable, "Rrs_unit", SR)
            stored.append(variable.values)
            bands[672.0 if nominal == 670 else nominal] = decoded(variable, _of_counts(variable))
    flags, masked = None, None
    if "QA_flag" in file.names("Image_data"):
        flags = file.variable("Image_data/QA_flag")
        if wanted.masking_flag:
            masked = has_bits(_as_qa(flags.values), _qa_mask(flags, wanted))
    elif wanted.masking_flag:
        raise MeaninglessError("no QA_flag")
    ties = [file.variable(f"Geometry_data/{name}") for name in ("Latitude", "Longitude")]
    for tie in ties:
        _require_units(tie, "Unit", DEGREES)
    places = [_degrees(tie) for tie in ties]
    steps = [number(tie.attributes, "Resampling_interval") for tie in ties]
    if any(step < 1 or int(step) != step for step in steps):
        raise MeaninglessError(f"ties every {steps}")
    latitude, longitude = (
        interpolate_tie_points(place, place, int(step), int(step), *shape)[axis]
        for axis, (place, step) in enumerate(zip(places, steps, strict=True))
    )
    return _seen(wanted, bands, (latitude, longitude), flags, masked, stored)


def _of_counts(variable: Variable) -> Packing:
    attributes = variable.attributes
    names = ("Minimum_valid_DN", "Maximum_valid_DN")
    attributes = {n: v for n, v in variable.once.items() if n in (*names, "Error_DN")} | attributes
    low, high = (number(attributes, n, finite=False) if n in attributes else None for n in names)
    if "Rrs_slope" not in attributes or "Rrs_offset" not in attributes:
        raise MeaninglessError(f"no scale for {variable.name}")
    return Packing(
        scale=number(attributes, "Rrs_slope", is_scale=True),
        offset=number(attributes, "Rrs_offset"),
        fills=tuple(listed(attributes, "Error_DN")),
        low=low,
        high=high,
        saturated=high,
        packed=variable.values.dtype.kind in "iu",
    )


def _degrees(tie: Variable) -> np.ndarray:
    if tie.values.dtype.kind == "f":
        degrees = tie.values.astype(np.float64)
        return np.where(np.abs(degrees) <= 360, degrees, np.nan)
    names = {"Slope": "scale_factor", "Offset": "add_offset", "Error_DN": "_FillValue"}
    names |= {"Minimum_valid_DN": "valid_min", "Maximum_valid_DN": "valid_max"}
    attributes = {new: tie.attributes[old] for old, new in names.items() if old in tie.attributes}
    of = Variable(tie.name, tie.values, attributes)
    return decoded(of, packing_of(of, default_fill=False)).values


def _as_qa(stored: np.ndarray) -> np.ndarray:
    if stored.dtype.kind not in "iu":
        raise MeaninglessError(f"QA_flag is {stored.dtype}")
    return stored.astype(np.uint16)


def _qa_mask(flags: Variable, wanted: Wanted) -> int:
    text = as_text(flags.attributes.get("Data_description", ""))
    found = {int(bit) for bit in re.findall(rf"Bit\s*(\d+)\s*[:=]\s*{wanted.masking_flag}\b", text)}
    if "Bit" not in text and wanted.options.get("qa_layout") == "nwlr":
        found = {{"LAND": 1, "STRAYLIGHT": 5, "CLDICE": 3}[wanted.masking_flag or ""]}
    if not found:
        raise MeaninglessError(f"no {wanted.masking_flag} in {text!r}")
    return sum(1 << bit for bit in found if bit < 16)


def _olci(path: Path, wanted: Wanted, library: str) -> Seen:
    bands, stored = {}, []
    for nm, band in OLCI_CHANNELS.items():
        name = f"{band}_reflectance"
        if (path / f"{name}.nc").is_file():
            variable = _opened(path / f"{name}.nc", library).variable(name)
            stored.append(variable.values)
            _require_units(variable, "units", NONE)
            bands[nm] = decoded(variable, packing_of(variable, factor=1 / np.pi, band=True))
    place = _opened(path / "geo_coordinates.nc", library)
    flags, masked = _masked(_opened(path / "wqsf.nc", library), "WQSF", wanted)
    where = _plain(place, "latitude"), _plain(place, "longitude")
    return _seen(wanted, bands, where, flags, masked, stored)


@dataclass(frozen=True)
class _Netcdf:
    """Where a netCDF format keeps what is read."""

    pattern: str
    factor: float = 1.0
    units: tuple[str, ...] | None = None
    """What bands must say, unless it is known."""
    place: tuple[str, str] = ("lat", "lon")
    flags: str | None = None
    bits: tuple[tuple[str, int], ...] = ()
    by_attribute: bool = False
    centres: str = "wavelength"
    """Variable with the wavelengths of a 3-D variable."""


_NETCDF = {
    "c2rcc": _Netcdf(r"rrs_(\d+)", units=SR, flags="c2rcc_flags", by_attribute=True),
    "polymer": _Netcdf(
        r"Rw(\d+)",
        1 / np.pi,
        place=("latitude", "longitude"),
        flags="bitmask",
        bits=(("LAND", 1), ("CLOUD_BASE", 2)),
    ),
    "acolite_l2w": _Netcdf(r"Rrs_(\d+)", flags="l2_flags", bits=(("SWIR", 1),)),
    "acolite_l2r": _Netcdf(r"rhos_(\d+)", 1 / np.pi),
    "occci_l3": _Netcdf(r"Rrs_(\d+)", units=SR),
    "pace_l3m": _Netcdf(r"Rrs", units=SR),
    "pace_l2_flat": _Netcdf(
        r"Rrs",
        units=SR,
        place=("latitude", "longitude"),
        flags="l2_flags",
        centres="wavelength_3d",
    ),
}
_NETCDF["acolite_classic"] = _NETCDF["acolite_l2w"]


def _require_units(variable: Variable, name: str, known: tuple[str, ...]) -> None:
    """Refuse other units than those that are known."""
    if variable.text(name).strip().lower() not in known:
        raise MeaninglessError(f"units {variable.text(name)!r}")


def _netcdf(path: Path, wanted: Wanted, library: str) -> Seen:
    file, layout = _opened(path, library), _NETCDF[wanted.base]
    names = [name for name in file.names("") if re.fullmatch(layout.pattern, name)]
    dims = [file.variable(name).dims for name in layout.place]
    scene = dims[0] + dims[1] if len(dims[0]) == len(dims[1]) == 1 else dims[0]
    variables = [on_dims(file.variable(name), scene) for name in names]
    bands: dict[float, Decoded] = {}
    for variable in variables:
        if layout.units:
            _require_units(variable, "units", layout.units)
        whole = decoded(variable, packing_of(variable, factor=layout.factor, band=True))
        whole = _where_valid(file, variable, whole)
        bands |= _by_wavelength(file, variable, whole, layout)
    place = tuple(_without_single(_plain(file, name)) for name in layout.place)
    if place[0].ndim == place[1].ndim == 1:
        grid = np.meshgrid(*place, indexing="ij")
        place = (grid[0], grid[1])
    flags, masked = _netcdf_flags(file, layout, wanted)
    stored = [variable.values for variable in variables]
    return _seen(wanted, bands, (place[0], place[1]), flags, masked, stored)


def _where_valid(file: Library, variable: Variable, whole: Decoded) -> Decoded:
    """Drop the values on pixels that the file calls invalid; only SNAP's usual text is known."""
    text = variable.text("valid_pixel_expression").strip()
    if text in ("", "true", "1"):
        return whole
    of, _, flag = text.partition(".")
    if not re.fullmatch(r"\w+\.\w+", text) or of not in file.names(""):
        raise MeaninglessError(f"valid_pixel_expression {text!r}")
    valid = raised(on_dims(file.variable(of), variable.dims), flag)
    return replace(whole, values=np.where(valid, whole.values, np.nan))


def _without_single(values: np.ndarray) -> np.ndarray:
    """Dimensions of size one in front are no lines and no pixels."""
    return np.squeeze(values) if values.ndim > 2 else values


def _by_wavelength(
    file: Library, variable: Variable, whole: Decoded, layout: _Netcdf
) -> dict[float, Decoded]:
    parts = [np.squeeze(part) for part in (whole.values, whole.outside, whole.saturated)]
    if layout.pattern == "Rrs":
        centres = file.numbers(layout.centres)
        if centres.shape != parts[0].shape[-1:] or len(set(centres.tolist())) < centres.size:
            raise MeaninglessError(f"bands at {centres}")
        return {
            float(nm): Decoded(*(part[..., index] for part in parts))
            for index, nm in enumerate(centres)
        }
    centre = float(re.fullmatch(layout.pattern, variable.name).group(1))
    if layout.by_attribute:
        is_mistaken = variable.name == "rrs_21"
        centre = 1020.0 if is_mistaken else _said_wavelength(variable)
    return {centre: Decoded(*parts)}


def _said_wavelength(variable: Variable) -> float:
    try:
        return float(np.ravel(variable.attributes["wavelength"])[0])
    except (KeyError, IndexError, TypeError, ValueError):
        raise MeaninglessError(f"wavelength of {variable.name}") from None


def _netcdf_flags(
    file: Library, layout: _Netcdf, wanted: Wanted
) -> tuple[Variable | None, np.ndarray | None]:
    if layout.flags is None:
        return None, None
    flags = file.variable(layout.flags)
    if {"flag_masks", "flag_meanings"} <= set(flags.attributes) or not layout.bits:
        return _masked(file, layout.flags, wanted)
    if flags.values.dtype.kind not in "iu":
        raise MeaninglessError(f"{flags.name} is {flags.values.dtype}")
    if not wanted.masking_flag:
        return flags, None
    return flags, has_bits(flags.values, dict(layout.bits)[wanted.masking_flag or ""])


def _geotiff(path: Path, wanted: Wanted, library: str) -> Seen:
    assert library == "rasterio"
    with rasterio.open(path, driver="GTiff") as file:
        stored = file.read(masked=False)
        stated = wanted.options.get("wavelengths")
        bands = {}
        for index in range(file.count):
            scale, offset = file.scales[index], file.offsets[index]
            is_lost = stored.dtype.kind in "iu" and (scale, offset) == (1.0, 0.0)
            if not np.isfinite([scale, offset]).all() or scale == 0 or is_lost:
                raise MeaninglessError(f"scale {scale}, offset {offset}")
            packing = Packing(
                scale=scale,
                offset=offset,
                fills=() if file.nodatavals[index] is None else (file.nodatavals[index],),
                packed=stored.dtype.kind in "iu" and (scale, offset) != (1.0, 0.0),
            )
            nm = float(stated[index]) if stated else _described_wavelength(file, index)
            if nm in bands:
                raise MeaninglessError(f"two bands at {nm}")
            bands[nm] = decoded(Variable(str(nm), stored[index], {}), packing)
        rows, columns = np.indices(file.shape) + 0.5
        x, y = file.transform @ (columns, rows)
        if file.crs is None:
            raise MeaninglessError("no reference system")
        to_degrees = Transformer.from_crs(file.crs.to_wkt(), "EPSG:4326", always_xy=True)
        longitude, latitude = (np.asarray(part) for part in to_degrees.transform(x, y))
    place = tuple(np.where(np.isfinite(part), part, np.nan) for part in (latitude, longitude))
    return _seen(wanted, bands, (place[0], place[1]), None, None, [stored])


def _described_wavelength(file: Any, index: int) -> float:
    said = file.tags(index + 1).get("wavelength") or file.descriptions[index] or ""
    found = re.search(r"(\d{3,4}(?:\.\d+)?)", said)
    if not found:
        raise MeaninglessError(f"band {index}: {said!r}")
    return float(found.group(1))


_FORMATS = {
    "obpg_l2": _obpg,
    "sgli_l2": _sgli,
    "olci_wfr": _olci,
    "cf_netcdf": _netcdf,
    "geotiff": _geotiff,
}
