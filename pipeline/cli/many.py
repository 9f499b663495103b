"""Runs a command on many files, in this process or in forks of it; returns one exit code."""

import json
import logging
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.options import PATH, POSITIVE, option
from pipeline.cli.refusals import REFUSED, exit_if_refused
from pipeline.cli.session import failure
from pipeline.cli.terminal import show
from pipeline.errors import ConfigError, PipelineError
from pipeline.files.names import as_texts

if TYPE_CHECKING:
    from pipeline.verify import Finding

log = logging.getLogger("pipeline")


@dataclass(frozen=True)
class Result:
    """The result of a command for one file."""

    passed: bool
    facts: dict[str, Any] = field(default_factory=dict)
    """Facts that ``--json`` prints in addition to the file and whether the file passed."""
    is_wrong_use: bool = False
    """Whether the call or a configuration was wrong, so that every file would fail."""
    code: int = 1
    """Exit code for a file that did not pass; a smaller code is worse."""


Work = Callable[[Path], Generator[str, None, Result]]
"""Yields the lines that a command shows for a file, and returns the result."""

FILES = "FILES | FOLDERS | GLOBS | @LIST | -"
ONE_PER_CORE = "one per core"

scenes_option = option(
    "--scene scenes",
    "Input scene of a product, or a folder that contains this scene; repeatable.",
    "the product's folder and the current folder",
    PATH,
    metavar="PATH",
    multiple=True,
)
ledgers_option = option(
    "--ledger ledgers",
    "Ledger of the batch that made the product; it knows the path of the input; repeatable.",
    "ledgers in the folders above the product",
    PATH,
    multiple=True,
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object per file, one per line."
)


def workers_option(otherwise: str) -> Callable[..., Any]:
    """Return the option for the number of files that are processed at the same time."""
    return option(
        "--workers", "Number of files that are processed at the same time.", otherwise, POSITIVE
    )


def default_workers(files: int) -> int:
    """Return the number of workers for work that uses one core per file."""
    from pipeline.machine.resources import available_cores

    return max(1, min(available_cores(), files))


def finding_lines(found: Iterable["Finding"]) -> Generator[str, None, list["Finding"]]:
    """Yield a line for each finding; return the findings."""
    kept = []
    for each in found:
        kept.append(each)
        yield f"{each.word:<13}{each.what:<12}{each.text}"
    return kept


def as_facts(found: Iterable["Finding"]) -> list[dict[str, Any]]:
    """Return findings as plain data."""
    return [
        {"what": each.what, "passed": each.passed, "result": each.word, "text": each.text}
        for each in found
    ]


def conclusion(results: Sequence[Result], done: str) -> int:
    """Log how many of several files are ``done``; return the worst exit code."""
    passed = sum(result.passed for result in results)
    if len(results) > 1:
        log.info("%d of %d products %s", passed, len(results), done)
    codes = {result.code for result in results if not result.passed}
    return min(codes, default=0)


def run_on_each(
    paths: Sequence[Path], work: Work, workers: int, as_json: bool, wrong_ends: bool = False
) -> list[Result]:
    """Do the work for each file, show lines and results in the order of the files.

    With ``wrong_ends``, a ConfigError ends the whole call with exit code 2; otherwise it is an
    error of the file.
    """
    workers = min(workers, len(paths))
    if workers == 1:
        return [_checked(_shown(path, work, as_json, show), wrong_ends) for path in paths]
    return [_checked(each, wrong_ends) for each in _in_forks(paths, work, workers, as_json)]


def _in_forks(paths: Sequence[Path], work: Work, workers: int, as_json: bool) -> Iterator[Result]:
    """Do the work in forks; show the lines of each file when it is finished."""
    from pipeline.machine.forks import Died, in_forks

    def in_fork(number: int) -> tuple[list[str], Result]:
        lines: list[str] = []
        result = _shown(paths[number], work, as_json, lines.append)
        return lines, result

    for path, made in zip(paths, in_forks(in_fork, len(paths), workers), strict=True):
        if not isinstance(made, Died):
            lines, result = made
        elif made.status == REFUSED:  # the fork has shown the error
            sys.exit(REFUSED)
        else:
            log.error("%s: %s. Call again with --workers 1 to see the reason.", path, made)
            result = Result(False, {"error": str(made)})
            lines = [_json(path, result)] if as_json else []
        show(*lines)
        yield result


def _checked(result: Result, wrong_ends: bool) -> Result:
    if wrong_ends and result.is_wrong_use:
        sys.exit(2)
    return result


def _shown(path: Path, work: Work, as_json: bool, to: Callable[[str], None]) -> Result:
    """Do the work for one file; pass on each line at once, or pass on one line of JSON."""
    lines = work(path)
    while True:
        try:
            line = next(lines)
        except StopIteration as end:
            result: Result = end.value
            break
        except Exception as error:  # a bug in this program does not stop the other files
            exit_if_refused(error)
            if isinstance(error, PipelineError):
                failure(error)
            else:
                text = "%s: unexpected failure; please report it with this traceback"
                log.exception(text, path)
            is_wrong_use = isinstance(error, ConfigError)
            result = Result(False, {"error": str(error)}, is_wrong_use)
            break
        if not as_json:
            to(line)
    if as_json:
        to(_json(path, result))
    return result


def _json(path: Path, result: Result) -> str:
    return json.dumps(as_texts({"file": str(path), "passed": result.passed, **result.facts}))
