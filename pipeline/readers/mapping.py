"""How a netCDF file that no reader knows by itself becomes a scene: typed, from YAML.

Presets lie in ``configs/formats/netcdf``; a run configuration may give a mapping of its own, whole
or on top of a preset.
"""

import functools
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator

from pipeline.config import ReaderOptions, Strict, complaints_of
from pipeline.facts.shipped import read_table, shipped_configs

Spectral = Literal["Rrs", "Rrs_unc", "Lrc", "rho_s", "rho_w"]

# (stored as, wanted) -> factor. Rrs = rho_w / pi: both are normalised by downwelling irradiance.
CONVERSIONS: dict[tuple[str, str], float] = {("rho_w", "Rrs"): 1 / math.pi}

# Spellings of the units of spectral quantities that files use -> the scene's.
UNITS = {
    "sr-1": "sr-1",
    "sr^-1": "sr-1",
    "sr**-1": "sr-1",
    "1/sr": "sr-1",
    "1 sr-1": "sr-1",
    "steradian-1": "sr-1",
    "1": "1",
    "dl": "1",
    "dimensionless": "1",
    "none": "1",
}


# The same of angles, humidity and the like.
PLAIN_UNITS = {
    **dict.fromkeys(("degree", "degrees", "deg"), "degree"),
    **dict.fromkeys(("percent", "%"), "percent"),
}


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    return text


class SpectralVariables(Strict):
    """The variables of one spectral quantity."""

    quantity: Spectral
    """What they become in the scene."""
    variables: str
    """Regular expression of their names; its group is the wavelength, unless that is given below.
    One name may stand for a 3-D variable."""
    stored_as: Spectral | None = None
    """What they are in the file, where that is another quantity: rho_w becomes Rrs by 1 / pi."""
    units: str | None = None
    """What their units are, where the file says nothing or something wrong."""
    wavelength_attribute: str | None = None
    """Attribute of each variable that holds its wavelength in nm."""
    wavelength_variable: str | None = None
    """Variable that holds the wavelengths of a 3-D variable in nm."""
    wavelengths: dict[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    """Wavelength (nm) by variable name, over what the file says."""

    _is_pattern = field_validator("variables")(_pattern)

    @model_validator(mode="after")
    def _is_convertible(self) -> "SpectralVariables":
        pair = (self.stored_as, self.quantity)
        if self.stored_as not in (None, self.quantity) and pair not in CONVERSIONS:
            raise ValueError(f"{self.stored_as} cannot be converted into {self.quantity}")
        return self


class Flags(Strict):
    """The variable that holds the file's flags."""

    variable: str
    masks: dict[str, Annotated[int, Field(gt=0)]] = Field(default_factory=dict)
    """Name -> bits, where the file has no flag_masks and flag_meanings."""


class Recognition(Strict):
    """How a file of this mapping is told from others: all of it must hold."""

    attributes: dict[str, str] = Field(default_factory=dict)
    """Global attribute -> regular expression that its text must match."""
    variables: tuple[str, ...] = ()
    """Regular expressions, each of which must match a variable."""


class Time(Strict):
    """A global attribute with a time."""

    attribute: str
    format: str | None = None
    """As in strptime; none for ISO 8601."""


class SensorName(Strict):
    """A global attribute that names the sensor in other words than the sensor tables."""

    attribute: str
    names: dict[str, str] = Field(default_factory=dict)
    """Text of the attribute -> name of the sensor."""


class FileMapping(Strict):
    """What the variables of a file are."""

    title: str = ""
    recognise: Recognition | None = None
    groups: tuple[str, ...] = ()
    """Groups whose variables are read too, as ``group/variable``."""
    latitude: str = "latitude"
    longitude: str = "longitude"
    spectral: tuple[SpectralVariables, ...] = Field(min_length=1)
    plain: dict[str, str] = Field(default_factory=dict)
    """Scene name -> variable: angles and others that networks or expressions use."""
    flags: Flags | None = None
    missing: tuple[float, ...] = ()
    """Stored numbers of spectral variables that mean missing, besides their fill values."""
    valid_range: tuple[float, float] | None = None
    """Stored numbers of spectral variables that are valid, over what the file says."""
    sensor: SensorName | None = None
    time_coverage_start: Time | None = None
    time_coverage_end: Time | None = None
    brdf_correction: Literal["none", "f/Q", "unknown"] = "unknown"


class NetcdfOptions(ReaderOptions):
    """Which mapping, and what to change in it."""

    preset: str | None = None
    """Name of a shipped mapping; without it and without a mapping the content decides."""
    mapping: dict[str, Any] = Field(default_factory=dict)
    """A mapping, or those of its keys that differ from the preset."""
    wavelengths: dict[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    """Wavelength (nm) by variable name, over what the file and the preset say."""

    @field_validator("preset")
    @classmethod
    def _is_known(cls, name: str | None) -> str | None:
        if name is not None and name not in presets():
            raise ValueError(f"unknown preset; known are {', '.join(presets())}")
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

    def resolved(self, recognised: str | None = None) -> FileMapping:
        """The mapping these options mean; ``recognised`` names a preset where they name none."""
        name = self.preset or (None if self.mapping and "spectral" in self.mapping else recognised)
        data = presets()[name] if name else {}
        mapping = FileMapping.model_validate({**data, **self.mapping})
        if not self.wavelengths:
            return mapping
        spectral = tuple(
            entry.model_copy(update={"wavelengths": entry.wavelengths | self.wavelengths})
            for entry in mapping.spectral
        )
        return mapping.model_copy(update={"spectral": spectral})


@functools.cache
def presets() -> Mapping[str, dict[str, Any]]:
    """The shipped mappings by name, as plain data."""
    files = sorted((shipped_configs() / "formats" / "netcdf").glob("*.yaml"))
    return {file.stem: _read(file) for file in files}


def _read(file: Path) -> dict[str, Any]:
    data = read_table(file)
    FileMapping.model_validate(data)  # a shipped table that is wrong is found at once
    return data
