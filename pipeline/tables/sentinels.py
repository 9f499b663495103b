"""Find undeclared missing values: numbers such as -999 and 9.97e36."""

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipeline.tables.table import Array, Table, is_number

# -999, -9999.0, 99.99, -888: only nines or only eights.
_NINES = re.compile(r"-?(9{2,}|8{2,})(\.\1{1,3}|\.9+|\.8+|\.0)?")
# Fill values of netCDF, of packed integers, and of other programs.
_FILLS = np.array(
    (
        *(-32767, -32768, 32767, 65535, -2147483647, -2147483648),
        *(1e20, 1e30, 1e32, 1e33, 1e34, 1e35, 1e36, 1e37, 9.96920996838687e36),
        *(-1e10, -1e30, -1e34, -3.4028234663852886e38, -9.999999),
    )
)
# A fill value is this many times larger than all other values.
_TIMES_LARGER = 10.0


def undeclared_missing(
    table: Table,
    column: str,
    not_missing: Sequence[float],
    section: str,
    used: npt.NDArray[np.bool_] | None = None,
) -> str | None:
    """Return a complaint if a column has an undeclared missing value, otherwise None.

    Args:
        table: the table.
        column: name of the column. A column with text other than numbers is not checked.
        not_missing: numbers that are known to be values.
        section: section of the configuration that has the keys ``missing`` and ``not_missing``.
        used: rows that matter, such as those that pass a filter; by default all.
    """
    values = table.columns[column]
    if table.is_text(column):
        if not all(is_number(str(cell)) for cell in values if cell):
            return None
        values = np.array([float(cell or "nan") for cell in values])
    found = implausible_edge(values, not_missing)
    if found is None or (used is not None and not (values[used] == found).any()):
        return None
    return (
        f"column {column!r} has {found:.9g} in {table.places(np.flatnonzero(values == found))}. "
        f"{found:.9g} looks like a missing value, but the file does not say so. Add the number to "
        f"{section}.missing, or to {section}.not_missing if it was measured"
    )


def implausible_edge(values: Array, known: Sequence[float] = ()) -> float | None:
    """Return the smallest or largest value if it can only stand for a missing value, else None.

    Such a value has only the digits 9 or 8, or it is a usual fill value. It is far from all other
    values. It is also negative, or huge, or it occurs at least twice.

    Args:
        values: the numbers of a column; NaN where missing.
        known: numbers that are known to be values.
    """
    present = values[np.isfinite(values)]
    if not present.size:
        return None
    for edge in (float(present.min()), float(present.max())):
        if edge not in known and _looks_missing(edge) and _stands_alone(edge, present):
            return edge
    return None


def _looks_missing(value: float) -> bool:
    is_fill = np.isclose(value, _FILLS, rtol=1e-6, atol=0).any()
    return bool(is_fill) or _NINES.fullmatch(f"{value:.12g}") is not None


def _is_certain(value: float) -> bool:
    """True if a number is too far from zero to be a measurement, however often it occurs."""
    return value <= -99 or abs(value) >= 1e10


def _stands_alone(edge: float, present: Array) -> bool:
    """Return True if a value is far from all other values, and too large or frequent to be real."""
    is_certain = _is_certain(edge)
    if not is_certain and np.count_nonzero(present == edge) < 2:
        return False
    # A file may have several such numbers, for example -999 and -888; none of them is a real value.
    distinct = np.unique(present[present != edge])
    others = np.array([v for v in distinct if not (_is_certain(v) and _looks_missing(v))])
    if not others.size:
        return edge < 0 or abs(edge) >= 1e10
    largest = float(np.abs(others).max())
    if abs(edge) >= _TIMES_LARGER * largest:
        return True
    is_opposite = edge < 0 <= float(others.min())
    return is_opposite and edge <= -99 and abs(edge) > float(others.max())
