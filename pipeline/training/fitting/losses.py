"""Compute the unweighted loss of each target of each sample.

Losses of regression compare scaled, transformed targets, for example log10 of the target.
Models for classes return logits, because cross-entropy is numerically stable for logits.
"""

import math
from collections.abc import Callable
from typing import Any

from pipeline.config.training import Fit
from pipeline.networks.engines.tensorflow_setup import tensorflow

Loss = Callable[[Any, Any], Any]
"""Turns targets and model outputs into losses with shape (n, outputs), or (n, 1) for classes."""


def loss_function(fit: Fit, is_classifier: bool) -> Loss:
    """Return the loss function of a fit; for classifiers, it is the cross-entropy of the logits."""
    if is_classifier:
        return _cross_entropy
    tf = tensorflow()
    delta = fit.huber_delta

    def huber(y: Any, found: Any) -> Any:
        size = tf.abs(found - y)
        return tf.where(size <= delta, 0.5 * size**2, delta * (size - 0.5 * delta))

    def log_cosh(y: Any, found: Any) -> Any:
        size = tf.abs(found - y)  # log(cosh(e)) without overflow
        return size + tf.math.softplus(-2.0 * size) - math.log(2.0)

    losses: dict[str, Loss] = {
        "mse": lambda y, found: (found - y) ** 2,
        "mae": lambda y, found: tf.abs(found - y),
        "huber": huber,
        "log_cosh": log_cosh,
    }
    return losses[fit.loss]


def _cross_entropy(y: Any, logits: Any) -> Any:
    tf = tensorflow()
    if logits.shape[-1] == 1:
        return tf.nn.sigmoid_cross_entropy_with_logits(y, logits)
    return tf.nn.softmax_cross_entropy_with_logits(y, logits)[:, tf.newaxis]
