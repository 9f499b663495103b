"""Classes by rules: the first rule that holds, and what becomes of rows that none decides."""

import csv
import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from sample_tables import NOMAD, RRS, columns, config, load, write

from pipeline.config import SamplesConfig
from pipeline.config.training import TrainingConfig
from pipeline.errors import ConfigError
from pipeline.simulation.simulation import simulate_samples
from pipeline.tables.writing import write_samples
from pipeline.training.recipe import load_recipe
from pipeline.training.samples.samples import load_samples

RULES = {"low": "chlor_a < 1", "blue": "Rrs_443 > 0.02", "dated": "date >= 20200120"}


def test_the_first_rule_that_holds_says_the_class(tmp_path: Path) -> None:
    """Each row as a chain of ifs says it; classes are in the order of the rules."""
    table = columns()
    samples = load(tmp_path, table, classes={"rules": RULES, "otherwise": "rest"})
    expected = []
    for chl, blue, date in zip(table["chlor_a"], table["Rrs_443"], table["date"], strict=True):
        if chl < 1:
            expected.append("low")
        elif blue > 0.02:
            expected.append("blue")
        elif date >= 20200120:
            expected.append("dated")
        else:
            expected.append("rest")
    assert samples.classes == ("low", "blue", "dated", "rest")
    assert [samples.classes[label] for label in samples.labels] == expected
    assert len(set(expected)) == 4


def test_rows_of_no_rule_are_dropped_and_counted(tmp_path: Path) -> None:
    """Without ``otherwise`` they have no class, as those of a column have none in an empty cell."""
    rules = {"low": "chlor_a < 1", "high": "chlor_a > 2"}
    samples = load(tmp_path, columns(), classes={"rules": rules}, missing_targets="drop")
    assert len(samples) == 9 + 20
    assert any("no rule of samples.classes is true for 11 rows" in told for told in samples.notes)
    with pytest.raises(ConfigError, match=r"11 of 40 rows have no class.*missing_targets: drop"):
        load(tmp_path, columns(), classes={"rules": rules})


def test_a_missing_value_decides_nothing(tmp_path: Path) -> None:
    """Unless a rule held before it was asked for: NaN must not fall through to the last class."""
    table = columns()
    table["chlor_a"][0] = None  # asked for first
    table["weight"][1] = None  # row 1 is low before weight is asked for
    table["weight"][30] = None  # row 30 is not
    rules = {"low": "chlor_a < 1", "heavy": "weight > 2 or Rrs_443 > 0.02", "all": "not weight > 5"}
    samples = load(tmp_path, table, classes={"rules": rules}, missing_targets="drop")
    kept = samples.rows - 2  # line 2 of the file is row 0
    assert 0 not in kept
    assert 30 not in kept
    assert samples.classes[samples.labels[kept == 1][0]] == "low"
    assert any("2 rows lack a value that a rule" in told for told in samples.notes)


@pytest.mark.parametrize(
    ("classes", "words"),
    [
        ({"rules": {"a": "chla < 1", "b": "chlor_a > 1"}}, r"rules.a: no column 'chla'; did you"),
        ({"rules": {"a": "chlor_a", "b": "chlor_a > 1"}}, r"rules.a: 'chlor_a' is not a condition"),
        ({"rules": {"a": "chlor_a <", "b": "chlor_a > 1"}}, r"rules.a: 'chlor_a <' is not an expr"),
        ({"rules": {"a": "chlor_a > 0", "b": "chlor_a > 99"}}, "expected also b"),
    ],
)
def test_rules_that_cannot_be(tmp_path: Path, classes: dict[str, Any], words: str) -> None:
    """Are told with the name of the class."""
    with pytest.raises(ConfigError, match=words):
        load(tmp_path, columns(), classes=classes)


@pytest.mark.parametrize(
    ("classes", "words"),
    [
        ({}, "expected the key 'column' or the key 'rules'"),
        ({"column": "water", "rules": RULES}, "expected the key 'column' or the key 'rules'"),
        (
            {"column": "water", "otherwise": "rest"},
            "the key 'otherwise' is only for classes from rules",
        ),
        ({"rules": RULES, "names": ["low", "blue"]}, "each rule has a name already"),
        ({"rules": RULES, "otherwise": "low"}, "a rule has the name low; give 'otherwise' another"),
        ({"rules": {"low": "chlor_a < 1"}}, "found one class, expected two or more"),
    ],
)
def test_classes_that_contradict_themselves(classes: dict[str, Any], words: str) -> None:
    """Column or rules, not both, and at least two classes."""
    said = {"files": ["a.csv"], "inputs": [RRS], "classes": classes}
    with pytest.raises(ValidationError, match=words):
        SamplesConfig.model_validate(said)


def test_rules_may_use_new_columns(tmp_path: Path) -> None:
    """Those of ``samples.columns`` are there before rules are asked."""
    path = write(tmp_path, columns())
    classes = {"rules": {"green": "ratio > 0.2"}, "otherwise": "blue"}
    samples = load_samples(config(path, columns={"ratio": "Rrs_555 / Rrs_443"}, classes=classes))
    is_green = samples.x[:, 1] / samples.x[:, 0] > 0.2
    np.testing.assert_array_equal(samples.labels == 0, is_green)
    assert 0 < is_green.sum() < 40


def nomad_by_hand(path: Path) -> dict[int, tuple[str, float]]:
    """Class and Rrs at 547 nm of each line of NOMAD that has all it takes."""
    with gzip.open(path, "rt", encoding="latin-1") as file:
        lines = list(enumerate(file, start=1))
    content = [(number, line) for number, line in lines if not line.startswith("!")]
    names = next(csv.reader([content[0][1]]))
    found = {}
    for number, line in content[1:]:
        row = dict(zip(names, next(csv.reader([line])), strict=True))
        bands = [(float(row[f"lw{nm}"]), float(row[f"es{nm}"])) for nm in (411, 443, 489, 555, 665)]
        ap, ad, ag = (float(row[name]) for name in ("ap443", "ad443", "ag443"))
        if -999 in (ap, ad, ag) or any(lw == -999 or es == -999 or lw <= 0 for lw, es in bands):
            continue
        aph, total = ap - ad, ap + ag
        if total < 0.05:
            name = "clear"
        elif ad > 0.05:
            name = "turbid"
        elif aph > 0.5 * total:
            name = "phytoplankton"
        elif ag > 0.5 * total:
            name = "cdom"
        else:
            name = "mixed"
        found[number] = name, bands[3][0] / bands[3][1]
    return found


def test_the_shipped_rules_on_nomad(real_data: Path, tmp_path: Path) -> None:
    """Labels are those of a chain of ifs over the text; 555 nm is taken to 547 nm and back."""
    simulated = tmp_path / "modis.nc"
    bands = (412.0, 443.0, 488.0, 531.0, 547.0, 667.0, 678.0)
    write_samples(simulated, simulate_samples(500, bands))
    recipe = load_recipe("water_types_nomad", TrainingConfig)
    samples = load_samples(recipe.reading((simulated, real_data / NOMAD)).samples)
    measured = samples.take(samples.files == 1)
    by_hand = nomad_by_hand(real_data / NOMAD)
    assert len(measured) == len(by_hand) == 715
    assert measured.rows.tolist() == list(by_hand)
    assert [samples.classes[label] for label in measured.labels] == [n for n, _ in by_hand.values()]
    at_547 = measured.x[:, 3]
    # NASA's conversion from 547 to 555 nm, as l2gen has it.
    low = 10 ** (0.986 * np.log10(at_547) - 0.081495)
    at_555 = np.where(at_547 < 0.001723, low, 1.031 * at_547 - 0.000216)
    np.testing.assert_allclose(at_555, [rrs for _, rrs in by_hand.values()], rtol=2e-3)
    drawn = samples.take(samples.files == 0)
    assert (drawn.groups == "simulated").all()
    assert set(drawn.labels.tolist()) == set(range(5))


def test_both_shipped_recipes_mean_the_same_classes() -> None:
    """Those of simulated water alone and those judged on NOMAD."""
    one, other = (load_recipe(n, TrainingConfig) for n in ("water_types", "water_types_nomad"))
    assert one.samples.classes == other.samples.classes
    assert one.samples.inputs == other.samples.inputs
    assert one.class_baselines == other.class_baselines
