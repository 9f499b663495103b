"""Counts the parts that an HDF5 file declares, before a library reads each part.

Libraries take some milliseconds for each variable. In the older of HDF5's two ways to store
attributes, they search all attributes of a variable once for each attribute. So the time for n
attributes grows with the square of n.
"""

import h5py
import numpy as np
from h5py import h5o

from pipeline.errors import PipelineError
from pipeline.files.limits import ATTRIBUTE_BYTES

# Hyperspectral files with one variable per band have several hundred objects.
MOST_OBJECTS = 5_000
# The largest number of attributes that was seen in a real file is about 300.
MOST_ATTRIBUTES = 5_000


def check_counts(
    file: h5py.File, name: str, error: type[PipelineError], longest_text: int = 0
) -> None:
    """Refuse a file with more groups and variables, or more attributes, than any real scene.

    Several attributes may refer to one stored text, which is then read once for each of them.
    ``longest_text`` is the largest number of bytes that a text can have. The exception has the
    class ``error``; the message names ``name``, the number and the limit.
    """
    root = h5o.get_info(file.id)
    found, count, attributes = _too_many(b"/", root), 0, root.num_attrs

    def look(path: bytes, info: h5o.ObjInfo) -> str | None:
        nonlocal count, attributes
        count += 1
        attributes += info.num_attrs
        if count > MOST_OBJECTS:
            return f"the file has more than {MOST_OBJECTS:,} groups and variables. Remove some"
        return _too_many(path, info)

    found = found or h5o.visit(file.id, look, info=True)
    if found is not None:
        raise error(
            f"{name}: {found}. If the file is right, write the parts that a "
            "run needs to another file (ncks -v)."
        )
    if attributes * longest_text > ATTRIBUTE_BYTES.most:
        _check_attributes(file, name, error)


def _check_attributes(file: h5py.File, name: str, error: type[PipelineError]) -> None:
    """Add up the lengths of the texts of all attributes; only one text is in memory at a time."""
    objects = [file]
    file.visititems(lambda _, found: objects.append(found))
    read = 0
    for found in objects:
        for attribute in found.attrs:
            if h5py.check_string_dtype(found.attrs.get_id(attribute).dtype) is None:
                continue
            value = found.attrs[attribute]
            texts = value.flat if isinstance(value, np.ndarray) else [value]
            read += sum(len(text) for text in texts if isinstance(text, str | bytes))
            ATTRIBUTE_BYTES.check(read, name, error)


def _too_many(name: bytes, info: h5o.ObjInfo) -> str | None:
    if info.num_attrs <= MOST_ATTRIBUTES:
        return None
    shown = name.decode(errors="backslashreplace")
    return f"{shown} has {info.num_attrs:,} attributes, expected at most {MOST_ATTRIBUTES:,}"
