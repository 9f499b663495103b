"""TensorFlow as training wants it: all cores, the same numbers every time, seeds."""

import logging

from pipeline.config.training import Fit
from pipeline.machine.resources import available_cores
from pipeline.networks.engines.tensorflow_setup import tensorflow

log = logging.getLogger(__name__)


def set_up(fit: Fit) -> None:
    """Before a model is made; what was used before in this process keeps its threads."""
    tf = tensorflow()
    try:
        tf.config.threading.set_intra_op_parallelism_threads(available_cores())
    except RuntimeError:
        log.debug("TensorFlow was started before; its threads stay")
    if not tf.config.list_physical_devices("GPU"):
        tf.config.experimental.enable_op_determinism()  # on a GPU several times slower
    logging.getLogger("tensorflow").addFilter(_is_news)
    tf.keras.utils.set_random_seed(fit.seed)


def _is_news(record: logging.LogRecord) -> bool:
    """Every training has graphs of its own, which TensorFlow warns of where there are several."""
    return "triggered tf.function retracing" not in record.getMessage()
