"""Bootstrap intervals: correct metrics and widths, from groups and not from rows."""

import math

import numpy as np
import pytest

from pipeline.errors import ConfigError
from pipeline.evaluation import bootstrap
from pipeline.evaluation.bootstrap import bootstrap_difference, bootstrap_metric
from pipeline.evaluation.metrics import METRICS, common_rows, metrics


def pair(count=300, seed=0):
    rng = np.random.default_rng(seed)
    observed = 10 ** rng.standard_normal(count)
    first = observed * 10 ** (0.1 * rng.standard_normal(count) + 0.03)
    second = observed * 10 ** (0.25 * rng.standard_normal(count))
    return observed, first, second


@pytest.mark.parametrize("log", [True, False])
@pytest.mark.parametrize("metric", [one.name for one in METRICS.values() if one.of_sums])
def test_values_are_the_metrics_of_common_rows(metric, log):
    """A metric from sums equals the metric itself and lies within its interval."""
    observed, first, second = pair()
    first[:20] = np.nan
    rows = common_rows(observed, first, second, log=log)
    models = {"first": first, "second": second}
    result = bootstrap_metric(observed, models, metric=metric, log=log, resamples=200)
    for name, model in models.items():
        expected = metrics(observed[rows], model[rows], log)[metric]
        assert result[name].value == pytest.approx(expected)
        assert result[name].low < expected < result[name].high


def test_resamples_are_of_whole_groups():
    """Resamples equal the metric of the rows of groups drawn with replacement."""
    observed, first, _ = pair(30)
    groups = np.repeat(np.arange(6), 5)
    interval = bootstrap_metric(observed, {"m": first}, groups, resamples=50, seed=7)["m"]
    rng = np.random.default_rng(7)
    slow = []
    for drawn in rng.integers(6, size=(50, 6)):
        rows = np.concatenate([np.flatnonzero(groups == group) for group in drawn])
        slow.append(metrics(observed[rows], first[rows])["mae"])
    assert interval.low == pytest.approx(np.quantile(slow, 0.025))
    assert interval.high == pytest.approx(np.quantile(slow, 0.975))
    assert interval.groups == 6


def test_a_seed_is_an_interval():
    """Equal seeds give equal intervals; other seeds do not."""
    observed, first, second = pair()
    once = bootstrap_difference(observed, first, second, seed=1)
    assert once == bootstrap_difference(observed, first, second, seed=1)
    assert once != bootstrap_difference(observed, first, second, seed=2)


def test_intervals_hold_the_truth_as_often_as_they_say():
    """About 90 % of 300 intervals with level 90 % contain the true bias."""
    rng = np.random.default_rng(11)
    held = 0
    for trial in range(300):
        groups = np.repeat(np.arange(40), 5)
        shift = 0.2 * rng.standard_normal(40)[groups]
        observed = np.ones(200)
        modelled = 10 ** (0.1 + shift + 0.1 * rng.standard_normal(200))
        interval = bootstrap_metric(
            observed, {"m": modelled}, groups, metric="bias", level=0.9, resamples=400, seed=trial
        )["m"]
        held += interval.low <= 10**0.1 <= interval.high
    # Three standard errors of a share of 0.9 are 0.052.
    assert 0.83 < held / 300 < 0.95


def test_rows_of_one_group_promise_no_more_than_one():
    """Copies of rows do not make the interval narrower."""
    observed, first, _ = pair(40)
    alone = bootstrap_metric(observed, {"m": first})["m"]
    groups = np.repeat([f"{group:02d}" for group in range(40)], 25)
    models = {"m": np.repeat(first, 25)}
    copied = bootstrap_metric(np.repeat(observed, 25), models, groups)["m"]
    as_rows = bootstrap_metric(np.repeat(observed, 25), models)["m"]
    assert copied.low == pytest.approx(alone.low)
    assert copied.high == pytest.approx(alone.high)
    assert as_rows.high - as_rows.low < 0.4 * (alone.high - alone.low)


def test_a_paired_difference_is_surer_than_two_intervals():
    """A model that is always a little worse is recognised, though both vary widely."""
    rng = np.random.default_rng(5)
    observed = np.ones(60)
    error = np.abs(0.3 * rng.standard_normal(60))
    first, second = 10**error, 10 ** (error + 0.02)
    alone = bootstrap_metric(observed, {"first": first, "second": second})
    assert alone["second"].low < alone["first"].high
    difference = bootstrap_difference(observed, second, first)
    assert difference.low > 0


def test_many_groups_are_drawn_as_handfuls(monkeypatch):
    """Pooling groups at random keeps the width of the interval."""
    observed, first, _ = pair(20_000)
    pooled = bootstrap_metric(observed, {"m": first})["m"]
    monkeypatch.setattr(bootstrap, "MOST_UNITS", 20_000)
    monkeypatch.setattr(bootstrap, "BATCH_BYTES", 8_000_000)  # in several batches besides
    exact = bootstrap_metric(observed, {"m": first}, resamples=1_000)["m"]
    assert pooled.value == pytest.approx(exact.value)
    assert pooled.groups == exact.groups == 20_000
    width = exact.high - exact.low
    assert pooled.high - pooled.low == pytest.approx(width, rel=0.15)


def test_one_group_leaves_no_interval():
    """A single group, or no row, gives no interval."""
    observed, first, second = pair(10)
    one = bootstrap_difference(observed, first, second, ["only"] * 10)
    assert math.isfinite(one.value)
    assert math.isnan(one.low)
    none = bootstrap_metric(observed, {"m": -first})["m"]
    assert math.isnan(none.value)
    assert none.groups == 0
    assert math.isnan(none.low)
    assert math.isnan(none.high)


def test_metrics_that_cannot_be_resampled_are_named():
    """A metric without sums is an error that lists the possible ones."""
    with pytest.raises(ConfigError, match="expected one of bias, mae, rmse, r2"):
        bootstrap_metric([1.0], {"m": [1.0]}, metric="median")
