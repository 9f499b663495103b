"""A step of a run: a network or an algorithm, bound to the layers of a scene."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

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
    variables: tuple[str, ...]
    """Names of the product variables; empty if the values are not written."""
    flags: FlagTable
    gains: Gains | None = None
    """Gains on the outputs."""
    input_gains: Gains | None = None
    """Gains on the inputs."""
    uncertainties: tuple[str, ...] = ()
    """Names of the variables that hold the outputs' uncertainties; empty if none are known."""
    centres: tuple[str, ...] = ()
    """Names of the variables that hold the centres of the intervals; empty if these are the
    values."""

    @property
    def flags_name(self) -> str:
        """Name of the product variable that holds the flags of this step."""
        return f"{self.name}_flags"

    @property
    def written(self) -> tuple[str, ...]:
        """Names of the product variables that hold values, uncertainties and centres."""
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
    def classes(self) -> FlagTable | None:
        """The classes of the class map, or None if the network is not a classifier."""
        return class_map(self.retrieval.classes) if self.retrieval.classes else None


def take_columns(rows: npt.NDArray[np.float32], columns: Sequence[int]) -> npt.NDArray[np.float32]:
    """Return some columns of rows (n, layers), keeping each column contiguous in memory."""
    first, layers = columns[0], rows.T
    if list(columns) == list(range(first, first + len(columns))):
        return layers[first : first + len(columns)].T
    return layers[columns].T
