"""Divide samples so that networks can be compared; the recipe's test part is left out.

The chosen network is judged on the rows of the test part. So the choice must not depend on these
rows.
"""

import numpy as np

from pipeline.config import SplitsConfig
from pipeline.training.samples.preparation import PreparedSamples
from pipeline.training.samples.samples import SampleSet
from pipeline.training.samples.splits import Split, make_folds, make_split

NONE = np.array([], dtype=np.int64)


def outside_test(samples: SampleSet, config: SplitsConfig) -> SampleSet:
    """Return all samples that are not in the test part.

    Raises:
        ConfigError: as in :func:`pipeline.training.samples.splits.make_split`.
    """
    if not config.test:
        return samples
    split = make_split(samples, config)
    return samples.take(split.not_test)


def divisions(samples: SampleSet, config: SplitsConfig, folds: int) -> list[PreparedSamples]:
    """Return divisions into training, validation and held-out rows (``test``).

    With several folds, each row outside the test part of the recipe is held out once. With
    ``folds=1``, there is one division with as many held-out rows as validation rows.

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
    """Return divisions into training rows and validation rows.

    The validation rows show when to stop a training, and how good its network is. With ``folds``,
    each row is a validation row once; without ``folds``, the split of the recipe is used.

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
