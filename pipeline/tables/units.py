"""Converts units in the spellings that files use: ``1/sr``, ``sr^-1`` and ``sr-1`` are the same."""

import functools
import logging
import math
import re
import tokenize
from pathlib import Path
from typing import Any

SAYS_NOTHING = frozenset(("", "none", "unknown", "n/a", "na", "-", "?"))
# Common spellings of units; they do not need pint, which takes a second to load. SNAP writes dl for
# dimensionless values, which pint would read as decilitres.
_SAME = {
    **dict.fromkeys(("sr^-1", "sr**-1", "1/sr", "1 sr-1", "steradian-1"), "sr-1"),
    **dict.fromkeys(("dl", "none", "dimensionless", "unitless"), "1"),
    **dict.fromkeys(("degrees", "deg", "arc_degree", "arc_degrees"), "degree"),
    # CF's spellings of latitude and longitude, in small letters.
    **{
        f"{degree}{between}{side}": "degree"
        for degree in ("degree", "degrees")
        for between, sides in (("_", ("north", "east", "n", "e")), ("", ("n", "e")))
        for side in sides
    },
    "%": "percent",
}
_LONGEST = 60
_SPELLINGS = str.maketrans(
    {
        "\N{MICRO SIGN}": "u",
        "\N{GREEK SMALL LETTER MU}": "u",
        "\N{MIDDLE DOT}": " ",
        "\N{MINUS SIGN}": "-",
        "\N{SUPERSCRIPT MINUS}": "-",
        "%": " percent ",
        "\N{SUPERSCRIPT ONE}": "1",
        "\N{SUPERSCRIPT TWO}": "2",
        "\N{SUPERSCRIPT THREE}": "3",
    }
)
_BRACKETED_POWER = re.compile(r"\(\s*([+-]?\d+)\s*\)")
_POWER = re.compile(r"(?<=[A-Za-z])([+-]?\d{1,2})(?![\d.])")
# ``kg.m-3``, but not ``0.1``.
_DOT = re.compile(r"\.(?=[A-Za-z])")
_PLAIN = re.compile(r"[A-Za-z0-9_ ./*+-]+")
_TOWER = re.compile(r"\*\*\s*[+-]?[\d.]+\s*\*\*")
# For pint, angles and solid angles are numbers, so a reflectance would count as Rrs.
_DEFINITIONS = (
    "steradian = [solid_angle] = sr",
    "radian = [plane_angle] = rad",
    "degree = 0.017453292519943295 * radian = deg",
    "unitless = []",
    "degrees_north = degree",
    "degrees_east = degree",
    "einstein = mole = Einstein",
)


def says_units(text: str) -> bool:
    """Tell whether a text names any units."""
    return text.strip().lower() not in SAYS_NOTHING


def factor_between(said: str, wanted: str) -> float | None:
    """Return the factor from one unit to another; None if a factor cannot convert them.

    An unknown unit (PSU) matches only the same spelling.
    """
    plain = [text.strip().lower() for text in (said, wanted)]
    if _SAME.get(plain[0], plain[0]) == _SAME.get(plain[1], plain[1]):
        return 1.0
    found, expected = _parsed(said), _parsed(wanted)
    if found is None or expected is None or found.dimensionality != expected.dimensionality:
        return None
    import pint

    try:
        factor = float(found.to(expected.units).magnitude / expected.magnitude)
    except (pint.PintError, ArithmeticError):
        return None  # such as degrees C and K, which also differ by an offset
    return 1.0 if math.isclose(factor, 1.0, rel_tol=1e-9) else factor


def nanometres_per(text: str) -> float | None:
    """Return how many nm a unit is; None if it is 1 mm or longer, or not a unit of length."""
    factor = factor_between(text, "nm") if says_units(text) else None
    return factor if factor is not None and factor < 1e6 else None


@functools.cache
def _registry() -> Any:
    """Return pint's units with our definitions; loading pint takes a second."""
    import pint

    # A complete registry would not accept new definitions of units that it has.
    registry: Any = pint.UnitRegistry(None)
    registry.load_definitions(Path(pint.__file__).with_name("default_en.txt"))
    # Each definition replaces one on purpose, and pint would warn about it.
    log = logging.getLogger("pint.util")
    level = log.level
    log.setLevel(logging.ERROR)
    for definition in _DEFINITIONS:
        registry.define(definition)
    log.setLevel(level)
    return registry


@functools.lru_cache(maxsize=1024)
def _parsed(text: str) -> Any:
    """Return units as a quantity of pint; None if the text is not a unit."""
    plain = _BRACKETED_POWER.sub(r"\1", text.translate(_SPELLINGS).replace("^", "**"))
    plain = _POWER.sub(r"**\1", _DOT.sub(" ", plain)).strip()
    # A tower of powers, 9**9**9**9, would never finish.
    if len(plain) > _LONGEST or not _PLAIN.fullmatch(plain) or _TOWER.search(plain):
        return None
    import pint

    mistakes = (pint.PintError, tokenize.TokenError, TypeError, ValueError, AttributeError)
    try:
        return _registry().Quantity(1.0, "") * _registry().parse_expression(plain)
    except (*mistakes, ArithmeticError, SyntaxError, AssertionError, KeyError):
        return None
