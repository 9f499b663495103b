"""The names that a combined product may use: those of earlier steps and of the scene."""

from collections.abc import Iterator
from dataclasses import dataclass

import xarray as xr

from pipeline.combined import Combination
from pipeline.config.science import Science
from pipeline.networks import Variable
from pipeline.run.step import RetrievalStep
from pipeline.scene.quality import pixel_flags
from pipeline.scene.scene import Band


@dataclass(frozen=True)
class Output:
    """An output of an earlier step."""

    step: RetrievalStep
    column: int
    variable: Variable


@dataclass(frozen=True, eq=False)
class Known:
    """The scene and the earlier steps, whose names a combined product may use."""

    science: Science
    scene: xr.Dataset
    inputs: tuple[Band, ...]
    steps: tuple[RetrievalStep, ...]

    def outputs(self) -> dict[str, Output]:
        """Return the outputs of all steps by name; a network with one output gives its name too."""
        found: dict[str, Output] = {}
        for step in self.steps:
            if step.retrieval.classes:
                continue
            outputs = list(_outputs(step))
            found |= dict(zip(step.named, outputs, strict=False))
            if len(outputs) == 1:
                found.setdefault(step.name, outputs[0])
        return found

    def flags(self) -> dict[str, list[tuple[RetrievalStep | None, int]]]:
        """Return the bits that each name means: ``<network>_<flag>``, and flags of the pixel.

        Two pairs of network and flag may have the same name. Then the name means several bits.
        """
        found: dict[str, list[tuple[RetrievalStep | None, int]]] = {}
        pixel = pixel_flags(())
        for name, mask in zip(pixel.names, pixel.masks, strict=True):
            found.setdefault(name, []).append((None, mask))
        for step in self.steps:
            table = step.flags
            for flag, mask in zip(table.names, table.masks, strict=True):
                found.setdefault(f"{step.name}_{flag}", []).append((step, mask))
        return found

    def classifier(self, name: str) -> RetrievalStep | None:
        """Return the classifier with the name of its network or of its class map."""
        for step in self.steps:
            if step.retrieval.classes and name in (step.name, step.retrieval.class_quantity):
                return step
        return None


def _outputs(step: RetrievalStep) -> Iterator[Output]:
    count = len(step.retrieval.outputs)
    if isinstance(step.retrieval, Combination):
        count = step.retrieval.value_outputs
    for number, variable in enumerate(step.retrieval.outputs[:count]):
        yield Output(step, step.first_output + number, variable)
