"""Variables as a file stores them -> lazy layers of a scene, in the chunks of the file."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import numpy.typing as npt
import xarray as xr

from pipeline.errors import SceneError
from pipeline.quantities import quantities
from pipeline.readers.decoding import Decoder
from pipeline.scene import state_name, wavelength_dim

# Along a dimension of the scene. Tasks of one storage chunk are best until they get too many.
MOST_CHUNKS = 256
# Lines and pixels read at a time of a variable that is stored in one piece.
UNCHUNKED = 512


@dataclass(frozen=True)
class Layer:
    """Lazy values (float32) and states (uint8) of one stored variable, of one shape."""

    values: da.Array
    states: da.Array

    def moved(self, source: int, target: int) -> "Layer":
        """With one axis at another place."""
        return Layer(
            da.moveaxis(self.values, source, target), da.moveaxis(self.states, source, target)
        )


def open_undecoded(path: Path, group: str | None = None, engine: str = "h5netcdf") -> xr.Dataset:
    """The variables of a group, lazy and as stored.

    Raises:
        SceneError: the file has no such group.
    """
    options: dict[str, Any] = {"phony_dims": "sort"} if engine == "h5netcdf" else {}
    try:
        return xr.open_dataset(
            path,
            group=group,
            engine=engine,
            cache=False,
            decode_cf=False,  # decoding is ours, see readers/decoding.py
            **options,
        )
    except (KeyError, OSError) as error:
        is_missing = isinstance(error, KeyError) or "group not found" in str(error)
        if group is None or not is_missing:
            raise  # damage, not a missing group
        raise SceneError(f"no group {group} in the file. It is not what it seems to be.") from error


def chunked(variable: xr.Variable) -> xr.Variable:
    """A variable in the chunks the file is stored in; of very many thin ones, several together.

    A task for every single line of every band would cost more than the work itself.
    """
    stored = variable.encoding.get("preferred_chunks", {})
    chunks = {}
    for dim, size in variable.sizes.items():
        chunk = stored.get(dim, min(size, UNCHUNKED))
        count = -(-size // chunk)
        chunks[dim] = chunk * -(-count // MOST_CHUNKS)
    return variable.to_base_variable().chunk(chunks)  # an index variable would stay in memory


def decoded(stored: da.Array, decoder: Decoder) -> Layer:
    """Values and states of a lazy array of stored numbers."""
    empty = (0,) * stored.ndim
    return Layer(
        da.map_blocks(decoder.values, stored, dtype=np.float32, meta=np.empty(empty, "f4")),
        da.map_blocks(decoder.states, stored, dtype=np.uint8, meta=np.empty(empty, "u1")),
    )


def decode(variable: xr.Variable | xr.DataArray) -> Layer:
    """A stored variable of a netCDF file decoded by its own CF attributes."""
    decoder = Decoder.from_attributes(variable.attrs, variable.dtype)
    return decoded(variable.data, decoder.with_default_fill(variable.dtype))


def spectrum(
    quantity: str, wavelengths_nm: Sequence[float], layers: Sequence[Layer], **attributes: Any
) -> dict[str, xr.DataArray]:
    """A spectral quantity and its state from one layer (y, x) per band, by wavelength."""
    order = np.argsort(wavelengths_nm, kind="stable")
    stacked = Layer(
        da.stack([layers[index].values for index in order]),
        da.stack([layers[index].states for index in order]),
    )
    return cube(quantity, [wavelengths_nm[index] for index in order], stacked, **attributes)


def cube(
    quantity: str, wavelengths_nm: Sequence[float], layer: Layer, **attributes: Any
) -> dict[str, xr.DataArray]:
    """A spectral quantity and its state from one layer with shape (bands, y, x).

    Raises:
        SceneError: two bands have the same wavelength.
    """
    centres = np.asarray(wavelengths_nm, dtype=np.float64)
    if np.unique(centres).size < centres.size:
        listed = ", ".join(f"{nm:g}" for nm in centres)
        raise SceneError(
            f"two bands of {quantity} have the same wavelength; the file says {listed} nm. "
            "State the right ones in the reader's options."
        )
    dim = wavelength_dim(quantity)
    coords = {dim: (dim, centres, {"units": "nm"})}
    described = quantities()[quantity].attributes() | attributes
    dims = (dim, "y", "x")
    return {
        quantity: xr.DataArray(layer.values, coords, dims, attrs=described),
        state_name(quantity): xr.DataArray(layer.states, coords, dims),
    }


def plane(name: str, values: da.Array, attributes: Mapping[str, Any]) -> xr.DataArray:
    """A 2-D variable of the scene, with the attributes of its quantity if that is a known one.

    Longitude that counts to 360 is brought to [-180, 180].
    """
    known = quantities().get(name)
    if name == "longitude":
        values = da.map_blocks(_to_180, values, dtype=np.float32, meta=np.empty((0, 0), "f4"))
    described = known.attributes() if known else descriptive(attributes)
    return xr.DataArray(values, dims=("y", "x"), attrs=described)


def _to_180(longitude: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.where((longitude > 180) & (longitude <= 360), longitude - np.float32(360), longitude)


def descriptive(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Those attributes that still hold once a variable is decoded."""
    kept = ("long_name", "units", "standard_name")
    return {key: attributes[key] for key in kept if key in attributes}


def source_flags(variable: xr.Variable | xr.DataArray, name: str, **described: Any) -> xr.DataArray:
    """The file's own flags (y, x) with their masks and meanings, under the file's own name."""
    kept = ("long_name", "flag_masks", "flag_meanings", "_Unsigned")
    attributes = {key: variable.attrs[key] for key in kept if key in variable.attrs}
    return xr.DataArray(
        variable.data, dims=("y", "x"), attrs=attributes | described | {"source_name": name}
    )


def closing(scene: xr.Dataset, opened: Iterable[xr.Dataset]) -> xr.Dataset:
    """The scene, which closes the files it was made from when it is closed."""
    files = list(opened)

    def close() -> None:
        for file in files:
            file.close()

    scene.set_close(close)
    return scene
