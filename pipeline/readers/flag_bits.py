"""Reads the attributes that describe flag bits: ``flag_masks`` and ``flag_meanings``.

CF wants integers of the variable's type, and names with blanks between them. Programs that rewrite
files also write texts with commas, arrays of texts, or numbers of another type.
"""

import logging
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.readers.attributes import as_text, shown
from pipeline.readers.damage import rewritten

log = logging.getLogger(__name__)

# A flag variable has at most 64 bits; with flag_values, some bits together may have several names.
MOST_FLAGS = 1_000
FLAGS_AS_NUMBERS = (
    "Each bit of a flag variable has a meaning, and numbers with decimals may have lost bits. A "
    "subset keeps the integers if it is made without decoding (xarray: mask_and_scale=False)."
)
# "1", "0x200", and CDL's "1b", "2s", "4ul".
_WHOLE = re.compile(r"([+-]?(?:0x[0-9a-f]+|\d+))(?:u?(?:b|s|ll?|l))?", re.IGNORECASE)


def description_of_bits(
    name: str, dtype: np.dtype[Any], attributes: Mapping[str, Any]
) -> dict[str, Any]:
    """Return ``flag_masks`` as integers, and ``flag_meanings`` as text with blanks between names.

    If there are ``flag_values``, several bits together may store one number. A name may then mean
    one value of this number. Such names are left out, because they are not flags.

    Args:
        name: name of the flag variable, for messages.
        dtype: type of the flag variable.
        attributes: attributes of the flag variable, with flag_masks and flag_meanings.

    Raises:
        SceneError: an attribute cannot be read, or there are more masks than names, or fewer.
    """
    masks = _masks(name, dtype, attributes["flag_masks"])
    meanings, names = attributes["flag_meanings"], _names(attributes["flag_meanings"])
    if not names or not all(flag.isprintable() for flag in names):
        raise rewritten(f"flag_meanings of {name} are {shown(meanings)}, expected names")
    if len(names) > MOST_FLAGS:
        raise rewritten(
            f"flag_meanings of {name} has {len(names):,} names, expected at most {MOST_FLAGS:,}"
        )
    if len(names) != masks.size:
        raise rewritten(
            f"flag_meanings of {name} has {len(names)} names, but flag_masks has {masks.size} masks"
        )
    is_flag = _is_flag(name, dtype, masks, attributes.get("flag_values"))
    if not is_flag.all():
        others = [flag for flag, is_one in zip(names, is_flag, strict=True) if not is_one]
        log.warning(
            "%s: %s cannot be used as flags: each is a value of several bits (flag_values)",
            name,
            ", ".join(others),
        )
        masks = masks[is_flag]
        names = [flag for flag, is_one in zip(names, is_flag, strict=True) if is_one]
    is_plain = isinstance(meanings, str) and meanings.split() == names
    return {"flag_masks": masks, "flag_meanings": meanings if is_plain else " ".join(names)}


def _is_flag(
    name: str, dtype: np.dtype[Any], masks: npt.NDArray[Any], values: Any
) -> npt.NDArray[np.bool_]:
    """Return an array: True if a name means one bit, False if it means a value of several bits."""
    if values is None:
        return np.ones(masks.size, bool)
    bits = (1 << (8 * dtype.itemsize)) - 1
    numbers = [int(number) & bits for number in np.ravel(_masks(name, dtype, values))]
    whole = [int(mask) & bits for mask in np.ravel(masks)]
    if len(numbers) != len(whole):
        raise rewritten(f"{name} has {len(whole)} flag_masks, but {len(numbers)} flag_values")
    pairs = zip(whole, numbers, strict=True)
    return np.array([mask == number and mask.bit_count() == 1 for mask, number in pairs], bool)


def _names(meanings: Any) -> list[str]:
    if not isinstance(meanings, str | bytes) and np.asarray(meanings).dtype.kind not in "SUO":
        return []
    return [name for name in re.split(r"[\s,;]+", as_text(meanings)) if name]


def _masks(name: str, dtype: np.dtype[Any], stated: Any) -> npt.NDArray[Any]:
    found = np.asarray(stated)
    if found.dtype.kind in "iu" and found.ndim <= 1:
        return found
    numbers = _whole_numbers(stated)
    bits = 8 * dtype.itemsize
    if not numbers or any(not -(1 << (bits - 1)) <= number < 1 << bits for number in numbers):
        raise rewritten(
            f"flag_masks of {name} are {shown(stated)}, expected integers of {bits} bits"
        )
    unsigned = [number % (1 << bits) for number in numbers]
    return np.array(unsigned, f"u{dtype.itemsize}").view(f"{dtype.kind}{dtype.itemsize}")


def _whole_numbers(stated: Any) -> list[int]:
    """Convert masks from text or floats to integers; return [] if a mask is not a whole number."""
    found = np.asarray(stated)
    if found.dtype.kind == "f" and found.ndim <= 1:
        numbers = np.ravel(found).tolist()
        return [int(number) for number in numbers] if all(n % 1 == 0 for n in numbers) else []
    if found.dtype.kind not in "SUO":
        return []
    texts = [text for text in re.split(r"[\s,;]+", as_text(stated)) if text]
    matches = [_WHOLE.fullmatch(text) for text in texts]
    return [int(match.group(1), 0) for match in matches if match] if all(matches) else []
