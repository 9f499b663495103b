"""Intervals of classifications, metrics by group, and comparisons of classifiers."""

import csv
import io
import json

import numpy as np
import pytest
from evaluation_cases import INPUTS, samples

from pipeline.errors import ConfigError
from pipeline.evaluation.class_comparison import compare_classes, modelled_classes
from pipeline.evaluation.class_metrics import (
    CLASSIFICATION_METRICS,
    ClassificationMetric,
    class_differences,
    class_intervals,
)
from pipeline.evaluation.classification import classification
from pipeline.evaluation.pictures import class_groups, class_shares
from pipeline.evaluation.report import ALWAYS, evaluate_classes
from pipeline.evaluation.tables import to_csv, to_json, to_text

CLASSES = ("clear", "turbid", "green")


def cruises(seed=0, count=30):
    """Return cruises with similar rows, some easy and some difficult to classify."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(5, 30, count)
    groups = np.repeat(np.arange(count), sizes)
    truth = rng.integers(0, 3, groups.size)
    right = rng.random(groups.size) < rng.uniform(0.3, 1.0, count)[groups]
    return truth, np.where(right, truth, (truth + 1) % 3), groups


def shares_of(counts):
    """Accuracy, mean recall, and the precision of the second class, from a confusion matrix."""
    observed = counts.sum(axis=1)
    recalls = np.diag(counts)[observed > 0] / observed[observed > 0]
    return np.array(
        [np.trace(counts) / counts.sum(), recalls.mean(), counts[1, 1] / counts[:, 1].sum()]
    )


def drawn_again(truth, modelled, groups, seed=1, times=300):
    """The studentised bootstrap over groups, with the jackknife in every draw."""
    rng = np.random.default_rng(seed)
    counts = np.zeros((groups.max() + 1, 3, 3))
    np.add.at(counts, (groups, truth, modelled), 1)
    rows = counts.sum(axis=(1, 2))

    def angle_and_error(chosen):
        angles = [np.arcsin(np.sqrt(shares_of(part))) for part in chosen.sum(axis=0) - chosen]
        whole = np.arcsin(np.sqrt(shares_of(chosen.sum(axis=0))))
        share = (len(chosen) - 1) / len(chosen)
        return whole, np.sqrt(share * np.square(np.array(angles) - whole).sum(axis=0))

    value, error = angle_and_error(counts)
    far = []
    for _ in range(times):
        drawn, own = angle_and_error(counts[rng.integers(len(counts), size=len(counts))])
        far.append((drawn - value) / own)
    below, above = np.quantile(far, [0.025, 0.975], axis=0)
    freedom = rows.sum() ** 2 / np.square(rows).sum() - 1
    wider = np.interp(freedom, [20, 25, 30], [2.086, 2.060, 2.042]) / 1.960
    return np.sin(value - wider * error * above) ** 2, np.sin(value - wider * error * below) ** 2


def test_intervals_are_those_of_the_studentised_bootstrap():
    """Accuracy, mean recall and precisions have the intervals of a slow studentised bootstrap."""
    truth, modelled, groups = cruises()
    found = class_intervals(truth, modelled, 3, groups)
    low, high = drawn_again(truth, modelled, groups)
    expected = shares_of(np.histogram2d(truth, modelled, bins=3)[0])
    for place, one in enumerate((*found.metrics.values(), found.precision[1])):
        assert one.value == pytest.approx(expected[place])
        assert one.low == pytest.approx(low[place], abs=0.02)
        assert one.high == pytest.approx(high[place], abs=0.02)
        assert one.groups == 30


def test_rows_of_one_cruise_promise_less_than_as_many_rows():
    """Groups that differ make wider intervals than rows drawn one by one."""
    truth, modelled, groups = cruises()
    grouped = class_intervals(truth, modelled, 3, groups).metrics["accuracy"]
    alone = class_intervals(truth, modelled, 3).metrics["accuracy"]
    assert grouped.high - grouped.low > 1.4 * (alone.high - alone.low)


def test_a_difference_is_paired():
    """A model that is right once more in every cruise is better, though intervals overlap."""
    truth, modelled, groups = cruises()
    better = modelled.copy()
    for group in np.unique(groups):
        wrong = np.flatnonzero((groups == group) & (modelled != truth))[:1]
        better[wrong] = truth[wrong]
    difference = class_differences(truth, better, modelled, 3, groups)
    gained = np.count_nonzero(better != modelled) / truth.size
    assert difference["accuracy"].value == pytest.approx(gained)
    assert difference["accuracy"].low > 0
    own, other = (
        class_intervals(truth, m, 3, groups).metrics["accuracy"] for m in (better, modelled)
    )
    assert own.low < other.high


def test_one_group_has_no_interval():
    """A single group gives no interval, and an absent class has no recall."""
    found = class_intervals(np.array([0, 0]), np.array([0, 1]), 3, ["a", "a"])
    accuracy = found.metrics["accuracy"]
    assert (accuracy.value, accuracy.groups) == (0.5, 1)
    assert np.isnan(accuracy.low)
    assert np.isnan(found.recall[2].value)


def test_shares_of_three_groups_stay_between_0_and_1():
    """Few groups give wide intervals, but no share beyond 0 and 1."""
    truth = np.array([0, 1, 2] * 6)
    modelled = np.where(np.arange(18) % 7 == 3, 0, truth)
    found = class_intervals(truth, modelled, 3, np.repeat([1, 2, 3], 6))
    for one in (*found.metrics.values(), *found.precision, *found.recall):
        assert 0 <= one.low <= one.value <= one.high <= 1


def test_few_groups_are_told():
    """Below 50 groups, the text warns that intervals may contain the true value less often."""
    truth, modelled, groups = cruises()
    x = np.tile(samples(1, 1)[0], (truth.size, 1))
    few = evaluate_classes(INPUTS, CLASSES, x, truth, np.eye(3)[modelled], groups=groups)
    assert "fewer than 50 groups (here 30) may contain the true value less often" in to_text(few)
    many = evaluate_classes(INPUTS, CLASSES, x, truth, np.eye(3)[modelled])
    assert "may contain the true value less often" not in to_text(many)


def test_each_group_is_judged():
    """A group is judged by its own rows, without failures."""
    probabilities = np.eye(3)[[0, 1, 1, 2]]
    probabilities[3] = np.nan
    result = classification([0, 1, 0, 2], probabilities, CLASSES, ["b", "a", "a", "a"])
    assert list(result.by_group) == ["a", "b"]
    assert (result.by_group["a"].n, result.by_group["a"].metrics["accuracy"]) == (2, 0.5)
    assert result.by_group["a"].metrics["mean_recall"] == 0.5
    assert result.by_group["b"].metrics["accuracy"] == 1.0
    assert classification([0], np.eye(3)[:1], CLASSES).by_group == {}


def test_models_are_compared_where_all_name_a_class():
    """Failures are counted and give no advantage."""
    observed = np.array([0, 1, 2, 2, -1])
    models = {"own": np.array([0, 1, 2, 0, 0]), "thresholds": np.array([0, -1, 1, 2, 0])}
    own, thresholds = compare_classes(observed, models, 3)
    assert (own.n, own.failures, own.metrics["accuracy"].value) == (3, 0.0, pytest.approx(2 / 3))
    assert (thresholds.n, thresholds.failures) == (3, 0.25)
    assert thresholds.metrics["mean_recall"].value == pytest.approx((1 + 0.5) / 2)
    assert thresholds.difference["mean_recall"].value == pytest.approx(0.0)
    with pytest.raises(ConfigError, match=r"shape \(5,\), but short has shape \(1,\)"):
        compare_classes(observed, {"own": models["own"], "short": np.array([1])}, 3)


def test_no_class_of_what_is_not_finite():
    """A row with a missing probability has no class."""
    found = modelled_classes(np.array([[0.1, 0.7, 0.2], [np.nan, 0.5, 0.5]]))
    assert found.tolist() == [1, -1]


@pytest.fixture(scope="module")
def evaluation():
    truth, modelled, groups = cruises()
    x = np.tile(samples(1, 1)[0], (truth.size, 1))
    names = [f"cruise_{group}" for group in groups]
    return evaluate_classes(
        INPUTS, CLASSES, x, truth, np.eye(3)[modelled], groups=names,
        baselines={"thresholds": (truth + 1) % 3}, model="net",
    )  # fmt: skip


def test_an_evaluation_tells_groups_and_models(evaluation):
    """The text has intervals, thresholds, and the result of a constant answer."""
    text = to_text(evaluation)
    assert "rows, 30 groups" in text
    accuracy = evaluation.classification.overall.metrics["accuracy"]
    assert f"accuracy {accuracy:.3f} (" in text
    assert [one.model for one in evaluation.class_comparison] == ["net", "thresholds", ALWAYS]
    constant = evaluation.class_comparison[2]
    truth, *_ = cruises()
    assert constant.metrics["accuracy"].value == pytest.approx(
        np.bincount(truth).max() / truth.size
    )
    assert constant.metrics["mean_recall"].value == pytest.approx(1 / 3)
    assert "most frequent class" in text


def test_all_of_it_is_in_the_files(evaluation):
    """JSON has groups, intervals and comparison; CSV a line for each class, group and model."""
    told = json.loads(to_json([evaluation]))["test"]["classification"]
    assert len(told["by_group"]) == 30
    assert told["intervals"]["accuracy"]["low"] < told["accuracy"]
    assert len(told["intervals"]["recall"]) == 3
    assert told["comparison"][1]["difference"]["accuracy"]["high"] < 0
    rows = list(csv.DictReader(io.StringIO(to_csv([evaluation]))))
    assert [row["class"] for row in rows[:4]] == ["all", *CLASSES]
    assert float(rows[1]["recall"]) == pytest.approx(evaluation.classification.classes[0].recall)
    of_groups = [row for row in rows if row["group"] != "all"]
    assert sum(int(row["n"]) for row in of_groups) == evaluation.rows
    assert [row["model"] for row in rows if row["rows"] == "common"] == [
        "net",
        "thresholds",
        ALWAYS,
    ]


def test_pictures_have_a_line_for_each_class_model_and_group(evaluation):
    """Small groups are put together; shares are in percent."""
    figure = class_shares(evaluation.classification, evaluation.class_comparison)
    left, right = figure.axes
    assert [text.get_text().split()[0] for text in left.get_yticklabels()] == list(CLASSES)
    assert len(right.get_yticklabels()) == 3
    recall = left.lines[0 if len(left.lines[0].get_xdata()) == 1 else 1]
    assert recall.get_xdata()[0] == pytest.approx(100 * evaluation.classification.classes[0].recall)
    truth, modelled, groups = cruises(count=20)
    groups[:4], groups[4:6], groups[6:8] = 100, 101, 102
    result = classification(truth, np.eye(3)[modelled], CLASSES, groups)
    (axes,) = class_groups(result).axes
    names = [text.get_text() for text in axes.get_yticklabels()]
    sizes = [one.n for one in result.by_group.values()]
    assert len(names) == sum(size >= 3 for size in sizes) + 1
    assert names[-1] == f"2 smaller groups  n={sum(size for size in sizes if size < 3)}"


def test_a_baseline_must_not_have_the_name_of_the_network():
    """A baseline with the name of the network is refused."""
    with pytest.raises(ConfigError, match="a baseline named 'net'"):
        evaluate_classes(
            INPUTS, CLASSES, samples(1, 1)[0], [0], np.eye(3)[:1], model="net",
            baselines={"net": [0]},
        )  # fmt: skip


def test_a_new_metric_is_one_row_of_the_table(monkeypatch):
    """A metric added from outside is in tables, CSV and JSON, with intervals and differences."""
    share = ClassificationMetric(
        "first_share",
        "share of clear",
        lambda counts: counts[..., 0].sum(-1) / counts.sum((-2, -1)),
    )
    monkeypatch.setitem(CLASSIFICATION_METRICS, "first_share", share)
    truth, modelled, groups = cruises()
    x = np.tile(samples(1, 1)[0], (truth.size, 1))
    result = evaluate_classes(INPUTS, CLASSES, x, truth, np.eye(3)[modelled], groups=groups)
    expected = np.mean(modelled == 0)
    text = to_text(result)
    assert f"share of clear {expected:.3f} (" in text
    told = json.loads(to_json([result]))["test"]["classification"]
    assert told["first_share"] == pytest.approx(expected)
    assert told["intervals"]["first_share"]["low"] < expected
    assert told["comparison"][1]["difference"]["first_share"]["value"] == pytest.approx(
        told["comparison"][1]["first_share"]["value"] - expected
    )
    line = next(csv.DictReader(io.StringIO(to_csv([result]))))
    assert float(line["first_share"]) == pytest.approx(expected)
