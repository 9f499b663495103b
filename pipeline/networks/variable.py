"""The inputs and outputs of a network, and functions that convert their values.

A physical value is transformed (log10, cosine of degrees ...), then scaled linearly:
``scaled = (transformed - centre) / width``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.facts.quantities import band_name
from pipeline.networks.transforms import TRANSFORMS, Transform

Array = npt.NDArray[np.float64]

MOST_BANDS_IN_SHORT = 16


@dataclass(frozen=True)
class Scaling:
    """A linear scaling, with functions that compute its centre and width for a variable."""

    centre: Callable[["Variable"], float]
    width: Callable[["Variable"], float]
    needs_range: bool = False
    """True if the scaling is computed from a training range."""
    needs_parameters: bool = False
    """True if the scaling is computed from mean and standard deviation."""


SCALINGS: dict[str, Scaling] = {
    # Onto [-1, 1], as in OC-SMART.
    "minmax": Scaling(
        lambda v: (v.minimum + v.maximum) / 2,
        lambda v: (v.maximum - v.minimum) / 2,
        needs_range=True,
    ),
    # Onto [0, 1].
    "minmax_01": Scaling(lambda v: v.minimum, lambda v: v.maximum - v.minimum, needs_range=True),
    "zscore": Scaling(
        lambda v: v.mean_and_std[0], lambda v: v.mean_and_std[1], needs_parameters=True
    ),
    "none": Scaling(lambda _: 0.0, lambda _: 1.0),
}


@dataclass(frozen=True)
class Variable:
    """One input or output of a network."""

    quantity: str
    wavelength_nm: float | None
    units: str
    transform_name: str
    minimum: float
    """Lower end of the training range of the transformed quantity; -inf if unknown."""
    maximum: float
    """Upper end of the training range of the transformed quantity; inf if unknown."""
    long_name: str = ""
    standard_name: str | None = None
    scaling_name: str = "minmax"
    scaling_parameters: tuple[float, float] | None = None
    """Mean and standard deviation of the transformed quantity, for ``zscore``."""

    @property
    def name(self) -> str:
        """Quantity and band as one name: ``Rrs_443``, ``aph_443``, ``solar_zenith``."""
        return band_name(self.quantity, self.wavelength_nm)

    @property
    def transform(self) -> Transform:
        """The function between the physical and the transformed quantity."""
        return TRANSFORMS[self.transform_name]

    @property
    def spans_decades(self) -> bool:
        """True if the transform is a logarithm; uncertainties then describe log10(variable)."""
        return self.transform.ln_per_unit is not None

    @property
    def scaling(self) -> Scaling:
        """The function between the transformed quantity and the value that the network gets."""
        return SCALINGS[self.scaling_name]

    @property
    def mean_and_std(self) -> tuple[float, float]:
        """Mean and standard deviation for ``zscore``; both are NaN for other scalings."""
        return self.scaling_parameters or (float("nan"), float("nan"))

    @property
    def physical_range(self) -> tuple[float, float]:
        """The training range in physical units, low end first; an unknown end is infinite."""
        ends = self.minimum, self.maximum
        low, high = ends if self.transform.increasing else reversed(ends)
        return self._untransformed(low, -np.inf), self._untransformed(high, np.inf)

    def _untransformed(self, end: float, unknown: float) -> float:
        return float(self.transform.inverse(np.float64(end))) if np.isfinite(end) else unknown


def transformed(variables: tuple[Variable, ...], physical: Array) -> Array:
    """Transform physical values; both arrays have shape (n, variables)."""
    columns = [v.transform.forward(physical[:, index]) for index, v in enumerate(variables)]
    return np.stack(columns, axis=1)


def untransformed(variables: tuple[Variable, ...], values: Array) -> Array:
    """Convert transformed values to physical values; both arrays have shape (n, variables)."""
    columns = [v.transform.inverse(values[:, index]) for index, v in enumerate(variables)]
    return np.stack(columns, axis=1)


def limits(variables: tuple[Variable, ...]) -> tuple[Array, Array]:
    """Return two arrays (variables,): the minima and the maxima of the transformed variables.

    An unknown end is infinite.
    """
    return np.array([v.minimum for v in variables]), np.array([v.maximum for v in variables])


def scale_factors(variables: tuple[Variable, ...]) -> tuple[Array, Array]:
    """Return two arrays (variables,): the centres and the widths of the variables' scalings.

    A network gets ``(transformed - centre) / width``.
    """
    centre = np.array([variable.scaling.centre(variable) for variable in variables])
    return centre, np.array([variable.scaling.width(variable) for variable in variables])


def scaled(variables: tuple[Variable, ...], physical: Array) -> Array:
    """Scale physical values for a network; both arrays have shape (n, variables)."""
    centre, width = scale_factors(variables)
    with np.errstate(all="ignore"):
        return (transformed(variables, physical) - centre) / width


def unscaled(variables: tuple[Variable, ...], signal: Array) -> Array:
    """Return physical values from scaled values: the inverse of :func:`scaled`."""
    centre, width = scale_factors(variables)
    return untransformed(variables, signal * width + centre)


def in_decades(variables: tuple[Variable, ...], values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Copy columns (n, variables); log10 is taken where a variable's transform is a logarithm."""
    return _decades(variables, values, np.log10)


def out_of_decades(variables: tuple[Variable, ...], values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return physical values from columns (n, variables) that :func:`in_decades` returned."""
    return _decades(variables, values, lambda x, out: np.power(values.dtype.type(10), x, out=out))


def _decades(
    variables: tuple[Variable, ...], values: npt.NDArray[Any], function: Callable[..., Any]
) -> npt.NDArray[Any]:
    result = np.array(values)
    for column, variable in enumerate(variables):
        if variable.spans_decades:
            function(values[:, column], out=result[:, column])
    return result


def in_short(variables: tuple[Variable, ...]) -> str:
    """Return a text such as ``Rrs 412, 443 nm (sr-1)``; many bands are given as a range."""
    parts = []
    for (quantity, units), group in groupby(variables, lambda v: (v.quantity, v.units)):
        bands = [v.wavelength_nm for v in group if v.wavelength_nm is not None]
        where = ", ".join(f"{nm:g}" for nm in bands)
        if len(bands) > MOST_BANDS_IN_SHORT:
            where = f"{len(bands)} bands, {min(bands):g} to {max(bands):g}"
        parts.append(f"{quantity} {where} nm ({units})" if bands else f"{quantity} ({units})")
    return "; ".join(parts)
