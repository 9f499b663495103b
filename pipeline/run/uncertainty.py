"""The uncertain inputs of a run: their standard deviations and correlations, bound to a scene."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from pipeline.config.science import Science
from pipeline.config.uncertainty import Correlation
from pipeline.errors import ConfigError, SceneError
from pipeline.networks import Ensemble, Retrieval
from pipeline.networks.sigma_points import correlation_factor
from pipeline.run.step import RetrievalStep
from pipeline.scene.quality import INPUT_UNCERTAIN
from pipeline.scene.scene import SPECTRAL, Band, plain_variables, spectral_quantities, wavelengths

SUFFIX = "_unc"
CENTRE_SUFFIX = "_unc_centre"
# An input whose value is below this many standard deviations is marked.
WEAK = 2.0
# Largest distance between a band and its uncertainty; both wavelengths come from the same file.
SAME_NM = 0.5

_UNCERTAIN = "input_uncertain"

SIGMA_POINTS = "sigma_points"

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Pixels = npt.NDArray[np.intp]
Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class UncertainInput:
    """A layer of the scene with a standard deviation."""

    column: int
    """Position in ``Plan.layer_names``."""
    band: Band
    from_scene: Band | None
    """The layer of the scene with the standard deviation."""
    relative: float
    """Standard deviation as a share of the value."""
    constant: float
    """Standard deviation in units of the quantity."""
    is_positive: bool
    """Whether a network takes the input's logarithm or root. If so, no sigma point is negative."""

    def deviation(self, block: xr.Dataset, pixels: Pixels) -> Float32:
        """Return the standard deviation at some pixels of a block, with shape (pixels,)."""
        squares = np.full(pixels.size, np.float32(self.constant) ** 2)
        if self.relative:
            squares += np.square(np.float32(self.relative) * _at(self.band, block, pixels))
        if self.from_scene is not None:
            stated = _at(self.from_scene, block, pixels)
            squares += np.square(np.where(stated >= 0, stated, np.float32(np.nan)))
        return np.sqrt(squares)

    def describe(self) -> dict[str, Any]:
        """Return, as plain data, the parts that make up the standard deviation."""
        parts: dict[str, Any] = {"input": self.band.name}
        if self.from_scene is not None:
            parts["brought"] = self.from_scene.name
        sizes = {"relative": self.relative, "constant": self.constant}
        return parts | {name: size for name, size in sizes.items() if size}


def _at(band: Band, block: xr.Dataset, pixels: Pixels) -> npt.NDArray[Any]:
    return np.take(band.values(block).reshape(-1), pixels)


@dataclass(frozen=True, eq=False)
class InputUncertainty:
    """All uncertain inputs of a run, and the correlation of their errors."""

    inputs: tuple[UncertainInput, ...]
    factor: Float64
    """Lower triangular Cholesky factor of the correlation, with shape (inputs, inputs)."""
    method: str

    @property
    def needs(self) -> tuple[Band, ...]:
        """Layers of the scene with standard deviations."""
        return tuple(each.from_scene for each in self.inputs if each.from_scene is not None)

    def deviations(self, block: xr.Dataset, pixels: Pixels) -> Float32:
        """Return the standard deviations at some pixels, with shape (inputs, pixels).

        Standard deviations that are missing in the scene are NaN.
        """
        return np.stack([each.deviation(block, pixels) for each in self.inputs])

    def reached(self, steps: Sequence[RetrievalStep]) -> tuple[RetrievalStep, ...]:
        """Return the steps, except classifiers, that have uncertain inputs.

        An input is also uncertain if an earlier step computes it from uncertain inputs.
        """
        uncertain = {each.column for each in self.inputs}
        found = []
        for step in steps:
            if not uncertain.isdisjoint(step.columns) and not step.retrieval.classes:
                found.append(step)
                uncertain |= set(range(step.output_columns.start, step.output_columns.stop))
        return tuple(found)

    def taken_by(self, step: RetrievalStep) -> list[int]:
        """Return the numbers of the uncertain inputs that a step takes from the scene."""
        return [number for number, each in enumerate(self.inputs) if each.column in step.columns]

    def is_weak(self, step: RetrievalStep, rows: Float32, deviations: Float32) -> Bool:
        """Return the rows (n,) where an input of a step is below ``WEAK`` standard deviations."""
        weak = np.zeros(len(rows), dtype=bool)
        for number in self.taken_by(step):
            weak |= np.abs(rows[:, self.inputs[number].column]) < WEAK * deviations[number]
        return weak

    @property
    def correlation(self) -> Float64:
        """Correlation of the errors of the inputs, with shape (inputs, inputs)."""
        return np.asarray(self.factor @ self.factor.T)


def make_uncertainty(
    science: Science, scene: xr.Dataset, inputs: Sequence[Band], steps: Sequence[RetrievalStep]
) -> InputUncertainty | None:
    """Bind the configured uncertainty to the scene layers that the steps take (``inputs``).

    Raises:
        ConfigError: no network takes the quantity, or the correlations contradict each other.
        SceneError: the scene lacks an uncertainty that the configuration takes from it.
    """
    stated = science.uncertainty.inputs
    if not stated:
        return None
    taken = {band.quantity for band in inputs}
    unknown = sorted(set(stated) - taken)
    if unknown:
        raise ConfigError(
            f"science.uncertainty.inputs contains {', '.join(unknown)}, but the networks take "
            f"{', '.join(sorted(taken))} from the scene. Choose one of these, or remove the entry."
        )
    positive = {
        column
        for step in steps
        for column, variable in zip(step.columns, step.retrieval.inputs, strict=True)
        if variable.transform.needs_positive or variable.transform.needs_non_negative
    }
    found = []
    for column, band in enumerate(inputs):
        if (given := stated.get(band.quantity)) is not None:
            in_scene = _uncertainty_of(band, scene) if given.from_scene else None
            sizes = given.relative, given.constant
            found.append(UncertainInput(column, band, in_scene, *sizes, column in positive))
    factor = _factor([each.band for each in found], science.uncertainty.correlation)
    return InputUncertainty(tuple(found), factor, science.uncertainty.method)


def with_uncertainties(
    steps: Sequence[RetrievalStep], uncertainty: InputUncertainty | None
) -> tuple[RetrievalStep, ...]:
    """Give names of uncertainty variables to the steps that have uncertain outputs.

    These steps state uncertainties themselves, or have uncertain inputs. Classes, and outputs that
    are not written, get no uncertainty variable. Sigma points also give the centres of intervals.
    """
    reached = () if uncertainty is None else uncertainty.reached(steps)
    named: list[RetrievalStep] = []
    for step in steps:
        named.append(_with_names(step, uncertainty if step in reached else None, named))
    return tuple(named)


def _with_names(
    step: RetrievalStep, uncertainty: InputUncertainty | None, earlier: Sequence[RetrievalStep]
) -> RetrievalStep:
    """Name the variables of a step; ``uncertainty`` is None if its inputs are exact."""
    if uncertainty is None:
        if not step.retrieval.states_uncertainty:
            return step
        return dataclasses.replace(step, uncertainties=_named(step, SUFFIX))
    centred = uncertainty.method == SIGMA_POINTS
    flags = step.flags
    marked = [e for e in earlier if e.flags_name in step.upstream and _UNCERTAIN in e.flags.names]
    if uncertainty.taken_by(step) or (step.is_combined and marked):
        flags = flags.and_bit(_UNCERTAIN, INPUT_UNCERTAIN)
    return dataclasses.replace(
        step,
        retrieval=_with_inputs_apart(step.retrieval),
        uncertainties=_named(step, SUFFIX),
        centres=_named(step, CENTRE_SUFFIX) if centred else (),
        flags=flags,
    )


def _with_inputs_apart(retrieval: Retrieval) -> Retrieval:
    """Return the ensemble with the calibration that does not include the errors of its inputs.

    With the usual calibration, the errors of the inputs would be included twice. An ensemble
    without such a calibration is returned unchanged.
    """
    if not isinstance(retrieval, Ensemble):
        return retrieval
    return dataclasses.replace(retrieval, inputs_apart=True)


def _named(step: RetrievalStep, suffix: str) -> tuple[str, ...]:
    return tuple(f"{name}{suffix}" for name in step.numbers)


def _uncertainty_of(band: Band, scene: xr.Dataset) -> Band:
    """Return the layer of the scene with the standard deviation of another layer."""
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
        f"science.uncertainty: the scene has no uncertainty of {band.name} ({name}); it has "
        f"{have}. Set relative or constant instead of from_scene."
    )


def _factor(bands: Sequence[Band], correlation: Correlation | None) -> Float64:
    """Return the Cholesky factor of the correlation between bands of the same quantity."""
    correlated = None if correlation is None else correlation.between
    try:
        return correlation_factor([(b.quantity, b.wavelength_nm) for b in bands], correlated)
    except np.linalg.LinAlgError:
        raise ConfigError(
            "science.uncertainty.correlation: the correlations of "
            f"{', '.join(band.name for band in bands)} contradict each other (the matrix is not "
            "positive definite). Lower them."
        ) from None
