"""Decode stored variables into layers of a scene: spectral quantities, plain variables, flags."""

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from pipeline.errors import SceneError
from pipeline.facts.quantities import quantities
from pipeline.readers.cf_attributes import check_band, check_packing, texts_for_numbers
from pipeline.readers.damage import rewritten
from pipeline.readers.decoding import Decoder
from pipeline.readers.flag_bits import FLAGS_AS_NUMBERS, description_of_bits
from pipeline.readers.stored import Stored
from pipeline.scene.lazy import (
    Computed,
    Generated,
    LazyArray,
    Region,
    StackedBands,
    StoredChunks,
    lazy,
    region_shape,
)
from pipeline.scene.scene import state_name, wavelength_dim
from pipeline.scene.source_flags import FILLS

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DecodedLayer:
    """The values of one stored variable and the states of these values, in the same shape."""

    values: LazyArray
    """Physical values, float32; NaN where missing."""
    states: LazyArray
    """``STATE_*`` bits of the values, uint8."""


@dataclass(frozen=True, eq=False)
class WhereValid:
    """An array (..., y, x) with NaN on the pixels that are not valid."""

    values: LazyArray
    valid: LazyArray
    """True for valid pixels, with shape (y, x)."""

    @classmethod
    def of(cls, layer: DecodedLayer, valid: LazyArray) -> DecodedLayer:
        """Return a layer whose values are missing on the pixels that are not valid."""
        return DecodedLayer(cls(layer.values, valid), layer.states)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the values."""
        return self.values.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""
        return self.values.dtype

    def read(self, region: Region) -> npt.NDArray[Any]:
        """Read the values of a region; values that are not valid become NaN."""
        values, valid = self.values.read(region), self.valid.read(region[-2:])
        return values if valid.all() else np.where(valid, values, self.dtype.type(np.nan))

    def storage(self, bands: Sequence[int]) -> Iterator[StoredChunks]:
        """Yield the storage chunks of the values and of the variables in the expression."""
        yield from self.values.storage(bands)
        yield from self.valid.storage((0,))


def decoded(stored: LazyArray, decoder: Decoder) -> DecodedLayer:
    """Return the values and states of an array of stored numbers."""
    values = Computed(decoder.values, (stored,), np.dtype(np.float32))
    states: LazyArray = Computed(decoder.states, (stored,), np.dtype(np.uint8))
    if not decoder.has_states:  # then nothing needs to be read
        states = Generated(
            lambda *region: np.zeros(region_shape(region, stored.shape), np.uint8),
            stored.shape,
            np.dtype(np.uint8),
        )
    return DecodedLayer(values, states)


def decode(stored: Stored, missing: Sequence[float] = ()) -> DecodedLayer:
    """Decode a stored variable of a netCDF file by the variable's own CF attributes.

    ``missing`` are stored numbers that mean a missing value, in addition to the fill values.
    """
    decoder = decoder_of(stored, stored.attrs)
    return decoded(stored, replace(decoder, fills=(*decoder.fills, *missing)))


def decoder_of(stored: Stored, attributes: Mapping[str, Any]) -> Decoder:
    """Return the decoder of a netCDF variable with these CF attributes."""
    texts = texts_for_numbers(attributes)
    with about(stored.chunks.name):
        check_packing(attributes, stored.dtype, stored.of_file)
        decoder = Decoder.from_attributes(attributes, stored.dtype, of_file=stored.of_file)
    if texts:
        names = ", ".join(f"{name} {text!r}" for name, text in texts.items())
        log.warning("%s: text is read as numbers (%s)", stored.chunks.name, names)
    return decoder.with_default_fill(stored.dtype)


def decode_band(stored: Stored, factor: float = 1.0) -> DecodedLayer:
    """Decode a stored band; ``factor`` converts the file's quantity to the scene's quantity."""
    with about(stored.chunks.name):
        check_band(stored.attrs, stored.dtype, stored.of_file)
    return decoded(stored, replace(decoder_of(stored, stored.attrs), factor=factor))


LeftOut = dict[str, str]
"""Variables that are not in the scene because they cannot be decoded: name -> reason."""


@contextlib.contextmanager
def leaving_out(name: str, unread: LeftOut, *, unless: bool = False) -> Iterator[None]:
    """Leave out a variable if it cannot be decoded, and note the reason in ``unread``.

    This is for variables that most runs do not use. For a variable that every run needs, set
    ``unless`` to True; the error is then raised.
    """
    try:
        yield
    except SceneError as error:
        if unless:
            raise
        unread[name] = str(error).partition(". ")[0].removesuffix(".")


@contextlib.contextmanager
def about(variable: str) -> Iterator[None]:
    """Add the name of a variable to the errors about it."""
    try:
        yield
    except SceneError as error:
        raise SceneError(f"{variable}: {error}") from error


def spectrum(
    quantity: str,
    wavelengths_nm: Sequence[float],
    layers: Sequence[DecodedLayer],
    **attributes: Any,
) -> dict[str, xr.DataArray]:
    """Return a spectral quantity and its state, made from one layer (y, x) per band.

    The bands may be given in any order of wavelength.
    """
    shapes = {layer.values.shape for layer in layers}
    if len(shapes) > 1:
        listed = ", ".join(map(str, sorted(shapes)))
        raise rewritten(f"the bands of {quantity} differ in shape: {listed}")
    order = np.argsort(wavelengths_nm, kind="stable")
    stacked = DecodedLayer(
        StackedBands(tuple(layers[index].values for index in order)),
        StackedBands(tuple(layers[index].states for index in order)),
    )
    return cube(quantity, [wavelengths_nm[index] for index in order], stacked, **attributes)


def cube(
    quantity: str, wavelengths_nm: Sequence[float], layer: DecodedLayer, **attributes: Any
) -> dict[str, xr.DataArray]:
    """Return a spectral quantity and its state, from an array with shape (bands, y, x)."""
    centres = np.asarray(wavelengths_nm, dtype=np.float64)
    if np.unique(centres).size < centres.size:
        listed = ", ".join(f"{nm:g}" for nm in centres)
        raise SceneError(
            f"two bands of {quantity} have the same wavelength; the wavelengths are {listed} nm. "
            "State the correct wavelengths in the reader's options."
        )
    dim = wavelength_dim(quantity)
    coords = {dim: (dim, centres, {"units": "nm"})}
    described = quantities()[quantity].attributes() | attributes
    dims = (dim, "y", "x")
    return {
        quantity: lazy(layer.values, dims, described, coords),
        state_name(quantity): lazy(layer.states, dims, None, coords),
    }


def plane(name: str, values: LazyArray, attributes: Mapping[str, Any]) -> xr.DataArray:
    """Return a 2-D variable of the scene; a known quantity gets its usual attributes.

    Values that a quantity cannot have (latitude -999.3) are missing, and longitudes up to 360 are
    converted to [-180, 180].
    """
    known = quantities().get(name)
    values = possible(name, values)
    if name == "longitude":
        values = Computed(to_180, (values,), np.dtype(np.float32))
    described = known.attributes() if known else descriptive(attributes)
    return lazy(values, ("y", "x"), described)


def possible(name: str, values: LazyArray) -> LazyArray:
    """Return the values of a variable; values that are impossible for this variable become NaN.

    Call this function before values at tie points are interpolated: a value that is interpolated
    between a fill value and a good value may look like a good value.
    """
    known = quantities().get(name)
    if known is None or known.possible is None:
        return values
    return Computed(known.possible_only, (values,), np.dtype(np.float32))


def to_180(longitude: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return longitudes in [-180, 180]; longitudes from 180 to 360 are converted."""
    if longitude.size and longitude.min() >= -180 and longitude.max() <= 180:
        return longitude
    return np.where((longitude > 180) & (longitude <= 360), longitude - np.float32(360), longitude)


def descriptive(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes that remain true after a variable is decoded."""
    kept = ("long_name", "units", "standard_name")
    return {key: attributes[key] for key in kept if isinstance(attributes.get(key), str)}


def source_flags(flags: Stored, name: str, **described: Any) -> xr.DataArray:
    """Return the file's own flags (y, x), with their masks, meanings and original name."""
    if flags.dtype.kind not in "iu":
        raise rewritten(f"{name} is {flags.dtype}, expected integers", FLAGS_AS_NUMBERS)
    kept = ("flag_masks", "flag_meanings", "_Unsigned", *FILLS)
    attributes = {key: flags.attrs[key] for key in kept if key in flags.attrs}
    attributes |= descriptive({"long_name": flags.attrs.get("long_name")}) | described
    lacking = [key for key in ("flag_masks", "flag_meanings") if key not in attributes]
    if lacking:
        raise rewritten(
            f"{name} has no {' and no '.join(lacking)}, so the meaning of its bits is unknown"
        )
    values = {} if described else {"flag_values": flags.attrs.get("flag_values")}
    attributes |= description_of_bits(name, flags.dtype, attributes | values)
    return lazy(flags, ("y", "x"), attributes | {"source_name": name})
