"""``ocpipe batch`` and ``ocpipe status``: many scenes, and how far they are."""

import logging
import re
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.options import (
    EXISTING,
    engine_option,
    log_level_option,
    networks_option,
    output_option,
    products_option,
    window_options,
)
from pipeline.cli.session import failure, importing, start, wrong_use
from pipeline.errors import ConfigError, PipelineError

if TYPE_CHECKING:
    from pipeline.batch.ledger import LedgerEntry
    from pipeline.batch.loop import BatchSummary
    from pipeline.batch.request import BatchRequest

log = logging.getLogger("pipeline")

# EX_TEMPFAIL of <sysexits.h>: call again, and it goes on.
INTERRUPTED = 75


class _Shard(click.ParamType):  # type: ignore[type-arg]  # generic in its stubs only
    name = "i/n"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """``3/8`` as (3, 8)."""
        if isinstance(value, tuple):
            return value
        match = re.fullmatch(r"(\d+)/(\d+)", value)
        number, count = map(int, match.groups()) if match else (0, 0)
        if not 1 <= number <= count:
            self.fail(
                f"{value!r} is not a shard: the first of eight is 1/8, the last 8/8", param, ctx
            )
        return number, count


@click.command()
@click.argument("config")
@click.argument("inputs", metavar="[FILES | FOLDERS | GLOBS | @LIST | -]", nargs=-1)
@output_option
@networks_option
@products_option
@engine_option
@window_options
@click.option(
    "--ledger",
    type=EXISTING,
    default=None,
    show_default="in the output folder",
    help="What is done and what is not; on a disk of this machine.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be done, what not, and why.")
@click.option("--retry-failed", is_flag=True, help="Try again what failed in earlier calls.")
@click.option(
    "--max-attempts",
    type=click.IntRange(min=1),
    default=None,
    show_default="batch.max_attempts, else 2",
    help="How often a scene is tried that crashes, hangs or exhausts memory.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=None,
    metavar="SECONDS",
    show_default="batch.timeout_s, else 3600",
    help="After which a scene is given up.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=None,
    show_default="none",
    help="Begin at most so many scenes.",
)
@click.option(
    "--shard",
    type=_Shard(),
    default=None,
    show_default="all",
    help="A part of the scenes with a ledger of its own: 1/8 is the first of eight.",
)
@click.option(
    "--executor",
    type=click.Choice(["processes", "inline", "dask"]),
    default=None,
    show_default="batch.executor, else processes",
    help="Local processes; this process, for debugging; or a Dask cluster.",
)
@click.option(
    "--scheduler",
    default=None,
    metavar="tcp://HOST:PORT",
    show_default="batch.scheduler",
    help="Of a Dask cluster; implies --executor dask.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=None,
    show_default="by cores and memory",
    help="Scenes at once.",
)
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    default=None,
    show_default="by cores and memory",
    help="Threads for each scene.",
)
@click.option(
    "--memory-limit",
    default=None,
    metavar="SIZE",
    show_default="half of what is left",
    help="Memory (4GB, 2GiB) of the whole batch.",
)
@click.option(
    "--if-exists",
    type=click.Choice(["skip", "overwrite", "error"]),
    default=None,
    show_default="batch.if_exists, else overwrite",
    help="What becomes of a file in a product's place that the ledger does not know.",
)
@click.option(
    "--new-failures-only",
    is_flag=True,
    help="Exit code 1 only for scenes that failed in this call.",
)
@click.option("--log-json", is_flag=True, help="Messages as JSON, one object a line.")
@log_level_option
def batch(
    config: str,
    inputs: tuple[str, ...],
    dry_run: bool,
    new_failures_only: bool,
    log_json: bool,
    log_level: str,
    **options: Any,
) -> None:
    """Do what is pending of many scenes, and nothing else; called again, it goes on.

    Scenes are files, folders (searched to any depth), patterns in quotes, lists of these
    (@FILE, one a line), or - for a list on standard input. A ledger beside the products knows what
    is done; a changed scene, network, configuration or version makes scenes pending again. A scene
    that fails, hangs, crashes or exhausts memory costs the others nothing.

    Exit codes: 0 nothing failed, 1 some scenes failed, 2 wrong use, 75 interrupted (SIGTERM,
    Ctrl-C): call again to go on.
    """
    start(log_level, log_json)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with importing():
        from pipeline.batch.runner import plan_batch, run_batch
        from pipeline.cli.batch_display import display
    try:
        request = _request(config, inputs, options)
        if dry_run:
            _print_plan(plan_batch(request))
            return
        with display() as listener:
            summary = run_batch(request, listener, stop)
    except ConfigError as error:
        wrong_use(error)
    except PipelineError as error:
        failure(error)
        sys.exit(1)
    _say(summary)
    sys.exit(_exit_code(summary, new_failures_only))


def _request(config: str, inputs: tuple[str, ...], options: dict[str, Any]) -> "BatchRequest":
    from pipeline.batch.request import BatchRequest
    from pipeline.cli.run import configured
    from pipeline.run.plan import check_config

    settings = configured(config, **options)
    executor = options["executor"] or ("dask" if options["scheduler"] else None)
    settings = settings.batching(
        executor=executor,
        scheduler=options["scheduler"],
        workers=options["workers"],
        timeout_s=options["timeout"],
        max_attempts=options["max_attempts"],
        if_exists=options["if_exists"],
    )
    check_config(settings)
    return BatchRequest(
        settings,
        inputs,
        ledger=options["ledger"],
        shard=options["shard"],
        retry_failed=options["retry_failed"],
        limit=options["limit"],
    )


def _print_plan(entries: "Sequence[LedgerEntry]") -> None:
    for entry in entries:
        if entry.state == "pending":
            click.echo(f"run    {entry.path}  ({entry.why})")
        elif entry.state == "running":
            click.echo(f"skip   {entry.path}  (in work in another process)")
        elif entry.state == "failed":
            hint = "" if entry.kind in ("missing", "name") else "; --retry-failed tries again"
            click.echo(f"skip   {entry.path}  (failed: {entry.reason}{hint})")
        else:
            click.echo(f"skip   {entry.path}  ({entry.state} {entry.finished})")
    pending = sum(entry.state == "pending" for entry in entries)
    click.echo(f"{pending} of {len(entries)} scenes would be done")


def _say(summary: "BatchSummary") -> None:
    counts = summary.counts
    if summary.problem:
        log.error("the batch ends: %s", summary.problem)
    if summary.interrupted:
        log.warning("interrupted; %d scenes are left, call again to go on", counts.pending)
    earlier = counts.failed - summary.failed
    log.info(
        "%d done, %d skipped, %d failed in %.0f s; in all %d of %d done%s%s",
        summary.done, summary.skipped, summary.failed, summary.seconds,
        counts.done + counts.skipped, counts.total,
        f", {counts.suspect} suspect" if counts.suspect else "",
        f", {earlier} failed in earlier calls (--retry-failed)" if earlier > 0 else "",
    )  # fmt: skip


def _exit_code(summary: "BatchSummary", new_failures_only: bool) -> int:
    if summary.problem:
        return 1
    if summary.interrupted:
        return INTERRUPTED
    return 1 if (summary.failed if new_failures_only else summary.counts.failed) else 0


@click.command()
@click.argument("ledger", metavar="[LEDGER | FOLDER]", type=EXISTING, default=Path())
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@log_level_option
def status(ledger: Path, as_json: bool, log_level: str) -> None:
    """How far a batch is: its LEDGER, or all ledgers of a FOLDER together."""
    start(log_level)
    from pipeline.batch import status as statuses

    try:
        found = statuses.read_status(ledger)
    except PipelineError as error:
        failure(error)
        sys.exit(1)
    click.echo(statuses.as_json(found) if as_json else "\n".join(statuses.lines(found)))
