"""How uncertain a scene's values are, and how that goes through the networks of a run."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from pipeline.config.strict import Strict

NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Correlated = Annotated[float, Field(ge=-1, le=1)]


class QuantityUncertainty(Strict):
    """The standard deviation of a quantity of the scene; what is given adds as squares."""

    from_scene: bool = False
    """That which the scene brings: ``Rrs_unc`` for Rrs."""
    relative: NotNegative = 0.0
    """Share of the value."""
    constant: NotNegative = 0.0
    """In units of the quantity."""

    @model_validator(mode="after")
    def _is_something(self) -> "QuantityUncertainty":
        if not (self.from_scene or self.relative or self.constant):
            raise ValueError("give from_scene: true, relative, constant, or several of them")
        return self


class Correlation(Strict):
    """How errors of the bands of a quantity go together; one of three ways, none without any."""

    equal: Annotated[float, Field(ge=0, lt=1)] | None = None
    """The same between any two bands."""
    length_nm: Positive | None = None
    """exp(-distance / length), by the wavelengths of two bands."""
    matrix: tuple[tuple[Correlated, ...], ...] | None = None
    """Row by row, at ``wavelengths_nm``; bands of the scene take the nearest."""
    wavelengths_nm: tuple[Positive, ...] = ()

    @model_validator(mode="after")
    def _one_way(self) -> "Correlation":
        given = [self.equal is not None, self.length_nm is not None, self.matrix is not None]
        if sum(given) != 1:
            raise ValueError("give one of equal, length_nm, and matrix with wavelengths_nm")
        if (self.matrix is not None) != bool(self.wavelengths_nm):
            raise ValueError("matrix and wavelengths_nm belong together")
        return self

    @model_validator(mode="after")
    def _is_a_correlation(self) -> "Correlation":
        if self.matrix is None:
            return self
        size = len(self.wavelengths_nm)
        if len(self.matrix) != size or any(len(row) != size for row in self.matrix):
            raise ValueError(f"expected {size} rows of {size} numbers, one for each wavelength")
        for i, row in enumerate(self.matrix):
            if row[i] != 1 or any(row[j] != self.matrix[j][i] for j in range(size)):
                raise ValueError("expected 1 on the diagonal, and the same above it as below")
        return self


class Uncertainty(Strict):
    """What the uncertainty of products is made of, and how it is written."""

    inputs: Annotated[
        dict[str, QuantityUncertainty],
        AfterValidator(lambda entries: dict(sorted(entries.items()))),
    ] = {}
    """By quantity of the scene: Rrs, relative_humidity ... Others are taken as exact."""
    correlation: Correlation | None = None
    """Between the bands of one quantity; without, errors of bands are independent."""
    method: Literal["sigma_points", "jacobian"] = "sigma_points"
    """sigma_points: the networks on 2n points beside the values, n the uncertain inputs. jacobian:
    linear, by derivatives, for many inputs."""
    written_as: Literal["log10", "factor"] = "log10"
    """Of what spans decades: standard deviation of log10, or ten to its power."""
