"""Files of samples that name things in their own way, and files that are of one part."""

from pathlib import Path

import numpy as np
import pytest
from sample_tables import RRS, columns, write

from pipeline.config import SamplesConfig, SplitsConfig
from pipeline.config.training import TrainingConfig
from pipeline.errors import ConfigError
from pipeline.training.recipe import load_recipe
from pipeline.training.samples.samples import SampleSet, load_samples
from pipeline.training.samples.splits import make_folds, make_split


def two_files(folder: Path, **second: object) -> SamplesConfig:
    """The usual table, and one with other names, units and numbers."""
    table = columns()
    other = {
        "blue": [2 * value for value in table["Rrs_443"]],
        "rrs_green": [3 * value for value in table["Rrs_555"]],
        "pigment": [0.001 * value for value in table["chlor_a"]],
        "depth": list(range(40)),
    }
    said = {
        "files": [
            write(folder, table),
            {
                "path": write(folder, other, "other.csv"),
                "columns": {"Rrs_443": "blue", "Rrs_555": "rrs_green", "chlor_a": "pigment",
                            "cruise": "'simulated'"},
                "units": {"chlor_a": "g m-3"},
                **second,
            },
        ],
        "columns": {"ratio": "Rrs_443 / Rrs_555"},
        "inputs": [RRS, {"quantity": "ratio", "units": "1"}],
        "targets": [{"quantity": "chlor_a"}],
        "group": "cruise",
    }  # fmt: skip
    return SamplesConfig.model_validate(said)


def test_each_file_has_its_own_columns_units_and_filter(tmp_path: Path) -> None:
    """They are there before the columns of all files are calculated."""
    samples = load_samples(two_files(tmp_path, filter="depth >= 10"))
    first, second = samples.take(samples.files == 0), samples.take(samples.files == 1)
    assert (len(first), len(second)) == (40, 30)
    np.testing.assert_allclose(second.x[:, 0], 2 * first.x[10:, 0])
    np.testing.assert_allclose(second.x[:, 2], first.x[10:, 2] * 2 / 3)
    np.testing.assert_allclose(second.y, first.y[10:])
    assert set(second.groups) == {"simulated"}


def test_a_file_may_be_of_one_part(tmp_path: Path) -> None:
    """Shares are of the rows of the other files; what is fixed stays."""
    samples = load_samples(two_files(tmp_path, part="train"))
    split = make_split(samples, SplitsConfig(validation=0.25, test=0.25))
    assert (len(split.train), len(split.validation), len(split.test)) == (60, 10, 10)
    assert set(np.flatnonzero(samples.files == 1)) <= set(split.train)
    assert samples.sources[1]["part"] == "train"
    held_out = load_samples(two_files(tmp_path, part="test"))
    split = make_split(held_out, SplitsConfig(validation=0.25, test=0))
    assert split.test.tolist() == list(range(40, 80))
    assert len(split.validation) == 10


def test_folds_divide_the_other_files(tmp_path: Path) -> None:
    """Each row of them is tested once, and what is to train is in every fold."""
    samples = load_samples(two_files(tmp_path, part="train"))
    folds = make_folds(samples, SplitsConfig(folds=3, validation=0.2))
    tested = np.concatenate([fold.test for fold in folds])
    assert sorted(tested.tolist()) == list(range(40))
    assert all(set(range(40, 80)) <= set(fold.train.tolist()) for fold in folds)
    whole = load_samples(two_files(tmp_path, part="test"))
    with pytest.raises(ConfigError, match="'part: test' is set for a file"):
        make_folds(whole, SplitsConfig(folds=3, validation=0.2))


def test_no_group_is_in_two_parts(tmp_path: Path) -> None:
    """A file that trains must not hold a group that is tested."""
    config = two_files(tmp_path, part="train")
    samples: SampleSet = load_samples(config)
    samples.groups[samples.files == 1] = "c1"
    with pytest.raises(ConfigError, match=r"1 groups are in two parts \(c1\)"):
        make_split(
            samples, SplitsConfig(validation=0.25, test=0.25, seed=_seed_testing_c1(samples))
        )


def _seed_testing_c1(samples: SampleSet) -> int:
    """A seed by which cruise c1 does not train."""
    plain = samples.take(samples.files == 0)
    for seed in range(50):
        split = make_split(plain, SplitsConfig(validation=0.25, test=0.25, seed=seed))
        if "c1" not in plain.groups[split.train]:
            return seed
    raise AssertionError


@pytest.mark.parametrize(
    ("second", "words"),
    [
        (
            {"columns": {"Rrs_443": "bleu"}},
            "other.csv: samples.files.columns.Rrs_443: no column 'b",
        ),
        ({"units": {"pigmnt": "m-1"}}, "other.csv: samples.files.units: no column pigmnt"),
        ({"filter": "depth + 1"}, "other.csv: samples.files.filter: 'depth . 1' is not a con"),
    ],
)
def test_mistakes_name_the_file(tmp_path: Path, second: dict[str, object], words: str) -> None:
    """And the key in it."""
    with pytest.raises(ConfigError, match=words):
        load_samples(two_files(tmp_path, **second))


def recipe(files: list[object]) -> TrainingConfig:
    said = {
        "name": "n", "sensors": ["SGLI"],
        "samples": {"files": files, "targets": [{"quantity": "chlor_a"}]},
    }  # fmt: skip
    return load_recipe(said, TrainingConfig)


def test_files_of_a_call_take_the_places_of_those_that_are_told_apart() -> None:
    """One for each, in order; plain paths may be replaced by any number."""
    apart = recipe(["a.csv", {"path": "b.csv", "part": "test"}])
    read = apart.reading((Path("x.csv"), Path("y.csv"))).samples.files
    assert [(str(file.path), file.part) for file in read] == [("x.csv", None), ("y.csv", "test")]
    with pytest.raises(
        ConfigError, match=r"found 1 files of samples, expected 2, one for each of a.c"
    ):
        apart.reading((Path("x.csv"),))
    plain = recipe(["a.csv"]).reading((Path("x.csv"), Path("y.csv")))
    assert plain.model_dump(mode="json")["samples"]["files"] == ["x.csv", "y.csv"]
    assert TrainingConfig.model_validate(apart.model_dump(mode="json")) == apart


def test_an_unknown_key_of_a_file_is_told() -> None:
    """With the keys that there are."""
    with pytest.raises(ConfigError, match=r"samples.files.0.filtre: unknown key; did you mean 'f"):
        recipe([{"path": "a.csv", "filtre": "x > 1"}])
