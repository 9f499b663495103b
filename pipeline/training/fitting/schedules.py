"""Learning rates by step (of Keras) and by what the validation loss does."""

from dataclasses import dataclass, field
from typing import Any

from pipeline.config.training import Schedule


def rate_of(schedule: Schedule, rate: float, epochs: int, steps: int) -> Any:
    """What a Keras optimizer takes as its learning rate: a number, or a schedule by step.

    Args:
        schedule: how it goes down.
        rate: at the start.
        epochs: of the whole fit, over which it goes down where nothing else is said.
        steps: per epoch.
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
    """A learning rate that is lowered where the validation loss does not fall any more."""

    schedule: Schedule
    start: float
    """The first rate."""
    rate: float = field(default=0.0)
    best: float = float("inf")
    waited: int = 0

    def __post_init__(self) -> None:
        self.rate = self.rate or self.start

    def next_rate(self, loss: float) -> float:
        """The rate of the next epoch, told the loss of this one."""
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
        """What a checkpoint holds of it."""
        return self.rate, self.best, self.waited

    def restore(self, state: tuple[float, float, int]) -> None:
        """Go on from a checkpoint."""
        self.rate, self.best, self.waited = float(state[0]), float(state[1]), int(state[2])
