"""The command ``ocpipe batch``, which processes many scenes."""

import contextlib
import logging
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from pipeline import stopping
from pipeline.cli.options import (
    PATH,
    POSITIVE,
    Numbers,
    configured,
    log_level_option,
    option,
    run_options,
)
from pipeline.cli.refusals import REFUSED, exit_if_refused
from pipeline.cli.session import exit_on_error, failure, importing, start
from pipeline.cli.terminal import show, terminal_question
from pipeline.errors import ConfigError, LedgerError, NoSceneError, OutputError, PipelineError
from pipeline.machine.words import counted

if TYPE_CHECKING:
    from pipeline.batch.ledger import LedgerEntry
    from pipeline.batch.loop import BatchSummary
    from pipeline.batch.request import BatchRequest

log = logging.getLogger("pipeline")

# Exit codes of a batch, as in <sysexits.h>: EX_NOINPUT, EX_UNAVAILABLE and EX_CANTCREAT.
NO_SCENE = 66
NO_CLUSTER = 69
NO_PLACE = 73


class _Shard(Numbers):
    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return ``3/8`` as (3, 8)."""
        number, count = super().convert(value, param, ctx)
        if not 1 <= number <= count:
            self.fail(f"{value!r} is not {self.name}", param, ctx)
        return number, count


@click.command()
@click.argument("config")
@click.argument("inputs", metavar="[FILES | FOLDERS | GLOBS | @LIST | -]", nargs=-1)
@run_options
@option(
    "--ledger",
    "File that records which scenes are done; it must be on a local disk.",
    "in the output folder",
    PATH,
)
@click.option(
    "--ledger-must-exist",
    is_flag=True,
    help="Do not make a new ledger: if it is missing, its disk may not be mounted.",
)
@click.option(
    "--remake-missing",
    is_flag=True,
    help="Make products again even if the output folder of the ledger has become empty.",
)
@click.option(
    "--may-be-empty",
    is_flag=True,
    help="Accept folders, patterns and lists without scenes. A disk of scenes that is not "
    "mounted is then no error.",
)
@click.option("--dry-run", is_flag=True, help="Only list which scenes would be processed, and why.")
@click.option("--retry-failed", is_flag=True, help="Retry scenes that failed in earlier calls.")
@option(
    "--max-attempts",
    "Number of attempts for a scene that crashes, hangs or runs out of memory.",
    "batch.max_attempts, else 2",
    POSITIVE,
)
@option(
    "--timeout",
    "Longest time that a scene may take.",
    "batch.timeout_s, else 3600",
    click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
)
@option("--limit", "Largest number of scenes to start.", "none", POSITIVE)
@option(
    "--shard",
    "Process one part of the scenes (1/8: the first of eight). Each part has its own ledger.",
    "all",
    _Shard("a shard: the first of eight is 1/8, the last is 8/8", "/", 2, int),
    metavar="I/N",
)
@option(
    "--executor",
    "Run scenes in local processes, in this process (for debugging), or on a Dask cluster.",
    "batch.executor, else processes",
    click.Choice(["processes", "inline", "dask"]),
)
@option(
    "--scheduler",
    "Address of a Dask scheduler; implies --executor dask.",
    "batch.scheduler",
    metavar="tcp://HOST:PORT",
)
@option("--workers", "Number of scenes at the same time.", "as cores and memory allow", POSITIVE)
@option("--threads", "Number of threads per scene.", "as cores and memory allow", POSITIVE)
@option(
    "--memory-limit",
    "Memory for the whole batch, such as 4GB or 2GiB.",
    "half of the free memory",
    metavar="SIZE",
)
@option(
    "--if-exists",
    "What to do when a product's file exists but is not in the ledger.",
    "batch.if_exists, else overwrite",
    click.Choice(["skip", "overwrite", "error"]),
)
@option(
    "--reprocess",
    "Which finished scenes to process again after a change of configuration, networks or version: "
    "scenes whose numbers may differ (changed); also scenes of another version with the same "
    "numbers (all); none (new-only); or as with changed, after a question on the terminal "
    "(ask-first).",
    "batch.reprocess, else changed",
    click.Choice(["changed", "all", "new-only", "ask-first"]),
)
@click.option(
    "--deep",
    is_flag=True,
    help="Compare the numbers of every finished product with their checksums first.",
)
@click.option(
    "--new-failures-only",
    is_flag=True,
    help="Ignore scenes that failed in earlier calls when the exit code is chosen.",
)
@click.option("--log-json", is_flag=True, help="Write messages as JSON, one object per line.")
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
    """Process every scene that is not done yet; the command may be repeated at any time.

    Give scenes as files, folders (searched to any depth) or patterns in quotes. @FILE is a list
    with one file, folder or pattern per line, and - reads such a list from standard input. A ledger
    next to the products records which scenes are done. A scene is processed again when its file, a
    network or the configuration changes, or if a new version may compute other numbers. A scene
    that fails, hangs, crashes or runs out of memory does not stop the others.

    Exit codes: 0 nothing failed, 1 some scenes failed or some inputs name no scene, 2 wrong use, 66
    no input names a scene, 69 the Dask cluster does not answer, 71 the machine refuses open files,
    processes or space, 73 the output folder, its disk or the ledger cannot be used, 75 interrupted
    (SIGTERM, Ctrl-C). Remove the cause, then call again to continue.
    """
    start(log_level, log_json)
    with importing():
        from pipeline.batch.runner import plan_batch, run_batch
        from pipeline.cli.batch_display import display
    with exit_on_error(ConfigError), _codes_of_their_own():
        request = _request(config, inputs, options)
        if dry_run:
            entries = plan_batch(request)
            _print_plan(entries)
            sys.exit(NO_SCENE if entries and all(map(_is_missing, entries)) else 0)
        stop = threading.Event()
        stopping.ask_first(stop.set)
        with display() as listener:
            summary = run_batch(request, listener, stop)
    _report(summary)
    sys.exit(_exit_code(summary, new_failures_only))


@contextlib.contextmanager
def _codes_of_their_own() -> Iterator[None]:
    """End the command with the exit code that tells a scheduler the cause."""
    codes: dict[type[PipelineError], int] = {
        NoSceneError: NO_SCENE, OutputError: NO_PLACE, LedgerError: NO_PLACE,
    }  # fmt: skip
    try:
        yield
    except tuple(codes) as error:
        exit_if_refused(error)
        failure(error)
        sys.exit(codes[type(error)])


def _request(config: str, inputs: tuple[str, ...], options: dict[str, Any]) -> "BatchRequest":
    from pipeline.batch.request import BatchRequest
    from pipeline.run.plan import check_config

    settings = configured(config, **options).batching(
        executor=options["executor"] or ("dask" if options["scheduler"] else None),
        timeout_s=options["timeout"],
        **{
            key: options[key]
            for key in ("scheduler", "workers", "max_attempts", "if_exists", "reprocess")
        },
    )
    check_config(settings)
    keys = (
        "ledger", "shard", "retry_failed", "limit", "ledger_must_exist", "remake_missing",
        "may_be_empty", "deep",
    )  # fmt: skip
    ask = terminal_question()
    return BatchRequest(settings, inputs, ask=ask, **{key: options[key] for key in keys})


def _print_plan(entries: "Sequence[LedgerEntry]") -> None:
    from pipeline.batch.kinds import MENDED_OUTSIDE

    for entry in entries:
        why = f"{entry.state} {entry.finished}"
        if entry.state == "pending":
            why = entry.why
        elif entry.state == "running":
            why = "another process is processing this scene"
        elif entry.state == "failed":
            hint = "" if entry.kind in MENDED_OUTSIDE else "; --retry-failed retries it"
            why = f"failed: {entry.reason}{hint}"
        show(f"{'run' if entry.state == 'pending' else 'skip':<6} {entry.path}  ({why})")
    pending = sum(entry.state == "pending" for entry in entries)
    show(f"{pending} of {len(entries)} scenes would be processed")


def _is_missing(entry: "LedgerEntry") -> bool:
    from pipeline.batch.kinds import MISSING

    return entry.state == "failed" and entry.kind == MISSING


def _report(summary: "BatchSummary") -> None:
    counts = summary.counts
    if summary.problem:
        log.error("the batch ends early: %s", summary.problem)
    if summary.interrupted:
        text = "interrupted; %s left, call again to continue"
        log.warning(text, counted(counts.pending, "scene is", "scenes are"))
    if summary.changed:
        changing = counted(summary.changed, "scene was", "scenes were")
        log.warning("%s still changing and not processed yet; call again", changing)
    earlier = counts.failed - summary.failed
    log.info(
        "%d done, %d skipped, %d failed in %.0f s; in total %d of %d done%s%s",
        summary.done, summary.skipped, summary.failed, summary.seconds,
        counts.done + counts.skipped, counts.total,
        f", {counts.suspect} suspect" if counts.suspect else "",
        f", {earlier} failed in earlier calls (--retry-failed retries them)" if earlier > 0 else "",
    )  # fmt: skip
    if summary.nothing:
        log.error("%d inputs name no scene; see the messages above", len(summary.nothing))


def _exit_code(summary: "BatchSummary", new_failures_only: bool) -> int:
    if summary.problem:
        return REFUSED if summary.is_refused else NO_CLUSTER if summary.is_lost else NO_PLACE
    if summary.interrupted:
        return stopping.INTERRUPTED
    if summary.missing and summary.missing == summary.counts.total and not summary.changed:
        return NO_SCENE
    failed = summary.failed if new_failures_only else summary.counts.failed
    return 1 if failed or summary.nothing else 0
