"""Read the spectral quantities of a netCDF file as its mapping describes them."""

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from pipeline.errors import ConfigError, SceneError
from pipeline.facts.quantities import quantities
from pipeline.readers.attributes import as_text
from pipeline.readers.cf_attributes import LIMITS, check_band, numbers_in
from pipeline.readers.damage import left_out
from pipeline.readers.layers import DecodedLayer, about, cube, decoded, decoder_of, spectrum
from pipeline.readers.mapping import FileMapping, SpectralVariables, conversion
from pipeline.readers.netcdf_layout import FileVariables, listed
from pipeline.readers.stored import Stored
from pipeline.readers.units import in_words, quoted, wavelengths_nm
from pipeline.readers.valid_pixels import ValidPixels
from pipeline.tables.units import factor_between, says_units


def bands_of(
    file: FileVariables, mapping: FileMapping, valid: ValidPixels, units: Mapping[str, str]
) -> dict[str, xr.DataArray]:
    """Return the spectral quantities and states; refuse unknown units and wavelengths.

    ``units`` gives units by variable name; they override the file and the mapping.
    """
    bands: dict[str, xr.DataArray] = {}
    for entry in mapping.spectral:
        found = {
            name: match
            for name in file.on_scene
            if (match := re.fullmatch(entry.variables, name)) is not None
        }
        if not found or (entry.fallback and entry.quantity in bands):
            continue
        if entry.quantity in bands:
            raise ConfigError(f"reader.options.mapping gives {entry.quantity} twice. Remove one.")
        bands |= _quantity(file, mapping, entry, found, valid, units)
    if not bands:
        wanted = " or ".join(entry.variables for entry in mapping.spectral)
        raise SceneError(
            f"no variable on the lines and pixels of {mapping.latitude} matches {wanted}. "
            f"Variables on lines and pixels are {listed(file.on_scene)}. Correct reader.options, "
            "or choose another product."
        )
    return bands


def _quantity(
    file: FileVariables,
    mapping: FileMapping,
    entry: SpectralVariables,
    found: Mapping[str, re.Match[str]],
    valid: ValidPixels,
    units: Mapping[str, str],
) -> dict[str, xr.DataArray]:
    converted = {} if entry.stored_as is None else {"converted_from": entry.stored_as}
    layers = {
        name: valid.layer(name, _layer(name, file.on_scene[name], mapping, entry, units))
        for name in found
    }
    cubes = [name for name in found if file.on_scene[name].ndim == 3]
    if not cubes:
        single = _only_wavelength(file, entry)
        centres = [
            _wavelength(name, found[name], file.on_scene[name], entry, single) for name in found
        ]
        return spectrum(entry.quantity, centres, list(layers.values()), **converted)
    if len(found) > 1:
        raise SceneError(
            f"{', '.join(found)} all match {entry.variables!r}, but {cubes[0]} is 3-D. If a 3-D "
            "variable matches, no other variable may match. Correct the pattern in "
            "reader.options.mapping.spectral.variables."
        )
    (name,) = cubes
    centres = _wavelengths_of_cube(file, name, entry)
    return cube(entry.quantity, centres, layers[name], **converted)


def _layer(
    name: str,
    variable: Stored,
    mapping: FileMapping,
    entry: SpectralVariables,
    units: Mapping[str, str],
) -> DecodedLayer:
    stored_as = entry.stored_as or entry.quantity
    stated = units.get(name, entry.units)
    if stated is None:
        stated = _units_in_file(variable.attrs.get("units"), entry.units_if_none)
    _check_units(name, stated, stored_as)
    attributes, of_file = dict(variable.attrs), dict(variable.of_file)
    if mapping.valid_range is not None:
        for limit in LIMITS:
            attributes.pop(limit, None)
            of_file.pop(limit, None)
    with about(name):
        check_band(attributes, variable.dtype, of_file)
    decoder = decoder_of(variable, attributes)
    if mapping.valid_range is not None:  # in stored numbers
        low, high = mapping.valid_range
        decoder = replace(decoder, valid_min=low, valid_max=high)
    factor = conversion(stored_as, entry.quantity)
    missing = (*mapping.missing, 0.0) if mapping.suffix else mapping.missing
    decoder = replace(decoder, factor=factor, fills=(*decoder.fills, *missing))
    return decoded(variable, decoder)


def _units_in_file(stated: Any, if_none: str | None) -> Any:
    """Return the stated units; ``if_none`` replaces missing units and the units ``1``."""
    is_none = stated is None or not says_units(as_text(stated))
    if if_none is not None and (is_none or factor_between(as_text(stated), "1") == 1.0):
        return if_none
    return stated


def _check_units(name: str, stated: Any, stored_as: str) -> None:
    """Refuse a variable whose units differ from the units of its quantity.

    Missing units are refused, too: without units, the values may be any reflectance.
    """
    expected = quantities()[stored_as].units
    if stated is not None and factor_between(as_text(stated), expected) == 1.0:
        return
    raise SceneError(
        f"{name} has {in_words(stated)}, expected {expected!r} for {stored_as}. If the "
        f"variable is {stored_as} and its units in the file are wrong or missing, set "
        f"reader.options.units: {{{name}: {quoted(expected)}}}, or units: {quoted(expected)} in "
        "reader.options.mapping.spectral. If it is water-leaving reflectance, set stored_as: rho_w "
        "and units: '1'; it is then multiplied by 1/pi to get Rrs."
    )


def _in_name(text: str, entry: SpectralVariables) -> str | None:
    """Return the wavelength in a variable's name, or None if the name has a band number."""
    is_number = entry.wavelength_attribute is not None and not re.fullmatch(r"\d{3,4}", text)
    return None if is_number else text


def _wavelength(
    name: str,
    match: re.Match[str],
    variable: Stored,
    entry: SpectralVariables,
    single: float | None,
) -> float:
    stated: Any = entry.wavelengths.get(name)
    if isinstance(stated, tuple) and len(stated) != 1:
        raise SceneError(
            f"reader.options.wavelengths states {len(stated)} wavelengths for {name}, which is one "
            "band. State one number."
        )
    if stated is None and entry.wavelength_attribute is not None:
        stated = variable.attrs.get(entry.wavelength_attribute)
    if stated is None and entry.wavelength_variable is not None:
        stated = single
    if stated is None and match.re.groups:
        stated = _in_name(match.group(1), entry)
    numbers = numbers_in(
        re.sub(r"\s*nm$", "", stated.strip()) if isinstance(stated, str) else stated
    )
    wavelength = float(numbers[0]) if numbers is not None and numbers.size else math.nan
    if not 0 < wavelength < math.inf:
        raise SceneError(
            f"the wavelength of {name} is unknown. State it as reader.options.wavelengths: "
            f"{{{name}: ...}}. You can also state it by mapping.spectral.wavelength_attribute, "
            "mapping.spectral.wavelength_variable, or a pattern with a group for the wavelength."
        )
    return wavelength


_STATE_THEM = (
    "state the wavelength of each band, in nm and in order: reader.options.wavelengths: "
    "{{{name}: [...]}}."
)


def _stated(name: str, bands: int, wavelengths: float | tuple[float, ...]) -> list[float]:
    """Return the wavelengths that the options state for a 3-D variable."""
    stated = [*wavelengths] if isinstance(wavelengths, tuple) else [wavelengths]
    if len(stated) != bands:
        raise SceneError(
            f"reader.options.wavelengths states {len(stated)} wavelengths for {name}, which has "
            f"{bands} bands. State one for each band, in the order of the bands."
        )
    return stated


def _only_wavelength(file: FileVariables, entry: SpectralVariables) -> float | None:
    """Return the wavelength (nm) if the file has one band of a 3-D variable, otherwise None."""
    variable = file.all.get(entry.wavelength_variable or "")
    if variable is None or variable.size != 1:
        return None
    return float(np.ravel(variable.values)[0])


def _wavelengths_of_cube(file: FileVariables, name: str, entry: SpectralVariables) -> list[float]:
    bands = file.on_scene[name].shape[0]
    if name in entry.wavelengths:
        return _stated(name, bands, entry.wavelengths[name])
    if entry.wavelength_variable is None:
        raise SceneError(
            f"{name} is 3-D, but the mapping does not name the variable with its wavelengths. Set "
            f"mapping.spectral.wavelength_variable, or {_STATE_THEM.format(name=name)}"
        )
    if entry.wavelength_variable not in file.all:
        raise left_out(
            f"the file has no variable {entry.wavelength_variable!r} for the wavelengths of {name}",
            f"Or {_STATE_THEM.format(name=name)}",
        )
    variable = file.all[entry.wavelength_variable]
    if variable.shape != (bands,):
        raise SceneError(
            f"{entry.wavelength_variable} has shape {variable.shape}, but {name} has {bands} "
            "bands. Name another variable as mapping.spectral.wavelength_variable, or "
            f"{_STATE_THEM.format(name=name)}"
        )
    return wavelengths_nm(entry.wavelength_variable, variable.values, variable.attrs)
