"""Fit a Keras model to samples: epochs, checkpoints, losses, learning rates."""

from pipeline.training.fitting.checkpoints import Checkpoints
from pipeline.training.fitting.history import Epoch
from pipeline.training.fitting.trainer import (
    EpochListener,
    FitData,
    FitResult,
    OpenListener,
    Trainer,
)

__all__ = [
    "Checkpoints", "Epoch", "EpochListener", "FitData", "FitResult", "OpenListener", "Trainer",
]  # fmt: skip
