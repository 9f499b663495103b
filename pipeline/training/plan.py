"""Everything about a training that is known before its first epoch, as objects and as text."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import numpy as np

from pipeline.config.training import FinetuneConfig, Recipe, Stage
from pipeline.networks.variable import in_short
from pipeline.training.baselines import baseline_outputs
from pipeline.training.fit_network import Learner, check_learner, stage_fit
from pipeline.training.fitting.setup import set_up
from pipeline.training.folds import unseen_folds
from pipeline.training.samples.preparation import PreparedSamples, prepare


@dataclass(frozen=True)
class TrainingPlan:
    """What a training would do."""

    config: Recipe
    prepared: PreparedSamples
    learner: Learner


def plan_training(config: Recipe, begin: Callable[[PreparedSamples], Learner]) -> TrainingPlan:
    """Read the samples and make the model, but do not train it.

    Args:
        config: a training or fine-tuning configuration.
        begin: makes the model before its first step.

    Raises:
        ConfigError: the configuration or the samples are wrong.
        NetworkError: the trained network could not be used or saved.
    """
    set_up(config.fit)
    prepared = prepare(config.samples, config.splits)
    learner = begin(prepared)
    check_learner(config, prepared, learner)
    learner.parts(prepared, config.fit)
    baseline_outputs(
        config.baselines, config.sensors[0], learner.inputs, learner.outputs,
        prepared.samples.x[:1], config.samples.tolerance_nm,
    )  # fmt: skip
    if config.ensemble is not None:
        unseen_folds(config, config.ensemble, prepared)
    return TrainingPlan(config, prepared, learner)


def plan_lines(plan: TrainingPlan, output: Path) -> Iterator[str]:
    """Yield the lines of text that describe a plan; ``output`` is the folder of the results."""
    config, learner = plan.config, plan.learner
    yield f"recipe    {config.name}: {config.title or config.name}, for {', '.join(config.sensors)}"
    yield from _sample_lines(plan)
    yield f"inputs    {in_short(learner.inputs)}"
    yield from _output_lines(plan)
    yield from _network_lines(learner)
    yield from _fit_lines(plan)
    if config.baselines or config.class_baselines:
        yield f"compared  with {', '.join((*config.baselines, *config.class_baselines))}"
    files = ", ".join(f"{config.name}.{ending}" for ending in config.save)
    state = "exists; files of the same names are replaced" if output.exists() else "is made"
    yield f"output    {files} and reports in {output}, which {state}"


def _sample_lines(plan: TrainingPlan) -> Iterator[str]:
    samples, splits, counts = plan.prepared.samples, plan.config.splits, plan.prepared.split.counts
    for source in samples.sources:
        part = f", all for {source['part']}" if source.get("part") else ""
        yield f"samples   {source['name']}: {source['rows']} rows{part}"
    parts = ", ".join(f"{count} {part}" for part, count in counts.items())
    groups = "" if samples.groups is None else f", {len(np.unique(samples.groups))} groups"
    yield f"rows      {len(samples)} usable{groups}; {parts} (by {splits.by}, seed {splits.seed})"


def _output_lines(plan: TrainingPlan) -> Iterator[str]:
    samples = plan.prepared.samples
    if samples.labels is None:
        yield f"outputs   {in_short(plan.learner.outputs)}"
        return
    counts = np.bincount(samples.labels, minlength=len(samples.classes))
    named = zip(samples.classes, counts, strict=True)
    listed = ", ".join(f"{name} ({count} rows)" for name, count in named)
    yield f"classes   {samples.class_quantity}: {listed}"


def _network_lines(learner: Learner) -> Iterator[str]:
    layers = learner.layers()
    sizes = [layers[0].kernel.shape[0], *(layer.bias.size for layer in layers)]
    weights = sum(layer.kernel.size + layer.bias.size for layer in layers)
    shape = "-".join(map(str, sizes))
    yield f"network   {shape} ({', '.join(learner.activations)}), {weights} weights"


def _fit_lines(plan: TrainingPlan) -> Iterator[str]:
    config, rows = plan.config, plan.prepared.split.counts["train"]
    stages = config.finetune.stages if isinstance(config, FinetuneConfig) else (Stage(),)
    for number, stage in enumerate(stages, start=1):
        fit = stage_fit(config.fit, stage)
        frozen = "" if stage.freeze == "none" else f", frozen layers: {stage.freeze}"
        yield (
            f"{'fit' if len(stages) == 1 else f'stage {number}':<10}at most {fit.epochs} epochs of "
            f"{ceil(rows / fit.batch_size)} batches ({fit.batch_size} rows), {fit.optimizer.kind}, "
            f"learning rate {fit.optimizer.learning_rate:g} ({fit.schedule.kind}){frozen}"
        )
        if fit.early_stopping is not None:
            patience = fit.early_stopping.patience
            yield f"          stops after {patience} epochs without a better validation loss"
    if config.ensemble is not None:
        members, folds = config.ensemble.members, config.ensemble.folds
        yield f"ensemble  {members} networks; each leaves out one of {folds} folds"
