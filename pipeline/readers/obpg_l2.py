"""NASA OBPG Level-2 (l2gen): MODIS, VIIRS, SeaWiFS and others with one 2-D variable per band.

The file is netCDF-4 with the groups ``geophysical_data`` (``Rrs_412`` ..., ``l2_flags``) and
``navigation_data`` (``latitude``, ``longitude``), on ``number_of_lines`` x ``pixels_per_line``.
"""

import re
from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import Any

import dask.array as da
import h5py
import numpy as np
import xarray as xr

from pipeline.errors import SceneError
from pipeline.quantities import quantities
from pipeline.readers.container import is_hdf5
from pipeline.readers.decoding import Decoder
from pipeline.scene import SOURCE_FLAGS, state_name, wavelength_dim
from pipeline.sensors import identify_sensor

# Lines and pixels. Older files have navigation on control points, as many as there are pixels
# (fewer would need interpolation).
DIMS = (
    ("number_of_lines", "pixels_per_line"),
    ("number_of_lines", "pixel_control_points"),
)

# Along a dimension of the scene. Tasks of one storage chunk are best until they get too many.
MOST_CHUNKS = 256
# Lines and pixels read at a time of a variable that is stored in one piece.
UNCHUNKED = 512

# The file's names of spectral quantities -> the scene's. The wavelength follows an underscore.
SPECTRAL_NAMES = {"Rrs": "Rrs", "Rrs_unc": "Rrs_unc", "rhos": "rho_s"}

# The file's names of plain variables -> the scene's.
PLAIN_NAMES = {
    "latitude": "latitude",
    "longitude": "longitude",
    "solz": "solar_zenith",
    "senz": "sensor_zenith",
    "relaz": "relative_azimuth",
}

# l2gen's option brdf_opt: 0 is no correction; bit 4 is the f/Q correction of Morel et al. (2002).
FQ_CORRECTION = 4


class ObpgL2:
    """Reads NASA Level-2 files with 2-D bands."""

    def recognises(self, path: Path) -> bool:
        """Whether the file has OBPG's groups."""
        if path.is_dir() or not is_hdf5(path):
            return False
        with h5py.File(path, "r") as file:
            return "geophysical_data" in file and "navigation_data" in file

    def open(self, path: Path) -> xr.Dataset:
        """The scene, chunked as the file is stored.

        Raises:
            SceneError: a group, geolocation or every band is missing.
        """
        groups = {
            name: _open_group(path, name) for name in (None, "geophysical_data", "navigation_data")
        }
        data, navigation = groups["geophysical_data"], groups["navigation_data"]
        if data.sizes.get("x") != navigation.sizes.get("x") and data.sizes and navigation.sizes:
            raise SceneError(
                f"navigation has {navigation.sizes['x']} control points for {data.sizes['x']} "
                "pixels, which is not read yet. Process the scene with a control point per pixel."
            )
        raw = data.assign(navigation.data_vars)
        scene = xr.Dataset(
            {**_bands(raw), **_plain_variables(raw), **_flags(raw)},
            attrs=_attributes(groups[None].attrs, path),
        )
        for name in ("latitude", "longitude"):
            if name not in scene:
                raise SceneError(f"no {name} in group navigation_data. The file is incomplete.")
        scene = scene.set_coords(["latitude", "longitude"])
        scene.set_close(lambda: _close_all(groups.values()))
        return scene


def _close_all(groups: Iterable[xr.Dataset]) -> None:
    for group in groups:
        group.close()


def _open_group(path: Path, group: str | None) -> xr.Dataset:
    """The 2-D variables of a group on (y, x), lazy and undecoded."""
    try:
        opened = xr.open_dataset(
            path,
            group=group,
            engine="h5netcdf",
            cache=False,
            decode_cf=False,  # decoding is ours, see readers/decoding.py
        )
    except KeyError as error:
        raise SceneError(f"no group {group} in the file. It is not a Level-2 file.") from error
    kept = xr.Dataset(
        {
            name: _chunked(variable).rename(dict(zip(variable.dims, ("y", "x"), strict=True)))
            for name, variable in opened.variables.items()
            if variable.dims in DIMS and variable.dtype.kind in "iuf"
        },
        attrs=opened.attrs,
    )
    kept.set_close(opened.close)
    return kept


def _chunked(variable: xr.Variable) -> xr.DataArray:
    """A variable in the chunks the file is stored in; of very many thin ones, several together.

    A task for every single line of every band would cost more than the work itself.
    """
    stored = variable.encoding.get("preferred_chunks", {})
    chunks = {}
    for dim, size in variable.sizes.items():
        chunk = stored.get(dim, min(size, UNCHUNKED))
        count = -(-size // chunk)
        chunks[dim] = chunk * -(-count // MOST_CHUNKS)
    return xr.DataArray(variable.chunk(chunks))


def _bands(raw: xr.Dataset) -> dict[str, xr.DataArray]:
    """Each spectral quantity stacked along its wavelengths, with its state."""
    bands: dict[str, xr.DataArray] = {}
    for prefix, quantity in SPECTRAL_NAMES.items():
        names = _names_by_wavelength(raw, prefix)
        if not names:
            continue
        dim = wavelength_dim(quantity)
        coords = {dim: (dim, np.array(list(names)), {"units": "nm"})}
        decoded = [_decode(raw[name]) for name in names.values()]
        attributes = quantities()[quantity].attributes()
        for name, layer, attrs in ((quantity, 0, attributes), (state_name(quantity), 1, {})):
            stacked = da.stack([pair[layer] for pair in decoded])
            bands[name] = xr.DataArray(stacked, coords, (dim, "y", "x"), attrs=attrs)
    if not bands:
        raise SceneError(
            "no Rrs_<wavelength> or rhos_<wavelength> variable on number_of_lines x "
            "pixels_per_line in group geophysical_data (a 3-D Rrs, as of PACE, is not read yet). "
            "Give a Level-2 scene with 2-D reflectances."
        )
    return bands


def _names_by_wavelength(raw: xr.Dataset, prefix: str) -> dict[float, Hashable]:
    found = {}
    for name in raw.data_vars:
        match = re.fullmatch(rf"{prefix}_(\d+)", str(name))
        if match:
            found[float(match.group(1))] = name
    return dict(sorted(found.items()))


def _plain_variables(raw: xr.Dataset) -> dict[str, xr.DataArray]:
    """Geolocation, angles and every other 2-D variable, which an expression may name."""
    plain = {}
    for name, variable in raw.data_vars.items():
        is_band = any(re.fullmatch(rf"{prefix}_\d+", str(name)) for prefix in SPECTRAL_NAMES)
        if is_band or "flag_meanings" in variable.attrs:
            continue
        scene_name = PLAIN_NAMES.get(str(name), str(name))
        known = quantities().get(scene_name)
        attributes = known.attributes() if known else _descriptive(variable.attrs)
        values, _ = _decode(variable)
        plain[scene_name] = xr.DataArray(values, dims=("y", "x"), attrs=attributes)
    return plain


def _descriptive(attributes: dict[Any, Any]) -> dict[str, Any]:
    return {
        key: attributes[key] for key in ("long_name", "units", "standard_name") if key in attributes
    }


def _decode(variable: xr.DataArray) -> tuple[da.Array, da.Array]:
    """Lazy values (float32) and states (uint8) of one stored variable."""
    decoder = Decoder.from_attributes(variable.attrs, variable.dtype)
    stored = variable.data
    values = da.map_blocks(decoder.values, stored, dtype=np.float32, meta=np.empty((0, 0), "f4"))
    states = da.map_blocks(decoder.states, stored, dtype=np.uint8, meta=np.empty((0, 0), "u1"))
    return values, states


def _flags(raw: xr.Dataset) -> dict[str, xr.DataArray]:
    if "l2_flags" not in raw:
        return {}
    variable = raw["l2_flags"]
    kept = ("long_name", "flag_masks", "flag_meanings", "_Unsigned")
    attributes = {key: variable.attrs[key] for key in kept if key in variable.attrs}
    attributes["source_name"] = "l2_flags"
    return {SOURCE_FLAGS: xr.DataArray(variable.data, dims=("y", "x"), attrs=attributes)}


def _attributes(root: dict[Any, Any], path: Path) -> dict[str, Any]:
    """The file's own global attributes and what this project adds to them."""
    platform, instrument = str(root.get("platform", "")), str(root.get("instrument", ""))
    return {
        **root,
        "sensor": identify_sensor(platform, instrument),
        "brdf_correction": _brdf_correction(path),
    }


def _brdf_correction(path: Path) -> str:
    with h5py.File(path, "r") as file:
        parameters = file.get("processing_control/input_parameters")
        option = None if parameters is None else parameters.attrs.get("brdf_opt")
    if isinstance(option, bytes):
        option = option.decode()
    if option is None or not str(option).strip().lstrip("-").isdigit():
        return "unknown"
    if int(option) == 0:
        return "none"
    return "f/Q" if int(option) & FQ_CORRECTION else "unknown"
