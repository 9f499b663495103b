r"""Names of files, which are bytes: mostly UTF-8, but any byte except NUL and slash may occur.

Python keeps a byte that is not UTF-8 as half of a surrogate pair, which no file, JSON or terminal
can store. Names are therefore shown and recorded with escapes: ``mesur\xe9.nc``.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


def is_text(name: str | Path) -> bool:
    """Return whether a name is valid UTF-8, so that every library can open it."""
    try:
        str(name).encode()
    except UnicodeEncodeError:
        return False
    return True


def as_text(name: str | Path) -> str:
    r"""Return a name as text that can be stored everywhere; other bytes become ``\xe9``."""
    return str(name).encode(errors="surrogateescape").decode(errors="backslashreplace")


def as_texts(data: Any) -> Any:
    """Return plain data with all its texts as :func:`as_text` returns them."""
    match data:
        case str():
            return data if data.isascii() else as_text(data)
        case Mapping():
            return {as_texts(key): as_texts(value) for key, value in data.items()}
        case list() | tuple():
            return [as_texts(value) for value in data]
    return data


@contextlib.contextmanager
def openable(path: Path) -> Iterator[Path]:
    """Yield a path under which every library can open a file that exists.

    Some libraries take only names that are UTF-8. For any other name, the path is that of a
    descriptor, which is open during the ``with`` block.
    """
    if is_text(path):
        yield path
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
