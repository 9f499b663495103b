"""The journal of a search: one line per trial, appended when the trial is done.

A search resumes from the journal alone, because the proposals of Keras Tuner depend only on its
seed and on the results of earlier trials. If the last line is incomplete because the machine
stopped, this line is cut off.
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
from pipeline.files.contents import read_bytes
from pipeline.files.limits import TEXT_BYTES
from pipeline.files.replacing import open_to_append
from pipeline.training.tuning.trial import Trial

NAME = "trials.jsonl"


class Journal:
    """An open journal that only one search can use; :func:`open_journal` opens it."""

    def __init__(self, path: Path, descriptor: int, trials: list[Trial]) -> None:
        self.path, self._descriptor = path, descriptor
        self._trials = {trial.number: trial for trial in trials}

    @property
    def trials(self) -> list[Trial]:
        """The trials that are done, ordered by number."""
        return [self._trials[number] for number in sorted(self._trials)]

    def get(self, number: int) -> Trial | None:
        """Return a finished trial, or None if there is no finished trial with this number."""
        return self._trials.get(number)

    def append(self, trial: Trial) -> None:
        """Append a trial to the journal; when this method returns, the trial is on disk.

        Raises:
            OutputError: the journal cannot be written.
        """
        _write(self._descriptor, self.path, asdict(trial))
        self._trials[trial.number] = trial


@contextmanager
def open_journal(folder: Path, key: str) -> Iterator[Journal]:
    """Open the journal in a folder; folder and journal are created if they are missing.

    Args:
        folder: folder of the search.
        key: hash of everything that trials depend on; a journal with another key is refused.

    Raises:
        ConfigError: the journal was made by another search, is damaged, or is in use.
        OutputError: the folder cannot be written to.
    """
    path = folder / NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = open_to_append(path, os.O_RDWR)
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(
                f"{path}: another search uses this journal. Wait until it ends, or choose another "
                "folder."
            ) from None
        lines = _whole_lines(path, descriptor)
        if not lines:
            _write(descriptor, path, {"key": key})
        yield Journal(path, descriptor, _trials(path, lines, key))
    finally:
        os.close(descriptor)


def _whole_lines(path: Path, descriptor: int) -> list[bytes]:
    """Return the complete lines of the journal; cut off its last line if this is incomplete."""
    content = read_bytes(path, TEXT_BYTES, ConfigError)
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
            f"{path}: the journal is damaged ({error}). Start over with --restart, or choose "
            "another folder."
        ) from error
    if found != key:
        raise ConfigError(
            f"{path} has trials of another configuration or of other samples. Choose another "
            "output folder, or start over with --restart."
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
        f"{path} cannot be written ({error.strerror or error}). Check the permissions of the "
        "folder and the free space."
    )
