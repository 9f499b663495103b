"""Says why a product has (almost) no valid pixel, for example because an input is missing."""

from collections.abc import Iterator

import numpy as np
import xarray as xr

from pipeline.run.plan import Plan
from pipeline.run.step import RetrievalStep
from pipeline.scene.lazy import strips
from pipeline.scene.quality import QUALITY_FLAGS
from pipeline.scene.scene import VALID_WHERE, Band, state_name
from pipeline.writers.tally import Tally

# Largest number of conditions that a message lists if no single condition explains all pixels.
LISTED = 4
# Condition of a pixel, or of a step's inputs -> words; the words of masks are made below.
_WORDS = {
    "outside_valid_range": "an input is outside its valid range",
    "geolocation_invalid": "latitude or longitude is missing or off the globe",
    "no_data": "an input is missing",
    "input_missing": "an input from an earlier step is missing",
    "input_not_positive": "an input is not positive, but its logarithm is needed",
    "output_out_of_range": "the algorithm has no solution",
}


def why_empty(scene: xr.Dataset, plan: Plan, tally: Tally, step: RetrievalStep) -> str:
    """Return a sentence that names the causes.

    If no pixel has data, the inputs are read again to find those that are missing everywhere.
    """
    table, counts = tally.flag_tables[QUALITY_FLAGS], tally.flag_counts[QUALITY_FLAGS]
    lacking = dict(zip(table.names, counts, strict=True)).get("no_data", 0)
    if lacking == tally.pixels:
        return f"{_about_missing(scene, plan)}{_about_stated_validity(scene)}"
    shares = sorted(_shares(tally, step), key=lambda item: -item[1])
    everywhere = [words for words, share in shares if share == 1.0]
    if everywhere:
        return f"On every pixel: {'; '.join(everywhere)}."
    listed = "; ".join(f"{words} ({share:.1%})" for words, share in shares[:LISTED] if share)
    return f"Share of pixels: {listed or 'unknown'}."


def _about_missing(scene: xr.Dataset, plan: Plan) -> str:
    """Name the missing inputs, with shares of pixels; every pixel must lack at least one input."""
    present = present_pixels(scene, plan)
    pixels = plan.extent.shape[0] * plan.extent.shape[1]
    missing = [band.name for band, count in present.items() if count == 0]
    if missing:
        return (
            f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing on every pixel."
        )
    parts = [
        f"{band.name} ({1 - count / pixels:.1%})"
        for band, count in sorted(present.items(), key=lambda item: item[1])
        if count < pixels
    ]
    listed = ", ".join(parts[:LISTED])
    return f"Every pixel lacks an input. Shares of pixels where inputs are missing: {listed}."


def _about_stated_validity(scene: xr.Dataset) -> str:
    """Return a sentence about the file's valid_pixel_expression; without one, return no text."""
    stated = scene.encoding.get(VALID_WHERE, ())
    if not stated:
        return ""
    return (
        f" A value is used only where the file's valid_pixel_expression is true "
        f"({', '.join(stated)}). To use all values, set the reader's option "
        "valid_pixel_expression: ignore."
    )


def present_pixels(scene: xr.Dataset, plan: Plan) -> dict[Band, int]:
    """Return, for each input of the scene, the number of pixels on which it is not missing."""
    present = dict.fromkeys(plan.inputs, 0)
    selected = plan.select(scene).reset_coords(drop=True)
    states = [state_name(band.quantity) for band in present]
    names = {name for name in (*(b.quantity for b in present), *states) if name in selected}
    for _, part in strips(selected[sorted(names)]):
        for band in present:
            # A value outside its valid range is not missing; it has a separate flag.
            present[band] += int(np.count_nonzero(_is_present(band, part)))
    return present


def _is_present(band: Band, part: xr.Dataset) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    states = band.states(part)
    present = np.isfinite(band.values(part))
    return np.asarray(present if states is None else present | (states != 0))


def _shares(tally: Tally, step: RetrievalStep) -> Iterator[tuple[str, float]]:
    """Yield each condition in words, with the share of pixels that meet it.

    For a step that uses no outputs of earlier steps, ``input_missing`` is left out.
    """
    is_first = not any(": " in source.name for source in step.sources)
    for variable in (QUALITY_FLAGS, step.flags_name):
        table, counts = tally.flag_tables[variable], tally.flag_counts[variable]
        for name, count in zip(table.names, counts, strict=True):
            if name.startswith("masked_"):
                yield _about_mask(name.removeprefix("masked_")), count / tally.pixels
            elif name in _WORDS and not (is_first and name == "input_missing"):
                yield _WORDS[name], count / tally.pixels


def _about_mask(name: str) -> str:
    """Return words for a mask; a mask ``unless_A_or_B`` keeps only pixels with flag A or B."""
    kept = name.removeprefix("unless_")
    if kept == name:
        return f"the mask {name} excludes the pixel"
    return f"the pixel has none of the flags to keep ({kept.replace('_or_', ', ')})"
