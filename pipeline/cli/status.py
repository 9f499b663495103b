"""The command ``ocpipe status``: progress of batches, checks for monitoring, metrics."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from pipeline.cli.options import PATH, Command, log_level_option, option
from pipeline.cli.session import exit_on_error, start
from pipeline.cli.terminal import clear, show
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from pipeline.batch.monitoring import Limit
    from pipeline.batch.status import LedgerStatus


class _WrongLimit(click.BadParameter):
    """A wrong limit. Its exit code is UNKNOWN, because 2 would mean CRITICAL."""

    exit_code = 3


class _LimitText(click.ParamType):  # type: ignore[type-arg]  # generic in its stubs only
    """The type of a limit such as ``last-call=30min``."""

    name = "limit"

    def convert(self, value: Any, param: Any, ctx: Any) -> "Limit":
        """Return the limit."""
        from pipeline.batch.monitoring import Limit

        try:
            return value if isinstance(value, Limit) else Limit.of(value)
        except ValueError as error:
            raise _WrongLimit(str(error), ctx, param) from None


def _limit_option(flag: str, verdict: str, otherwise: str) -> Callable[[Command], Command]:
    text = (
        f"With --check: {verdict} beyond this limit, such as last-call=2h or failed=5%; repeatable."
    )
    return option(flag, text, otherwise, _LimitText(), metavar="NAME=LIMIT", multiple=True)


@click.command()
@click.argument("ledger", metavar="[LEDGER | FOLDER]", type=PATH, default=Path())
@click.option("--json", "as_json", is_flag=True, help="Print JSON; with --watch, on one line.")
@click.option("--watch", is_flag=True, help="Show the progress again and again, until Ctrl-C.")
@option(
    "--every",
    "Time between two displays of --watch.",
    "5",
    click.FloatRange(min=0.1),
    metavar="SECONDS",
)
@click.option("--check", is_flag=True, help="Print one line and set the exit code for monitoring.")
@_limit_option("--warn", "WARNING", "failed=0")
@_limit_option("--critical", "CRITICAL", "none")
@option(
    "--metrics",
    "Write the numbers to this file, as OpenMetrics text.",
    "none",
    PATH,
    metavar="FILE",
)
@log_level_option
def status(
    ledger: Path,
    as_json: bool,
    watch: bool,
    every: float | None,
    check: bool,
    warn: "tuple[Limit, ...]",
    critical: "tuple[Limit, ...]",
    metrics: Path | None,
    log_level: str,
) -> None:
    """Show the progress of batches, from one LEDGER or from all ledgers in a FOLDER.

    Limits of --check apply to each configuration. For last-call, last-complete-call and
    last-success, give an age (30s, 20min, 2h, 1d). For failed, suspect and pending, give a share
    (5%) or a number of scenes (10).

    Exit codes: 0 success, 1 the ledger cannot be read, 2 wrong use. With --check: 0 OK, 1 WARNING,
    2 CRITICAL, 3 UNKNOWN.
    """
    start(log_level)
    if check and (watch or as_json):
        raise click.UsageError("--check prints one line. Leave --watch and --json out.")
    if (warn or critical) and not check:
        raise click.UsageError("--warn and --critical are limits of --check. Give --check too.")
    if check:
        _check(ledger, warn, critical, metrics)
    while True:
        with exit_on_error():
            found, now = _read(ledger, metrics)
        _show(found, now, as_json, watch)
        if not watch:
            return
        time.sleep(every or 5)


def _read(ledger: Path, metrics: Path | None) -> "tuple[list[LedgerStatus], float]":
    """Read the ledgers, write the metrics, and return the ledgers and the time of reading."""
    from pipeline.batch.status import read_status

    found, now = read_status(ledger), time.time()
    if metrics is not None:
        from pipeline.batch.openmetrics import openmetrics
        from pipeline.files.replacing import replace_file

        replace_file(metrics, openmetrics(found, now).encode())
    return found, now


def _show(found: "list[LedgerStatus]", now: float, as_json: bool, watch: bool) -> None:
    from pipeline.batch.ages import iso_time
    from pipeline.batch.status import as_json as json_of
    from pipeline.batch.status_text import lines

    if as_json:
        show(*json_of(found, now, None if watch else 2).splitlines())
        return
    if watch:
        clear()
        show(iso_time(now))
    show(*lines(found, now))


def _check(
    ledger: Path, warn: "tuple[Limit, ...]", critical: "tuple[Limit, ...]", metrics: Path | None
) -> NoReturn:
    """Print the line for a monitoring system, and exit with its code."""
    from pipeline.batch.monitoring import DEFAULT_WARNINGS, UNKNOWN, judge, line_of

    try:
        found, now = _read(ledger, metrics)
    except PipelineError as error:
        show(line_of(UNKNOWN, str(error)))
        sys.exit(UNKNOWN)
    code, line = judge(found, warn or (() if critical else DEFAULT_WARNINGS), critical, now)
    show(line)
    sys.exit(code)
