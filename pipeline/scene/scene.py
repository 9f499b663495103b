"""A scene: one ``xr.Dataset`` with the same names and units for every file format.

Dimensions are ``(y, x)``. A spectral quantity has a further dimension, whose coordinate has the
band centres in nm: ``Rrs`` has ``(Rrs_wavelength, y, x)``. NaN marks a missing value. Every
latitude and longitude is on the globe, or NaN. ``<quantity>_state`` (uint8) has the ``STATE_*``
bits of :mod:`pipeline.scene.quality` for each value. ``source_flags`` has the flags of the file
with their ``flag_masks`` and ``flag_meanings``.
"""

import re
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from pipeline.errors import SceneError
from pipeline.facts.quantities import band_name, quantities
from pipeline.scene.lazy import Constant, StoredChunks, lazy, lazy_array_of

SPECTRAL = ("Rrs", "Rrs_unc", "Lrc", "rho_s", "rho_w")
ANGLES = ("solar_zenith", "sensor_zenith", "relative_azimuth")
GEOLOCATION = ("latitude", "longitude")
SOURCE_FLAGS = "source_flags"
# A scene on a map also has coordinates along ``y`` and ``x``, and a scalar variable with the CF
# attributes of its reference system.
SPATIAL_REF = "spatial_ref"
AXES = ("y", "x", SPATIAL_REF)

# Key of a scene's encoding: variables that the reader left out, with the reasons, by name.
UNREAD = "unread"
# The key of a scene's encoding under which its reader names the recommended masks.
RECOMMENDED_MASKS = "recommended_masks"
# Key of a scene's encoding: expressions that say where variables of the file are valid.
VALID_WHERE = "valid_where"

# The attribute of a scene that was read from a product: the file that the product was made from.
PRODUCT_OF = "product_of"

# Attributes that every reader adds to those of the file.
REQUIRED_ATTRIBUTES = ("reader", "sensor", "brdf_correction")
BRDF_STATES = ("none", "f/Q", "unknown")


@dataclass(frozen=True)
class Band:
    """One 2-D layer of a scene: a band of a spectral quantity, or a plain variable."""

    quantity: str
    wavelength_nm: float | None = None

    @property
    def name(self) -> str:
        """Name such as ``Rrs_443`` or ``solar_zenith``."""
        return band_name(self.quantity, self.wavelength_nm)

    def values(self, block: xr.Dataset) -> npt.NDArray[Any]:
        """Return the layer's values in a block, with shape (y, x)."""
        return self._layer(block, self.quantity)

    def states(self, block: xr.Dataset) -> npt.NDArray[np.uint8] | None:
        """Return the ``STATE_*`` bits of the values (y, x); None if the layer has no bits."""
        state = state_name(self.quantity)
        return self._layer(block, state) if state in block.variables else None

    def _layer(self, block: xr.Dataset, name: str) -> npt.NDArray[Any]:
        values = np.asarray(block.variables[name].values)
        if self.wavelength_nm is None:
            return values
        centres = block.variables[wavelength_dim(self.quantity)].values
        (band,) = np.flatnonzero(centres == self.wavelength_nm)
        return np.asarray(values[band])


def source_flags_name(scene: xr.Dataset) -> str:
    """Return the file's own name for its flags; the product keeps this name."""
    return str(scene[SOURCE_FLAGS].attrs.get("source_name", SOURCE_FLAGS))


def recommended_masks(scene: xr.Dataset) -> str:
    """Return the name of the masks that the reader recommends; empty if it recommends none."""
    return str(scene.encoding.get(RECOMMENDED_MASKS, ""))


def wavelength_dim(quantity: str) -> str:
    """Return the name of a quantity's spectral dimension."""
    return f"{quantity}_wavelength"


_SPECTRAL_DIMS = frozenset(map(wavelength_dim, SPECTRAL))


def is_spectral(dim: Hashable) -> bool:
    """Whether a dimension is the spectral one of a quantity."""
    return dim in _SPECTRAL_DIMS


def state_name(quantity: str) -> str:
    """Return the name of the variable with a quantity's state bits."""
    return f"{quantity}_state"


def wavelengths(scene: xr.Dataset, quantity: str) -> npt.NDArray[np.float64]:
    """Return the band centres (nm), shape (bands,); empty if the scene lacks the quantity."""
    if quantity not in scene:
        return np.empty(0)
    return np.asarray(scene[wavelength_dim(quantity)].values, dtype=np.float64)


def spectral_quantities(scene: xr.Dataset) -> list[str]:
    """Return the spectral quantities of a scene."""
    return [quantity for quantity in SPECTRAL if quantity in scene]


def plain_variables(scene: xr.Dataset) -> list[str]:
    """Return the 2-D variables for use in expressions: angles, geolocation, retrievals."""
    return sorted(
        str(name)
        for name, variable in scene.variables.items()
        if variable.dims == ("y", "x") and name != SOURCE_FLAGS
    )


def band_names(scene: xr.Dataset) -> list[str]:
    """Return the names of the bands, such as ``Rrs_412``; wavelengths are rounded to whole nm."""
    return [
        f"{quantity}_{nm:.0f}"
        for quantity in spectral_quantities(scene)
        for nm in wavelengths(scene, quantity)
    ]


def parse_band(name: str) -> tuple[str, float] | None:
    """Split ``Rrs_443`` into ``("Rrs", 443.0)``; None if it is not the name of a band."""
    match = re.fullmatch(r"(.+)_(\d+(?:\.\d+)?)", name)
    if match is None or match.group(1) not in SPECTRAL:
        return None
    return match.group(1), float(match.group(2))


def find_layer(scene: xr.Dataset, name: str, tolerance_nm: float) -> "Band | None":
    """Return the layer with a name such as ``solar_zenith`` or ``Rrs_443``; None if there is none.

    Raises:
        SceneError: the scene has the quantity, but no band within the tolerance.
    """
    if name in plain_variables(scene):
        return Band(name)
    parsed = parse_band(name)
    if parsed is None or parsed[0] not in scene:
        return None
    quantity, wavelength = parsed
    index = nearest_band(scene, quantity, wavelength, tolerance_nm)
    return Band(quantity, float(wavelengths(scene, quantity)[index]))


def nearest_band(
    scene: xr.Dataset, quantity: str, wavelength_nm: float, tolerance_nm: float
) -> int:
    """Return the index of the band nearest to a wavelength.

    Raises:
        SceneError: the scene has no such quantity, or no band within the tolerance.
    """
    centres = wavelengths(scene, quantity)
    if centres.size == 0:
        have = ", ".join(spectral_quantities(scene)) or "none"
        raise SceneError(
            f"the scene has no {quantity}; its spectral quantities are {have}. Choose a network "
            "that takes one of these."
        )
    index = int(np.argmin(np.abs(centres - wavelength_nm)))
    if not abs(centres[index] - wavelength_nm) <= tolerance_nm:
        listed = ", ".join(f"{nm:g}" for nm in centres)
        raise SceneError(
            f"no {quantity} band within {tolerance_nm:g} nm of {wavelength_nm:g} nm; bands are "
            f"{listed} nm. If the file is a subset, make it again with all bands. Otherwise choose "
            "a network for this sensor. If a more distant band is good enough, increase "
            "science.bands.tolerance_nm."
        )
    return index


def storage_of(scene: xr.Dataset, layers: Iterable[Band]) -> list[StoredChunks]:
    """Return the storage chunks of layers; chunks that several layers share are returned once."""
    found: dict[str, StoredChunks] = {}
    for layer in layers:
        array = lazy_array_of(scene[layer.quantity])
        if array is None:
            continue
        centres = wavelengths(scene, layer.quantity) if layer.wavelength_nm is not None else [None]
        band = list(centres).index(layer.wavelength_nm)
        found |= {chunks.name: chunks for chunks in array.storage((band,))}
    return list(found.values())


def why_unread(scene: xr.Dataset, name: str) -> str:
    """Say in a sentence why the reader left a variable out; "" if the variable was not left out."""
    reason = scene.encoding.get(UNREAD, {}).get(name)
    return f" The file has {name}, but it cannot be decoded ({reason})." if reason else ""


def check_scene(scene: xr.Dataset) -> xr.Dataset:
    """Return the scene if it agrees with the description in this module.

    Raises:
        SceneError: dimensions, units, types or attributes are wrong; the message lists all faults.
    """
    complaints = [*_check_attributes(scene), *_check_variables(scene), *_check_states(scene)]
    if complaints:
        raise SceneError(
            f"not a valid scene: {'; '.join(complaints)}. This is a mistake of the "
            "reader, or its options do not fit the file. Correct the reader or its options."
        )
    return scene


def _check_attributes(scene: xr.Dataset) -> list[str]:
    complaints = [
        f"attribute {name} is missing" for name in REQUIRED_ATTRIBUTES if name not in scene.attrs
    ]
    brdf = scene.attrs.get("brdf_correction")
    if brdf not in BRDF_STATES:
        complaints.append(f"brdf_correction is {brdf!r}, expected one of {BRDF_STATES}")
    return complaints


def _check_variables(scene: xr.Dataset) -> list[str]:
    complaints = []
    for name, variable in scene.variables.items():
        if name in SPECTRAL:
            expected: tuple[str, ...] = (wavelength_dim(str(name)), "y", "x")
        elif name in (*ANGLES, *GEOLOCATION, SOURCE_FLAGS):
            expected = ("y", "x")
        else:
            continue
        if variable.dims != expected:
            complaints.append(f"{name} has dims {variable.dims}, expected {expected}")
        complaints.extend(_check_units(str(name), variable))
    if PRODUCT_OF not in scene.attrs and not any(quantity in scene for quantity in SPECTRAL):
        complaints.append(f"no spectral quantity; expected one of {', '.join(SPECTRAL)}")
    return complaints


def _check_units(name: str, variable: xr.Variable) -> list[str]:
    if name == SOURCE_FLAGS:
        missing = {"flag_masks", "flag_meanings"} - set(variable.attrs)
        kind: Any = variable.dtype.kind
        found = [f"{name} has no {' and no '.join(sorted(missing))}"] if missing else []
        return found + (
            [f"{name} is {variable.dtype}, expected integers"] if kind not in "iu" else []
        )
    units = quantities()[name].units
    if variable.attrs.get("units") != units:
        return [f"{name} has units {variable.attrs.get('units')!r}, expected {units!r}"]
    if variable.dtype != np.float32:
        return [f"{name} is {variable.dtype}, expected float32"]
    return []


def _check_states(scene: xr.Dataset) -> list[str]:
    states = {state_name(quantity): quantity for quantity in spectral_quantities(scene)}
    return [
        f"{state} has dims {scene[state].dims}, expected the dims of {quantity}"
        for state, quantity in states.items()
        if state in scene and scene[state].dims != scene[quantity].dims
    ]


def with_constants(scene: xr.Dataset, constants: Mapping[str, float]) -> xr.Dataset:
    """Add quantities that the scene lacks, with the same value on every pixel.

    Raises:
        SceneError: a constant is in the scene already, or is not a known 2-D quantity.
    """
    added = {}
    for name, value in constants.items():
        if name in scene or name not in quantities() or name in SPECTRAL:
            is_there = name in scene
            reason = "the scene has it already" if is_there else "it is not a known 2-D quantity"
            raise SceneError(
                f"science.constants sets {name}, but {reason}. Remove it; constants are for "
                "network inputs that the scene lacks, such as relative_humidity."
            )
        shape = (scene.sizes["y"], scene.sizes["x"])
        values = Constant(value, shape, np.dtype(np.float32))
        added[name] = lazy(values, ("y", "x"), quantities()[name].attributes())
    return scene.assign(added)


def geographic_reference(
    latitude: npt.NDArray[np.float64], longitude: npt.NDArray[np.float64]
) -> dict[str, xr.DataArray]:
    """Return coordinates ``y``, ``x``, ``spatial_ref`` of a map with 1-D latitude and longitude."""
    crs = {"grid_mapping_name": "latitude_longitude", "horizontal_datum_name": "WGS84"}
    axes = {}
    for dim, name, values in (("y", "latitude", latitude), ("x", "longitude", longitude)):
        attributes = {**quantities()[name].attributes(), "axis": dim.upper()}
        axes[dim] = xr.DataArray(values, dims=(dim,), attrs=attributes)
    return axes | {SPATIAL_REF: xr.DataArray(np.int32(0), attrs=crs)}


def is_projected(attributes: Mapping[str, Any], dim: str) -> bool:
    """Whether attributes describe a projected map coordinate along a dimension."""
    return attributes.get("standard_name") == f"projection_{dim}_coordinate"
