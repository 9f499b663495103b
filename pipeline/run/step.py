"""A step of a run: a network or an algorithm, bound to the layers of a scene."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.combined import Chosen, Combination
from pipeline.networks import Retrieval
from pipeline.networks.after import Gains
from pipeline.scene.quality import FlagTable, class_map


@dataclass(frozen=True)
class InputSource:
    """Where a step takes an input from: a band of the scene or an output of an earlier step."""

    column: int
    """Position in ``Plan.layer_names``."""
    name: str
    """``Rrs_443``, or ``rrs: Rrs_443`` for an output of the step called rrs."""


@dataclass(frozen=True, eq=False)
class RetrievalStep:
    """A network or an algorithm of a run, bound to a scene."""

    name: str
    path: Path
    """File of the network or algorithm; the path is never written into a product."""
    retrieval: Retrieval
    engine: str
    sources: tuple[InputSource, ...]
    """For each input, the source that it is taken from."""
    first_output: int
    """Position of the first output in ``Plan.layer_names``."""
    upstream: tuple[str, ...]
    """Names of the flag variables of all steps that feed this step, the nearest step first."""
    named: tuple[str, ...]
    """Names of the step's variables, whether they are written or not."""
    variables: tuple[str, ...]
    """Names of the product variables; empty if the values are not written."""
    flags: FlagTable
    keeps_flags: bool = False
    """Whether the flags are in the row too, after the outputs."""
    gains: Gains | None = None
    """Gains on the outputs."""
    input_gains: Gains | None = None
    """Gains on the inputs."""
    uncertainties: tuple[str, ...] = ()
    """Names of the variables with the outputs' uncertainties; empty if none are known."""
    centres: tuple[str, ...] = ()
    """Names of the variables with the centres of the intervals. Empty if the values are the
    centres."""

    @property
    def flags_name(self) -> str:
        """Name of the product variable with the flags of this step."""
        return f"{self.name}_flags"

    @property
    def written(self) -> tuple[str, ...]:
        """Names of the product variables with values, uncertainties and centres."""
        return (*self.variables, *self.uncertainties, *self.centres)

    @property
    def columns(self) -> list[int]:
        """Position of each input in ``Plan.layer_names``."""
        return [source.column for source in self.sources]

    @property
    def output_columns(self) -> slice:
        """Positions of the outputs in ``Plan.layer_names``."""
        return slice(self.first_output, self.first_output + len(self.retrieval.outputs))

    @property
    def flags_column(self) -> int | None:
        """Position of the flags in ``Plan.layer_names``; None if the row has no flags."""
        return self.output_columns.stop if self.keeps_flags else None

    @property
    def end(self) -> int:
        """Position in ``Plan.layer_names`` after everything that this step writes."""
        return self.first_output + len(self.retrieval.outputs) + self.keeps_flags

    @property
    def is_combined(self) -> bool:
        """Whether the step combines outputs of networks and algorithms."""
        return isinstance(self.retrieval, Combination)

    @property
    def category(self) -> tuple[str, FlagTable] | None:
        """Name and values of the variable whose values are categories, or None.

        The variable is the class map of a classifier, or says which candidate was taken.
        """
        if not self.variables:
            return None
        if self.retrieval.classes:
            return self.variables[0], class_map(self.retrieval.classes)
        if isinstance(self.retrieval, Chosen):
            return self.variables[1], class_map(self.retrieval.candidates)
        return None

    @property
    def numbers(self) -> tuple[str, ...]:
        """Names of the product variables that are numbers."""
        category = self.category
        return tuple(name for name in self.variables if category is None or name != category[0])


def take_columns(rows: npt.NDArray[np.float32], columns: Sequence[int]) -> npt.NDArray[np.float32]:
    """Return some columns of rows (n, layers), keeping each column contiguous in memory."""
    first, layers = columns[0], rows.T
    if list(columns) == list(range(first, first + len(columns))):
        return layers[first : first + len(columns)].T
    return layers[columns].T
