"""Judges the progress of batches by limits, for a monitoring system (Nagios, Icinga, Zabbix).

The verdicts and the line of text follow the guidelines for plugins of Nagios.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pipeline.batch.ages import age, in_time
from pipeline.batch.ledger import RunOverview
from pipeline.batch.status import LedgerStatus, named_runs

OK, WARNING, CRITICAL, UNKNOWN = 0, 1, 2, 3
WORDS = {OK: "OK", WARNING: "WARNING", CRITICAL: "CRITICAL", UNKNOWN: "UNKNOWN"}
# If there are several findings, the worst one is the verdict.
_WORST_FIRST = (CRITICAL, WARNING, UNKNOWN, OK)

AGES = ("last-call", "last-complete-call", "last-success")
COUNTS = ("failed", "suspect", "pending")
FORMS = (
    f"an age, such as last-call=30min (names: {', '.join(AGES)}; units: s, min, h, d); or a limit "
    f"on scenes, such as failed=5% or failed=10 (names: {', '.join(COUNTS)})"
)
_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86_400}
_LIMIT = re.compile(r"([a-z-]+)=([0-9]+(?:\.[0-9]+)?) ?(s|min|h|d|%|)")


@dataclass(frozen=True)
class Limit:
    """The largest value of a measure that is still acceptable."""

    measure: str
    value: float
    """Seconds for an age, percent for a share, or a number of scenes."""
    unit: str
    """``s``, ``%``, or empty for a number of scenes."""

    @classmethod
    def of(cls, text: str) -> "Limit":
        """Read a limit such as ``last-call=30min`` or ``failed=5%``; raise ValueError if wrong."""
        match = _LIMIT.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not a limit, expected {FORMS}")
        measure, value, unit = match.groups()
        units = (*_SECONDS,) if measure in AGES else ("%", "") if measure in COUNTS else ()
        if unit not in units:
            raise ValueError(f"{text!r} is not a limit, expected {FORMS}")
        if measure in AGES:
            return cls(measure, float(value) * _SECONDS[unit], "s")
        return cls(measure, float(value), unit)

    def __str__(self) -> str:
        return in_time(self.value) if self.unit == "s" else f"{self.value:g}{self.unit}"


class Finding(NamedTuple):
    """A verdict and its reason."""

    verdict: int
    text: str


# Without limits from the user, each failed scene gives a warning.
DEFAULT_WARNINGS = (Limit("failed", 0, ""),)


def judge(
    found: Sequence[LedgerStatus],
    warnings: Sequence[Limit],
    criticals: Sequence[Limit],
    now: float,
) -> tuple[int, str]:
    """Return the exit code and one line of text with performance data.

    For all limits, a call that ended early because of a problem is critical, and a call that was
    killed is a warning.

    Args:
        found: the ledgers; each configuration is checked separately.
        warnings: limits beyond which the verdict is WARNING.
        criticals: limits beyond which the verdict is CRITICAL.
        now: present time in seconds since 1970.
    """
    runs = list(named_runs(found))
    findings: list[Finding] = []
    for name, overview in runs:
        own = [*_about_call(overview), *_beyond(overview, warnings, criticals, now)]
        findings += [Finding(verdict, f"{name}: {text}") for verdict, text in own]
    if not runs:
        findings.append(Finding(UNKNOWN, "the ledger has no scenes"))
    verdicts = {finding.verdict for finding in findings}
    worst = next((verdict for verdict in _WORST_FIRST if verdict in verdicts), OK)
    findings.sort(key=lambda finding: _WORST_FIRST.index(finding.verdict))
    told = "; ".join(text for _, text in findings) or "; ".join(
        f"{name}: {_in_order(overview, now)}" for name, overview in runs
    )
    numbers = " ".join(part for name, overview in runs for part in _numbers(name, overview, now))
    return worst, line_of(worst, told) + (f" | {numbers}" if numbers else "")


def line_of(verdict: int, text: str) -> str:
    """Return the line of text for a verdict, without performance data."""
    # A bar would begin the performance data.
    return f"OCPIPE {WORDS[verdict]}: {text.replace('|', '/')}"


def _about_call(overview: RunOverview) -> Iterator[Finding]:
    call = overview.call
    if call is None:
        return
    if call.problem:
        yield Finding(CRITICAL, f"the last call ended early: {call.problem}")
    if call.was_killed:
        yield Finding(WARNING, f"the last call ({call.begun}) was killed")


def _beyond(
    overview: RunOverview, warnings: Sequence[Limit], criticals: Sequence[Limit], now: float
) -> Iterator[Finding]:
    """Yield the limits that are exceeded; a warning only if no critical limit is exceeded."""
    exceeded: set[str] = set()
    for verdict, limits in ((CRITICAL, criticals), (WARNING, warnings)):
        for limit in limits:
            value = _value(overview, limit, now)
            if value is None:
                yield Finding(UNKNOWN, f"the time of the {_words(limit.measure)} is not known")
            elif value > limit.value and limit.measure not in exceeded:
                exceeded.add(limit.measure)
                yield Finding(verdict, f"{_said(overview, limit, value)}, more than {limit}")


def _value(overview: RunOverview, limit: Limit, now: float) -> float | None:
    """Return the value that a limit is about, in its unit; None if it is not known."""
    if limit.unit == "s":
        return _ages(overview, now)[limit.measure]
    count = getattr(overview.counts, limit.measure)
    if limit.unit != "%":
        return float(count)
    whole = _whole(overview, limit.measure)
    return 100 * count / whole if whole else 0.0


def _whole(overview: RunOverview, measure: str) -> int:
    """Return the number that stands for 100 %: all scenes, or for suspects the finished scenes."""
    return overview.counts.done if measure == "suspect" else overview.counts.total


def _ages(overview: RunOverview, now: float) -> dict[str, float | None]:
    call = overview.call
    ages = (
        0.0 if call is not None and call.is_at_work else age(overview.last_call, now),
        age(overview.last_complete_call, now),
        age(overview.last_success, now),
    )
    return dict(zip(AGES, ages, strict=True))


def _said(overview: RunOverview, limit: Limit, value: float) -> str:
    if limit.unit == "s":
        return f"{_words(limit.measure)} {in_time(value)} ago"
    count, whole = getattr(overview.counts, limit.measure), _whole(overview, limit.measure)
    share = f" ({value:.3g} %)" if limit.unit == "%" else ""
    return f"{count} of {whole} scenes {limit.measure}{share}"


def _words(measure: str) -> str:
    return measure.replace("-", " ")


def _in_order(overview: RunOverview, now: float) -> str:
    counts, last = overview.counts, _ages(overview, now)["last-call"]
    said = "" if last is None else f", last call {in_time(last)} ago"
    return f"{counts.done} of {counts.total} scenes done, {counts.failed} failed{said}"


def _numbers(name: str, overview: RunOverview, now: float) -> Iterator[str]:
    """Yield the performance data of a configuration."""
    name = re.sub("['=|]", "_", name)
    for count in ("done", *COUNTS):
        yield f"'{name} {count}'={getattr(overview.counts, count)};;;0"
    for measure, seconds in _ages(overview, now).items():
        if seconds is not None:
            yield f"'{name} {measure}'={seconds:.0f}s;;;0"
