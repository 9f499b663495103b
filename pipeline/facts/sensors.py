"""The sensors of ``configs/sensors``: names, platforms, and the bands of their networks."""

import functools
import re
from collections.abc import Mapping
from dataclasses import field
from typing import Annotated

from pydantic import ConfigDict, Field, SkipValidation, ValidationInfo, field_validator
from pydantic.dataclasses import dataclass

from pipeline.errors import ConfigError
from pipeline.facts.shipped import read_shipped, shipped_configs

# Gains are not converted, because products record them as they are in the tables: 1 or 1.0.
Gain = Annotated[float, SkipValidation]
_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, config=_STRICT)
class OcsmartVersion:
    """The bands of one version of a sensor's OC-SMART networks, in the order of the inputs."""

    lrc_bands_nm: tuple[float, ...]
    rrs_count: int
    iop_count: int

    def bands(self, kind: str) -> tuple[float, ...]:
        """Return the bands (nm) for a kind of network.

        The networks ``rrs`` and ``iop`` use only the first few of ``lrc_bands_nm``.
        """
        count = {"lrc": len(self.lrc_bands_nm), "rrs": self.rrs_count, "iop": self.iop_count}[kind]
        return self.lrc_bands_nm[:count]


@dataclass(frozen=True, config=_STRICT)
class OcsmartBands(OcsmartVersion):
    """The bands and gains of a sensor's OC-SMART networks; the bands belong to version 2.6.3."""

    gain_open: tuple[Gain, ...] = Field(default=(), validate_default=True)
    """Gains in open-ocean water for each band of ``lrc_bands_nm``; by default, each gain is 1."""
    gain_coastal: tuple[Gain, ...] = Field(default=(), validate_default=True)
    """Gains in coastal water for each band of ``lrc_bands_nm``; by default, each gain is 1."""
    open_ocean_ratio: float = 70.0
    """Smallest ratio (largest / smallest Rrs below 700 nm) of open-ocean water."""
    open_ocean_bands: int = 1
    """Number of bands at the blue end; in open ocean, the largest Rrs is in one of these bands."""
    older: tuple[OcsmartVersion, ...] = ()
    """Bands of older versions of the networks."""

    @field_validator("gain_open", "gain_coastal")
    @classmethod
    def _one_by_default(cls, gains: tuple[float, ...], info: ValidationInfo) -> tuple[float, ...]:
        return gains or (1.0,) * len(info.data["lrc_bands_nm"])

    def of_count(self, kind: str, count: int) -> tuple[float, ...] | None:
        """Return the bands (nm) of the version with ``count`` bands; None if it does not exist.

        If ``kind`` is ``first``, return the first ``count`` Lrc bands of the newest version.
        """
        if kind == "first":
            return self.lrc_bands_nm[:count] if count <= len(self.lrc_bands_nm) else None
        versions = (self.bands(kind), *(version.bands(kind) for version in self.older))
        return next((bands for bands in versions if len(bands) == count), None)


@dataclass(frozen=True, config=_STRICT)
class Sensor:
    """An instrument, its platforms, and the name that networks use for it."""

    name: str
    instruments: tuple[str, ...]
    platforms: tuple[str, ...]
    ocsmart: OcsmartBands | None = None
    """Bands of OC-SMART's networks; None if OC-SMART has no networks for the sensor."""
    bands_nm: tuple[float, ...] = ()
    """Bands (nm) with Rrs, for a sensor that OC-SMART has no networks for."""
    channels: Mapping[str, float] = field(default_factory=dict)
    """Centre (nm) for each band name in files. Names that contain the centre are not listed."""

    @property
    def rrs_bands_nm(self) -> tuple[float, ...]:
        """The bands (nm) with Rrs."""
        return self.ocsmart.bands("rrs") if self.ocsmart is not None else self.bands_nm


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


@functools.cache
def sensors() -> dict[str, Sensor]:
    """Return all sensors of ``configs/sensors`` by name."""
    files = sorted((shipped_configs() / "sensors").glob("*.yaml"))
    found = (Sensor(**read_shipped(file)) for file in files)
    return {sensor.name: sensor for sensor in found}


def find_sensor(name: str) -> Sensor:
    """Return the sensor with this name; case and punctuation are ignored.

    Raises:
        ConfigError: no table has this sensor.
    """
    for sensor in sensors().values():
        if _plain(sensor.name) == _plain(name):
            return sensor
    raise ConfigError(
        f"unknown sensor {name!r}; known are {', '.join(sensors())}. "
        "Correct the name, or add a table to configs/sensors."
    )


def identify_sensor(platform: str, instrument: str) -> str:
    """Return the name of the sensor with this platform and instrument; "" if it is unknown."""
    for sensor in sensors().values():
        platforms = {_plain(known) for known in sensor.platforms}
        instruments = {_plain(known) for known in sensor.instruments}
        if _plain(platform) in platforms and _plain(instrument) in instruments:
            return sensor.name
    return ""
