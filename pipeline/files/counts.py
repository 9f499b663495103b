"""Counts what an HDF5 file declares, before a library looks at each part of it.

Libraries take some milliseconds for each variable. In the older of the two ways to store
attributes, they search all attributes of a variable for each of them. So the time for n attributes
grows with the square of n.
"""

import h5py
from h5py import h5o

from pipeline.errors import PipelineError

# Hyperspectral files with one variable per band have several hundred.
MOST_OBJECTS = 5_000
# The largest number that was seen in a real file is about 300.
MOST_ATTRIBUTES = 5_000


def check_counts(file: h5py.File, name: str, error: type[PipelineError]) -> None:
    """Refuse a file with more groups and variables, or more attributes, than any real scene.

    The exception has the class ``error``; the message names ``name``, the number and the limit.
    """
    found, count = _too_many(b"/", h5o.get_info(file.id)), 0

    def look(path: bytes, info: h5o.ObjInfo) -> str | None:
        nonlocal count
        count += 1
        if count > MOST_OBJECTS:
            return f"the file has more than {MOST_OBJECTS:,} groups and variables. Remove some"
        return _too_many(path, info)

    found = found or h5o.visit(file.id, look, info=True)
    if found is not None:
        raise error(
            f"{name}: {found}. If the file is right, write the parts that a "
            "run needs to another file (ncks -v)."
        )


def _too_many(name: bytes, info: h5o.ObjInfo) -> str | None:
    if info.num_attrs <= MOST_ATTRIBUTES:
        return None
    shown = name.decode(errors="backslashreplace")
    return f"{shown} has {info.num_attrs:,} attributes, expected at most {MOST_ATTRIBUTES:,}"
