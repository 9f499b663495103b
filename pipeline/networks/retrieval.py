"""What turns numbers into numbers in a run: a network, an ensemble of networks or an algorithm."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from pipeline.errors import NetworkError
from pipeline.machine.screen import Shown
from pipeline.networks.variable import Array, Variable, in_short


class Engine(Protocol):
    """Evaluates one retrieval; safe to call from several threads."""

    name: str

    def predict(self, x: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Outputs (n, outputs) of inputs (n, inputs), both in physical units."""
        ...


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Retrieval(Shown):
    """Everything that plans, blocks and products need to know of a network or an algorithm.

    It takes physical units and gives physical units; angles are in degrees.
    """

    name: str
    title: str
    inputs: tuple[Variable, ...]
    """The columns that it takes, in order."""
    outputs: tuple[Variable, ...]
    """The columns that it gives, in order."""
    sensors: tuple[str, ...]
    """Names of the sensors that it was made for."""
    citation: str
    licence: str
    file_name: str
    """Name of the file that it was read from, for messages and products."""
    sha256: str
    """SHA-256 of that file."""
    classes: tuple[str, ...] = ()
    """For a classifier, the classes whose probabilities the outputs are, in order."""
    class_quantity: str = ""
    """For a classifier, what is classified: ``water_type``."""
    after: tuple[str, ...] = ()
    """What may follow it, out of :data:`pipeline.networks.after.AFTER`."""

    kind: ClassVar[str]
    """``neural network``, ``network ensemble`` or ``published algorithm``."""
    may_fail: ClassVar[bool] = False
    """Whether complete and allowed inputs can have no answer: the outputs are then NaN."""

    @property
    def states_uncertainty(self) -> bool:
        """Whether it also gives a standard deviation of its outputs."""
        return False

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """SHA-256 of everything that decides its numbers."""

    @property
    @abstractmethod
    def shape_text(self) -> str:
        """Its size in a few characters: ``7-100-75-50-25-7``."""

    @property
    @abstractmethod
    def record(self) -> Mapping[str, str]:
        """What a product records about how its numbers are computed."""

    def _heading(self) -> str:
        """Name and size."""
        return f"{self.name}: {self.kind} {self.shape_text}"

    def _rows(self) -> Iterator[tuple[str, str]]:
        """What a user wants to see of it first."""
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
        """Outputs (n, outputs) of inputs (n, inputs) in float64, by which engines are judged."""

    def predict(self, x: npt.ArrayLike, engine: str = "auto") -> npt.NDArray[Any]:
        """Outputs in physical units.

        Args:
            x: inputs in physical units with shape (n, inputs), in the order of ``self.inputs``;
                angles in degrees.
            engine: ``auto`` (``tensorflow`` where a GPU is visible, else ``onnxruntime``),
                ``onnxruntime`` (float32, CPU), ``tensorflow`` (float32, CPU or GPU) or ``numpy``
                (float64, the reference). An algorithm always computes in float64.

        Returns:
            Array with shape (n, outputs).

        Raises:
            NetworkError: the shape of ``x`` does not fit, or the engine computes wrong numbers.
            ConfigError: there is no engine of that name.
        """
        rows = np.asarray(x)
        if rows.ndim != 2 or rows.shape[1] != len(self.inputs):
            names = ", ".join(variable.name for variable in self.inputs)
            raise NetworkError(
                f"{self.name}: x has shape {rows.shape}, expected (n, {len(self.inputs)}) with "
                f"the columns {names}."
            )
        return _engine_makers[0](self, engine).predict(rows)


# Engines know retrievals; a retrieval knows only that somebody makes its engine. The room of the
# engines registers itself when the package is imported.
_engine_makers: list[Callable[[Retrieval, str], Engine]] = []


def use_engines(make: Callable[[Retrieval, str], Engine]) -> None:
    """Set the function that makes the engine of a retrieval from the name of the engine."""
    _engine_makers[:] = [make]
