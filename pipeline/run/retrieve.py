"""Runs one step on rows of pixels; returns values, flags and (if stated) standard deviations.

Engines differ in the last digits of float32. Where these digits could change a flag, the float64
reference computes the row again, including all earlier steps. So every engine sets the same bits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.combined import Combination
from pipeline.networks import Retrieval
from pipeline.networks.after import SCOPE, SCOPE_LIMIT, gained, scope_deviation
from pipeline.networks.engines import SELF_CHECK_TOLERANCE, predict_with_uncertainty
from pipeline.run import range_flags as ranges
from pipeline.run.inheritance import effects_of, joined_flags, makers_of
from pipeline.run.step import RetrievalStep, take_columns
from pipeline.scene.quality import INPUT_MISSING, INPUT_NOT_POSITIVE, OUT_OF_SCOPE

# A generous bound on how far rounding can move a float32 input to a transform and back.
ROUNDING = 1e-7

# How many inputs and outputs are in double precision at a time, in about ten arrays each.
NUMBERS_AT_ONCE = 250_000
# At least this many rows at a time, because fewer rows are rounded differently.
FEWEST_ROWS = 1024

Bool = npt.NDArray[np.bool_]
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Floats = npt.NDArray[np.floating]
Flags = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.intp]


class Retrieved(NamedTuple):
    """The result of one step on rows of pixels."""

    values: Float32
    """Outputs (n, outputs); outputs that were not computed are NaN."""
    flags: Flags
    """Flags (n,)."""
    outside: npt.NDArray[np.int64]
    """For each input, the number of computed pixels where the input is out of range."""
    deviation: Float32 | None
    """Standard deviations (n, outputs) that the network states itself. If the transform of an
    output is a logarithm, they are standard deviations of log10(output)."""


def retrieve(
    step: RetrievalStep,
    rows: Float32,
    steps: Sequence[RetrievalStep] = (),
    results: Mapping[str, Retrieved] = MappingProxyType({}),
) -> Retrieved:
    """Run one step on unmasked pixels, and write the outputs into the pixels' rows for later steps.

    Args:
        step: the step.
        rows: a row of numbers for each pixel (n, layers), see ``Plan.layer_names``.
        steps: all steps of the run, needed if this step takes outputs of other steps.
        results: the results of earlier steps, needed if this step combines them.
    """
    on_rows = StepOnRows(step, rows, steps, results)
    flags = on_rows.input_flags()
    computed = np.flatnonzero(flags == 0)
    if computed.size == len(rows) > 0:
        result = on_rows.compute(computed)
    else:
        result = _nothing_computed(step, flags)
        if computed.size:
            some = on_rows.compute(computed)
            result.values[computed], result.flags[computed] = some.values, some.flags
            result.outside[:] = some.outside
            if result.deviation is not None:
                result.deviation[computed] = some.deviation
    if rows.shape[1] >= step.output_columns.stop:
        rows[:, step.output_columns] = result.values
    if isinstance(step.retrieval, Combination):
        of_others = {name: each.flags for name, each in results.items()}
        inherited = joined_flags(handed_on(step, rows, steps), of_others)
        np.bitwise_or(result.flags, inherited, out=result.flags)
    if step.flags_column is not None:
        rows[:, step.flags_column] = result.flags
    return result


def _nothing_computed(step: RetrievalStep, flags: Flags) -> Retrieved:
    shape = len(step.retrieval.outputs), len(flags)
    values = np.full(shape, np.nan, dtype=np.float32).T
    deviation = values.copy(order="K") if step.retrieval.states_uncertainty else None
    return Retrieved(values, flags, np.zeros(len(step.retrieval.inputs), np.int64), deviation)


@dataclass(frozen=True)
class StepOnRows:
    """One step, bound to the rows that it runs on."""

    step: RetrievalStep
    rows: Float32
    steps: Sequence[RetrievalStep]
    results: Mapping[str, Retrieved] = field(default_factory=dict)

    def input_flags(self) -> Flags:
        """Return flag bits (n,) of missing or non-positive inputs; such rows are not computed."""
        flags = np.zeros(len(self.rows), dtype=np.uint8)
        retrieval = self.step.retrieval
        if isinstance(retrieval, Combination) and retrieval.takes_missing:
            return flags
        for column, variable in zip(self.step.columns, self.step.retrieval.inputs, strict=True):
            x = self.rows[:, column]
            flags[~np.isfinite(x)] |= INPUT_MISSING
            if variable.transform.needs_positive:
                flags[x <= 0] |= INPUT_NOT_POSITIVE
            elif variable.transform.needs_non_negative:
                flags[x < 0] |= INPUT_NOT_POSITIVE
        return flags

    def compute(self, computed: Rows) -> Retrieved:
        """Run the step on the rows that can be computed."""
        x = gained(self._inputs(computed), self.step.input_gains)
        y, deviation = predict_with_uncertainty(self.step.retrieval, self.step.engine, x)
        if isinstance(self.step.retrieval, Combination) and self.step.retrieval.states_uncertainty:
            deviation = self._carried(self.step.retrieval, computed)
        if deviation is not None:
            deviation = self._gained_deviation(deviation, y).astype(np.float32, copy=False)
        flags = np.zeros(len(x), dtype=np.uint8)
        outside = np.zeros(x.shape[1], dtype=np.int64)
        doubtful = self.doubtful(x, y)
        size = max(NUMBERS_AT_ONCE // (x.shape[1] + y.shape[1]), FEWEST_ROWS)
        for start in range(0, doubtful.size, size):
            part = doubtful[start : start + size]
            some = y[part]
            flags[part], counts = self._decide(computed[part], x[part], some)
            outside += counts
            y[part] = some
        return Retrieved(y.astype(np.float32, copy=False), flags, outside, deviation)

    def _carried(self, combination: Combination, computed: Rows) -> Float64:
        """Return standard deviations (n, outputs) from those that the networks state themselves.

        If a formula uses an output several times, all effects of its error are added before they
        are squared. The errors of different outputs are treated as independent.
        """
        squares = np.zeros((len(computed), len(combination.outputs)))
        rows = self.rows[computed]
        for (name, output), effect in effects_of(self.step, self.steps, rows).items():
            stated = self.results[name].deviation
            if stated is not None:
                moved = effect * stated[computed, output, np.newaxis]
                squares += np.square(np.nan_to_num(moved))
        return np.sqrt(squares)

    def _inputs(self, computed: Rows) -> Float32:
        """Return the inputs (n, inputs) of some rows; each column is contiguous in memory."""
        layers = take_columns(self.rows, self.step.columns).T
        every = computed.size == len(self.rows)
        return np.asarray((layers if every else np.take(layers, computed, axis=1)).T)

    def _gained_deviation(self, deviation: Floats, y: Floats) -> Floats:
        """Apply gains to standard deviations of outputs, but not to those of log10(output)."""
        gains = self.step.gains
        if gains is None:
            return deviation
        decades = [variable.spans_decades for variable in self.step.retrieval.outputs]
        return np.asarray(np.where(decades, deviation, deviation * gains.factors(y)))

    def doubtful(self, x: Float32, y: Floats) -> Rows:
        """Return the rows where a flag bit may be set; the bits of all other rows are 0."""
        network = self.step.retrieval
        if network.classes or SCOPE in network.after or self.step.gains is not None:
            return np.arange(len(x))
        if isinstance(network, Combination):
            undecided = network.near_decision(x, 2 * SELF_CHECK_TOLERANCE)
            return np.flatnonzero(undecided | ~np.isfinite(y).all(axis=1))
        margin = 2 * SELF_CHECK_TOLERANCE if self.step.upstream else ROUNDING
        widths = ranges.at_limit_widths(network.outputs)
        of_inputs = ranges.well_inside(network.inputs, margin)
        of_outputs = ranges.well_inside(network.outputs, 2 * SELF_CHECK_TOLERANCE, widths)
        inside = np.ones(len(x), dtype=bool)
        for column, (low, high) in zip((*x.T, *y.T), (*of_inputs, *of_outputs), strict=True):
            inside &= (column >= low) & (column <= high)
        return np.flatnonzero(~inside)

    def _decide(self, computed: Rows, x: Float32, y: Floats) -> tuple[Flags, npt.NDArray[np.int64]]:
        """Return the range flags of rows, and in how many rows each input is out of range.

        ``y`` is changed in place. Where rounding could change the class, the outputs of the float64
        reference replace ``y``. Then ``y`` is multiplied by the gains.
        """
        network, gains = self.step.retrieval, self.step.gains
        near = self._near_threshold(x, y)
        exact_x, exact_y = x.astype(np.float64), y.astype(np.float64)
        if near.any():
            exact_x[near] = _exact_inputs(self.step, self.steps, self.rows[computed[near]])
            exact_y[near] = network.reference(exact_x[near])
            if network.classes or self.step.is_combined:
                y[near] = exact_y[near]  # rounding must not choose the class or the candidate
        outside = ranges.outside_range(network.inputs, exact_x)
        flags = ranges.range_flags(network, outside, exact_y)
        if isinstance(network, Combination) and network.takes_missing:
            flags[np.isnan(exact_y).any(axis=1)] |= INPUT_MISSING
        if SCOPE in network.after:
            deviation = scope_deviation(exact_x[:, _scope_columns(network)], exact_y)
            flags[deviation > SCOPE_LIMIT] |= OUT_OF_SCOPE
        if gains is not None:
            y *= gains.factors(exact_y)
        return flags, outside.sum(axis=0)

    def _near_threshold(self, x: Float32, y: Floats) -> Bool:
        """Return the rows (n,) where rounding could change a flag, a class or a choice of gains."""
        network, gains = self.step.retrieval, self.step.gains
        near = ranges.near_limits(network.outputs, y)
        if self.step.upstream:
            near |= ranges.near_limits(network.inputs, x)
        if isinstance(network, Combination):
            near |= network.near_decision(x, 2 * SELF_CHECK_TOLERANCE)
        if network.classes:
            largest = np.sort(y, axis=1)[:, -2:]
            near |= largest[:, -1] - largest[:, 0] <= SELF_CHECK_TOLERANCE
        if SCOPE in network.after:
            deviation = scope_deviation(x[:, _scope_columns(network)], y)
            near |= np.abs(deviation - SCOPE_LIMIT) <= 2 * SELF_CHECK_TOLERANCE
        if gains is not None:
            near |= gains.near_decision(y, SELF_CHECK_TOLERANCE)
        return near


def _exact_inputs(step: RetrievalStep, steps: Sequence[RetrievalStep], rows: Float32) -> Float64:
    """Return float64 inputs (n, inputs); outputs of earlier steps are recomputed in float64."""
    x = rows[:, step.columns].astype(np.float64)
    columns = np.array(step.columns)
    for maker in steps:
        made = (columns >= maker.output_columns.start) & (columns < maker.output_columns.stop)
        if made.any():
            outputs = maker.retrieval.reference(_exact_inputs(maker, steps, rows))
            exact = gained(outputs, maker.gains)[:, columns[made] - maker.first_output]
            # The formulas of a network may have a value where the network is not applied.
            x[:, made] = np.where(np.isfinite(x[:, made]), exact, np.nan)
    return np.asarray(gained(x, step.input_gains))


def handed_on(
    step: RetrievalStep, rows: Float32, steps: Sequence[RetrievalStep]
) -> dict[str, Bool]:
    """Return, for each step that a combined product uses, the rows (n,) whose flags it inherits."""
    combination = step.retrieval
    if not isinstance(combination, Combination):
        return {}
    x = rows[:, step.columns].astype(np.float64)
    near = combination.near_decision(x, 2 * SELF_CHECK_TOLERANCE)
    if near.any():
        x[near] = _exact_inputs(step, steps, rows[near])
    inherits = combination.inherits(x)
    found: dict[str, Bool] = {}
    for number, (maker, _) in enumerate(makers_of(step, steps)):
        if maker is not None:
            before = found.get(maker.name, np.zeros(len(rows), dtype=bool))
            found[maker.name] = before | inherits[:, number]
    return found


def _scope_columns(network: Retrieval) -> list[int]:
    """Return, for each output, the position of the input that the output reconstructs."""
    names = [variable.name for variable in network.inputs]
    return [names.index(variable.name) for variable in network.outputs]
