"""Judge a window by the criteria of a configuration."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.config.matchup import MatchupConfig, Uniformity
from pipeline.matchup.reasons import NOT_UNIFORM, TOO_FEW_VALID, ZENITH_TOO_HIGH, Reason
from pipeline.matchup.statistics import Statistic, statistic_of
from pipeline.matchup.window import ZENITHS, PixelWindow
from pipeline.scene.scene import Band


@dataclass(frozen=True)
class Judgement:
    """The result of judging a window."""

    statistics: Mapping[str, Statistic]
    """Statistics of bands and plain variables, by name."""
    valid: int
    """Number of valid pixels."""
    counted: int
    """Number of pixels that are not land."""
    variation: float
    """Coefficient of variation of the window; NaN if uniformity was not judged."""
    middle: Mapping[str, float]
    """Zenith angles of the middle pixel, in degrees."""
    reasons: tuple[Reason, ...]
    """Reasons to reject the window; empty if the window is good."""
    not_applied: tuple[str, ...]
    """Criteria that could not be judged because the scene lacks the data."""


def judge(window: PixelWindow, uniform: tuple[Band, ...], config: MatchupConfig) -> Judgement:
    """Judge a window by all criteria; uniformity is judged only if enough pixels are valid.

    ``uniform``: the bands that must be uniform.
    """
    counted, valid = int(window.counted.sum()), int(window.valid.sum())
    needed = least_valid(counted, config)
    statistics = {
        name: statistic_of(values[window.valid], needed, config.outlier_deviations, config.value)
        for name, values in window.values.items()
    }
    reasons, not_applied = _zeniths(window, config)
    variation = float("nan")
    if valid < needed:
        reasons.insert(0, Reason(TOO_FEW_VALID, valid, needed, _excluded_counts(window)))
    elif config.uniformity is not None:
        variation, lacking = _variation(statistics, uniform, config.uniformity)
        not_applied += lacking
        if variation > config.uniformity.limit:
            reasons.insert(0, Reason(NOT_UNIFORM, variation, config.uniformity.limit))
    return Judgement(
        statistics, valid, counted, variation, window.middle, tuple(reasons), tuple(not_applied)
    )


def least_valid(counted: int, config: MatchupConfig) -> int:
    """Return how many pixels of a window must be valid; the number is never below one."""
    share = counted * config.valid.share
    least = math.floor(share) + 1 if config.valid.more_than else math.ceil(share)
    return max(least, 1)


def _excluded_counts(window: PixelWindow) -> str:
    """Return how many pixels each mask excludes, such as ``LAND 14, CLDICE 6, no value 2``.

    Pixels on which a mask cannot be decided are counted separately: ``low_sun undecided 25``.
    """
    counts = {}
    for name, mask in window.excluded.items():
        unknown = window.undecided.get(name)
        counts[f"{name} undecided"] = 0 if unknown is None else int(unknown.sum())
        counts[name] = int(mask.sum()) - counts[f"{name} undecided"]
    masked = np.logical_or.reduce([~window.counted, *window.excluded.values()])
    counts["not counted"] = int((~window.counted).sum())
    counts["no value"] = int((~masked & ~window.valid).sum())
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {count}" for name, count in ordered if count)


def _zeniths(window: PixelWindow, config: MatchupConfig) -> tuple[list[Reason], list[str]]:
    """Return a reason for each zenith angle that is too large, and the names of missing angles."""
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
    statistics: Mapping[str, Statistic], uniform: tuple[Band, ...], uniformity: Uniformity
) -> tuple[float, list[str]]:
    """Return the coefficient of variation, and the criteria that could not be judged."""
    names = [band.name for band in uniform]
    also = [name for name in uniformity.also if name in statistics]
    lacking = [] if also or not uniformity.also else ["uniformity of aerosol"]
    found = [statistics[name].variation for name in (*names, *also)]
    known = [variation for variation in found if not math.isnan(variation)]
    if not known:
        return float("nan"), [*lacking, "uniformity"]
    return max(known) if uniformity.statistic == "max" else float(np.median(known)), lacking
