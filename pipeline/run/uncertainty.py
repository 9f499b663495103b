"""How uncertain the values are that a scene gives to networks, bound to its bands."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from pipeline.config import Correlation, QuantityUncertainty, Science
from pipeline.errors import ConfigError, SceneError
from pipeline.run.step import RetrievalStep
from pipeline.scene.scene import SPECTRAL, Band, plain_variables, spectral_quantities, wavelengths

SUFFIX = "_unc"
# A band and its uncertainty are of the same band: their wavelengths are those of one file.
SAME_NM = 0.5

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class UncertainInput:
    """A layer of the scene that is not exact."""

    column: int
    """Position among ``Plan.layer_names``."""
    band: Band
    brought: Band | None
    """The layer of the scene that holds its standard deviation."""
    relative: float
    constant: float
    is_positive: bool
    """Whether a network takes its logarithm: then its distribution ends at zero."""

    def deviation(self, block: xr.Dataset, pixels: npt.NDArray[np.intp]) -> Float32:
        """The standard deviation on some pixels of a block, with shape (pixels,)."""
        squares = np.full(pixels.size, np.float32(self.constant) ** 2)
        if self.relative:
            squares += np.square(np.float32(self.relative) * _on(self.band, block, pixels))
        if self.brought is not None:
            brought = _on(self.brought, block, pixels)
            squares += np.square(np.where(brought >= 0, brought, np.float32(np.nan)))
        return np.sqrt(squares)

    def describe(self) -> dict[str, Any]:
        """What it is made of, as plain data."""
        made: dict[str, Any] = {"input": self.band.name}
        if self.brought is not None:
            made["brought"] = self.brought.name
        for name in ("relative", "constant"):
            if getattr(self, name):
                made[name] = getattr(self, name)
        return made


def _on(band: Band, block: xr.Dataset, pixels: npt.NDArray[np.intp]) -> npt.NDArray[Any]:
    return np.take(band.values(block).reshape(-1), pixels)


@dataclass(frozen=True, eq=False)
class InputUncertainty:
    """All that is not exact in a run, and how its errors go together."""

    inputs: tuple[UncertainInput, ...]
    factor: Float64
    """Lower triangular with shape (inputs, inputs); times its transpose it is the correlation."""
    method: str

    @property
    def needs(self) -> tuple[Band, ...]:
        """Layers of the scene beside those that networks take."""
        return tuple(i.brought for i in self.inputs if i.brought is not None)

    def deviations(self, block: xr.Dataset, pixels: npt.NDArray[np.intp]) -> Float32:
        """Standard deviations of the inputs on some pixels, with shape (inputs, pixels).

        NaN where the scene brings none.
        """
        return np.stack([each.deviation(block, pixels) for each in self.inputs])

    def reached(self, steps: Sequence[RetrievalStep]) -> tuple[RetrievalStep, ...]:
        """The networks that take something uncertain, directly or through others; not classes."""
        uncertain = {each.column for each in self.inputs}
        found = []
        for step in steps:
            if not uncertain.isdisjoint(step.columns) and not step.retrieval.classes:
                found.append(step)
                uncertain |= set(range(step.output_columns.start, step.output_columns.stop))
        return tuple(found)

    @property
    def correlation(self) -> Float64:
        """With shape (inputs, inputs)."""
        return np.asarray(self.factor @ self.factor.T)


def make_uncertainty(
    science: Science, scene: xr.Dataset, inputs: Sequence[Band], steps: Sequence[RetrievalStep]
) -> InputUncertainty | None:
    """The uncertainty that a configuration states, bound to the layers of a scene.

    Args:
        science: of the configuration.
        scene: that is processed.
        inputs: its layers that networks take.
        steps: the networks.

    Raises:
        ConfigError: it is of a quantity that no network takes, or correlations contradict.
        SceneError: the scene does not bring the uncertainty.
    """
    stated = science.uncertainty.inputs
    if not stated:
        return None
    taken = {band.quantity for band in inputs}
    unknown = sorted(set(stated) - taken)
    if unknown:
        raise ConfigError(
            f"science.uncertainty.inputs states {', '.join(unknown)}, and the networks take "
            f"{', '.join(sorted(taken))} of the scene. State one of these, or leave it out."
        )
    positive = _taken_as_logarithm(steps)
    found = tuple(
        _bound(column, band, stated[band.quantity], scene, column in positive)
        for column, band in enumerate(inputs)
        if band.quantity in stated
    )
    factor = _factor([each.band for each in found], science.uncertainty.correlation)
    return InputUncertainty(found, factor, science.uncertainty.method)


def with_uncertainties(
    steps: Sequence[RetrievalStep], uncertainty: InputUncertainty | None
) -> tuple[RetrievalStep, ...]:
    """The networks, each with names for the uncertainties that there will be of its outputs.

    There are some where it states them itself, or takes what is not exact; there are none of
    classes, nor of what is not written.
    """
    reached = () if uncertainty is None else uncertainty.reached(steps)
    return tuple(
        dataclasses.replace(step, uncertainties=tuple(f"{n}{SUFFIX}" for n in step.variables))
        if step in reached or step.retrieval.states_uncertainty
        else step
        for step in steps
    )


def _taken_as_logarithm(steps: Sequence[RetrievalStep]) -> set[int]:
    """Columns of which a network takes the logarithm, or a root."""
    return {
        column
        for step in steps
        for column, variable in zip(step.columns, step.retrieval.inputs, strict=True)
        if variable.transform.needs_positive or variable.transform.needs_non_negative
    }


def _bound(
    column: int, band: Band, stated: QuantityUncertainty, scene: xr.Dataset, is_positive: bool
) -> UncertainInput:
    brought = _brought(band, scene) if stated.from_scene else None
    return UncertainInput(column, band, brought, stated.relative, stated.constant, is_positive)


def _brought(band: Band, scene: xr.Dataset) -> Band:
    """The layer of the scene that holds the uncertainty of another."""
    name = f"{band.quantity}{SUFFIX}"
    if band.wavelength_nm is None:
        if name in scene and scene[name].dims == ("y", "x"):
            return Band(name)
        have = ", ".join(plain_variables(scene))
    else:
        centres = wavelengths(scene, name) if name in SPECTRAL else np.empty(0)
        if centres.size:
            nearest = float(centres[np.argmin(np.abs(centres - band.wavelength_nm))])
            if abs(nearest - band.wavelength_nm) <= SAME_NM:
                return Band(name, nearest)
            have = f"{name} at {', '.join(f'{nm:g}' for nm in centres)} nm"
        else:
            have = ", ".join(spectral_quantities(scene))
    raise SceneError(
        f"science.uncertainty: the scene brings no uncertainty of {band.name} ({name}); it has "
        f"{have}. State relative or constant instead of from_scene."
    )


def _factor(bands: Sequence[Band], correlation: Correlation | None) -> Float64:
    matrix = np.eye(len(bands))
    for i, first in enumerate(bands):
        for j, second in enumerate(bands[:i]):
            if first.quantity == second.quantity and correlation is not None:
                matrix[i, j] = matrix[j, i] = _correlated(first, second, correlation)
    try:
        return np.asarray(np.linalg.cholesky(matrix))
    except np.linalg.LinAlgError:
        raise ConfigError(
            "science.uncertainty.correlation: the correlations of "
            f"{', '.join(band.name for band in bands)} contradict each other (the matrix is not "
            "positive definite). Lower them."
        ) from None


def _correlated(first: Band, second: Band, correlation: Correlation) -> float:
    if correlation.equal is not None:
        return correlation.equal
    centres = [band.wavelength_nm or 0.0 for band in (first, second)]
    if correlation.length_nm is not None:
        return float(np.exp(-abs(centres[0] - centres[1]) / correlation.length_nm))
    known = np.array(correlation.wavelengths_nm)
    row, column = (int(np.argmin(np.abs(known - nm))) for nm in centres)
    matrix: Mapping[int, Any] = dict(enumerate(correlation.matrix or ()))
    return float(matrix[row][column])
