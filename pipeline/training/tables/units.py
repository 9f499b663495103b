"""Units as factors and powers, so that ``1/sr``, ``sr^-1`` and ``sr-1`` are the same."""

import functools
import math
import re
from dataclasses import dataclass

_PREFIXES = {"": 1.0, "k": 1e3, "h": 1e2, "c": 1e-2, "m": 1e-3, "u": 1e-6, "n": 1e-9}
# Symbol -> factor and powers of the units that all others are made of.
_SYMBOLS: dict[str, tuple[float, dict[str, int]]] = {
    "m": (1.0, {"m": 1}),
    "g": (1.0, {"g": 1}),
    "l": (1e-3, {"m": 3}),
    "L": (1e-3, {"m": 3}),
    "s": (1.0, {"s": 1}),
    "W": (1.0, {"W": 1}),
    "sr": (1.0, {"sr": 1}),
    "mol": (1.0, {"mol": 1}),
    "Pa": (1.0, {"Pa": 1}),
}
_WORDS: dict[str, tuple[float, dict[str, int]]] = {
    "percent": (1e-2, {}),
    "unitless": (1.0, {}),
    "dimensionless": (1.0, {}),
    "meter": (1.0, {"m": 1}),
    "metre": (1.0, {"m": 1}),
    "nanometer": (1e-9, {"m": 1}),
    "nanometre": (1e-9, {"m": 1}),
    "liter": (1e-3, {"m": 3}),
    "litre": (1e-3, {"m": 3}),
    "watt": (1.0, {"W": 1}),
    "steradian": (1.0, {"sr": 1}),
    "degree": (1.0, {"degree": 1}),
    "deg": (1.0, {"degree": 1}),
    "degrees_north": (1.0, {"degree": 1}),
    "degrees_east": (1.0, {"degree": 1}),
    "rad": (math.degrees(1.0), {"degree": 1}),
    "radian": (math.degrees(1.0), {"degree": 1}),
}
SAYS_NOTHING = frozenset(("", "none", "unknown", "n/a", "na", "-", "?"))
_REWRITTEN = str.maketrans(
    {
        "\N{MICRO SIGN}": "u",
        "\N{GREEK SMALL LETTER MU}": "u",
        "\N{MINUS SIGN}": "-",
        "⁻": "-",
        "¹": "1",
        "²": "2",
        "³": "3",
        "⁴": "4",
        "·": " ",
    }
)
_FACTOR = re.compile(
    r"\s*(?P<mark>[/*.])?\s*(?P<name>[A-Za-z_]+|\d+(?:\.\d+)?)"
    r"(?:\s*(?:\^|\*\*)\s*\(?(?P<raised>[+-]?\d+)\)?|(?P<power>[+-]?\d+))?"
)


@dataclass(frozen=True)
class Units:
    """``factor`` times a product of powers of basic units."""

    factor: float
    powers: tuple[tuple[str, int], ...]

    def __mul__(self, other: "Units") -> "Units":
        return self._joined(other, 1)

    def __truediv__(self, other: "Units") -> "Units":
        return self._joined(other, -1)

    def raised(self, power: int) -> "Units":
        """These units to a power."""
        return Units(self.factor**power, tuple((n, p * power) for n, p in self.powers if power))

    def factor_to(self, other: "Units") -> float | None:
        """By what a value in these units is multiplied to be one in others; None: cannot be."""
        if self.powers != other.powers:
            return None
        factor = self.factor / other.factor
        return 1.0 if math.isclose(factor, 1.0, rel_tol=1e-9) else factor

    def _joined(self, other: "Units", sign: int) -> "Units":
        powers = dict(self.powers)
        for name, power in other.powers:
            powers[name] = powers.get(name, 0) + sign * power
        kept = tuple(sorted((name, power) for name, power in powers.items() if power))
        return Units(self.factor * other.factor**sign, kept)


@functools.cache
def parse_units(text: str) -> Units | None:
    """Units of a text; None where it says nothing.

    What is not known (PSU, degrees C) is a unit by itself, the same only as its own spelling.
    """
    plain = text.strip().translate(_REWRITTEN).replace("%", "percent")
    if plain.lower() in SAYS_NOTHING:
        return None
    total, place = Units(1.0, ()), 0
    while place < len(plain):
        match = _FACTOR.match(plain, place)
        if match is None:
            return Units(1.0, ((plain.lower(), 1),))
        power = int(match["raised"] or match["power"] or 1)
        total *= _unit(match["name"]).raised(-power if match["mark"] == "/" else power)
        place = match.end()
    return total


def nanometres_per(text: str) -> float | None:
    """Nanometres in one of these units; None where they are no length below a millimetre."""
    units = parse_units(text)
    factor = None if units is None else units.factor_to(Units(1e-9, (("m", 1),)))
    return factor if factor is not None and factor < 1e6 else None


def _unit(name: str) -> Units:
    if name[0].isdigit():
        return Units(float(name), ())
    word = _WORDS.get(name.lower()) or _WORDS.get(name.lower().removesuffix("s"))
    factor, powers = word or _symbol(name) or (1.0, {name.lower(): 1})
    return Units(factor, tuple(sorted(powers.items())))


def _symbol(name: str) -> tuple[float, dict[str, int]] | None:
    """``mg`` is a milligram: a prefix and a symbol."""
    for prefix, scale in _PREFIXES.items():
        symbol = _SYMBOLS.get(name.removeprefix(prefix)) if name.startswith(prefix) else None
        if symbol is not None:
            return scale * symbol[0], symbol[1]
    return None
