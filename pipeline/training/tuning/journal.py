"""The trials of a search on disk: one line each, appended when a trial is done.

It is all that a search leaves, and all that it needs to go on: what Keras Tuner proposes follows
from its seed and from what came of the trials before, so a search that goes on is told of these
again and is where it was. A line that was being written when the machine stopped is cut off.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError, OutputError
from pipeline.training.tuning.trial import Trial

NAME = "trials.jsonl"


class Journal:
    """The file, held by one search at a time; made by :func:`open_journal`."""

    def __init__(self, path: Path, descriptor: int, trials: list[Trial]) -> None:
        self.path, self._descriptor = path, descriptor
        self._trials = {trial.number: trial for trial in trials}

    @property
    def trials(self) -> list[Trial]:
        """What is done, by number."""
        return [self._trials[number] for number in sorted(self._trials)]

    def get(self, number: int) -> Trial | None:
        """A trial, if it is done."""
        return self._trials.get(number)

    def append(self, trial: Trial) -> None:
        """Keep a trial; it is on disk when this returns.

        Raises:
            OutputError: it cannot be written.
        """
        _write(self._descriptor, self.path, asdict(trial))
        self._trials[trial.number] = trial


@contextmanager
def open_journal(folder: Path, key: str) -> Iterator[Journal]:
    """The journal in a folder, made where there is none.

    Args:
        folder: made where it is missing.
        key: hash of all that trials depend on; trials of another key are not taken.

    Raises:
        ConfigError: it is of another search, is damaged, or another process works with it.
        OutputError: the folder cannot be written to.
    """
    path = folder / NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(
                f"{path}: another search works with it. Wait for it, or choose another folder."
            ) from None
        lines = _whole_lines(path, descriptor)
        if not lines:
            _write(descriptor, path, {"key": key})
        yield Journal(path, descriptor, _trials(path, lines, key))
    finally:
        os.close(descriptor)


def _whole_lines(path: Path, descriptor: int) -> list[bytes]:
    """The lines that were written to their end; what is behind them is cut off."""
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.ftruncate(descriptor, whole)
    return content[:whole].splitlines()


def _trials(path: Path, lines: list[bytes], key: str) -> list[Trial]:
    if not lines:
        return []
    try:
        first, *rest = (json.loads(line) for line in lines)
        found = first["key"]
        trials = [Trial(**one) for one in rest]
    except (ValueError, TypeError, KeyError) as error:
        raise ConfigError(
            f"{path}: a damaged journal ({error}). Begin anew with --restart, or choose another "
            "folder."
        ) from error
    if found != key:
        raise ConfigError(
            f"{path} holds trials of another configuration or of other samples. Choose another "
            "output folder, or begin anew with --restart."
        )
    return trials


def _write(descriptor: int, path: Path, content: dict[str, Any]) -> None:
    line = (json.dumps(content) + "\n").encode()
    try:
        while line:
            line = line[os.write(descriptor, line) :]
        os.fsync(descriptor)
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> OutputError:
    return OutputError(
        f"{path} cannot be written ({error.strerror or error}). Check that the folder may be "
        "written to and has room."
    )
