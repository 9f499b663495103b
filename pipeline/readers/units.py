"""Checks the units of a variable in a file.

Known spellings are accepted. For other units, the error says how to state the right ones. Units
that differ from those of the scene are not converted. Files often state wrong units, such as
percent or ``10 sr-1``, although their values are right. Only the user knows the right units.
"""

import logging
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from pydantic import Field, field_validator

from pipeline.config import ReaderOptions
from pipeline.errors import SceneError
from pipeline.facts.quantities import quantities
from pipeline.readers.attributes import as_text
from pipeline.readers.cf_attributes import CfAttributes, numbers_in
from pipeline.tables.units import factor_between, says_units

log = logging.getLogger(__name__)

# Variables without units: by CF they are dimensionless, and angles are always in degrees.
NEEDS_NO_UNITS = frozenset(("1", "degree", "degrees_north", "degrees_east", "percent"))
# The scene has the difference of these two azimuths.
AZIMUTHS = ("sensor_azimuth", "solar_azimuth")
_LONGEST = 60


class UnitOptions(ReaderOptions):
    """The option of a reader that states the units of variables."""

    of_format: ClassVar[str]
    """Name of the format, for messages."""
    units: dict[str, str] = Field(default_factory=dict)
    """Units for a variable, or for all bands whose names share a part. The key is the name or this
    part. These units override those of the file."""

    @field_validator("units")
    @classmethod
    def _are_units(cls, units: dict[str, str]) -> dict[str, str]:
        empty = [name for name, text in units.items() if not says_units(text)]
        if empty:
            raise ValueError(f"no units are given for {', '.join(empty)}")
        return units

    def check(self, quantity: str, name: str, found: Any, *, group: str = "") -> None:
        """Refuse a variable whose units are not the expected ones.

        Args:
            quantity: the quantity of the variable; it determines the expected units.
            name: name of the variable.
            found: its units in the file; None if there are none.
            group: the part of the name that all bands share; options may use it as a key.
        """
        known = quantities().get("relative_azimuth" if quantity in AZIMUTHS else quantity)
        if known is None:
            return
        stated = self.units.get(name, self.units.get(group, found))
        if has_units(stated, known.units):
            return
        units = f"{{{group or name}: {quoted(known.units)}}}"
        raise SceneError(
            f"{name} has {in_words(stated)}, expected {known.units!r} for {quantity}. If its "
            f"values are in {known.units}, set reader: {{format: {self.of_format}, "
            f"options: {{units: {units}}}}}. Otherwise, convert the file."
        )

    def is_usable(self, quantity: str, name: str, found: Any) -> bool:
        """Whether an angle has known units; if not, a warning says that the angle is left out.

        Most runs use no angle, so the scene is not refused because of an angle with wrong units.
        """
        try:
            self.check(quantity, name, found)
        except SceneError as error:
            log.warning("%s is left out: %s", name, error)
            return False
        return True


def has_units(stated: Any, expected: str) -> bool:
    """Whether stated units are the expected units; angles and fractions need no units."""
    text = "" if stated is None else as_text(stated).strip()
    if not says_units(text):
        return expected in NEEDS_NO_UNITS
    return factor_between(text, expected) == 1.0


def in_words(stated: Any) -> str:
    """Return stated units for a message."""
    text = "" if stated is None else as_text(stated).strip()
    return f"units {text[:_LONGEST]!r}" if text else "no units"


def wavelengths_nm(name: str, stored: Any, attributes: Mapping[str, Any]) -> list[float]:
    """Return wavelengths in nm; refuse numbers and units that are not wavelengths.

    Args:
        name: name of the variable, for messages.
        stored: its numbers as stored, which may be text.
        attributes: its CF attributes.
    """
    units = attributes.get("units")
    text = "" if units is None else as_text(units)
    per_nm = factor_between(text, "nm") if says_units(text) else 1.0
    if per_nm is None:
        raise SceneError(f"{name} has {in_words(units)}, expected nm. Correct its units.")
    numbers = numbers_in(stored)
    packing = CfAttributes(attributes, np.asarray(stored).dtype, {})
    scale, offset = packing.scale, packing.offset
    centres = [
        (float(number) * scale + offset) * per_nm for number in (() if numbers is None else numbers)
    ]
    if not centres or not all(0 < nm < float("inf") for nm in centres):
        shown = ", ".join(f"{nm:g}" for nm in centres if not 0 < nm < float("inf"))
        raise SceneError(
            f"{name} has {shown or 'no numbers'}, expected wavelengths in nm. Use the original "
            "file, or the same product in another format."
        )
    return centres


def quoted(units: str) -> str:
    """Return units as they are written in YAML."""
    return f"'{units}'" if units == "1" else units
