"""A network that is there goes on learning: all of it or its last layers, in stages."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.config.samples import VariableConfig
from pipeline.config.training import FinetuneConfig, Fit, Stage
from pipeline.errors import ConfigError
from pipeline.networks.description import Layer, Network
from pipeline.networks.ensemble import Ensemble
from pipeline.networks.rescaling import rescaled, with_outputs
from pipeline.training.fitting import Checkpoints, EpochListener, FitData, FitResult, Trainer
from pipeline.training.fitting.checkpoints import FitState
from pipeline.training.fitting.model import decorrelation, dense_layers, layers_of, model_of
from pipeline.training.fitting.setup import set_up
from pipeline.training.samples.preparation import PreparedSamples, prepare
from pipeline.training.train import (
    TrainingResult,
    as_network,
    check_classes,
    check_finite,
    check_savable_later,
    check_sensors,
    kept_at,
    remembering,
)

if TYPE_CHECKING:
    import keras

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Beginning:
    """What learns, before the first step."""

    model: "keras.Model"
    inputs: tuple[Variable, ...]
    outputs: tuple[Variable, ...]
    activations: tuple[str, ...]
    """Of all layers, as the network will have them."""
    kept_layers: int
    """How many layers are those of the start network."""
    before: Network | None
    """The start network on the same outputs; None where its head is new."""
    first: Layer | None
    """Decorrelation of the inputs."""


def finetune(
    start: Network,
    config: FinetuneConfig,
    listener: EpochListener,
    checkpoints: Path | None = None,
    prepared: PreparedSamples | None = None,
) -> TrainingResult:
    """Go on from a network.

    Args:
        start: any network that can be read.
        config: all of it; samples take the inputs of the network where they name none.
        listener: told after each epoch.
        checkpoints: folder for them; where it holds some of the same configuration, samples and
            start, training goes on from there.
        prepared: samples that are read and parted already.

    Raises:
        ConfigError: what is wrong with configuration or samples, before any training; or the loss
            is not finite any more.
    """
    check_sensors(config)
    set_up(config.fit)
    config = with_inputs_of(start, config)
    prepared = prepared or prepare(config.samples, config.splits)
    beginning = begin(start, config, prepared)
    sizes = tuple(layer.units for layer in dense_layers(beginning.model))
    check_savable_later(config, beginning.activations, beginning.inputs, beginning.outputs, sizes)
    check_classes(config, prepared, beginning.inputs)
    kept = kept_at(checkpoints, config, prepared, start.fingerprint)
    fitted = _fit_stages(beginning, config, prepared, listener, kept)
    layers = layers_of(beginning.model, beginning.activations)
    network = as_network(config, prepared, beginning.inputs, beginning.outputs, layers, fitted)
    record = network.training | {
        "start": {"name": start.name, "file": start.file_name, "sha256": start.sha256}
    }
    network = remembering(replace(network, training=record), beginning.first)
    return TrainingResult(network, fitted, prepared, beginning.before)


def with_inputs_of(start: Network | Ensemble, config: FinetuneConfig) -> FinetuneConfig:
    """The configuration with the inputs of the network, where it names none.

    Raises:
        ConfigError: it names others.
    """
    named = [
        (variable.quantity, nm)
        for variable in config.samples.inputs
        for nm in (variable.wavelengths_nm or (None,))
    ]
    own = [(v.quantity, v.wavelength_nm) for v in start.inputs]
    if named and named != own:
        raise ConfigError(
            f"samples.inputs are other inputs than those of {start.name}: "
            f"{', '.join(v.name for v in start.inputs)}. Leave them out: the network's are taken."
        )
    inputs = tuple(
        VariableConfig.model_validate(
            {
                "quantity": v.quantity,
                "wavelengths_nm": None if v.wavelength_nm is None else (v.wavelength_nm,),
                "units": v.units,
                "transform": v.transform_name,
                "scaling": v.scaling_name,
            }
        )
        for v in start.inputs
    )
    return config.model_copy(
        update={"samples": config.samples.model_copy(update={"inputs": inputs})}
    )


def begin(start: Network, config: FinetuneConfig, prepared: PreparedSamples) -> Beginning:
    """The model before its first step.

    With ``head: keep`` it gives the numbers of the start network, in any scaling.

    Raises:
        ConfigError: targets are not among the network's outputs, or layers that are not there.
    """
    chosen, fit = config.finetune, config.fit
    seed, dtype = fit.seed, fit.precision
    refit = chosen.scaling == "refit"
    inputs = prepared.inputs() if refit else start.inputs
    first = _decorrelation(start, config, prepared, inputs) if chosen.decorrelate else None
    if chosen.head == "keep":
        before = with_outputs(start, _columns(start, prepared, config.samples.tolerance_nm))
        outputs = prepared.outputs() if refit and not start.classes else before.outputs
        begun = rescaled(before, inputs, outputs)
        model = model_of(
            _trained_layers(begun), dropout=chosen.dropout, seed=seed, dtype=dtype, first=first
        )
        activations = tuple(layer.activation for layer in begun.layers)
        return Beginning(model, inputs, outputs, activations, len(begun.layers), before, first)
    if chosen.drop_layers >= len(start.layers):
        raise ConfigError(
            f"finetune.drop_layers: {chosen.drop_layers} of {len(start.layers)} layers; nothing of "
            f"{start.name} would be left. Use ocpipe train, or drop fewer."
        )
    kept = rescaled(start, inputs, start.outputs).layers[: len(start.layers) - chosen.drop_layers]
    outputs = prepared.outputs()
    last = "softmax" if prepared.samples.classes else "linear"
    hidden = kept[-1].activation
    new = [*((units, hidden) for units in chosen.new_hidden), (len(outputs), "linear")]
    model = model_of(kept, new=new, dropout=chosen.dropout, seed=seed, dtype=dtype, first=first)
    activations = (
        *(layer.activation for layer in kept), *(hidden for _ in chosen.new_hidden), last
    )  # fmt: skip
    return Beginning(model, inputs, outputs, activations, len(kept), None, first)


def _decorrelation(
    start: Network, config: FinetuneConfig, prepared: PreparedSamples, inputs: tuple[Variable, ...]
) -> Layer:
    """That of the start network where it remembers one, else that of the new samples."""
    known = start.training.get("decorrelation")
    if known is not None and config.finetune.scaling == "keep":
        return Layer(np.array(known["kernel"]), np.array(known["bias"]), "linear")
    return decorrelation(scaled(inputs, prepared.samples.x[prepared.split.train]))


def _trained_layers(network: Network) -> tuple[Any, ...]:
    """The layers, a classifier's last one as logits."""
    *before, last = network.layers
    return (*before, replace(last, activation="linear") if network.classes else last)


def _columns(start: Network, prepared: PreparedSamples, tolerance_nm: float) -> list[int]:
    """Which outputs of the network the targets are.

    Raises:
        ConfigError: one is not among them.
    """
    samples = prepared.samples
    if samples.classes or start.classes:
        if samples.classes != start.classes:
            raise ConfigError(
                f"the classes are {', '.join(samples.classes) or 'none'}, those of {start.name} "
                f"{', '.join(start.classes) or 'none'}. Set finetune.head: new."
            )
        return list(range(len(start.classes)))
    columns = []
    for target in samples.targets:
        distances = {
            i: abs((v.wavelength_nm or 0.0) - (target.wavelength_nm or 0.0))
            for i, v in enumerate(start.outputs)
            if v.quantity == target.quantity
        }
        nearest = min(distances, key=lambda i: distances[i], default=None)
        if nearest is None or distances[nearest] > tolerance_nm:
            raise ConfigError(
                f"target {target.name} is no output of {start.name}, which has "
                f"{', '.join(v.name for v in start.outputs)}. Set finetune.head: new, or leave it "
                "out."
            )
        if start.outputs[nearest].units != target.units:
            raise ConfigError(
                f"target {target.name} is in {target.units}, in {start.name} in "
                f"{start.outputs[nearest].units}. Convert it (samples.columns)."
            )
        columns.append(nearest)
    return columns


def stage_fit(fit: Fit, stage: Stage) -> Fit:
    """The settings of a stage: its own, else those of the whole."""
    own = stage.model_dump(
        include={"schedule", "epochs", "batch_size", "early_stopping"}, exclude_none=True
    )
    data = fit.model_dump() | own
    if stage.learning_rate is not None:
        data["optimizer"] = data["optimizer"] | {"learning_rate": stage.learning_rate}
    return Fit.model_validate(data)


def _fit_stages(
    beginning: Beginning,
    config: FinetuneConfig,
    prepared: PreparedSamples,
    listener: EpochListener,
    checkpoints: Checkpoints | None,
) -> FitResult:
    by_output = prepared.output_weights(config.fit)
    train, validation = (
        prepared.data(rows, beginning.inputs, beginning.outputs, by_output=by_output)
        for rows in (prepared.split.train, prepared.split.validation)
    )
    if train is None:
        raise ConfigError("no training samples are left. Make the validation and test parts less.")
    state = checkpoints.load() if checkpoints is not None else None
    if state is not None:
        log.info("going on after epoch %d", state.history[-1].number)
    dense = dense_layers(beginning.model)
    start = {v.path: v.numpy() for layer in dense[: beginning.kept_layers] for v in layer.variables}
    fitted = FitResult((), 0, stopped_early=False)
    for number, stage in enumerate(config.finetune.stages, start=1):
        if state is not None and state.history[-1].stage > number:
            continue  # done; its last weights are where the next one went on from
        freeze(beginning, stage)
        fitted = _fit_stage(
            beginning, config, (train, validation), number, stage, start,
            listener, checkpoints, state, fitted,
        )  # fmt: skip
        state = None
        check_finite(fitted)
    return fitted


def _fit_stage(
    beginning: Beginning,
    config: FinetuneConfig,
    data: tuple[FitData, FitData | None],
    number: int,
    stage: Stage,
    start: dict[str, Any],
    listener: EpochListener,
    checkpoints: Checkpoints | None,
    state: FitState | None,
    before: FitResult,
) -> FitResult:
    trainer = Trainer(
        beginning.model,
        stage_fit(config.fit, stage),
        *data,
        is_classifier=bool(beginning.outputs and beginning.activations[-1] == "softmax"),
        l2_to_start=stage.l2_to_start,
        start=start,
        stage=number,
    )
    return trainer.fit(listener, checkpoints, before.history, state)


def freeze(beginning: Beginning, stage: Stage) -> None:
    """Let the layers behind the frozen ones learn, and no others.

    Raises:
        ConfigError: there are no layers left that learn.
    """
    dense = dense_layers(beginning.model)
    frozen = {"none": 0, "base": beginning.kept_layers}.get(str(stage.freeze), stage.freeze)
    count = int(frozen)
    if count >= len(dense):
        raise ConfigError(
            f"finetune.stages: freeze: {stage.freeze} of {len(dense)} layers leaves none that "
            "learns. Freeze fewer."
        )
    if count and beginning.first is not None:
        raise ConfigError(
            "finetune.decorrelate turns the first layer, and it is to stay as it is (freeze: "
            f"{stage.freeze}). Leave one of them out."
        )
    for place, layer in enumerate(dense):
        layer.trainable = place >= count
