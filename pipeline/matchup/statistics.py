"""What stands for a window: mean or median after outliers went, and how much its pixels vary."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from pipeline.tables.table import Array


@dataclass(frozen=True)
class Statistic:
    """Of the values of one band in a window."""

    value: float
    """NaN where there is none."""
    deviation: float
    """Standard deviation of the sample (n - 1); NaN of less than two values."""
    count: int
    """Of the values it is made of."""

    @property
    def variation(self) -> float:
        """Coefficient of variation: deviation / abs(value); infinite of a value that is zero."""
        if self.value == 0:
            return float("inf") if self.deviation > 0 else float("nan")
        return self.deviation / abs(self.value)


def statistic_of(
    values: Array,
    least: int,
    outlier_deviations: float | None,
    kind: Literal["mean", "median"],
) -> Statistic:
    """Of the values that are numbers.

    Args:
        values: of a band's valid pixels, with shape (pixels,).
        least: so many numbers, one or more, must be there, else they stand for nothing.
        outlier_deviations: values farther from the mean than so many standard deviations go, once;
            None for none.
        kind: what stands for the values.
    """
    kept = values[np.isfinite(values)]
    if kept.size < least:
        return Statistic(float("nan"), float("nan"), kept.size)
    if outlier_deviations is not None and kept.size > 1:
        kept = kept[np.abs(kept - kept.mean()) <= outlier_deviations * kept.std(ddof=1)]
    value = kept.mean() if kind == "mean" else np.median(kept)
    deviation = kept.std(ddof=1) if kept.size > 1 else float("nan")
    return Statistic(float(value), float(deviation), kept.size)
