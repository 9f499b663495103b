"""What a physical quantity is called and measured in, from ``configs/quantities.yaml``."""

import functools
from dataclasses import dataclass

from pipeline.facts.shipped import read_shipped, shipped_configs


@dataclass(frozen=True)
class Quantity:
    """A quantity with its units, its long name and, where CF has one, its standard name."""

    name: str
    units: str
    long_name: str
    standard_name: str | None = None

    def attributes(self) -> dict[str, str]:
        """The CF attributes of a variable of this quantity."""
        attributes = {"long_name": self.long_name, "units": self.units}
        if self.standard_name:
            attributes["standard_name"] = self.standard_name
        return attributes


@functools.cache
def quantities() -> dict[str, Quantity]:
    """All known quantities by name."""
    table = read_shipped(shipped_configs() / "quantities.yaml")
    return {name: Quantity(name=name, **entry) for name, entry in table.items()}


def band_name(quantity: str, wavelength_nm: float | None) -> str:
    """``Rrs_443`` for a band, ``solar_zenith`` for what has no wavelength.

    Wavelengths are rounded to whole nanometres, as NASA names its bands.
    """
    return quantity if wavelength_nm is None else f"{quantity}_{wavelength_nm:.0f}"
