"""Splits keep groups together, are balanced, repeat themselves and leak nothing."""

import dataclasses
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from sample_tables import nomad, small_samples

from pipeline.config import SplitsConfig
from pipeline.errors import ConfigError
from pipeline.training.samples.samples import SampleSet, load_samples
from pipeline.training.samples.splits import Split, check_no_leakage, make_folds, make_split

pytestmark = pytest.mark.quick

# Each at least four times, so that there is something to deal, and some much more often.
GROUPS = st.lists(st.integers(0, 14), max_size=100).map(lambda more: [*range(15)] * 4 + more)
TIMES = st.lists(st.integers(0, 49), max_size=80).map(lambda more: [*range(50)] * 2 + more)


def parts(split: Split) -> list[np.ndarray[Any, Any]]:
    return [split.train, split.validation, split.test]


def assert_complete(split: Split, samples: SampleSet) -> None:
    assert list(range(len(samples))) == sorted(np.concatenate(parts(split)).tolist())


@settings(max_examples=30)
@given(groups=GROUPS, seed=st.integers(0, 99))
def test_a_group_is_in_one_part(groups: list[int], seed: int) -> None:
    """All rows are dealt, groups whole, no part larger than its share unless one group is."""
    samples = small_samples(groups)
    split = make_split(samples, SplitsConfig(seed=seed))
    assert_complete(split, samples)
    held = [set(samples.groups[part]) for part in parts(split)]
    assert not held[0] & held[1]
    assert not held[0] & held[2]
    assert not held[1] & held[2]
    for part, groups_of_part in zip(parts(split)[1:], held[1:], strict=True):
        assert len(part) <= 0.2 * len(groups) + 0.5 or len(groups_of_part) == 1


@settings(max_examples=30)
@given(groups=GROUPS, seed=st.integers(0, 99), by=st.sampled_from(["group", "time", "random"]))
def test_folds_test_each_row_once(groups: list[int], seed: int, by: str) -> None:
    """Test parts of folds are disjoint and complete, and each fold deals all rows."""
    samples = small_samples(groups, times=groups[::-1])
    folds = make_folds(samples, SplitsConfig(by=by, folds=4, seed=seed))
    assert len(folds) == 4
    tested = np.concatenate([fold.test for fold in folds])
    assert list(range(len(samples))) == sorted(tested.tolist())
    for fold in folds:
        assert_complete(fold, samples)


@settings(max_examples=30)
@given(times=TIMES)
def test_the_latest_rows_are_the_test(times: list[int]) -> None:
    """Training ends before validation begins, which ends before the test; ties stay together."""
    samples = small_samples([0] * len(times), times)
    split = make_split(samples, SplitsConfig(by="time"))
    assert_complete(split, samples)
    assert samples.times[split.train].max() < samples.times[split.validation].min()
    assert samples.times[split.validation].max() < samples.times[split.test].min()


def test_parts_are_balanced() -> None:
    """Many small groups give the shares that were asked for, and folds of one size."""
    groups = [row % 50 for row in range(500)]
    split = make_split(small_samples(groups), SplitsConfig())
    assert [len(part) for part in parts(split)] == [300, 100, 100]
    folds = make_folds(small_samples(groups), SplitsConfig(folds=5))
    assert Counter({100: 5}) == Counter(len(fold.test) for fold in folds)


@pytest.mark.parametrize("by", ["group", "time", "random"])
def test_a_seed_decides(by: str) -> None:
    """The same seed gives the same parts, another one others, except by time."""
    samples = small_samples([row % 30 for row in range(300)], list(range(300)))
    first, again, other = (make_split(samples, SplitsConfig(by=by, seed=s)) for s in (3, 3, 4))
    np.testing.assert_array_equal(first.test, again.test)
    np.testing.assert_array_equal(first.validation, again.validation)
    assert (by == "time") == np.array_equal(first.test, other.test)


def test_no_test_part_where_none_is_asked_for() -> None:
    """``test: 0`` leaves the test part empty."""
    split = make_split(small_samples([row % 9 for row in range(90)]), SplitsConfig(test=0))
    assert split.test.size == 0
    assert 0 < split.validation.size <= 18


def test_a_group_larger_than_its_share_is_used() -> None:
    """Of three groups each part gets one, the largest trains."""
    split = make_split(small_samples([0] * 30 + [1] * 50 + [2] * 20), SplitsConfig(validation=0.1))
    assert [len(part) for part in parts(split)] == [50, 30, 20]


def test_a_random_split_of_groups_tells_that_it_leaks() -> None:
    """Rows of one cruise in two parts make errors look small."""
    samples = small_samples([row % 9 for row in range(90)])
    assert "errors look smaller" in make_split(samples, SplitsConfig(by="random")).notes[0]
    assert make_split(samples, SplitsConfig()).notes == ()
    bare = dataclasses.replace(samples, groups=None)
    assert make_split(bare, SplitsConfig(by="random")).notes == ()


def test_the_same_spectrum_in_two_groups_is_refused() -> None:
    """Copies of a spectrum are named by their rows."""
    samples = small_samples([row % 20 for row in range(200)])
    samples.x[100:] = samples.x[:100]
    samples.groups[100:] = samples.groups[100:][::-1]
    with pytest.raises(
        ConfigError, match=r"spectra are exactly the same in two parts.*a\.csv \d+ and a\.csv \d+"
    ):
        make_split(samples, SplitsConfig())


@settings(max_examples=30)
@given(copies=st.lists(st.integers(0, 59), min_size=1, max_size=40), seed=st.integers(0, 99))
def test_random_parts_share_no_spectrum(copies: list[int], seed: int) -> None:
    """Rows with exactly the same inputs are dealt together, and told."""
    samples = small_samples([*range(60)]).take([*range(60), *copies])
    samples = dataclasses.replace(samples, groups=None)
    split = make_split(samples, SplitsConfig(by="random", seed=seed))
    assert_complete(split, samples)
    check_no_leakage(samples, split)
    assert split.notes == (
        f"{len(copies)} rows have exactly the inputs of another row; they stay in the same part",
    )


@settings(max_examples=30)
@given(order=st.permutations(range(80)), by=st.sampled_from(["group", "time", "random"]))
def test_the_order_of_rows_does_not_matter(order: list[int], by: str) -> None:
    """The same rows are tested, and folds are the same, however the rows are sorted."""
    samples = small_samples([row % 17 for row in range(80)], [row // 2 for row in range(80)])
    shuffled = samples.take(order)
    config = SplitsConfig(by=by, folds=4)
    pairs = zip(
        (make_split(samples, config), *make_folds(samples, config)),
        (make_split(shuffled, config), *make_folds(shuffled, config)),
        strict=True,
    )
    for one, other in pairs:
        for part, same in zip(parts(one), parts(other), strict=True):
            assert set(samples.rows[part]) == set(shuffled.rows[same])


def test_copies_in_one_part_are_no_leak() -> None:
    """Copies of a spectrum within a group stay together."""
    samples = small_samples([row % 20 for row in range(200)])
    samples.x[100:] = samples.x[:100]
    assert sum(len(part) for part in parts(make_split(samples, SplitsConfig()))) == 200


def test_a_group_in_two_parts_is_refused() -> None:
    """A split made elsewhere is judged as well."""
    samples = small_samples([0, 0, 1, 1])
    split = Split(np.array([0, 2]), np.array([1]), np.array([3]))
    with pytest.raises(ConfigError, match=r"2 groups are in two parts \(g0, g1\)"):
        check_no_leakage(samples, split)
    check_no_leakage(samples, split, groups=False)


@pytest.mark.parametrize(
    ("groups", "keys", "message"),
    [
        ([0] * 100, {}, "100 rows with 1 groups give train 0"),
        ([0, 1, 2], {}, "expected 10 or more rows to train"),
        ([row % 3 for row in range(90)], {"folds": 3}, "3 groups for 3 folds, expected 4 or more"),
        ([row % 9 for row in range(90)], {"by": "time"}, "samples.time is not set"),
    ],
)
def test_too_little_to_split_is_refused(
    groups: list[int], keys: dict[str, Any], message: str
) -> None:
    """Too few rows or groups, or none, are named with what was expected."""
    config = SplitsConfig(**keys)
    with pytest.raises(ConfigError, match=message):
        (make_folds if config.folds else make_split)(small_samples(groups), config)


def test_folds_need_a_number() -> None:
    """Folds are only made where the configuration says how many."""
    with pytest.raises(ConfigError, match=r"splits\.folds: no number of folds"):
        make_folds(small_samples([0, 1, 2]), SplitsConfig())


@pytest.mark.parametrize(
    "keys", [{"validation": 0.6, "test": 0.4}, {"validation": 0}, {"folds": 1}]
)
def test_shares_leave_rows_to_train(keys: dict[str, float]) -> None:
    """Validation is never empty, and something is left to train with."""
    with pytest.raises(ValidationError):
        SplitsConfig.model_validate(keys)


def test_nomad_splits_by_cruise(real_data: Path) -> None:
    """NOMAD's copies are within a cruise; a random split tells of cruises and of copies."""
    samples = load_samples(nomad(real_data))
    split = make_split(samples, SplitsConfig())
    assert [len(part) for part in parts(split)] == [491, 163, 163]
    told = make_split(samples, SplitsConfig(by="random")).notes
    assert "errors look smaller" in told[0]
    assert told[1].startswith("10 rows have exactly the inputs of another row")
