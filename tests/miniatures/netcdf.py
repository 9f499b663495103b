"""Variables as they are stored: no packing and no masking by the library on the way."""

from collections.abc import Mapping
from typing import Any

import netCDF4
import numpy as np


def variable(
    group: netCDF4.Dataset,
    name: str,
    stored: np.ndarray,
    dims: tuple[str, ...],
    attributes: Mapping[str, Any] | None = None,
    *,
    fill: Any = None,
    chunk: tuple[int, ...] | None = None,
    deflate: bool = True,
) -> None:
    """Write an array with its own data type, creating dimensions that no group above has."""
    stored = np.asarray(stored)
    for dim, size in zip(dims, stored.shape, strict=True):
        if not _known(group, dim):
            group.createDimension(dim, size)
    if chunk is not None:
        whole = (*chunk, *stored.shape[len(chunk) :])[: stored.ndim]
        chunk = tuple(min(size, part) for size, part in zip(stored.shape, whole, strict=True))
    created = group.createVariable(
        name,
        stored.dtype,
        dims,
        fill_value=fill,
        zlib=deflate and stored.ndim > 0,
        complevel=4,
        chunksizes=chunk if stored.ndim > 0 else None,
    )
    created.set_auto_maskandscale(False)
    created.setncatts(dict(attributes or {}))
    created[...] = stored


def _known(group: netCDF4.Dataset | None, dim: str) -> bool:
    while group is not None:
        if dim in group.dimensions:
            return True
        group = group.parent
    return False
