"""Bytes that are lost or changed on the way, whatever they mean."""

from pathlib import Path
from random import Random

from fuzz.outside import Outside

START = 4096
WORDS = (0, 1, 2, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 0x80000000, 0xFFFFFFFE)


def truncate(path: Path, draw: Random, _: Outside) -> str:
    """Cut short anywhere."""
    size = draw.randrange(path.stat().st_size)
    return _cut(path, size)


def truncate_end(path: Path, draw: Random, _: Outside) -> str:
    """Without its last bytes."""
    return _cut(path, path.stat().st_size - draw.randint(1, 16))


def flip_anywhere(path: Path, draw: Random, _: Outside) -> str:
    """Some bytes, anywhere."""
    size = path.stat().st_size
    return _set(path, {draw.randrange(size): draw.randrange(256) for _ in range(_few(draw))})


def flip_start(path: Path, draw: Random, _: Outside) -> str:
    """Some bytes near the start, where files describe themselves."""
    size = min(START, path.stat().st_size)
    return _set(path, {draw.randrange(size): draw.randrange(256) for _ in range(_few(draw))})


def flip_bit(path: Path, draw: Random, _: Outside) -> str:
    """One bit."""
    stored = path.read_bytes()
    at = draw.randrange(len(stored))
    return _set(path, {at: stored[at] ^ (1 << draw.randrange(8))})


def set_words(path: Path, draw: Random, _: Outside) -> str:
    """A number where numbers of files like to be: large, zero, of either byte order."""
    size = path.stat().st_size
    width, order = draw.choice((2, 4, 8)), draw.choice(("little", "big"))
    word = draw.choice(WORDS) & ((1 << (8 * width)) - 1)
    span = min(size, draw.choice((512, START, size)))
    at = draw.randrange(max(span // 4, 1)) * 4
    return _set(path, dict(enumerate(word.to_bytes(width, order), start=at)))


def zero_run(path: Path, draw: Random, _: Outside) -> str:
    """Nothing where a disk had a hole."""
    start, length = _block(path, draw)
    return _set(path, dict.fromkeys(range(start, start + length), 0))


def random_run(path: Path, draw: Random, _: Outside) -> str:
    """Noise."""
    start, length = _block(path, draw)
    return _set(path, dict(enumerate(draw.randbytes(length), start=start)))


def repeat_block(path: Path, draw: Random, _: Outside) -> str:
    """A block once more; all behind it moves."""
    stored = path.read_bytes()
    start, length = _block(path, draw)
    path.write_bytes(stored[: start + length] + stored[start:])
    return f"repeated {length} bytes from {start}"


def remove_block(path: Path, draw: Random, _: Outside) -> str:
    """A block is lost; all behind it moves."""
    stored = path.read_bytes()
    start, length = _block(path, draw)
    path.write_bytes(stored[:start] + stored[start + length :])
    return f"removed {length} bytes from {start}"


def swap_blocks(path: Path, draw: Random, _: Outside) -> str:
    """Two blocks of the same length in each other's place."""
    stored = bytearray(path.read_bytes())
    first, length = _block(path, draw)
    second = draw.randrange(len(stored) - length + 1)
    kept = stored[first : first + length]
    stored[first : first + length] = stored[second : second + length]
    stored[second : second + length] = kept
    path.write_bytes(stored)
    return f"swapped {length} bytes at {first} and {second}"


def _few(draw: Random) -> int:
    return draw.choice((1, 1, 2, 8))


def _block(path: Path, draw: Random) -> tuple[int, int]:
    size = path.stat().st_size
    length = min(draw.choice((4, 16, 64, 512, 4096)), size // 2)
    return draw.randrange(size - length), length


def _cut(path: Path, size: int) -> str:
    with path.open("r+b") as file:
        file.truncate(size)
    return f"cut to {size} bytes"


def _set(path: Path, changes: dict[int, int]) -> str:
    stored = bytearray(path.read_bytes())
    for at, value in changes.items():
        if at < len(stored):
            stored[at] = value
    path.write_bytes(stored)
    shown = ", ".join(f"{at}: {value:#04x}" for at, value in list(changes.items())[:8])
    return f"set {len(changes)} bytes ({shown})"
