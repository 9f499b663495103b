"""What the comment lines of a text table state: missing values, units and the licence."""

import re
from collections.abc import Sequence

from pipeline.tables.cells import split_cells
from pipeline.tables.table import is_number, table_error

_MARKS = r"[!#%/\s]*"
# "# license: CC BY 4.0", and NOMAD's "... data set for research use only."
_LICENCE = re.compile(
    rf"{_MARKS}(?:licen[cs]e\s*[:=]\s*(?P<text>.+)|(?P<line>.*\bresearch use\b.*))", re.IGNORECASE
)
# "#/missing=-999" as in SeaBASS, "# missing_value: -999, -9999", "# missing values are -999".
_MISSING = re.compile(
    rf"{_MARKS}(?:missing(?:[_ ](?:data|values?))?|_?fill[_ ]?values?|no[_ ]?data(?:[_ ]values?)?|"
    r"(?:below|above)_detection_limit)\s*(?:[:=]|\b(?:is|are)\b)\s*(?P<numbers>.+)",
    re.IGNORECASE,
)
# "-999, -9999 (not measured)" or "reported as -999", but no number of a sentence: "on 3 September".
_NUMBER = r"(?:[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|nan|n/?a|none|null)"
_LIST = re.compile(
    rf"(?:\w+\s+(?:as|by|with|to)\s+)?['\"]?(?P<list>{_NUMBER}(?:(?:\s*[,;]\s*|\s+(?:and|or)\s+|\s+)"
    rf"{_NUMBER})*)['\"]?\s*(?:$|[(;.,!#])",
    re.IGNORECASE,
)
_UNITS = re.compile(rf"{_MARKS}units\s*[:=]\s*(?P<units>.+)", re.IGNORECASE)
_NAMED_UNITS = re.compile(r"([^\s,;]+) \[([^\]]*)\]")


def licence_in(comments: Sequence[str]) -> str:
    """Return the licence or the allowed use that comments state; "" if neither is stated."""
    said = [match for line in comments if (match := _LICENCE.match(line))]
    return " ".join((match["text"] or match["line"]).strip() for match in said)


def missing_in(comments: Sequence[str]) -> tuple[float, ...]:
    """Return the numbers that comments state as missing values or detection limits."""
    texts = [match["numbers"] for line in comments if (match := _MISSING.fullmatch(line.strip()))]
    lists = [match["list"] for text in texts if (match := _LIST.match(text))]
    cells = [cell for text in lists for cell in re.split(r"[,;\s]+", text)]
    return tuple(float(cell) for cell in cells if is_number(cell))


def units_in(name: str, comments: Sequence[str], columns: Sequence[str]) -> dict[str, str]:
    """Return the units that comments state for columns.

    The units are listed in the order of the columns (``#/units=none,degrees,1/sr``), or with the
    names (``# units: Rrs_443 [sr-1], chl [mg m-3]``).

    Raises:
        ConfigError: a line ``#/units=`` does not have one entry for each column.
    """
    found: dict[str, str] = {}
    for line in comments:
        match = _UNITS.fullmatch(line.strip())
        if match is None:
            continue
        named = _NAMED_UNITS.findall(match["units"])
        listed = split_cells(match["units"], ",")
        if named:
            found |= {column: units for column, units in named if column in columns}
        elif len(listed) == len(columns):
            found |= dict(zip(columns, listed, strict=True))
        elif "/units=" in line.lower():
            raise table_error(
                name,
                f"{line.strip()!r} has {len(listed)} entries, expected {len(columns)}, one "
                "for each column of the header. Correct the line",
            )
    return found
