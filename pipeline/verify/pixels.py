"""Recomputes pixels of a product with the float64 reference."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from pipeline.networks.engines import example_inputs
from pipeline.product.checksums import without_fill
from pipeline.product.reading import ProductFile
from pipeline.product.recorded import listed, shown
from pipeline.run.block import process_block
from pipeline.run.plan import Plan
from pipeline.run.uncertainty import CENTRE_SUFFIX, SUFFIX
from pipeline.scene.quality import QUALITY_FLAGS
from pipeline.scene.scene import SOURCE_FLAGS
from pipeline.verify.finding import Finding
from pipeline.writers.chunks import as_stored

# Float32 engines differ from the reference by at most 3e-4, even after a chain of networks.
RELATIVE_TOLERANCE = 1e-3
# An output that may pass through zero may also differ by this share of its range.
RANGE_TOLERANCE = 1e-5
# An uncertainty may also differ by this (decades): it is a difference of rounded outputs.
DEVIATION_TOLERANCE = 1e-4


def check_pixels(
    product: ProductFile, scene: xr.Dataset, plan: Plan, sample: int | None, seed: int
) -> Iterator[Finding]:
    """Recompute pixels with the float64 reference, block by block."""
    reference = replace(plan, steps=tuple(replace(step, engine="numpy") for step in plan.steps))
    selected = reference.select(scene)
    has_value = _has_value(product, plan)
    chosen = _chosen(has_value, sample, seed)
    scales = _scales(plan)
    compared, wrong = 0, dict[str, str]()
    for region in product.blocks(plan.chunk):
        inside = np.logical_and(*map(_within, chosen, region))
        if not inside.any():
            continue
        lines, pixels = chosen[0][inside] - region[0].start, chosen[1][inside] - region[1].start
        row = _as_row(selected.isel(y=region[0], x=region[1]).load(), lines, pixels)
        computed = _judged_alike(
            process_block(row, reference), row, plan, product, (lines, pixels), region
        )
        compared += lines.size
        for name in product.variables:
            expected = _of_its_bits(_expected(name, computed, row), product.attributes_of(name))
            found = without_fill(product.stored(name, region))[lines, pixels]
            different = np.flatnonzero(~_agree(found, expected, scales.get(name, 0.0)))
            if different.size and name not in wrong:
                first = different[0]
                line, pixel = lines[first] + region[0].start, pixels[first] + region[1].start
                wrong[name] = (
                    f"{shown(name)} at line {line}, pixel {pixel} is {found[first]}, "
                    f"but the recomputed value is {expected[first]}"
                )
    more = f" (and other variables: {listed(list(wrong)[1:])})" if len(wrong) > 1 else ""
    valued = int(np.count_nonzero(has_value[chosen]))
    good = f"{compared} of {has_value.size} pixels recomputed ({valued} with values), all agree"
    yield Finding.of("pixels", next(iter(wrong.values()), "") + more, good)


def _judged_alike(
    computed: xr.Dataset,
    row: xr.Dataset,
    plan: Plan,
    product: ProductFile,
    at: tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]],
    region: tuple[slice, slice],
) -> xr.Dataset:
    """Use the recorded engine for pixels whose values may depend on the engine.

    The last digits of a result may decide whether a mask by results removes it. A derived product
    may be the small difference of two results.
    """
    combined = {n for s in plan.steps if s.is_combined for n in (*s.written, s.flags_name)}
    differs = dict.fromkeys(map(str, computed), np.zeros(len(at[0]), dtype=bool))
    if plan.result_rules:
        found = product.stored(QUALITY_FLAGS, region)[at]
        differs = dict.fromkeys(differs, found != computed[QUALITY_FLAGS].values[0])
    for name in combined:
        found = without_fill(product.stored(name, region))[at]
        differs[name] = differs[name] | ~_agree(found, computed[name].values[0], 0.0)
    if not any(where.any() for where in differs.values()):
        return computed
    with_engine = process_block(row, plan)
    chosen = {
        name: (("y", "x"), np.where(where, with_engine[name].values, computed[name].values))
        for name, where in differs.items()
    }
    return xr.Dataset(chosen)


def _of_its_bits(expected: npt.NDArray[Any], attributes: Mapping[str, Any]) -> npt.NDArray[Any]:
    """Return flags without bits that the product does not have; later versions may have more."""
    if expected.dtype.kind not in "iu" or "flag_masks" not in attributes:
        return expected
    known = np.bitwise_or.reduce(np.atleast_1d(attributes["flag_masks"]))
    return np.asarray(expected & known.astype(expected.dtype))


def _within(places: npt.NDArray[np.intp], part: slice) -> npt.NDArray[np.bool_]:
    return np.asarray((places >= part.start) & (places < part.stop))


def _has_value(product: ProductFile, plan: Plan) -> npt.NDArray[np.bool_]:
    """Return a mask with shape (y, x): pixels on which at least one network has a value."""
    has_value = np.zeros(product.shape, dtype=bool)
    for step in plan.steps:
        for name in step.numbers[-1:]:
            has_value |= np.isfinite(without_fill(product.stored(name)))
    return has_value


def _chosen(
    has_value: npt.NDArray[np.bool_], sample: int | None, seed: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Choose the pixels of the sample; four fifths have values, if enough pixels have values."""
    places = np.arange(has_value.size)
    if sample is not None and sample < has_value.size:
        drawn = np.random.default_rng(seed)
        valued, others = drawn.permutation(places[has_value.ravel()]), places[~has_value.ravel()]
        others = drawn.permutation(others)
        count = min(len(valued), max(4 * sample // 5, sample - len(others)))
        places = np.sort(np.concatenate([valued[:count], others[: sample - count]]))
    lines, pixels = np.unravel_index(places, has_value.shape)
    return lines, pixels


def _scales(plan: Plan) -> dict[str, float]:
    """Return an absolute tolerance for each variable whose values may be near zero."""
    scales: dict[str, float] = {}
    for step in plan.steps:
        network = step.retrieval
        scales |= dict.fromkeys(step.uncertainties, DEVIATION_TOLERANCE)
        for name, variable in zip(step.variables, network.outputs, strict=False):
            if step.is_combined:
                continue
            if variable.transform.ln_per_unit is None and not network.classes:
                low, high = variable.physical_range
                example = network.reference(example_inputs(network, 256))
                spread = np.ptp(example[:, network.outputs.index(variable)])
                known = high - low if np.isfinite([low, high]).all() else spread
                scales[name] = RANGE_TOLERANCE * float(known)
                if step.uncertainties:
                    scales[f"{name}{SUFFIX}"] = scales[f"{name}{CENTRE_SUFFIX}"] = scales[name]
    return scales


def _as_row(
    block: xr.Dataset, lines: npt.NDArray[np.intp], pixels: npt.NDArray[np.intp]
) -> xr.Dataset:
    """Put some pixels of a block into one line; the results of pixels are independent."""
    points = block.isel(y=xr.DataArray(lines, dims="point"), x=xr.DataArray(pixels, dims="point"))
    row = points.rename(point="x").expand_dims(y=1)
    return row.transpose(..., "y", "x")


def _expected(name: str, computed: xr.Dataset, row: xr.Dataset) -> npt.NDArray[Any]:
    if name in computed:
        return np.asarray(computed[name].values[0])
    return np.asarray(row[name if name in row else SOURCE_FLAGS].values[0])


def _agree(
    found: npt.NDArray[Any], expected: npt.NDArray[Any], scale: float
) -> npt.NDArray[np.bool_]:
    if expected.dtype.kind != "f":
        return np.asarray(found == expected)
    expected = without_fill(as_stored(expected))
    finite = np.isfinite(expected)
    with np.errstate(invalid="ignore"):
        near = np.abs(found - expected) <= RELATIVE_TOLERANCE * np.abs(expected) + scale
    return np.asarray(np.where(finite, near, ~np.isfinite(found)))
