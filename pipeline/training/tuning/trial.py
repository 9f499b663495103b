"""What is to be tried, and what came of it."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Value = int | float | str
Values = Mapping[str, Value]


@dataclass(frozen=True)
class Proposal:
    """A trial that is to be run."""

    number: int
    """From 1."""
    values: Values
    """Of the hyperparameters."""
    epochs: int
    """Up to which it is trained."""
    continues: int | None = None
    """The trial whose training goes on, for which ``values`` are the same."""
    root: int = 0
    """The trial with which this training began; itself where it continues none."""


@dataclass(frozen=True)
class Trial:
    """A trial that is done."""

    number: int
    values: Values
    epochs: int
    continues: int | None
    objective: float | None
    """Least validation loss, mean over divisions; None where training ran away."""
    best_epoch: int | None
    """Where it was least, median over divisions."""

    @property
    def loss(self) -> float:
        """The objective, infinite where there is none."""
        return math.inf if self.objective is None else self.objective


@dataclass(frozen=True)
class Outcome:
    """What a runner says."""

    objective: float | None
    best_epoch: int | None


Runner = Callable[[Proposal], Outcome]


def best_of(trials: Sequence[Trial]) -> Trial | None:
    """The trial with the least objective, the first of equals; None where all ran away."""
    done = [trial for trial in trials if trial.objective is not None]
    return min(done, key=lambda trial: (trial.loss, trial.number), default=None)
