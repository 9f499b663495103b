"""The steps that may follow a network: gains multiply its Rrs, and a scope check tests its inputs.

Both come from OC-SMART (version 2.6.3; Fan et al. 2021, Remote Sens. Environ. 253, 112236).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

GAINS = "gains"
SCOPE = "scope_check"
AFTER = (GAINS, SCOPE)

# A spectrum is out of scope if the mean over bands of |reconstructed / given - 1| is larger.
SCOPE_LIMIT = 0.07
# Only bands below this wavelength (nm) decide between open ocean and coast.
LONGEST_DECIDING_NM = 700.0

Float64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Gains:
    """Vicarious gains on remote sensing reflectance, one per band."""

    mode: str
    """Which gains apply: ``open``, ``coastal``, or ``ocsmart`` (chosen for each pixel)."""
    wavelengths_nm: tuple[float, ...]
    open_ocean: tuple[float, ...]
    coastal: tuple[float, ...]
    ratio: float
    """Smallest ratio (largest / smallest Rrs) of a spectrum of the open ocean."""
    first_bands: int
    """Open ocean has its largest Rrs in the first bands; this is the number of these bands."""

    def factors(self, rrs: npt.NDArray[np.floating]) -> Float64:
        """Return the gain of every value of ``rrs``, as an array (n, bands)."""
        if self.mode == "ocsmart":
            is_open = self.is_open_ocean(rrs)[:, np.newaxis]
            return np.where(is_open, np.array(self.open_ocean), np.array(self.coastal))
        chosen = self.open_ocean if self.mode == "open" else self.coastal
        return np.broadcast_to(np.array(chosen), rrs.shape)

    def is_open_ocean(self, rrs: npt.NDArray[np.floating]) -> Bool:
        """Return, for each spectrum (n, bands), whether it is typical of the open ocean.

        A spectrum with a missing band or a negative value is coastal. If the smallest value is
        zero, the ratio is infinite.
        """
        first, others, ratio = self._deciding(rrs)
        return np.asarray((ratio >= self.ratio) & (first >= others))

    def near_decision(self, rrs: npt.NDArray[np.floating], margin: float) -> Bool:
        """Return the rows whose gains may change if Rrs changes by the relative ``margin``."""
        if self.mode != "ocsmart" or self.open_ocean == self.coastal:
            return np.zeros(len(rrs), dtype=bool)
        first, others, ratio = self._deciding(rrs)
        with np.errstate(all="ignore"):
            near_ratio = np.abs(ratio - self.ratio) <= 2 * margin * self.ratio
            near_other = np.abs(first - others) <= 2 * margin * np.abs(np.maximum(first, others))
        return np.asarray(near_ratio | near_other)

    def _deciding(self, rrs: npt.NDArray[np.floating]) -> tuple[Float64, Float64, Float64]:
        """Return three numbers for each spectrum.

        They are the maximum of the first bands, the maximum of the other bands, and the ratio of
        the largest to the smallest value.
        """
        columns = [i for i, nm in enumerate(self.wavelengths_nm) if nm < LONGEST_DECIDING_NM]
        values = np.asarray(rrs, np.float64)[:, columns]
        first = values[:, : self.first_bands].max(axis=1)
        others = values[:, self.first_bands :].max(axis=1, initial=-np.inf)
        with np.errstate(all="ignore"):
            return first, others, values.max(axis=1) / values.min(axis=1)


def gained(values: Any, gains: Gains | None) -> Any:
    """Return values (n, bands) multiplied by the gains, in the precision of the values."""
    if gains is None:
        return values
    return (values * gains.factors(values)).astype(values.dtype)


def scope_deviation(
    given: npt.NDArray[np.floating], reconstructed: npt.NDArray[np.floating]
) -> Float64:
    """Return the mean of |reconstructed / given - 1| over the bands of each row.

    Both arguments have shape (n, bands), and the result has shape (n,).
    """
    with np.errstate(all="ignore"):
        ratio = np.asarray(reconstructed, np.float64) / np.asarray(given, np.float64)
    return np.asarray(np.abs(ratio - 1).mean(axis=1))
