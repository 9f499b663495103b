"""Search for hyperparameters: train the trials that a method proposes, and find the best trial."""

import hashlib
import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.config.training import TrainingConfig
from pipeline.config.tuning import TuningConfig
from pipeline.errors import ConfigError, DivergedError
from pipeline.networks.engines.tensorflow_setup import tensorflow
from pipeline.training.fitting import OpenListener
from pipeline.training.samples.divisions import folds_that_stop
from pipeline.training.samples.preparation import PreparedSamples
from pipeline.training.samples.samples import load_samples
from pipeline.training.train import check_trainable, train
from pipeline.training.tuning.journal import open_journal
from pipeline.training.tuning.space import check_space, largest, with_values
from pipeline.training.tuning.trial import Proposal, Trial, best_of

log = logging.getLogger(__name__)

CHECKPOINTS = "checkpoints"


@dataclass(frozen=True)
class SearchPlan:
    """Everything about a search that is known before its first trial."""

    config: TrainingConfig
    """The recipe, with its section ``tune``."""
    tuning: TuningConfig
    parts: tuple[PreparedSamples, ...]
    """The divisions that each trial is trained on."""
    epochs: int
    """Epochs of the longest training."""

    def lines(self, output: Path) -> Iterator[str]:
        """Yield the lines of text that describe the search; ``output`` is its folder."""
        config, tuning = self.config, self.tuning
        yield f"recipe    {config.name}: {config.title or config.name}"
        counts = self.parts[0].split.counts
        parts = ", ".join(f"{count} {part}" for part, count in counts.items() if count)
        yield f"rows      {len(self.parts[0].samples)} usable; {parts}; no trial uses the test part"
        size = "its own number of" if tuning.method == "hyperband" else tuning.trials
        yield f"search    {tuning.method}, {size} trials of at most {self.epochs} epochs"
        if len(self.parts) > 1:
            yield f"          each trial is trained on {len(self.parts)} divisions"
        for name, dimension in tuning.space.numeric.items():
            low, high = dimension.ends
            yield f"{name:<13} {low:g} to {high:g}"
        if tuning.space.activation is not None:
            yield f"{'activation':<13} {', '.join(tuning.space.activation)}"
        yield f"output    best.yaml and a journal in {output}"


@dataclass(frozen=True)
class TuningResult:
    """The result of a search."""

    recipe: TrainingConfig
    """The recipe of the search, with its section ``tune``."""
    trials: tuple[Trial, ...]
    best: Trial
    folds: int
    """Number of divisions that each trial is trained on."""

    @property
    def best_recipe(self) -> TrainingConfig:
        """The recipe of the search with the values of the best trial."""
        return with_values(self.recipe, self.best.values)


def plan_search(config: TrainingConfig) -> SearchPlan:
    """Read the samples and check the space, but train nothing.

    Raises:
        ConfigError: the recipe, the space or the samples are wrong.
        NetworkError: a network of the space cannot be saved in a format that the recipe lists.
    """
    chosen = config.tune or TuningConfig()
    config = config.model_copy(update={"tune": chosen})
    check_space(config, chosen.space)
    samples = load_samples(config.samples)
    samples.log_notes()
    parts = tuple(folds_that_stop(samples, config.splits, chosen.folds))
    for recipe in largest(config, chosen.space):
        check_trainable(recipe, parts[0])
    return SearchPlan(config, chosen, parts, chosen.epochs or config.fit.epochs)


def tune(config: TrainingConfig, folder: Path, open_listener: OpenListener) -> TuningResult:
    """Search for hyperparameters.

    The objective is the lowest validation loss of a trial, averaged over divisions if there are
    several. No trial uses the test part of the recipe. A trial that continues another trial starts
    from the checkpoint of that trial. All trials follow the same schedule of the learning rate.

    ``folder`` has the journal and the checkpoints from which a stopped search resumes.

    Raises:
        ConfigError: the recipe, the space or the samples are wrong, or every training diverged.
        NetworkError: a network of the space cannot be saved in a format that the recipe lists.
        OutputError: the folder cannot be written to.
    """
    plan = plan_search(config)
    config, chosen, parts, epochs = plan.config, plan.tuning, plan.parts, plan.epochs
    tensorflow()  # set up before Keras Tuner imports it
    from pipeline.training.tuning.search import search

    trials: list[Trial] = []
    with open_journal(folder, _key(config, epochs, parts)) as journal:
        if journal.trials:
            log.info("resuming after %d trials", len(journal.trials))

        def run(proposal: Proposal) -> Trial:
            return _run(config, proposal, epochs, parts, folder / CHECKPOINTS, open_listener)

        def report(trial: Trial, is_known: bool) -> None:
            trials.append(trial)
            if not is_known:
                log.info("%s", _line(trial, best_of(trials)))

        search(chosen, epochs, len(config.network.hidden), run, journal, report)
    best = best_of(trials)
    if best is None:
        raise ConfigError(
            f"training diverged in all {len(trials)} trials. Lower the learning rates in "
            "tune.space, or set fit.optimizer.clip_norm."
        )
    return TuningResult(config, tuple(trials), best, len(parts))


def _run(
    config: TrainingConfig,
    proposal: Proposal,
    epochs: int,
    parts: Sequence[PreparedSamples],
    checkpoints: Path,
    open_listener: OpenListener,
) -> Trial:
    """Run a trial: train a network on each division, up to the last epoch of the trial."""
    recipe = _trial_recipe(with_values(config, proposal.values), proposal.epochs, epochs)
    losses, best_epochs = [], []
    for number, part in enumerate(parts, start=1):
        kept = checkpoints / f"trial_{proposal.root:04d}_division_{number}"
        division = f", division {number} of {len(parts)}" if len(parts) > 1 else ""
        try:
            with open_listener(f"{config.name} trial {proposal.number}{division}") as listener:
                fitted = train(recipe, listener, kept, part).fitted
        except DivergedError:
            return proposal.done(None, None)
        validation = np.array([epoch.validation_loss for epoch in fitted.history])
        if not np.isfinite(validation).any():
            return proposal.done(None, None)
        losses.append(np.nanmin(np.where(np.isfinite(validation), validation, np.nan)))
        best_epochs.append(fitted.best_epoch)
    return proposal.done(float(np.mean(losses)), int(np.median(best_epochs)))


def _trial_recipe(recipe: TrainingConfig, epochs: int, longest: int) -> TrainingConfig:
    """Return a recipe for ``epochs`` epochs; learning rates decay as in the longest training."""
    schedule = recipe.fit.schedule
    if schedule.decay_epochs is None:
        schedule = schedule.model_copy(update={"decay_epochs": float(longest)})
    fit = recipe.fit.model_copy(
        update={"epochs": epochs, "schedule": schedule, "keep_every": None, "tensorboard": False}
    )
    return recipe.model_copy(update={"fit": fit})


def _key(config: TrainingConfig, epochs: int, parts: Sequence[PreparedSamples]) -> str:
    """Return a hash of everything that a trial depends on; the number of trials is not included."""
    record = config.model_dump(
        mode="json",
        include={"sensors", "samples", "splits", "network", "fit", "tune"},
        exclude={"samples": {"files"}, "tune": {"trials", "iterations", "epochs"}},
    )
    digest = hashlib.sha256(json.dumps([record, epochs], sort_keys=True).encode())
    for part in parts:
        part.add_to(digest)
    return digest.hexdigest()


def _line(trial: Trial, best: Trial | None) -> str:
    result = "diverged" if trial.objective is None else f"loss {trial.objective:.4g}"
    so_far = "" if best is None else f"; best {best.objective:.4g} (trial {best.number})"
    return f"trial {trial.number}, {trial.epochs} epochs: {result}{so_far}"
