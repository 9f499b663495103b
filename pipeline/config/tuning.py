"""The settings of a search for hyperparameters: its method, its length and its space."""

import math
from collections.abc import Mapping
from typing import Generic, Literal, Self, TypeVar

from pydantic import Field, field_validator, model_validator

from pipeline.config.strict import Strict, names_from_tables

# The smallest and the largest value that each dimension may have.
BOUNDS: dict[str, tuple[float, float]] = {
    "layers": (1, 20),
    "units": (1, 8192),
    "dropout": (0.0, 0.9),
    "learning_rate": (1e-9, 10.0),
    "l2": (0.0, 10.0),
    "weight_decay": (0.0, 10.0),
    "batch_size": (1, 1_000_000),
}


Number = TypeVar("Number", int, float)


class Dimension(Strict, Generic[Number]):
    """A list of values or a range, such as ``{min: 8, max: 120, scale: log}``."""

    scale: Literal["linear", "log"] = "linear"
    """Scale on which values of a range are chosen at random: linear or logarithmic."""
    values: tuple[Number, ...] = ()
    min: Number | None = None
    max: Number | None = None

    @model_validator(mode="before")
    @classmethod
    def _listed(cls, given: object) -> object:
        if isinstance(given, list | tuple):
            return {"values": given}
        return given if isinstance(given, Mapping) else {"values": [given]}

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        values, low, high = self.values, self.min, self.max
        if bool(values) == (low is not None and high is not None) or (low is None) != (
            high is None
        ):
            raise ValueError("expected a list of values, or a range with the keys min and max")
        if len(set(values)) != len(values):
            raise ValueError(f"the same value appears twice in {list(values)}")
        if low is not None and high is not None and not low < high:
            raise ValueError(f"expected min below max, found min {low:g} and max {high:g}")
        if self.scale == "log" and (low is None or low <= 0):
            raise ValueError("a logarithmic scale needs a range with min above 0")
        return self

    @property
    def ends(self) -> tuple[float, float]:
        """The smallest and the largest value."""
        if self.values:
            return min(self.values), max(self.values)
        return self.min or 0.0, self.max or 0.0

    @property
    def count(self) -> float:
        """Number of possible values; infinite for a range of real numbers."""
        return len(self.values) or math.inf


class WholeNumbers(Dimension[int]):
    """A list or range of whole numbers, such as the units of a layer."""

    @property
    def count(self) -> float:
        """Number of values."""
        low, high = self.ends
        return len(self.values) or high - low + 1


Numbers = Dimension[float]


class Space(Strict):
    """The hyperparameters to search; all other hyperparameters stay as in the recipe."""

    layers: WholeNumbers | None = None
    """Number of hidden layers."""
    units: WholeNumbers | None = None
    """Number of units of a hidden layer, chosen separately for each layer."""
    activation: tuple[str, ...] | None = Field(default=None, min_length=1)
    """Activations to try; each network has one activation for all hidden layers."""
    dropout: Numbers | None = None
    learning_rate: Numbers | None = None
    l2: Numbers | None = None
    weight_decay: Numbers | None = None
    """Weight decay of the optimizer adamw."""
    batch_size: WholeNumbers | None = None

    @field_validator("activation", mode="before")
    @classmethod
    def _tuple(cls, said: object) -> object:
        said = tuple(said) if isinstance(said, list) else said
        return (said,) if isinstance(said, str) else said

    _are_known = names_from_tables("activation")

    @model_validator(mode="after")
    def _within_bounds(self) -> Self:
        wrong = []
        for name, dimension in self.numeric.items():
            low, high = BOUNDS[name]
            least, most = dimension.ends
            if not low <= least <= most <= high:
                wrong.append(f"{name}: expected {low:g} to {high:g}, found {least:g} to {most:g}")
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.numeric and self.activation is None:
            raise ValueError("expected at least one hyperparameter, such as learning_rate")
        return self

    @property
    def numeric(self) -> dict[str, WholeNumbers | Numbers]:
        """The numerical hyperparameters to search, by name."""
        return {name: one for name in BOUNDS if (one := getattr(self, name)) is not None}

    def combinations(self, layers: int) -> float:
        """Return the number of different combinations of hyperparameters.

        Args:
            layers: number of hidden layers in the recipe; used if the search keeps this number.
        """
        count = math.prod(
            one.count for name, one in self.numeric.items() if name not in ("layers", "units")
        ) * len(self.activation or "1")
        each = 1.0 if self.units is None else self.units.count
        depths: tuple[float, ...] = (layers,)
        if self.layers is not None:
            least, most = self.layers.ends
            depths = self.layers.values or tuple(range(int(least), int(most) + 1))
        return float(count * sum(each**depth for depth in depths))


USUAL = Space.model_validate(
    {
        "layers": [1, 2, 3, 4],
        "units": {"min": 8, "max": 120, "scale": "log"},
        "learning_rate": {"min": 3e-4, "max": 1e-2, "scale": "log"},
        "dropout": [0.0, 0.05, 0.1],
        "l2": [0.0, 1e-6, 1e-5, 1e-4],
    }
)
"""The space that is searched by default; OC-SMART can run every network of this space."""


class TuningConfig(Strict):
    """How ``ocpipe tune`` searches for hyperparameters."""

    method: Literal["hyperband", "random", "bayesian"] = "hyperband"
    """hyperband (Li et al. 2018, JMLR 18) runs many short trainings, and continues the best ones.
    bayesian: a Gaussian process proposes the next trial."""
    trials: int = Field(default=40, ge=1, le=100_000)
    """Number of trials of the methods random and bayesian; hyperband computes its own number."""
    epochs: int | None = Field(default=None, ge=1)
    """Epochs of the longest training; by default fit.epochs."""
    factor: int = Field(default=3, ge=2, le=100)
    """hyperband: of every ``factor`` trials, the best one continues. It is then trained for up to
    ``factor`` times as many epochs as before."""
    iterations: int = Field(default=1, ge=1, le=1000)
    """hyperband: how often the whole search is run, each time with other random draws."""
    folds: int | None = Field(default=None, ge=2, le=100)
    """Number of divisions for which each trial is trained; the score of the trial is the mean over
    all divisions. Each row outside the test part is used for validation once. By default, a trial
    is trained only once, with the recipe's validation part."""
    seed: int = Field(default=1, ge=0)
    """Seed of the random draws."""
    space: Space = USUAL
