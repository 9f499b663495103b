"""The error about a damaged file, and sizes that only damage explains."""

from pipeline.errors import SceneError

# The cells of a global grid: 10 million lines if they are 4 m high, 15 billion cells of 250 m.
MOST_LINES, MOST_PIXELS = 10_000_000, 30_000_000_000


def damaged(found: str) -> SceneError:
    """Return the error for a file that contradicts itself; ``found`` ends without a full stop."""
    return SceneError(f"{found}. The file is damaged or incomplete; fetch it again.")


def check_size(lines: int, pixels: int) -> None:
    """Refuse a scene that is larger than the globe: only its description can be that large."""
    if max(lines, pixels) > MOST_LINES or lines * pixels > MOST_PIXELS:
        raise damaged(f"the scene has {lines} lines x {pixels} pixels, more than any scene")
