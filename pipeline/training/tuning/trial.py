"""A proposed trial, and a trial that is done."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Value = int | float | str
Values = Mapping[str, Value]


@dataclass(frozen=True)
class Trial:
    """A trial that is done."""

    number: int
    values: Values
    epochs: int
    continues: int | None
    objective: float | None
    """Lowest validation loss, averaged over divisions; None if training diverged."""
    best_epoch: int | None
    """Median over divisions of the epoch with the lowest validation loss."""

    @property
    def loss(self) -> float:
        """The objective; infinite if training diverged."""
        return math.inf if self.objective is None else self.objective


@dataclass(frozen=True)
class Proposal:
    """A trial to run."""

    number: int
    """Number of the trial, from 1."""
    values: Values
    """Values of the hyperparameters."""
    epochs: int
    """Number of the last epoch of the trial's training."""
    continues: int | None = None
    """Number of the trial whose training this trial continues, with the same values."""
    root: int = 0
    """Number of the trial that began the training; the trial's own number if it began it."""

    def done(self, objective: float | None, best_epoch: int | None) -> Trial:
        """Return the trial with its result."""
        return Trial(self.number, self.values, self.epochs, self.continues, objective, best_epoch)


RunTrial = Callable[[Proposal], Trial]


def best_of(trials: Sequence[Trial]) -> Trial | None:
    """Return the trial with the lowest objective, or None if all trials diverged."""
    done = [trial for trial in trials if trial.objective is not None]
    return min(done, key=lambda trial: (trial.loss, trial.number), default=None)
