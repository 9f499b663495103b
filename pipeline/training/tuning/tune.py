"""A recipe and a space -> trials, each trained by the own trainer, and the best of them."""

import contextlib
import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.config.training import TrainingConfig
from pipeline.config.tuning import TuningConfig
from pipeline.errors import ConfigError, DivergedError
from pipeline.networks.engines.tensorflow_setup import tensorflow
from pipeline.training.fitting import EpochListener
from pipeline.training.samples.divisions import folds_that_stop
from pipeline.training.samples.preparation import PreparedSamples
from pipeline.training.samples.samples import load_samples
from pipeline.training.train import check_savable_now, train
from pipeline.training.tuning.journal import open_journal
from pipeline.training.tuning.space import check_space, largest, with_values
from pipeline.training.tuning.trial import Outcome, Proposal, Trial, best_of

log = logging.getLogger(__name__)

Listening = Callable[[str], contextlib.AbstractContextManager[EpochListener]]
"""What is told of the epochs of a training, by the training's name."""
CHECKPOINTS = "checkpoints"


@dataclass(frozen=True)
class TuningResult:
    """What came of a search."""

    recipe: TrainingConfig
    """That was searched for, with its section ``tune``."""
    trials: tuple[Trial, ...]
    best: Trial
    folds: int
    """Divisions that each trial was trained on."""

    @property
    def best_recipe(self) -> TrainingConfig:
        """To be trained."""
        return with_values(self.recipe, self.best.values)


def tune(config: TrainingConfig, folder: Path, listening: Listening) -> TuningResult:
    """Search for hyperparameters.

    The objective is the least validation loss of a trial, the mean over divisions where there are
    several; the test part of the recipe is touched by none of them. A trial that goes on with one
    before goes on from its checkpoint, along one schedule of the learning rate for all.

    Args:
        config: the recipe, with what is varied in its section ``tune``.
        folder: for the journal and checkpoints, from which a search that was stopped goes on.
        listening: told of epochs.

    Raises:
        ConfigError: something is wrong with recipe, space or samples, or every training ran away.
        NetworkError: a network of the space could not be saved as the recipe asks.
        OutputError: the folder cannot be written to.
    """
    chosen = config.tune or TuningConfig()
    config = config.model_copy(update={"tune": chosen})
    check_space(config, chosen.space)
    samples = load_samples(config.samples)
    for message in samples.told:
        log.info("samples: %s", message)
    parts = folds_that_stop(samples, config.splits, chosen.folds)
    for recipe in largest(config, chosen.space):
        check_savable_now(recipe, parts[0])
    epochs = chosen.epochs or config.fit.epochs
    tensorflow()  # before Keras Tuner takes it as it is
    from pipeline.training.tuning.search import search

    trials: list[Trial] = []
    with open_journal(folder, _key(config, epochs, parts)) as journal:
        known = len(journal.trials)
        if known:
            log.info("going on after %d trials", known)

        def run(proposal: Proposal) -> Outcome:
            return _try(config, proposal, epochs, parts, folder / CHECKPOINTS, listening)

        def told(trial: Trial, is_known: bool) -> None:
            trials.append(trial)
            if not is_known:
                log.info("%s", _line(trial, best_of(trials)))

        search(chosen, epochs, len(config.network.hidden), run, journal, told)
    best = best_of(trials)
    if best is None:
        raise ConfigError(
            f"training ran away in each of {len(trials)} trials. Lower the learning rates in "
            "tune.space, or set fit.optimizer.clip_norm."
        )
    return TuningResult(config, tuple(trials), best, len(parts))


def _try(
    config: TrainingConfig,
    proposal: Proposal,
    epochs: int,
    parts: Sequence[PreparedSamples],
    checkpoints: Path,
    listening: Listening,
) -> Outcome:
    """Train on each division up to the epochs of a trial."""
    recipe = _for_trial(with_values(config, proposal.values), proposal.epochs, epochs)
    losses, best_epochs = [], []
    for number, part in enumerate(parts, start=1):
        kept = checkpoints / f"trial_{proposal.root:04d}_division_{number}"
        division = f", division {number} of {len(parts)}" if len(parts) > 1 else ""
        try:
            with listening(f"{config.name} trial {proposal.number}{division}") as listener:
                fitted = train(recipe, listener, kept, part).fitted
        except DivergedError:
            return Outcome(None, None)
        validation = np.array([epoch.validation_loss for epoch in fitted.history])
        if not np.isfinite(validation).any():
            return Outcome(None, None)
        losses.append(np.nanmin(np.where(np.isfinite(validation), validation, np.nan)))
        best_epochs.append(fitted.best_epoch)
    return Outcome(float(np.mean(losses)), int(np.median(best_epochs)))


def _for_trial(recipe: TrainingConfig, epochs: int, longest: int) -> TrainingConfig:
    """Up to so many epochs, along the learning rates of the longest training."""
    schedule = recipe.fit.schedule
    if schedule.decay_epochs is None:
        schedule = schedule.model_copy(update={"decay_epochs": float(longest)})
    fit = recipe.fit.model_copy(
        update={"epochs": epochs, "schedule": schedule, "keep_every": None, "tensorboard": False}
    )
    return recipe.model_copy(update={"fit": fit})


def _key(config: TrainingConfig, epochs: int, parts: Sequence[PreparedSamples]) -> str:
    """Hash of all that a trial depends on; a search may go on for longer."""
    record = config.model_dump(
        mode="json",
        include={"sensors", "samples", "splits", "network", "fit", "tune"},
        exclude={"samples": {"files"}, "tune": {"trials", "iterations", "epochs"}},
    )
    digest = hashlib.sha256(json.dumps([record, epochs], sort_keys=True).encode())
    for part in parts:
        samples, split = part.samples, part.split
        for array in (samples.x, samples.y, samples.labels, split.train, split.validation):
            if array is not None:
                digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _line(trial: Trial, best: Trial | None) -> str:
    found = "ran away" if trial.objective is None else f"loss {trial.objective:.4g}"
    so_far = "" if best is None else f"; best {best.objective:.4g} (trial {best.number})"
    return f"trial {trial.number}, {trial.epochs} epochs: {found}{so_far}"
