"""How often the intervals of metrics hold the truth, on synthetic cruises as in NOMAD.

Run ``python benchmarks/interval_coverage.py``. It prints the tables of docs/training.md.

Errors in log10 are the sum of an effect of the cruise (standard deviation 0.146) and an effect of
the row (0.082), as those of networks on NOMAD. The numbers of rows per cruise are log-normal, with
the mean and the spread that NOMAD's 136 cruises have. The truth is the metric of infinitely many
cruises. Percentiles of the same draws are printed beside the intervals that reports use.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.evaluation import class_metrics
from pipeline.evaluation.bootstrap import (
    LEVEL,
    Interval,
    Resampled,
    Statistic,
    bootstrap_difference,
    bootstrap_metric,
)
from pipeline.evaluation.metrics import common_rows, metrics
from pipeline.evaluation.scales import Scale

Array = npt.NDArray[np.float64]
Effects = Callable[[np.random.Generator, int], Array]

BETWEEN, WITHIN = 0.146, 0.082
MEAN_LOG_ROWS, SPREAD_LOG_ROWS, MOST_ROWS = 1.29, 1.07, 40
CRUISES = (12, 29, 136)
TRUTH_CRUISES = 1_000_000
CLASS_SHARES = (0.6, 0.3, 0.1)
METRICS_TRIED = ("rmse", "mae", "bias", "r2")


def normal(rng: np.random.Generator, count: int) -> Array:
    """Effects of cruises without outliers."""
    return BETWEEN * rng.standard_normal(count)


def heavy(rng: np.random.Generator, count: int) -> Array:
    """Effects of cruises of which some are far from all others: Student's t, 5 degrees."""
    return BETWEEN * rng.standard_t(5, count) / np.sqrt(5 / 3)


@dataclass(frozen=True, eq=False)
class Trial:
    """Rows of some cruises, with the errors of two models and of a classifier."""

    groups: npt.NDArray[np.int64]
    observed: Array
    first: Array
    second: Array
    """A model whose errors are a little larger, and mostly those of the first."""
    truth: npt.NDArray[np.int64]
    classes: npt.NDArray[np.int64]


def make_trial(rng: np.random.Generator, sizes: npt.NDArray[np.int64], effects: Effects) -> Trial:
    """Draw cruises of such sizes."""
    count = sizes.size
    groups = np.repeat(np.arange(count), sizes)
    rows = groups.size
    observed = 0.3 * rng.standard_normal(count)[groups] + 0.3 * rng.standard_normal(rows)
    error = effects(rng, count)[groups] + WITHIN * rng.standard_normal(rows)
    more = 0.05 * rng.standard_normal(count)[groups] + 0.06 * rng.standard_normal(rows)
    truth = rng.choice(3, size=rows, p=CLASS_SHARES)
    ease = rng.standard_normal(count)[groups] + 1.2 - 0.5 * truth
    right = rng.random(rows) < 1 / (1 + np.exp(-ease))
    classes = np.where(right, truth, (truth + rng.integers(1, 3, rows)) % 3)
    return Trial(
        groups, 10**observed, 10 ** (observed + error), 10 ** (observed + error + more), truth,
        classes,
    )  # fmt: skip


def sizes_of(rng: np.random.Generator, count: int) -> npt.NDArray[np.int64]:
    """Draw the number of rows of each cruise."""
    rows = np.exp(MEAN_LOG_ROWS + SPREAD_LOG_ROWS * rng.standard_normal(count))
    return np.clip(np.round(rows), 1, MOST_ROWS).astype(np.int64)


def values_of(trial: Trial) -> dict[str, float]:
    """Return the metrics of all rows."""
    first, second = (metrics(trial.observed, one).values for one in (trial.first, trial.second))
    counts = class_metrics.confusion_matrix(trial.truth, trial.classes, 3)
    return {
        **{name: first[name] for name in METRICS_TRIED},
        "difference of MAE": first["mae"] - second["mae"],
        **{name: m.of_one(counts) for name, m in class_metrics.CLASSIFICATION_METRICS.items()},
        "recall of the rare class": float(class_metrics.recalls(counts)[2]),
    }


def intervals_of(trial: Trial, seed: int, resamples: int) -> dict[str, Interval]:
    """Return the interval of each metric."""
    settings = {"resamples": resamples, "seed": seed}
    models = {"first": trial.first}
    intervals = {
        name: bootstrap_metric(trial.observed, models, trial.groups, metric=name, **settings)[
            "first"
        ]
        for name in METRICS_TRIED
    }
    intervals["difference of MAE"] = bootstrap_difference(
        trial.observed, trial.first, trial.second, trial.groups, **settings
    )
    found = class_metrics.class_intervals(trial.truth, trial.classes, 3, trial.groups, seed=seed)
    return {**intervals, **found.metrics, "recall of the rare class": found.recall[2]}


def percentiles(
    drawn: Resampled,
    statistic: Statistic,
    level: float = LEVEL,
    scale: Scale | None = None,  # noqa: ARG001
) -> Interval:
    """Return percentiles of the draws, with the signature of ``Resampled.interval``.

    Percentiles are the same on every scale.
    """
    count, *rest = drawn.by_unit.shape
    sums = drawn.times.astype(np.float64) @ drawn.by_unit.reshape(count, -1)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = statistic(sums.reshape(-1, *rest))
    ends = np.nanquantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(np.nan, float(ends[0]), float(ends[1]), level, drawn.groups)


def trials(count: int, effects: Effects, number: int, seed: int) -> Iterator[Trial]:
    """Yield synthetic data sets."""
    rng = np.random.default_rng(seed)
    for _ in range(number):
        yield make_trial(rng, sizes_of(rng, count), effects)


def coverage(
    count: int, effects: Effects, truth: dict[str, float], number: int, resamples: int
) -> dict[str, tuple[float, float]]:
    """Return how often the truth is in the intervals, and in percentiles of the same draws."""
    held = {name: np.zeros(2) for name in truth}
    ours = Resampled.interval
    for seed, trial in enumerate(trials(count, effects, number, seed=count)):
        assert common_rows(trial.observed, trial.first).all()
        for column, way in enumerate((ours, percentiles)):
            Resampled.interval = way  # type: ignore[method-assign,assignment]
            for name, one in intervals_of(trial, seed, resamples).items():
                held[name][column] += one.low <= truth[name] <= one.high
        Resampled.interval = ours  # type: ignore[method-assign]
    return {name: tuple(hits / number) for name, hits in held.items()}


def main() -> None:
    """Measure, and print one table for each kind of effects."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1_000)
    parser.add_argument("--resamples", type=int, default=1_000)
    options = parser.parse_args()
    for effects in (normal, heavy):
        start = time.perf_counter()
        rng = np.random.default_rng(2026)
        # A cruise with one row each: sizes do not depend on effects.
        whole = make_trial(rng, np.ones(TRUTH_CRUISES, dtype=np.int64), effects)
        truth = values_of(whole)
        found = {
            count: coverage(count, effects, truth, options.trials, options.resamples)
            for count in CRUISES
        }
        print(f"\n{effects.__name__}: share of intervals that hold the truth, nominal 95 %,")
        print(f"studentised / percentiles, {options.trials} trials")
        print("| metric | " + " | ".join(f"{count} cruises" for count in CRUISES) + " |")
        print("|---|" + "---|" * len(CRUISES))
        for name in truth:
            cells = [
                "{:.1f} / {:.1f}".format(*(100 * share for share in found[count][name]))
                for count in CRUISES
            ]
            print(f"| {name} | " + " | ".join(cells) + " |")
        print(f"{time.perf_counter() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
