"""Check of stated uncertainties against the actual errors."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.evaluation.metrics import NAN, Array, comparable, usable

DEVIATIONS = {0.6827: 1.0, 0.95: 1.96}
"""Half-widths of central intervals of a normal distribution, in standard deviations. Each key is
the share of the values in the interval."""


@dataclass(frozen=True)
class IntervalCoverage:
    """Shares of the observed values that lie in the stated intervals around modelled values."""

    rows: int
    held_68: float
    """Share of the rows within one standard deviation; 0.68 for a correct uncertainty."""
    held_95: float
    """Share of the rows within 1.96 standard deviations."""
    median_deviation: float
    """Median standard deviation, in decades or in units of the output."""


def coverage(
    observed: npt.ArrayLike, modelled: npt.ArrayLike, deviation: npt.ArrayLike, log: bool
) -> IntervalCoverage:
    """Count how often observed values lie in the stated intervals.

    All arrays have shape (n,). ``deviation`` is the standard deviation of the modelled value, or of
    its decimal logarithm if logarithms are compared.
    """
    ratio, size = ratios(observed, modelled, deviation, log)
    if not ratio.size:
        return IntervalCoverage(0, NAN, NAN, NAN)
    one, two = (float(np.mean(ratio <= times)) for times in DEVIATIONS.values())
    return IntervalCoverage(ratio.size, one, two, float(np.median(size)))


def ratios(
    observed: npt.ArrayLike, modelled: npt.ArrayLike, deviation: npt.ArrayLike, log: bool
) -> tuple[Array, Array]:
    """Return absolute errors divided by standard deviations, and the standard deviations.

    Rows without a valid error or a valid standard deviation are left out.
    """
    o, m, d = (np.asarray(each, dtype=np.float64) for each in (observed, modelled, deviation))
    rows = usable(o, log) & usable(m, log) & np.isfinite(d) & (d > 0)
    return np.abs(comparable(m[rows], log) - comparable(o[rows], log)) / d[rows], d[rows]
