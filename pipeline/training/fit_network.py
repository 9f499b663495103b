"""Fit a model and turn it into a network; training and fine-tuning share these steps."""

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.config.training import Fit, Recipe, Stage
from pipeline.errors import ConfigError, DivergedError
from pipeline.facts.sensors import find_sensor
from pipeline.networks.checks import check_class_names, check_network
from pipeline.networks.description import GoldenSpectra, Layer, Network
from pipeline.networks.variable import Variable
from pipeline.training.baselines import baseline_classes
from pipeline.training.fitting import Checkpoints, EpochListener, FitData, FitResult, Trainer
from pipeline.training.fitting.checkpoints import FitState
from pipeline.training.fitting.model import dense_layers, layers_of
from pipeline.training.fitting.setup import set_up
from pipeline.training.record import fit_record, start_record, with_origin
from pipeline.training.samples.preparation import PreparedSamples, prepare

if TYPE_CHECKING:
    import keras

log = logging.getLogger(__name__)

# These keys of a recipe do not affect the fit; if they change, checkpoints stay valid.
NOT_OF_A_FIT = (
    "title", "save", "citation", "licence", "limits", "baselines", "class_baselines", "tune",
    "ensemble",
)  # fmt: skip


@dataclass(frozen=True)
class TrainingResult:
    """The result of a training or fine-tuning run."""

    network: Network
    fitted: FitResult
    prepared: PreparedSamples
    before: Network | None = None
    """The network before fine-tuning, reduced to the outputs of the fine-tuned network."""


@dataclass(frozen=True)
class Learner:
    """A model before its first training step, and all that is used to turn it into a network."""

    model: "keras.Model"
    inputs: tuple[Variable, ...]
    outputs: tuple[Variable, ...]
    activations: tuple[str, ...]
    """Activation of each layer of the finished network."""
    decorrelation: Layer | None
    """First layer of the model, which decorrelates the inputs and does not learn."""
    one_logit: bool = False
    """Whether the model has one logit for two classes, and not one logit per class. The network
    always has one output per class."""
    kept_layers: int = 0
    """Number of layers that come from the start network."""
    before: Network | None = None
    """The start network, reduced to the outputs of the model; None if the head is new."""

    def layers(self) -> tuple[Layer, ...]:
        """Return the layers of the network, with the current weights of the model."""
        *hidden, last = layers_of(self.model, self.activations)
        if self.one_logit:
            zero = np.zeros_like(last.kernel)
            last = Layer(np.hstack([zero, last.kernel]), np.append(0.0, last.bias), "softmax")
        return (*hidden, last)

    def parts(self, prepared: PreparedSamples, fit: Fit) -> tuple[FitData, FitData | None]:
        """Return the training and the validation samples as arrays for the model.

        Raises:
            ConfigError: no training samples are left.
        """
        by_output = prepared.output_weights(fit)
        train, validation = (
            prepared.data(rows, self.inputs, self.outputs, self.one_logit, by_output)
            for rows in (prepared.split.train, prepared.split.validation)
        )
        if train is None:
            raise ConfigError(
                "no training samples are left. Lower splits.validation and splits.test."
            )
        return train, validation

    def freeze(self, stage: Stage) -> None:
        """Freeze the first layers; a stage sets their number. All later layers learn.

        Raises:
            ConfigError: no trainable layer is left, or the first layer cannot be frozen.
        """
        dense = dense_layers(self.model)
        frozen = {"none": 0, "base": self.kept_layers}.get(str(stage.freeze), stage.freeze)
        count = int(frozen)
        if count >= len(dense):
            raise ConfigError(
                f"finetune.stages: found freeze: {stage.freeze}, but the network has {len(dense)} "
                "layers, so no layer is left to learn. Freeze fewer layers."
            )
        if count and self.decorrelation is not None:
            raise ConfigError(
                "finetune.decorrelate changes the weights of the first layer, but freeze: "
                f"{stage.freeze} does not allow this. Remove one of these keys."
            )
        for place, layer in enumerate(dense):
            layer.trainable = place >= count


def fit_network(
    config: Recipe,
    begin: Callable[[PreparedSamples], Learner],
    stages: Sequence[Stage],
    listener: EpochListener,
    checkpoints: Path | None,
    prepared: PreparedSamples | None,
    start: Network | None = None,
) -> TrainingResult:
    """Check the configuration and samples, fit each stage, and return the network with its record.

    Raises:
        ConfigError: the configuration or the samples are wrong; both are checked before training.
        DivergedError: the loss became infinite or NaN.
    """
    set_up(config.fit)
    prepared = prepared or prepare(config.samples, config.splits)
    learner = begin(prepared)
    check_learner(config, prepared, learner)
    kept = _checkpoints(checkpoints, config, prepared, "" if start is None else start.fingerprint)
    fitted = _fit_stages(learner, stages, config.fit, prepared, listener, kept)
    record = fit_record(config, prepared, fitted) | start_record(start, learner.decorrelation)
    network = replace(_bare_network(config, prepared, learner), training=record)
    if start is not None:
        network = replace(
            network,
            licence=with_origin(network.licence, start.licence, start.name),
            citation=with_origin(network.citation, start.citation, start.name),
        )
    x = prepared.golden_inputs()
    network = replace(network, golden=GoldenSpectra(x, network.reference(x)))
    return TrainingResult(network, fitted, prepared, learner.before)


def check_learner(config: Recipe, prepared: PreparedSamples, learner: Learner) -> None:
    """Refuse a network before its training if the trained network could not be used or saved.

    Raises:
        NetworkError: a class name cannot be used in a class map; or OC-SMART's program could not
            run the network, although ``save`` asks for OC-SMART's layout.
        ConfigError: a sensor is unknown, or a baseline of ``class_baselines`` cannot be computed.
    """
    from pipeline.networks.saving import check_savable

    samples = prepared.samples
    if samples.classes:
        check_class_names("samples.classes", samples.class_quantity, samples.classes)
        baseline_classes(
            config.class_baselines, config.sensors[0], learner.inputs, samples.classes,
            samples.x[:1],
        )  # fmt: skip
    network = _bare_network(config, prepared, learner)
    if "h5" in config.save and not config.beyond_ocsmart:
        check_savable(Path(f"{config.name}.h5"), network)


def stage_fit(fit: Fit, stage: Stage) -> Fit:
    """Return the settings of one stage; settings that the stage lacks are taken from the fit."""
    own = stage.model_dump(
        include={"schedule", "epochs", "batch_size", "early_stopping"}, exclude_none=True
    )
    data = fit.model_dump() | own
    if stage.learning_rate is not None:
        data["optimizer"] = data["optimizer"] | {"learning_rate": stage.learning_rate}
    return Fit.model_validate(data)


def _fit_stages(
    learner: Learner,
    stages: Sequence[Stage],
    fit: Fit,
    prepared: PreparedSamples,
    listener: EpochListener,
    checkpoints: Checkpoints | None,
) -> FitResult:
    data = learner.parts(prepared, fit)
    state: FitState | None = checkpoints.load() if checkpoints is not None else None
    if state is not None:
        log.info("resuming after epoch %d", state.history[-1].number)
    dense = dense_layers(learner.model)
    start = {v.path: v.numpy() for layer in dense[: learner.kept_layers] for v in layer.variables}
    fitted = FitResult((), 0, stopped_early=False)
    for number, stage in enumerate(stages, start=1):
        if state is not None and state.history[-1].stage > number:
            continue  # this stage is done; the next stage started from its last weights
        learner.freeze(stage)
        trainer = Trainer(
            learner.model,
            stage_fit(fit, stage),
            *data,
            is_classifier=learner.activations[-1] == "softmax",
            l2_to_start=stage.l2_to_start,
            start=start,
            stage=number,
        )
        fitted = trainer.fit(listener, checkpoints, fitted.history, state)
        state = None
        _check_finite(fitted)
    return fitted


def _check_finite(fitted: FitResult) -> None:
    last = fitted.history[-1]
    if not np.isfinite(last.loss):
        raise DivergedError(
            f"the loss is {last.loss} in epoch {last.number}: training diverged. Lower "
            "fit.optimizer.learning_rate, or set fit.optimizer.clip_norm."
        )


def _checkpoints(
    folder: Path | None, config: Recipe, prepared: PreparedSamples, start: str
) -> Checkpoints | None:
    """Return the checkpoints in a folder for this configuration, samples and start network.

    A checkpoint stays valid if the patience or the number of epochs changes, so a fit can be
    extended. But if the learning rate decays over all epochs, their number must stay the same.
    """
    if folder is None:
        return None
    record = config.model_dump(
        mode="json", exclude={"fit": {"epochs", "early_stopping", "keep_every", "tensorboard"}}
    )
    for name in NOT_OF_A_FIT:
        record.pop(name, None)
    if config.fit.schedule.kind == "cosine" and config.fit.schedule.decay_epochs is None:
        record["epochs"] = config.fit.epochs
    digest = hashlib.sha256(json.dumps([record, start], sort_keys=True).encode())
    prepared.add_to(digest)
    return Checkpoints(folder, digest.hexdigest(), config.fit.keep_every)


def _bare_network(config: Recipe, prepared: PreparedSamples, learner: Learner) -> Network:
    """Return the network with the current weights, but without a record and golden spectra."""
    network = Network(
        name=config.name,
        title=config.title or config.name,
        inputs=learner.inputs,
        outputs=learner.outputs,
        layers=learner.layers(),
        sensors=tuple(find_sensor(sensor).name for sensor in config.sensors),
        citation=config.citation,
        licence=config.licence,
        file_name=f"{config.name}.{config.save[0]}",
        sha256="",
        classes=prepared.samples.classes,
        class_quantity=prepared.samples.class_quantity,
    )
    check_network(network)
    return network
