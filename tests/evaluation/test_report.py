"""Evaluations: numbers of every output, group, input and baseline, as text and as files."""

import csv
import io
import json
import math

import numpy as np
import pytest
from evaluation_cases import APH, INPUTS, samples, variable

from pipeline.errors import ConfigError, OutputError
from pipeline.evaluation.album import draw_pictures
from pipeline.evaluation.files import write_evaluation
from pipeline.evaluation.formatting import number, percent
from pipeline.evaluation.metrics import common_rows, metrics
from pipeline.evaluation.pictures import History
from pipeline.evaluation.ranges import outside_range
from pipeline.evaluation.report import evaluate_arrays, evaluate_classes
from pipeline.evaluation.tables import as_dict, to_csv, to_json, to_text

COUNT = 400


def evaluate(part="test", **changes):
    x, observed, modelled, groups = samples(COUNT, 2)
    observed[:10, 0] = np.nan
    modelled[10:15, 1] = -1.0
    only_first = observed * 1.3
    only_first[:, 1] = np.nan
    given = {
        "groups": groups,
        "baselines": {"QAA": observed * 1.5, "only aph_412": only_first},
        "part": part,
    }
    return evaluate_arrays(INPUTS, APH[:2], x, observed, modelled, **(given | changes))


@pytest.fixture(scope="module")
def evaluation():
    return evaluate()


@pytest.fixture(scope="module")
def few_pictures():
    """One output, without groups and baselines."""
    x, observed, modelled, _ = samples(50, 1)
    return evaluate_arrays(INPUTS, APH[:1], x, observed, modelled)


def test_metrics_of_each_output_and_group(evaluation):
    """Every output has the metrics of its columns, as a whole and by group."""
    _, observed, modelled, groups = samples(COUNT, 2)
    observed[:10, 0] = np.nan
    first, second = evaluation.outputs
    assert first.metrics == metrics(observed[:, 0], modelled[:, 0])
    assert (second.metrics.observed, second.metrics.n) == (COUNT, COUNT - 5)
    assert set(first.by_group) == set(groups)
    assert sum(one.n for one in first.by_group.values()) == first.metrics.n
    assert evaluation.groups == 25


def test_baselines_stand_beside_on_common_rows(evaluation):
    """Models are compared on common rows; a model without an output is left out for it."""
    _, observed, modelled, _ = samples(COUNT, 2)
    modelled[10:15, 1] = -1.0
    first, second = evaluation.outputs
    assert [one.model for one in first.comparison] == ["network", "QAA", "only aph_412"]
    assert [one.model for one in second.comparison] == ["network", "QAA"]
    network, qaa = second.comparison
    assert network.difference is None
    rows = common_rows(observed[:, 1], modelled[:, 1])
    assert network.common.n == qaa.common.n == rows.sum()
    assert qaa.own.n == COUNT
    assert qaa.common["mae"] == pytest.approx(1.5)
    assert qaa.difference.value == pytest.approx(1.5 - network.common["mae"])
    assert qaa.interval.value == pytest.approx(qaa.common["mae"])


def test_how_far_inputs_leave_the_training_range(evaluation):
    """Ranges apply to the transformed quantity; an input without a range has no share."""
    x, *_ = samples(COUNT, 2)
    bounded, unknown, angle = evaluation.inputs
    outside_first = (x[:, 0] < 1e-3) | (x[:, 0] > 1e-2)
    outside_angle = x[:, 2] > 60.0
    assert bounded.outside == pytest.approx(outside_first.mean())
    assert unknown.outside is None
    assert angle.outside == pytest.approx(outside_angle.mean())
    assert evaluation.outside_any == pytest.approx((outside_first | outside_angle).mean())
    assert bounded.lowest == x[:, 0].min()


def test_ends_that_are_not_known_exclude_nothing():
    """With one known end, only values beyond it are outside; missing values are not."""
    upper = variable("Rrs", 443.0, "sr-1", high=-2.0)
    values = np.array([1e-9, 0.5, np.nan, 0.0, -0.1])
    # Where there is no logarithm there is no place in the range.
    assert list(outside_range(upper, values)) == [False, True, False, True, True]
    assert outside_range(variable("Rrs"), values) is None


def test_outputs_without_logarithm_are_compared_in_units():
    """Outputs without a transform have an additive bias, unless the caller asks for logarithms."""
    x, observed, modelled, _ = samples(50, 1)
    linear = [variable("temperature", None, "degree", "none")]
    result = evaluate_arrays(INPUTS, linear, x, observed, modelled)
    assert result.outputs[0].metrics == metrics(observed[:, 0], modelled[:, 0], log=False)
    assert result.groups is None
    assert result.outputs[0].comparison == ()
    forced = evaluate_arrays(INPUTS, linear, x, observed, modelled, logs=[True])
    assert forced.outputs[0].metrics.log


def test_what_does_not_fit_is_named():
    """Rows, columns and names that do not fit are named in the error."""
    with pytest.raises(ConfigError, match="x has 400 rows, but groups has 2"):
        evaluate(groups=["a", "b"])
    with pytest.raises(ConfigError, match=r"QAA has shape \(400,\), expected \(n, 2\)"):
        evaluate(baselines={"QAA": np.ones(COUNT)})
    with pytest.raises(ConfigError, match="baseline named 'network'"):
        evaluate(baselines={"network": np.ones((COUNT, 2))})


def test_json_has_all_numbers_and_null_for_the_unknown(evaluation):
    """JSON is strict: unknown numbers are null."""
    content = json.loads(to_json([evaluate("training"), evaluation]))
    assert list(content) == ["training", "test"]
    test = content["test"]
    assert test["outputs"][0]["metrics"]["mae"] == evaluation.outputs[0].metrics["mae"]
    assert test["inputs"][1]["outside_training_range"] is None
    assert test["inputs"][1]["training_range"] == [None, None]
    assert test["inputs"][2]["training_range"] == pytest.approx([0.0, 60.0])
    assert test["outputs"][0]["comparison"][0]["mae_difference"] is None


def test_csv_has_a_line_for_each_output_model_and_group(evaluation):
    """Lines have part, output, model, rows and group; the numbers can be read back."""
    lines = list(csv.DictReader(io.StringIO(to_csv([evaluation]))))
    whole = [line for line in lines if line["group"] == "all"]
    # Three models and two, the baselines on their own rows besides, and the network alone.
    assert len(whole) == (3 + 2) + (2 + 1) + 2
    assert len(lines) - len(whole) == 2 * 25
    assert float(whole[0]["mae"]) == pytest.approx(evaluation.outputs[0].metrics["mae"])
    assert whole[0]["log"] == "true"
    assert {line["units"] for line in lines} == {"m-1"}


def test_text_is_aligned(evaluation):
    """Columns of the tables for a terminal begin and end where their heads do."""
    text = to_text(evaluation)
    assert "network, test part: 400 rows, 25 groups" in text
    table = text.split("\n\n")[1].split("\n")
    end = table[0].index("MAE") + len("MAE")
    assert all(line[end - 1].isdigit() and line[end : end + 2] == "  " for line in table[2:])
    assert "have an input outside its training range" in text
    assert "unknown" in text


def test_numbers_for_people():
    """Digits depend on the size, and a small share is not shown as zero."""
    assert [number(v) for v in (1.23456, 12.3456, 123.456, 0.00123456, math.nan)] == [
        "1.235",
        "12.35",
        "123.5",
        "0.00123",
        "-",
    ]
    assert [percent(v) for v in (0.0, 0.0001, 0.123, None)] == ["0.0 %", "< 0.1 %", "12.3 %", "-"]


def test_files_are_complete_and_equal(tmp_path, evaluation):
    """Numbers, tables and pictures are written completely, and twice with equal bytes."""
    history = History((0.3, 0.2), (0.4, 0.3), (1e-3, 1e-3), 2)
    other = [evaluate("training")]
    paths = write_evaluation(tmp_path / "a", evaluation, history=history, other_parts=other)
    again = write_evaluation(tmp_path / "b", evaluation, history=history, other_parts=other)
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == sorted(
        [
            "comparison.png",
            "groups_aph_412.png",
            "groups_aph_443.png",
            "learning_curves.png",
            "metrics.csv",
            "metrics.json",
            "residuals_aph_412.png",
            "residuals_aph_443.png",
            "scatter.png",
        ]
    )
    for first, second in zip(paths, again, strict=True):
        assert first.read_bytes() == second.read_bytes(), first.name


def test_a_folder_that_cannot_be_used_is_an_error(tmp_path, few_pictures):
    """Where a file stands in the way the error names it, and it stays as it was."""
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(OutputError, match="taken"):
        write_evaluation(tmp_path / "taken", few_pictures)
    assert (tmp_path / "taken").read_text() == "mine"


def test_a_failed_write_leaves_the_old_file(tmp_path, few_pictures, monkeypatch):
    """When a file cannot be completed the one before stays, and nothing partial is left."""
    from pathlib import Path

    (tmp_path / "metrics.json").write_text("before")

    def full(path, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OutputError, match="No space left"):
        write_evaluation(tmp_path, few_pictures)
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.json"]
    assert (tmp_path / "metrics.json").read_text() == "before"


def test_many_outputs_are_continued_on_another_picture():
    """Scatter plots of more than 20 outputs are several pictures."""
    x, observed, modelled, _ = samples(30, 21)
    outputs = [variable("aph", 400.0 + i) for i in range(21)]
    result = evaluate_arrays((), outputs, x[:, :0], observed, modelled)
    assert [one.name for one in draw_pictures(result)] == ["scatter_1", "scatter_2"]


def test_a_classification_has_classes_instead_of_outputs():
    """JSON, text and pictures show accuracy and confusion."""
    rng = np.random.default_rng(0)
    x, *_ = samples(100, 1)
    shares = rng.random((100, 3))
    truth = shares.argmax(axis=1)
    truth[:10] = (truth[:10] + 1) % 3
    result = evaluate_classes(INPUTS, ("clear", "turbid", "ice"), x, truth, shares)
    assert as_dict(result)["classification"]["accuracy"] == pytest.approx(0.9)
    assert "accuracy 0.900" in to_text(result)
    assert [one.name for one in draw_pictures(result)] == ["confusion", "class_shares"]
