"""The inputs and outputs of a network, and the functions of columns of them.

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
    """A linear scaling, as the centre and the width it takes from a variable."""

    centre: Callable[["Variable"], float]
    width: Callable[["Variable"], float]
    needs_range: bool = False
    """Whether it has no meaning without a training range."""
    needs_parameters: bool = False
    """Whether it has no meaning without mean and standard deviation."""


SCALINGS: dict[str, Scaling] = {
    # Onto [-1, 1], as OC-SMART.
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
    """Lower end of the training range, of the transformed quantity; -inf where none is known."""
    maximum: float
    """Upper end; inf where none is known."""
    long_name: str = ""
    standard_name: str | None = None
    scaling_name: str = "minmax"
    scaling_parameters: tuple[float, float] | None = None
    """Mean and standard deviation of the transformed quantity, for ``zscore``."""

    @property
    def name(self) -> str:
        """``Rrs_443``, ``aph_443``, ``solar_zenith``."""
        return band_name(self.quantity, self.wavelength_nm)

    @property
    def transform(self) -> Transform:
        """The function between the physical and the transformed quantity."""
        return TRANSFORMS[self.transform_name]

    @property
    def spans_decades(self) -> bool:
        """Whether its transform is a logarithm: then its uncertainty is one of log10."""
        return self.transform.ln_per_unit is not None

    @property
    def scaling(self) -> Scaling:
        """The function between the transformed quantity and what the network sees."""
        return SCALINGS[self.scaling_name]

    @property
    def mean_and_std(self) -> tuple[float, float]:
        """The parameters of ``zscore``; NaN, NaN where there are none."""
        return self.scaling_parameters or (float("nan"), float("nan"))

    @property
    def physical_range(self) -> tuple[float, float]:
        """The training range in physical units, low to high; an unknown end is infinite."""
        ends = self.minimum, self.maximum
        low, high = ends if self.transform.increasing else reversed(ends)
        return self._untransformed(low, -np.inf), self._untransformed(high, np.inf)

    def _untransformed(self, end: float, unknown: float) -> float:
        return float(self.transform.inverse(np.float64(end))) if np.isfinite(end) else unknown


def transformed(variables: tuple[Variable, ...], physical: Array) -> Array:
    """Each column through its variable's transform; shapes (n, variables)."""
    columns = [
        variable.transform.forward(physical[:, index]) for index, variable in enumerate(variables)
    ]
    return np.stack(columns, axis=1)


def limits(variables: tuple[Variable, ...]) -> tuple[Array, Array]:
    """Minimum and maximum of the transformed variables, each with shape (variables,).

    An end that is not known is infinite.
    """
    minimum = np.array([variable.minimum for variable in variables])
    return minimum, np.array([variable.maximum for variable in variables])


def scale_factors(variables: tuple[Variable, ...]) -> tuple[Array, Array]:
    """Centre and width of each variable's scaling, each with shape (variables,).

    What the network sees is ``(transformed - centre) / width``.
    """
    centre = np.array([variable.scaling.centre(variable) for variable in variables])
    return centre, np.array([variable.scaling.width(variable) for variable in variables])


def scaled(variables: tuple[Variable, ...], physical: Array) -> Array:
    """What a network sees of physical values with shape (n, variables)."""
    centre, width = scale_factors(variables)
    with np.errstate(all="ignore"):
        return (transformed(variables, physical) - centre) / width


def unscaled(variables: tuple[Variable, ...], signal: Array) -> Array:
    """Undo :func:`scaled`: physical values from what the last layer gives, (n, variables)."""
    centre, width = scale_factors(variables)
    values = signal * width + centre
    columns = [
        variable.transform.inverse(values[:, index]) for index, variable in enumerate(variables)
    ]
    return np.stack(columns, axis=1)


def in_decades(variables: tuple[Variable, ...], values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """log10 of the columns (n, variables) that span decades; the others as they are; a copy."""
    out = np.array(values)
    for column, variable in enumerate(variables):
        if variable.spans_decades:
            np.log10(values[:, column], out=out[:, column])
    return out


def out_of_decades(variables: tuple[Variable, ...], values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The inverse of :func:`in_decades`; a copy."""
    out = np.array(values)
    for column, variable in enumerate(variables):
        if variable.spans_decades:
            np.power(values.dtype.type(10), values[:, column], out=out[:, column])
    return out


def in_short(variables: tuple[Variable, ...]) -> str:
    """``Rrs 412, 443, 488 nm (sr-1); solar_zenith (degrees)``; many bands by number and ends."""
    parts = []
    for (quantity, units), group in groupby(variables, lambda v: (v.quantity, v.units)):
        bands = [v.wavelength_nm for v in group if v.wavelength_nm is not None]
        where = ", ".join(f"{nm:g}" for nm in bands)
        if len(bands) > MOST_BANDS_IN_SHORT:
            where = f"{len(bands)} bands, {min(bands):g} to {max(bands):g}"
        parts.append(f"{quantity} {where} nm ({units})" if bands else f"{quantity} ({units})")
    return "; ".join(parts)
