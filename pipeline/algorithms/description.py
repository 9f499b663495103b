"""A published algorithm bound to bands; a run uses it like a neural network."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from pipeline.files.contents import sha256_of_text
from pipeline.networks.retrieval import Retrieval
from pipeline.networks.variable import Variable

Array = npt.NDArray[np.float64]


class Formula(Protocol):
    """Computes outputs from inputs.

    Every formula is a frozen dataclass, and its fields are the coefficients.
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def __call__(self, x: Array) -> Array:
        """Return outputs with shape (n, outputs) for inputs with shape (n, inputs).

        Inputs and outputs are in physical units, in float64. Where the formula has no valid result,
        the output is NaN, infinite, zero or negative.
        """
        ...


@dataclass(frozen=True)
class BoundFormula:
    """A formula with its inputs and outputs."""

    formula: Formula
    inputs: tuple[Variable, ...]
    outputs: tuple[Variable, ...]
    sensors: tuple[str, ...]
    """Names of the sensors for which the formula can be used."""
    note: str = ""
    """Words that are added to the title."""
    limits_nm: tuple[float, ...] = ()
    """See :attr:`pipeline.networks.Retrieval.limits_nm`."""
    other_bands: str = ""
    """See :attr:`pipeline.networks.Retrieval.other_bands`."""


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Algorithm(Retrieval):
    """A published algorithm; it is computed in float64 with every engine.

    Inputs whose transform is log10 must be positive. ``file_name`` is the name of the algorithm,
    and ``sha256`` covers all files that contain coefficients of the algorithm.
    """

    version: str
    """The publication or reprocessing that the algorithm follows."""
    path: Path
    """The file with its coefficients."""
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
        """All coefficients of the formula, as plain data."""
        return dataclasses.asdict(self.formula)

    @property
    def record(self) -> Mapping[str, str]:
        """Texts that a product contains; they say how the outputs are computed."""
        return {
            "layers": self.shape_text,
            "version": self.version,
            "parameters": json.dumps(self.parameters, sort_keys=True),
        }

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the formula's name, bands and coefficients; comments in files are ignored."""
        what = (type(self.formula).__name__, self.inputs, self.outputs, self.record["parameters"])
        return sha256_of_text(repr(what))

    def reference(self, x: npt.ArrayLike) -> Array:
        """Return outputs in physical units, in float64, with shape (n, outputs).

        An output that is not valid is NaN.

        Args:
            x: inputs in physical units, with shape (n, inputs).
        """
        rows = np.asarray(x, dtype=np.float64)
        positive = [variable.transform.needs_positive for variable in self.inputs]
        with np.errstate(all="ignore"):
            found = self.formula(rows)
            allowed = np.isfinite(rows) & ((rows > 0) | ~np.array(positive))
            is_answer = np.isfinite(found) & (found > 0) & allowed.all(axis=1, keepdims=True)
            return np.where(is_answer, found, np.nan)
