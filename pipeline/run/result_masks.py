"""Removes results where masks by results are true, in a run and in a stored product alike."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.masks.results import ResultRule
from pipeline.scene.quality import FIRST_MASK_BIT, NO_CLASS, QUALITY_FLAGS

Array = npt.NDArray[Any]


def mask_results(
    products: Mapping[str, Array],
    passed: Mapping[str, Array],
    rules: Sequence[ResultRule],
    first: int,
    values: Collection[str],
    flags: Collection[str],
) -> None:
    """Apply masks by results in turn; ``products`` are changed in place.

    A rule judges only the pixels that no mask excludes and that have at least one value.

    Args:
        products: ``quality_flags``, and the variables of all steps, with shape (y, x).
        passed: geolocation and flags of the scene, which expressions may use too.
        rules: the rules, in the order of their bits.
        first: number of mask rules before them.
        values: names of the variables with results.
        flags: names of the variables with flags of the steps.
    """
    quality = products[QUALITY_FLAGS]
    for number, rule in enumerate(rules, start=first):
        has_value = np.zeros(quality.shape, dtype=bool)
        for name in values:
            has_value |= _is_value(products[name])
        judged = has_value & (quality < (1 << FIRST_MASK_BIT))
        excluded = judged & rule.judge({**passed, **products})
        quality[excluded] |= np.uint32(1 << (FIRST_MASK_BIT + number))
        for name in values:
            is_float = products[name].dtype.kind == "f"
            products[name][excluded] = np.float32(np.nan) if is_float else NO_CLASS
        for name in flags:
            products[name][excluded] = 0


def _is_value(values: Array) -> npt.NDArray[np.bool_]:
    return np.asarray(np.isfinite(values) if values.dtype.kind == "f" else values != NO_CLASS)
