"""netCDF-3: a header of big-endian numbers, then data."""

from pathlib import Path
from random import Random
from typing import Any

import netCDF4
import numpy as np

from fuzz.mutations.attributes import COUNTS, NUMBERS, PACKING
from fuzz.outside import Outside

HEADER = 6000
WORDS = (0, 1, 2, 5, 10, 11, 12, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFE, 0x10000000)


def classic_header(path: Path, draw: Random, _: Outside) -> str:
    """A count, a length, a type or a place in the header."""
    stored = bytearray(path.read_bytes())
    at, word = draw.randrange(1, HEADER // 4) * 4, draw.choice(WORDS)
    stored[at : at + 4] = word.to_bytes(4, "big")
    path.write_bytes(stored)
    return f"{word:#x} at {at}"


def classic_dimension(path: Path, draw: Random, _: Outside) -> str:
    """A dimension of very many lines or pixels."""
    stored = bytearray(path.read_bytes())
    name = draw.choice((b"x", b"y"))
    at = stored.find(b"\0\0\0\1" + name + b"\0\0\0") + 8
    word = draw.choice(WORDS[7:])
    stored[at : at + 4] = word.to_bytes(4, "big")
    path.write_bytes(stored)
    return f"{name.decode()} is {word}"


def classic_packing(path: Path, draw: Random, _: Outside) -> str:
    """A scale, an offset, a fill value or a limit of a band."""
    with netCDF4.Dataset(path, "a") as file:
        name = draw.choice(sorted(n for n in file.variables if n.startswith("Rrs_")))
        attribute = draw.choice([n for n in PACKING if n != "_FillValue"])
        value = draw.choice((*COUNTS, *NUMBERS))
        file[name].setncattr(attribute, _fitting(value))
    return f"{name}: {attribute} = {value!r}"


def _fitting(value: Any) -> Any:
    """netCDF-3 has no integers of 64 bits, nor any without sign."""
    is_number = isinstance(value, np.integer | np.floating)
    return float(value) if is_number and value.dtype.str[1:] in ("i8", "u2") else value
