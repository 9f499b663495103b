"""Metrics of modelled against observed values, as usual in ocean colour.

Bias and mean absolute error follow Seegers et al. 2018 (Optics Express 26, 7404,
doi:10.1364/OE.26.007404): quantities that span several powers of ten are compared as
logarithms, and the mean difference is given as a factor. To add a metric, add a row to ``METRICS``.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from pipeline.errors import ConfigError
from pipeline.evaluation.scales import (
    FACTOR_ABOVE_ONE,
    LOGARITHM,
    PLAIN,
    SQUARED_CORRELATION,
    Scale,
)

Array = npt.NDArray[np.float64]
Rows = npt.NDArray[np.bool_]
NAN = float("nan")
COUNT, DIFFERENCE, ABSOLUTE, SQUARE, X, Y, XX, YY, XY = range(9)
"""Indices of the columns in the array that :func:`moments` returns."""


@dataclass(frozen=True, eq=False)
class ComparedRows:
    """Rows in which both the observed and the modelled value can be compared."""

    observed: Array
    """Observed values in physical units, with shape (n,)."""
    modelled: Array
    """Modelled values in physical units, with shape (n,)."""
    log: bool
    """True if logarithms to base 10 are compared, False if the values themselves are compared."""

    @cached_property
    def difference(self) -> Array:
        """Modelled minus observed values (or differences of their logarithms), with shape (n,)."""
        return comparable(self.modelled, self.log) - comparable(self.observed, self.log)

    @cached_property
    def line(self) -> tuple[float, float, float]:
        """Squared correlation, and slope and intercept of the reduced major axis."""
        a, b = comparable(self.observed, self.log), comparable(self.modelled, self.log)
        # Rounding can give equal numbers a standard deviation above zero, but no span.
        if a.size < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
            return NAN, NAN, NAN
        correlation = float(np.corrcoef(a, b)[0, 1])
        slope = float(np.sign(correlation) * b.std() / a.std())
        return correlation**2, slope, float(b.mean() - slope * a.mean())


@dataclass(frozen=True)
class Metric:
    """A number that measures how well modelled values agree with observed ones."""

    name: str
    """Key in JSON files, and head of the column in CSV files."""
    label: str
    """Head of the column in tables."""
    of_rows: Callable[[ComparedRows], float]
    """Returns the metric of one or more rows, or NaN if it cannot be computed from these rows."""
    of_sums: Callable[[Array, bool], Array] | None = None
    """Computes the metric from two arguments: sums with shape (..., moment), and ``log``. None if
    the metric has no confidence interval."""
    units: str = ""
    """Units that tables write after the number."""
    scale: Scale = PLAIN
    """Scale on which the confidence interval is computed."""
    scale_of_log: Scale = PLAIN
    """The same if logarithms are compared."""


@dataclass(frozen=True)
class Metrics:
    """The metrics of one quantity; ``metrics["mae"]`` is the mean absolute error."""

    log: bool
    """True if logarithms to base 10 were compared, False if the values themselves were compared."""
    observed: int
    """Number of rows with an observation that can be compared."""
    n: int
    """Number of rows in which both the observed and the modelled value can be compared."""
    failures: float
    """Share of the observed rows whose modelled value cannot be compared."""
    values: Mapping[str, float]
    """Metrics by name; a metric is NaN if there are too few rows, or if the values are constant."""

    def __getitem__(self, name: str) -> float:
        return self.values[name]

    def numbers(self) -> dict[str, float | int | bool]:
        """Return all numbers by name, in the order of the JSON and CSV files."""
        counts = (self.log, self.observed, self.n, self.failures)
        return dict(zip(number_names(), (*counts, *self.values.values()), strict=True))


def number_names() -> list[str]:
    """Return the names of the numbers of :class:`Metrics`, in the order of the files."""
    return ["log", "observed", "n", "failures", *METRICS]


def metrics(observed: npt.ArrayLike, modelled: npt.ArrayLike, log: bool = True) -> Metrics:
    """Compare modelled with observed values.

    Args:
        observed: observed values with shape (n,), NaN where there is no observation.
        modelled: modelled values with shape (n,).
        log: True to compare logarithms, False for quantities that may be zero or negative.

    Raises:
        ConfigError: the two shapes differ.
    """
    o, m = _pair(observed, modelled)
    with_observation = usable(o, log)
    compared = with_observation & usable(m, log)
    seen, n = int(with_observation.sum()), int(compared.sum())
    rows = ComparedRows(o[compared], m[compared], log)
    return Metrics(
        log=log,
        observed=seen,
        n=n,
        failures=1.0 - n / seen if seen else NAN,
        values={name: metric.of_rows(rows) if n else NAN for name, metric in METRICS.items()},
    )


def metrics_by_group(
    observed: npt.ArrayLike, modelled: npt.ArrayLike, groups: Iterable[object], log: bool = True
) -> dict[str, Metrics]:
    """Return the metrics of each group (a cruise, a site), in alphabetical order of the groups.

    ``groups`` is the group of each row; other arguments are the same as in :func:`metrics`.
    """
    o, m = _pair(observed, modelled)
    rows = rows_by_group(groups, o.size)
    return {name: metrics(o[chosen], m[chosen], log) for name, chosen in rows.items()}


def rows_by_group(groups: Iterable[object], count: int) -> dict[str, npt.NDArray[np.intp]]:
    """Return the row numbers of each group, in alphabetical order of the groups."""
    names, index = group_index(groups, count)
    # One sort instead of a comparison for each group: there may be thousands of groups.
    order = np.argsort(index, kind="stable")
    ends = np.cumsum(np.bincount(index, minlength=len(names)))
    return dict(zip(names, np.split(order, ends[:-1]), strict=True)) if names else {}


def group_index(groups: Iterable[object], count: int) -> tuple[list[str], npt.NDArray[np.intp]]:
    """Return the group names in alphabetical order, and for each row the index of its group.

    Raises:
        ConfigError: the number of ``groups`` is not ``count``, the number of rows.
    """
    labels = np.array([str(group) for group in groups], dtype=np.str_)
    if labels.size != count:
        raise ConfigError(
            f"found {labels.size} groups for {count} rows. Give the group of each row."
        )
    names, index = np.unique(labels, return_inverse=True)
    return [str(name) for name in names], index.astype(np.intp)


def largest_first(rows: Mapping[str, int]) -> list[str]:
    """Return the non-empty groups, the largest first; equally large groups are sorted by name."""
    return [name for name in sorted(rows, key=lambda name: (-rows[name], name)) if rows[name]]


def common_rows(observed: npt.ArrayLike, *models: npt.ArrayLike, log: bool = True) -> Rows:
    """Return, for each row, whether the observation and the values of all models are usable.

    If models are compared on these rows, a model that fails on difficult rows has no advantage.
    """
    rows = usable(np.asarray(observed, dtype=np.float64), log)
    for model in models:
        rows &= usable(_pair(observed, model)[1], log)
    return rows


def usable(values: Array, log: bool) -> Rows:
    """Return True for finite values; if logarithms are compared, they must also be positive."""
    finite = np.isfinite(values)
    return finite & (values > 0) if log else finite


def comparable(values: Array, log: bool) -> Array:
    """Return the logarithms of usable values if ``log`` is true, else the values themselves."""
    return np.log10(values) if log else values


def residual(observed: npt.ArrayLike, modelled: npt.ArrayLike, log: bool = True) -> Array:
    """Return ``log10(modelled) - log10(observed)`` or ``modelled - observed``, with shape (n,).

    A row that cannot be compared is NaN.
    """
    o, m = _pair(observed, modelled)
    rows = usable(o, log) & usable(m, log)
    difference = np.full(o.shape, np.nan)
    difference[rows] = ComparedRows(o[rows], m[rows], log).difference
    return difference


def moments(a: Array, b: Array) -> Array:
    """Return the moments of compared values, with shape (row, moment)."""
    difference = b - a
    # Values are centred, because sums of squares of values far from zero lose digits.
    x, y = (a - a.mean(), b - b.mean()) if a.size else (a, b)
    columns = (np.ones_like(a), difference, np.abs(difference), np.square(difference))
    return np.stack((*columns, x, y, x * x, y * y, x * y), axis=1)


def _pair(observed: npt.ArrayLike, modelled: npt.ArrayLike) -> tuple[Array, Array]:
    o = np.asarray(observed, dtype=np.float64)
    m = np.asarray(modelled, dtype=np.float64)
    if o.ndim != 1 or o.shape != m.shape:
        raise ConfigError(
            f"observed has shape {o.shape} and modelled {m.shape}, expected (n,) for both. "
            "Give the same rows of one quantity in both arrays."
        )
    return o, m


def _mean(values: Array, log: bool) -> float:
    mean = float(values.mean())
    return float(10.0**mean) if log else mean


def _mean_of_sums(sums: Array, moment: int, log: bool) -> Array:
    mean: Array = sums[..., moment] / sums[..., COUNT]
    return 10.0**mean if log else mean


def _r2_of_sums(sums: Array) -> Array:
    n, x, y = sums[..., COUNT], sums[..., X], sums[..., Y]
    covariance = n * sums[..., XY] - x * y
    variances = (n * sums[..., XX] - x * x) * (n * sums[..., YY] - y * y)
    square: Array = np.square(covariance) / variances
    return square


def _median_percentage(rows: ComparedRows) -> float:
    shown = rows.observed != 0
    if not shown.any():
        return NAN
    o, m = rows.observed[shown], rows.modelled[shown]
    return float(100.0 * np.median(np.abs(m - o) / np.abs(o)))


_ROWS = (
    # For logarithms, a factor (1 at best); otherwise a difference in units (0 at best).
    Metric(
        "bias",
        "bias",
        lambda rows: _mean(rows.difference, rows.log),
        lambda sums, log: _mean_of_sums(sums, DIFFERENCE, log),
        scale_of_log=LOGARITHM,
    ),
    Metric(
        "mae",
        "MAE",
        lambda rows: _mean(np.abs(rows.difference), rows.log),
        lambda sums, log: _mean_of_sums(sums, ABSOLUTE, log),
        scale=LOGARITHM,
        scale_of_log=FACTOR_ABOVE_ONE,
    ),
    # In decades if logarithms are compared, else in units of the quantity.
    Metric(
        "rmse",
        "RMSE",
        lambda rows: float(np.sqrt(np.square(rows.difference).mean())),
        lambda sums, _: np.sqrt(_mean_of_sums(sums, SQUARE, log=False)),
        scale=LOGARITHM,
        scale_of_log=LOGARITHM,
    ),
    # Square of Pearson's correlation.
    Metric(
        "r2",
        "R2",
        lambda rows: rows.line[0],
        lambda sums, _: _r2_of_sums(sums),
        scale=SQUARED_CORRELATION,
        scale_of_log=SQUARED_CORRELATION,
    ),
    # Median of 100 |m - o| / |o|, always of the values themselves, not of logarithms.
    Metric("median_percentage", "MdAPD", _median_percentage, units="%"),
    # The reduced major axis (type II) takes the errors of both variables into account.
    Metric("slope", "slope", lambda rows: rows.line[1]),
    Metric("intercept", "intercept", lambda rows: rows.line[2]),
)
METRICS: dict[str, Metric] = {metric.name: metric for metric in _ROWS}
"""All metrics by name, in the order of tables and files."""
