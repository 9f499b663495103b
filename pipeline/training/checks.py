"""Checks of a recipe before hours of training."""

from pathlib import Path

import numpy as np

from pipeline.config.training import Recipe, TrainingConfig
from pipeline.facts.sensors import find_sensor
from pipeline.networks.checks import check_class_names
from pipeline.networks.description import Layer, Network, Variable
from pipeline.training.baselines import baseline_classes
from pipeline.training.samples.preparation import PreparedSamples
from pipeline.training.samples.samples import SampleSet


def check_sensors(config: Recipe) -> tuple[str, ...]:
    """Return the sensors of a recipe, spelled as in the table of sensors.

    Raises:
        ConfigError: a sensor is unknown.
    """
    return tuple(find_sensor(sensor).name for sensor in config.sensors)


def check_classes(config: Recipe, samples: SampleSet, inputs: tuple[Variable, ...]) -> None:
    """Refuse classes that a class map cannot name, and thresholds that cannot be computed.

    Raises:
        NetworkError: a class map cannot name a class.
        ConfigError: a threshold of ``class_baselines`` cannot be computed.
    """
    if samples.classes:
        check_class_names("samples.classes", samples.class_quantity, samples.classes)
        baseline_classes(
            config.class_baselines, config.sensors[0], inputs, samples.classes, samples.x[:1]
        )


def check_savable_recipe(config: TrainingConfig, prepared: PreparedSamples) -> None:
    """Refuse a recipe whose network OC-SMART's program cannot run, if it is to be saved for it.

    Raises:
        NetworkError: OC-SMART's program cannot run the network.
    """
    outputs = prepared.outputs()
    activations = (*config.network.activations, prepared.output_activation)
    sizes = (*config.network.hidden, len(outputs))
    check_savable_layers(config, sizes, activations, prepared.inputs(), outputs)


def check_savable_layers(
    config: Recipe,
    sizes: tuple[int, ...],
    activations: tuple[str, ...],
    inputs: tuple[Variable, ...],
    outputs: tuple[Variable, ...],
) -> None:
    """Refuse layers that OC-SMART's program cannot run, if the recipe saves for it.

    Args:
        config: recipe, whose ``save`` and ``beyond_ocsmart`` decide.
        sizes: units of all layers of the network.
        activations: activations of these layers.
        inputs: input variables.
        outputs: output variables.

    Raises:
        NetworkError: OC-SMART's program cannot run the network.
    """
    from pipeline.networks.saving import check_savable

    if "h5" not in config.save or config.beyond_ocsmart:
        return
    layers = tuple(
        Layer(np.zeros((before, units)), np.zeros(units), activation)
        for before, units, activation in zip(
            (len(inputs), *sizes), sizes, activations, strict=False
        )
    )
    classes = tuple(v.name for v in outputs) if activations[-1] == "softmax" else ()
    sketch = Network(
        name=config.name, title="", inputs=inputs, outputs=outputs, layers=layers,
        sensors=config.sensors, citation="", licence="", file_name="", sha256="", classes=classes,
    )  # fmt: skip
    check_savable(Path(f"{config.name}.h5"), sketch)
