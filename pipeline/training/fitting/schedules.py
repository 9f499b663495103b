"""Learning rates that depend on the step (a schedule of Keras) or on the validation loss."""

from dataclasses import dataclass, field
from typing import Any

from pipeline.config.training import Schedule


def rate_of(schedule: Schedule, rate: float, epochs: int, steps: int) -> Any:
    """Return the learning rate for a Keras optimizer: a number, or a function of the step.

    Args:
        schedule: schedule of the configuration.
        rate: learning rate at the start.
        epochs: number of epochs of the fit; used if the schedule has no ``decay_epochs``.
        steps: steps per epoch.
    """
    from keras.optimizers import schedules

    decay_steps = max(round((schedule.decay_epochs or epochs) * steps), 1)
    match schedule.kind:
        case "inverse_time":
            return schedules.InverseTimeDecay(rate, decay_steps, schedule.decay_rate)
        case "exponential":
            return schedules.ExponentialDecay(rate, decay_steps, schedule.decay_rate)
        case "cosine":
            return schedules.CosineDecay(rate, decay_steps, alpha=schedule.final_share)
    return rate


@dataclass
class Plateau:
    """A learning rate that is lowered when the validation loss stops falling."""

    schedule: Schedule
    start: float
    """Learning rate at the start."""
    rate: float = field(default=0.0)
    best: float = float("inf")
    waited: int = 0

    def __post_init__(self) -> None:
        self.rate = self.rate or self.start

    def next_rate(self, loss: float) -> float:
        """Return the learning rate of the next epoch; it depends on the loss of this epoch."""
        if loss < self.best:
            self.best, self.waited = loss, 0
            return self.rate
        self.waited += 1
        if self.waited >= self.schedule.patience:
            self.waited = 0
            lowest = self.start * self.schedule.final_share
            self.rate = max(self.rate * self.schedule.factor, lowest)
        return self.rate

    def state(self) -> tuple[float, float, int]:
        """Return the state for a checkpoint."""
        return self.rate, self.best, self.waited

    def restore(self, state: tuple[float, float, int]) -> None:
        """Resume from the state of a checkpoint."""
        self.rate, self.best, self.waited = float(state[0]), float(state[1]), int(state[2])
