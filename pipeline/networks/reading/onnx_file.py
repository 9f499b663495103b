"""Reads networks in ONNX files: the computation of the graph, and the description of variables.

The description is the attribute that ``ocpipe export`` writes, or a YAML. Without these, the names
of the inputs and outputs are used, such as ``Rrs_443`` and ``chlor_a``.
"""

import dataclasses
import re
from pathlib import Path

import numpy as np
from pydantic import Field
from pydantic_core import PydanticCustomError

from pipeline.errors import NetworkError
from pipeline.facts.quantities import quantities
from pipeline.files.contents import sha256_of
from pipeline.files.regular import first_bytes
from pipeline.networks.description import Layer, Network
from pipeline.networks.reading.onnx.network import OnnxNetwork
from pipeline.networks.reading.ranged import RangedVariable
from pipeline.networks.reading.schema import (
    UNKNOWN_RANGE,
    NetworkDescription,
    Parts,
    Range,
    parse_description,
)
from pipeline.networks.reading.self_description import ATTRIBUTE
from pipeline.networks.rescaling import rescaled, scaled_as, with_output_scaling
from pipeline.networks.variable import SCALINGS, Variable

SUFFIX = ".onnx"
# First the version of the format, then the graph or the name of the program that wrote the file.
_START = re.compile(rb"\x08[\x01-\x1f](?:\x12.[A-Za-z][\w.-]+|[\x1a\x22\x32\x3a\x42])", re.DOTALL)
_BAND = re.compile(r"(?P<quantity>[A-Za-z]\w*)_(?P<nm>\d+(?:\.\d+)?)")
_LN10 = float(np.log(10.0))


def is_onnx(path: Path) -> bool:
    """Return whether a file is an ONNX model by its ending or its first bytes; it may be broken."""
    if path.suffix.lower() == SUFFIX:
        return True
    try:
        return _START.match(first_bytes(path, 64, NetworkError)) is not None
    except (OSError, NetworkError):
        return False


class OnnxDescription(NetworkDescription):
    """The keys of the attribute that ``ocpipe export`` writes into an ONNX file."""

    inputs: tuple[RangedVariable, ...]
    outputs: tuple[RangedVariable, ...] | None = Field(default=None, validate_default=True)
    activations: tuple[str, ...] = ()
    """Not used, because the graph contains the activations."""


def described_by_attribute(graph: OnnxNetwork, path: Path) -> Network:
    """Return the network of a file that ``ocpipe export`` wrote, with its original scalings.

    Raises:
        NetworkError: the attribute is not a description, or does not fit the graph.
    """
    try:
        return _as_exported(graph, path.name, sha256_of(path, NetworkError))
    except NetworkError as error:
        raise NetworkError(f"{path.name}: {error}") from None


def described_by_names(graph: OnnxNetwork, path: Path) -> Network | None:
    """Return the network if the names of its inputs and outputs describe it, otherwise None.

    Such a network names no sensor, so a configuration must allow the sensor of the scene.
    """
    inputs = _named(graph.input_names, graph.input_transforms)
    outputs = _named(graph.output_names, graph.output_transforms)
    if not inputs or not outputs:
        return None
    return Network(
        name=path.stem,
        title=path.stem,
        inputs=inputs,
        outputs=outputs,
        layers=graph.layers,
        sensors=(),
        citation="",
        licence="",
        file_name=path.name,
        sha256=sha256_of(path, NetworkError),
    )


def _named(names: tuple[str, ...], transforms: tuple[str, ...]) -> tuple[Variable, ...]:
    """Return the variables named by quantity and wavelength; none if one has another name."""
    found = []
    for name, transform in zip(names, transforms, strict=False):
        band = _BAND.fullmatch(name)
        quantity = band["quantity"] if band is not None else name
        known = quantities().get(quantity)
        if known is None:
            return ()
        found.append(
            Variable(
                quantity=quantity,
                wavelength_nm=None if band is None else float(band["nm"]),
                units=known.units,
                transform_name=transform,
                minimum=-np.inf,
                maximum=np.inf,
                long_name=known.long_name,
                standard_name=known.standard_name,
                scaling_name="none",
            )
        )
    return tuple(found)


def onnx_parts(
    graph: OnnxNetwork,
    inputs: tuple[RangedVariable, ...],
    outputs: tuple[RangedVariable, ...],
    classes: tuple[str, ...],
) -> Parts:
    """Return the layers of a graph, and the training ranges of a YAML.

    If the graph computes a transform, it becomes the transform of the variable. So ocpipe knows,
    for example, that an input must be positive.

    Raises:
        NetworkError: the graph does not fit the description.
    """
    if len(inputs) != len(graph.input_transforms):
        raise NetworkError(
            f"the description has {len(inputs)} inputs, but the graph takes "
            f"{len(graph.input_transforms)}: {graph.inputs_text}. Correct it. Keras exports its "
            "layer Normalization as inputs without numbers: export the network without this layer, "
            "and state mean and std in the YAML."
        )
    _check_class_order(graph, classes)
    input_norms, input_transforms = _ends(inputs, graph.input_transforms)
    # Classes have no transforms; a wrong number of outputs is refused by the checks of all formats.
    is_fitting = len(outputs) == len(graph.output_transforms)
    of_outputs = graph.output_transforms if is_fitting else ("none",) * len(outputs)
    output_norms, output_transforms = _ends(outputs, of_outputs)
    return Parts(graph.layers, input_norms, output_norms, input_transforms, output_transforms)


def _ends(
    variables: tuple[RangedVariable, ...], transforms: tuple[str, ...]
) -> tuple[list[Range], tuple[str, ...]]:
    """Return training ranges and transforms of the variables of a YAML."""
    made = list(map(_with_transform, variables, transforms))
    return [each.training_range() for each in made], tuple(each.transform for each in made)


def _check_class_order(graph: OnnxNetwork, names: tuple[str, ...]) -> None:
    stored = graph.class_names
    if names != stored and sorted(names) == sorted(stored):
        raise NetworkError(
            f"the classes are {', '.join(names)}, but the file has them in the order "
            f"{', '.join(stored)}. Correct the order."
        )


def _with_transform(variable: RangedVariable, transform: str) -> RangedVariable:
    if transform == "none":
        return variable
    if (variable.transform, variable.scaling) != ("none", "none"):
        raise NetworkError(
            f"{variable.quantity} has the transform {variable.transform} and the scaling "
            f"{variable.scaling}, but the graph itself takes physical values and transforms them "
            f"({transform}). Write transform: none and scaling: none."
        )
    made = variable.model_copy(
        update={"transform": transform, "range": variable.range or variable.norm, "norm": None}
    )
    try:
        made.training_range()
    except PydanticCustomError as error:
        raise NetworkError(f"{variable.quantity}: {error.message()}.") from None
    return made


def _as_exported(graph: OnnxNetwork, file_name: str, sha256: str) -> Network:
    where = f"attribute {ATTRIBUTE}"
    described = parse_description(OnnxDescription, graph.metadata[ATTRIBUTE], where)
    sizes = len(described.inputs), described.output_count
    found = len(graph.input_transforms), len(graph.output_transforms)
    if sizes != found:
        raise NetworkError(
            f"{where} has {sizes[0]} inputs and {sizes[1]} outputs, but the graph has {found[0]} "
            f"and {found[1]}. The file was changed; export it again."
        )
    inputs = tuple(map(_readable, described.inputs))
    outputs = None if described.outputs is None else tuple(map(_readable, described.outputs))
    described = described.model_copy(update={"inputs": inputs, "outputs": outputs})
    parts = Parts(
        graph.layers,
        [variable.training_range() for variable in inputs],
        [variable.training_range() for variable in outputs or ()],
    )
    network = described.assemble(parts, file_name, sha256)
    _check_transforms(network.inputs, graph.input_transforms)
    _check_transforms(network.outputs, graph.output_transforms)
    bare = dataclasses.replace(
        network,
        inputs=scaled_as(network.inputs, "none"),
        outputs=scaled_as(network.outputs, "none"),
        layers=_in_stated_logarithms(network),
    )
    return rescaled(bare, network.inputs, network.outputs)


def _readable(variable: RangedVariable) -> RangedVariable:
    """Leave out a scaling without a training range, which older versions did not write."""
    lost = SCALINGS[variable.scaling].needs_range and variable.training_range() == UNKNOWN_RANGE
    return variable.model_copy(update={"scaling": "none"}) if lost else variable


def _check_transforms(variables: tuple[Variable, ...], transforms: tuple[str, ...]) -> None:
    for variable, transform in zip(variables, transforms, strict=True):
        if {"log10": "ln"}.get(variable.transform_name, variable.transform_name) != transform:
            raise NetworkError(
                f"attribute {ATTRIBUTE} states the transform {variable.transform_name} of "
                f"{variable.name}, but the graph has {transform}. The file was changed; export it "
                "again."
            )


def _in_stated_logarithms(network: Network) -> tuple[Layer, ...]:
    """Return the layers for the stated transforms; the graph itself takes natural logarithms."""
    factors = [
        np.array([_LN10 if variable.transform_name == "log10" else 1.0 for variable in variables])
        for variables in (network.inputs, network.outputs)
    ]
    first, *others = network.layers
    first = Layer(factors[0][:, np.newaxis] * first.kernel, first.bias, first.activation)
    return with_output_scaling([first, *others], 1 / factors[1], np.zeros(factors[1].size))
