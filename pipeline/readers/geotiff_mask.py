"""The mask of valid pixels that a GeoTIFF may have in addition to its bands."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from pipeline.errors import SceneError
from pipeline.files.raster import open_raster
from pipeline.scene.lazy import Region, StoredChunks


@dataclass(frozen=True, eq=False)
class GeoTiffMask:
    """Valid pixels (y, x) of a file, read in regions."""

    file: Any
    shape: tuple[int, int]
    lock: threading.Lock
    """GDAL must not read a file in two threads at a time."""

    @classmethod
    def of(cls, path: Path, shape: tuple[int, int], files: list[Any]) -> "GeoTiffMask":
        """Open the file to read its mask. Add it to ``files``, which are closed with the scene."""
        file = open_raster(path, SceneError)
        holder = xr.Dataset()
        holder.set_close(file.close)
        files.append(holder)
        return cls(file, shape, threading.Lock())

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values, which are True or False."""
        return np.dtype(bool)

    def read(self, region: Region) -> npt.NDArray[Any]:
        """Read a region; True means valid."""
        window = tuple(
            part.indices(size)[:2] if isinstance(part, slice) else (part.min(), part.max() + 1)
            for part, size in zip(region, self.shape, strict=True)
        )
        with self.lock:
            return np.asarray(self.file.read_masks(1, window=window) != 0)

    def storage(self, bands: Sequence[int]) -> Iterator[StoredChunks]:  # noqa: ARG002
        """Yield no storage chunks, because GDAL itself keeps the parts of the mask in memory."""
        return iter(())
