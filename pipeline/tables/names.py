"""Names and units of columns, from the header of a table."""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.errors import ConfigError
from pipeline.files.limits import TABLE_COLUMNS
from pipeline.tables.table import is_number, listed, table_error
from pipeline.times.text import Resolution, parse_time

# A name, then [units], then (a comment); a table without brackets has (units).
_TITLE = re.compile(r"(.*?\S)\s*(?:\[([^\]]*)\])?\s*(?:\(([^()]*)\))?", re.DOTALL)
# "412", "412nm", PANGAEA's "at 412nm", and "at 412nm, method ...".
_WAVELENGTH = re.compile(r"(?:at\s+)?0*(\d{3,4}(?:\.\d+)?)\s*(?:nm(?:,.*)?)?", re.IGNORECASE)
# A number in a header is the name of a column only if it may be a wavelength in nm.
_SHORTEST_NM, _LONGEST_NM = 200, 2500


@dataclass(frozen=True)
class Header:
    """The names and units of columns; all names are different."""

    names: tuple[str, ...]
    units: Mapping[str, str]
    repeated: Mapping[str, tuple[str, ...]]
    """A name that several columns have in the file -> the different names that they get."""

    @property
    def told(self) -> list[str]:
        """Messages about repeated names."""
        return [told_of_repeated(name, ours) for name, ours in self.repeated.items()]


def told_of_repeated(name: str, ours: Sequence[str]) -> str:
    """Return a message about columns that have the same name in the file."""
    return f"{len(ours)} columns are called {name!r}; ocpipe calls them {listed(ours, 8)}"


def header_of(name: str, titles: Sequence[str]) -> Header:
    """Return the names and units in the titles of columns, such as ``Rrs_443 [1/sr]``.

    A column without a title is named by its position. If titles differ only in
    brackets, the names keep the brackets. If titles are equal, the names get the positions too.

    Raises:
        ConfigError: the titles are values, so the header is missing.
    """
    TABLE_COLUMNS.check(len(titles), name, ConfigError)
    titles = [title or f"column_{place}" for place, title in enumerate(titles, start=1)]
    _refuse_values(name, titles)
    split = [split_units(title) for title in titles]
    short = [own for own, _ in split]
    owners = Counter(short)
    names = [title if owners[own] > 1 else own for title, own in zip(titles, short, strict=True)]
    bearers = Counter(names)
    # A title without brackets is not the name if others with the same name have brackets.
    unique = [
        f"{own} (column {place})" if bearers[name] > 1 or owners[name] > 1 else name
        for place, (name, own) in enumerate(zip(names, short, strict=True), start=1)
    ]
    ours: dict[str, list[str]] = {}
    for own, name_of_one in zip(short, unique, strict=True):
        ours.setdefault(own, []).append(name_of_one)
    repeated = {own: tuple(several) for own, several in ours.items() if len(several) > 1}
    units = {own: units for own, (_, units) in zip(unique, split, strict=True) if units}
    return Header(tuple(unique), units, repeated)


def split_units(title: str) -> tuple[str, str]:
    """Split ``Rrs_443 [1/sr]`` into ``Rrs_443`` and ``1/sr``; units are "" if there are none.

    ``Chl a [ug/l] (HPLC)`` has the units ug/l. ``Lwn[412nm]`` is the column ``Lwn_412``, and
    ``RRS [1/sr] (at 412nm)`` is ``RRS_412`` in 1/sr.
    """
    match = _TITLE.fullmatch(title)
    if match is None:
        return title, ""
    name, *bracketed = match.groups()
    texts = [text.strip() for text in bracketed if text is not None]
    wavelength = next((w for text in texts if (w := _WAVELENGTH.fullmatch(text))), None)
    if wavelength is not None:
        return f"{name}_{wavelength[1]}", next((t for t in texts if t != wavelength[0]), "")
    return name, texts[0] if texts else ""


def _refuse_values(name: str, titles: Sequence[str]) -> None:
    values = [title for title in titles if _is_value(title)]
    if values or all(is_number(title) for title in titles):
        shown = ", ".join(titles[:5]) + (" ..." if len(titles) > 5 else "")
        raise table_error(
            name,
            f"the header is missing: the first line is {shown}, expected names of columns. Add a "
            "line with the names above the rows",
        )


def _is_value(title: str) -> bool:
    """Whether a title can only be a value: a time, or a number that is not a wavelength."""
    time = parse_time(title)
    if time is not None and time.resolution >= Resolution.DAY and not title.isdecimal():
        return True
    if not is_number(title) or title.isdecimal():
        return False
    number = float(title)
    return math.isfinite(number) and not _SHORTEST_NM <= number <= _LONGEST_NM
