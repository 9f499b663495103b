"""Whether stated uncertainties are those that there are."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.evaluation.metrics import Array, comparable, usable

# Share of a normal distribution -> within so many standard deviations.
DEVIATIONS = {0.6827: 1.0, 0.95: 1.96}


@dataclass(frozen=True)
class Coverage:
    """How often the observed value lies in the interval around the modelled one."""

    rows: int
    held_68: float
    """Share of the rows within one standard deviation; 0.68 where it is right."""
    held_95: float
    """Share within 1.96 standard deviations."""
    median_deviation: float
    """In decades, or in units of the output."""


def coverage(
    observed: npt.ArrayLike, modelled: npt.ArrayLike, deviation: npt.ArrayLike, log: bool
) -> Coverage:
    """Of rows (n,) with an observation, a modelled value and its standard deviation.

    Args:
        observed: in physical units, with shape (n,).
        modelled: the same.
        deviation: of log10 where ``log``, with shape (n,).
        log: whether logarithms are compared.
    """
    ratio, size = ratios(observed, modelled, deviation, log)
    one, two = (
        (float(np.mean(ratio <= times)) for times in DEVIATIONS.values())
        if ratio.size
        else (
            math.nan,
            math.nan,
        )
    )
    return Coverage(ratio.size, one, two, float(np.median(size)) if size.size else math.nan)


def ratios(
    observed: npt.ArrayLike, modelled: npt.ArrayLike, deviation: npt.ArrayLike, log: bool
) -> tuple[Array, Array]:
    """Errors in standard deviations, without sign, and these, of the rows that have all."""
    o, m, d = (np.asarray(each, dtype=np.float64) for each in (observed, modelled, deviation))
    rows = usable(o, log) & usable(m, log) & np.isfinite(d) & (d > 0)
    return np.abs(comparable(m[rows], log) - comparable(o[rows], log)) / d[rows], d[rows]
