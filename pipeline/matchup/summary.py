"""The result of a match-up run as text."""

from collections import Counter
from collections.abc import Iterator

from pipeline.config.matchup import MatchupConfig
from pipeline.matchup.find import Matchups
from pipeline.matchup.points import Points
from pipeline.matchup.reasons import MEANINGS


def summary_lines(found: Matchups, points: Points, config: MatchupConfig) -> Iterator[str]:
    """Return the counts of points, scenes, match-ups and reasons as lines of text."""
    matches = [match for row in found.rows for match in row.matches]
    matched = {match.pair.point for match in matches}
    used = {match.pair.scene.name for match in matches}
    failed = f", {found.failed} could not be used" if found.failed else ""
    yield f"points       {len(points)} in {points.table.name}"
    yield f"scenes       {found.scenes}{failed}"
    where = f" of {_plural(len(matched), 'point')} in {_plural(len(used), 'scene')}"
    yield f"match-ups    {len(found.rows)}{where if matches else ''}"
    shared = sum(row.points_in_pixel > 1 for row in found.rows)
    if shared:
        how = "means" if config.same_pixel == "average" else "share their pixel"
        yield f"             {shared} of them have several points in one pixel ({how})"
    if found.rejections:
        alone = sum(rejection.pair is None for rejection in found.rejections)
        pairs = _plural(len(found.rejections) - alone, "pair") + " of point and scene"
        incomplete = f", {_plural(alone, 'incomplete point')}" if alone else ""
        yield f"not used     {pairs}{incomplete}"
    counts = Counter(reason.name for rejection in found.rejections for reason in rejection.reasons)
    for name, meaning in MEANINGS.items():
        if counts[name]:
            yield f"  {counts[name]:>9}  {name}: {meaning}"
    if found.not_considered:
        yield (
            f"not listed   {_plural(found.not_considered, 'pair')} more than "
            f"{config.considered.hours:g} h or {config.considered.km:g} km apart"
        )


def warnings_of(found: Matchups, config: MatchupConfig) -> Iterator[str]:
    """Return warnings about criteria that were not judged and about BRDF corrections."""
    first = [row.matches[0] for row in found.rows]
    missing = Counter(name for match in first for name in match.judgement.not_applied)
    for name, count in missing.items():
        yield (
            f"{name} could not be judged in {_plural(count, 'match-up')} because the scene lacks "
            "the data (see column not_applied)"
        )
    insitu = config.points.resulting_correction
    states = Counter(match.pair.scene.brdf_correction for match in first)
    for state, count in states.items():
        corrections = (
            f"{_plural(count, 'match-up')}: the BRDF correction is {state} in the scene and "
            f"{insitu} in the in-situ data"
        )
        if "unknown" in (state, insitu):
            yield (
                f"{corrections}, so it is unknown whether scene and points are comparable. State "
                "the correction of the points with --insitu-brdf or points.brdf_correction"
            )
        elif state != insitu:
            yield f"{corrections}. Correct the scene or the points before you compare reflectances"


def _plural(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")
