"""One description of every network, whatever file it came from: frozen, float64, checked.

A network takes physical units and gives physical units. Between the two it applies to each input a
transform (log10, cosine of degrees ...), scales it linearly (onto [-1, 1], by mean and standard
deviation ...), runs dense layers, scales back and undoes the transform of each output.
"""

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from pipeline.errors import NetworkError
from pipeline.facts.quantities import band_name
from pipeline.networks.scalings import SCALINGS, Scaling
from pipeline.networks.transforms import TRANSFORMS, Transform

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Variable:
    """One input or output of a network."""

    quantity: str
    wavelength_nm: float | None
    units: str
    transform_name: str
    minimum: float
    """Lower end of the training range, of the transformed quantity; -inf where none is known."""
    maximum: float
    """Upper end; inf where none is known."""
    long_name: str = ""
    standard_name: str | None = None
    scaling_name: str = "minmax"
    scaling_parameters: tuple[float, float] | None = None
    """Mean and standard deviation of the transformed quantity, for ``zscore``."""

    @property
    def name(self) -> str:
        """``Rrs_443``, ``aph_443``, ``solar_zenith``."""
        return band_name(self.quantity, self.wavelength_nm)

    @property
    def transform(self) -> Transform:
        """The function between the physical and the transformed quantity."""
        return TRANSFORMS[self.transform_name]

    @property
    def spans_decades(self) -> bool:
        """Whether its transform is a logarithm: then its uncertainty is one of log10."""
        return self.transform.ln_per_unit is not None

    @property
    def scaling(self) -> Scaling:
        """The function between the transformed quantity and what the network sees."""
        return SCALINGS[self.scaling_name]

    @property
    def mean_and_std(self) -> tuple[float, float]:
        """The parameters of ``zscore``; NaN, NaN where there are none."""
        return self.scaling_parameters or (float("nan"), float("nan"))

    @property
    def physical_range(self) -> tuple[float, float]:
        """The training range in physical units, low to high; an unknown end is infinite."""
        ends = self.minimum, self.maximum
        low, high = ends if self.transform.increasing else reversed(ends)
        return self._physical(low, -np.inf), self._physical(high, np.inf)

    def _physical(self, transformed: float, unknown: float) -> float:
        known = np.isfinite(transformed)
        return float(self.transform.inverse(np.float64(transformed))) if known else unknown


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


@dataclass(frozen=True, eq=False)
class Network:
    """A network as data; ``predict`` runs it with an engine."""

    name: str
    title: str
    inputs: tuple[Variable, ...]
    outputs: tuple[Variable, ...]
    layers: tuple[Layer, ...] = field(repr=False)
    sensors: tuple[str, ...]
    """Names of the sensors it was trained for."""
    citation: str
    licence: str
    file_name: str
    sha256: str
    training: dict[str, Any] = field(default_factory=dict)
    golden: GoldenSpectra | None = field(default=None, repr=False)
    classes: tuple[str, ...] = ()
    """Of a network that classifies, the classes whose probabilities the outputs are, in order."""
    class_quantity: str = ""
    """What is classified: ``water_type``."""
    after: tuple[str, ...] = ()
    """What may follow it, of :data:`pipeline.networks.after.AFTER`."""

    kind: ClassVar[str] = "neural network"
    may_fail: ClassVar[bool] = False
    states_uncertainty: ClassVar[bool] = False

    def reference(self, x: npt.ArrayLike) -> Array:
        """Outputs (n, outputs) of inputs (n, inputs), physical units, by the float64 reference."""
        from pipeline.networks.engines.numpy_engine import forward

        return forward(self, x)

    def predict(
        self, x: "npt.ArrayLike | Sequence[Sequence[float]]", engine: str = "auto"
    ) -> npt.NDArray[Any]:
        """Outputs in physical units.

        Args:
            x: inputs in physical units with shape (n, inputs), in the order of ``self.inputs``;
                angles in degrees.
            engine: ``auto``, ``numpy`` (float64, the reference) or ``tensorflow`` (float32).

        Returns:
            Array with shape (n, outputs).

        Raises:
            NetworkError: the shape of ``x`` does not fit.
        """
        from pipeline.networks.engines import get_engine

        rows = np.asarray(x)
        if rows.ndim != 2 or rows.shape[1] != len(self.inputs):
            names = ", ".join(variable.name for variable in self.inputs)
            raise NetworkError(
                f"{self.name}: x has shape {rows.shape}, expected (n, {len(self.inputs)}) with "
                f"the columns {names}."
            )
        return get_engine(self, engine).predict(rows)

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
    def record(self) -> "Mapping[str, str]":
        """What a product says of how the numbers are computed."""
        activations = ",".join(layer.activation for layer in self.layers)
        return {"layers": self.shape_text, "activations": activations}


def class_outputs(classes: "Sequence[str]") -> tuple[Variable, ...]:
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
