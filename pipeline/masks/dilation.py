"""A mask rule whose area grows, because clouds and land have blurred edges."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

from pipeline.masks.rule import MaskRule
from pipeline.scene.lazy import Generated, StoredChunks, lazy
from pipeline.scene.scene import Band, storage_of
from pipeline.scene.selection import select_layers

Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Dilated:
    """Excludes pixels at most ``radius`` lines and columns away from a pixel that a rule excludes.

    The neighbours of a pixel may be in another block or outside the window. Therefore, the grown
    mask is a separate layer, made before the scene is divided into blocks.
    """

    rule: MaskRule
    radius: int

    @property
    def name(self) -> str:
        """Name of the rule whose mask grows."""
        return self.rule.name

    @property
    def layer(self) -> str:
        """Name of the layer with the grown mask."""
        return f"dilated_{self.rule.name}"

    @property
    def needs(self) -> tuple[Band, ...]:
        """The layer with the grown mask."""
        return (Band(self.layer),)

    def excluded(self, block: xr.Dataset) -> Bool:
        """Return the grown mask of a block, with shape (y, x)."""
        return np.asarray(block[self.layer].values, dtype=bool)

    def grown(self, scene: xr.Dataset) -> xr.DataArray:
        """Return the grown mask as a lazy array with shape (y, x).

        To compute a part of the mask, ``radius`` more pixels on each side are read.
        """
        layers = select_layers(scene, self.rule.needs, with_states=self.rule.needs)
        shape = (scene.sizes["y"], scene.sizes["x"])

        def excluded(lines: slice, pixels: slice) -> Bool:
            around = [self._around(p, n) for p, n in zip((lines, pixels), shape, strict=True)]
            block = layers.isel(y=around[0], x=around[1]).load()
            mask = dilate(self.rule.excluded(block), self.radius)
            inside = [
                slice(part.start - wider.start, part.stop - wider.start)
                for part, wider in zip((lines, pixels), around, strict=True)
            ]
            return mask[inside[0], inside[1]]

        chunks = tuple(storage_of(scene, self.rule.needs))
        mask = _Grown(excluded, shape, np.dtype(bool), chunks)
        return lazy(mask, ("y", "x"))

    def _around(self, part: slice, size: int) -> slice:
        return slice(max(part.start - self.radius, 0), min(part.stop + self.radius, size))


@dataclass(frozen=True, eq=False)
class _Grown(Generated):
    """A grown mask, computed from layers that are stored in chunks."""

    chunks: tuple[StoredChunks, ...]

    def storage(self, bands: Sequence[int]) -> Iterator[StoredChunks]:  # noqa: ARG002
        """Return the chunks of the layers."""
        return iter(self.chunks)


def dilate(mask: Bool, radius: int) -> Bool:
    """Grow a mask: all pixels within ``radius`` lines and columns of a true pixel become True."""
    grown = np.asarray(mask, dtype=bool)
    for axis in (0, 1):
        grown = _along(grown, radius, axis)
    return grown


def _along(mask: Bool, radius: int, axis: int) -> Bool:
    grown = mask.copy()
    size = mask.shape[axis]
    for shift in range(1, min(radius, size - 1) + 1):
        low, high = [slice(None)] * 2, [slice(None)] * 2
        low[axis], high[axis] = slice(0, size - shift), slice(shift, size)
        grown[tuple(low)] |= mask[tuple(high)]
        grown[tuple(high)] |= mask[tuple(low)]
    return grown
