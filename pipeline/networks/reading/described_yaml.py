"""A YAML file that describes a network and names the files of its weights.

The weights are a Keras or ONNX file, a file in OC-SMART's layout, a file of arrays with names, or
CSV tables. These files are in the folder of the YAML or below it.
"""

import contextlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from pipeline.errors import NetworkError
from pipeline.facts.quantities import meaning_changed
from pipeline.facts.shipped import shipped_configs
from pipeline.files.contents import read_yaml, sha256_of_listing
from pipeline.files.identity import unchanged
from pipeline.networks.description import Layer, Network
from pipeline.networks.reading.csv_table import read_matrix, read_vector
from pipeline.networks.reading.keras_file import is_keras, keras_layers
from pipeline.networks.reading.keras_weights import is_weights_only, keras_weights
from pipeline.networks.reading.named_arrays import has_named_arrays, open_named_arrays
from pipeline.networks.reading.ocsmart_h5 import is_ocsmart, stored_weights
from pipeline.networks.reading.onnx.network import read_onnx_graph
from pipeline.networks.reading.onnx_file import is_onnx, onnx_parts
from pipeline.networks.reading.ranged import RangedVariable
from pipeline.networks.reading.schema import (
    Described,
    NetworkDescription,
    Parts,
    is_inside,
    named_files,
    read_description,
)
from pipeline.networks.variable import Array

log = logging.getLogger(__name__)

SUFFIXES = (".yaml", ".yml")


class DescribedLayer(Described):
    """One layer as two CSV tables, or as two arrays of the file ``weights``."""

    kernel: str
    bias: str | None = None
    """None for a layer without a bias."""
    activation: str


class FileDescription(NetworkDescription):
    """The keys of a YAML file that describes a network."""

    inputs: tuple[RangedVariable, ...]
    outputs: tuple[RangedVariable, ...] | None = Field(default=None, validate_default=True)
    weights: str | None = None
    activations: list[str] | None = None
    layers: list[DescribedLayer] | None = None
    kernel_layout: Literal["inputs_units", "units_inputs"] = "inputs_units"

    @model_validator(mode="after")
    def _weights_or_layers(self) -> "FileDescription":
        if self.weights is None and self.layers is None:
            raise PydanticCustomError("missing", "give weights or layers, or both")
        if self.layers is None and "kernel_layout" in self.model_fields_set:
            raise PydanticCustomError("exclusive", "kernel_layout is only for layers of the YAML")
        if self.layers is not None and self.activations is not None:
            raise PydanticCustomError("exclusive", "put the activations into the layers")
        return self

    @property
    def files(self) -> list[str]:
        """The names of all weight files, in the order of the YAML."""
        if self.weights is not None:
            return [self.weights]
        named = [name for layer in self.layers or () for name in (layer.kernel, layer.bias)]
        return [name for name in named if name is not None]

    def unclear_names(self) -> list[str]:
        """Return a warning for each name that meant something else in older versions.

        If a variable has a long name, its meaning is clear.
        """
        variables = (*self.inputs, *(self.outputs or ()))
        names = dict.fromkeys(v.quantity for v in variables if not v.long_name)
        return [warning for name in names if (warning := meaning_changed(name))]


def is_described(path: Path) -> bool:
    """Return whether a file is YAML with the key ``schema`` and a key such as ``layers``."""
    keys = _keys(path)
    parts = ("weights", "layers", "inputs", "outputs", "classes")
    return "schema" in keys and not keys.isdisjoint(parts)


def names_members(path: Path) -> bool:
    """Return whether a file is YAML that names the networks of an ensemble."""
    return {"schema", "members"} <= _keys(path)


def _keys(path: Path) -> set[Any]:
    """Return the top keys of a YAML file, or an empty set if the file is broken or not YAML."""
    if path.suffix.lower() not in SUFFIXES or not path.is_file():
        return set()
    try:
        data = read_yaml(path, NetworkError)
    except NetworkError:
        return set()
    return set(data) if isinstance(data, dict) else set()


def description_of(weights: Path) -> Path | None:
    """Return the description of a weight file: a YAML beside this file, a shipped YAML, or None."""
    for folder in (weights.parent, shipped_configs() / "networks"):
        candidate = folder / f"{weights.stem}.yaml"
        if candidate.is_file():
            if not is_inside(candidate, folder):
                raise NetworkError(
                    f"{weights.name}: its description {candidate.name} is a link that leads out of "
                    "the folder, expected a file in the folder. Copy the file there."
                )
            data = read_yaml(candidate, NetworkError)
            if isinstance(data, dict) and data.get("weights") == weights.name:
                return candidate
    return None


def read_described(path: Path, weights: Path | None = None) -> Network:
    """Read the network that a YAML file describes.

    Args:
        path: the YAML.
        weights: the weight file, if the user named it instead of the YAML. All files that the YAML
            names are then searched for in the folder of the weight file.

    Raises:
        NetworkError: the YAML is wrong, a named file is missing, or the files do not fit together.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(unchanged([path], NetworkError))
        described = read_description(FileDescription, path)
        for warning in described.unclear_names():
            log.warning("%s: %s. State long_name to say which you mean", path.name, warning)
        folder = path.parent if weights is None else weights.parent
        files = named_files(described.files, folder, path)
        stack.enter_context(unchanged(files.values(), NetworkError))
        try:
            return described.assemble(
                _parts(described, files),
                path.name if weights is None else weights.name,
                sha256_of_listing({path.name: path, **files}, NetworkError),
            )
        except NetworkError as error:
            raise NetworkError(f"{path.name}: {error}") from None


def _parts(described: FileDescription, files: dict[str, Path]) -> Parts:
    if described.weights is None:
        tables = _layers(
            described, lambda name: read_matrix(files[name]), lambda name: read_vector(files[name])
        )
        return _with_own_ranges(described, tables)
    weights = files[described.weights]
    if described.layers is not None:
        return _with_own_ranges(described, _named_layers(described, weights))
    if is_weights_only(weights):
        return _with_own_ranges(described, keras_weights(weights, described.activations or []))
    if is_ocsmart(weights):
        return _ocsmart_parts(described, weights)
    if not (is_keras(weights) or is_onnx(weights)):
        raise NetworkError(
            f"{weights.name} is neither a Keras file (.h5, .keras) nor an ONNX file nor in "
            "OC-SMART's layout. Save the model with model.save, or export it as ONNX. If the file "
            "has the kernels and biases as arrays, name them under the key 'layers'."
        )
    if described.activations is not None:
        raise NetworkError(f"{weights.name} states the activations. Remove the key 'activations'.")
    if is_onnx(weights):
        classes = () if described.classes is None else described.classes.names
        graph = read_onnx_graph(weights)
        return onnx_parts(graph, described.inputs, described.outputs or (), classes)
    return _with_own_ranges(described, keras_layers(weights))


def _named_layers(described: FileDescription, weights: Path) -> tuple[Layer, ...]:
    if not has_named_arrays(weights):
        raise NetworkError(
            f"{weights.name} has no arrays with names, expected safetensors, npz or HDF5. Remove "
            "the key 'layers', or save the weights in one of these formats."
        )
    with open_named_arrays(weights) as arrays:
        return _layers(described, arrays.matrix, arrays.vector)


def _with_own_ranges(described: FileDescription, layers: tuple[Layer, ...]) -> Parts:
    found, expected = layers[0].kernel.shape[0] if layers else 0, len(described.inputs)
    if found != expected:
        raise NetworkError(
            f"the description has {expected} inputs, but the weights take {found}. Correct it."
        )
    return Parts(
        layers,
        [variable.training_range() for variable in described.inputs],
        [variable.training_range() for variable in described.outputs or ()],
    )


def _ocsmart_parts(described: FileDescription, path: Path) -> Parts:
    stored = stored_weights(path)
    given = [v for v in (*described.inputs, *(described.outputs or ())) if v.range or v.norm]
    if given:
        raise NetworkError(
            f"{given[0].quantity} has range or norm, but {path.name} has the ranges "
            "already (Norm_in and Norm_out). Remove range and norm."
        )
    return stored.parts(described, described.activations or [])


def _layers(
    described: FileDescription, matrix: Callable[[str], Array], vector: Callable[[str], Array]
) -> tuple[Layer, ...]:
    """Return the layers; the functions return the matrix or vector with a name."""
    layers: list[Layer] = []
    width, transposed = len(described.inputs), described.kernel_layout == "units_inputs"
    for layer in described.layers or ():
        table = matrix(layer.kernel)
        units = table.shape[0 if transposed else 1]
        bias = np.zeros(units) if layer.bias is None else vector(layer.bias)
        expected = (bias.size, width) if transposed else (width, bias.size)
        if table.shape != expected:
            raise NetworkError(_misfit(layer, table.shape, expected, described.kernel_layout))
        kernel = np.ascontiguousarray(table.T) if transposed else table
        layers.append(Layer(kernel, bias, layer.activation))
        width = bias.size
    return tuple(layers)


def _misfit(
    layer: DescribedLayer, found: tuple[int, ...], expected: tuple[int, ...], layout: str
) -> str:
    inputs, units = expected if layout == "inputs_units" else expected[::-1]
    of_bias = f", {layer.bias} has {units} numbers" if layer.bias is not None else ""
    hint = ""
    if found == expected[::-1]:
        other = "units_inputs" if layout == "inputs_units" else "inputs_units"
        hint = f" The table is transposed: set kernel_layout: {other}."
    return (
        f"{layer.kernel} has {found[0]} rows and {found[1]} columns, expected {expected[0]} and "
        f"{expected[1]}: the layer takes {inputs} inputs{of_bias}, and kernel_layout is {layout}."
        f"{hint}"
    )
