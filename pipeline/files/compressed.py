"""Decompresses text up to a limit; the size in the header of the file is not trusted."""

import gzip
import io
import zlib
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.files.contents import read_bytes
from pipeline.files.limits import INFLATION, Limit
from pipeline.files.regular import memory_in_words

GZIP = b"\x1f\x8b"
# Up to this size (bytes), any factor of compression is allowed, because it does no harm.
HARMLESS = 16 * 2**20


def read_inflated(path: Path, limit: Limit, error: type[PipelineError]) -> bytes:
    """Return the bytes of a regular file, inflated if they are compressed by gzip.

    Args:
        path: the file.
        limit: largest number of bytes after decompression.
        error: the class of error to raise.

    Raises:
        PipelineError: the file is not regular, too large or damaged, or inflates too much.
            This exception has the class ``error``.
        OSError: the file cannot be read.
    """
    stored = read_bytes(path, limit, error)
    if not stored.startswith(GZIP):
        return stored
    by_factor = max(HARMLESS, INFLATION.most * len(stored))
    most = min(limit.most, by_factor)
    try:
        with (
            memory_in_words(path.name, error),
            gzip.GzipFile(fileobj=io.BytesIO(stored)) as inflating,
        ):
            content = inflating.read(most + 1)
    except (OSError, EOFError, ValueError, zlib.error) as failure:
        raise error(f"{path.name}: damaged gzip file ({failure}). Fetch it again.") from None
    if len(content) > by_factor:
        INFLATION.check(-(-len(content) // len(stored)), f"{path.name}, inflated,", error)
    limit.check(len(content), f"{path.name}, inflated,", error)
    return content
