"""Adjusts the bands of a scene to another calibration, with a gain and an offset for each band.

The adjusted values take the place of the file's values, so masks and expressions see them too.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import xarray as xr

from pipeline.errors import SceneError
from pipeline.scene.lazy import LazyArray, Region, StoredChunks, lazy, lazy_array_of
from pipeline.scene.scene import SPECTRAL, find_layer, parse_band, wavelength_dim, wavelengths


class Linear(Protocol):
    """Adjusted value = gain * value + offset."""

    @property
    def gain(self) -> float:
        """The factor."""
        ...

    @property
    def offset(self) -> float:
        """The offset in the units of the band."""
        ...


def with_adjustments(
    scene: xr.Dataset, adjustments: Mapping[str, Linear], tolerance_nm: float
) -> xr.Dataset:
    """Return the scene with adjusted bands.

    Args:
        scene: the scene.
        adjustments: gain and offset for each band, by a name such as ``Rrs_560``.
        tolerance_nm: how far the band of the scene may be from the wavelength in the name, in nm.

    Raises:
        SceneError: the scene has no such band, or two names stand for one band.
    """
    found: dict[tuple[str, float | None], str] = {}
    factors: dict[str, tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]] = {}
    for name, linear in adjustments.items():
        band = find_layer(scene, name, tolerance_nm) if parse_band(name) else None
        if band is None:
            have = ", ".join(f"{q}_{nm:g}" for q in SPECTRAL for nm in wavelengths(scene, q))
            raise SceneError(f"science.adjust: found the band {name}, expected one of {have}.")
        twin = found.setdefault((band.quantity, band.wavelength_nm), name)
        if twin != name:
            raise SceneError(
                f"science.adjust: {twin} and {name} are both the band {band.name} of the scene. "
                "Remove one."
            )
        centres = wavelengths(scene, band.quantity)
        gains, offsets = factors.setdefault(
            band.quantity, (np.ones(centres.size), np.zeros(centres.size))
        )
        at = int(np.argmin(np.abs(centres - (band.wavelength_nm or 0.0))))
        gains[at], offsets[at] = linear.gain, linear.offset
    return scene.assign({name: _adjusted(scene[name], *pair) for name, pair in factors.items()})


def _adjusted(
    variable: xr.DataArray, gains: npt.NDArray[np.float64], offsets: npt.NDArray[np.float64]
) -> xr.DataArray:
    array = lazy_array_of(variable)
    if array is not None:
        adjusted = _AdjustedBands(array, gains, offsets)
        return lazy(adjusted, variable.dims, variable.attrs, variable.coords)  # type: ignore[arg-type]
    dim = wavelength_dim(str(variable.name))
    gain, offset = (xr.DataArray(each, dims=dim) for each in (gains, offsets))
    changed: xr.DataArray = (variable * gain + offset).astype(np.float32)
    return changed.transpose(*variable.dims).assign_attrs(variable.attrs)


@dataclass(frozen=True, eq=False)
class _AdjustedBands:
    """Bands (bands, y, x), each with a gain and an offset."""

    array: LazyArray
    gains: npt.NDArray[np.float64]
    offsets: npt.NDArray[np.float64]

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes along (bands, y, x)."""
        return self.array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the bands."""
        return self.array.dtype

    def read(self, region: Region) -> npt.NDArray[Any]:
        """Read the bands, and adjust them in float64; other bands stay as they are."""
        values = self.array.read(region)
        adjusted = []
        for band, gain, offset in zip(
            values, self.gains[region[0]], self.offsets[region[0]], strict=True
        ):
            same = gain == 1.0 and offset == 0.0
            adjusted.append(band if same else (band * gain + offset).astype(self.dtype))
        return np.stack(adjusted) if adjusted else values

    def storage(self, bands: Sequence[int]) -> Iterator[StoredChunks]:
        """Yield the storage chunks of the bands."""
        return self.array.storage(bands)
