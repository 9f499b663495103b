"""Fitting a Keras model to samples: epochs, checkpoints, and who is told."""

from pipeline.training.fitting.checkpoints import Checkpoints
from pipeline.training.fitting.history import Epoch, History
from pipeline.training.fitting.trainer import Data, Fitted, Listener, Trainer

__all__ = ["Checkpoints", "Data", "Epoch", "Fitted", "History", "Listener", "Trainer"]
