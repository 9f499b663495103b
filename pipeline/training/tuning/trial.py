"""Trials of a search, before and after they are run."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Value = int | float | str
Values = Mapping[str, Value]


@dataclass(frozen=True)
class Trial:
    """A finished trial."""

    number: int
    values: Values
    epochs: int
    continues: int | None
    objective: float | None
    """Lowest validation loss, averaged over divisions, or None if a training diverged."""
    best_epoch: int | None
    """Epoch with the lowest validation loss; the median if there are several divisions."""

    @property
    def loss(self) -> float:
        """The objective, or infinity if a training diverged."""
        return math.inf if self.objective is None else self.objective


@dataclass(frozen=True)
class Proposal:
    """A trial to run."""

    number: int
    """Number of the trial, from 1."""
    values: Values
    """Values of the hyperparameters."""
    epochs: int
    """Number of the last epoch of this trial."""
    continues: int | None = None
    """Number of the trial whose training this trial continues; both have the same values."""
    root: int = 0
    """Number of the trial that began the training; for a new training, the trial's own number."""

    def done(self, objective: float | None, best_epoch: int | None) -> Trial:
        """Return this trial as a finished trial with its result."""
        return Trial(self.number, self.values, self.epochs, self.continues, objective, best_epoch)


RunTrial = Callable[[Proposal], Trial]


def best_of(trials: Sequence[Trial]) -> Trial | None:
    """Return the trial with the lowest objective, or None if all trials diverged."""
    done = [trial for trial in trials if trial.objective is not None]
    return min(done, key=lambda trial: (trial.loss, trial.number), default=None)
