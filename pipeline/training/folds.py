"""The folds of an ensemble: parts of the samples that some members do not learn from."""

from pipeline.config.training import EnsembleConfig, Recipe
from pipeline.training.samples.preparation import PreparedSamples, Rows
from pipeline.training.samples.splits import make_folds


def unseen_folds(config: Recipe, settings: EnsembleConfig, prepared: PreparedSamples) -> list[Rows]:
    """Return the rows of each fold; each member is trained without one fold.

    Raises:
        ConfigError: there are too few groups or rows for the folds.
    """
    pool = prepared.split.not_test
    splits = config.splits.model_copy(update={"folds": settings.folds})
    return [pool[fold.test] for fold in make_folds(prepared.samples.take(pool), splits)]
