"""Bootstrap intervals: correct metrics and widths, from groups and not from rows."""

import math

import numpy as np
import pytest

from pipeline.errors import ConfigError
from pipeline.evaluation import bootstrap, studentised
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


def studentised_slowly(groups, errors, draws, level):
    """The interval of a mean absolute error as a factor, group by group, as the books have it."""
    names = np.unique(groups)
    rows = np.array([np.sum(groups == name) for name in names])
    sums = np.array([np.abs(errors[groups == name]).sum() for name in names])

    def scaled(chosen):
        return math.log(sums[chosen].sum() / rows[chosen].sum())

    def error_of(chosen):
        influence = sums[chosen] / sums[chosen].sum() - rows[chosen] / rows[chosen].sum()
        return math.sqrt(np.sum(influence**2) * names.size / (names.size - 1))

    every = np.arange(names.size)
    value = scaled(every)
    left_out = [scaled(np.delete(every, one)) for one in every]
    error = math.sqrt((names.size - 1) / names.size * np.sum((np.array(left_out) - value) ** 2))
    far = [(scaled(chosen) - value) / max(error_of(chosen), error / 4) for chosen in draws]
    below, above = np.quantile(far, [(1 - level) / 2, (1 + level) / 2])
    return value, error, below, above


def test_intervals_are_those_of_the_studentised_bootstrap_over_groups():
    """Whole groups are drawn, and each draw is divided by its own standard error."""
    observed, first, _ = pair(30)
    groups = np.repeat(np.arange(6), 5)
    interval = bootstrap_metric(observed, {"m": first}, groups, resamples=50, seed=7)["m"]
    draws = np.random.default_rng(7).integers(6, size=(50, 6))
    errors = np.log10(first / observed)
    value, error, below, above = studentised_slowly(groups, errors, draws, 0.95)
    # Six groups of equal size: Student's quantile for 5 degrees of freedom is 2.5706.
    wider = 2.570582 / 1.959964
    assert interval.low == pytest.approx(10 ** math.exp(value - wider * error * above), rel=1e-4)
    assert interval.high == pytest.approx(10 ** math.exp(value - wider * error * below), rel=1e-4)
    assert interval.groups == 6


def test_students_quantiles_are_those_of_the_tables():
    """They agree with printed tables of the distribution."""
    printed = {(0.975, 1): 12.7062, (0.975, 2): 4.3027, (0.975, 5): 2.5706, (0.975, 120): 1.9799,
               (0.95, 10): 1.8125, (0.995, 30): 2.7500}  # fmt: skip
    for (probability, freedom), expected in printed.items():
        found = studentised.student_quantile(probability, freedom)
        assert found == pytest.approx(expected, abs=6e-5)


def test_few_unequal_groups_tell_less_than_as_many_equal_ones():
    """If one group has most of the rows, the interval is wider by Student's quantile."""
    assert studentised.wider_for_few(1000, 0.95) == pytest.approx(1, abs=0.002)
    equal = studentised.Draws(np.ones((12, 1)), np.ones((1, 12), np.uint16), np.full(12, 5.0))
    sizes = np.array([49.0] + [1.0] * 11)
    unequal = studentised.Draws(equal.by_unit, equal.times, sizes)
    assert equal.equal_units == pytest.approx(12)
    assert unequal.equal_units == pytest.approx(60**2 / (49**2 + 11))


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


def test_twelve_cruises_hold_the_root_mean_square_error():
    """Nominal 95 % intervals from 12 groups contain the true value in 90-99 % of 300 trials."""
    rng = np.random.default_rng(3)
    true = math.hypot(0.146, 0.082)
    held = 0
    for trial in range(300):
        sizes = np.clip(np.exp(1.29 + 1.07 * rng.standard_normal(12)).astype(int), 1, 40)
        groups = np.repeat(np.arange(12), sizes)
        error = 0.146 * rng.standard_normal(12)[groups] + 0.082 * rng.standard_normal(groups.size)
        interval = bootstrap_metric(
            np.ones(groups.size), {"m": 10**error}, groups, metric="rmse", resamples=400, seed=trial
        )["m"]
        held += interval.low <= true <= interval.high
    assert 0.90 < held / 300 < 0.99


@pytest.mark.parametrize("metric", ["mae", "rmse", "r2"])
def test_an_interval_stays_where_the_metric_can_be(metric):
    """Three groups give a wide interval, but none below the smallest possible value."""
    observed, first, _ = pair(12)
    interval = bootstrap_metric(observed, {"m": first}, np.arange(12) % 3, metric=metric)["m"]
    smallest = {"mae": 1, "rmse": 0, "r2": 0}[metric]
    assert smallest <= interval.low < interval.value < interval.high
    if metric == "r2":
        assert interval.high <= 1


def test_equal_errors_leave_nothing_to_vary():
    """If all groups have the same metric, the interval is that number."""
    interval = bootstrap_metric([1.0] * 6, {"m": [2.0] * 6}, [1, 1, 2, 2, 3, 3])["m"]
    assert (interval.low, interval.high) == pytest.approx((2, 2))


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
    monkeypatch.setattr(studentised, "BATCH_BYTES", 8_000_000)  # in several batches besides
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
