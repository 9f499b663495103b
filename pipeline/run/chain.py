"""Makes the steps of a run; each input comes from the scene or from an earlier step."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from pipeline.config import NetworkChoice
from pipeline.config.science import Science
from pipeline.errors import ConfigError, NetworkError, SceneError
from pipeline.facts.quantities import renamed, stands_for
from pipeline.networks import Retrieval, Variable
from pipeline.networks.after import SCOPE
from pipeline.networks.engines import engine_for
from pipeline.run.gains import GainFinder
from pipeline.run.step import InputSource, RetrievalStep
from pipeline.scene.quality import FlagTable, network_flags
from pipeline.scene.scene import SPECTRAL, Band, nearest_band, plain_variables, wavelengths

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoadedRetrieval:
    """A network or an algorithm, read from the file that a configuration names."""

    choice: NetworkChoice
    path: Path
    retrieval: Retrieval


@dataclass(frozen=True)
class _StepOutput:
    """An output of an earlier step."""

    step: int
    """Position of this earlier step in the run."""
    output: int


def make_chain(
    loaded: Sequence[LoadedRetrieval],
    scene: xr.Dataset,
    sensor: str,
    science: Science,
    also: Sequence[Band] = (),
) -> tuple[tuple[Band, ...], tuple[RetrievalStep, ...]]:
    """Bind the steps to the scene; return the bands that are needed (each once), and the steps.

    ``also`` are bands that other products need.

    An input comes from the nearest earlier step that computes this input. If there is no such step,
    it comes from the scene. Each band of a spectral quantity is a separate input. With
    ``inputs_from: scene``, all inputs of a network come from the scene. The outputs of a network
    that reconstructs its own inputs (a scope check) are not used by other steps.

    Raises:
        SceneError: a band or a variable is not in the scene.
        NetworkError: an input and its source have different units, or a description is wrong.
        ConfigError: the requested gains do not exist, or a variable to rename does not exist.
    """
    chain = _Chain(tuple(loaded), scene, sensor, science)
    found = [chain.sources_of(number) for number in range(len(loaded))]
    bands = [source for sources in found for source in sources if isinstance(source, Band)]
    inputs = tuple(dict.fromkeys([*bands, *also]))
    steps: list[RetrievalStep] = []
    for number, sources in enumerate(found):
        steps.append(chain.bind(number, sources, inputs, steps))
    return inputs, tuple(steps)


@dataclass(frozen=True, eq=False)
class _Chain:
    """The networks and algorithms of a run, and the scene that they are bound to."""

    loaded: tuple[LoadedRetrieval, ...]
    scene: xr.Dataset
    sensor: str
    science: Science

    def sources_of(self, number: int) -> list[Band | _StepOutput]:
        """Return the source of each input of a step, after a check of the units."""
        retrieval = self.loaded[number].retrieval
        sources = [self._source(variable, number) for variable in retrieval.inputs]
        self._check_distances(number, sources)
        for source in sources:
            if sources.count(source) > 1:
                pairs = zip(retrieval.inputs, sources, strict=True)
                same = [variable.name for variable, other in pairs if other == source]
                what = f"band {source.name}" if isinstance(source, Band) else "one output"
                raise SceneError(
                    f"inputs {' and '.join(same)} of {retrieval.file_name} both match {what}. "
                    "The scene lacks one of these bands; lower bands.tolerance_nm to see which."
                )
        return sources

    def bind(
        self,
        number: int,
        sources: Sequence[Band | _StepOutput],
        inputs: tuple[Band, ...],
        earlier: Sequence[RetrievalStep],
    ) -> RetrievalStep:
        """Bind a network or an algorithm to the layers of a row (bands, then earlier outputs)."""
        choice, retrieval = self.loaded[number].choice, self.loaded[number].retrieval
        self._warn_of_former_names(retrieval, sources)
        combines = bool(self.science.combinations)
        names = variable_names(choice, retrieval)
        gains = GainFinder(choice, retrieval, self.sensor, self.science.bands.tolerance_nm)
        makers = dict.fromkeys(earlier[s.step] for s in sources if isinstance(s, _StepOutput))
        upstream = dict.fromkeys(n for maker in makers for n in (maker.flags_name, *maker.upstream))
        return RetrievalStep(
            name=choice.name,
            path=self.loaded[number].path,
            retrieval=retrieval,
            engine=engine_for(retrieval, self.science.engine),
            sources=tuple(_placed(source, inputs, earlier) for source in sources),
            #             # In a row, the flags of the pixel are between the bands and the outputs.
            first_output=earlier[-1].end if earlier else len(inputs) + combines,
            upstream=tuple(upstream),
            named=names,
            variables=names if choice.write else (),
            flags=_flags(retrieval),
            keeps_flags=combines,
            gains=gains.of_outputs(),
            input_gains=gains.of_inputs(takes_outputs=bool(upstream)),
        )

    def _check_distances(self, number: int, sources: Sequence[Band | _StepOutput]) -> None:
        """Refuse bands for which the coefficients of an algorithm were not fitted."""
        choice, retrieval = self.loaded[number].choice, self.loaded[number].retrieval
        if not retrieval.limits_nm:
            return
        wavelengths_nm = [self._wavelength(source) for source in sources]
        limits = zip(retrieval.inputs, wavelengths_nm, retrieval.limits_nm, strict=True)
        far = [
            f"{nm:g} nm for {variable.wavelength_nm:g} nm"
            for variable, nm, limit in limits
            if abs(nm - (variable.wavelength_nm or nm)) > limit
        ]
        if not far:
            return
        found = (
            f"{retrieval.file_name}: the coefficients of {', '.join(retrieval.sensors)} were not "
            f"fitted for these bands: {', '.join(far)}."
        )
        words = f"{found} {retrieval.other_bands}".rstrip()
        if not choice.allow_other_sensor:
            raise SceneError(
                f"{words} Choose another algorithm, or set allow_other_sensor: true for "
                f"{choice.name} if this is good enough."
            )
        log.warning("%s: %s", choice.name, words)

    def _wavelength(self, source: Band | _StepOutput) -> float:
        if isinstance(source, Band):
            return source.wavelength_nm or np.nan
        output = self.loaded[source.step].retrieval.outputs[source.output]
        return output.wavelength_nm or np.nan

    def _warn_of_former_names(
        self, taker: Retrieval, sources: Sequence[Band | _StepOutput]
    ) -> None:
        warnings = dict.fromkeys(
            renamed(variable.quantity, self.loaded[s.step].retrieval.outputs[s.output].quantity)
            for variable, s in zip(taker.inputs, sources, strict=True)
            if isinstance(s, _StepOutput)
        )
        for warning in filter(None, warnings):
            log.warning("%s: %s", taker.file_name, warning)

    def _source(self, variable: Variable, number: int) -> Band | _StepOutput:
        """Return the source of an input of a step; source and input have the same units."""
        taker, tolerance_nm = self.loaded[number].retrieval, self.science.bands.tolerance_nm
        makers = self._makers_of(variable, number)
        for earlier in makers:
            maker = self.loaded[earlier].retrieval
            output = _output_of(maker, variable, tolerance_nm)
            if output is not None:
                name = self.loaded[earlier].choice.name
                _check_units(variable, taker, maker.outputs[output].units, name)
                return _StepOutput(earlier, output)
        try:
            band = self._band_of(variable, number)
        except SceneError as error:
            if not makers:
                raise
            maker = self.loaded[makers[0]].retrieval
            names = ", ".join(maker.outputs[index].name for index in _same(maker, variable))
            raise NetworkError(
                f"no {variable.quantity} within {tolerance_nm:g} nm of {variable.wavelength_nm:g} "
                f"nm, neither in the scene nor among the outputs of {maker.file_name}: {names}. "
                "Choose networks of the same sensor."
            ) from error
        units = str(self.scene[band.quantity].attrs.get("units"))
        _check_units(variable, taker, units, "the scene")
        return band

    def _makers_of(self, variable: Variable, number: int) -> list[int]:
        """Return the earlier steps, the nearest first, that compute the quantity of an input."""
        if self.loaded[number].choice.inputs_from == "scene":
            return []
        makers = []
        for earlier in reversed(range(number)):
            maker = self.loaded[earlier].retrieval
            if _same(maker, variable) and SCOPE not in maker.after and not maker.classes:
                makers.append(earlier)
        return makers

    def _band_of(self, variable: Variable, number: int) -> Band:
        """Return the layer of the scene that provides an input of a step."""
        quantity, nm = variable.quantity, variable.wavelength_nm
        step, file_name = self.loaded[number].choice.name, self.loaded[number].retrieval.file_name
        if (nm is not None) != (quantity in SPECTRAL):
            raise NetworkError(
                f"{file_name}: input {variable.name} has {nm} as wavelength. Inputs "
                f"{', '.join(SPECTRAL)} must have a wavelength; all other inputs must have none. "
                "Correct the description."
            )
        if nm is None:
            if quantity.partition("_band_")[0] in SPECTRAL:
                raise NetworkError(
                    f"{file_name}: the wavelengths of the network's bands are not known. The "
                    "dataset Wavelength is missing or too short, and no version of the sensor in "
                    "configs/sensors has as many bands. If the network is for another sensor, put "
                    "the name of that sensor into the file name. Otherwise, describe the network "
                    "in a YAML file beside the network file (docs/networks.md)."
                )
            if quantity not in self.scene:
                raise SceneError(
                    f"{step} ({file_name}) needs {quantity}, but the scene only has "
                    f"{', '.join(plain_variables(self.scene))}. Choose another network or product "
                    "level, or set one value for all pixels: "
                    f"science.constants: {{{quantity}: ...}}."
                )
            return Band(quantity)
        centres = wavelengths(self.scene, quantity)
        try:
            index = nearest_band(self.scene, quantity, nm, self.science.bands.tolerance_nm)
        except SceneError as error:
            other = self.loaded[number].retrieval.other_bands if centres.size else ""
            text = f"{step} ({file_name}) needs {variable.name}: {error} {other}".rstrip()
            raise SceneError(text) from error
        return Band(quantity, float(centres[index]))


def _placed(
    source: Band | _StepOutput, inputs: tuple[Band, ...], earlier: Sequence[RetrievalStep]
) -> InputSource:
    """Return a source with its position among the layers of a row."""
    if isinstance(source, Band):
        return InputSource(inputs.index(source), source.name)
    maker = earlier[source.step]
    name = f"{maker.name}: {maker.retrieval.outputs[source.output].name}"
    return InputSource(maker.first_output + source.output, name)


def _same(maker: Retrieval, variable: Variable) -> list[int]:
    """Return the indices of the outputs that have the quantity of an input of a later step."""
    outputs = enumerate(maker.outputs)
    return [i for i, one in outputs if stands_for(variable.quantity, one.quantity)]


def _output_of(maker: Retrieval, variable: Variable, tolerance_nm: float) -> int | None:
    """Return the index of the output that provides an input of a later step.

    It is None if the maker computes the quantity only at other bands.
    """
    same = _same(maker, variable)
    if variable.wavelength_nm is None:
        if maker.outputs[same[0]].wavelength_nm is not None:
            raise NetworkError(
                f"input {variable.name} is described without a wavelength, but {maker.file_name} "
                f"computes {', '.join(maker.outputs[i].name for i in same)}. Add the wavelength to "
                "the description."
            )
        return same[0]
    centres = [maker.outputs[i].wavelength_nm or np.inf for i in same]
    distances = [abs(centre - variable.wavelength_nm) for centre in centres]
    best = int(np.argmin(distances))
    return same[best] if distances[best] <= tolerance_nm else None


def _check_units(variable: Variable, taker: Retrieval, units: str, origin: str) -> None:
    if units != variable.units:
        raise NetworkError(
            f"{taker.file_name} takes {variable.name} in {variable.units!r}, but {origin} has it "
            f"in {units!r}. Choose a network for these units."
        )


def _flags(retrieval: Retrieval) -> FlagTable:
    """Return the table of the bits that the flags of a step can have."""
    inputs, outputs = retrieval.inputs, retrieval.outputs
    transforms = [variable.transform for variable in inputs]
    return network_flags(
        limited_inputs=any(t.needs_positive or t.needs_non_negative for t in transforms),
        input_ranges=bool(np.isfinite([v.minimum for v in inputs]).any()),
        output_ranges=bool(np.isfinite([v.minimum for v in outputs]).any()),
        log_outputs=any(v.spans_decades for v in outputs),
        scope_check=SCOPE in retrieval.after,
        may_fail=retrieval.may_fail,
    )


def variable_names(choice: NetworkChoice, retrieval: Retrieval) -> tuple[str, ...]:
    """Return the names of the product variables of a step, with ``prefix`` and ``rename``."""
    names = [variable.name for variable in retrieval.outputs]
    if retrieval.classes:
        names = [retrieval.class_quantity, f"{retrieval.class_quantity}_probability"]
    if unknown := [name for name in choice.rename if name not in names]:
        raise ConfigError(
            f"network {choice.name}: rename: {retrieval.file_name} has no variable "
            f"{', '.join(unknown)}; it has {', '.join(names)}."
        )
    return tuple(choice.rename.get(name, f"{choice.prefix}{name}") for name in names)
