"""Which samples train, which choose when to stop, and which judge."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.config import SplitsConfig
from pipeline.errors import ConfigError
from pipeline.tables.table import NAMED_ROWS, listed, table_error
from pipeline.training.samples.samples import SampleSet

Integers = npt.NDArray[np.int64]
# Fewer rows give no training.
FEWEST_TRAINING_ROWS = 10
_PARTS = ("train", "validation", "test")


@dataclass(frozen=True, eq=False)
class Split:
    """Places of samples, each in one of three parts; sorted."""

    train: Integers
    validation: Integers
    test: Integers
    """Empty where none was asked for."""
    told: tuple[str, ...] = ()
    """What is to be known about it."""

    def part_of_each(self, count: int) -> Integers:
        """0, 1 or 2 for a sample that trains, validates or tests; with shape (count,)."""
        parts = np.full(count, -1, dtype=np.int64)
        for number, name in enumerate(_PARTS):
            parts[getattr(self, name)] = number
        return parts


def make_split(samples: SampleSet, config: SplitsConfig) -> Split:
    """One division of the samples; the same seed gives the same.

    Raises:
        ConfigError: it is by something that the samples lack, a part is empty or too few rows
            train, or a part knows something of another.
    """
    masks = {part: samples.fixed_parts == part for part in _PARTS}
    free = _free(samples)
    if free.size:
        units = _units(samples.take(free), config)
        sizes = _sizes(units)
        shares = [config.test, config.validation]
        if config.by == "time":
            chosen = _latest(sizes, shares)
        else:
            chosen = _dealt(sizes, shares, np.random.default_rng(config.seed))
        for part, numbers in zip(("test", "validation"), chosen, strict=True):
            masks[part][free[np.isin(units, numbers)]] = True
    return _checked(samples, config, masks["validation"], masks["test"])


def make_folds(samples: SampleSet, config: SplitsConfig) -> list[Split]:
    """So many divisions that each sample is in the test part of exactly one.

    Raises:
        ConfigError: as :func:`make_split`, or ``splits.folds`` says no number.
    """
    if config.folds is None:
        raise table_error("splits.folds", "no number of folds, expected 2 or more. Set it")
    free = _free(samples)
    if free.size < len(samples) and "test" in samples.fixed_parts:
        raise table_error(
            "splits.folds",
            "a file is all test, and each row is to be tested once, in turn. Leave out its part",
        )
    units = _units(samples.take(free), config)
    sizes = _sizes(units)
    if len(sizes) < config.folds + 1:
        raise table_error(
            "splits",
            f"{len(sizes)} {_word(config)} for {config.folds} folds, expected "
            f"{config.folds + 1} or more. Lower splits.folds",
        )
    rng = np.random.default_rng(config.seed)
    folds = _blocks(sizes, config.folds) if config.by == "time" else _even(sizes, config.folds, rng)
    return [
        _fold(samples, config, free, units, np.flatnonzero(folds == number), rng)
        for number in range(config.folds)
    ]


def _free(samples: SampleSet) -> Integers:
    """Places of the samples whose file says no part."""
    return np.flatnonzero(samples.fixed_parts == "").astype(np.int64)


def check_no_leakage(samples: SampleSet, split: Split, *, groups: bool = True) -> None:
    """Refuse a division by which one part knows something of another.

    Args:
        samples: with or without groups.
        split: of them.
        groups: whether a group in two parts counts, or only the same input spectrum.

    Raises:
        ConfigError: a group, or exactly the same input spectrum, is in two parts.
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
            f"{len(shared)} input spectra are in two parts, exactly the same "
            f"({listed(named, NAMED_ROWS)}). Remove the copies, or give each spectrum and its "
            "copies one value of a column and set samples.group to it and splits.by: group"
        )
    if complaints:
        raise table_error("splits", *complaints)


def _units(samples: SampleSet, config: SplitsConfig) -> Integers:
    """What is not divided: the number of each sample's group, time (in order) or spectrum.

    Numbers are in the order of values, so that parts do not depend on the order of rows.
    """
    if config.by == "random":
        return _spectra(samples)
    values = samples.groups if config.by == "group" else samples.times
    if values is None:
        raise table_error(
            "splits.by",
            f"{config.by}, but the samples have no column for it. Set samples.{config.by} to one, "
            "or splits.by: random if no two rows belong together",
        )
    return np.asarray(np.unique(values, return_inverse=True)[1], dtype=np.int64)


def _sizes(units: Integers) -> Integers:
    return np.bincount(units).astype(np.int64)


def _word(config: SplitsConfig) -> str:
    return {"group": "groups", "time": "different times", "random": "different spectra"}[config.by]


def _dealt(sizes: Integers, shares: Sequence[float], rng: np.random.Generator) -> list[Integers]:
    """Units of each share of the rows, drawn so that no part is larger than its share.

    In random order, each goes to the first part that still has room for it. A part that nothing
    fits into gets the smallest unit that is left.
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
    """The last units for the first share, those before them for the next; at least one each."""
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
    """Whether one unit more, before the others, comes nearer to so many rows."""
    now = int(sizes[start:end].sum())
    return abs(now + int(sizes[start - 1]) - rows) < abs(now - rows)


def _even(sizes: Integers, folds: int, rng: np.random.Generator) -> Integers:
    """The fold of each unit: the largest first, each to the fold with the fewest rows."""
    order = rng.permutation(len(sizes))
    order = order[np.argsort(-sizes[order], kind="stable")]
    rows = np.zeros(folds, dtype=np.int64)
    fold_of = np.empty(len(sizes), dtype=np.int64)
    for unit in order.tolist():
        fold_of[unit] = fold = int(np.argmin(rows))
        rows[fold] += sizes[unit]
    return fold_of


def _blocks(sizes: Integers, folds: int) -> Integers:
    """The fold of each unit: stretches of time with about as many rows each, none empty."""
    middle = np.cumsum(sizes) - sizes / 2
    fold_of = np.minimum((middle / sizes.sum() * folds).astype(np.int64), folds - 1)
    if len(np.unique(fold_of)) < folds:
        # A time with very many rows took the place of others: as many times each instead.
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
    sizes = _sizes(units)[others]
    # Of what this fold does not test, which is less than usual where a large group is tested.
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
    """The split of these rows, unless there is something wrong with it."""
    split = Split(
        train=np.flatnonzero(~validation & ~test).astype(np.int64),
        validation=np.flatnonzero(validation).astype(np.int64),
        test=np.flatnonzero(test).astype(np.int64),
        told=_told(samples, config),
    )
    complaints = _too_few(samples, config, split)
    try:
        check_no_leakage(samples, split, groups=config.by == "group")
    except ConfigError as error:
        complaints.append(str(error).removeprefix("splits:").strip())
    if complaints:
        raise table_error("splits", *complaints)
    return split


def _told(samples: SampleSet, config: SplitsConfig) -> tuple[str, ...]:
    told = []
    if samples.groups is not None and config.by != "group":
        told.append(
            f"splits.by: {config.by} may put rows of one group into two parts: what is tested is "
            "then partly known from training, and errors look smaller than they are"
        )
    copies = len(samples) - len(np.unique(_spectra(samples)))
    if copies and config.by == "random":
        told.append(
            f"{copies} rows have exactly the inputs of another row: they stay in one part with it"
        )
    return tuple(told)


def _too_few(samples: SampleSet, config: SplitsConfig, split: Split) -> list[str]:
    wanted = [name for name in _PARTS if name != "test" or config.test or config.folds]
    counts = {name: len(getattr(split, name)) for name in wanted}
    if counts["train"] >= FEWEST_TRAINING_ROWS and all(counts.values()):
        return []
    found = ", ".join(f"{name} {count}" for name, count in counts.items())
    count = len(_sizes(_units(samples, config)))
    complaint = (
        f"{len(samples)} rows with {count} {_word(config)} give {found}, expected "
        f"{FEWEST_TRAINING_ROWS} or more to train and no part empty. Use more rows, or change "
        "splits.validation and splits.test"
    )
    return [complaint]


def _spectra(samples: SampleSet) -> Integers:
    """The number of each sample's input spectrum, the same for exactly the same."""
    if not samples.inputs:
        return np.arange(len(samples), dtype=np.int64)
    number = np.unique(samples.x, axis=0, return_inverse=True)[1]
    return np.asarray(number, dtype=np.int64).reshape(-1)


def _shared(numbers: npt.NDArray[np.integer], parts: Integers) -> list[tuple[int, int]]:
    """Two rows, in different parts, of each number that is in more than one."""
    order = np.lexsort((parts, numbers))
    order = order[parts[order] >= 0]
    same = numbers[order][1:] == numbers[order][:-1]
    differ = parts[order][1:] != parts[order][:-1]
    first: dict[int, tuple[int, int]] = {}
    for place in np.flatnonzero(same & differ).tolist():
        pair = int(order[place]), int(order[place + 1])
        first.setdefault(int(numbers[pair[0]]), (min(pair), max(pair)))
    return sorted(first.values())
