"""Imports TensorFlow late, once and without its messages, and sets it up for accurate numbers."""

import contextlib
import functools
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

log = logging.getLogger(__name__)


@functools.cache
def tensorflow() -> Any:
    """Return TensorFlow with full float32 precision and one thread per operation."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _native_stderr_to_log():
        import tensorflow as tf

        gpus = tf.config.list_physical_devices("GPU")
    # TF32 on Ampere and later GPUs keeps 10 bits of mantissa: 2-3 % errors in these networks.
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        # Blocks run in parallel; more threads inside an operation would compete with them.
        tf.config.threading.set_intra_op_parallelism_threads(1)
        for gpu in gpus:
            tf.config.experimental.set_memory_growth(gpu, True)
    except RuntimeError:
        log.debug("TensorFlow was already started; its thread and memory settings are kept")
    return tf


@contextlib.contextmanager
def _native_stderr_to_log() -> Iterator[None]:
    """Redirect stderr to the debug log, because C++ code writes its messages to stderr.

    TF_CPP_MIN_LOG_LEVEL does not silence TensorFlow 2.19 and later (tensorflow issue 100442).
    """
    sys.stderr.flush()
    with tempfile.TemporaryFile() as captured:
        saved = os.dup(2)
        os.dup2(captured.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            captured.seek(0)
            for line in captured.read().decode(errors="replace").splitlines():
                log.debug("tensorflow: %s", line)
