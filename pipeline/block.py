"""All that happens to a pixel, as a pure function of one block: no file, no dask, no thread."""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from pipeline.networks.engines import SELF_CHECK_TOLERANCE, get_engine
from pipeline.networks.reference import forward, limits, transformed
from pipeline.quality import (
    AT_LIMIT_LN,
    FIRST_MASK_BIT,
    GEOLOCATION_INVALID,
    INPUT_MISSING,
    INPUT_NOT_POSITIVE,
    INPUT_OUT_OF_RANGE,
    NO_DATA,
    OUTPUT_AT_LIMIT,
    OUTPUT_OUT_OF_RANGE,
    OUTSIDE_VALID_RANGE,
    QUALITY_FLAGS,
    SATURATED,
    STATE_OUTSIDE_VALID_RANGE,
    STATE_SATURATED,
)

if TYPE_CHECKING:
    from pipeline.networks import Network
    from pipeline.plan import NetworkStep, Plan

Bool = npt.NDArray[np.bool_]
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]


def process_block(block: xr.Dataset, plan: "Plan") -> xr.Dataset:
    """The products of one block.

    Args:
        block: a piece of the scene as ``plan.select`` gives it, computed.
        plan: the plan of the run.

    Returns:
        ``quality_flags`` and, for each network, its product variables (float32, NaN where it was
        not computed) and its flags, all on (y, x).
    """
    quality = pixel_quality(block, plan)
    unmasked = np.flatnonzero(quality < (1 << FIRST_MASK_BIT))
    rows = _gather(block, plan, unmasked)
    made: dict[str, npt.NDArray[Any]] = {QUALITY_FLAGS: quality}
    for step in plan.steps:
        values, flags = run_network(step, rows[:, step.columns])
        for name, column in zip(step.variables, values.T, strict=True):
            made[name] = _scatter(column, unmasked, quality.shape, np.float32(np.nan))
        made[step.flags_name] = _scatter(flags, unmasked, quality.shape, np.uint8(0))
    return xr.Dataset({name: (("y", "x"), array) for name, array in made.items()})


def pixel_quality(block: xr.Dataset, plan: "Plan") -> npt.NDArray[np.uint32]:
    """``quality_flags`` of every pixel, with shape (y, x)."""
    shape = (block.sizes["y"], block.sizes["x"])
    quality = np.zeros(shape, dtype=np.uint32)
    for band in plan.inputs:
        states = band.states(block)
        outside = (states & STATE_OUTSIDE_VALID_RANGE) != 0
        missing = ~np.isfinite(band.values(block)) & ~outside
        quality[missing] |= np.uint32(NO_DATA)
        quality[outside] |= np.uint32(OUTSIDE_VALID_RANGE)
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
    """The inputs of the chosen pixels, with shape (pixels, inputs): shared by all networks."""
    rows = np.empty((pixels.size, len(plan.inputs)), dtype=np.float32)
    for column, band in enumerate(plan.inputs):
        rows[:, column] = band.values(block).reshape(-1)[pixels]
    return rows


def _scatter(
    values: npt.NDArray[Any], pixels: npt.NDArray[np.intp], shape: tuple[int, ...], fill: Any
) -> npt.NDArray[Any]:
    full = np.full(shape, fill)
    full.reshape(-1)[pixels] = values
    return full


def run_network(step: "NetworkStep", x: Float32) -> tuple[Float32, npt.NDArray[np.uint8]]:
    """Values (n, outputs) and flags (n,) of one network for unmasked pixels ``x`` (n, inputs)."""
    network = step.network
    flags = np.zeros(len(x), dtype=np.uint8)
    flags[~np.isfinite(x).all(axis=1)] |= INPUT_MISSING
    for column, variable in enumerate(network.inputs):
        if variable.transform.needs_positive:
            flags[x[:, column] <= 0] |= INPUT_NOT_POSITIVE
    computed = np.flatnonzero(flags == 0)
    values = np.full((len(x), len(network.outputs)), np.nan, dtype=np.float32)
    valid = x[computed]
    if valid.size:
        y = get_engine(network, step.engine).predict(valid)
        values[computed] = y
        flags[computed] = range_flags(network, valid, y)
    return values, flags


def range_flags(network: "Network", x: Float32, y: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Range bits (n,) of computed pixels from inputs (n, inputs) and outputs (n, outputs)."""
    flags = np.zeros(len(x), dtype=np.uint8)
    inputs = transformed(network.inputs, x.astype(np.float64))
    flags[_outside(inputs, *limits(network.inputs))] |= INPUT_OUT_OF_RANGE
    outputs = _outputs_for_flags(network, x, y)
    minimum, maximum = limits(network.outputs)
    flags[_outside(outputs, minimum, maximum)] |= OUTPUT_OUT_OF_RANGE
    flags[_at_limit(network, outputs)] |= OUTPUT_AT_LIMIT
    return flags


def _outside(values: Float64, minimum: Float64, maximum: Float64) -> Bool:
    return np.asarray(((values < minimum) | (values > maximum)).any(axis=1))


def _at_limit(network: "Network", outputs: Float64) -> Bool:
    """Rows with a log10 output within ``AT_LIMIT_LN`` of either limit."""
    minimum, maximum = limits(network.outputs)
    near = np.minimum(np.abs(outputs - minimum), np.abs(outputs - maximum)) <= _at_limit_width()
    is_log = np.array([v.transform_name == "log10" for v in network.outputs])
    return np.asarray((near & is_log).any(axis=1))


def _at_limit_width() -> float:
    return float(AT_LIMIT_LN / np.log(10.0))


def _outputs_for_flags(network: "Network", x: Float32, y: npt.NDArray[Any]) -> Float64:
    """Transformed outputs (n, outputs), exact enough that every engine sets the same bits.

    Engines differ in the last digits of float32. Rows so near to a threshold that this could decide
    a bit are evaluated by the float64 reference.
    """
    outputs = transformed(network.outputs, y.astype(np.float64))
    minimum, maximum = limits(network.outputs)
    margin = SELF_CHECK_TOLERANCE * np.maximum(1.0, np.abs(outputs))
    close = np.zeros(len(x), dtype=bool)
    for limit in (minimum, maximum):
        distance = np.abs(outputs - limit)
        is_near = (distance <= margin) | (np.abs(distance - _at_limit_width()) <= margin)
        close |= is_near.any(axis=1)
    if close.any():
        outputs[close] = transformed(network.outputs, forward(network, x[close]))
    return outputs
