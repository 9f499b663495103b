"""An operator with the tensors that it takes, and the kinds of tensors."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from pipeline.errors import NetworkError
from pipeline.networks.reading.onnx.model import Node, Numbers
from pipeline.networks.reading.onnx.signal import Made, Signal
from pipeline.networks.variable import Array


@dataclass(frozen=True)
class Label:
    """The class of each pixel, found from its probabilities."""

    of: Signal


@dataclass(frozen=True)
class Above:
    """Whether each value of a signal is above a number."""

    signal: Signal
    threshold: float


Value = Signal | Numbers | list[str] | Label | Above


@dataclass
class Followed:
    """Facts that were found while the operators were read, in addition to the tensors."""

    class_names: list[str] = field(default_factory=list)
    """The names of the classes, in the order of their probabilities; empty if none are stored."""
    made: Made = field(default_factory=Made)
    batch: int | None = None
    """The number of pixels that the graph was exported for, if it states one."""


@dataclass(frozen=True)
class Call:
    """An operator with the values of its inputs."""

    node: Node
    values: list[Value | None]
    """The values of the inputs; None for an optional input that is left out."""
    found: Followed
    is_last: bool = False
    """True if its first output is an output of the graph."""

    def value(self, place: int = 0) -> Value:
        """Return an input of any kind."""
        value = self.values[place] if place < len(self.values) else None
        if value is None:
            raise NetworkError(f"input {place + 1} is missing.")
        return value

    def signal(self, place: int = 0) -> Signal:
        """Return an input that depends on the pixel."""
        value = self.values[place] if place < len(self.values) else None
        if not isinstance(value, Signal):
            raise NetworkError(f"input {place + 1} is a constant, expected values of a pixel.")
        return value

    def optional(self, place: int) -> Numbers | None:
        """Return an input that is a constant; None if the input is left out."""
        value = self.values[place] if place < len(self.values) else None
        if value is not None and not isinstance(value, np.ndarray):
            raise NetworkError(
                f"input {place + 1} depends on the pixel, expected a constant. The network is not "
                "a chain of layers."
            )
        return value

    def constant(self, place: int) -> Numbers:
        """Return an input that must be a constant and must exist."""
        value = self.optional(place)
        if value is None:
            raise NetworkError(f"input {place + 1} is missing.")
        return value

    def single(self, place: int, default: float | None = None) -> float:
        """Return a constant that is one number."""
        value = self.optional(place)
        if value is None and default is not None:
            return default
        if value is None or value.size != 1:
            raise NetworkError(f"input {place + 1} is not one number.")
        return float(value.item())

    def whole_numbers(self, name: str, place: int) -> list[int] | None:
        """Return whole numbers: an attribute in older versions, an input in later ones."""
        value = self.optional(place)
        if value is None:
            return self.node.integers(name)
        return as_whole(value)


Operator = Callable[[Call], Value | tuple[Value, ...]]


def as_row(constant: Numbers, signal: Signal) -> tuple[Signal, Array]:
    """Return the signal and a constant as one number for each column, as they are broadcast."""
    shape = constant.shape
    if (
        len(shape) > signal.rank
        or (len(shape) == 2 and shape[0] != 1)
        or (signal.rank == 1 and constant.size > 1)
    ):
        raise NetworkError(f"a constant has shape {shape}, expected one number for each column.")
    row = np.asarray(constant, np.float64).reshape(-1)
    if row.size not in (1, signal.width) and signal.width != 1:
        raise NetworkError(f"a constant has {row.size} numbers, expected {signal.width}.")
    if signal.width == 1 and row.size > 1:
        return signal.columns([0] * row.size), row
    return signal, np.broadcast_to(row, (signal.width,)).copy()


def as_matrix(signal: Signal) -> Signal:
    """Return a signal that must be (pixels, columns)."""
    if signal.rank != 2:
        raise NetworkError("takes a tensor (pixels,), expected (pixels, columns).")
    return signal


def as_float64(constant: Numbers) -> Array:
    """Return a constant as float64."""
    return np.asarray(constant, np.float64)


def as_whole(constant: Numbers) -> list[int]:
    """Return a constant as whole numbers."""
    if constant.dtype.kind != "i":
        raise NetworkError("has decimal numbers, expected whole numbers.")
    return [int(number) for number in constant.reshape(-1)]


def check_columns(axis: int) -> None:
    """Refuse every axis except the last one; the arrays have the shape (pixels, columns)."""
    if axis not in (1, -1):
        raise NetworkError(f"works along axis {axis}, expected 1, the columns of a pixel.")
