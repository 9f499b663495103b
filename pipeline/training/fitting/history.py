"""The losses of each epoch."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Epoch:
    """One pass over the training samples; losses do not include regularisation."""

    number: int
    """Number of the epoch, from 1, counted through all stages."""
    stage: int
    """Number of the stage, from 1."""
    learning_rate: float
    """Learning rate at the end of the epoch."""
    loss: float
    """Mean loss of the training samples during the epoch, with dropout."""
    validation_loss: float
    """Loss of the validation samples after the epoch; NaN if there are no validation samples."""
    is_best: bool = False
    """Whether no earlier epoch of the stage had a smaller validation loss."""

    @property
    def judged_by(self) -> float:
        """The validation loss, or the training loss if there are no validation samples."""
        return self.loss if math.isnan(self.validation_loss) else self.validation_loss
