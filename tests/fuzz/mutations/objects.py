"""Variables of another type, shape or name, and variables that are groups."""

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import h5py
import numpy as np

from fuzz.mutations.hdf5 import BAND, changing, chosen, datasets, groups, replaced
from fuzz.outside import Outside

HUGE = ((2**40, 2**20), (2**31, 2**31), (1, 2**40), (2**62, 1), (100_000, 1_000_000))
NUMBERS = ("<f8", "<f4", "<f2", "i1", "u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8")
NUMBERS += (">i2", ">u2", ">i4", ">f4", ">f8", "<c8", "?")
COMPOUND = np.dtype([("a", "<i2"), ("b", "<f4")])


def retype(path: Path, draw: Random, _: Outside) -> str:
    """The same numbers of another type, or no numbers at all."""
    with changing(path) as file:
        name = chosen(file, draw)
        stored = _numbers(file[name])
        dtype = draw.choice((*NUMBERS, *_ODD))
        chunks = file[name].chunks if draw.random() < 0.7 else None
        how: dict[str, Any] = {"chunks": chunks}
        if dtype in _ODD:
            how["dtype"], values = _ODD[dtype](stored)
        else:
            how["compression"] = "gzip" if chunks else None
            with np.errstate(all="ignore"):
                values = stored.astype(dtype)
        replaced(file, name, lambda: file.create_dataset(name, data=values, **how))
    return f"{name} as {dtype}"


def _numbers(dataset: h5py.Dataset) -> np.ndarray:
    """What a variable holds, or zeros where it holds none."""
    return dataset[...] if dataset.dtype.kind in "iufb" else np.zeros(dataset.shape)


def _texts(values: np.ndarray) -> tuple[Any, np.ndarray]:
    return h5py.string_dtype(), np.full(values.shape, "0.01", object)


def _bytes(values: np.ndarray) -> tuple[Any, np.ndarray]:
    return np.dtype("S5"), np.full(values.shape, b"0.01")


def _compound(values: np.ndarray) -> tuple[Any, np.ndarray]:
    return COMPOUND, np.zeros(values.shape, COMPOUND)


def _enum(values: np.ndarray) -> tuple[Any, np.ndarray]:
    dtype = h5py.enum_dtype({"A": 0, "B": 1}, basetype="i2")
    return dtype, (values != 0).astype("i2")


def _ragged(values: np.ndarray) -> tuple[Any, np.ndarray]:
    made = np.empty(values.shape, object)
    for at in np.ndindex(values.shape):
        made[at] = np.arange(2, dtype="i4")
    return h5py.vlen_dtype("i4"), made


def _opaque(values: np.ndarray) -> tuple[Any, np.ndarray]:
    return np.dtype("V4"), np.zeros(values.shape, "V4")


def _references(values: np.ndarray) -> tuple[Any, np.ndarray]:
    return h5py.ref_dtype, np.full(values.shape, h5py.Reference(), object)


def _arrays(values: np.ndarray) -> tuple[Any, np.ndarray]:
    dtype = np.dtype([("a", "<i2", (2,))])
    return dtype, np.zeros(values.shape, dtype)


_ODD: dict[str, Callable[[np.ndarray], tuple[Any, np.ndarray]]] = {
    "text": _texts,
    "bytes": _bytes,
    "compound": _compound,
    "enum": _enum,
    "ragged": _ragged,
    "opaque": _opaque,
    "reference": _references,
    "array": _arrays,
}


def reshape(path: Path, draw: Random, _: Outside) -> str:
    """Transposed, flat, empty, scalar, cut, longer, or with a dimension more."""
    with changing(path) as file:
        name = chosen(file, draw)
        stored = _numbers(file[name])
        how = draw.choice(tuple(_SHAPES))
        values = np.ascontiguousarray(_SHAPES[how](stored))
        replaced(file, name, lambda: file.create_dataset(name, data=values))
    return f"{name} {how}: {stored.shape} -> {values.shape}"


_SHAPES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "transposed": np.transpose,
    "flat": np.ravel,
    "of no element": lambda stored: stored[:0],
    "of no pixel": lambda stored: stored[..., :0],
    "a single number": lambda stored: stored.reshape(-1)[0],
    "of one line": lambda stored: stored[:1],
    "one line short": lambda stored: stored[:-1],
    "one pixel more": lambda stored: np.concatenate([stored, stored[..., -1:]], axis=-1),
    "with a dimension in front": lambda stored: stored[np.newaxis],
    "with a dimension behind": lambda stored: stored[..., np.newaxis],
    "twice": lambda stored: np.stack([stored, stored]),
    "of 32 dimensions": lambda stored: stored.reshape(stored.shape + (1,) * (32 - stored.ndim)),
}


def huge_variable(path: Path, draw: Random, _: Outside) -> str:
    """One variable says that it is huge, and nothing of it was ever written."""
    with changing(path) as file:
        name = chosen(file, draw)
        dtype, ndim = file[name].dtype, max(file[name].ndim, 1)
        shape = (*draw.choice(HUGE), 4)[:ndim]
        chunks = tuple(min(size, 64) for size in shape)
        replaced(file, name, lambda: file.create_dataset(name, shape, dtype, chunks=chunks))
    return f"{name} has shape {shape}"


def huge_scene(path: Path, draw: Random, _: Outside) -> str:
    """All variables on lines and pixels agree that there are very many of them."""
    with changing(path) as file:
        lines, pixels = draw.choice(HUGE)
        names = datasets(file)
        arrays = [name for name in names if file[name].ndim > 1]
        first = next((name for name in arrays if BAND.fullmatch(name)), arrays[0])
        sizes = [size for size in file[first].shape if size > 1][:2]
        axes = dict(zip(sizes, (lines, pixels), strict=True))
    for name in names:
        _enlarge(path, name, axes)
    with changing(path) as file:
        for group in (file[group] for group in groups(file)):
            for key, size in (("Number_of_lines", lines), ("Number_of_pixels", pixels)):
                if key in group.attrs:
                    group.attrs[key] = np.array([size])
    return f"{lines} lines x {pixels} pixels"


def _enlarge(path: Path, name: str, axes: dict[int, int]) -> None:
    """Each variable while the file is open for it alone: the library mixes up what it deleted."""
    with changing(path) as file:
        old, dtype = file[name], file[name].dtype
        if dtype.kind not in "iuf" or not set(old.shape) & set(axes):
            return
        shape = tuple(axes.get(size, size) for size in old.shape)
        chunks = tuple(min(size, 64) for size in shape)
        replaced(file, name, lambda: file.create_dataset(name, shape, dtype, chunks=chunks))


def odd_values(path: Path, draw: Random, _: Outside) -> str:
    """Any numbers that the type can hold; the file is as whole as before."""
    with changing(path) as file:
        name = chosen(file, draw)
        stored = file[name][...]
        if stored.dtype.kind not in "iuf" or not stored.size:
            return "nothing: no numbers"
        noise = np.frombuffer(draw.randbytes(stored.nbytes), stored.dtype).reshape(stored.shape)
        some = np.frombuffer(draw.randbytes(stored.size), np.uint8).reshape(stored.shape) < 128
        file[name][...] = np.where(some, noise, stored)
    return f"noise in {name}"


def other_layout(path: Path, draw: Random, _: Outside) -> str:
    """In one piece, in chunks of other sizes, or in the library's latest format."""
    latest = draw.random() < 0.5
    with changing(path, libver="latest" if latest else "earliest") as file:
        name = chosen(file, draw)
        stored = file[name][...]
        if not stored.ndim or not stored.size:
            return "nothing: no array"
        chunks = draw.choice((None, tuple(draw.randint(1, size) for size in stored.shape)))
        maxshape = draw.choice((None, (None,) * stored.ndim)) if chunks else None
        how = {"chunks": chunks, "maxshape": maxshape, "shuffle": bool(chunks)}
        replaced(file, name, lambda: file.create_dataset(name, data=stored, **how))
    return f"{name} in chunks of {chunks}{', latest format' if latest else ''}"


def delete(path: Path, draw: Random, _: Outside) -> str:
    """A variable, a group or an attribute is missing."""
    with changing(path) as file:
        what = draw.choice(("variable", "attribute", "attribute", "group"))
        if what == "group" and groups(file):
            name = draw.choice(groups(file))
            del file[name]
            return f"without {name}"
        name = chosen(file, draw)
        owner = file[name] if draw.random() < 0.7 else file
        if what == "attribute" and len(owner.attrs):
            attribute = draw.choice(sorted(owner.attrs))
            del owner.attrs[attribute]
            return f"{owner.name} without {attribute}"
        del file[name]
    return f"without {name}"


def rename(path: Path, draw: Random, _: Outside) -> str:
    """A variable or group by another name, which may be an odd one."""
    with changing(path) as file:
        names = groups(file)
        name = draw.choice(names) if names and draw.random() < 0.3 else chosen(file, draw)
        last = name.rpartition("/")[2]
        odd = ("x" * 5000, "a\nb", "\x1b[31mred", "Rrs_99999", "Rrs_0443", "\xff\xfe")
        new = draw.choice((last.swapcase(), f"{last}_", *odd))
        group = name.rpartition("/")[0]
        renamed = f"{group}/{new}" if group else new
        file.id.links.move(name.encode(), file.id, renamed.encode("latin1"))  # no UTF-8
    return f"{name} as {new[:20]!r}"


def swap_names(path: Path, draw: Random, _: Outside) -> str:
    """Two variables by each other's name."""
    with changing(path) as file:
        first, second = chosen(file, draw), chosen(file, draw)
        if first != second:
            file.move(first, "between")
            file.move(second, first)
            file.move("between", second)
    return f"{first} and {second}"


def swap_kinds(path: Path, draw: Random, _: Outside) -> str:
    """A group where a variable was, or the reverse."""
    with changing(path) as file:
        names = groups(file)
        if names and draw.random() < 0.5:
            name = draw.choice(names)
            del file[name]
            file[name] = np.arange(6).reshape(2, 3)
            return f"{name} is a variable"
        name = chosen(file, draw)
        del file[name]
        file.create_group(name)
    return f"{name} is a group"


def wavelengths(path: Path, draw: Random, _: Outside) -> str:
    """Centres that are not finite, not positive, the same, unsorted, too few."""
    with changing(path) as file:
        names = [
            n for n in datasets(file) if n.rpartition("/")[2] in ("wavelength_3d", "wavelength")
        ]
        how = draw.choice(tuple(_CENTRES))
        if names:
            name = draw.choice(names)
            centres = _CENTRES[how](np.asarray(file[name][...], np.float64))
            with np.errstate(invalid="ignore"):
                typed = centres.astype(file[name].dtype) if draw.random() < 0.3 else centres
            replaced(file, name, lambda: file.create_dataset(name, data=typed))
            return f"{name} {how}: {typed}"
        name = chosen(file, draw, BAND)
        made = _CENTRES[how](np.array([443.0, 560.0]))
        file[name].attrs["wavelength"] = draw.choice((made, made[0] if made.size else "443", "443"))
    return f"wavelength of {name} {how}"


_CENTRES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "not a number": lambda nm: np.where(np.arange(nm.size) == 0, np.nan, nm),
    "infinite": lambda nm: np.where(np.arange(nm.size) == 0, np.inf, nm),
    "all the same": lambda nm: np.full(nm.shape, nm[0]),
    "reversed": lambda nm: nm[::-1].copy(),
    "negative": lambda nm: -nm,
    "zero": np.zeros_like,
    "a little off": lambda nm: nm + 1.4,
    "of another sensor": lambda nm: nm + 7,
    "too few": lambda nm: nm[:-1],
    "in a column": lambda nm: nm[:, np.newaxis],
}


def dimensions(path: Path, draw: Random, _: Outside) -> str:
    """What joins variables to their dimensions is wrong or missing."""
    with changing(path) as file:
        name = chosen(file, draw)
        attributes = file[name].attrs
        marks = ("DIMENSION_LIST", "REFERENCE_LIST", "CLASS", "NAME", "_Netcdf4Dimid")
        marks = tuple(mark for mark in marks if mark in attributes)
        scales = [n for n in datasets(file) if file[n].is_scale]
        if marks and (draw.random() < 0.6 or not scales):
            mark = draw.choice(marks)
            del attributes[mark]
            if draw.random() < 0.5:
                attributes[mark] = draw.choice((np.int32(99), "wrong", np.zeros(3)))
            return f"{mark} of {name}"
        if not scales:
            return "nothing: no dimensions"
        scale, axis = draw.choice(scales), draw.randrange(max(file[name].ndim, 1))
        if axis >= file[name].ndim or file[name].is_scale:
            return "nothing: no axis"
        for other in list(file[name].dims[axis].values()):
            file[name].dims[axis].detach_scale(other)
        file[name].dims[axis].attach_scale(file[scale])
    return f"axis {axis} of {name} is {scale}"
