"""Gives a combined product the flags and the stated uncertainties of the steps that it uses."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from pipeline.combined import Combination
from pipeline.networks.transforms import LN10
from pipeline.run.step import RetrievalStep

Bool = npt.NDArray[np.bool_]
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Flags = npt.NDArray[np.uint8]


def makers_of(
    step: RetrievalStep, steps: Sequence[RetrievalStep]
) -> Iterator[tuple[RetrievalStep | None, int]]:
    """Yield, for each input, the step that computes it and the number of the output."""
    for column in step.columns:
        for maker in steps:
            if maker.first_output <= column < maker.output_columns.stop:
                yield maker, column - maker.first_output
                break
        else:
            yield None, 0


def effects_of(
    step: RetrievalStep, steps: Sequence[RetrievalStep], rows: Float32
) -> dict[tuple[str, int], Float64]:
    """Return the derivatives of a combined product with respect to outputs of networks.

    The product may use the outputs directly, or through other combined products.

    Returns:
        For each output (name of the network, number of the output), derivatives with shape (n,
        outputs). If the output or the product spans powers of ten, its log10 is used.
    """
    combination = step.retrieval
    if not isinstance(combination, Combination):
        return {}
    x = rows[:, step.columns].astype(np.float64)
    with np.errstate(all="ignore"):
        derivatives = combination.derivatives(x)
    found: dict[tuple[str, int], Float64] = {}
    for number, (maker, output) in enumerate(makers_of(step, steps)):
        if maker is None or maker.retrieval.classes:
            continue
        slope = derivatives[:, :, number]
        if maker.retrieval.outputs[output].spans_decades:
            slope = slope * (x[:, number, np.newaxis] * LN10)
        effects = {(maker.name, output): np.ones((len(rows), 1))}
        if maker.is_combined:
            within = effects_of(maker, steps, rows)
            effects = {of: each[:, output : output + 1] for of, each in within.items()}
        for of, effect in effects.items():
            found[of] = found.get(of, np.zeros_like(slope)) + np.nan_to_num(slope * effect)
    return found


def joined_flags(inherits: Mapping[str, Bool], flags: Mapping[str, Flags]) -> Flags:
    """Return the flags (n,) that a combined product inherits."""
    parts = [np.where(rows, flags[name], 0) for name, rows in inherits.items()]
    return np.bitwise_or.reduce(parts) if parts else np.zeros((), dtype=np.uint8)
