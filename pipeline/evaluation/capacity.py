"""Comparison of networks of several sizes on rows that the networks have not seen.

Sizes are compared in pairs, by their losses on the same rows. The bootstrap draws whole groups
(``bootstrap.py``), because rows of one cruise are alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.evaluation.bootstrap import LEVEL, Interval, bootstrap_difference, bootstrap_metric
from pipeline.evaluation.metrics import Array

ONE_STANDARD_ERROR = 0.6827
"""Share of normally distributed errors that are within one standard error."""
RISE = 0.05
"""A validation loss has risen if its last value is more than (1 + ``RISE``) times its minimum."""
GAP = 2.0
"""The gap is the validation loss divided by the training loss. A size larger than the best one
overfits if its gap is larger than ``GAP`` times the gap of the best size."""
SMOOTHED = 0.05
"""A validation loss is averaged over this share of the epochs before it is judged."""


@dataclass(frozen=True, eq=False)
class SizeRuns:
    """The trainings of one size."""

    name: str
    hidden: tuple[int, ...]
    """Number of units of each hidden layer."""
    weights: int
    """Number of trained weights and biases."""
    curves: tuple[tuple[Array, Array], ...]
    """Training and validation loss of each epoch, for each training."""
    best_epochs: tuple[int, ...]
    """Epoch with the lowest validation loss, for each training."""
    training_loss: float
    """Training loss of the kept weights, mean over trainings."""
    held_out: Array
    """Loss of each held-out value, averaged over seeds, with shape (n,)."""


@dataclass(frozen=True)
class SizeResult:
    """The result for one size."""

    name: str
    hidden: tuple[int, ...]
    weights: int
    best_epoch: int
    """Epoch with the lowest validation loss, median over trainings."""
    training_loss: float
    held_out: Interval
    difference: Interval
    """Held-out loss of this size minus the loss of the best size, as a paired difference."""
    within_one_error: bool
    """True if the held-out loss is at most one standard error above the loss of the best size."""
    rise: float
    """Rise of the validation loss from its minimum to the end, as a share of the minimum."""
    turning_epoch: int
    """Epoch at which the mean validation loss was lowest."""
    gap: float
    """Ratio of the validation loss to the training loss at the end of the training."""
    verdict: str
    """``underfits``, ``overfits``, or empty if the size does neither."""


@dataclass(frozen=True, eq=False)
class CapacityStudy:
    """The result of a capacity study."""

    results: tuple[SizeResult, ...]
    """Results of the sizes, from few weights to many."""
    runs: tuple[SizeRuns, ...]
    """Trainings of each size, in the order of ``results``."""
    best: str
    """Name of the size with the lowest held-out loss."""
    chosen: str
    """Name of the smallest size whose loss is within one standard error of the lowest loss."""
    loss_name: str
    trainings: int
    """Number of trainings of each size."""
    rows: int
    """Number of held-out rows."""
    grouped_by: str
    """Name of the column whose groups the bootstrap draws, or ``rows`` if it draws rows."""

    def result(self, name: str) -> SizeResult:
        """Return the result for one size."""
        return next(one for one in self.results if one.name == name)


def judge(
    runs: Sequence[SizeRuns],
    groups: npt.ArrayLike,
    *,
    loss_name: str,
    rows: int,
    grouped_by: str,
    seed: int = 0,
) -> CapacityStudy:
    """Compare sizes and choose one.

    Args:
        runs: the trainings of each size, on the same held-out values.
        groups: the group of each held-out value, with shape (n,).
        loss_name: name of the compared loss.
        rows: number of held-out rows.
        grouped_by: name of the column of groups, or ``rows`` if there are no groups.
        seed: seed of the bootstrap.
    """
    ordered = sorted(runs, key=lambda one: (one.weights, one.name))
    losses = {one.name: one.held_out for one in ordered}
    zero = np.zeros_like(ordered[0].held_out)
    labels = np.asarray(groups).tolist()
    # A loss is a distance from zero, and the mean loss is the mean absolute error.
    means = bootstrap_metric(zero, losses, labels, log=False, seed=seed)
    best = min(ordered, key=lambda one: means[one.name].value)

    def difference(one: SizeRuns, level: float) -> Interval:
        return bootstrap_difference(
            zero, one.held_out, best.held_out, labels, log=False, seed=seed, level=level
        )

    widest = gap_of(best) * GAP
    results = []
    for one in ordered:
        apart = difference(one, LEVEL)
        rise, turn = risen([validation for _, validation in one.curves])
        results.append(
            SizeResult(
                one.name, one.hidden, one.weights, int(np.median(one.best_epochs)),
                one.training_loss, means[one.name], apart,
                within_one_error=bool(one is best or difference(one, ONE_STANDARD_ERROR).low <= 0),
                rise=rise, turning_epoch=turn, gap=gap_of(one),
                verdict=_verdict(one, best, apart, rise=rise, has_gap=gap_of(one) > widest),
            )
        )  # fmt: skip
    chosen = next(one.name for one in results if one.within_one_error)
    return CapacityStudy(
        tuple(results), tuple(ordered), best.name, chosen, loss_name,
        len(best.curves), rows, grouped_by,
    )  # fmt: skip


def _verdict(
    one: SizeRuns, best: SizeRuns, difference: Interval, *, rise: float, has_gap: bool
) -> str:
    """Judge a size by the rules that the report states."""
    is_worse = bool(difference.low > 0)
    is_larger = one.weights > best.weights
    if is_worse and one.weights < best.weights and one.training_loss > best.training_loss:
        return "underfits"
    learned_more = has_gap or (is_worse and one.training_loss < best.training_loss)
    return "overfits" if rise > RISE or (is_larger and learned_more) else ""


def risen(curves: Sequence[Array]) -> tuple[float, int]:
    """Return the rise of the mean validation loss after its minimum, and the epoch of the minimum.

    The rise is the last loss divided by the smallest loss, minus 1.

    Losses go up and down from epoch to epoch, so they are first averaged over trainings and over a
    few epochs.
    """
    smooth, width = _smoothed(curves)
    place = int(np.argmin(smooth))
    return float(smooth[-1] / smooth[place] - 1), place + 1 + (width - 1) // 2


def gap_of(runs: SizeRuns) -> float:
    """Return the validation loss divided by the training loss, both in the last epochs."""
    learned, validation = (
        _smoothed(list(curves))[0][-1] for curves in zip(*runs.curves, strict=True)
    )
    return float(validation / learned)


def _smoothed(curves: Sequence[Array]) -> tuple[Array, int]:
    """Return smoothed losses, and the number of epochs in the window that smooths them.

    The losses are averaged over all trainings, then over the window.
    """
    mean = mean_curve(curves)
    width = max(1, round(SMOOTHED * mean.size))
    return np.convolve(mean, np.full(width, 1 / width), mode="valid"), width


def mean_curve(curves: Sequence[Array]) -> Array:
    """Return the mean loss of all trainings at each epoch, until the shortest training ends."""
    shortest = min(curve.size for curve in curves)
    mean: Array = np.mean([curve[:shortest] for curve in curves], axis=0)
    return mean
