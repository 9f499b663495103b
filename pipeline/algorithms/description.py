"""A published algorithm bound to bands: the same to a run as a neural network."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from pipeline.machine.files import sha256_of_text
from pipeline.networks.retrieval import Retrieval
from pipeline.networks.variable import Variable

Array = npt.NDArray[np.float64]


class Formula(Protocol):
    """Rows of inputs -> rows of outputs; a frozen dataclass whose fields are its numbers."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def __call__(self, x: Array) -> Array:
        """Outputs (n, outputs) of inputs (n, inputs), both in physical units, float64.

        What it cannot find is NaN, or what nothing of the kind can be: zero, negative, infinite.
        """
        ...


@dataclass(frozen=True)
class Bound:
    """A formula with the bands it takes and what it gives."""

    formula: Formula
    inputs: tuple[Variable, ...]
    outputs: tuple[Variable, ...]
    sensors: tuple[str, ...]
    """Names of the sensors that its numbers are for."""


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Algorithm(Retrieval):
    """A published algorithm as data; always computed in float64, whatever the engine.

    An input whose transform is log10 must be positive. ``file_name`` is its name, by which it is
    found, and ``sha256`` is of the files of its coefficients.
    """

    version: str
    """The publication or reprocessing that it follows."""
    path: Path
    """The file of its coefficients."""
    formula: Formula
    licence: str = "published formulas and coefficients"

    kind: ClassVar[str] = "published algorithm"
    may_fail: ClassVar[bool] = True

    @property
    def shape_text(self) -> str:
        """``5 bands, version 6 (2014)``."""
        return f"{len(self.inputs)} bands, version {self.version}"

    @property
    def parameters(self) -> dict[str, Any]:
        """Every number of the formula, as plain data."""
        return dataclasses.asdict(self.formula)

    @property
    def record(self) -> Mapping[str, str]:
        """What a product says of how the numbers are computed."""
        return {
            "layers": self.shape_text,
            "version": self.version,
            "parameters": json.dumps(self.parameters, sort_keys=True),
        }

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all that decides its numbers: bands and coefficients, not comments."""
        what = (type(self.formula).__name__, self.inputs, self.outputs, self.record["parameters"])
        return sha256_of_text(repr(what))

    def reference(self, x: npt.ArrayLike) -> Array:
        """Outputs (n, outputs) in physical units, float64; NaN where there is no answer.

        Args:
            x: inputs in physical units with shape (n, inputs).
        """
        rows = np.asarray(x, dtype=np.float64)
        positive = [variable.transform.needs_positive for variable in self.inputs]
        with np.errstate(all="ignore"):
            found = self.formula(rows)
            allowed = np.isfinite(rows) & ((rows > 0) | ~np.array(positive))
            is_answer = np.isfinite(found) & (found > 0) & allowed.all(axis=1, keepdims=True)
            return np.where(is_answer, found, np.nan)
