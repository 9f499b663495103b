"""How far modelled values are from observed ones, as ocean colour states it.

Bias and mean absolute error are those of Seegers et al. 2018 (Optics Express 26, 7404,
doi:10.1364/OE.26.007404): quantities that span decades are compared as logarithms, and the mean
difference is given as a factor.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from pipeline.errors import ConfigError

Array = npt.NDArray[np.float64]
Rows = npt.NDArray[np.bool_]
NAN = float("nan")


@dataclass(frozen=True)
class Metrics:
    """What is said about one quantity; NaN where too few rows or constant values leave it open."""

    log: bool
    """Whether the logarithms to base 10 were compared; else the values themselves were."""
    observed: int
    """Rows with an observation; for logarithms, with a positive one."""
    n: int
    """Those of them for which the model gives a value that can be compared."""
    failures: float
    """Share of the observed rows without: not finite or, for logarithms, zero or negative."""
    bias: float
    """``10 ** mean(log10 m - log10 o)``, 1 at best; else ``mean(m - o)``, in units."""
    mae: float
    """``10 ** mean(abs(log10 m - log10 o))``, 1 at best; else ``mean(abs(m - o))``, in units."""
    rmse: float
    """Root of the mean squared difference, in decades; without logarithms in units."""
    r2: float
    """Square of Pearson's correlation, of logarithms where these are compared."""
    median_percentage: float
    """Median of ``100 * abs(m - o) / abs(o)``, of the values themselves in either case."""
    slope: float
    """Of the reduced major axis (type II): the errors of both sides count."""
    intercept: float
    """Of the same line; of logarithms where these are compared."""

    def numbers(self) -> dict[str, float | int | bool]:
        """Name -> number, in the order above."""
        return asdict(self)


def metrics(observed: npt.ArrayLike, modelled: npt.ArrayLike, log: bool = True) -> Metrics:
    """Compare modelled with observed values.

    Args:
        observed: NaN where there is no observation, with shape (n,).
        modelled: with shape (n,).
        log: compare logarithms; False for quantities that may be zero or negative.

    Raises:
        ConfigError: the two differ in shape.
    """
    o, m = _pair(observed, modelled)
    with_observation = usable(o, log)
    compared = with_observation & usable(m, log)
    seen, n = int(with_observation.sum()), int(compared.sum())
    failures = 1.0 - n / seen if seen else NAN
    if n == 0:
        return Metrics(log, seen, 0, failures, NAN, NAN, NAN, NAN, NAN, NAN, NAN)
    o, m = o[compared], m[compared]
    a, b = comparable(o, log), comparable(m, log)
    difference = b - a
    r2, slope, intercept = _line(a, b)
    return Metrics(
        log=log,
        observed=seen,
        n=n,
        failures=failures,
        bias=_factor(float(difference.mean()), log),
        mae=_factor(float(np.abs(difference).mean()), log),
        rmse=float(np.sqrt(np.square(difference).mean())),
        r2=r2,
        median_percentage=_median_percentage(o, m),
        slope=slope,
        intercept=intercept,
    )


def metrics_by_group(
    observed: npt.ArrayLike, modelled: npt.ArrayLike, groups: Iterable[object], log: bool = True
) -> dict[str, Metrics]:
    """The metrics of each group (a cruise, a site), by its name in alphabetical order.

    Args:
        observed: with shape (n,).
        modelled: with shape (n,).
        groups: the group of each row, n of them.
        log: as for :func:`metrics`.
    """
    o, m = _pair(observed, modelled)
    names, rows = rows_by_group(groups, o.size)
    return {
        name: metrics(o[of_group], m[of_group], log)
        for name, of_group in zip(names, rows, strict=True)
    }


def rows_by_group(
    groups: Iterable[object], count: int
) -> tuple[list[str], list[npt.NDArray[np.intp]]]:
    """Names of the groups in alphabetical order, and the rows of each."""
    names, index = group_index(groups, count)
    # One sort instead of a comparison for each group: there may be thousands of groups.
    order = np.argsort(index, kind="stable")
    ends = np.cumsum(np.bincount(index, minlength=len(names)))
    return names, np.split(order, ends[:-1]) if names else []


def group_index(groups: Iterable[object], count: int) -> tuple[list[str], npt.NDArray[np.intp]]:
    """Names of the groups in alphabetical order, and the place of each row's group among them.

    Raises:
        ConfigError: there is not one group for each row.
    """
    labels = np.array([str(group) for group in groups], dtype=np.str_)
    if labels.size != count:
        raise ConfigError(
            f"found {labels.size} groups for {count} rows. Give the group of each row."
        )
    names, index = np.unique(labels, return_inverse=True)
    return [str(name) for name in names], index.astype(np.intp)


def common_rows(observed: npt.ArrayLike, *models: npt.ArrayLike, log: bool = True) -> Rows:
    """Rows with an observation for which every model gives a value, with shape (n,).

    A model that fails where it is difficult would look better than one that answers there.
    """
    rows = usable(np.asarray(observed, dtype=np.float64), log)
    for model in models:
        rows &= usable(_pair(observed, model)[1], log)
    return rows


def usable(values: Array, log: bool) -> Rows:
    """Which values can be compared: finite and, for logarithms, positive."""
    finite = np.isfinite(values)
    return finite & (values > 0) if log else finite


def comparable(values: Array, log: bool) -> Array:
    """What is compared of usable values: their logarithms, or they themselves."""
    return np.log10(values) if log else values


def residual(observed: npt.ArrayLike, modelled: npt.ArrayLike, log: bool = True) -> Array:
    """``log10 m - log10 o``, or ``m - o``; NaN where a row cannot be compared. With shape (n,)."""
    o, m = _pair(observed, modelled)
    rows = usable(o, log) & usable(m, log)
    difference = np.full(o.shape, np.nan)
    difference[rows] = comparable(m[rows], log) - comparable(o[rows], log)
    return difference


def _pair(observed: npt.ArrayLike, modelled: npt.ArrayLike) -> tuple[Array, Array]:
    o = np.asarray(observed, dtype=np.float64)
    m = np.asarray(modelled, dtype=np.float64)
    if o.ndim != 1 or o.shape != m.shape:
        raise ConfigError(
            f"observed has shape {o.shape} and modelled {m.shape}, expected (n,) for both. "
            "Give one quantity at a time, the same rows of both."
        )
    return o, m


def _factor(mean: float, log: bool) -> float:
    return float(10.0**mean) if log else mean


def _line(a: Array, b: Array) -> tuple[float, float, float]:
    """Squared correlation, slope and intercept of the reduced major axis."""
    # The standard deviation of equal numbers need not be zero in floating point, their span is.
    if a.size < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return NAN, NAN, NAN
    correlation = float(np.corrcoef(a, b)[0, 1])
    slope = float(np.sign(correlation) * b.std() / a.std())
    return correlation**2, slope, float(b.mean() - slope * a.mean())


def _median_percentage(observed: Array, modelled: Array) -> float:
    rows = observed != 0
    if not rows.any():
        return NAN
    share = np.abs(modelled[rows] - observed[rows]) / np.abs(observed[rows])
    return float(100.0 * np.median(share))
