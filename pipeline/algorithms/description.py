"""A published algorithm bound to bands: the same to a run as a neural network."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from pipeline.errors import NetworkError
from pipeline.networks import Variable

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


@dataclass(frozen=True, eq=False)
class Algorithm:
    """A published algorithm as data; always computed in float64, whatever the engine."""

    name: str
    title: str
    version: str
    """Of which publication or reprocessing it is."""
    inputs: tuple[Variable, ...]
    """A ``transform`` of log10 says that it must be positive."""
    outputs: tuple[Variable, ...]
    sensors: tuple[str, ...]
    citation: str
    path: Path
    """Of its coefficients."""
    sha256: str
    """Of the files of its coefficients, each hashed, in the order of their mention."""
    formula: Formula = field(repr=False)

    kind: ClassVar[str] = "published algorithm"
    licence: ClassVar[str] = "published formulas and coefficients"
    may_fail: ClassVar[bool] = True
    states_uncertainty: ClassVar[bool] = False
    classes: ClassVar[tuple[str, ...]] = ()
    class_quantity: ClassVar[str] = ""
    after: ClassVar[tuple[str, ...]] = ()

    @property
    def file_name(self) -> str:
        """Its name: it is found by it."""
        return self.name

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
        return hashlib.sha256(repr(what).encode()).hexdigest()

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

    def predict(self, x: npt.ArrayLike, engine: str = "numpy") -> Array:  # noqa: ARG002
        """Outputs in physical units with shape (n, outputs), float64.

        Args:
            x: inputs in physical units with shape (n, inputs), in the order of ``self.inputs``.
            engine: a network has a choice, an algorithm has none.

        Raises:
            NetworkError: the shape of ``x`` does not fit.
        """
        rows = np.asarray(x)
        if rows.ndim != 2 or rows.shape[1] != len(self.inputs):
            names = ", ".join(variable.name for variable in self.inputs)
            raise NetworkError(
                f"{self.name}: x has shape {rows.shape}, expected (n, {len(self.inputs)}) with "
                f"the columns {names}."
            )
        return self.reference(rows)
