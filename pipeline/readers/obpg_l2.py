"""NASA OBPG Level-2 (l2gen): MODIS, VIIRS, SeaWiFS, PACE OCI, OLCI, HICO and others.

The file is netCDF-4 with dimensions ``number_of_lines`` and ``pixels_per_line``. The group
``geophysical_data`` contains ``l2_flags`` and 2-D bands (``Rrs_412`` ...), or a 3-D ``Rrs`` whose
last dimension has the wavelengths of ``sensor_band_parameters/wavelength_3d``. The group
``navigation_data`` contains ``latitude`` and ``longitude``.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import h5py
import numpy as np
import xarray as xr
from pydantic import Field

from pipeline.errors import SceneError
from pipeline.facts.sensors import identify_sensor
from pipeline.files.hdf5 import open_hdf5
from pipeline.readers.attributes import as_text
from pipeline.readers.container import is_hdf5
from pipeline.readers.damage import left_out, rewritten
from pipeline.readers.layers import (
    DecodedLayer,
    LeftOut,
    cube,
    decode,
    decode_band,
    leaving_out,
    plane,
    source_flags,
    spectrum,
)
from pipeline.readers.opening import assembled, chunked, open_groups_undecoded, opening
from pipeline.readers.stored import Stored
from pipeline.readers.tie_points import TiePoints
from pipeline.readers.units import UnitOptions, wavelengths_nm
from pipeline.scene.scene import GEOLOCATION, SOURCE_FLAGS

LINES, PIXELS, BANDS = "number_of_lines", "pixels_per_line", "wavelength_3d"
# Dimension of navigation in older files: control points, at every pixel or at fewer.
CONTROL_POINTS = "pixel_control_points"
FLAGS = "l2_flags"
# The netCDF library marks a dimension that has no variable with this text.
DIMENSION_ONLY = "This is a netCDF dimension but not a netCDF variable"
# The groups that may contain wavelength_3d: the group of l2gen, and groups of programs for subsets.
WAVELENGTH_GROUPS = ("sensor_band_parameters", "geophysical_data", "")
# The masks that are recommended for this format.
MASKS = "nasa_l3"

# Names of spectral quantities: the file's -> the scene's. An underscore and the wavelength follow,
# unless the variable is 3-D.
SPECTRAL_NAMES = {"Rrs": "Rrs", "Rrs_unc": "Rrs_unc", "rhos": "rho_s"}

# Names of plain variables: the file's -> the scene's.
PLAIN_NAMES = {
    "latitude": "latitude",
    "longitude": "longitude",
    "solz": "solar_zenith",
    "senz": "sensor_zenith",
    "relaz": "relative_azimuth",
}

# l2gen's option brdf_opt: 0 is no correction; bit 4 is the f/Q correction of Morel et al. (2002).
FQ_CORRECTION = 4


class ObpgOptions(UnitOptions):
    """Options for facts that are missing or wrong in a NASA file or in a subset of it."""

    of_format = "obpg_l2"
    wavelengths: tuple[Annotated[float, Field(gt=0)], ...] = ()
    """Wavelength (nm) of each band of 3-D variables, in order; overrides the file."""


class ObpgL2:
    """Reads NASA Level-2 files."""

    Options = ObpgOptions

    def __init__(self, options: ObpgOptions) -> None:
        self._options = options

    def recognises(self, path: Path) -> bool:
        """Whether the file has OBPG's group of Level-2 variables; other groups are not checked."""
        if not is_hdf5(path):
            return False
        with open_hdf5(path, SceneError) as file:
            return isinstance(file.get("geophysical_data"), h5py.Group)

    def open(self, path: Path) -> xr.Dataset:
        """Open the scene lazily."""
        with opening() as opened:
            groups = (None, "geophysical_data", "navigation_data")
            opened.extend(open_groups_undecoded(path, groups))
            root, geophysical, navigation = opened
            unread: LeftOut = {}
            data = _chunked(geophysical)
            _check_bands(geophysical, data, unread)
            layers = {
                **_bands(path, data, self._options),
                **_plain_variables(data, self._options, unread),
                **_navigation(path, _chunked(navigation), data, self._options, unread),
                **_flags(geophysical, data),
            }
            _check_positions(navigation, layers)
            attributes = _attributes(root.attrs, path)
            return assembled(layers, attributes, opened, unread=unread, masks=MASKS)


def _chunked(group: xr.Dataset) -> dict[str, Stored]:
    """Return the numeric variables on lines and pixels (or control points); no value is read."""
    return {
        str(name): chunked(variable)
        for name, variable in group.variables.items()
        if variable.dims[:2] in ((LINES, PIXELS), (LINES, CONTROL_POINTS))
        and variable.ndim <= 3
        and variable.dtype.kind in "iuf"
    }


def _check_bands(group: xr.Dataset, data: Mapping[str, Stored], unread: LeftOut) -> None:
    """Refuse an Rrs band with wrong dimensions; list a wrong Rrs_unc or rhos band in ``unread``.

    If a band of Rrs were only left out, an algorithm would take the next band that is near enough.
    """
    for name in map(str, group.variables):
        for prefix, quantity in SPECTRAL_NAMES.items():
            if re.fullmatch(rf"{prefix}(_\d+)?", name):
                dims = (LINES, PIXELS, BANDS) if name == prefix else (LINES, PIXELS)
                with leaving_out(name, unread, unless=quantity == "Rrs"):
                    _check_dims(group, data, name, dims)


def _check_dims(
    group: xr.Dataset, data: Mapping[str, Stored], name: str, dims: tuple[str, ...]
) -> None:
    """Refuse the variable if it does not have numbers on these dimensions."""
    if name not in data or data[name].dims != dims:
        raise _unexpected(group.variables[name], name, "numbers", dims)


def _unexpected(
    found: xr.Variable, name: str, expected: str, dims: tuple[str, ...] = (LINES, PIXELS)
) -> SceneError:
    kind = found.dtype if found.dtype.kind in "iufc" else "text"
    # xarray invents names for dimensions that have lost theirs.
    are_lost = any(str(dim).startswith("phony_dim") for dim in found.dims)
    on = "dimensions without names" if are_lost else " x ".join(map(str, found.dims))
    return rewritten(
        f"{name} is {kind} with shape {found.shape} on {on or 'no dimension'}, expected {expected} "
        f"on {' x '.join(dims)}"
    )


def _check_positions(group: xr.Dataset, layers: Mapping[str, xr.DataArray]) -> None:
    """Refuse a scene without latitude or longitude on its lines and pixels."""
    missing = [name for name in GEOLOCATION if name not in layers]
    for name in missing:
        if name in group.variables:
            _check_dims(group, {}, name, (LINES, PIXELS))
    if missing:
        raise left_out(f"the group navigation_data has no {' and no '.join(missing)}")


def _bands(path: Path, data: Mapping[str, Stored], options: ObpgOptions) -> dict[str, xr.DataArray]:
    """Return the spectral quantities and their states."""
    bands: dict[str, xr.DataArray] = {}
    for prefix, quantity in SPECTRAL_NAMES.items():
        names = _wavelengths_by_name(data, prefix)
        whole = data.get(prefix)
        if names:
            layers = [_band(data[name], name, prefix, options) for name in names]
            bands |= spectrum(quantity, list(names.values()), layers)
        elif whole is not None and whole.dims == (LINES, PIXELS, BANDS):
            by_band = whole.on(BANDS, LINES, PIXELS)
            layer = _band(by_band, prefix, prefix, options)
            bands |= cube(quantity, _wavelengths(path, whole.shape[2], options.wavelengths), layer)
    if not bands:
        raise SceneError(
            "the group geophysical_data has no Rrs_<wavelength> or rhos_<wavelength> on "
            "number_of_lines x pixels_per_line, and no 3-D Rrs with wavelength_3d. Give a Level-2 "
            "scene with reflectances."
        )
    return bands


def _band(stored: Stored, name: str, prefix: str, options: UnitOptions) -> DecodedLayer:
    """Decode a band whose units are known."""
    options.check(SPECTRAL_NAMES[prefix], name, stored.attrs.get("units"), group=prefix)
    return decode_band(stored)


def _wavelengths_by_name(data: Mapping[str, Stored], prefix: str) -> dict[str, float]:
    found = {}
    for name, variable in data.items():
        match = re.fullmatch(rf"{prefix}_(\d+)", name)
        if match and variable.dims == (LINES, PIXELS):
            found[name] = float(match.group(1))
    return found


def _wavelengths(path: Path, count: int, stated: tuple[float, ...]) -> list[float]:
    """Return the wavelengths (nm) of the bands of 3-D variables, from options or the file."""
    if stated:
        if len(stated) != count:
            raise SceneError(
                f"reader.options.wavelengths has {len(stated)} wavelengths, but Rrs has {count} "
                "bands. State one for each band, in the order of the bands."
            )
        return list(stated)
    with open_hdf5(path, SceneError) as file:
        found = [file.get(f"{group}/{BANDS}") for group in WAVELENGTH_GROUPS]
        stored = [each for each in found if isinstance(each, h5py.Dataset) and not _is_empty(each)]
        for each in stored:
            if each.size == count:  # read only now, because a damaged file may state any size
                numbers = each[...]
                if numbers.dtype.kind not in "iuf" or (numbers > 0).any():
                    return wavelengths_nm(BANDS, numbers, dict(each.attrs))
        sizes = " and ".join(f"{each.size} wavelengths" for each in stored) or "is missing"
    raise left_out(
        f"Rrs has {count} bands, but sensor_band_parameters/{BANDS} "
        f"{f'has {sizes}' if stored else sizes}",
        "Or state the wavelength of each band, in nm and in the order of the bands: reader: "
        "{format: obpg_l2, options: {wavelengths: [...]}}.",
    )


def _is_empty(dataset: h5py.Dataset) -> bool:
    """Whether a dataset is only a netCDF dimension; if so, its numbers have no meaning."""
    return as_text(dataset.attrs.get("NAME", "")).startswith(DIMENSION_ONLY)


def _plain_variables(
    data: Mapping[str, Stored], options: ObpgOptions, unread: LeftOut
) -> dict[str, xr.DataArray]:
    """Return angles and all other 2-D variables, for use in expressions."""
    plain = {}
    for name, variable in data.items():
        is_band = any(re.fullmatch(rf"{prefix}_\d+", name) for prefix in SPECTRAL_NAMES)
        if is_band or variable.dims != (LINES, PIXELS) or "flag_meanings" in variable.attrs:
            continue
        scene_name = PLAIN_NAMES.get(name, name)
        units = variable.attrs.get("units")
        if name in PLAIN_NAMES and not options.is_usable(scene_name, name, units):
            continue
        with leaving_out(scene_name, unread):
            plain[scene_name] = plane(scene_name, decode(variable).values, variable.attrs)
    return plain


def _navigation(
    path: Path,
    stored: Mapping[str, Stored],
    data: Mapping[str, Stored],
    options: ObpgOptions,
    unread: LeftOut,
) -> dict[str, xr.DataArray]:
    """Return the variables of navigation_data at every pixel."""
    across = next((v.sizes[PIXELS] for v in data.values() if PIXELS in v.dims), None)
    plain = {}
    for name, variable in stored.items():
        if variable.ndim != 2:
            continue
        scene_name = PLAIN_NAMES.get(name, name)
        units = variable.attrs.get("units")
        if scene_name in GEOLOCATION:
            options.check(scene_name, name, units)
        elif name in PLAIN_NAMES and not options.is_usable(scene_name, name, units):
            continue
        with leaving_out(scene_name, unread, unless=scene_name in GEOLOCATION):
            values = decode(variable).values
            if across is not None and variable.shape[1] != across:
                points = _control_points(path, variable.shape, across)
                values = points.everywhere(scene_name, values)
            plain[scene_name] = plane(scene_name, values, variable.attrs)
    return plain


def _control_points(path: Path, tie_shape: tuple[int, ...], pixels: int) -> TiePoints:
    """Return the control points; they are on every line, in columns that the file counts from 1."""
    lines, count = tie_shape
    with open_hdf5(path, SceneError) as file:
        places = [
            f"{group}/cntl_pt_cols" for group in ("navigation_data", "sensor_band_parameters")
        ]
        found = next((file[place][...] for place in places if place in file), None)
    if found is None or np.size(found) != count:
        raise SceneError(
            f"navigation has {count} control points for {pixels} pixels, but the file does not say "
            "where they are (cntl_pt_cols). Make a file with a control point for each pixel."
        )
    columns = np.ravel(found).astype(np.float64) - 1
    return TiePoints(np.arange(lines, dtype=np.float64), columns, (lines, pixels)).checked()


def _flags(group: xr.Dataset, data: Mapping[str, Stored]) -> dict[str, xr.DataArray]:
    if FLAGS not in group.variables:
        return {}
    if FLAGS not in data or data[FLAGS].dims != (LINES, PIXELS):
        raise _unexpected(group.variables[FLAGS], FLAGS, "integers")
    return {SOURCE_FLAGS: source_flags(data[FLAGS], FLAGS)}


def _attributes(root: dict[Any, Any], path: Path) -> dict[str, Any]:
    """Return the file's global attributes, with the sensor and the BRDF correction added."""
    platform, instrument = str(root.get("platform", "")), str(root.get("instrument", ""))
    return {
        **root,
        "sensor": identify_sensor(platform, instrument),
        "brdf_correction": _brdf_correction(path),
    }


def _brdf_correction(path: Path) -> str:
    with open_hdf5(path, SceneError) as file:
        parameters = file.get("processing_control/input_parameters")
        option = None if parameters is None else parameters.attrs.get("brdf_opt")
    if isinstance(option, bytes):
        option = option.decode()
    if option is None or not str(option).strip().lstrip("-").isdigit():
        return "unknown"
    if int(option) == 0:
        return "none"
    return "f/Q" if int(option) & FQ_CORRECTION else "unknown"
