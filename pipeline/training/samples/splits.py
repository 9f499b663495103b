"""Split samples into three parts: to train a network, to stop its training, and to judge it.

A unit is a set of samples that a split keeps together: a group, a time or a spectrum.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.config import SplitsConfig
from pipeline.errors import ConfigError
from pipeline.tables.table import NAMED_ROWS, listed, table_error
from pipeline.training.samples.samples import SampleSet

Integers = npt.NDArray[np.int64]
# Smallest number of rows to train on.
FEWEST_TRAINING_ROWS = 10
PARTS = ("train", "validation", "test")


@dataclass(frozen=True, eq=False)
class Split:
    """Indices of the samples in each of three parts; the indices of a part are sorted."""

    train: Integers
    validation: Integers
    test: Integers
    """Test part; empty if the configuration has no test part."""
    notes: tuple[str, ...] = ()
    """Notes on risks of the split, for the log."""

    @property
    def counts(self) -> dict[str, int]:
        """Number of samples in each part."""
        return {part: len(getattr(self, part)) for part in PARTS}

    @property
    def not_test(self) -> Integers:
        """Indices of the training and validation parts together, sorted."""
        return np.sort(np.concatenate([self.train, self.validation]))

    def part_of_each(self, count: int) -> Integers:
        """Return the part of each sample as a number, with shape (count,).

        0 is training, 1 is validation, 2 is test, and -1 is no part.
        """
        parts = np.full(count, -1, dtype=np.int64)
        for number, name in enumerate(PARTS):
            parts[getattr(self, name)] = number
        return parts


def make_split(samples: SampleSet, config: SplitsConfig) -> Split:
    """Split the samples; with the same seed, the split is the same.

    Raises:
        ConfigError: the samples lack the column to split by, a part is empty, too few rows are left
            for training, or the same group or spectrum is in more than one part.
    """
    masks = {part: samples.fixed_parts == part for part in PARTS}
    free = _free(samples)
    if free.size:
        units = _units(samples.take(free), config)
        sizes = np.bincount(units)
        shares = [config.test, config.validation]
        if config.by == "time":
            chosen = _latest(sizes, shares)
        else:
            chosen = _dealt(sizes, shares, np.random.default_rng(config.seed))
        for part, numbers in zip(("test", "validation"), chosen, strict=True):
            masks[part][free[np.isin(units, numbers)]] = True
    return _checked(samples, config, masks["validation"], masks["test"])


def make_folds(samples: SampleSet, config: SplitsConfig) -> list[Split]:
    """Return ``splits.folds`` splits; each sample without a fixed part is tested once.

    Raises:
        ConfigError: ``splits.folds`` is not set, there are too few units, or a split is not
            allowed.
    """
    if config.folds is None:
        raise table_error("splits.folds", "no number of folds, expected 2 or more. Set the number")
    free = _free(samples)
    if free.size < len(samples) and "test" in samples.fixed_parts:
        raise table_error(
            "splits.folds",
            "'part: test' is set for a file, but folds test every row once. Remove this setting",
        )
    units = _units(samples.take(free), config)
    sizes = np.bincount(units)
    if len(sizes) < config.folds + 1:
        raise table_error(
            "splits",
            f"{len(sizes)} {_word(config)} for {config.folds} folds, expected "
            f"{config.folds + 1} or more {_word(config)}. Lower splits.folds",
        )
    rng = np.random.default_rng(config.seed)
    folds = _blocks(sizes, config.folds) if config.by == "time" else _even(sizes, config.folds, rng)
    return [
        _fold(samples, config, free, units, np.flatnonzero(folds == number), rng)
        for number in range(config.folds)
    ]


def _free(samples: SampleSet) -> Integers:
    """Return the indices of the samples whose file has no key ``part``."""
    return np.flatnonzero(samples.fixed_parts == "").astype(np.int64)


def check_no_leakage(samples: SampleSet, split: Split, *, groups: bool = True) -> None:
    """Refuse a split if two parts share a spectrum or a group.

    Raises:
        ConfigError: two parts share an input spectrum; or they share a group, if ``groups`` is set.
    """
    parts = split.part_of_each(len(samples))
    complaints = []
    if groups and samples.groups is not None:
        shared = _shared(np.unique(samples.groups, return_inverse=True)[1], parts)
        if shared:
            names = [str(samples.groups[rows[0]]) for rows in shared]
            complaints.append(
                f"{len(names)} groups are in two parts ({listed(names, NAMED_ROWS)}). Set "
                "splits.by: group"
            )
    shared = _shared(_spectra(samples), parts)
    if shared:
        named = [" and ".join(samples.place(row) for row in rows) for rows in shared]
        complaints.append(
            f"{len(shared)} input spectra are exactly the same in two parts "
            f"({listed(named, NAMED_ROWS)}). Remove the copies. To keep them, give each "
            "spectrum and its copies the same value in a column, set samples.group to this "
            "column, and set splits.by: group"
        )
    if complaints:
        raise table_error("splits", *complaints)


def _units(samples: SampleSet, config: SplitsConfig) -> Integers:
    """Return, for each sample, the number of its unit.

    Units are numbered in the order of their values, so the parts do not depend on the row order.
    """
    if config.by == "random":
        return _spectra(samples)
    values = samples.groups if config.by == "group" else samples.times
    if values is None:
        raise table_error(
            "splits.by",
            f"{config.by}, but samples.{config.by} is not set. Set this key to a column, or set "
            "splits.by: random if all rows are independent",
        )
    return np.asarray(np.unique(values, return_inverse=True)[1], dtype=np.int64)


def _word(config: SplitsConfig) -> str:
    return {"group": "groups", "time": "different times", "random": "different spectra"}[config.by]


def _dealt(sizes: Integers, shares: Sequence[float], rng: np.random.Generator) -> list[Integers]:
    """Draw units for each part, such that no part gets more rows than its share.

    In random order, each unit goes to the first part that has room for it. If no unit fits into a
    part, the part gets the smallest unit that is left.
    """
    total = int(sizes.sum())
    room = [share * total for share in shares]
    chosen: list[list[int]] = [[] for _ in shares]
    left = []
    for unit in rng.permutation(len(sizes)).tolist():
        fits = [part for part, rows in enumerate(room) if sizes[unit] <= rows + 0.5]
        if fits:
            room[fits[0]] -= sizes[unit]
            chosen[fits[0]].append(unit)
        else:
            left.append(unit)
    left.sort(key=lambda unit: sizes[unit])
    for part, share in enumerate(shares):
        if share and not chosen[part] and left:
            chosen[part].append(left.pop(0))
    return [np.array(units, dtype=np.int64) for units in chosen]


def _latest(sizes: Integers, shares: Sequence[float]) -> list[Integers]:
    """Fill one part after the other, and begin with the units that are latest in time."""
    total, end = int(sizes.sum()), len(sizes)
    chosen = []
    for share in shares:
        start = end
        while start > 0 and share and (start == end or _nearer(sizes, start, end, share * total)):
            start -= 1
        chosen.append(np.arange(start, end, dtype=np.int64))
        end = start
    return chosen


def _nearer(sizes: Integers, start: int, end: int, rows: float) -> bool:
    """Return True if the unit ``start - 1`` brings the number of rows nearer to ``rows``."""
    now = int(sizes[start:end].sum())
    return abs(now + int(sizes[start - 1]) - rows) < abs(now - rows)


def _even(sizes: Integers, folds: int, rng: np.random.Generator) -> Integers:
    """Return the fold of each unit; from large to small, each unit goes to the smallest fold."""
    order = rng.permutation(len(sizes))
    order = order[np.argsort(-sizes[order], kind="stable")]
    rows = np.zeros(folds, dtype=np.int64)
    fold_of = np.empty(len(sizes), dtype=np.int64)
    for unit in order.tolist():
        fold_of[unit] = fold = int(np.argmin(rows))
        rows[fold] += sizes[unit]
    return fold_of


def _blocks(sizes: Integers, folds: int) -> Integers:
    """Return the fold of each unit; folds are periods with similar numbers of rows."""
    middle = np.cumsum(sizes) - sizes / 2
    fold_of = np.minimum((middle / sizes.sum() * folds).astype(np.int64), folds - 1)
    if len(np.unique(fold_of)) < folds:
        # A time with very many rows leaves a fold empty, so folds get equal numbers of times.
        fold_of = np.arange(len(sizes)) * folds // len(sizes)
    return np.asarray(fold_of, dtype=np.int64)


def _fold(
    samples: SampleSet,
    config: SplitsConfig,
    free: Integers,
    units: Integers,
    test_units: Integers,
    rng: np.random.Generator,
) -> Split:
    others = np.setdiff1d(np.unique(units), test_units)
    sizes = np.bincount(units)[others]
    # Share of the rows that are not tested in this fold; a large tested group leaves fewer rows.
    share = [config.validation / (1 - 1 / (config.folds or 2))]
    chosen = _latest(sizes, share) if config.by == "time" else _dealt(sizes, share, rng)
    validation, test = samples.fixed_parts == "validation", np.zeros(len(samples), dtype=bool)
    validation[free[np.isin(units, others[chosen[0]])]] = True
    test[free[np.isin(units, test_units)]] = True
    return _checked(samples, config, validation, test)


def _checked(
    samples: SampleSet,
    config: SplitsConfig,
    validation: npt.NDArray[np.bool_],
    test: npt.NDArray[np.bool_],
) -> Split:
    """Return the split with these validation and test rows, if it passes all checks."""
    split = Split(
        train=np.flatnonzero(~validation & ~test).astype(np.int64),
        validation=np.flatnonzero(validation).astype(np.int64),
        test=np.flatnonzero(test).astype(np.int64),
        notes=_notes(samples, config),
    )
    complaints = _too_few(samples, config, split)
    try:
        check_no_leakage(samples, split, groups=config.by == "group")
    except ConfigError as error:
        complaints.append(str(error).removeprefix("splits:").strip())
    if complaints:
        raise table_error("splits", *complaints)
    return split


def _notes(samples: SampleSet, config: SplitsConfig) -> tuple[str, ...]:
    notes = []
    if samples.groups is not None and config.by != "group":
        notes.append(
            f"splits.by: {config.by} may put rows of one group into two parts. The test samples "
            "are then partly known from training, and errors look smaller than they are"
        )
    copies = len(samples) - len(np.unique(_spectra(samples)))
    if copies and config.by == "random":
        notes.append(
            f"{copies} rows have exactly the inputs of another row; they stay in the same part"
        )
    return tuple(notes)


def _too_few(samples: SampleSet, config: SplitsConfig, split: Split) -> list[str]:
    is_tested = config.test or config.folds
    counts = {name: n for name, n in split.counts.items() if name != "test" or is_tested}
    if counts["train"] >= FEWEST_TRAINING_ROWS and all(counts.values()):
        return []
    found = ", ".join(f"{name} {count}" for name, count in counts.items())
    count = len(np.bincount(_units(samples, config)))
    complaint = (
        f"{len(samples)} rows with {count} {_word(config)} give {found}; expected "
        f"{FEWEST_TRAINING_ROWS} or more rows to train, and rows in every part. Use more rows, or "
        "change splits.validation and splits.test"
    )
    return [complaint]


def _spectra(samples: SampleSet) -> Integers:
    """Return the number of each sample's input spectrum; equal spectra have equal numbers."""
    if not samples.inputs:
        return np.arange(len(samples), dtype=np.int64)
    number = np.unique(samples.x, axis=0, return_inverse=True)[1]
    return np.asarray(number, dtype=np.int64).reshape(-1)


def _shared(numbers: npt.NDArray[np.integer], parts: Integers) -> list[tuple[int, int]]:
    """Return, for each group or spectrum that is in two parts, one row from each of two parts."""
    order = np.lexsort((parts, numbers))
    order = order[parts[order] >= 0]
    same = numbers[order][1:] == numbers[order][:-1]
    differ = parts[order][1:] != parts[order][:-1]
    first: dict[int, tuple[int, int]] = {}
    for place in np.flatnonzero(same & differ).tolist():
        pair = int(order[place]), int(order[place + 1])
        first.setdefault(int(numbers[pair[0]]), (min(pair), max(pair)))
    return sorted(first.values())
