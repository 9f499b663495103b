"""Statistics of a window: mean or median without outliers, and the variation of its pixels."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from pipeline.tables.table import Array


@dataclass(frozen=True)
class Statistic:
    """The statistics of one band in a window."""

    value: float
    """Mean or median; NaN if there are too few values."""
    deviation: float
    """Sample standard deviation (n - 1); NaN if there are fewer than two values."""
    count: int
    """Number of values used."""

    @property
    def variation(self) -> float:
        """Coefficient of variation (deviation / abs(value)); infinite if the value is zero."""
        if self.value == 0:
            return float("inf") if self.deviation > 0 else float("nan")
        return self.deviation / abs(self.value)


NO_STATISTIC = Statistic(float("nan"), float("nan"), 0)


def statistic_of(
    values: Array, least: int, outlier_deviations: float | None, kind: Literal["mean", "median"]
) -> Statistic:
    """Return the statistics of the finite values.

    Args:
        values: a band's values at the valid pixels, with shape (pixels,).
        least: smallest number of finite values (1 or more) for which ``value`` is not NaN.
        outlier_deviations: values farther from the mean than this number of standard deviations are
            removed; this is done only once. With None, all values are kept.
        kind: the statistic to compute as ``value``.
    """
    kept = values[np.isfinite(values)]
    if kept.size < least:
        return Statistic(float("nan"), float("nan"), kept.size)
    if outlier_deviations is not None and kept.size > 1:
        kept = kept[np.abs(kept - kept.mean()) <= outlier_deviations * kept.std(ddof=1)]
    value = kept.mean() if kind == "mean" else np.median(kept)
    deviation = kept.std(ddof=1) if kept.size > 1 else float("nan")
    return Statistic(float(value), float(deviation), kept.size)
