"""Fitting a Keras model to samples: epochs, checkpoints, and who is told."""

from pipeline.training.fitting.checkpoints import Checkpoints
from pipeline.training.fitting.history import Epoch, History
from pipeline.training.fitting.trainer import EpochListener, FitData, FitResult, Trainer

__all__ = ["Checkpoints", "Epoch", "EpochListener", "FitData", "FitResult", "History", "Trainer"]
