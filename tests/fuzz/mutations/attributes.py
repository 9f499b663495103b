"""Attributes that say something else, or say it in a type that nobody expects."""

from pathlib import Path
from random import Random
from typing import Any

import h5py
import numpy as np

from fuzz.mutations.hdf5 import BAND, FLAGS, PLACE, changing, chosen
from fuzz.outside import Outside

PACKING = ("scale_factor", "add_offset", "_FillValue", "missing_value", "valid_min", "valid_max")
PACKING += ("valid_range", "_Unsigned")
SGLI = ("Rrs_slope", "Rrs_offset", "Error_DN", "Minimum_valid_DN", "Maximum_valid_DN")
LIMITS = ("_FillValue", "missing_value", "valid_min", "valid_max", *SGLI[2:])

ODD: tuple[Any, ...] = (
    np.float64("nan"),
    np.float32("inf"),
    0.0,
    np.int8(0),
    -1.0,
    1e300,
    np.float32(1e-45),
    np.int64(2**63 - 1),
    np.uint64(2**64 - 1),
    np.int16(-32767),
    1 + 2j,
    np.True_,
    "",
    "text",
    "2e-6",
    "a\nb\x1b[31m",
    "\N{SNOWMAN}" * 20,
    np.bytes_(b"\xff\xfe\xfd"),
    "x" * 60_000,
    np.array([1.0, 2.0]),
    np.array([], "f8"),
    np.zeros((2, 2)),
    np.array([2e-6]),
    np.array(["a", "b"], object),
    np.array(b"fixed"),
    np.array((1, 2.0), [("a", "<i2"), ("b", "<f4")]),
    h5py.Empty("f8"),
    h5py.Empty("S1"),
)
NUMBERS: tuple[Any, ...] = (
    np.float32(2e-6),
    np.float64(1e-5),
    np.float32(-2e-6),
    np.float32(0.05),
    np.int16(3),
    np.int32(1),
    np.float32(1e-30),
    np.float64(1e30),
    np.array([1e-6]),
)
COUNTS: tuple[Any, ...] = (
    np.int16(-24000),
    np.float64(-24000),
    np.float32(-24000.5),
    np.int64(1 << 40),
    np.float64(1e10),
    np.float64(-32767 + 65536),
    np.int32(-20000),
    np.uint16(40000),
    np.float64("nan"),
    np.float32(0.01),
    np.array([-24000, -23000], np.int16),
    "-24000",
    "n/a",
)


def packing(path: Path, draw: Random, _: Outside) -> str:
    """A scale, an offset, a fill value or a limit that is no number, or a strange one."""
    with changing(path) as file:
        name = chosen(file, draw, draw.choice((BAND, BAND, PLACE)))
        names = SGLI if "Rrs_slope" in file[name].attrs else PACKING
        attribute = draw.choice(names)
        value = draw.choice(SIGNS if attribute == "_Unsigned" else (*ODD, *COUNTS))
        said = _set(file[name], attribute, value)
    return f"{name}: {said}"


def sane_packing(path: Path, draw: Random, _: Outside) -> str:
    """Another scale, offset or limit, as good as the one before."""
    with changing(path) as file:
        name = chosen(file, draw, BAND)
        names = SGLI if "Rrs_slope" in file[name].attrs else PACKING[:-2]
        said = []
        for attribute in draw.sample(names, 2):
            value = draw.choice(COUNTS[:-1] if attribute in LIMITS else NUMBERS)
            said.append(_set(file[name], attribute, value))
    return f"{name}: {', '.join(said)}"


def flags(path: Path, draw: Random, _: Outside) -> str:
    """Masks and meanings that do not fit together, or are no masks and no meanings."""
    with changing(path) as file:
        name = chosen(file, draw, FLAGS)
        attributes = file[name].attrs
        if draw.random() < 0.5:
            masks = np.atleast_1d(attributes.get("flag_masks", np.arange(1, 4, dtype=np.int16)))
            value = draw.choice(
                (
                    masks[:-1],
                    masks[:1],
                    masks[0],
                    masks.astype(np.float32),
                    masks.astype(np.int8),
                    masks.astype(np.int64),
                    masks.astype(np.uint64),
                    -masks.astype(np.int64),
                    np.zeros_like(masks),
                    masks[::-1],
                    masks.reshape(1, -1),
                    np.array([str(mask) for mask in masks], "S"),
                    *ODD,
                )
            )
            said = _set(file[name], "flag_masks", value)
        else:
            meaning = "Data_description" if "Data_description" in attributes else "flag_meanings"
            said = _set(file[name], meaning, draw.choice((*_meanings(attributes, meaning), *ODD)))
    return f"{name}: {said}"


def _meanings(attributes: h5py.AttributeManager, name: str) -> list[Any]:
    found = attributes.get(name, "LAND CLOUD")
    texts = [text.decode() if isinstance(text, bytes) else str(text) for text in np.ravel(found)]
    text = " ".join(texts)
    return [
        "LAND",
        f"{text} ONE_MORE",
        text.lower(),
        " ".join(["LAND"] * len(text.split())),
        text.replace(" ", "\n"),
        " ".join(reversed(text.split())),
        np.bytes_(text.encode() + b" \xff\xfe"),
        np.array(text.split(), "S"),
        text.replace("LAND", "L\x1bAND"),
        "Bit 1: LAND; Bit 99: FAR; Bit 1: AGAIN",
        "Bit 1: LAND" + " " * 50_000 + "x",
    ]


SIGNS: tuple[Any, ...] = ("true", "TRUE", "false", np.bytes_(b"true"), np.int8(1), *ODD)
TEXTS = ("units", "long_name", "standard_name", "flag_meanings", "grid_mapping", "coordinates")


def texts(path: Path, draw: Random, _: Outside) -> str:
    """Units and names that are no text, or none that is known."""
    units = ("sr-1", "sr^-1", "1", "dl", "percent", "degree", "W m-2", "SR-1 ", " ")
    with changing(path) as file:
        name = chosen(file, draw)
        said = _set(file[name], draw.choice(TEXTS), draw.choice((*units, *ODD)))
    return f"{name}: {said}"


def any_attribute(path: Path, draw: Random, _: Outside) -> str:
    """Any attribute of the file, a group or a variable, by any value."""
    with changing(path) as file:
        owners = [file, file]
        file.visititems(lambda _, found: owners.append(found))
        owner = draw.choice([owner for owner in owners if len(owner.attrs)])
        attribute = draw.choice((*sorted(owner.attrs), "new\n\x1b[31m"))
        said = _set(owner, attribute, draw.choice((*ODD, *NUMBERS)))
    return f"{owner.name}: {said}"


SIZES = (0, 1, -1, 2, 20, 22, 2**31 - 1, 2**40, 1.5, "21")
OF_SIZE = ("Number_of_lines", "Number_of_pixels", "Resampling_interval", "al_subsampling_factor")
OF_SIZE += ("ac_subsampling_factor", "subsampling_x", "subsampling_y", "offset_x", "offset_y")


def sizes(path: Path, draw: Random, _: Outside) -> str:
    """What says how many lines there are, or how far apart tie points lie."""
    with changing(path) as file:
        owners = [file]
        file.visititems(lambda _, found: owners.append(found))
        places = [(owner, name) for owner in owners for name in OF_SIZE if name in owner.attrs]
        if not places:
            return "nothing: no sizes"
        owner, name = draw.choice(places)
        said = _set(owner, name, draw.choice((*SIZES, *ODD)))
    return f"{owner.name}: {said}"


def _set(owner: h5py.Group | h5py.Dataset, name: str, value: Any) -> str:
    if name in owner.attrs:
        del owner.attrs[name]
    owner.attrs[name] = value
    shown = repr(value)
    return f"{name} = {shown if len(shown) < 60 else shown[:60] + '...'}"
