"""Set up TensorFlow for training: it uses all cores, and its results are reproducible."""

import logging

from pipeline.config.training import Fit
from pipeline.machine.resources import available_cores
from pipeline.networks.engines.tensorflow_setup import tensorflow

log = logging.getLogger(__name__)


def set_up(fit: Fit) -> None:
    """Set up TensorFlow before a model is made; a running TensorFlow keeps its threads."""
    tf = tensorflow()
    try:
        tf.config.threading.set_intra_op_parallelism_threads(available_cores())
    except RuntimeError:
        log.debug("TensorFlow is already running; its number of threads is kept")
    if not tf.config.list_physical_devices("GPU"):
        tf.config.experimental.enable_op_determinism()  # on a GPU several times slower
    logging.getLogger("tensorflow").addFilter(_is_news)
    tf.keras.utils.set_random_seed(fit.seed)


def _is_news(record: logging.LogRecord) -> bool:
    """Drop the warning about many new graphs, because every training makes its own graph."""
    return "triggered tf.function retracing" not in record.getMessage()
