"""Train a new network as a training configuration says."""

from pathlib import Path

from pipeline.config.training import Stage, TrainingConfig
from pipeline.networks.variable import scaled
from pipeline.training.fit_network import Learner, TrainingResult, check_learner, fit_network
from pipeline.training.fitting import EpochListener
from pipeline.training.fitting.model import decorrelation, new_model
from pipeline.training.fitting.setup import set_up
from pipeline.training.plan import TrainingPlan, plan_training
from pipeline.training.samples.preparation import PreparedSamples


def train(
    config: TrainingConfig,
    listener: EpochListener,
    checkpoints: Path | None = None,
    prepared: PreparedSamples | None = None,
) -> TrainingResult:
    """Train a new network.

    Args:
        config: training configuration.
        listener: receives each epoch.
        checkpoints: folder of checkpoints, from which a stopped training resumes.
        prepared: samples that are already read and split; if None, they are read and split now.

    Raises:
        ConfigError: the configuration or the samples are wrong; both are checked before training.
        DivergedError: the loss became infinite or NaN.
    """
    return fit_network(
        config, lambda samples: _begin(config, samples), (Stage(),), listener, checkpoints, prepared
    )


def plan(config: TrainingConfig) -> TrainingPlan:
    """Return the plan of ``train``; raise the errors that are found before training."""
    return plan_training(config, lambda samples: _begin(config, samples))


def check_trainable(config: TrainingConfig, prepared: PreparedSamples) -> None:
    """Refuse a recipe if its network could not be used or saved; see ``check_learner``."""
    set_up(config.fit)
    check_learner(config, prepared, _begin(config, prepared))


def _begin(config: TrainingConfig, prepared: PreparedSamples) -> Learner:
    """Return a model with initial weights; a model for classes returns logits."""
    inputs, outputs = prepared.inputs(), prepared.outputs()
    one_logit = len(prepared.samples.classes) == 2
    first = None
    if config.network.decorrelate:
        first = decorrelation(scaled(inputs, prepared.samples.x[prepared.split.train]))
    model = new_model(
        len(inputs),
        1 if one_logit else len(outputs),
        config.network,
        seed=config.fit.seed,
        dtype=config.fit.precision,
        first=first,
    )
    activations = (*config.network.activations, prepared.output_activation)
    return Learner(model, inputs, outputs, activations, first, one_logit)
