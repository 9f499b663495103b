"""Expands the inputs of a command: paths, folders, patterns, lists of these, and standard input."""

import abc
import glob
import io
import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from pipeline.errors import ConfigError
from pipeline.files.access import address_of, why_absent
from pipeline.files.contents import read_text

STDIN = "-"
# A list on standard input may begin with this mark, which Windows programs write.
BYTE_ORDER_MARK = "\ufeff"


class Inputs(abc.ABC):
    """Expands inputs; a subclass searches folders, and records inputs that name nothing."""

    @abc.abstractmethod
    def in_folder(self, folder: str) -> Iterator[str]:
        """Yield the paths in a folder that are inputs."""

    @abc.abstractmethod
    def is_one(self, folder: str) -> bool:
        """Return whether a folder is itself an input, so that it is not searched."""

    @abc.abstractmethod
    def empty_list(self, name: str) -> None:
        """Note that a list contains no paths."""

    @abc.abstractmethod
    def unmatched(self, pattern: str, folder: str) -> None:
        """Note that no path matches a pattern; ``folder`` is the folder where it begins."""

    def expanded(self, item: str) -> Iterator[str]:
        """Yield the paths of an input: a file, a folder, a pattern, ``@LIST``, or ``-``.

        A file need not exist. A list has one file, folder or pattern per line.

        Raises:
            ConfigError: the input is empty or is the address of a remote file, or a list cannot be
                read.
        """
        if not item:
            raise ConfigError(
                "one of the inputs is an empty text, expected a path. Perhaps a variable of the "
                "shell is not set; correct the call."
            )
        if item == STDIN:
            if isinstance(sys.stdin, io.TextIOWrapper):  # names of files need not be UTF-8
                sys.stdin.reconfigure(errors="surrogateescape")
            yield from self._listed(sys.stdin, "standard input")
        elif item.startswith("@"):
            try:
                text = read_text(Path(item[1:]))
            except OSError as error:
                raise ConfigError(
                    f"{item}: cannot read the list ({error.strerror}). Correct the path after @."
                ) from error
            yield from self._listed(text.splitlines(), item)
        elif address_of(item) is not None and not os.path.exists(item):
            raise ConfigError(f"{item}: {why_absent(item)}.")
        elif os.path.isdir(item) and not self.is_one(item):
            yield from self.in_folder(item)
        elif os.path.exists(item) or not glob.has_magic(item):
            yield item
        else:
            yield from self._matching(item)

    def _listed(self, lines: Iterable[str], name: str) -> Iterator[str]:
        entries = [line.rstrip("\n").removeprefix(BYTE_ORDER_MARK) for line in lines]
        entries = [each for each in entries if each.strip() and not each.lstrip().startswith("#")]
        if not entries:
            self.empty_list(name)
        for entry in entries:
            if entry[0] == entry[-1] and entry[0] in "\"'" and not os.path.exists(entry):
                raise ConfigError(f"{name}: found {entry}. Remove the quotes around the path.")
            if entry == STDIN or entry.startswith("@"):
                raise ConfigError(
                    f"{name}: a list cannot contain another list ({entry!r}). Give both "
                    "lists on the command line."
                )
            yield from self.expanded(entry)

    def _matching(self, pattern: str) -> Iterator[str]:
        found = sorted(glob.iglob(pattern, recursive=True))
        yield from found
        if not found:
            plain = pattern[: re.search(r"[*?[]", pattern).start()]  # type: ignore[union-attr]
            self.unmatched(pattern, os.path.dirname(plain) or ".")


def is_visible(name: str) -> bool:
    """Return whether the name of a file or folder is not hidden."""
    # The root of a disk has the second folder, which only the administrator can read.
    return not name.startswith(".") and name != "lost+found"
