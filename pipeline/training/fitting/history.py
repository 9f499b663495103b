"""The losses of each epoch."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Epoch:
    """Losses of one pass over the training samples; regularisation is not included."""

    number: int
    """Number of the epoch, from 1, counted through all stages."""
    stage: int
    """Number of the stage, from 1."""
    learning_rate: float
    """Learning rate at the end of the epoch."""
    loss: float
    """Mean loss of the training samples during the epoch, computed with dropout."""
    validation_loss: float
    """Loss of the validation samples after the epoch, or NaN if there are no such samples."""
    is_best: bool = False
    """Whether this epoch is better than all earlier epochs of its stage."""

    @property
    def judged_by(self) -> float:
        """The validation loss, or the training loss if there are no validation samples."""
        return self.loss if math.isnan(self.validation_loss) else self.validation_loss
