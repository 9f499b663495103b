"""Compute weights that give rare classes or targets the same total weight as others."""

from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.errors import ConfigError
from pipeline.networks.variable import Array


def output_weights(
    key: str, choice: str | Mapping[str, float], names: Sequence[str], sums: Array
) -> Array | None:
    """Return the weights of the classes or targets, or None if all weights are equal.

    The weights have the shape (names,).

    Args:
        key: the key of the configuration that messages name, such as ``fit.class_weights``.
        choice: value of this key: None, ``balanced``, or a number for each name.
        names: names of the classes or targets.
        sums: one number for each name: the sum of the weights of its training samples.

    Raises:
        ConfigError: a name is unknown, or balanced weights are wanted but a name has no samples.
    """
    if choice == "none":
        return None
    kind = key.removeprefix("fit.").partition("_")[0]
    if isinstance(choice, Mapping):
        unknown = [name for name in choice if name not in names]
        if unknown:
            raise ConfigError(
                f"{key}: found {', '.join(unknown)}, expected one of {', '.join(names)}."
            )
        return np.array([choice.get(name, 1.0) for name in names])
    empty = [name for name, total in zip(names, sums, strict=True) if total == 0]
    if empty:
        raise ConfigError(
            f"{key}: balanced weights need samples of positive weight, but {', '.join(empty)} "
            f"has none. Use another split (splits.seed), or remove the {kind}."
        )
    balanced: Array = sums.sum() / (len(names) * sums)
    return balanced
