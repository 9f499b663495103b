"""The errors for damaged, rewritten and incomplete files, and the largest size of a scene.

A file is damaged only if its bytes are wrong. Most files that differ from their
format are not damaged: another program has rewritten a part, or left a part out. Then it does not
help to fetch the same file again.
"""

from pipeline.errors import SceneError, UnavailableError
from pipeline.files.access import why_unreadable

# The equator has 10 million cells of 4 m; a global grid of 250 m has 15 billion cells.
MOST_LINES, MOST_PIXELS = 10_000_000, 30_000_000_000


def damaged(found: str) -> SceneError:
    """Return the error for a damaged file; ``found`` must not end with a full stop."""
    return SceneError(f"{found}. The file is damaged or incomplete; fetch it again.")


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
    return SceneError(
        f"{what} ({text}). The file may be damaged: fetch it again. If ncdump -h can read it, it "
        "may hold something that ocpipe does not know: please report this message."
    )


def check_size(lines: int, pixels: int) -> None:
    """Refuse a scene that claims to be larger than the globe."""
    if max(lines, pixels) > MOST_LINES or lines * pixels > MOST_PIXELS:
        raise damaged(f"the scene has {lines} lines x {pixels} pixels, more than a scene can have")
