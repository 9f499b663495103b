"""A mask rule whose area grows, because clouds and land have blurred edges."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from pipeline.masks.rule import MaskRule, Verdict
from pipeline.scene.lazy import Region, StoredChunks, lazy
from pipeline.scene.scene import Band, storage_of
from pipeline.scene.selection import select_layers

Bool = npt.NDArray[np.bool_]
DIMS = ("y", "x")

# Bits in the layer of a grown mask.
EXCLUDED = np.uint8(1)
UNDECIDED = np.uint8(2)


@dataclass(frozen=True)
class Dilated:
    """Excludes each pixel within ``radius`` lines and columns of a pixel that the rule excludes.

    A pixel on which the rule is undecided is excluded, but the mask does not grow around it.
    Bands are missing on land and cloud, so a rule about a band is undecided there. If masks grew
    around undecided pixels, the mask of such a rule would grow around all land and cloud.

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

    def judge(self, block: xr.Dataset) -> Verdict:
        """Return the grown mask of a block; a pixel is undecided if the rule is undecided there."""
        bits = np.asarray(block[self.layer].values)
        undecided = (bits & UNDECIDED) != 0
        return Verdict((bits & EXCLUDED) != 0, undecided if undecided.any() else None)

    def grown(self, scene: xr.Dataset) -> xr.DataArray:
        """Return the grown mask as a lazy array with shape (y, x).

        A part of the mask needs layers of a larger area: ``radius`` more pixels on each side.
        """
        layers = select_layers(scene, self.rule.needs, with_states=self.rule.needs)
        shape = (scene.sizes["y"], scene.sizes["x"])
        return lazy(_Grown(self, layers, shape, tuple(storage_of(scene, self.rule.needs))), DIMS)

    def bits(self, layers: xr.Dataset, lines: slice, pixels: slice) -> npt.NDArray[np.uint8]:
        """Return the bits of a region, computed from the layers of a larger area."""
        parts = (lines, layers.sizes["y"]), (pixels, layers.sizes["x"])
        around = [self._around(part, size) for part, size in parts]
        block = layers.isel(y=around[0], x=around[1]).load()
        mask = self._bits(self.rule.judge(block))
        inside = [
            slice(part.start - wider.start, part.stop - wider.start)
            for part, wider in zip((lines, pixels), around, strict=True)
        ]
        return mask[inside[0], inside[1]]

    def _bits(self, verdict: Verdict) -> npt.NDArray[np.uint8]:
        unknown = verdict.undecided
        if unknown is None:
            return dilate(verdict.excluded, self.radius).view(np.uint8)
        grown = dilate(verdict.excluded & ~unknown, self.radius) | unknown
        return np.asarray(grown * EXCLUDED | unknown * UNDECIDED)

    def _around(self, part: slice, size: int) -> slice:
        return slice(max(part.start - self.radius, 0), min(part.stop + self.radius, size))


@dataclass(frozen=True, eq=False)
class _Grown:
    """A grown mask, computed from layers that are stored in chunks."""

    rule: Dilated
    layers: xr.Dataset
    shape: tuple[int, int]
    chunks: tuple[StoredChunks, ...]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the bits."""
        return np.dtype(np.uint8)

    def read(self, region: Region) -> npt.NDArray[np.uint8]:
        """Compute the mask of a region."""
        lines, pixels = (
            slice(*index.indices(size))  # a layer without bands can only be read by slices
            for index, size in zip(region, self.shape, strict=True)
            if isinstance(index, slice)
        )
        return self.rule.bits(self.layers, lines, pixels)

    def storage(self, bands: Sequence[int]) -> Iterator[StoredChunks]:  # noqa: ARG002
        """Return the stored chunks from which the mask is computed."""
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
