"""A mask rule whose area grows: clouds and land have blurred edges."""

from dataclasses import dataclass

import dask.array as da
import numpy as np
import numpy.typing as npt
import xarray as xr

from pipeline.masks.rule import MaskRule
from pipeline.scene import SPECTRAL, Band, state_name

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

    def grown(self, scene: xr.Dataset) -> xr.DataArray:
        """The grown mask of a whole scene, lazily, on (y, x)."""
        names = {band.quantity for band in self.rule.needs}
        names |= {state_name(name) for name in names if state_name(name) in scene}
        layers = scene[sorted(names)].reset_coords(drop=True)
        spectral = {str(dim): -1 for dim in layers.dims if dim not in ("y", "x")}
        layers = layers.chunk(spectral).unify_chunks()
        for quantity in SPECTRAL:  # storage chunks, but only the bands the rule reads
            wanted = sorted(
                {b.wavelength_nm or 0 for b in self.rule.needs if b.quantity == quantity}
            )
            if wanted:
                layers = layers.sel({f"{quantity}_wavelength": wanted})
        template = xr.DataArray(
            da.zeros(
                (layers.sizes["y"], layers.sizes["x"]),
                dtype=bool,
                chunks=(layers.chunks["y"], layers.chunks["x"]),
            ),
            dims=("y", "x"),
        )
        excluded = xr.map_blocks(_excluded, layers, kwargs={"rule": self.rule}, template=template)
        grown = da.map_overlap(
            dilate,
            excluded.data,
            depth=self.radius,
            boundary="none",
            dtype=bool,
            radius=self.radius,
        )
        return xr.DataArray(grown, dims=("y", "x"))


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
