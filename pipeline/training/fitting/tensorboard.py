"""Write logs of a training for TensorBoard."""

from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError
from pipeline.networks.engines.tensorflow_setup import tensorflow
from pipeline.training.fitting.history import Epoch


class TensorBoardLog:
    """A log of the losses and the learning rate of each epoch.

    Raises:
        ConfigError: TensorBoard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            import tensorboard  # noqa: F401 - TensorFlow writes logs with it
        except ImportError:
            raise ConfigError(
                "fit.tensorboard needs TensorBoard: pip install 'ocpipe[tensorboard]'."
            ) from None
        self._folder = folder
        self._writer: Any = None

    def epoch(self, epoch: Epoch) -> None:
        """Write an epoch to the log; the folder is created at the first epoch."""
        tf = tensorflow()
        if self._writer is None:
            self._writer = tf.summary.create_file_writer(str(self._folder))
        with self._writer.as_default(step=epoch.number):
            tf.summary.scalar("loss/training", epoch.loss)
            tf.summary.scalar("loss/validation", epoch.validation_loss)
            tf.summary.scalar("learning_rate", epoch.learning_rate)

    def close(self) -> None:
        """Close the log, if it was opened."""
        if self._writer is not None:
            self._writer.close()
