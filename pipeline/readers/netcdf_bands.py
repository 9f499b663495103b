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
from pipeline.readers.layers import DecodedLayer, cube, decoded, decoder_of, spectrum
from pipeline.readers.mapping import FileMapping, SpectralVariables, conversion
from pipeline.readers.netcdf_layout import FileVariables, listed, mapped_variable
from pipeline.readers.stored import Stored
from pipeline.tables.units import factor_between


def bands_of(file: FileVariables, mapping: FileMapping) -> dict[str, xr.DataArray]:
    """Return the spectral quantities and states; refuse unknown units and wavelengths."""
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
        bands |= _quantity(file, mapping, entry, found)
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
) -> dict[str, xr.DataArray]:
    converted = {} if entry.stored_as is None else {"converted_from": entry.stored_as}
    layers = {name: _layer(name, file.on_scene[name], mapping, entry) for name in found}
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
    name: str, variable: Stored, mapping: FileMapping, entry: SpectralVariables
) -> DecodedLayer:
    stored_as = entry.stored_as or entry.quantity
    _check_units(name, variable, entry, stored_as)
    attributes = dict(variable.attrs)
    if mapping.valid_range is not None:
        attributes |= {"valid_range": mapping.valid_range}
        attributes.pop("valid_min", None)
        attributes.pop("valid_max", None)
    decoder = decoder_of(variable, attributes)
    factor = conversion(stored_as, entry.quantity)
    missing = (*mapping.missing, 0.0) if mapping.suffix else mapping.missing
    decoder = replace(decoder, factor=factor, fills=(*decoder.fills, *missing))
    return decoded(variable, decoder)


def _check_units(name: str, variable: Stored, entry: SpectralVariables, stored_as: str) -> None:
    """Refuse a variable whose units differ from the units of its quantity."""
    stated = entry.units if entry.units is not None else variable.attrs.get("units")
    expected = quantities()[stored_as].units
    if stated is not None and factor_between(as_text(stated), expected) == 1.0:
        return
    found = "no units" if stated in (None, "") else f"units {as_text(stated)!r}"
    raise SceneError(
        f"{name} has {found}, expected {expected!r} for {stored_as}. Correct "
        f"reader.options.mapping.spectral. If it is {stored_as} and the file's units are wrong or "
        f"missing, set units: {expected}. If it is water-leaving reflectance, set stored_as: rho_w "
        "and units: '1'; it is then multiplied by 1/pi to get Rrs."
    )


def _in_name(text: str, entry: SpectralVariables) -> str | None:
    """Return the wavelength in a variable's name; a number of a band is not a wavelength."""
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
    if stated is None and entry.wavelength_attribute is not None:
        stated = variable.attrs.get(entry.wavelength_attribute)
    if stated is None and entry.wavelength_variable is not None:
        stated = single
    if stated is None and match.re.groups:
        stated = _in_name(match.group(1), entry)
    try:
        wavelength = float(np.ravel(stated)[0])
    except (TypeError, ValueError):
        wavelength = math.nan
    if not wavelength > 0:
        raise SceneError(
            f"the wavelength of {name} is unknown. State it as reader.options.wavelengths: "
            f"{{{name}: ...}}. Other ways are mapping.spectral.wavelength_attribute, "
            "mapping.spectral.wavelength_variable, and a pattern with a group for the wavelength."
        )
    return wavelength


def _only_wavelength(file: FileVariables, entry: SpectralVariables) -> float | None:
    """Return the wavelength (nm) of a 3-D variable from which one band was cut out, or None."""
    variable = file.all.get(entry.wavelength_variable or "")
    if variable is None or variable.size != 1:
        return None
    return float(np.ravel(variable.values)[0])


def _wavelengths_of_cube(file: FileVariables, name: str, entry: SpectralVariables) -> list[float]:
    bands = file.on_scene[name].shape[0]
    if entry.wavelength_variable is None:
        raise SceneError(
            f"{name} is 3-D, but the mapping does not name the variable with its wavelengths. Set "
            "mapping.spectral.wavelength_variable."
        )
    variable = mapped_variable(file.all, entry.wavelength_variable, "wavelengths")
    if variable.shape != (bands,):
        raise SceneError(
            f"{entry.wavelength_variable} has shape {variable.shape}, but {name} has {bands} "
            "bands. Name another variable as mapping.spectral.wavelength_variable."
        )
    centres = [float(nm) for nm in variable.values]
    if not all(nm > 0 for nm in centres):
        raise SceneError(
            f"{entry.wavelength_variable} holds wavelengths that are not positive: "
            f"{', '.join(f'{nm:g}' for nm in centres if not nm > 0)}. Name another variable as "
            "mapping.spectral.wavelength_variable."
        )
    return centres
