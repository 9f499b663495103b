"""One description of every network, whatever file it came from: frozen, float64, checked.

A network takes physical units and gives physical units. Between the two it applies to each input a
transform (log10, cosine of degrees ...), scales it linearly (onto [-1, 1], by mean and standard
deviation ...), runs dense layers, scales back and undoes the transform of each output.
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
    """With shape (inputs, units), as Keras has it."""
    bias: Array
    """With shape (units,)."""
    activation: str
    """``tanh``, ``leaky_relu(0.3)``: see :mod:`pipeline.networks.activations`."""


@dataclass(frozen=True)
class GoldenSpectra:
    """A few inputs with the outputs they must give, in physical units."""

    inputs: Array
    outputs: Array


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Network(Retrieval):
    """A network as data; ``predict`` runs it with an engine."""

    layers: tuple[Layer, ...]
    training: dict[str, Any] = field(default_factory=dict)
    """The record of its training, where the file has one."""
    golden: GoldenSpectra | None = None

    kind: ClassVar[str] = "neural network"

    def reference(self, x: npt.ArrayLike) -> Array:
        """The forward pass spelled out in float64; a negative input of log10, ln, sqrt gives NaN.

        Args:
            x: inputs in physical units with shape (n, inputs).

        Returns:
            Outputs in physical units with shape (n, outputs).
        """
        with np.errstate(all="ignore"):
            signal = scaled(self.inputs, np.asarray(x, dtype=np.float64))
            for layer in self.layers:
                signal = activation_function(layer.activation)(signal @ layer.kernel + layer.bias)
            return unscaled(self.outputs, signal)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all that decides its numbers: variables, ranges, layers.

        The sha256 of the file is not enough: what OC-SMART's files leave unsaid comes from tables.
        """
        digest = hashlib.sha256(repr((self.inputs, self.outputs, self.after)).encode())
        for layer in self.layers:
            digest.update(repr((layer.activation, layer.kernel.shape)).encode())
            digest.update(np.ascontiguousarray(layer.kernel).tobytes())
            digest.update(np.ascontiguousarray(layer.bias).tobytes())
        return digest.hexdigest()

    @property
    def shape_text(self) -> str:
        """``7-100-75-50-25-7``."""
        sizes = [len(self.inputs), *(layer.bias.size for layer in self.layers)]
        return "-".join(str(size) for size in sizes)

    @property
    def record(self) -> Mapping[str, str]:
        """What a product says of how the numbers are computed."""
        activations = ",".join(layer.activation for layer in self.layers)
        return {"layers": self.shape_text, "activations": activations}


def class_outputs(classes: Sequence[str]) -> tuple[Variable, ...]:
    """The outputs of a network that classifies: one probability for each class."""
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
