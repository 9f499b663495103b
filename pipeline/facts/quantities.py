"""Names and units of physical quantities, from ``configs/quantities.yaml``."""

import functools
from dataclasses import dataclass

from pipeline.facts.shipped import read_shipped, shipped_configs


@dataclass(frozen=True)
class Quantity:
    """A quantity with its units, its long name and its CF standard name, if it has one."""

    name: str
    units: str
    long_name: str
    standard_name: str | None = None

    def attributes(self) -> dict[str, str]:
        """Return the CF attributes of a variable of this quantity."""
        attributes = {"long_name": self.long_name, "units": self.units}
        if self.standard_name:
            attributes["standard_name"] = self.standard_name
        return attributes


@functools.cache
def quantities() -> dict[str, Quantity]:
    """Return all known quantities by name."""
    table = read_shipped(shipped_configs() / "quantities.yaml")
    return {name: Quantity(name=name, **entry) for name, entry in table.items()}


def band_name(quantity: str, wavelength_nm: float | None) -> str:
    """Return the name of a band (``Rrs_443``), or of a quantity without wavelength.

    Wavelengths are rounded to whole nanometres, as in NASA's names of bands.
    """
    return quantity if wavelength_nm is None else f"{quantity}_{wavelength_nm:.0f}"
