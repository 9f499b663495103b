"""Metrics against numbers computed by hand and against independent formulas."""

import csv
import io
import json
import math
import statistics

import numpy as np
import pytest
from evaluation_cases import APH, INPUTS, samples

from pipeline.errors import ConfigError
from pipeline.evaluation.bootstrap import bootstrap_metric
from pipeline.evaluation.card import ModelCard, render_card
from pipeline.evaluation.metrics import (
    COUNT,
    METRICS,
    SQUARE,
    Metric,
    common_rows,
    metrics,
    metrics_by_group,
    residual,
    rows_by_group,
)
from pipeline.evaluation.report import evaluate_arrays
from pipeline.evaluation.tables import to_csv, to_json, to_text

pytestmark = pytest.mark.quick


def test_by_hand():
    """One value ten times too high, one right, one ten times too low, one twice that."""
    result = metrics([1.0, 1.0, 10.0, 100.0], [10.0, 1.0, 1.0, 1.0])
    # Differences of logarithms: 1, 0, -1, -2.
    assert result.n == result.observed == 4
    assert result["bias"] == pytest.approx(10**-0.5)
    assert result["mae"] == pytest.approx(10.0)
    assert result["rmse"] == pytest.approx(math.sqrt(6 / 4))
    # Of 900, 0, 90 and 99 percent.
    assert result["median_percentage"] == pytest.approx((90 + 99) / 2)


def test_a_constant_factor_is_bias_and_error_alike():
    """Twice too much everywhere is a bias and an error of 2, on a line of slope 1."""
    observed = np.array([0.01, 0.1, 0.5, 3.0])
    result = metrics(observed, 2 * observed)
    assert result["bias"] == pytest.approx(2.0)
    assert result["mae"] == pytest.approx(2.0)
    assert result["r2"] == pytest.approx(1.0)
    assert result["slope"] == pytest.approx(1.0)
    assert result["intercept"] == pytest.approx(math.log10(2.0))
    assert result["median_percentage"] == pytest.approx(100.0)


@pytest.mark.parametrize("log", [True, False])
def test_against_the_standard_library(log):
    """All numbers are those of formulas written with Python's own statistics."""
    rng = np.random.default_rng(3)
    observed = np.exp(rng.standard_normal(500))
    modelled = observed**0.8 * np.exp(0.4 * rng.standard_normal(500))
    result = metrics(observed, modelled, log)
    a = [math.log10(v) for v in observed] if log else list(map(float, observed))
    b = [math.log10(v) for v in modelled] if log else list(map(float, modelled))
    differences = [m - o for o, m in zip(a, b, strict=True)]
    bias = statistics.fmean(differences)
    mae = statistics.fmean(map(abs, differences))
    assert result["bias"] == pytest.approx(math.pow(10, bias) if log else bias)
    assert result["mae"] == pytest.approx(math.pow(10, mae) if log else mae)
    assert result["rmse"] == pytest.approx(math.sqrt(statistics.fmean(d * d for d in differences)))
    assert result["r2"] == pytest.approx(statistics.correlation(a, b) ** 2)
    assert result["slope"] == pytest.approx(statistics.pstdev(b) / statistics.pstdev(a))
    middle = statistics.fmean(b) - result["slope"] * statistics.fmean(a)
    assert result["intercept"] == pytest.approx(middle)
    shares = [abs(m / o - 1) for o, m in zip(observed, modelled, strict=True)]
    assert result["median_percentage"] == pytest.approx(100 * statistics.median(shares))


def test_the_line_does_not_prefer_a_side():
    """Exchanging observed and modelled values inverts the slope, unlike in ordinary regression."""
    rng = np.random.default_rng(4)
    observed = 10 ** rng.standard_normal(200)
    modelled = observed**0.7 * 10 ** (0.3 * rng.standard_normal(200))
    there, back = metrics(observed, modelled), metrics(modelled, observed)
    assert there["slope"] == pytest.approx(1 / back["slope"])
    assert metrics(observed, 1 / modelled)["slope"] < 0


def test_failures_are_rows_with_an_observation_only():
    """Zero, negative and missing values of the model are failures where there is an observation."""
    observed = [1.0, 1.0, 1.0, 1.0, 1.0, np.nan, 0.0]
    modelled = [2.0, -1.0, 0.0, np.nan, np.inf, -1.0, -1.0]
    result = metrics(observed, modelled)
    assert (result.observed, result.n) == (5, 1)
    assert result.failures == pytest.approx(0.8)
    linear = metrics(observed, modelled, log=False)
    assert (linear.observed, linear.n) == (6, 4)


def test_nothing_to_compare_is_not_a_number():
    """Without rows, all numbers but the counts are NaN, without a warning."""
    result = metrics([1.0, 2.0], [-1.0, np.nan])
    assert (result.observed, result.n, result.failures) == (2, 0, 1.0)
    assert math.isnan(result["bias"])
    assert math.isnan(metrics([], []).failures)


@pytest.mark.parametrize("log", [True, False])
def test_constant_values_have_no_line(log):
    """A constant model has errors, but no correlation and no slope."""
    result = metrics([0.1, 0.2, 0.4], [0.1, 0.1, 0.1], log)
    assert math.isnan(result["r2"])
    assert math.isnan(result["slope"])
    assert math.isfinite(result["mae"])


def test_observed_zeros_have_no_percentage():
    """Without logarithms, an observed zero is compared but has no percentage."""
    result = metrics([0.0, 2.0], [1.0, 3.0], log=False)
    assert (result.n, result["mae"]) == (2, 1.0)
    assert result["median_percentage"] == pytest.approx(50.0)
    assert math.isnan(metrics([0.0], [1.0], log=False)["median_percentage"])


def test_each_group_is_as_if_alone():
    """Groups are in alphabetical order, each with the metrics of its rows."""
    rng = np.random.default_rng(5)
    observed = 10 ** rng.standard_normal(100)
    modelled = observed * 10 ** (0.1 * rng.standard_normal(100))
    groups = rng.choice(["b", "a", "site 3"], 100)
    result = metrics_by_group(observed, modelled, groups)
    assert list(result) == ["a", "b", "site 3"]
    for name, numbers in result.items():
        assert numbers == metrics(observed[groups == name], modelled[groups == name])


def test_groups_may_be_anything_with_a_name():
    """Groups can be numbers or text; each row needs one."""
    rows = rows_by_group([2, "x", 2, None], 4)
    assert list(rows) == ["2", "None", "x"]
    assert [list(of_group) for of_group in rows.values()] == [[0, 2], [3], [1]]
    assert rows_by_group([], 0) == {}
    with pytest.raises(ConfigError, match="found 1 groups for 2 rows"):
        metrics_by_group([1.0, 1.0], [1.0, 1.0], ["a"])


def test_common_rows_are_those_all_models_answer():
    """Common rows have an observation and a value of every model."""
    observed = np.array([1.0, 1.0, 1.0, np.nan, 1.0])
    first = np.array([1.0, -1.0, 1.0, 1.0, 1.0])
    second = np.array([1.0, 1.0, np.nan, 1.0, 2.0])
    assert list(common_rows(observed, first, second)) == [True, False, False, False, True]
    assert list(common_rows(observed, first, second, log=False)) == [True, True, False, False, True]


def test_residuals_are_missing_where_nothing_is_compared():
    """A residual is a difference of logarithms, NaN where a row cannot be compared."""
    left = residual([1.0, 1.0, np.nan], [10.0, -1.0, 1.0])
    assert left[0] == pytest.approx(1.0)
    assert np.isnan(left[1:]).all()


def test_shapes_that_do_not_fit_are_refused():
    """Two columns, or different numbers of rows, are an error that names both shapes."""
    with pytest.raises(ConfigError, match=r"\(2,\) and modelled \(3,\)"):
        metrics([1.0, 1.0], [1.0, 1.0, 1.0])
    with pytest.raises(ConfigError, match=r"expected \(n,\)"):
        metrics(np.ones((2, 2)), np.ones((2, 2)))


@pytest.fixture
def worst(monkeypatch):
    """A metric that is not part of the package: the largest error, and its mean square."""
    largest = Metric("worst", "worst error", lambda rows: float(np.abs(rows.difference).max()))
    square = Metric(
        "mse",
        "MSE",
        lambda rows: float(np.square(rows.difference).mean()),
        lambda sums, _: sums[..., SQUARE] / sums[..., COUNT],
    )
    monkeypatch.setitem(METRICS, "worst", largest)
    monkeypatch.setitem(METRICS, "mse", square)


def test_a_new_metric_is_one_row_of_the_table(worst):
    """A metric added from outside is in tables, CSV, JSON and card, and can have intervals."""
    x, observed, modelled, groups = samples(60, 1)
    result = evaluate_arrays(INPUTS, APH[:1], x, observed, modelled, groups=groups)
    expected = np.abs(np.log10(modelled / observed)).max()
    assert result.outputs[0].metrics["worst"] == pytest.approx(expected)
    assert "worst error" in to_text(result)
    line = next(csv.DictReader(io.StringIO(to_csv([result]))))
    assert float(line["worst"]) == pytest.approx(expected)
    told = json.loads(to_json([result]))["test"]["outputs"][0]
    assert told["metrics"]["worst"] == pytest.approx(expected)
    assert set(told["by_group"]["cruise 00"]) == set(told["metrics"])
    assert "worst error" in render_card(ModelCard("n", "", INPUTS, APH[:1]), [result])
    interval = bootstrap_metric(observed[:, 0], {"m": modelled[:, 0]}, metric="mse")["m"]
    assert interval.low < interval.value < interval.high
    assert interval.value == pytest.approx(result.outputs[0].metrics["mse"])
    with pytest.raises(ConfigError, match="expected one of bias, mae, rmse, r2, mse"):
        bootstrap_metric([1.0], {"m": [1.0]}, metric="worst")
