"""Divisions of samples to choose between networks with: the test part of a recipe stays out.

What was chosen by rows is not to be judged by them, so these are divisions of the other rows.
"""

import numpy as np

from pipeline.config import SplitsConfig
from pipeline.training.samples.preparation import PreparedSamples
from pipeline.training.samples.samples import SampleSet
from pipeline.training.samples.splits import Split, make_folds, make_split

NONE = np.array([], dtype=np.int64)


def outside_test(samples: SampleSet, config: SplitsConfig) -> SampleSet:
    """All samples but those of the test part.

    Raises:
        ConfigError: as :func:`pipeline.training.samples.splits.make_split`.
    """
    if not config.test:
        return samples
    split = make_split(samples, config)
    return samples.take(np.sort(np.concatenate([split.train, split.validation])))


def divisions(samples: SampleSet, config: SplitsConfig, folds: int) -> list[PreparedSamples]:
    """Divisions into what trains, what stops and what is held out (``test``).

    Args:
        samples: all of them; those of the recipe's test part are in no division.
        config: of the recipe; the share of what stops is its ``validation``.
        folds: each row is held out once; of 1, as many rows as stop are held out.

    Raises:
        ConfigError: there are too few groups or rows.
    """
    rest = outside_test(samples, config)
    if folds == 1:
        alone = {"test": min(config.validation, 0.4), "validation": min(config.validation, 0.4)}
        splits = [make_split(rest, config.model_copy(update={**alone, "folds": None}))]
    else:
        splits = make_folds(rest, config.model_copy(update={"folds": folds}))
    return [PreparedSamples(rest, split) for split in splits]


def folds_that_stop(
    samples: SampleSet, config: SplitsConfig, folds: int | None
) -> list[PreparedSamples]:
    """Divisions into what trains and what stops and judges at once (``validation``).

    Args:
        samples: as above.
        config: of the recipe.
        folds: each row outside the test part validates once; None for the recipe's own parts.

    Raises:
        ConfigError: there are too few groups or rows.
    """
    if folds is None:
        split = make_split(samples, config)
        return [PreparedSamples(samples, Split(split.train, split.validation, NONE))]
    return [
        PreparedSamples(
            one.samples,
            Split(
                np.sort(np.concatenate([one.split.train, one.split.validation])),
                one.split.test,
                NONE,
            ),
        )
        for one in divisions(samples, config, folds)
    ]
