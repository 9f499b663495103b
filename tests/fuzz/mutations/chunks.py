"""Storage chunks whose bytes are not what they should be."""

import functools
import struct
import zlib
from pathlib import Path
from random import Random

import h5py
import numpy as np
from h5py import h5d, h5p, h5s, h5t, h5z

from fuzz.mutations.checksum import lookup3
from fuzz.mutations.hdf5 import changing, chunked, replaced
from fuzz.outside import Outside

BOMB = 60_000_000
ZSTANDARD, BITSHUFFLE, NOBODY = 32015, 32008, 65000


def _corner(dataset: h5py.Dataset, draw: Random) -> tuple[int, ...]:
    """The first element of a chunk."""
    sizes = zip(dataset.shape, dataset.chunks, strict=True)
    return tuple(draw.randrange(0, max(size, 1), chunk) for size, chunk in sizes)


def flip_chunk(path: Path, draw: Random, _: Outside) -> str:
    """Some bytes of a chunk as it is stored."""
    with changing(path) as file:
        name = chunked(file, draw)
        if name is None:
            return "nothing: no chunks"
        corner = _corner(file[name], draw)
        info = file[name].id.get_chunk_info_by_coord(corner)
    if info.byte_offset is None:
        return "nothing: the chunk is not stored"
    stored = bytearray(path.read_bytes())
    for _flip in range(draw.choice((1, 1, 3))):
        stored[info.byte_offset + draw.randrange(info.size)] ^= 1 << draw.randrange(8)
    path.write_bytes(stored)
    return f"bits of chunk {corner} of {name}"


def other_chunk(path: Path, draw: Random, _: Outside) -> str:
    """A chunk that is empty, short, long, noise, not compressed, or compressed twice."""
    with changing(path) as file:
        name = chunked(file, draw)
        if name is None:
            return "nothing: no chunks"
        dataset = file[name]
        corner = _corner(dataset, draw)
        try:
            mask, stored = dataset.id.read_direct_chunk(corner)
        except (OSError, RuntimeError):
            return "nothing: the chunk is not stored"
        plain = bytes(int(np.prod(dataset.chunks)) * dataset.dtype.itemsize)
        how, data = draw.choice(
            (
                ("one byte", b"\x78"),
                ("short", stored[: len(stored) // 2]),
                ("without its end", stored[:-1]),
                ("with more behind", stored + draw.randbytes(40)),
                ("noise", draw.randbytes(len(stored))),
                ("not compressed", plain),
                ("compressed again", zlib.compress(stored)),
                ("of less", zlib.compress(plain[:-8])),
                ("of a little more", zlib.compress(plain + b"\1" * 3)),
                ("of more", zlib.compress(plain + b"\1" * 8)),
                ("two streams", zlib.compress(plain[:-8]) + zlib.compress(plain[-8:])),
                ("the other way round", stored[::-1]),
            )
        )
        mask = draw.choice((mask, mask, mask, 1, 2, 3, 0xFFFFFFFF))
        dataset.id.write_direct_chunk(corner, data, mask)
    return f"chunk {corner} of {name} {how}, filter mask {mask}"


@functools.cache
def _bomb() -> bytes:
    """Little that inflates to very much; the length of a small chunk must fit into two bytes."""
    return zlib.compress(bytes(BOMB), 9)


@functools.cache
def _nested() -> bytes:
    """Little that inflates to what inflates to ten times the memory that there is."""
    megabytes = 10_000
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    of_one = deflate.compress(bytes(1_000_000)) + deflate.flush(zlib.Z_FULL_FLUSH)
    checksum = (megabytes * 1_000_000 % 65521) << 16 | 1
    return zlib.compress(
        b"\x78\x9c" + of_one * megabytes + b"\x03\x00" + checksum.to_bytes(4, "big"), 9
    )


def _made(
    file: h5py.File, name: str, shape: tuple[int, ...], dtype: np.dtype, properties: h5p.PropDCID
) -> h5py.Dataset:
    """A variable with properties that the high-level interface does not offer."""
    space, stored_as = h5s.create_simple(shape), h5t.py_create(dtype, logical=True)
    return h5py.Dataset(h5d.create(file.id, name.encode(), stored_as, space, properties))


def nested_bomb(path: Path, draw: Random, _: Outside) -> str:
    """A chunk that is to be inflated twice, to more than fits into any memory."""
    with changing(path) as file:
        name = chunked(file, draw)
        if name is None:
            return "nothing: no chunks"
        shape, chunks, dtype = file[name].shape, file[name].chunks, file[name].dtype

        def made() -> h5py.Dataset:
            properties = h5p.create(h5p.DATASET_CREATE)
            properties.set_chunk(chunks)
            properties.set_deflate(4)
            properties.set_deflate(4)
            made = _made(file, name, shape, dtype, properties)
            made.id.write_direct_chunk((0,) * len(shape), _nested())
            return made

        replaced(file, name, made)
    return f"{name} is deflated twice"


def deflate_bomb(path: Path, draw: Random, _: Outside) -> str:
    """A chunk that inflates to very much more than it should hold."""
    with changing(path) as file:
        name = chunked(file, draw)
        if name is None:
            return "nothing: no chunks"
        corner = _corner(file[name], draw)
        file[name].id.write_direct_chunk(corner, _bomb())
    return f"chunk {corner} of {name} inflates to {BOMB} bytes"


def unknown_filter(path: Path, draw: Random, _: Outside) -> str:
    """A variable that only a filter can read which is not there."""
    code = draw.choice((ZSTANDARD, BITSHUFFLE, NOBODY))
    with changing(path) as file:
        name = chunked(file, draw)
        if name is None:
            return "nothing: no chunks"
        shape, chunks, dtype = file[name].shape, file[name].chunks, file[name].dtype

        def made() -> h5py.Dataset:
            properties = h5p.create(h5p.DATASET_CREATE)
            properties.set_chunk(chunks)
            properties.set_filter(code, h5z.FLAG_OPTIONAL, (1, 2, 3))
            made = _made(file, name, shape, dtype, properties)
            made.id.write_direct_chunk((0,) * len(shape), draw.randbytes(60))
            return made

        replaced(file, name, made)
    return f"{name} by filter {code}"


def other_filters(path: Path, draw: Random, _: Outside) -> str:
    """A variable with other filters that every library has; as good as before."""
    with changing(path) as file:
        name = chunked(file, draw)
        if name is None:
            return "nothing: no chunks"
        stored, chunks = file[name][...], file[name].chunks
        how = draw.choice(
            (
                {"fletcher32": True},
                {"compression": "gzip", "fletcher32": True, "shuffle": True},
                {"compression": "lzf"},
                {"compression": "gzip", "compression_opts": 0},
                {"shuffle": True},
                {"scaleoffset": 0 if stored.dtype.kind in "iu" else 7},
                {"compression": "szip"},
                {"fillvalue": 7},
            )
        )
        try:
            replaced(
                file, name, lambda: file.create_dataset(name, data=stored, chunks=chunks, **how)
            )
        except ValueError:
            return f"nothing: {how} cannot be written"
    return f"{name} by {how}"


def huge_chunk(path: Path, draw: Random, _: Outside) -> str:
    """A variable in one chunk of up to 4 GB, of which only a corner is used."""
    with changing(path) as file:
        name = chunked(file, draw)
        if name is None:
            return "nothing: no chunks"
        old, stored = file[name], file[name][...]
        width = draw.choice((2_000, 20_000, 40_000))
        longest = (2**32 - 1) // (width * old.dtype.itemsize)
        chunks = (min(width, longest), width, *old.shape[2:])[: old.ndim]
        if stored.ndim < 2 or np.prod(chunks) * old.dtype.itemsize >= 2**32:
            return "nothing: no such chunk"
        written = draw.random() < 0.3 and width == 2_000

        def made() -> h5py.Dataset:
            how = {"compression": "gzip", "maxshape": (None,) * stored.ndim, "chunks": chunks}
            made = file.create_dataset(name, stored.shape, stored.dtype, **how)
            if written:
                made[...] = stored
            return made

        replaced(file, name, made)
    return f"{name} in chunks of {chunks}{'' if written else ', none written'}"


def unwritten(path: Path, draw: Random, _: Outside) -> str:
    """A variable of which chunks were never written, with a fill value of its own."""
    with changing(path) as file:
        name = chunked(file, draw)
        if name is None or file[name].dtype.kind not in "iuf":
            return "nothing: no chunks"
        stored, chunks = file[name][...], file[name].chunks
        fill = draw.choice((None, stored.reshape(-1)[0] if stored.size else 0, 7))
        how = {"chunks": chunks, "fillvalue": fill, "compression": draw.choice((None, "gzip"))}

        def made() -> h5py.Dataset:
            made = file.create_dataset(name, stored.shape, stored.dtype, **how)
            part = tuple(slice(0, chunk) for chunk in chunks)
            made[part] = stored[part]
            return made

        replaced(file, name, made)
    return f"{name} but for its first chunk, fill value {fill}"


def header_with_checksum(path: Path, draw: Random, _: Outside) -> str:
    """Bytes of an object's header, whose checksum says that all is well."""
    stored = bytearray(path.read_bytes())
    headers = []
    at = stored.find(b"OHDR")
    while at >= 0:
        headers.append(at)
        at = stored.find(b"OHDR", at + 4)
    sized = [(at, end) for at in headers if (end := end_of_header(stored, at)) is not None]
    if not sized:
        return "nothing: no header with a checksum"
    start, end = draw.choice(sized)
    places = [draw.randrange(start + 6, end) for _ in range(draw.choice((1, 1, 2, 4)))]
    for place in places:
        stored[place] = draw.choice((0, 1, 2, 0x7F, 0x80, 0xFF, draw.randrange(256)))
    end = end_of_header(stored, start) or end
    struct.pack_into("<I", stored, end, lookup3(bytes(stored[start:end])))
    path.write_bytes(stored)
    return f"bytes {places} of the header at {start}"


def end_of_header(stored: bytes | bytearray, start: int) -> int | None:
    """Where the checksum of an object header of version 2 stands; None where there is none."""
    if len(stored) < start + 40 or stored[start + 4] != 2:
        return None
    flags = stored[start + 5]
    at = start + 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
    width = 1 << (flags & 3)
    end = at + width + int.from_bytes(stored[at : at + width], "little")
    return end if end + 4 <= len(stored) else None
