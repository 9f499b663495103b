"""What came of points and scenes, in words."""

from collections import Counter
from collections.abc import Iterator

from pipeline.config.matchup import MatchupConfig
from pipeline.matchup.find import Matchups
from pipeline.matchup.points import Points
from pipeline.matchup.reasons import MEANINGS


def summary_lines(found: Matchups, points: Points, config: MatchupConfig) -> Iterator[str]:
    """Counts of points, scenes, match-ups and reasons."""
    matches = [match for row in found.rows for match in row.matches]
    matched = {match.pair.point for match in matches}
    used = {match.pair.scene.name for match in matches}
    failed = f", {found.failed} could not be used" if found.failed else ""
    yield f"points       {len(points)} in {points.table.name}"
    yield f"scenes       {found.scenes}{failed}"
    of_what = f" of {_plural(len(matched), 'point')} in {_plural(len(used), 'scene')}"
    yield f"match-ups    {len(found.rows)}{of_what if matches else ''}"
    shared = sum(row.points_in_pixel > 1 for row in found.rows)
    if shared:
        how = "means" if config.same_pixel == "average" else "share their pixel"
        yield f"             {shared} of them are of several points in one pixel ({how})"
    if found.rejections:
        alone = sum(rejection.pair is None for rejection in found.rejections)
        pairs = _plural(len(found.rejections) - alone, "pair") + " of point and scene"
        yield f"not used     {pairs}" + (f", {_plural(alone, 'point')} at all" if alone else "")
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
    """What whoever uses the match-ups must know: criteria left out, unlike or unknown BRDF."""
    judged = [row.matches[0] for row in found.rows]
    missing = Counter(name for match in judged for name in match.judgement.not_applied)
    for name, count in missing.items():
        yield (
            f"{name} could not be judged in {_plural(count, 'match-up')}: the scene has nothing "
            "for it (column not_applied)"
        )
    insitu = config.points.brdf_correction
    states = Counter(match.pair.scene.brdf_correction for match in judged)
    for state, count in states.items():
        if "unknown" in (state, insitu):
            yield (
                f"{_plural(count, 'match-up')}: the BRDF correction of the scene is {state}, of "
                f"the in-situ data {insitu}: whether they are comparable is not known. Say that of "
                "the points by --insitu-brdf or points.brdf_correction"
            )
        elif state != insitu:
            yield (
                f"{_plural(count, 'match-up')}: the BRDF correction of the scene is {state}, of "
                f"the in-situ data {insitu}: correct one of them before you compare reflectances"
            )


def _plural(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")
