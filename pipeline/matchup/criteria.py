"""What a window must be like, and what it gives."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.config.matchup import MatchupConfig, Uniformity
from pipeline.matchup.reasons import NOT_UNIFORM, TOO_FEW_VALID, ZENITH_TOO_HIGH, Reason
from pipeline.matchup.statistics import Statistic, statistic_of
from pipeline.matchup.window import ZENITHS, Layers, PixelWindow


@dataclass(frozen=True)
class Judgement:
    """A window, judged."""

    statistics: Mapping[str, Statistic]
    """Of bands and plain variables, by name."""
    valid: int
    counted: int
    """Pixels that are not land."""
    variation: float
    """What uniformity is judged by; NaN where it is not."""
    middle: Mapping[str, float]
    """Zenith angles of the pixel in the middle."""
    reasons: tuple[Reason, ...]
    """Against the window; none where it is good."""
    not_applied: tuple[str, ...]
    """Criteria for which the scene has nothing."""


def judge(window: PixelWindow, layers: Layers, config: MatchupConfig) -> Judgement:
    """All criteria that can be applied to a window; uniformity only where enough is valid."""
    counted, valid = int(window.counted.sum()), int(window.valid.sum())
    needed = least_valid(counted, config)
    statistics = {
        name: statistic_of(values[window.valid], needed, config.outlier_deviations, config.value)
        for name, values in window.values.items()
    }
    reasons, not_applied = _zeniths(window, config)
    variation = float("nan")
    if valid < needed:
        reasons.insert(0, Reason(TOO_FEW_VALID, valid, needed, _why(window)))
    elif config.uniformity is not None:
        variation, lacking = _variation(statistics, layers, config.uniformity)
        not_applied += lacking
        if variation > config.uniformity.limit:
            reasons.insert(0, Reason(NOT_UNIFORM, variation, config.uniformity.limit))
    return Judgement(
        statistics, valid, counted, variation, window.middle, tuple(reasons), tuple(not_applied)
    )


def least_valid(counted: int, config: MatchupConfig) -> int:
    """So many valid pixels a window needs; one at least."""
    share = counted * config.valid.share
    least = math.floor(share) + 1 if config.valid.more_than else math.ceil(share)
    return max(least, 1)


def _why(window: PixelWindow) -> str:
    """``LAND 14, CLDICE 6, no value 2``: which masks exclude so many pixels of the window."""
    counts = {name: int(mask.sum()) for name, mask in window.excluded.items()}
    masked = np.logical_or.reduce([~window.counted, *window.excluded.values()])
    counts["not counted"] = int((~window.counted).sum())
    counts["no value"] = int((~masked & ~window.valid).sum())
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {count}" for name, count in ordered if count)


def _zeniths(window: PixelWindow, config: MatchupConfig) -> tuple[list[Reason], list[str]]:
    reasons, not_applied = [], []
    for name in ZENITHS:
        limit: float | None = getattr(config, f"{name}_max")
        angle = window.middle.get(name, float("nan"))
        if limit is None:
            continue
        if math.isnan(angle):
            not_applied.append(name)
        elif angle > limit:
            reasons.append(Reason(ZENITH_TOO_HIGH[name], angle, limit))
    return reasons, not_applied


def _variation(
    statistics: Mapping[str, Statistic], layers: Layers, uniformity: Uniformity
) -> tuple[float, list[str]]:
    """The coefficient of variation that decides, and what could not be part of it."""
    low, high = uniformity.wavelengths_nm
    bands = [b.name for b in layers.bands if low <= (b.wavelength_nm or 0) <= high]
    also = [name for name in uniformity.also if name in statistics]
    lacking = [] if also or not uniformity.also else ["uniformity of aerosol"]
    found = [statistics[name].variation for name in (*bands, *also)]
    known = [variation for variation in found if not math.isnan(variation)]
    if not known:
        return float("nan"), [*lacking, "uniformity"]
    if uniformity.statistic == "max":
        return max(known), lacking
    return float(np.median(known)), lacking
