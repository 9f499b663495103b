"""Compare network sizes: which sizes underfit, which sizes overfit, and which size is enough."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.config.study import StudyConfig, hidden_of
from pipeline.config.training import TrainingConfig
from pipeline.errors import ConfigError, DivergedError
from pipeline.evaluation.capacity import CapacityStudy, SizeRuns, judge
from pipeline.networks.description import Network
from pipeline.networks.engines.tensorflow_setup import tensorflow
from pipeline.networks.variable import Array, scaled
from pipeline.training.fit_network import TrainingResult
from pipeline.training.fitting import OpenListener
from pipeline.training.fitting.losses import loss_function
from pipeline.training.samples.divisions import divisions, outside_test
from pipeline.training.samples.preparation import PreparedSamples, Rows
from pipeline.training.samples.samples import SampleSet, load_samples
from pipeline.training.train import check_trainable, train

log = logging.getLogger(__name__)

FEW_UNITS = 500
"""If samples have at least this many groups (or rows, without groups), one division is enough."""
FOLDS_OF_FEW = 5


@dataclass(frozen=True)
class StudyResult:
    """The result of a capacity study."""

    capacity: CapacityStudy
    recipe: TrainingConfig
    """The recipe with the chosen size."""


def study(
    config: TrainingConfig,
    sizes: StudyConfig,
    open_listener: OpenListener,
    folder: Path | None = None,
) -> StudyResult:
    """Train each size on the same divisions with the same seeds, and choose one size.

    Every training runs through all epochs, to show whether the validation loss rises again. The
    weights of the best epoch are then judged on rows that were used neither for training nor for
    choosing the best epoch. No training uses the test part of the recipe.

    ``folder`` is the folder of the checkpoints from which a stopped study resumes.

    Raises:
        ConfigError: the recipe or the samples are wrong.
        NetworkError: the network of one size cannot be saved in a format that the recipe lists.
    """
    recipes = {name: _of_size(config, name) for name in sizes.sizes}
    samples = load_samples(config.samples)
    samples.log_notes()
    parts = divisions(samples, config.splits, sizes.folds or _default_folds(samples, config))
    for recipe in recipes.values():
        check_trainable(recipe, parts[0])
    every = []
    for size, recipe in recipes.items():
        one_size = _OneSize(size, recipe, open_listener, folder)
        trained = [
            [
                one_size.train_on(part, recipe.fit.seed + seed, f"division_{number}", len(parts))
                for seed in range(sizes.seeds)
            ]
            for number, part in enumerate(parts, start=1)
        ]
        every.append(one_size.runs(parts, trained))
    rows = sum(len(part.split.test) for part in parts)
    groups = [_groups(part, len(every[0].held_out) // rows) for part in parts]
    capacity = judge(
        every,
        np.concatenate(groups),
        loss_name="cross-entropy" if config.samples.classes else config.fit.loss,
        rows=rows,
        grouped_by=config.samples.group or "row",
    )
    return StudyResult(capacity, recipes[capacity.chosen])


def _of_size(config: TrainingConfig, size: str) -> TrainingConfig:
    """Return the recipe with the hidden layers of this size."""
    activations = list(dict.fromkeys(config.network.activations))
    if len(activations) > 1:
        raise ConfigError(
            f"network.activation: found {', '.join(config.network.activations)}, expected one "
            "activation for all hidden layers, because a study changes the number of layers. "
            "Name one activation."
        )
    changed: dict[str, object] = {"hidden": hidden_of(size)}
    if activations:
        changed["activation"] = activations[0]
    return config.model_copy(update={"network": config.network.model_copy(update=changed)})


def _default_folds(samples: SampleSet, config: TrainingConfig) -> int:
    rest = outside_test(samples, config.splits)
    units = len(rest) if rest.groups is None else len(np.unique(rest.groups))
    folds = FOLDS_OF_FEW if units < FEW_UNITS else 1
    kind = "rows" if rest.groups is None else "groups"
    log.info("study: %d division%s of %d %s", folds, "s" if folds > 1 else "", units, kind)
    return folds


@dataclass(frozen=True)
class _OneSize:
    """The trainings of one size."""

    name: str
    recipe: TrainingConfig
    open_listener: OpenListener
    folder: Path | None

    def train_on(
        self, part: PreparedSamples, seed: int, division: str, count: int
    ) -> TrainingResult:
        """Train a network on one division, through all epochs without an early stop."""
        fit = self.recipe.fit.model_copy(
            update={"early_stopping": None, "seed": seed, "keep_every": None}
        )
        kept = None if self.folder is None else self.folder / f"{self.name}_{division}_seed_{seed}"
        words = f"{division.replace('_', ' ')} of {count}, seed {seed}"
        name = f"{self.recipe.name} {self.name}, {words}"
        with self.open_listener(name) as listener:
            try:
                return train(self.recipe.model_copy(update={"fit": fit}), listener, kept, part)
            except DivergedError as error:
                raise DivergedError(f"{name}: {error}") from None

    def runs(
        self, parts: Sequence[PreparedSamples], trained: Sequence[Sequence[TrainingResult]]
    ) -> SizeRuns:
        """Return the losses of all trainings; held-out losses are averaged over the seeds."""
        recipe, every = self.recipe, [one for of_part in trained for one in of_part]
        held_out = [
            np.mean(
                [row_losses(recipe, one.network, part, part.split.test) for one in of_part], axis=0
            )
            for part, of_part in zip(parts, trained, strict=True)
        ]
        learned = [
            row_losses(recipe, one.network, one.prepared, one.prepared.split.train).mean()
            for one in every
        ]
        histories = [one.fitted.history for one in every]
        return SizeRuns(
            name=self.name,
            hidden=hidden_of(self.name),
            weights=sum(layer.kernel.size + layer.bias.size for layer in every[0].network.layers),
            curves=tuple(
                (
                    np.array([epoch.loss for epoch in history]),
                    np.array([epoch.validation_loss for epoch in history]),
                )
                for history in histories
            ),
            best_epochs=tuple(one.fitted.best_epoch for one in every),
            training_loss=float(np.mean(learned)),
            held_out=np.concatenate(held_out),
        )


def row_losses(
    recipe: TrainingConfig, network: Network, part: PreparedSamples, rows: Rows
) -> Array:
    """Return the loss of each target of each row; the mean of all values is the loss of the rows.

    The shape is (rows * targets,): first all targets of the first row, then those of the next row.
    For classes, there is one cross-entropy per row.
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
    """Return the group of each held-out loss; there are ``values`` losses per row."""
    rows = part.split.test
    groups = rows.astype(np.str_) if part.samples.groups is None else part.samples.groups[rows]
    return np.repeat(groups, values)
