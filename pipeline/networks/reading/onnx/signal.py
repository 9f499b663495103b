"""Describes a tensor of the graph as a function of the inputs: linear steps and functions.

A chain of layers is described by a list of stages. The first stage consists of the inputs of the
graph. The values of each later stage are functions (an activation, a logarithm ...) of columns, and
each column is a linear function of the values of the stage before. A tensor has the shape
(pixels, columns) and is a linear function of the values of one stage.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.errors import NetworkError
from pipeline.files.limits import NETWORK_NUMBERS
from pipeline.networks.variable import Array

LINEAR = "linear"
# A network for single pixels never has so many columns.
MOST_WIDTH = 8192
# This function uses all columns of its stage together.
SOFTMAX = "softmax"


class Made:
    """Counts the numbers of all kernels and constants that are made of one file."""

    def __init__(self) -> None:
        self._count = 0

    def check(self, inputs: int, units: int) -> None:
        """Refuse a kernel before it is made: a few stored numbers can describe a very large one."""
        if not 1 <= units <= MOST_WIDTH:
            raise NetworkError(f"has {units:,} columns, expected 1 to {MOST_WIDTH:,}.")
        self.count(inputs * units)

    def count(self, numbers: int) -> None:
        """Refuse numbers before they are made."""
        self._count += numbers
        what = "the model, with linear operators merged,"
        NETWORK_NUMBERS.check(self._count, what, NetworkError)


@dataclass(frozen=True, eq=False)
class Stage:
    """Values ``functions(previous @ kernel + bias)``; the first stage has nothing before it."""

    previous: "Stage | None"
    kernel: Array | None
    """Weights (values of the stage before, values of this stage); None for the identity."""
    bias: Array
    functions: tuple[str, ...]
    """The function of each value: an activation, or another name of ``network.py``."""
    depth: int = 0

    @property
    def width(self) -> int:
        """The number of values."""
        return self.bias.size

    def back_to(self, other: "Stage | None") -> list["Stage"]:
        """Return the stages after ``other`` up to this one."""
        found: list[Stage] = []
        each: Stage | None = self
        while each is not None and each is not other:
            found.append(each)
            each = each.previous
        return found[::-1]


@dataclass(frozen=True, eq=False)
class Signal:
    """A tensor: ``values of the stage @ kernel + bias`` for each pixel."""

    stage: Stage
    kernel: Array | None
    """Weights (values of the stage, columns); None for the identity."""
    bias: Array
    made: Made
    rank: int = 2
    """2 for a tensor (pixels, columns), 1 for a tensor (pixels,)."""

    @property
    def width(self) -> int:
        """The number of columns."""
        return self.bias.size

    def matrix(self) -> Array:
        """Return the kernel as an array, even if it is the identity."""
        if self.kernel is not None:
            return self.kernel
        self.made.check(self.width, self.width)
        return np.eye(self.width)

    def with_rank(self, rank: int) -> "Signal":
        """Return the same values as (pixels, columns) or, if there is one column, as (pixels,)."""
        return Signal(self.stage, self.kernel, self.bias, self.made, rank)

    def times(self, factor: Array) -> "Signal":
        """Multiply each column by a number (columns,)."""
        self.made.check(self.stage.width, self.width)
        return Signal(self.stage, self.matrix() * factor, self.bias * factor, self.made, self.rank)

    def plus(self, shift: Array) -> "Signal":
        """Add a number (columns,) to each column."""
        return Signal(self.stage, self.kernel, self.bias + shift, self.made, self.rank)

    def through(self, kernel: Array) -> "Signal":
        """Multiply by a kernel (columns, units)."""
        if kernel.ndim != 2 or kernel.shape[0] != self.width:
            raise NetworkError(
                f"weights have shape {kernel.shape}, expected ({self.width}, units)."
            )
        self.made.check(self.stage.width, kernel.shape[1])
        product = kernel if self.kernel is None else self.kernel @ kernel
        return Signal(self.stage, product, self.bias @ kernel, self.made)

    def columns(self, places: Sequence[int]) -> "Signal":
        """Select columns."""
        self.made.check(self.stage.width, len(places))
        chosen = list(places)
        return Signal(self.stage, self.matrix()[:, chosen], self.bias[chosen], self.made)

    def function(self, name: str) -> "Signal":
        """Apply a function to every column."""
        functions = (name,) * self.width
        stage = Stage(self.stage, self.kernel, self.bias, functions, self.stage.depth + 1)
        return Signal(stage, None, np.zeros(self.width), self.made, self.rank)


def first_signals(widths: Sequence[int], made: Made) -> list[Signal]:
    """Return the signals of the inputs; each input has separate columns in the first stage."""
    total = sum(widths)
    made.check(1, total)
    stage = Stage(None, None, np.zeros(total), (LINEAR,) * total)
    if len(widths) == 1:
        return [Signal(stage, None, np.zeros(total), made)]
    made.check(total, total)
    kernels = np.split(np.eye(total), list(np.cumsum(widths))[:-1], axis=1)
    return [Signal(stage, kernel, np.zeros(kernel.shape[1]), made) for kernel in kernels]


def joined(signals: Sequence[Signal]) -> Signal:
    """Return one signal with the columns of several signals.

    If the signals have different stages, these stages are joined, beginning after the last stage
    that the signals share. A signal with fewer stages passes through the others unchanged.

    Raises:
        NetworkError: a softmax is joined with something else.
    """
    made = signals[0].made
    made.check(1, sum(signal.width for signal in signals))
    deepest = max(signal.stage.depth for signal in signals)
    padded = [_at_depth(signal, deepest) for signal in signals]
    stage = shared = _last_shared(padded)
    paths = [signal.stage.back_to(shared) for signal in padded]
    places = {shared: slice(0, shared.width)}
    for stages in zip(*paths, strict=True):
        stage, places = _side_by_side(stage, places, list(dict.fromkeys(stages)), made)
    blocks = [_in_rows(stage.width, places[signal.stage], signal) for signal in padded]
    bias = np.concatenate([signal.bias for signal in padded])
    return Signal(stage, np.concatenate(blocks, axis=1), bias, made)


def _at_depth(signal: Signal, depth: int) -> Signal:
    while signal.stage.depth < depth:
        signal = signal.function(LINEAR)
    return signal


def _last_shared(signals: Sequence[Signal]) -> Stage:
    stages = {signal.stage for signal in signals}
    while len(stages) > 1:  # all of one depth, and all begin with the inputs
        stages = {stage.previous for stage in stages if stage.previous is not None}
    return stages.pop()


def _side_by_side(
    before: Stage, places: dict[Stage, slice], entries: list[Stage], made: Made
) -> tuple[Stage, dict[Stage, slice]]:
    """Return one stage with the values of all entries, and the position of each entry."""
    width = sum(entry.width for entry in entries)
    made.check(before.width, width)
    kernel, bias = np.zeros((before.width, width)), np.zeros(width)
    functions: list[str] = []
    found: dict[Stage, slice] = {}
    for entry in entries:
        if SOFTMAX in entry.functions and len(entries) > 1:
            raise NetworkError("joins a softmax with other values, so the network is not a chain.")
        found[entry] = columns = slice(len(functions), len(functions) + entry.width)
        rows = next(rows for stage, rows in places.items() if stage is entry.previous)
        kernel[rows, columns] = np.eye(entry.width) if entry.kernel is None else entry.kernel
        bias[columns] = entry.bias
        functions += entry.functions
    return Stage(before, kernel, bias, tuple(functions), before.depth + 1), found


def _in_rows(height: int, rows: slice, signal: Signal) -> Array:
    signal.made.check(height, signal.width)
    block = np.zeros((height, signal.width))
    block[rows] = signal.matrix()
    return block
