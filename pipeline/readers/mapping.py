"""Mappings from the variables of a netCDF file to a scene, read from YAML into typed classes.

Presets are in ``configs/formats/netcdf``. A run configuration may give a whole mapping, or change
some keys of a preset.
"""

import functools
import math
import re
from collections.abc import Container, Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from pipeline.config import complaints_of, mask_presets
from pipeline.config.strict import Strict
from pipeline.facts.shipped import read_shipped, shipped_configs
from pipeline.readers.units import UnitOptions
from pipeline.scene.scene import SPECTRAL
from pipeline.times.formats import check_format


def _is_spectral(name: str) -> str:
    if name not in SPECTRAL:
        raise ValueError(f"expected one of {', '.join(SPECTRAL)}")
    return name


Spectral = Annotated[str, AfterValidator(_is_spectral)]

# Endings that SNAP's collocation adds to the names of variables: _M and _S, or _S0, _S1 and so on
# if there are several sources.
COLLOCATED = re.compile(r".+(_(?:M|S\d*|master|slave\d*))")

# (quantity in the file, in the scene) -> factor. Rrs = rho_w / pi, as downwelling irradiance
# normalises both.
CONVERSIONS: dict[tuple[str, str], float] = {("rho_w", "Rrs"): 1 / math.pi}


def conversion(stored_as: str | None, quantity: str) -> float:
    """Return the factor from the stored quantity to the scene's; 1 for the same quantity."""
    if stored_as in (None, quantity):
        return 1.0
    if (stored_as, quantity) not in CONVERSIONS:
        raise ValueError(f"{stored_as} cannot be converted into {quantity}")
    return CONVERSIONS[stored_as, quantity]


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    return text


Wavelength = Annotated[float, Field(gt=0)]
Wavelengths = Wavelength | tuple[Wavelength, ...]


class SpectralVariables(Strict):
    """The variables of one spectral quantity."""

    quantity: Spectral
    """Quantity in the scene."""
    variables: str
    """Regular expression for the variables' names. Its part in parentheses matches the wavelength,
    unless another key states the wavelength. A pattern may also match a single 3-D variable."""
    stored_as: Spectral | None = None
    """Quantity in the file, if it differs from ``quantity``. For example, rho_w / pi gives Rrs."""
    units: str | None = None
    """Units of the variables, if the units in the file are missing or wrong."""
    units_if_none: str | None = None
    """Units of the variables if the file states no units, or states the units ``1``."""
    wavelength_attribute: str | None = None
    """Name of the attribute with the wavelength (nm) of each variable."""
    wavelength_variable: str | None = None
    """Name of the variable with the wavelengths (nm) of a 3-D variable."""
    wavelengths: dict[str, Wavelengths] = Field(default_factory=dict)
    """Wavelength (nm) by variable name, or a list for a 3-D variable; overrides the file."""
    fallback: bool = False
    """True to use this entry only if no earlier entry gives the same quantity."""

    _is_pattern = field_validator("variables")(_pattern)

    @model_validator(mode="after")
    def _is_convertible(self) -> "SpectralVariables":
        conversion(self.stored_as, self.quantity)
        return self


class PlainVariable(Strict):
    """A variable that is not spectral."""

    variable: str
    units: str | None = None
    """Units of the variable, if the units in the file are missing or wrong."""


class FlagVariable(Strict):
    """The variable with the file's flags."""

    variable: str
    masks: dict[str, Annotated[int, Field(gt=0)]] = Field(default_factory=dict)
    """Name -> bits, if the file has no flag_masks and flag_meanings."""
    required: bool = True
    """False if a file may lack the variable; the scene then has no flags."""


class Recognition(Strict):
    """Conditions of a mapping; a file fits the mapping if it meets all of them."""

    attributes: dict[str, str] = Field(default_factory=dict)
    """Global attribute -> regular expression that its text must match."""
    variables: tuple[str, ...] = ()
    """Regular expressions, each of which must match the name of a variable."""
    absent: tuple[str, ...] = ()
    """Regular expressions, none of which may match the name of a variable."""


class TimeAttribute(Strict):
    """A global attribute with a time."""

    attribute: str
    format: Annotated[str, AfterValidator(check_format)] | None = None
    """Format of the time, as in strptime; None for the usual ways to write a time."""


class SensorName(Strict):
    """The place where a file states its sensor: a global attribute, or the names of variables."""

    attribute: str | None = None
    """Global attribute that states the sensor; the sensor tables may use another name for it."""
    names: dict[str, str] = Field(default_factory=dict)
    """Text of the attribute -> name in the sensor tables."""
    patterns: dict[str, str] = Field(default_factory=dict)
    """Regular expression that matches a part of the attribute -> name in the sensor tables.
    Without ``attribute``, all attributes of the file and of SNAP's variable ``metadata`` are
    searched."""
    variables: dict[str, str] = Field(default_factory=dict)
    """Regular expression of a variable's name -> name of the sensor that has such variables."""


class FileMapping(Strict):
    """The mapping of a file's variables to a scene."""

    title: str = ""
    recognise: Recognition | None = None
    groups: tuple[str, ...] = ()
    """Groups whose variables are also read, under names such as ``group/variable``."""
    latitude: str = "latitude"
    longitude: str = "longitude"
    spectral: tuple[SpectralVariables, ...] = Field(min_length=1)
    plain: dict[str, str | tuple[str, ...] | PlainVariable] = Field(default_factory=dict)
    """Name in the scene -> variable, for angles and other inputs of networks or expressions. If
    there are several names, the first one that the file has is used."""
    flags: FlagVariable | None = None
    masks: str | None = None
    """Name of the list in ``configs/masks`` that is recommended for the format."""
    masks_of_sensor: dict[str, str] = Field(default_factory=dict)
    """Sensor -> name of its list in ``configs/masks``, if it differs from ``masks``."""
    suffix: str = ""
    """Ending, such as ``_M`` or ``_S``, that a collocation of SNAP added to all variables' names.
    Such a collocation also stored 0 for missing values."""
    missing: tuple[float, ...] = ()
    """Stored numbers that mark missing spectral values, in addition to the fill values."""
    valid_range: tuple[float, float] | None = None
    """Lowest and highest valid stored number of spectral variables; overrides the file."""
    sensor: tuple[SensorName, ...] = ()
    """The first entry that finds a sensor is used."""
    time_coverage_start: tuple[TimeAttribute, ...] = ()
    """The reader uses the first entry for which the file has the attribute."""
    time_coverage_end: tuple[TimeAttribute, ...] = ()
    brdf_correction: Literal["none", "f/Q", "unknown"] = "unknown"

    def plain_variables(self, in_file: Container[str]) -> dict[str, PlainVariable]:
        """Return name in the scene -> variable, with the units that the mapping states."""
        return {name: _first_of(found, in_file) for name, found in self.plain.items()}

    @field_validator("sensor", "time_coverage_start", "time_coverage_end", mode="before")
    @classmethod
    def _one_or_several(cls, given: Any) -> Any:
        return [given] if isinstance(given, Mapping | Strict) else () if given is None else given

    @model_validator(mode="after")
    def _masks_exist(self) -> "FileMapping":
        for name in (self.masks, *self.masks_of_sensor.values()):
            if name is not None and name not in mask_presets():
                raise ValueError(
                    f"masks: unknown list {name!r}; known are {', '.join(mask_presets())}"
                )
        return self


def _first_of(
    variable: str | tuple[str, ...] | PlainVariable, in_file: Container[str]
) -> PlainVariable:
    if isinstance(variable, PlainVariable):
        return variable
    names = (variable,) if isinstance(variable, str) else variable
    return PlainVariable(variable=next((name for name in names if name in in_file), names[0]))


class NetcdfOptions(UnitOptions):
    """Options that choose a mapping and change it."""

    of_format = "cf_netcdf"
    preset: str | None = None
    """Name of a shipped mapping; by default, the shipped mapping that fits the file's content."""
    mapping: dict[str, Any] = Field(default_factory=dict)
    """A whole mapping, or the keys that differ from the preset."""
    wavelengths: dict[str, Wavelengths] = Field(default_factory=dict)
    """Wavelength (nm) by variable name; overrides the file and the preset. A 3-D variable needs a
    list with one wavelength for each band."""
    valid_pixel_expression: Literal["honour", "ignore"] = "honour"
    """``honour``: values are missing where the file's ``valid_pixel_expression`` is not true.
    ``ignore``: the expression has no effect."""
    time: int | str | None = None
    """The time to read from a file with several times: its number, counted from 0, or the beginning
    of its date and time in ISO 8601 (``2020-01-02``)."""

    @field_validator("preset")
    @classmethod
    def _is_known(cls, name: str | None) -> str | None:
        if name is not None and name not in presets():
            raise ValueError(f"unknown preset; known presets are {', '.join(presets())}")
        return name

    @field_validator("mapping")
    @classmethod
    def _is_whole(cls, mapping: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        preset = info.data.get("preset")
        if mapping and (preset or "spectral" in mapping):
            try:
                FileMapping.model_validate({**(presets()[preset] if preset else {}), **mapping})
            except ValidationError as error:
                complaints = [f"mapping.{line}" for line in complaints_of(error, FileMapping)]
                raise ValueError("; ".join(complaints)) from None
        return mapping

    def resolved(self, recognised: str | None = None, suffix: str = "") -> FileMapping:
        """Return the mapping of these options; without ``preset``, use the preset ``recognised``.

        ``suffix`` is used if the mapping does not state one.
        """
        name = self.preset or (None if self.mapping and "spectral" in self.mapping else recognised)
        data = presets()[name] if name else {}
        mapping = FileMapping.model_validate({"suffix": suffix, **data, **self.mapping})
        if not self.wavelengths:
            return mapping
        spectral = tuple(
            entry.model_copy(update={"wavelengths": entry.wavelengths | self.wavelengths})
            for entry in mapping.spectral
        )
        return mapping.model_copy(update={"spectral": spectral})


@functools.cache
def presets() -> Mapping[str, dict[str, Any]]:
    """Return the shipped mappings by name, as plain data."""
    files = sorted((shipped_configs() / "formats" / "netcdf").glob("*.yaml"))
    found = {file.stem: read_shipped(file) for file in files}
    for data in found.values():
        FileMapping.model_validate(data)  # a mistake in a shipped mapping fails at once
    return found
