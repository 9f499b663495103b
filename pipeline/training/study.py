"""A recipe with networks of several sizes: which underfits, which overfits, which is enough."""

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.config.study import StudyConfig, hidden_of
from pipeline.config.training import TrainingConfig
from pipeline.errors import ConfigError, DivergedError
from pipeline.evaluation.capacity import CapacityStudy, SizeRuns, judge
from pipeline.networks.description import Network
from pipeline.networks.engines.tensorflow_setup import tensorflow
from pipeline.training.fitting import EpochListener
from pipeline.training.fitting.losses import loss_function
from pipeline.training.samples.divisions import divisions, outside_test
from pipeline.training.samples.preparation import PreparedSamples, Rows
from pipeline.training.samples.samples import SampleSet, load_samples
from pipeline.training.train import TrainingResult, check_savable_now, train

log = logging.getLogger(__name__)

Listening = Callable[[str], AbstractContextManager[EpochListener]]
"""What is told of the epochs of a training, by the training's name."""

FEW_UNITS = 500
"""Fewer groups (or rows without groups) than this are divided several times."""
FOLDS_OF_FEW = 5


@dataclass(frozen=True)
class StudyResult:
    """What came of a study."""

    capacity: CapacityStudy
    recipe: TrainingConfig
    """With the chosen size."""


def study(
    config: TrainingConfig, sizes: StudyConfig, listening: Listening, folder: Path | None = None
) -> StudyResult:
    """Train each size on the same divisions with the same seeds, and choose one.

    Every training runs all epochs, so that it is seen whether a validation loss rises again; the
    weights of its best epoch are judged, on rows that neither trained it nor told which epoch that
    was. The test part of the recipe is touched by none of them.

    Args:
        config: the recipe.
        sizes: what is compared.
        listening: told of epochs.
        folder: for checkpoints, from which a study that was stopped goes on.

    Raises:
        ConfigError: something is wrong with the recipe or the samples.
        NetworkError: a network of one of the sizes could not be saved as the recipe asks.
    """
    recipes = {name: _of_size(config, name) for name in sizes.sizes}
    samples = load_samples(config.samples)
    for message in samples.told:
        log.info("samples: %s", message)
    parts = divisions(samples, config.splits, sizes.folds or _default_folds(samples, config))
    for recipe in recipes.values():
        check_savable_now(recipe, parts[0])
    made = []
    for name, recipe in recipes.items():
        trained = [
            [
                _one(recipe, name, seed, number, len(parts), part, listening, folder)
                for seed in range(sizes.seeds)
            ]
            for number, part in enumerate(parts, start=1)
        ]
        made.append(_runs(name, recipe, parts, trained))
    rows = [part.split.test for part in parts]
    groups = [_groups(part, len(made[0].held_out) // sum(map(len, rows))) for part in parts]
    capacity = judge(
        made,
        np.concatenate(groups),
        loss_name="cross-entropy" if config.samples.classes else config.fit.loss,
        rows=sum(map(len, rows)),
        grouped_by=config.samples.group or "row",
    )
    return StudyResult(capacity, recipes[capacity.chosen])


def _of_size(config: TrainingConfig, size: str) -> TrainingConfig:
    """The recipe with other hidden layers."""
    activations = list(dict.fromkeys(config.network.activations))
    if len(activations) > 1:
        raise ConfigError(
            f"network.activation: found {', '.join(config.network.activations)}, expected one for "
            "all hidden layers, for a study changes how many there are. Name one."
        )
    changed: dict[str, object] = {"hidden": hidden_of(size)}
    if activations:
        changed["activation"] = activations[0]
    return config.model_copy(update={"network": config.network.model_copy(update=changed)})


def _default_folds(samples: SampleSet, config: TrainingConfig) -> int:
    rest = outside_test(samples, config.splits)
    units = len(rest) if rest.groups is None else len(np.unique(rest.groups))
    folds = FOLDS_OF_FEW if units < FEW_UNITS else 1
    what = "rows" if rest.groups is None else "groups"
    log.info("study: %d %s, so %d division%s", units, what, folds, "s" if folds > 1 else "")
    return folds


def _one(
    recipe: TrainingConfig,
    size: str,
    seed: int,
    number: int,
    count: int,
    part: PreparedSamples,
    listening: Listening,
    folder: Path | None,
) -> TrainingResult:
    """One training, all epochs of it."""
    fit = recipe.fit.model_copy(
        update={"early_stopping": None, "seed": recipe.fit.seed + seed, "keep_every": None}
    )
    kept = None if folder is None else folder / f"{size}_division_{number}_seed_{fit.seed}"
    name = f"{recipe.name} {size}, division {number} of {count}, seed {fit.seed}"
    with listening(name) as listener:
        try:
            return train(recipe.model_copy(update={"fit": fit}), listener, kept, part)
        except DivergedError as error:
            raise DivergedError(f"{name}: {error}") from None


def _runs(
    name: str,
    recipe: TrainingConfig,
    parts: Sequence[PreparedSamples],
    trained: Sequence[Sequence[TrainingResult]],
) -> Runs:
    every = [one for of_part in trained for one in of_part]
    first = every[0].network
    held_out = [
        np.mean([row_losses(recipe, one.network, part, part.split.test) for one in of_part], axis=0)
        for part, of_part in zip(parts, trained, strict=True)
    ]
    learned = [
        row_losses(recipe, one.network, one.prepared, one.prepared.split.train).mean()
        for one in every
    ]
    return SizeRuns(
        name=name,
        hidden=hidden_of(name),
        weights=sum(layer.kernel.size + layer.bias.size for layer in first.layers),
        curves=tuple(
            (
                np.array([epoch.loss for epoch in one.fitted.history]),
                np.array([epoch.validation_loss for epoch in one.fitted.history]),
            )
            for one in every
        ),
        best_epochs=tuple(one.fitted.best_epoch for one in every),
        training_loss=float(np.mean(learned)),
        held_out=np.concatenate(held_out),
    )


def row_losses(
    recipe: TrainingConfig, network: Network, part: PreparedSamples, rows: Rows
) -> Array:
    """The loss of each target of each row, weighted so that their mean is the loss of the rows.

    With shape (n targets,), row after row; of classes (n,), their cross-entropy.
    """
    found = network.reference(part.samples.x[rows])
    data = part.data(rows, network.inputs, network.outputs)
    if data is None:
        return np.array([])
    if part.samples.classes:
        with np.errstate(divide="ignore"):
            losses = -np.log(found[np.arange(len(rows)), data.y.argmax(axis=1)])[:, np.newaxis]
    else:
        loss, tf = loss_function(recipe.fit, is_classifier=False), tensorflow()
        losses = loss(tf.constant(data.y), tf.constant(scaled(network.outputs, found))).numpy()
    weighted: Array = (losses * data.weights / data.weights.mean()).reshape(-1)
    return weighted


def _groups(part: PreparedSamples, values: int) -> Array:
    """The group of each held-out value, so many of a row."""
    rows = part.split.test
    groups = rows.astype(np.str_) if part.samples.groups is None else part.samples.groups[rows]
    return np.repeat(groups, values)
