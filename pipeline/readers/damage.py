"""The errors for damaged, rewritten and incomplete files, and the largest size of a scene.

A file is damaged only if its bytes are wrong. Most files that differ from their
format are not damaged: another program has rewritten a part, or left a part out. Then it does not
help to fetch the same file again.
"""

import contextlib
from collections.abc import Iterator

from pipeline.errors import DAMAGE, DamagedError, SceneError, UnavailableError
from pipeline.files.access import why_unreadable
from pipeline.machine.refusal import (
    forget_last_number,
    is_about_disk,
    is_about_files,
    last_number,
    refused_files,
)

# The equator has 10 million cells of 4 m; a global grid of 250 m has 15 billion cells.
MOST_LINES, MOST_PIXELS = 10_000_000, 30_000_000_000


def damaged(found: str) -> SceneError:
    """Return the error for a damaged file; ``found`` must not end with a full stop."""
    return DamagedError(f"{found}. The file is damaged or incomplete; fetch it again.")


def rewritten(found: str, otherwise: str = "") -> SceneError:
    """Return the error for a part that does not follow the format of the file.

    Args:
        found: what was found and what was expected, without a full stop at the end.
        otherwise: advice in addition to the usual advice; one or more sentences.
    """
    advice = (
        "Another program has probably rewritten the file, or it is of an unknown version. Use the "
        "file as its producer made it."
    )
    return SceneError(f"{found}. {advice}{' ' if otherwise else ''}{otherwise}")


def left_out(found: str, otherwise: str = "") -> SceneError:
    """Return the error for a part that a file lacks, often because a subset was made without it.

    The arguments are those of :func:`rewritten`.
    """
    advice = (
        "If the file is a subset, make the subset again with this part; otherwise use the whole "
        "file of the producer."
    )
    return SceneError(f"{found}. {advice}{' ' if otherwise else ''}{otherwise}")


def failed_to_read(error: Exception, what: str = "cannot be read") -> SceneError:
    """Return the error for a failure inside a library: the file is unavailable, or is damaged."""
    reason = why_unreadable(error)
    if reason is not None:
        return UnavailableError(f"{what} now: {reason}.")
    text = str(error.args[0] if isinstance(error, KeyError) and error.args else error)
    return DamagedError(
        f"{what} ({text}). The file may be damaged: fetch it again. If ncdump -h can read it, it "
        "may have parts that ocpipe does not know: please report this message."
    )


@contextlib.contextmanager
def showing_hidden_failures() -> Iterator[None]:
    """Raise an error if the system refused something that a library did not report.

    If the disk fails while an attribute is read, HDF5 says that the attribute does not exist.
    """
    forget_last_number()
    try:
        yield
    except UnavailableError:
        raise
    except (*DAMAGE, SceneError) as error:
        if why_unreadable(error) is None:
            _raise_hidden_failure(error)
        raise
    _raise_hidden_failure(None)


def _raise_hidden_failure(error: Exception | None) -> None:
    number = last_number()
    if is_about_files(number):
        raise refused_files(number) from error
    if is_about_disk(number):
        raise failed_to_read(OSError(number, "")) from error


def check_size(lines: int, pixels: int) -> None:
    """Refuse a scene whose stated size is larger than the globe."""
    if max(lines, pixels) > MOST_LINES or lines * pixels > MOST_PIXELS:
        raise damaged(f"the scene has {lines} lines x {pixels} pixels, more than a scene can have")
