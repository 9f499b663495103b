"""The error for a damaged file, and the largest size that a scene can have."""

from pipeline.errors import SceneError

# The equator has 10 million cells of 4 m; a global grid of 250 m has 15 billion cells.
MOST_LINES, MOST_PIXELS = 10_000_000, 30_000_000_000


def damaged(found: str) -> SceneError:
    """Return the error for a damaged file; ``found`` must not end with a full stop."""
    return SceneError(f"{found}. The file is damaged or incomplete; fetch it again.")


def check_size(lines: int, pixels: int) -> None:
    """Refuse a scene that claims to be larger than the globe."""
    if max(lines, pixels) > MOST_LINES or lines * pixels > MOST_PIXELS:
        raise damaged(f"the scene has {lines} lines x {pixels} pixels, more than a scene can have")
