"""The uncertainty of a scene's values, and how it is propagated through the networks."""

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.config.strict import SORTED, NotNegative, Positive, Strict

Correlated = Annotated[float, Field(ge=-1, le=1)]


class QuantityUncertainty(Strict):
    """The parts of a standard deviation; the sum of their squares is the variance."""

    from_scene: bool = False
    """True to use the uncertainty that the scene contains (``Rrs_unc`` for Rrs)."""
    relative: NotNegative = 0.0
    """Uncertainty as a share of the value."""
    constant: NotNegative = 0.0
    """Uncertainty in the units of the quantity."""

    @model_validator(mode="after")
    def _is_something(self) -> "QuantityUncertainty":
        if not (self.from_scene or self.relative or self.constant):
            raise ValueError("set from_scene to true, or set relative or constant above zero")
        return self


class Correlation(Strict):
    """The correlation of errors between the bands of a quantity, given in one of three ways."""

    equal: Annotated[float, Field(ge=0, lt=1)] | None = None
    """The same correlation for every pair of bands."""
    length_nm: Positive | None = None
    """Length in nm; the correlation of two bands is exp(-distance in nm / length)."""
    matrix: tuple[tuple[Correlated, ...], ...] | None = None
    """Correlation matrix at ``wavelengths_nm``; for a band, the nearest wavelength is used."""
    wavelengths_nm: tuple[Positive, ...] = ()

    @model_validator(mode="after")
    def _one_way(self) -> "Correlation":
        given = [self.equal is not None, self.length_nm is not None, self.matrix is not None]
        if sum(given) != 1:
            raise ValueError("give exactly one: equal, length_nm, or matrix with wavelengths_nm")
        if (self.matrix is not None) != bool(self.wavelengths_nm):
            raise ValueError("give both matrix and wavelengths_nm, or neither")
        return self

    @model_validator(mode="after")
    def _is_a_correlation(self) -> "Correlation":
        if self.matrix is None:
            return self
        size = len(self.wavelengths_nm)
        if len(self.matrix) != size or any(len(row) != size for row in self.matrix):
            raise ValueError(f"expected {size} rows of {size} numbers for the {size} wavelengths")
        for i, row in enumerate(self.matrix):
            if row[i] != 1 or any(row[j] != self.matrix[j][i] for j in range(size)):
                raise ValueError("expected a symmetric matrix with 1 on the diagonal")
        return self

    def between(self, first_nm: float, second_nm: float) -> float:
        """Return the correlation of the errors at two wavelengths."""
        if self.equal is not None:
            return self.equal
        if self.length_nm is not None:
            return math.exp(-abs(first_nm - second_nm) / self.length_nm)
        known = self.wavelengths_nm
        row, column = (
            min(range(len(known)), key=lambda place: abs(known[place] - nm))
            for nm in (first_nm, second_nm)
        )
        return (self.matrix or ())[row][column]


class Uncertainty(Strict):
    """Where the uncertainty of products comes from, and in which form it is written."""

    inputs: Annotated[dict[str, QuantityUncertainty], SORTED] = {}
    """Uncertainty of quantities of the scene, such as Rrs; others have no uncertainty."""
    correlation: Correlation | None = None
    """Correlation of errors between bands; by default the errors of bands are independent."""
    method: Literal["sigma_points", "jacobian"] = "sigma_points"
    """sigma_points: for n uncertain inputs, the networks run on 2n additional points. jacobian:
    linear propagation by derivatives, useful if there are many inputs."""
    written_as: Literal["log10", "factor"] = "log10"
    """Form of the uncertainty of outputs that span several powers of ten. log10: the standard
    deviation s of the output's decimal logarithm. factor: 10^s."""


class SampleUncertainty(Strict):
    """The uncertainty of the inputs of samples."""

    inputs: Annotated[dict[str, QuantityUncertainty], SORTED] = Field(min_length=1)
    """Uncertainty of input quantities, such as Rrs; other quantities have no uncertainty."""
    correlation: Correlation | None = None
    """Correlation of errors between bands; by default the errors of bands are independent."""

    @model_validator(mode="after")
    def _is_in_numbers(self) -> "SampleUncertainty":
        if any(given.from_scene for given in self.inputs.values()):
            raise ValueError(
                "samples do not come with a scene; set relative or constant, not from_scene"
            )
        return self
