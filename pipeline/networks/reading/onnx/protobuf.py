"""Splits the bytes of a protobuf message into its fields; does not know what they mean.

Only the requested fields of a message are read. All fields are counted, because a megabyte can
contain half a million empty fields.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.errors import NetworkError

# PyTorch writes some 30 fields for each operator, so this is enough for thousands of them.
MOST_FIELDS = 200_000
# Axes, shapes and sizes; weights are never stored in this form.
MOST_WHOLE_NUMBERS = 100_000
_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5
_MOST_VARINT_BYTES = 10


class Budget:
    """Counts the fields of one file."""

    def __init__(self) -> None:
        self._left = MOST_FIELDS

    def take(self) -> None:
        """Count one field.

        Raises:
            NetworkError: the file has too many fields.
        """
        self._left -= 1
        if self._left < 0:
            raise NetworkError(
                f"the model has more than {MOST_FIELDS:,} parts, which no network of single pixels "
                "needs. Check the file."
            )


@dataclass(frozen=True)
class Message:
    """The fields of one message: for each number, its values in order."""

    _fields: dict[int, list[int | memoryview]]
    _budget: Budget

    @classmethod
    def of(cls, content: bytes | memoryview, budget: Budget | None = None) -> "Message":
        """Split the bytes of a message.

        Raises:
            NetworkError: the bytes are not a message, or the file has too many fields.
        """
        budget = Budget() if budget is None else budget
        fields: dict[int, list[int | memoryview]] = {}
        for number, value in _fields(memoryview(content)):
            budget.take()
            fields.setdefault(number, []).append(value)
        return cls(fields, budget)

    def has(self, number: int) -> bool:
        """Return whether the message has a field."""
        return number in self._fields

    def messages(self, number: int) -> Iterator["Message"]:
        """Yield the messages of a repeated field."""
        for value in self._all_bytes(number):
            yield Message.of(value, self._budget)

    def message(self, number: int) -> "Message":
        """Return the message of a field; an empty message if the field is missing."""
        return Message.of(self.content(number), self._budget)

    def texts(self, number: int) -> list[str]:
        """Return the texts of a repeated field."""
        return [_text(value) for value in self._all_bytes(number)]

    def text(self, number: int) -> str:
        """Return the text of a field; an empty text if the field is missing."""
        return _text(self.content(number))

    def content(self, number: int) -> memoryview:
        """Return the bytes of a field; no bytes if the field is missing."""
        found = self._single(number)
        if isinstance(found, int):
            raise damaged(f"field {number} is a number")
        return memoryview(b"") if found is None else found

    def integer(self, number: int, default: int = 0) -> int:
        """Return the signed whole number of a field."""
        found = self._single(number)
        if isinstance(found, memoryview):
            raise damaged(f"field {number} is not a whole number")
        return default if found is None else _signed(found)

    def integers(self, number: int) -> list[int]:
        """Return the signed whole numbers of a repeated field, packed or not."""
        made: list[int] = []
        for value in self._fields.get(number, ()):
            if isinstance(value, int):
                made.append(_signed(value))
                continue
            place = 0
            while place < len(value):
                whole, place = _varint(value, place)
                made.append(_signed(whole))
                if len(made) > MOST_WHOLE_NUMBERS:
                    raise damaged(f"more than {MOST_WHOLE_NUMBERS:,} whole numbers in a list")
        return made

    def number(self, number: int, default: float) -> float:
        """Return the float32 of a field."""
        found = self._single(number)
        if found is None:
            return default
        if isinstance(found, int) or len(found) != struct.calcsize("<f"):
            raise damaged(f"field {number} is not a float32")
        return float(struct.unpack("<f", found)[0])

    def numbers(self, number: int, kind: str) -> npt.NDArray[np.generic]:
        """Return the numbers of a repeated field, packed or not; ``kind`` is ``<f4`` or ``<f8``."""
        content = b"".join(self._all_bytes(number))
        if len(content) % np.dtype(kind).itemsize:
            raise damaged(f"field {number} has {len(content)} bytes")
        return np.frombuffer(content, kind)

    def _single(self, number: int) -> "int | memoryview | None":
        values = self._fields.get(number, ())
        if len(values) > 1:  # other programs would merge them or use the last one
            raise damaged(f"field {number} is there {len(values)} times, expected once")
        return values[0] if values else None

    def _all_bytes(self, number: int) -> list[memoryview]:
        values = self._fields.get(number, [])
        found = [value for value in values if not isinstance(value, int)]
        if len(found) != len(values):
            raise damaged(f"field {number} is a whole number")
        return found


def damaged(what: str) -> NetworkError:
    """Return the error for bytes that are not an ONNX model."""
    return NetworkError(
        f"not a model as ONNX stores it ({what}). The file is damaged or incomplete; export or "
        "fetch it again."
    )


def _fields(content: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    place = 0
    while place < len(content):
        tag, place = _varint(content, place)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            value, place = _varint(content, place)
            yield number, value
            continue
        if wire == _BYTES:
            length, place = _varint(content, place)
        elif wire in (_EIGHT_BYTES, _FOUR_BYTES):
            length = 8 if wire == _EIGHT_BYTES else 4
        else:
            raise damaged(f"wire type {wire}")
        if length > len(content) - place:
            raise damaged(
                f"a field states {length:,} bytes, but only {len(content) - place:,} are left"
            )
        yield number, content[place : place + length]
        place += length


def _varint(content: memoryview, place: int) -> tuple[int, int]:
    """Return a number of 64 bits, and the position after the number."""
    value = 0
    for count, byte in enumerate(content[place : place + _MOST_VARINT_BYTES]):
        value |= (byte & 0x7F) << (7 * count)
        if byte < 0x80:
            return value & (2**64 - 1), place + count + 1
    raise damaged("a number has no end")


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value


def _text(value: memoryview) -> str:
    try:
        return bytes(value).decode("utf-8")
    except UnicodeDecodeError:
        raise damaged("a text is not UTF-8") from None
