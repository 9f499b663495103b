"""Does everything that happens to a pixel, in a pure function without files, Dask or threads."""

import functools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from pipeline.combined import Chosen
from pipeline.run.propagation import Propagated, propagate
from pipeline.run.result_masks import mask_results
from pipeline.run.retrieve import Retrieved, handed_on, retrieve
from pipeline.run.step import RetrievalStep
from pipeline.scene.quality import (
    FIRST_MASK_BIT,
    GEOLOCATION_INVALID,
    INPUT_MISSING,
    INPUT_NOT_POSITIVE,
    INPUT_UNCERTAIN,
    NO_CLASS,
    NO_DATA,
    OUTSIDE_VALID_RANGE,
    QUALITY_FLAGS,
    SATURATED,
    STATE_OUTSIDE_VALID_RANGE,
    STATE_SATURATED,
)

if TYPE_CHECKING:
    from pipeline.run.plan import Plan

COMPUTED, INPUTS_OUTSIDE = "computed", "inputs_outside"
WITH_DATA, UNDECIDED = "with_data", "undecided"

Float32 = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.intp]


def process_block(block: xr.Dataset, plan: "Plan") -> xr.Dataset:
    """Return the product variables of one block.

    Args:
        block: a piece of the scene as ``plan.select`` returns it, in memory.
        plan: the plan of the run.

    Returns:
        Variables on (y, x): ``quality_flags``, and the values, uncertainties (if any) and flags of
        each step. Values are float32 (NaN where nothing was computed) or a class map. The
        attributes of a step's flags are two counts. ``COMPUTED`` is the number of computed pixels.
        ``INPUTS_OUTSIDE`` is, for each input, the number of these pixels on which the input is out
        of range. The attributes of ``quality_flags`` are two counts. ``WITH_DATA`` is the number
        of pixels with all inputs. ``UNDECIDED`` is, for each mask rule, the number of these pixels
        on which the rule cannot be decided.
    """
    quality, judged = pixel_quality(block, plan)
    unmasked = np.flatnonzero(quality < (1 << FIRST_MASK_BIT))
    rows = _gather(block, plan, unmasked)
    if plan.keeps_flags:  # only bits that leave the pixel unmasked are set here
        rows[:, len(plan.inputs)] = quality.reshape(-1)[unmasked]
    products: dict[str, npt.NDArray[Any]] = {QUALITY_FLAGS: quality}
    counts: dict[str, dict[str, Any]] = {QUALITY_FLAGS: judged}
    results: dict[str, Retrieved] = {}
    for step in plan.steps:
        results[step.name] = result = retrieve(step, rows, plan.steps, results)
        if step.variables:
            columns = _product_columns(step, result.values)
            for name, column in zip(step.variables, columns, strict=True):
                products[name] = _scatter(column, unmasked, quality.shape)
        products[step.flags_name] = _scatter(result.flags, unmasked, quality.shape)
        computed = np.count_nonzero((result.flags & (INPUT_MISSING | INPUT_NOT_POSITIVE)) == 0)
        counts[step.flags_name] = {COMPUTED: computed, INPUTS_OUTSIDE: result.outside}
    for name, column in _uncertainties(block, plan, unmasked, rows, results):
        products[name] = _scatter(column, unmasked, quality.shape)
    if plan.result_rules:
        flags = [step.flags_name for step in plan.steps]
        passed = {name: block[layer].values for name, layer in plan.passed.items()}
        mask_results(products, passed, plan.result_rules, len(plan.rules), plan.written, flags)
    return xr.Dataset(
        {name: (("y", "x"), array, counts.get(name)) for name, array in products.items()}
    )


def pixel_quality(block: xr.Dataset, plan: "Plan") -> tuple[npt.NDArray[np.uint32], dict[str, Any]]:
    """Return ``quality_flags`` of every pixel, with shape (y, x), and counts of the mask rules."""
    shape = (block.sizes["y"], block.sizes["x"])
    missing = np.zeros(shape, dtype=bool)
    states = np.zeros(shape, dtype=np.uint8)
    for band in plan.inputs:
        absent = ~np.isfinite(band.values(block))
        band_states = band.states(block)
        if band_states is not None and band_states.any():
            states |= band_states
            absent &= (band_states & STATE_OUTSIDE_VALID_RANGE) == 0
        missing |= absent
    quality = np.where(missing, np.uint32(NO_DATA), np.uint32(0))
    if states.any():
        quality[(states & STATE_OUTSIDE_VALID_RANGE) != 0] |= np.uint32(OUTSIDE_VALID_RANGE)
        quality[(states & STATE_SATURATED) != 0] |= np.uint32(SATURATED)
    has_data = (quality & np.uint32(NO_DATA | OUTSIDE_VALID_RANGE)) == 0
    quality[_geolocation_invalid(block)] |= np.uint32(GEOLOCATION_INVALID)
    undecided = {}
    for number, rule in enumerate(plan.rules):
        verdict = rule.judge(block)
        quality[verdict.excluded] |= np.uint32(1 << (FIRST_MASK_BIT + number))
        if verdict.undecided is not None:
            undecided[rule.name] = int(np.count_nonzero(verdict.undecided & has_data))
    return quality, {WITH_DATA: int(np.count_nonzero(has_data)), UNDECIDED: undecided}


def _geolocation_invalid(block: xr.Dataset) -> npt.NDArray[np.bool_]:
    if "latitude" not in block:  # computed spectra have no position
        return np.zeros((block.sizes["y"], block.sizes["x"]), dtype=bool)
    # The comparison is negated so that NaN is invalid too.
    latitude, longitude = block["latitude"].values, block["longitude"].values
    return np.asarray(~((np.abs(latitude) <= 90) & (np.abs(longitude) <= 180)))


def _gather(block: xr.Dataset, plan: "Plan", pixels: Pixels) -> Float32:
    """Return rows (pixels, layers); a row has a pixel's bands, then space for all outputs.

    The values of a layer are contiguous in memory, because the steps work layer by layer.
    """
    rows = np.empty((len(plan.layer_names), pixels.size), dtype=np.float32).T
    for column, band in enumerate(plan.inputs):
        np.take(band.values(block).reshape(-1), pixels, out=rows[:, column], mode="clip")
    return rows


def _scatter(values: npt.NDArray[Any], pixels: Pixels, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Make an array with values at some pixels; elsewhere it is NaN, or 0 for classes and flags."""
    fill = np.float32(np.nan) if values.dtype.kind == "f" else np.uint8(NO_CLASS)
    full = np.full(shape, fill)
    full.reshape(-1)[pixels] = values
    return full


def _product_columns(step: RetrievalStep, values: Float32) -> list[npt.NDArray[Any]]:
    """Return the column (n,) of each product variable, computed from outputs (n, outputs)."""
    if isinstance(step.retrieval, Chosen):
        return [values[:, 0], np.nan_to_num(values[:, 1]).astype(np.uint8)]
    if not step.retrieval.classes:
        return list(values.T)
    computed = np.isfinite(values).all(axis=1)
    best = np.zeros(len(values), dtype=np.intp)
    best[computed] = values[computed].argmax(axis=1)
    classes = np.where(computed, best + 1, NO_CLASS).astype(np.uint8)
    return [classes, values[np.arange(len(values)), best]]


def _uncertainties(
    block: xr.Dataset,
    plan: "Plan",
    pixels: Pixels,
    rows: Float32,
    results: Mapping[str, Retrieved],
) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """Yield name and column (pixels,) of each variable with an uncertainty or its centre.

    If a step marks uncertain inputs, its flags are yielded again, with these marks.
    """
    steps = [step for step in plan.steps if step.uncertainties]
    if not steps:
        return
    from_inputs: dict[str, Propagated] = {}
    if plan.uncertainty is not None:
        deviations = plan.uncertainty.deviations(block, pixels)
        from_inputs = propagate(plan.uncertainty, plan.steps, rows, deviations)
        weak: dict[str, npt.NDArray[np.bool_]] = {}
        for step in plan.uncertainty.reached(plan.steps):
            flags = results[step.name].flags
            is_weak = plan.uncertainty.is_weak(step, rows, deviations)
            for maker, inherits in handed_on(step, rows, plan.steps).items():
                is_weak |= inherits & weak.get(maker, False)
            is_computed = (flags & (INPUT_MISSING | INPUT_NOT_POSITIVE)) == 0
            weak[step.name] = is_weak & is_computed
            yield step.flags_name, np.where(weak[step.name], flags | INPUT_UNCERTAIN, flags)
    as_factor = plan.config.science.uncertainty.written_as == "factor"
    for step in steps:
        result = results[step.name]
        moments = from_inputs.get(step.name)
        given = moments.deviation if moments is not None else None
        parts = [part for part in (given, result.deviation) if part is not None]
        for column, name in enumerate(step.uncertainties):
            total = functools.reduce(np.hypot, [part[:, column] for part in parts])
            computed = np.isfinite(result.values[:, column])
            total = np.where(computed, total, np.float32(np.nan))
            spans_decades = step.retrieval.outputs[column].spans_decades
            yield name, np.float32(10) ** total if as_factor and spans_decades else total
            if step.centres and moments is not None and moments.mean is not None:
                mean = np.where(computed, moments.mean[:, column], np.float32(np.nan))
                yield step.centres[column], np.float32(10) ** mean if spans_decades else mean
