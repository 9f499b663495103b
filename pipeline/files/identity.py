"""Keeps files open while they are read, so that a recorded hash is the hash of the bytes read.

A path may name another file a moment later, and a file may be written while it is read. So the
identity of a file is taken from an open descriptor before its content is read, the hash is computed
through this descriptor, and afterwards the descriptor and the path must still have this identity.
The identity includes the time of the last change of status (ctime), which no program can set back.
"""

import contextlib
import hashlib
import itertools
import os
import stat
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import ChangedError, PipelineError
from pipeline.files.access import why_unreadable
from pipeline.files.regular import FileIdentity

# Largest number of files of a folder that are kept open; a Sentinel-3 product has about 40 files.
MOST_HELD = 400
# The clock that stamps files advances in steps of at most this length (ns). Two changes in the same
# step have the same time.
CLOCK_STEP = 20_000_000
# Without O_NONBLOCK, opening a named pipe waits for a writer.
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_BLOCK = 1 << 20


@dataclass(frozen=True)
class SourceStamp:
    """Identifies a state of a file or folder, for comparisons on one machine."""

    size: int
    """Bytes of all files."""
    mtime_ns: int
    """Latest time at which the content of a file changed."""
    identities: tuple[tuple[str, FileIdentity], ...]
    """The identity of each file by its name in the folder; a single file has no name."""

    @property
    def ctime_ns(self) -> int:
        """Latest time at which a file, its name or its permissions changed; 0 without files."""
        return max((identity.ctime_ns for _, identity in self.identities), default=0)


def stamp_of(source: str | Path) -> SourceStamp | None:
    """Return the stamp of a file, or of all files in a folder; None if it is not known."""
    try:
        found = [(name, FileIdentity.of(os.stat(path))) for name, path in files_of(Path(source))]  # noqa: PTH116
    except OSError:
        return None
    latest = max((identity.mtime_ns for _, identity in found), default=0)
    return SourceStamp(sum(identity.size for _, identity in found), latest, tuple(found))


@dataclass(frozen=True)
class _HeldFile:
    path: Path
    descriptor: int
    identity: FileIdentity

    @property
    def has_changed(self) -> bool:
        try:
            now = os.fstat(self.descriptor), os.stat(self.path)  # noqa: PTH116 - both alike
        except OSError:
            return True
        return any(FileIdentity.of(found) != self.identity for found in now)

    def sha256(self) -> str:
        """Hash the bytes of the open file, even if its path now leads to another file."""
        digest, place = hashlib.sha256(), 0
        while block := os.pread(self.descriptor, _BLOCK, place):
            digest.update(block)
            place += len(block)
        return digest.hexdigest()


class HeldSource:
    """A file, or the files of a folder, that are kept open while they are read."""

    def __init__(
        self, source: Path, files: Mapping[str, _HeldFile], failure: OSError | None = None
    ) -> None:
        self._source = source
        self._files = files
        self._failure = failure

    @property
    def has_changed(self) -> bool:
        """Whether a file was written, replaced, added or removed after the files were opened."""
        if self._failure is not None:
            return False
        if any(file.has_changed for file in self._files.values()):
            return True
        return "" not in self._files and [n for n, _ in files_of(self._source)] != [*self._files]

    def sha256(self) -> str:
        """Return the SHA-256 of the file's bytes, or of the names and bytes of the folder's files.

        Raises:
            OSError: a file cannot be read.
        """
        if "" in self._files:
            return self._files[""].sha256()
        return sha256_of_folder((name, file.sha256()) for name, file in self._files.items())

    def check(self, error: type[PipelineError] = ChangedError) -> None:
        """Raise ``error`` if the source has changed, or could not be opened.

        A library may have opened the path at any time since then. If this check passes, the library
        has opened the same file.
        """
        name = self._source.name
        if self._failure is not None:
            reason = why_unreadable(self._failure) or str(self._failure)
            raise error(f"{name}: cannot be read now: {reason}.") from self._failure
        if self.has_changed:
            raise self.changed(error)

    def changed(self, error: type[PipelineError] = ChangedError) -> PipelineError:
        """Return the error for a source that has changed."""
        return error(
            f"{self._source.name} was replaced or changed while it was read. What was read is "
            "discarded. When the file is complete, call again."
        )


@contextlib.contextmanager
def holding(source: Path) -> Iterator[HeldSource]:
    """Keep the files of a source open; an error of opening is raised only by ``check``.

    A reader reports more clearly that a file is missing or cannot be opened.
    """
    files: dict[str, _HeldFile] = {}
    failure: OSError | None = None
    with contextlib.ExitStack() as closing:
        try:
            files = _held(files_of(source, MOST_HELD), closing)
        except OSError as error:
            failure = error
        yield HeldSource(source, files, failure)


@contextlib.contextmanager
def unchanged(paths: Iterable[Path], error: type[PipelineError]) -> Iterator[None]:
    """Raise ``error`` at the end of a ``with`` block if a file changed within this block.

    If the block itself failed, the change is reported as the cause.
    """
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(holding(path)) for path in paths]
        try:
            yield
        except Exception as failure:
            for each in held:
                if each.has_changed:
                    raise each.changed(error) from failure
            raise
        for each in held:
            each.check(error)


def sha256_of_folder(hashes: Iterable[tuple[str, str]]) -> str:
    """Return the SHA-256 of the names and hashes of a folder's files, in this order."""
    lines = (f"{name}\0{digest}\n" for name, digest in hashes)
    return hashlib.sha256(b"".join(map(os.fsencode, lines))).hexdigest()


def files_of(source: Path, most: int | None = None) -> list[tuple[str, Path]]:
    """Return the name and path of each file of a folder, in the order of paths.

    Raises:
        OSError: a folder has more than ``most`` files.
    """
    if not source.is_dir():
        return [("", source)]
    inside = (path for path in source.rglob("*") if path.is_file())
    found = sorted(itertools.islice(inside, None if most is None else most + 1))
    if most is not None and len(found) > most:
        raise OSError(f"the folder has more than {most} files, which is too many for one scene")
    return [(path.relative_to(source).as_posix(), path) for path in found]


def _held(files: Iterable[tuple[str, Path]], closing: contextlib.ExitStack) -> dict[str, _HeldFile]:
    opened: dict[str, tuple[Path, int]] = {}
    for name, path in files:
        descriptor = os.open(path, _FLAGS)
        closing.callback(os.close, descriptor)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError("neither a file nor a folder")
        opened[name] = path, descriptor
    _wait_for_the_clock(descriptor for _, descriptor in opened.values())
    return {
        name: _HeldFile(path, descriptor, FileIdentity.of(os.fstat(descriptor)))
        for name, (path, descriptor) in opened.items()
    }


def _wait_for_the_clock(descriptors: Iterable[int]) -> None:
    """Wait until the clock has advanced, so that a later change gives the files a later time.

    Only files that changed within the last step of the clock make this function wait.
    """
    latest = max((os.fstat(number).st_ctime_ns for number in descriptors), default=0)
    age = time.time_ns() - latest
    if 0 <= age < CLOCK_STEP:
        time.sleep((CLOCK_STEP - age) / 1e9)
