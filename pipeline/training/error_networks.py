"""Networks that learn the size of an ensemble's errors from the same inputs.

They learn from errors on rows that the members did not learn from, because the errors on learned
rows are too small. The mean of the ensemble does not change.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline.config.training import Architecture, ErrorNetworks, Recipe, TrainingConfig
from pipeline.networks import Network
from pipeline.networks.ensemble import error_variable
from pipeline.networks.variable import Array
from pipeline.training.calibration import UnseenRows
from pipeline.training.fitting import Epoch
from pipeline.training.samples.preparation import PreparedSamples, Rows
from pipeline.training.samples.splits import Split
from pipeline.training.samples.variables import SampleVariable
from pipeline.training.train import train

# Smaller errors are replaced by this share of the median error: their logarithms have no meaning.
SMALLEST = 0.1


@dataclass(frozen=True, eq=False)
class LearnedErrors:
    """Error networks, and the rows with the errors that the networks estimate for unseen rows."""

    networks: tuple[Network, ...]
    unseen: UnseenRows


class _Quiet:
    """Receives the progress of a short training and ignores it."""

    def epoch(self, epoch: Epoch, epochs: int) -> None:
        """Do nothing."""


def learn_errors(
    config: Recipe,
    settings: ErrorNetworks,
    prepared: PreparedSamples,
    pool: Rows,
    folds: Sequence[Rows],
    unseen: UnseenRows,
) -> LearnedErrors:
    """Train one error network for each fold; it does not learn from the rows of this fold.

    Args:
        config: recipe of the ensemble.
        settings: how the error networks are trained.
        prepared: the samples of the ensemble.
        pool: the rows that are not test rows.
        folds: the rows of each fold, as places in ``pool``.
        unseen: the results for the rows of the pool.

    Raises:
        ConfigError: an output has no errors in the training rows of a fold.
        DivergedError: a loss became infinite or NaN.
    """
    x, every = prepared.samples.x[pool], np.arange(len(pool))
    samples = replace(
        prepared.samples.take(pool), y=_sizes(unseen), targets=_targets(prepared.samples.targets)
    )
    networks, typical = [], np.full_like(unseen.spread, np.nan)
    for number, fold in enumerate(folds):
        split = Split(np.setdiff1d(every, fold), fold, np.array([], dtype=np.int64))
        recipe = _recipe(config, settings, number)
        network = train(recipe, _Quiet(), prepared=PreparedSamples(samples, split)).network
        typical[fold] = network.reference(x[fold])
        networks.append(network)
    return LearnedErrors(tuple(networks), replace(unseen, typical=typical))


def _sizes(unseen: UnseenRows) -> Array:
    sizes = np.abs(unseen.modelled - unseen.observed)
    sizes[~np.isfinite(sizes)] = np.nan
    return np.asarray(np.maximum(sizes, SMALLEST * np.nanmedian(sizes, axis=0)))


def _targets(targets: Sequence[SampleVariable]) -> tuple[SampleVariable, ...]:
    return tuple(
        dataclasses.replace(
            target,
            **error_variable(target),
            standard_name=None,
            scaling_name="zscore",
            column="error",
        )
        for target in targets
    )


def _recipe(config: Recipe, settings: ErrorNetworks, number: int) -> TrainingConfig:
    shared = ("sensors", "samples", "save", "beyond_ocsmart", "citation", "licence")
    fit = {
        "loss": "mse",
        "optimizer": {"learning_rate": settings.learning_rate},
        "epochs": settings.epochs,
        "batch_size": settings.batch_size,
        "early_stopping": settings.early_stopping,
        "seed": config.fit.seed + number,
    }
    return TrainingConfig(
        name=f"{config.name}_error_{number + 1:02d}",
        title=f"Size of the errors of {config.title or config.name}",
        network=Architecture(hidden=settings.hidden, l2=settings.l2),
        fit=type(config.fit).model_validate(fit),
        **{name: getattr(config, name) for name in shared},
    )
