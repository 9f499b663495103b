"""The report of a processed scene, with shares of flags, statistics and times."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from pipeline.masks.undecided import UndecidedPixels
from pipeline.run.block import COMPUTED, INPUTS_OUTSIDE, UNDECIDED, WITH_DATA
from pipeline.run.plan import Plan
from pipeline.run.step import RetrievalStep
from pipeline.scene.quality import QUALITY_FLAGS
from pipeline.writers.tally import Tally


@dataclass
class Stopwatch:
    """Measures how many seconds each part of a run takes."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Context manager that measures how long one part of a run takes."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begun


@dataclass
class InputTally:
    """Counts of two kinds of pixels: an input is out of range, or a mask rule is undecided."""

    computed: dict[str, int] = field(default_factory=dict)
    """Name of a network -> number of pixels that it computed."""
    outside: dict[str, npt.NDArray[np.int64]] = field(default_factory=dict)
    """For each network and input, the number of computed pixels with this input out of range."""
    undecided: UndecidedPixels = field(default_factory=UndecidedPixels)
    """Pixels on which mask rules could not be decided."""

    def add(self, products: xr.Dataset, plan: Plan) -> None:
        """Add the counts that ``process_block`` stored with a block."""
        for step in plan.steps:
            counts = products[step.flags_name].attrs
            self._add(step.name, counts[COMPUTED], counts[INPUTS_OUTSIDE])
        judged = products[QUALITY_FLAGS].attrs
        self.undecided.add(judged[WITH_DATA], judged[UNDECIDED])

    def merge(self, other: "InputTally") -> None:
        """Add the counts of another tally."""
        for name, outside in other.outside.items():
            self._add(name, other.computed[name], outside)
        self.undecided.add(other.undecided.with_data, other.undecided.by_rule)

    def _add(self, name: str, computed: int, outside: npt.NDArray[np.int64]) -> None:
        self.computed[name] = self.computed.get(name, 0) + computed
        self.outside[name] = self.outside.get(name, np.zeros_like(outside)) + outside


@dataclass(frozen=True)
class SceneReport:
    """The result of processing one scene."""

    product: Path
    plan: Plan
    scene_sha256: str
    tally: Tally
    inputs: InputTally
    seconds: Mapping[str, float]

    @property
    def networks(self) -> dict[str, str]:
        """Fingerprint of each network, by the network's name in the configuration."""
        return {step.name: step.retrieval.fingerprint for step in self.plan.networks}

    def record(self) -> dict[str, Any]:
        """Return the report as plain data; shares are numbers between 0 and 1."""
        pixels, computed = self.tally.pixels, self.inputs.computed
        written = {name for step in self.plan.steps for name in step.variables}
        return {
            "scene": self.plan.scene_name,
            "sensor": self.plan.sensor,
            "product": self.product.name,
            "pixels": pixels,
            "valid_fraction": {name: count / pixels for name, count in computed.items()},
            "flags": self._flags(),
            "inputs_out_of_range": {step.name: self._outside(step) for step in self.plan.networks},
            "products": {n: self._statistics(n) for n in self.tally.moments if n in written},
            "seconds": {name: round(spent, 4) for name, spent in self.seconds.items()},
        }

    def _flags(self) -> dict[str, dict[str, float]]:
        """Return, for each flag bit, the share of all pixels on which it is set."""
        return {
            name: {
                flag: int(count) / self.tally.pixels
                for flag, count in zip(table.names, self.tally.flag_counts[name], strict=True)
            }
            for name, table in self.tally.flag_tables.items()
        }

    def _outside(self, step: RetrievalStep) -> dict[str, float]:
        """Return, for each input, the share of computed pixels where it is out of range."""
        computed = max(self.inputs.computed.get(step.name, 0), 1)
        counts = self.inputs.outside.get(step.name, np.zeros(len(step.sources)))
        names = (variable.name for variable in step.retrieval.inputs)
        return {name: float(n) / computed for name, n in zip(names, counts, strict=True)}

    def _statistics(self, name: str) -> dict[str, Any]:
        moments, ends = self.tally.moments[name], self.tally.range_of(name)
        if ends is None:
            return {"valid": 0}
        return {
            "valid": moments.count,
            "minimum": ends[0],
            "maximum": ends[1],
            "mean": moments.mean,
            "standard_deviation": moments.deviation,
        }
