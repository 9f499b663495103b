"""A mask rule whose area grows: clouds and land have blurred edges."""

from dataclasses import dataclass

import dask.array as da
import numpy as np
import numpy.typing as npt
import xarray as xr

from pipeline.masks.rule import MaskRule
from pipeline.scene import AXES, SPECTRAL, Band, state_name, wavelength_dim
from pipeline.window import Extent

Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Dilated:
    """Excludes every pixel within ``radius`` lines and pixels of one that a rule excludes.

    A pixel's neighbours may be in another block or outside the window, so the grown mask is a layer
    of its own that is made before there are blocks.
    """

    rule: MaskRule
    radius: int

    @property
    def name(self) -> str:
        """That of the rule that grows."""
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
        """True where the grown mask is, with shape (y, x)."""
        return np.asarray(block[self.layer].values, dtype=bool)

    def grown(self, scene: xr.Dataset, extent: Extent) -> xr.DataArray:
        """The grown mask of a window, lazily, on (y, x): it looks ``radius`` beyond the window."""
        around = {dim: self._around(part, scene.sizes[dim]) for dim, part in extent.slices.items()}
        layers = self._layers(scene).isel(around)
        template = xr.DataArray(
            da.zeros(
                (layers.sizes["y"], layers.sizes["x"]),
                dtype=bool,
                chunks=(layers.chunks["y"], layers.chunks["x"]),
            ),
            dims=("y", "x"),
        )
        excluded = xr.map_blocks(_excluded, layers, kwargs={"rule": self.rule}, template=template)
        # No farther than the last line or pixel: more overlap than array is an error in Dask.
        depth = tuple(min(self.radius, size - 1) for size in excluded.shape)
        grown = da.map_overlap(
            dilate, excluded.data, depth=depth, boundary="none", dtype=bool, radius=self.radius
        )
        inside = {
            dim: slice(part.start - around[dim].start, part.stop - around[dim].start)
            for dim, part in extent.slices.items()
        }
        return xr.DataArray(grown, dims=("y", "x")).isel(inside)

    def _around(self, part: slice, size: int) -> slice:
        return slice(max(part.start - self.radius, 0), min(part.stop + self.radius, size))

    def _layers(self, scene: xr.Dataset) -> xr.Dataset:
        """What the rule reads, nothing else, in the chunks of the file."""
        names = {band.quantity for band in self.rule.needs}
        names |= {state_name(name) for name in names if state_name(name) in scene}
        layers = scene[sorted(names)].drop_vars(AXES, errors="ignore").reset_coords()
        layers = layers[sorted(names)]
        for quantity in SPECTRAL:
            wanted = {b.wavelength_nm or 0 for b in self.rule.needs if b.quantity == quantity}
            if wanted:
                layers = layers.sel({wavelength_dim(quantity): sorted(wanted)})
        spectral = {str(dim): -1 for dim in layers.dims if dim not in ("y", "x")}
        return layers.chunk(spectral).unify_chunks()


def _excluded(block: xr.Dataset, rule: MaskRule) -> xr.DataArray:
    return xr.DataArray(rule.excluded(block), dims=("y", "x"))


def dilate(mask: Bool, radius: int) -> Bool:
    """True within ``radius`` lines and pixels (a square) of where a mask (y, x) is true."""
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
