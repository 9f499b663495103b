"""xarray objects in memory as scenes: bands are found by coordinates, names or attributes."""

import logging
import re
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from pipeline.errors import SceneError
from pipeline.facts.quantities import quantities
from pipeline.readers.attributes import as_text
from pipeline.readers.cf_attributes import numbers_in
from pipeline.readers.layers import to_180
from pipeline.readers.units import has_units, in_words, wavelengths_nm
from pipeline.scene.scene import GEOLOCATION, SPECTRAL, is_spectral, wavelength_dim
from pipeline.tables.units import factor_between, says_units

# Names of coordinates whose values are wavelengths, even if no attribute says so.
_WAVELENGTHS = frozenset(("wavelength", "wavelengths", "wavelength_nm", "wl", "lambda", "lam"))
_STANDARD_NAMES = frozenset(("radiation_wavelength", "sensor_band_central_radiation_wavelength"))
# Attributes of a variable with its wavelength; CF has none, SNAP and satpy have these.
_ATTRIBUTES = ("radiation_wavelength", "wavelength")
_SHORT_NAMES = {"lat": "latitude", "lon": "longitude"}
# Attributes of numbers that are not decoded.
_PACKING = ("scale_factor", "add_offset", "_FillValue", "missing_value")
_LONGEST = 12

log = logging.getLogger(__name__)


def scene_of(data: xr.Dataset | xr.DataArray, sensor: str, wanted: Iterable[str]) -> xr.Dataset:
    """Return data as a scene whose variables keep all dimensions of the data.

    Args:
        data: bands, and all other variables that the networks need, on any dimensions.
        sensor: name of the sensor; empty if unknown.
        wanted: names of the spectral quantities that the networks take. If there is only one, it is
            assumed for bands that name no quantity but have its units.

    Raises:
        SceneError: no band is found, or a variable has wrong units.
    """
    dataset = _as_dataset(data, [*dict.fromkeys(wanted)])
    others: dict[str, tuple[str, xr.DataArray]] = {}
    bands: dict[str, list[xr.DataArray]] = {}
    for name, variable in _variables(dataset):
        quantity = _quantity(name, variable)
        if quantity in SPECTRAL:
            _check_units(name, variable, quantity)
            _check_decoded(name, variable, quantity)
            bands.setdefault(quantity, []).append(_cube(name, _lazily(variable), quantity))
        elif quantity in quantities() and _is_usable(name, variable, quantity):
            if quantity in others and name != quantity != others[quantity][0]:
                raise SceneError(
                    f"{others[quantity][0]} and {name} are both {quantity}. Remove one of the two."
                )
            if quantity not in others or name == quantity:
                others[quantity] = name, variable
    if not bands:
        found = ", ".join(str(name) for name in [*dataset.data_vars][:_LONGEST]) or "none"
        raise SceneError(
            f"the data have no bands of {', '.join(SPECTRAL)}; their variables are {found}. Name a "
            "variable by its quantity and give it a coordinate 'wavelength' in nm, or name "
            "variables like Rrs_443."
        )
    cubes = {quantity: _stacked(quantity, found) for quantity, found in bands.items()}
    dims = _pixel_dims(cubes)
    layers = cubes | _on_pixels(others, dims)
    broadcast = xr.broadcast(*layers.values(), exclude=[wavelength_dim(q) for q in SPECTRAL])
    plain = {
        name: layer.transpose(..., *dims).drop_vars(
            [each for each in layer.coords if each != wavelength_dim(name)]
        )
        for name, layer in zip(layers, broadcast, strict=True)
    }
    attributes = {"reader": "xarray", "brdf_correction": "unknown", **data.attrs, "sensor": sensor}
    return xr.Dataset(plain, attrs=attributes)


def _on_pixels(
    found: Mapping[str, tuple[str, xr.DataArray]], dims: Sequence[Hashable]
) -> dict[str, xr.DataArray]:
    """Return the variables on the dimensions of the bands; no latitude without longitude.

    Other variables are left out: data on tie points, for example, have other dimensions. If a
    dimension is called latitude, its coordinate is used, so no variable latitude is needed.
    """
    layers = {
        quantity: _described(_lazily(variable.reset_coords(drop=True)), quantity)
        for quantity, (_, variable) in found.items()
        if set(variable.dims) <= set(dims)
    }
    if not set(GEOLOCATION) <= set(layers) or set(GEOLOCATION) & set(dims):
        layers = {name: layer for name, layer in layers.items() if name not in GEOLOCATION}
    return layers


def _lazily(variable: xr.DataArray) -> xr.DataArray:
    """Return a Dask array instead of values that are not in memory, or that would be repeated."""
    is_small = variable.variable._in_memory  # noqa: SLF001 - looking at values would read them
    return variable if variable.chunks or (is_small and variable.ndim > 1) else variable.chunk()


def _is_usable(name: str, variable: xr.DataArray, quantity: str) -> bool:
    """Whether a variable that is not a band can be used; if not, a warning states the reason."""
    try:
        _check_units(name, variable, quantity)
        _check_decoded(name, variable, quantity)
    except SceneError as error:
        log.warning("%s is left out: %s", name, error)
        return False
    return True


def _check_decoded(name: str, variable: xr.DataArray, quantity: str) -> None:
    """Refuse stored numbers that are not decoded, and values that are not numbers."""
    packed = [key for key in _PACKING if key in variable.attrs]
    is_number = variable.dtype.kind in ("f" if quantity in SPECTRAL else "fiu")
    if packed or not is_number:
        found = f"the attribute {packed[0]}" if packed else f"the type {variable.dtype}"
        raise SceneError(
            f"{name} has {found}, expected decoded numbers of floating type. Decode the data "
            "(xr.decode_cf), or convert them."
        )


def _as_dataset(data: xr.Dataset | xr.DataArray, wanted: list[str]) -> xr.Dataset:
    if isinstance(data, xr.Dataset):
        return data
    name = data.name if data.name is not None else _quantity("", data)
    if not name and len(wanted) == 1:
        name = wanted[0]
    return data.to_dataset(name=name or "data")


def _variables(dataset: xr.Dataset) -> Iterator[tuple[str, xr.DataArray]]:
    """Yield all variables, except coordinates of dimensions other than latitude and longitude."""
    for name in [*dataset.variables]:
        is_place = _SHORT_NAMES.get(str(name), name) in GEOLOCATION
        if name not in dataset.dims or is_place:
            yield str(name), dataset[name]


def _quantity(name: str, variable: xr.DataArray) -> str:
    """Return the quantity of a variable, by its name or its CF standard name; "" if unknown."""
    band = re.fullmatch(rf"({'|'.join(SPECTRAL)})_?\d+(\.\d+)?(_?nm)?", name)
    for each in (name, _SHORT_NAMES.get(name, ""), band.group(1) if band else ""):
        if each in quantities():
            return each
    stated = as_text(variable.attrs.get("standard_name", ""))
    known = (q.name for q in quantities().values() if stated and q.standard_name == stated)
    return next(known, "")


def _spectral_dim(variable: xr.DataArray) -> Hashable | None:
    """Return the dimension whose coordinate has wavelengths; None if there is none."""
    for dim in variable.dims:
        if dim not in variable.coords:
            continue
        attributes = variable[dim].attrs
        is_named = str(dim).lower() in _WAVELENGTHS or is_spectral(dim)
        if is_named or attributes.get("standard_name") in _STANDARD_NAMES:
            return dim
    return None


def _cube(name: str, variable: xr.DataArray, quantity: str) -> xr.DataArray:
    """Return a variable with the quantity's spectral dimension, even if it has a single band."""
    spectral, dim = wavelength_dim(quantity), _spectral_dim(variable)
    if dim is None:
        centres = [_wavelength(name, variable)]
        cube = variable.reset_coords(drop=True).expand_dims(spectral)
    else:
        axis = variable[dim]
        centres = wavelengths_nm(str(dim), axis.values, axis.attrs)
        cube = variable if dim == spectral else variable.rename({dim: spectral})
    others = [each for each in cube.coords if each not in cube.dims or each == spectral]
    return cube.drop_vars(others).assign_coords({spectral: (spectral, centres, {"units": "nm"})})


def _wavelength(name: str, variable: xr.DataArray) -> float:
    """Return the wavelength (nm) of a band, from an attribute or else from its name."""
    for attribute in _ATTRIBUTES:
        value = variable.attrs.get(attribute)
        numbers = numbers_in(getattr(value, "central", value))  # satpy has three numbers
        if numbers is not None and numbers.size == 1:
            return float(numbers[0]) * _per_nm(variable.attrs, attribute)
    match = re.search(r"_(\d{3,4}(?:\.\d+)?)(?:_?nm)?$", name)
    if match is None:
        raise SceneError(
            f"the wavelength of {name} is unknown. Name the variable like Rrs_443, give it the "
            "attribute 'radiation_wavelength' (nm), or a dimension with the coordinate "
            "'wavelength' (nm)."
        )
    return float(match.group(1))


def _per_nm(attributes: Mapping[str, Any], attribute: str) -> float:
    """Return the factor from the units of a wavelength to nm."""
    value = attributes[attribute]
    unit = getattr(value, "unit", None) or attributes.get(f"{attribute}_unit", "nm")
    factor = factor_between(as_text(unit), "nm") if says_units(as_text(unit)) else 1.0
    if factor is None:
        raise SceneError(
            f"{attribute} is in {as_text(unit)!r}, expected nm. Correct the attribute."
        )
    return factor


def _check_units(name: str, variable: xr.DataArray, quantity: str) -> None:
    """Refuse a variable whose units are not those of its quantity; bands need units."""
    expected, stated = quantities()[quantity].units, variable.attrs.get("units")
    if quantity in SPECTRAL:
        is_right = stated is not None and factor_between(as_text(stated), expected) == 1.0
    else:
        is_right = has_units(stated, expected)
    if not is_right:
        raise SceneError(
            f"{name} has {in_words(stated)}, expected {expected!r} for {quantity}. If its values "
            f"are in {expected}, set its attribute units to {expected!r}. Otherwise, convert them."
        )


def _stacked(quantity: str, cubes: Sequence[xr.DataArray]) -> xr.DataArray:
    """Return the bands of a quantity in the order of wavelength."""
    dim = wavelength_dim(quantity)
    cube = cubes[0] if len(cubes) == 1 else xr.concat(cubes, dim, join="exact")
    centres = np.asarray(cube[dim].values)
    if np.unique(centres).size < centres.size:
        listed = ", ".join(f"{nm:g}" for nm in centres)
        raise SceneError(
            f"two bands of {quantity} have the same wavelength; the wavelengths are {listed} nm. "
            "Remove one of the two."
        )
    order = np.argsort(centres)
    is_ordered = bool((order == np.arange(order.size)).all())
    return _described(cube if is_ordered else cube.isel({dim: order}), quantity)


def _described(variable: xr.DataArray, quantity: str) -> xr.DataArray:
    """Return float32 with the quantity's attributes; values that it cannot have are missing."""
    made = variable if variable.dtype == np.float32 else variable.astype(np.float32)
    known = quantities()[quantity]
    functions = [known.possible_only] if known.possible is not None else []
    for function in (*functions, *([to_180] if quantity == "longitude" else [])):
        made = xr.apply_ufunc(function, made, dask="parallelized", output_dtypes=[np.float32])
    made = made.copy(deep=False)
    made.attrs = known.attributes()
    return made


def _pixel_dims(cubes: Mapping[str, xr.DataArray]) -> list[Hashable]:
    """Return the dimensions of pixels in the order of the bands."""
    ordered = dict.fromkeys(dim for cube in cubes.values() for dim in cube.dims)
    return [dim for dim in ordered if not is_spectral(dim)]
