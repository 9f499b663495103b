"""Networks of several sizes on rows they have not seen: which is enough, which too small or large.

Sizes are compared by their losses on the same rows, in pairs: whole groups are drawn again with
replacement (``bootstrap.py``), for rows of one cruise are alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.evaluation.bootstrap import LEVEL, Interval, bootstrap_difference, bootstrap_metric
from pipeline.evaluation.metrics import Array

ONE_STANDARD_ERROR = 0.6827
"""Level of the interval of plus and minus one standard error, of normal errors."""
RISE = 0.05
"""A validation loss that ends so much above its minimum has risen."""
GAP = 2.0
"""A validation loss that is so many times as far above the training loss as that of the best size
is a sign that rows were learned by heart."""
SMOOTHED = 0.05
"""Share of the epochs over which a validation loss is averaged before it is looked at."""


@dataclass(frozen=True, eq=False)
class Runs:
    """What the trainings of one size came to."""

    name: str
    hidden: tuple[int, ...]
    weights: int
    """Numbers that are learned."""
    curves: tuple[tuple[Array, Array], ...]
    """Training and validation loss of each epoch, for each training."""
    best_epochs: tuple[int, ...]
    training_loss: float
    """Of the weights that are kept, on what they learned from; mean over trainings."""
    held_out: Array
    """Loss of each held-out value, mean over seeds; with shape (n,)."""


@dataclass(frozen=True)
class SizeResult:
    """One size, judged."""

    name: str
    hidden: tuple[int, ...]
    weights: int
    best_epoch: int
    """Median over trainings."""
    training_loss: float
    held_out: Interval
    difference: Interval
    """Its held-out loss minus the best size's, paired."""
    within_one_error: bool
    """Whether its loss is at most one standard error of their difference above the best size's."""
    rise: float
    """By how much of its minimum the validation loss has risen at the end."""
    turning_epoch: int
    """Where the validation loss was least."""
    gap: float
    """Validation loss over training loss at the end."""
    verdict: str
    """underfits, overfits, or nothing."""


@dataclass(frozen=True, eq=False)
class Capacity:
    """A study."""

    results: tuple[SizeResult, ...]
    """From few weights to many."""
    runs: tuple[Runs, ...]
    best: str
    chosen: str
    loss_name: str
    trainings: int
    """Of each size."""
    rows: int
    """That were held out."""
    grouped_by: str
    """What was drawn again: the column of groups, or rows."""

    def result(self, name: str) -> SizeResult:
        """Of one size."""
        return next(one for one in self.results if one.name == name)


def judge(
    runs: Sequence[Runs],
    groups: npt.ArrayLike,
    *,
    loss_name: str,
    rows: int,
    grouped_by: str,
    seed: int = 0,
) -> Capacity:
    """Compare sizes.

    Args:
        runs: of each size, on the same held-out values.
        groups: of each held-out value, with shape (n,).
        loss_name: what is compared.
        rows: how many were held out.
        grouped_by: what the groups are.
        seed: of the bootstrap.
    """
    ordered = sorted(runs, key=lambda one: (one.weights, one.name))
    losses = {one.name: one.held_out for one in ordered}
    zero = np.zeros_like(ordered[0].held_out)
    labels = np.asarray(groups).tolist()
    # A loss is a distance from zero, and its mean the mean absolute error.
    means = bootstrap_metric(zero, losses, labels, log=False, seed=seed)
    best = min(ordered, key=lambda one: means[one.name].value)

    def difference(one: Runs, level: float) -> Interval:
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
    return Capacity(
        tuple(results), tuple(ordered), best.name, chosen, loss_name,
        len(best.curves), rows, grouped_by,
    )  # fmt: skip


def _verdict(one: Runs, best: Runs, difference: Interval, *, rise: float, has_gap: bool) -> str:
    """By the rules that the report states."""
    is_worse = bool(difference.low > 0)
    is_larger = one.weights > best.weights
    if is_worse and one.weights < best.weights and one.training_loss > best.training_loss:
        return "underfits"
    learned_more = has_gap or (is_worse and one.training_loss < best.training_loss)
    return "overfits" if rise > RISE or (is_larger and learned_more) else ""


def risen(curves: Sequence[Array]) -> tuple[float, int]:
    """By how much the mean of validation losses ends above its minimum, and the epoch of that.

    Losses go up and down from epoch to epoch, so they are averaged over trainings and over a few
    epochs first.
    """
    smooth, width = _smoothed(curves)
    place = int(np.argmin(smooth))
    return float(smooth[-1] / smooth[place] - 1), place + 1 + (width - 1) // 2


def gap_of(runs: Runs) -> float:
    """Validation loss over training loss in the last epochs."""
    learned, validation = (
        _smoothed(list(curves))[0][-1] for curves in zip(*runs.curves, strict=True)
    )
    return float(validation / learned)


def _smoothed(curves: Sequence[Array]) -> tuple[Array, int]:
    """The mean over trainings and over some epochs, and over how many epochs."""
    mean = mean_curve(curves)
    width = max(1, round(SMOOTHED * mean.size))
    return np.convolve(mean, np.full(width, 1 / width), mode="valid"), width


def mean_curve(curves: Sequence[Array]) -> Array:
    """Of all trainings, as far as all of them went."""
    shortest = min(curve.size for curve in curves)
    mean: Array = np.mean([curve[:shortest] for curve in curves], axis=0)
    return mean
