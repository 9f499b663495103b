"""A search for hyperparameters: by which method, for how long, and in which space."""

import math
from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from pipeline.config.strict import Strict, names_from_tables

# What each dimension may be: the least and the most, both included.
BOUNDS: dict[str, tuple[float, float]] = {
    "layers": (1, 20),
    "units": (1, 8192),
    "dropout": (0.0, 0.9),
    "learning_rate": (1e-9, 10.0),
    "l2": (0.0, 10.0),
    "weight_decay": (0.0, 10.0),
    "batch_size": (1, 1_000_000),
}


class _Dimension(Strict):
    """A list of values, or a range: ``{min: 8, max: 120, scale: log}``."""

    scale: Literal["linear", "log"] = "linear"
    """How values of a range are drawn."""

    @model_validator(mode="before")
    @classmethod
    def _listed(cls, said: object) -> object:
        if isinstance(said, list | tuple):
            return {"values": said}
        return said if isinstance(said, Mapping) else {"values": [said]}

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        values, low, high = self.said
        if bool(values) == (low is not None and high is not None) or (low is None) != (
            high is None
        ):
            raise ValueError("expected a list of values, or min and max of a range")
        if len(set(values)) != len(values):
            raise ValueError(f"the same value twice in {list(values)}")
        if low is not None and high is not None and not low < high:
            raise ValueError(f"expected min below max, found {low:g} and {high:g}")
        if self.scale == "log" and (low is None or low <= 0):
            raise ValueError("scale: log is for a range whose min is above 0")
        return self

    @property
    def said(self) -> tuple[tuple[float, ...], float | None, float | None]:
        """Values, least and most."""
        raise NotImplementedError

    @property
    def ends(self) -> tuple[float, float]:
        """The least and the most value."""
        values, low, high = self.said
        return (min(values), max(values)) if values else (low or 0.0, high or 0.0)

    @property
    def count(self) -> float:
        """How many values there are; infinitely many of a range of numbers."""
        return len(self.said[0]) or math.inf


class WholeNumbers(_Dimension):
    """Such as units of a layer."""

    values: tuple[int, ...] = ()
    min: int | None = None
    max: int | None = None

    @property
    def said(self) -> tuple[tuple[float, ...], float | None, float | None]:
        """Values, least and most."""
        return self.values, self.min, self.max

    @property
    def count(self) -> float:
        """How many values there are."""
        low, high = self.ends
        return len(self.values) or high - low + 1


class Numbers(_Dimension):
    """Such as learning rates."""

    values: tuple[float, ...] = ()
    min: float | None = None
    max: float | None = None

    @property
    def said(self) -> tuple[tuple[float, ...], float | None, float | None]:
        """Values, least and most."""
        return self.values, self.min, self.max


class Space(Strict):
    """What is varied; what is not named stays as the recipe has it."""

    layers: WholeNumbers | None = None
    """Hidden layers."""
    units: WholeNumbers | None = None
    """Of each hidden layer, drawn for each of them."""
    activation: tuple[str, ...] | None = Field(default=None, min_length=1)
    """Of all hidden layers."""
    dropout: Numbers | None = None
    learning_rate: Numbers | None = None
    l2: Numbers | None = None
    weight_decay: Numbers | None = None
    """Of adamw."""
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
            raise ValueError("name at least one dimension, such as learning_rate")
        return self

    @property
    def numeric(self) -> dict[str, WholeNumbers | Numbers]:
        """The dimensions of numbers that are varied, by name."""
        return {name: one for name in BOUNDS if (one := getattr(self, name)) is not None}

    def combinations(self, layers: int) -> float:
        """How many different networks and fits there are.

        Args:
            layers: of the recipe, where they are not varied.
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
"""What is varied where nothing is said; its networks are such that OC-SMART's program runs them."""


class TuningConfig(Strict):
    """How hyperparameters are searched for."""

    method: Literal["hyperband", "random", "bayesian"] = "hyperband"
    """hyperband (Li et al. 2018, JMLR 18): many short trainings, of which the best go on. bayesian:
    a Gaussian process proposes what to try next."""
    trials: int = Field(default=40, ge=1, le=100_000)
    """Of random and bayesian; hyperband follows from epochs and factor."""
    epochs: int | None = Field(default=None, ge=1)
    """Of the longest training; nothing said: fit.epochs."""
    factor: int = Field(default=3, ge=2, le=100)
    """Of hyperband: the best of so many go on, for so many times the epochs."""
    iterations: int = Field(default=1, ge=1, le=1000)
    """Of hyperband: how often all of it is done, with other draws."""
    folds: int | None = Field(default=None, ge=2, le=100)
    """Each trial is trained on so many divisions, each row outside the test part judging once, and
    judged by the mean; nothing said: once, by the validation part of the recipe."""
    seed: int = Field(default=1, ge=0)
    """Of what is drawn."""
    space: Space = USUAL
