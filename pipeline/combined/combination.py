"""The common base of products that are computed from outputs of networks and from bands."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from pipeline.errors import ConfigError
from pipeline.files.contents import sha256_of_text
from pipeline.networks import Retrieval
from pipeline.networks.transforms import LN10
from pipeline.networks.variable import Array
from pipeline.tables.expressions import Expression

# Step of a derivative: a share of the value or, if the value is zero, a number in its units.
STEP, SMALLEST_STEP = 1e-4, 1e-9

Bool = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Named:
    """What a name in an expression means: a column of the inputs, or bits in a column of flags."""

    column: int
    mask: int | None = None
    """Bits of a flag; None for a number."""

    def array(self, x: Floats) -> npt.NDArray[np.generic]:
        """Return the values (n,), or whether the flag is set."""
        if self.mask is None:
            return x[:, self.column]
        return np.asarray((x[:, self.column].astype(np.uint32) & np.uint32(self.mask)) != 0)


@dataclass(frozen=True)
class BoundExpression:
    """An expression, and the columns that its names mean."""

    expression: Expression
    names: Mapping[str, Named]

    def number(self, x: Floats) -> Array:
        """Return the value (n,) for each row of inputs (n, inputs).

        Raises:
            ConfigError: the expression is a condition.
        """
        value = self.expression.value(self._arrays(x))
        if value.dtype.kind == "b":
            raise ConfigError(f"{self.expression.text!r} is true or false, expected a number")
        return np.asarray(np.broadcast_to(value, len(x)), dtype=np.float64)

    def condition(self, x: Floats) -> Bool:
        """Return the rows (n,) where the condition is true; if a value is missing, it is not."""
        return self.expression.condition(self._arrays(x))

    def _arrays(self, x: Floats) -> dict[str, npt.NDArray[np.generic]]:
        return {name: named.array(x) for name, named in self.names.items()}


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Combination(Retrieval):
    """A product that is computed from other products; always in float64."""

    text: str
    """How the product is computed, in the terms of the configuration."""
    carries_uncertainty: bool = False
    """True if a network that it uses states uncertainties itself."""

    kind: ClassVar[str] = "combined product"
    takes_missing: ClassVar[bool] = False
    """True if some inputs may be missing in a row that is computed."""

    @property
    def states_uncertainty(self) -> bool:
        """True if a network that it uses states uncertainties itself."""
        return self.carries_uncertainty

    @property
    def shape_text(self) -> str:
        """How it is computed."""
        return self.text

    @property
    def record(self) -> Mapping[str, str]:
        """The facts about the computation that a product records."""
        return {"computed_as": self.text}

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of everything that the values depend on, apart from the inputs."""
        return sha256_of_text(repr((type(self).__name__, self.text, self.inputs, self.outputs)))

    @property
    def value_outputs(self) -> int:
        """Number of outputs that are physical values; another output names the candidate."""
        return len(self.outputs)

    def inherits(self, x: Floats) -> Bool:
        """Return (n, inputs): whether the flags of an input are flags of the product too."""
        return np.ones(x.shape, dtype=bool)

    def near_decision(self, x: Floats, _margin: float) -> Bool:
        """Return the rows (n,) where a small change of the inputs changes a decision.

        The second argument is the relative size of the change.
        """
        return np.zeros(len(x), dtype=bool)

    @abstractmethod
    def held(self, x: Floats, moved: Floats) -> Array:
        """Return outputs (n, outputs) of changed inputs; decisions are still made from ``x``."""

    def derivatives(self, x: Array) -> Array:
        """Return derivatives with respect to the inputs, as :func:`pipeline.networks.jacobian`.

        An input that is missing has the derivative 0.
        """
        columns = []
        for column in range(x.shape[1]):
            step = np.zeros_like(x)
            step[:, column] = np.maximum(STEP * np.abs(x[:, column]), SMALLEST_STEP)
            above, below = (self.held(x, moved) for moved in (x + step, x - step))
            slope = (above - below) / (2 * step[:, column, np.newaxis])
            columns.append(np.where(np.isfinite(x[:, column, np.newaxis]), slope, 0.0))
        found = np.stack(columns, axis=2)
        values = self.held(x, x)
        for number, variable in enumerate(self.outputs):
            if variable.spans_decades:
                found[:, number] /= values[:, number, np.newaxis] * LN10
        return found
