"""Names and units of physical quantities, from ``configs/quantities.yaml``."""

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.facts.shipped import read_shipped, shipped_configs


@dataclass(frozen=True)
class Quantity:
    """A quantity with its units, its long name and its CF standard name, if it has one."""

    name: str
    units: str
    long_name: str
    standard_name: str | None = None
    possible: tuple[float, float] | None = None
    """Least and greatest value that can occur; None if any number can occur."""
    formerly: str = ""
    """The name of the quantity in older versions; empty if it has always had its name."""

    def is_possible(self, values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """Return True for each value that can occur, and False for other values and for NaN."""
        if self.possible is None:
            return np.asarray(~np.isnan(values))
        low, high = self.possible
        return np.asarray((values >= low) & (values <= high))

    def possible_only(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the values, with NaN instead of each value that cannot occur.

        If all values can occur, the array itself is returned.
        """
        if self.possible is None or values.size == 0:
            return values
        low, high = self.possible
        # If any value is NaN, these comparisons are false. Then each value is checked below.
        if low <= values.min() and values.max() <= high:
            return values
        return np.where(self.is_possible(values), values, values.dtype.type(np.nan))

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
    return {name: Quantity(name=name, **_checked(entry)) for name, entry in table.items()}


def stands_for(name: str, quantity: str) -> bool:
    """Return whether a name is the name of a quantity, or its name in older versions."""
    return name == quantity or (name != "" and name == _formerly(quantity))


def renamed(name: str, quantity: str) -> str:
    """Return a warning about the former name of a quantity; empty if the name is the present one.

    The former name may now be the name of another quantity.
    """
    if name == quantity:
        return ""
    now = f", and {name} is {quantities()[name].long_name}" if name in quantities() else ""
    return (
        f"{name} is taken for {quantity}, {quantities()[quantity].long_name}, which older versions "
        f"called {name}. Write {quantity} instead: it is the name now{now}"
    )


def meaning_changed(name: str) -> str:
    """Return a warning if the name meant another quantity in older versions; otherwise empty."""
    before = next((known for known in quantities().values() if known.formerly == name), None)
    if before is None or name not in quantities():
        return ""
    return (
        f"{name} is {quantities()[name].long_name}; in older versions it was {before.long_name}, "
        f"which is {before.name} now"
    )


def _formerly(quantity: str) -> str:
    return quantities()[quantity].formerly if quantity in quantities() else ""


def _checked(entry: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of an entry with the possible range, if any, as two numbers."""
    if "possible" not in entry:
        return entry
    low, high = map(float, entry["possible"])
    return {**entry, "possible": (low, high)}


def band_name(quantity: str, wavelength_nm: float | None) -> str:
    """Return the name of a band (``Rrs_443``), or of a quantity without wavelength.

    Wavelengths are rounded to whole nanometres, as in NASA's names of bands.
    """
    return quantity if wavelength_nm is None else f"{quantity}_{wavelength_nm:.0f}"
