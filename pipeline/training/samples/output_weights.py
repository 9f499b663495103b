"""How much each class or target counts, so that rare ones may count as much as others."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from pipeline.errors import ConfigError
from pipeline.networks.variable import Array


def output_weights(
    key: str, choice: str | Mapping[str, float], names: Sequence[str], sums: Array
) -> Array | None:
    """The weight of each class or target, with shape (names,); None where all count the same.

    Args:
        key: of the configuration, for messages: ``fit.class_weights``.
        choice: what it says.
        names: of the classes or targets.
        sums: how much training samples of each count together, with shape (names,).

    Raises:
        ConfigError: a name is not among them, or one to be balanced has no training sample.
    """
    if choice == "none":
        return None
    what = key.removeprefix("fit.").partition("_")[0]
    if isinstance(choice, Mapping):
        unknown = [name for name in choice if name not in names]
        if unknown:
            raise ConfigError(
                f"{key}: {', '.join(unknown)}: no such {what}; there are {', '.join(names)}."
            )
        return np.array([choice.get(name, 1.0) for name in names])
    empty = [name for name, total in zip(names, sums, strict=True) if total == 0]
    if empty:
        raise ConfigError(
            f"{key}: balanced, but no training sample counts for {', '.join(empty)}. "
            f"Split in another way (splits.seed), or leave the {what} out."
        )
    balanced: Array = sums.sum() / (len(names) * sums)
    return balanced


def sums_of_classes(labels: npt.NDArray[np.int64], weights: Array, classes: int) -> Array:
    """How much samples (n,) of each class count together, with shape (classes,)."""
    return np.bincount(labels, weights=weights, minlength=classes).astype(np.float64)
