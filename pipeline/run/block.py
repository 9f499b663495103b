"""All that happens to a pixel, as a pure function of one block: no file, no dask, no thread."""

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import xarray as xr

from pipeline.networks.after import SCOPE, SCOPE_LIMIT, gained, scope_deviation
from pipeline.networks.engines import SELF_CHECK_TOLERANCE, predict_with_uncertainty
from pipeline.networks.variable import limits, transformed
from pipeline.run.chain import chosen
from pipeline.run.propagation import propagate
from pipeline.scene.quality import (
    AT_LIMIT_LN,
    FIRST_MASK_BIT,
    GEOLOCATION_INVALID,
    INPUT_MISSING,
    INPUT_NOT_POSITIVE,
    INPUT_OUT_OF_RANGE,
    NO_CLASS,
    NO_DATA,
    OUT_OF_SCOPE,
    OUTPUT_AT_LIMIT,
    OUTPUT_OUT_OF_RANGE,
    OUTSIDE_VALID_RANGE,
    QUALITY_FLAGS,
    SATURATED,
    STATE_OUTSIDE_VALID_RANGE,
    STATE_SATURATED,
)

if TYPE_CHECKING:
    from pipeline.networks import Retrieval, Variable
    from pipeline.run.chain import NetworkStep
    from pipeline.run.plan import Plan

# What rounding a float32 input to and fro may move it, far more than enough.
ROUNDING = 1e-7

# Inputs and outputs that are in double precision at a time, about ten arrays of them; and rows, for
# fewer are rounded otherwise.
NUMBERS_AT_ONCE = 250_000
FEWEST_ROWS = 1024

COMPUTED, INPUTS_OUTSIDE = "computed", "inputs_outside"

Bool = npt.NDArray[np.bool_]
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Floats = npt.NDArray[np.floating]
Flags = npt.NDArray[np.uint8]
Counts = npt.NDArray[np.int64]


def process_block(block: xr.Dataset, plan: "Plan") -> xr.Dataset:
    """The products of one block.

    Args:
        block: a piece of the scene as ``plan.select`` gives it, computed.
        plan: the plan of the run.

    Returns:
        ``quality_flags`` and, for each network, its product variables (float32, NaN where it was
        not computed, or a class map), their uncertainties where there are any, and its flags,
        all on (y, x). Attributes of a network's flags
        count the pixels it was computed on (``COMPUTED``) and, for each of its inputs, those among
        them where it is outside the training range (``INPUTS_OUTSIDE``).
    """
    quality = pixel_quality(block, plan)
    unmasked = np.flatnonzero(quality < (1 << FIRST_MASK_BIT))
    rows = _gather(block, plan, unmasked)
    made: dict[str, npt.NDArray[Any]] = {QUALITY_FLAGS: quality}
    counted: dict[str, dict[str, Any]] = {}
    results: dict[str, Evaluated] = {}
    for step in plan.steps:
        results[step.name] = run_network(step, rows, plan.steps)
        values, flags, outside, _ = results[step.name]
        if step.variables:
            for name, column in zip(step.variables, _product_columns(step, values), strict=True):
                fill = NO_CLASS if column.dtype == np.uint8 else np.float32(np.nan)
                made[name] = _scatter(column, unmasked, quality.shape, fill)
        made[step.flags_name] = _scatter(flags, unmasked, quality.shape, np.uint8(0))
        computed = np.count_nonzero((flags & (INPUT_MISSING | INPUT_NOT_POSITIVE)) == 0)
        counted[step.flags_name] = {COMPUTED: computed, INPUTS_OUTSIDE: outside}
    for name, column in _uncertainties(block, plan, unmasked, rows, results):
        made[name] = _scatter(column, unmasked, quality.shape, np.float32(np.nan))
    return xr.Dataset(
        {name: (("y", "x"), array, counted.get(name)) for name, array in made.items()}
    )


def pixel_quality(block: xr.Dataset, plan: "Plan") -> npt.NDArray[np.uint32]:
    """``quality_flags`` of every pixel, with shape (y, x)."""
    shape = (block.sizes["y"], block.sizes["x"])
    missing = np.zeros(shape, dtype=bool)
    states = np.zeros(shape, dtype=np.uint8)
    for band in plan.inputs:
        absent = ~np.isfinite(band.values(block))
        of_band = band.states(block)
        if of_band is not None and of_band.any():
            states |= of_band
            absent &= (of_band & STATE_OUTSIDE_VALID_RANGE) == 0
        missing |= absent
    quality = np.where(missing, np.uint32(NO_DATA), np.uint32(0))
    if states.any():
        quality[(states & STATE_OUTSIDE_VALID_RANGE) != 0] |= np.uint32(OUTSIDE_VALID_RANGE)
        quality[(states & STATE_SATURATED) != 0] |= np.uint32(SATURATED)
    quality[_geolocation_invalid(block)] |= np.uint32(GEOLOCATION_INVALID)
    for number, rule in enumerate(plan.rules):
        quality[rule.excluded(block)] |= np.uint32(1 << (FIRST_MASK_BIT + number))
    return quality


def _geolocation_invalid(block: xr.Dataset) -> Bool:
    # Written so that NaN is invalid too.
    latitude, longitude = block["latitude"].values, block["longitude"].values
    return np.asarray(~((np.abs(latitude) <= 90) & (np.abs(longitude) <= 180)))


def _gather(block: xr.Dataset, plan: "Plan", pixels: npt.NDArray[np.intp]) -> Float32:
    """Rows of the chosen pixels (pixels, layers): bands, then room for every network's outputs.

    All of a layer lies together in memory: what is done with rows is done layer by layer.
    """
    rows = np.empty((len(plan.layer_names), pixels.size), dtype=np.float32).T
    for column, band in enumerate(plan.inputs):
        np.take(band.values(block).reshape(-1), pixels, out=rows[:, column], mode="clip")
    return rows


def _scatter(
    values: npt.NDArray[Any], pixels: npt.NDArray[np.intp], shape: tuple[int, ...], fill: Any
) -> npt.NDArray[Any]:
    full = np.full(shape, fill)
    full.reshape(-1)[pixels] = values
    return full


def _product_columns(step: "NetworkStep", values: Float32) -> list[npt.NDArray[Any]]:
    """The columns (n,) of the product variables from outputs (n, outputs)."""
    if step.classes is None:
        return list(values.T)
    computed = np.isfinite(values).all(axis=1)
    best = np.zeros(len(values), dtype=np.intp)
    best[computed] = values[computed].argmax(axis=1)
    classes = np.where(computed, best + 1, NO_CLASS).astype(np.uint8)
    return [classes, values[np.arange(len(values)), best]]


def _uncertainties(
    block: xr.Dataset,
    plan: "Plan",
    pixels: npt.NDArray[np.intp],
    rows: Float32,
    results: "dict[str, Evaluated]",
) -> Iterator[tuple[str, Float32]]:
    """Name and column (pixels,) of each variable that holds an uncertainty."""
    steps = [step for step in plan.steps if step.uncertainties]
    if not steps:
        return
    from_inputs: dict[str, Float32] = {}
    if plan.uncertainty is not None:
        deviations = plan.uncertainty.deviations(block, pixels)
        from_inputs = propagate(plan.uncertainty, plan.steps, rows, deviations)
    as_factor = plan.config.science.uncertainty.written_as == "factor"
    for step in steps:
        result = results[step.name]
        parts = [
            part for part in (from_inputs.get(step.name), result.deviation) if part is not None
        ]
        for column, name in enumerate(step.uncertainties):
            total = functools.reduce(np.hypot, [part[:, column] for part in parts])
            total = np.where(np.isfinite(result.values[:, column]), total, np.float32(np.nan))
            is_factor = as_factor and step.network.outputs[column].spans_decades
            yield name, np.float32(10) ** total if is_factor else total


class Evaluated(NamedTuple):
    """What one network made of rows of pixels."""

    values: Float32
    """Outputs (n, outputs), NaN where they are not computed."""
    flags: Flags
    """With shape (n,)."""
    outside: Counts
    """For each input, the number of computed pixels where it is outside its training range."""
    deviation: Float32 | None
    """Standard deviations (n, outputs) that the network states itself, of log10 for what spans
    decades."""


def run_network(
    step: "NetworkStep", rows: Float32, steps: "tuple[NetworkStep, ...]" = ()
) -> Evaluated:
    """One network on unmasked pixels.

    Args:
        step: the network.
        rows: a row of numbers for each pixel (n, layers), see ``Plan.layer_names``; the outputs
            are entered there, for the networks that follow.
        steps: the networks before it, needed where it takes what they make.
    """
    evaluation = _Evaluation(step, rows, steps)
    flags = evaluation.input_flags()
    computed = np.flatnonzero(flags == 0)
    outputs = len(step.network.outputs)
    deviation: Float32 | None = None
    if computed.size == len(rows) > 0:
        values, flags, deviation = evaluation.on(computed)
    else:
        values = np.full((outputs, len(rows)), np.nan, dtype=np.float32).T
        if step.network.states_uncertainty:
            deviation = np.full((outputs, len(rows)), np.nan, dtype=np.float32).T
        if computed.size:
            values[computed], flags[computed], some = evaluation.on(computed)
            if deviation is not None:
                deviation[computed] = some
    if rows.shape[1] >= step.output_columns.stop:
        rows[:, step.output_columns] = values
    return Evaluated(values, flags, evaluation.outside, deviation)


@dataclass(frozen=True)
class _Evaluation:
    """One network on rows of pixels.

    Engines differ in the last digits of float32. Rows so near to a threshold that this could
    decide a bit are evaluated by the float64 reference, through all networks before this one, so
    that every engine sets the same bits.
    """

    step: "NetworkStep"
    rows: Float32
    steps: "tuple[NetworkStep, ...]"

    @cached_property
    def outside(self) -> Counts:
        """Of each input, how many of the rows evaluated so far have it out of range."""
        return np.zeros(len(self.step.network.inputs), dtype=np.int64)

    def input_flags(self) -> Flags:
        """What keeps a row from being computed."""
        flags = np.zeros(len(self.rows), dtype=np.uint8)
        for column, variable in zip(self.step.columns, self.step.network.inputs, strict=True):
            x = self.rows[:, column]
            flags[~np.isfinite(x)] |= INPUT_MISSING
            if variable.transform.needs_positive:
                flags[x <= 0] |= INPUT_NOT_POSITIVE
            elif variable.transform.needs_non_negative:
                flags[x < 0] |= INPUT_NOT_POSITIVE
        return flags

    def on(self, computed: npt.NDArray[np.intp]) -> tuple[Float32, Flags, Float32 | None]:
        """Values, range flags and deviations of the rows that can be computed."""
        network = self.step.network
        x = gained(self._inputs(computed), self.step.input_gains)
        y, deviation = predict_with_uncertainty(network, self.step.engine, x)
        if deviation is not None:
            deviation = self._gained_deviation(deviation, y).astype(np.float32, copy=False)
        flags = np.zeros(len(x), dtype=np.uint8)
        doubtful = self._doubtful(x, y)
        step = max(NUMBERS_AT_ONCE // (x.shape[1] + y.shape[1]), FEWEST_ROWS)
        for start in range(0, doubtful.size, step):
            part = doubtful[start : start + step]
            some = y[part]
            flags[part] = self._decided(computed[part], x[part], some)
            y[part] = some
        return y.astype(np.float32, copy=False), flags, deviation

    def _gained_deviation(self, deviation: Floats, y: Floats) -> Floats:
        """Gains change the deviation of what is not stated as log10."""
        gains = self.step.gains
        if gains is None:
            return deviation
        decades = [variable.spans_decades for variable in self.step.network.outputs]
        return np.asarray(np.where(decades, deviation, deviation * gains.factors(y)))

    def _inputs(self, computed: npt.NDArray[np.intp]) -> Float32:
        """What the network takes of some rows (n, inputs); columns together in memory."""
        layers = chosen(self.rows, self.step.columns).T
        every = computed.size == len(self.rows)
        return np.asarray((layers if every else np.take(layers, computed, axis=1)).T)

    def _doubtful(self, x: Float32, y: Floats) -> npt.NDArray[np.intp]:
        """Rows that are not well inside of all ranges, or of which more has to be decided."""
        network = self.step.network
        if network.classes or SCOPE in network.after or self.step.gains is not None:
            return np.arange(len(x))
        margin = 2 * SELF_CHECK_TOLERANCE if self.step.upstream else ROUNDING
        inside = np.ones(len(x), dtype=bool)
        for column, (low, high) in enumerate(_well_inside(network.inputs, margin)):
            inside &= (x[:, column] >= low) & (x[:, column] <= high)
        beside_limits = _at_limit_widths(network.outputs)
        outputs = _well_inside(network.outputs, 2 * SELF_CHECK_TOLERANCE, beside_limits)
        for column, (low, high) in enumerate(outputs):
            inside &= (y[:, column] >= low) & (y[:, column] <= high)
        return np.flatnonzero(~inside)

    def _decided(self, computed: npt.NDArray[np.intp], x: Float32, y: Floats) -> Flags:
        """Range flags of rows; what the reference or gains change of the outputs is changed."""
        network, gains = self.step.network, self.step.gains
        near = self._near(x, y)
        exact_x, exact_y = x.astype(np.float64), y.astype(np.float64)
        if near.any():
            exact_x[near] = self._exact_inputs(self.rows[computed[near]])
            exact_y[near] = network.reference(exact_x[near])
            if network.classes:
                y[near] = exact_y[near]  # rounding must not choose the class
        outside = _outside(network.inputs, transformed(network.inputs, exact_x))
        self.outside[:] += outside.sum(axis=0)
        flags = _range_flags(network, outside, exact_y)
        if SCOPE in network.after:
            given = exact_x[:, _scope_columns(network)]
            flags[scope_deviation(given, exact_y) > SCOPE_LIMIT] |= OUT_OF_SCOPE
        if gains is not None:
            y *= gains.factors(exact_y)
        return flags

    def _near(self, x: Float32, y: Floats) -> Bool:
        network, gains = self.step.network, self.step.gains
        near = _near_limits(network.outputs, y)
        if self.step.upstream:
            near |= _near_limits(network.inputs, x)
        if network.classes:
            largest = np.sort(y, axis=1)[:, -2:]
            near |= largest[:, -1] - largest[:, 0] <= SELF_CHECK_TOLERANCE
        if SCOPE in network.after:
            deviation = scope_deviation(x[:, _scope_columns(network)], y)
            near |= np.abs(deviation - SCOPE_LIMIT) <= 2 * SELF_CHECK_TOLERANCE
        if gains is not None:
            near |= gains.near_decision(y, SELF_CHECK_TOLERANCE)
        return near

    def _exact_inputs(self, rows: Float32) -> Float64:
        """The inputs (n, inputs) in float64; what other networks make, by the reference."""
        x = rows[:, self.step.columns].astype(np.float64)
        columns = np.array(self.step.columns)
        for maker in self.steps:
            made = (columns >= maker.output_columns.start) & (columns < maker.output_columns.stop)
            if made.any():
                outputs = _Evaluation(maker, rows, self.steps)._exact_outputs(rows)  # noqa: SLF001
                x[:, made] = outputs[:, columns[made] - maker.first_output]
        return np.asarray(gained(x, self.step.input_gains))

    def _exact_outputs(self, rows: Float32) -> Float64:
        outputs = self.step.network.reference(self._exact_inputs(rows))
        return np.asarray(gained(outputs, self.step.gains))


def _scope_columns(network: "Retrieval") -> list[int]:
    """The inputs that a network reconstructs, in the order of its outputs."""
    names = [variable.name for variable in network.inputs]
    return [names.index(variable.name) for variable in network.outputs]


def range_flags(network: "Retrieval", x: Floats, y: Floats) -> Flags:
    """Range bits (n,) of computed pixels from inputs (n, inputs) and outputs (n, outputs)."""
    inputs = transformed(network.inputs, x.astype(np.float64))
    return _range_flags(network, _outside(network.inputs, inputs), y)


def _range_flags(network: "Retrieval", inputs_outside: Bool, y: Floats) -> Flags:
    flags = np.zeros(len(y), dtype=np.uint8)
    flags[inputs_outside.any(axis=1)] |= INPUT_OUT_OF_RANGE
    outputs = transformed(network.outputs, y.astype(np.float64))
    outputs_outside = _outside(network.outputs, outputs)
    if network.may_fail:
        outputs_outside |= np.isnan(y)
    flags[outputs_outside.any(axis=1)] |= OUTPUT_OUT_OF_RANGE
    minimum, maximum = limits(network.outputs)
    distance = np.minimum(np.abs(outputs - minimum), np.abs(outputs - maximum))
    flags[(distance <= _at_limit_widths(network.outputs)).any(axis=1)] |= OUTPUT_AT_LIMIT
    return flags


def _outside(variables: "tuple[Variable, ...]", values: Float64) -> Bool:
    """Where transformed values (n, variables) are outside the training range, of the same shape."""
    minimum, maximum = limits(variables)
    return np.asarray((values < minimum) | (values > maximum))


def _at_limit_widths(variables: Any) -> Float64:
    """How near to a limit counts, in units of each transformed variable; -1 for no logarithm."""
    per_unit = [variable.transform.ln_per_unit for variable in variables]
    return np.array([-1.0 if ln is None else AT_LIMIT_LN / ln for ln in per_unit])


def _well_inside(
    variables: "tuple[Variable, ...]", margin: float, widths: Float64 | None = None
) -> list[tuple[float, float]]:
    """For each variable the physical values of which no bit can be set, nor be in doubt.

    Args:
        variables: those of one side of a network.
        margin: how far from a limit a transformed value is in doubt, relative where it is above 1.
        widths: how much of a range, beside its limits, has a bit of its own.
    """
    ranges = []
    for index, variable in enumerate(variables):
        beside = 0.0 if widths is None else max(float(widths[index]), 0.0)
        low = variable.minimum + margin * max(1.0, abs(variable.minimum)) + beside
        high = variable.maximum - margin * max(1.0, abs(variable.maximum)) - beside
        if low >= high:
            ranges.append((math.inf, -math.inf))
            continue
        ends = [
            float(variable.transform.inverse(np.float64(end))) if math.isfinite(limit) else limit
            for end, limit in ((low, variable.minimum), (high, variable.maximum))
        ]
        if variable.transform.needs_non_negative and low < 0:
            ends[0] = 0.0  # a square root is never below
        if not variable.transform.increasing:
            # A cosine, which falls from 0 to 180 degrees and nowhere else.
            first, last = (-end if math.isinf(end) else end for end in reversed(ends))
            ends = [max(first, 0.0), min(last, 180.0)]
        # Inwards to float32.
        least = float(np.nextafter(np.float32(ends[0]), np.float32(np.inf)))
        ranges.append((least, float(np.nextafter(np.float32(ends[1]), np.float32(-np.inf)))))
    return ranges


def _near_limits(variables: Any, physical: Floats) -> Bool:
    """Rows (n,) where rounding could decide a range bit of these variables."""
    values = transformed(variables, physical.astype(np.float64))
    minimum, maximum = limits(variables)
    margin = SELF_CHECK_TOLERANCE * np.maximum(1.0, np.abs(values))
    widths = _at_limit_widths(variables)
    near = np.zeros(len(values), dtype=bool)
    for limit in (minimum, maximum):
        distance = np.abs(values - limit)
        near |= ((distance <= margin) | (np.abs(distance - widths) <= margin)).any(axis=1)
    return near
