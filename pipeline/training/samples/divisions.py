"""Divide samples to choose between networks, without the test part of a recipe.

Rows that a choice was based on cannot judge it. So these divisions are of the other rows.
"""

import numpy as np

from pipeline.config import SplitsConfig
from pipeline.training.samples.preparation import PreparedSamples
from pipeline.training.samples.samples import SampleSet
from pipeline.training.samples.splits import Split, make_folds, make_split

NONE = np.array([], dtype=np.int64)


def outside_test(samples: SampleSet, config: SplitsConfig) -> SampleSet:
    """Return all samples but those of the test part.

    Raises:
        ConfigError: see :func:`pipeline.training.samples.splits.make_split`.
    """
    if not config.test:
        return samples
    split = make_split(samples, config)
    return samples.take(split.not_test)


def divisions(samples: SampleSet, config: SplitsConfig, folds: int) -> list[PreparedSamples]:
    """Return divisions into rows to train, rows to stop by and held-out rows (``test``).

    Each row outside the test part of the recipe is held out once. With ``folds`` 1, there is one
    division, with as many rows held out as there are to stop by.

    Raises:
        ConfigError: there are too few groups or rows.
    """
    rest = outside_test(samples, config)
    if folds == 1:
        share = min(config.validation, 0.4)
        changed = {"test": share, "validation": share, "folds": None}
        splits = [make_split(rest, config.model_copy(update=changed))]
    else:
        splits = make_folds(rest, config.model_copy(update={"folds": folds}))
    return [PreparedSamples(rest, split) for split in splits]


def folds_that_stop(
    samples: SampleSet, config: SplitsConfig, folds: int | None
) -> list[PreparedSamples]:
    """Return divisions into rows to train and rows to both stop by and judge (``validation``).

    With ``folds``, each row validates once; None means the split of the recipe.

    Raises:
        ConfigError: there are too few groups or rows.
    """
    if folds is None:
        split = make_split(samples, config)
        return [PreparedSamples(samples, Split(split.train, split.validation, NONE))]
    return [
        PreparedSamples(one.samples, Split(one.split.not_test, one.split.test, NONE))
        for one in divisions(samples, config, folds)
    ]
