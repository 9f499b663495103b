"""Reads arrays of a file in the format safetensors, which PyTorch and others write.

The file begins with the length of a JSON header (8 bytes, little-endian). The header has the type,
the shape and the place of each array; the numbers follow (github.com/huggingface/safetensors).
"""

import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from pipeline.errors import NetworkError
from pipeline.files.limits import DESCRIPTION_BYTES, NETWORK_NUMBERS
from pipeline.files.regular import open_regular

# Name of a type in the header -> type of the stored numbers. BF16 is the upper half of a float32.
_TYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2",
    "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "?",
}  # fmt: skip
_METADATA = "__metadata__"
# A larger number in the header is damage.
_MOST_DIMENSIONS, _LARGEST = 32, 2**48


@dataclass(frozen=True)
class _Entry:
    """One array in the header."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int


def is_safetensors(path: Path) -> bool:
    """Return whether a file begins as safetensors does; it may be broken."""
    try:
        with open_regular(path, NetworkError) as file:
            size = os.fstat(file.fileno()).st_size
            head = file.read(9)
    except (OSError, NetworkError):
        return False
    return len(head) == 9 and head[8:] == b"{" and int.from_bytes(head[:8], "little") <= size - 8


class SafetensorsFile:
    """The arrays of an open file."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        """Read the header.

        Raises:
            NetworkError: the header is damaged, or its arrays overlap or leave the file.
        """
        self._file, self._name = file, name
        size = os.fstat(file.fileno()).st_size
        length = int.from_bytes(file.read(8), "little")
        DESCRIPTION_BYTES.check(length, f"the header of {name}", NetworkError)
        if not 2 <= length <= size - 8:
            raise self._damaged(f"its header has {length:,} bytes, the file {size:,}")
        self._first = 8 + length
        self._entries = self._checked(file.read(length), size - self._first)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of each array."""
        return {name: entry.shape for name, entry in self._entries.items()}

    def array(self, name: str) -> npt.NDArray[Any]:
        """Return an array of the header."""
        entry = self._entries[name]
        NETWORK_NUMBERS.check(math.prod(entry.shape), f"the array {name[:60]}", NetworkError)
        self._file.seek(self._first + entry.start)
        stored = np.frombuffer(self._file.read(entry.stop - entry.start), _TYPES[entry.dtype])
        if entry.dtype == "BF16":
            stored = (stored.astype(np.uint32) << 16).view(np.float32)
        return stored.reshape(entry.shape)

    def _checked(self, text: bytes, size: int) -> dict[str, _Entry]:
        try:
            header = json.loads(text.decode("utf-8"), object_pairs_hook=self._without_twins)
        except (ValueError, RecursionError) as error:
            raise self._damaged(f"its header is not JSON ({error})") from None
        if not isinstance(header, dict):
            raise self._damaged("its header is not a JSON object")
        found = {
            name: self._entry(name, each) for name, each in header.items() if name != _METADATA
        }
        end = 0
        for entry in sorted(found.values(), key=lambda entry: (entry.start, entry.stop)):
            if entry.start != end:
                raise self._damaged("its arrays overlap or leave a gap")
            end = entry.stop
        if end != size:
            raise self._damaged(f"its arrays have {end:,} bytes, but {size:,} follow the header")
        return found

    def _entry(self, name: str, stated: Any) -> _Entry:
        shown = name[:60]
        if not isinstance(stated, dict):
            raise self._damaged(f"{shown!r} in its header is not an object")
        shape, place = _counts(stated.get("shape")), _counts(stated.get("data_offsets"))
        if shape is None or len(shape) > _MOST_DIMENSIONS:
            raise self._damaged(f"the shape of {shown!r} is not a list of plausible whole numbers")
        if place is None or len(place) != 2:
            raise self._damaged(f"the place of {shown!r} is not two plausible whole numbers")
        dtype = stated.get("dtype")
        if not isinstance(dtype, str) or dtype not in _TYPES:
            raise NetworkError(
                f"{self._name}: {shown!r} has the type {str(dtype)[:20]!r}, expected one of "
                f"{', '.join(_TYPES)}. Save the weights as float32."
            )
        expected = math.prod(shape) * np.dtype(_TYPES[dtype]).itemsize
        if place[1] - place[0] != expected:
            raise self._damaged(f"{shown!r} has {place[1] - place[0]:,} bytes, not {expected:,}")
        return _Entry(dtype, shape, place[0], place[1])

    def _without_twins(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise self._damaged("its header has a name twice")
        return found

    def _damaged(self, problem: str) -> NetworkError:
        return NetworkError(f"{self._name}: {problem}. The file is damaged; fetch it again.")


def _counts(stated: Any) -> tuple[int, ...] | None:
    """Return a JSON list of plausible whole numbers; None if it is something else."""
    if not isinstance(stated, list) or not all(
        type(n) is int and 0 <= n <= _LARGEST for n in stated
    ):
        return None
    return tuple(stated)
