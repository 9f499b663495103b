"""Continue training an existing network; each stage trains all layers or the last ones."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipeline.config.samples import VariableConfig
from pipeline.config.training import FinetuneConfig
from pipeline.errors import ConfigError
from pipeline.facts.quantities import renamed
from pipeline.networks.description import Layer, Network
from pipeline.networks.ensemble import Ensemble
from pipeline.networks.rescaling import rescaled, with_outputs
from pipeline.networks.variable import Variable, scaled
from pipeline.training.fit_network import Learner, TrainingResult, fit_network
from pipeline.training.fitting import EpochListener
from pipeline.training.fitting.model import decorrelation, model_of
from pipeline.training.plan import TrainingPlan, plan_training
from pipeline.training.samples.preparation import PreparedSamples
from pipeline.training.samples.variables import nearest_variable, variables_of

log = logging.getLogger(__name__)


def finetune(
    start: Network,
    config: FinetuneConfig,
    listener: EpochListener,
    checkpoints: Path | None = None,
    prepared: PreparedSamples | None = None,
) -> TrainingResult:
    """Continue training a network.

    If ``samples.inputs`` is empty, the inputs of the network are used. The other
    arguments and the errors are as in :func:`pipeline.training.train.train`.
    """
    config = with_inputs_of(start, config)
    return fit_network(
        config,
        lambda samples: begin(start, config, samples),
        config.finetune.stages,
        listener,
        checkpoints,
        prepared,
        start,
    )


def plan(start: Network, config: FinetuneConfig) -> TrainingPlan:
    """Return the plan of ``finetune``; raise the errors that are found before training."""
    config = with_inputs_of(start, config)
    return plan_training(config, lambda samples: begin(start, config, samples))


def with_inputs_of(start: Network | Ensemble, config: FinetuneConfig) -> FinetuneConfig:
    """Return the configuration with its inputs set to the inputs of the network.

    Raises:
        ConfigError: the inputs in the configuration are not the inputs of the network.
    """
    named = [(choice.quantity, nm) for choice, nm in variables_of(config.samples.inputs)]
    if named and named != [(v.quantity, v.wavelength_nm) for v in start.inputs]:
        raise ConfigError(
            f"samples.inputs differs from the inputs of {start.name}: "
            f"{', '.join(v.name for v in start.inputs)}. Remove samples.inputs: the inputs of the "
            "network are used."
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
    samples = config.samples.model_copy(update={"inputs": inputs})
    return config.model_copy(update={"samples": samples})


def begin(start: Network, config: FinetuneConfig, prepared: PreparedSamples) -> Learner:
    """Return the model before its first training step.

    With ``head: keep``, the model gives the same results as the start network, even if the scaling
    differs.

    Raises:
        ConfigError: a target is not an output of the network, or all layers would be dropped.
    """
    refit = config.finetune.scaling == "refit"
    inputs = prepared.inputs() if refit else start.inputs
    first = _decorrelation(start, config, prepared, inputs)
    if config.finetune.head == "new":
        return _new_head(start, config, prepared, inputs, first)
    before = with_outputs(start, _columns(start, prepared, config.samples.tolerance_nm))
    outputs = prepared.outputs() if refit and not start.classes else before.outputs
    begun = rescaled(before, inputs, outputs)
    *hidden, last = begun.layers
    model = model_of(
        (*hidden, replace(last, activation="linear") if start.classes else last),
        dropout=config.finetune.dropout,
        seed=config.fit.seed,
        dtype=config.fit.precision,
        first=first,
    )
    activations = tuple(layer.activation for layer in begun.layers)
    return Learner(
        model, inputs, outputs, activations, first, kept_layers=len(begun.layers), before=before
    )


def _new_head(
    start: Network,
    config: FinetuneConfig,
    prepared: PreparedSamples,
    inputs: tuple[Variable, ...],
    first: Layer | None,
) -> Learner:
    chosen, outputs = config.finetune, prepared.outputs()
    left = len(start.layers) - chosen.drop_layers
    if left < 1:
        raise ConfigError(
            f"finetune.drop_layers: found {chosen.drop_layers}, but {start.name} has "
            f"{len(start.layers)} layers, so no layer is left. Use ocpipe train, or drop "
            "fewer layers."
        )
    kept = rescaled(start, inputs, start.outputs).layers[:left]
    hidden = kept[-1].activation
    model = model_of(
        kept,
        new=[*((units, hidden) for units in chosen.new_hidden), (len(outputs), "linear")],
        dropout=chosen.dropout,
        seed=config.fit.seed,
        dtype=config.fit.precision,
        first=first,
    )
    before = (layer.activation for layer in kept)
    activations = (*before, *(hidden for _ in chosen.new_hidden), prepared.output_activation)
    return Learner(model, inputs, outputs, activations, first, kept_layers=left)


def _decorrelation(
    start: Network,
    config: FinetuneConfig,
    prepared: PreparedSamples,
    inputs: tuple[Variable, ...],
) -> Layer | None:
    """Return the start network's decorrelation if the scaling is kept, else a new decorrelation."""
    if not config.finetune.decorrelate:
        return None
    known = start.training.get("decorrelation")
    if known is not None and config.finetune.scaling == "keep":
        return Layer(np.array(known["kernel"]), np.array(known["bias"]), "linear")
    return decorrelation(scaled(inputs, prepared.samples.x[prepared.split.train]))


def _columns(start: Network, prepared: PreparedSamples, tolerance_nm: float) -> list[int]:
    """Return the place of each target among the outputs of the network."""
    samples = prepared.samples
    if samples.classes or start.classes:
        if samples.classes != start.classes:
            raise ConfigError(
                f"the classes of the samples are {', '.join(samples.classes) or 'none'}, but the "
                f"classes of {start.name} are {', '.join(start.classes) or 'none'}. Set "
                "finetune.head: new."
            )
        return list(range(len(start.classes)))
    columns = []
    for target in samples.targets:
        nearest = nearest_variable(target, start.outputs, tolerance_nm)
        if nearest is None:
            raise ConfigError(
                f"target {target.name} is not an output of {start.name}, which has "
                f"{', '.join(v.name for v in start.outputs)}. Set finetune.head: new, or remove "
                "the target."
            )
        if start.outputs[nearest].units != target.units:
            raise ConfigError(
                f"target {target.name} is in {target.units}, expected "
                f"{start.outputs[nearest].units} as in {start.name}. Convert it in samples.columns."
            )
        columns.append(nearest)
    pairs = zip(samples.targets, columns, strict=True)
    warnings = (
        renamed(target.quantity, start.outputs[column].quantity) for target, column in pairs
    )
    for warning in filter(None, dict.fromkeys(warnings)):
        log.warning("samples.targets: %s", warning)
    return columns
