"""The description of a network, which is the same for every file format.

A description is checked when it is made, and cannot be changed. Its numbers are float64.

Inputs and outputs are in physical units. A network transforms each input (log10, cosine of degrees
...). It scales the result linearly, e.g. to [-1, 1]. It runs dense layers. Then it scales the
outputs back and undoes their transforms.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from pipeline.networks.activations import activation_function
from pipeline.networks.retrieval import Retrieval
from pipeline.networks.variable import Array, Variable, scaled, unscaled


@dataclass(frozen=True)
class Layer:
    """A dense layer: ``activation(x @ kernel + bias)``."""

    kernel: Array
    """Weights with shape (inputs, units), as in Keras."""
    bias: Array
    """Offsets with shape (units,)."""
    activation: str
    """``tanh``, ``leaky_relu(0.3)`` or another of :mod:`pipeline.networks.activations`."""


@dataclass(frozen=True)
class GoldenSpectra:
    """A few inputs and the outputs that the network must compute from them, in physical units."""

    inputs: Array
    outputs: Array


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Network(Retrieval):
    """A neural network as data; the method ``predict`` runs it with an engine."""

    layers: tuple[Layer, ...]
    training: dict[str, Any] = field(default_factory=dict)
    """The record of the network's training, if the file has one."""
    golden: GoldenSpectra | None = None

    kind: ClassVar[str] = "neural network"

    def reference(self, x: npt.ArrayLike) -> Array:
        """Run the forward pass in float64, with inputs and outputs in physical units.

        A negative input of log10, ln or sqrt gives NaN.
        """
        with np.errstate(all="ignore"):
            signal = scaled(self.inputs, np.asarray(x, dtype=np.float64))
            for layer in self.layers:
                signal = activation_function(layer.activation)(signal @ layer.kernel + layer.bias)
            return unscaled(self.outputs, signal)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of variables, ranges and layers, which together determine the network's results.

        It is not the sha256 of the file, because a file may not describe the variables: OC-SMART's
        files do not.
        """
        digest = hashlib.sha256(repr((self.inputs, self.outputs, self.after)).encode())
        for layer in self.layers:
            digest.update(repr((layer.activation, layer.kernel.shape)).encode())
            digest.update(np.ascontiguousarray(layer.kernel).tobytes())
            digest.update(np.ascontiguousarray(layer.bias).tobytes())
        return digest.hexdigest()

    @property
    def shape_text(self) -> str:
        """The sizes of the layers, such as ``7-100-75-50-25-7``."""
        sizes = [len(self.inputs), *(layer.bias.size for layer in self.layers)]
        return "-".join(str(size) for size in sizes)

    @property
    def record(self) -> Mapping[str, str]:
        """The entries that a product records: sizes and activations of the layers."""
        activations = ",".join(layer.activation for layer in self.layers)
        return {"layers": self.shape_text, "activations": activations}


def class_outputs(classes: Sequence[str]) -> tuple[Variable, ...]:
    """Return the outputs of a classifier: one probability for each class."""
    return tuple(
        Variable(
            quantity=name,
            wavelength_nm=None,
            units="1",
            transform_name="none",
            minimum=-np.inf,
            maximum=np.inf,
            long_name=f"probability of class {name}",
            scaling_name="none",
        )
        for name in classes
    )
