"""How much a sample of each class counts, so that rare classes may count as much as others."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from pipeline.errors import ConfigError
from pipeline.networks.description import Array


def class_weights(
    choice: str | Mapping[str, float],
    classes: Sequence[str],
    labels: npt.NDArray[np.int64],
    weights: Array | None,
) -> Array | None:
    """The weight of each class, with shape (classes,); None where all count the same.

    Args:
        choice: ``fit.class_weights``.
        classes: their names.
        labels: place of the class of each training sample, with shape (n,).
        weights: of the training samples, with shape (n,).

    Raises:
        ConfigError: a name is no class, or a class to be balanced has no training sample.
    """
    if choice == "none":
        return None
    if isinstance(choice, Mapping):
        unknown = [name for name in choice if name not in classes]
        if unknown:
            raise ConfigError(
                f"fit.class_weights: {', '.join(unknown)}: no such class; there are "
                f"{', '.join(classes)}."
            )
        return np.array([choice.get(name, 1.0) for name in classes])
    sums = np.bincount(labels, weights=weights, minlength=len(classes)).astype(np.float64)
    empty = [name for name, total in zip(classes, sums, strict=True) if total == 0]
    if empty:
        raise ConfigError(
            f"fit.class_weights: balanced, but no training sample counts for {', '.join(empty)}. "
            "Split in another way (splits.seed), or leave the class out."
        )
    balanced: Array = sums.sum() / (len(classes) * sums)
    return balanced
