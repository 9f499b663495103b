"""One description of every network, whatever file it came from: frozen, float64, checked.

A network takes physical units and gives physical units. Between the two it applies to each input a
transform (log10, cosine of degrees ...), scales it linearly onto [-1, 1], runs dense layers, scales
back and undoes the transform of each output.
"""

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import NetworkError
from pipeline.networks.activations import ACTIVATIONS
from pipeline.networks.transforms import TRANSFORMS, Transform
from pipeline.quantities import band_name

if TYPE_CHECKING:
    from collections.abc import Sequence

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Variable:
    """One input or output of a network."""

    quantity: str
    wavelength_nm: float | None
    units: str
    transform_name: str
    minimum: float
    """Lower end of the training range, of the transformed quantity."""
    maximum: float
    long_name: str = ""
    standard_name: str | None = None

    @property
    def name(self) -> str:
        """``Rrs_443``, ``aph_443``, ``solar_zenith``."""
        return band_name(self.quantity, self.wavelength_nm)

    @property
    def transform(self) -> Transform:
        """The function between the physical and the scaled quantity."""
        return TRANSFORMS[self.transform_name]

    @property
    def physical_range(self) -> tuple[float, float]:
        """The training range in physical units, low to high."""
        ends = (
            float(self.transform.inverse(np.float64(self.minimum))),
            float(self.transform.inverse(np.float64(self.maximum))),
        )
        return min(ends), max(ends)


@dataclass(frozen=True)
class Layer:
    """A dense layer: ``activation(x @ kernel + bias)``."""

    kernel: Array
    """With shape (inputs, units), as Keras has it."""
    bias: Array
    """With shape (units,)."""
    activation: str


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
        digest = hashlib.sha256(repr((self.inputs, self.outputs)).encode())
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


def check_network(network: Network) -> Network:
    """The network itself, if its parts fit together.

    Raises:
        NetworkError: with the first thing that does not.
    """
    _check_layers(network)
    _check_ranges(network)
    _check_names(network)
    return network


def _check_layers(network: Network) -> None:
    width = len(network.inputs)
    for number, layer in enumerate(network.layers, start=1):
        where = f"{network.file_name}: Layer{number}"
        if layer.activation not in ACTIVATIONS:
            raise NetworkError(
                f"{where}: unknown activation {layer.activation!r}; known are "
                f"{', '.join(ACTIVATIONS)}."
            )
        if layer.bias.ndim != 1 or layer.kernel.shape != (width, layer.bias.size):
            raise NetworkError(
                f"{where}: kernel has shape {layer.kernel.shape} and bias {layer.bias.shape}, "
                f"expected ({width}, units) and (units,)."
            )
        for name, array in (("Weights", layer.kernel), ("Bias", layer.bias)):
            if not np.isfinite(array).all():
                raise NetworkError(
                    f"{network.file_name}: {name}/Layer{number} holds values that are not finite. "
                    "The file is damaged; fetch it again."
                )
        width = layer.bias.size
    if width != len(network.outputs):
        raise NetworkError(
            f"{network.file_name}: the last layer has {width} units, but {len(network.outputs)} "
            "outputs are described."
        )


def _check_names(network: Network) -> None:
    for what, variables in (("inputs", network.inputs), ("outputs", network.outputs)):
        names = [variable.name for variable in variables]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise NetworkError(
                f"{network.file_name}: two {what} are called {', '.join(twice)}. Describe them by "
                "different quantities or wavelengths."
            )


def _check_ranges(network: Network) -> None:
    for dataset, variables in (("Norm_in", network.inputs), ("Norm_out", network.outputs)):
        for row, variable in enumerate(variables):
            limits = (variable.minimum, variable.maximum)
            if not (np.isfinite(limits).all() and variable.minimum < variable.maximum):
                raise NetworkError(
                    f"{network.file_name}: {dataset} row {row} ({variable.name}) is "
                    f"[{variable.minimum:g}, {variable.maximum:g}], expected minimum < maximum."
                )
