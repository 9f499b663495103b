"""The common base of networks, ensembles and published algorithms, and the protocol of engines."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from pipeline.errors import NetworkError
from pipeline.machine.screen import Shown
from pipeline.networks.labelled import is_labelled, predict_labelled
from pipeline.networks.variable import Array, Variable, in_short


class Engine(Protocol):
    """Computes the outputs of one retrieval; several threads may use an engine at the same time."""

    name: str

    def predict(self, x: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return outputs (n, outputs) of inputs (n, inputs), both in physical units."""
        ...


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Retrieval(Shown):
    """A network, ensemble or algorithm, with the properties that the other modules use.

    Inputs and outputs are in physical units, angles in degrees.
    """

    name: str
    title: str
    inputs: tuple[Variable, ...]
    """The input columns in order."""
    outputs: tuple[Variable, ...]
    """The output columns in order."""
    sensors: tuple[str, ...]
    """Names of the sensors for which the retrieval was made."""
    citation: str
    licence: str
    file_name: str
    """Name of the file from which the retrieval was read, for messages and products."""
    sha256: str
    """SHA-256 of the file from which the retrieval was read."""
    classes: tuple[str, ...] = ()
    """For a classifier, the classes whose probabilities are the outputs, in order."""
    class_quantity: str = ""
    """For a classifier, the name of the class map, such as ``water_type``."""
    limits_nm: tuple[float, ...] = ()
    """For each input, the largest distance (nm) between its wavelength and the band that is used
    for it; empty if only the configuration limits the distance."""
    other_bands: str = ""
    """A sentence about the outputs if a band is farther away; may be empty."""
    after: tuple[str, ...] = ()
    """Steps that may follow the retrieval; :data:`pipeline.networks.after.AFTER` has all names."""

    kind: ClassVar[str]
    """Kind of retrieval: ``neural network``, ``network ensemble`` or ``published algorithm``."""
    may_fail: ClassVar[bool] = False
    """True if some valid inputs may have no solution; their outputs are then NaN."""

    @property
    def states_uncertainty(self) -> bool:
        """True if the retrieval also gives standard deviations of its outputs."""
        return False

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """SHA-256 of everything that the retrieval's outputs depend on."""

    @property
    @abstractmethod
    def shape_text(self) -> str:
        """The size in a few characters, such as ``7-100-75-50-25-7``."""

    @property
    @abstractmethod
    def record(self) -> Mapping[str, str]:
        """The facts about the computation that a product records."""

    def _heading(self) -> str:
        """Return name, kind and size."""
        return f"{self.name}: {self.kind} {self.shape_text}"

    def _rows(self) -> Iterator[tuple[str, str]]:
        """Yield (label, text) for each row at the start of the retrieval's printed description."""
        yield "title", self.title if self.title != self.name else ""
        yield "inputs", in_short(self.inputs)
        yield (
            "outputs",
            f"classes {', '.join(self.classes)}" if self.classes else in_short(self.outputs),
        )
        yield "activations", self.record.get("activations", "")
        yield "sensors", ", ".join(self.sensors)
        yield "citation", self.citation
        yield "licence", self.licence
        yield "file", f"{self.file_name}, sha256 {self.sha256[:12]}..." if self.sha256 else ""

    @abstractmethod
    def reference(self, x: npt.ArrayLike) -> Array:
        """Compute reference outputs (n, outputs) from inputs (n, inputs), in float64."""

    def predict(self, x: Any, engine: str = "auto") -> Any:
        """Return the outputs in physical units.

        Args:
            x: inputs in physical units with shape (n, inputs), in the order of ``self.inputs``;
                angles in degrees. Or a DataArray of any shape with a dimension ``wavelength`` (nm),
                from which the bands of the inputs are taken.
            engine: ``auto`` (``tensorflow`` if a GPU is visible, otherwise ``onnxruntime``),
                ``onnxruntime`` (float32, CPU), ``tensorflow`` (float32, CPU or GPU) or ``numpy``
                (float64, the reference). An algorithm always computes in float64.

        Returns:
            Array with shape (n, outputs); for a DataArray, a DataArray with the outputs along its
            dimension of wavelengths, or along a dimension ``output``.

        Raises:
            NetworkError: the shape of ``x`` does not fit, or the engine computes wrong numbers.
            ConfigError: no engine has this name.
        """
        if is_labelled(x):
            return predict_labelled(self, x, _engine_makers[0](self, engine).predict)
        rows = np.asarray(x)
        if rows.ndim != 2 or rows.shape[1] != len(self.inputs):
            names = ", ".join(variable.name for variable in self.inputs)
            raise NetworkError(
                f"{self.name}: x has shape {rows.shape}, expected (n, {len(self.inputs)}) with "
                f"the columns {names}. Give one row for each pixel."
            )
        return _engine_makers[0](self, engine).predict(rows)


# Engines import retrievals, so a retrieval cannot import the engines. pipeline.networks.engines
# registers its function here when the package is imported.
_engine_makers: list[Callable[[Retrieval, str], Engine]] = []


def use_engines(make: Callable[[Retrieval, str], Engine]) -> None:
    """Set the function that makes engines; it is called with a retrieval and the engine's name."""
    _engine_makers[:] = [make]
