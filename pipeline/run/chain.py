"""Networks in their order: where each takes its inputs, from the scene or from one before it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import xarray as xr

from pipeline.config import GainMode, NetworkChoice, RunConfig
from pipeline.errors import ConfigError, NetworkError, SceneError
from pipeline.facts.sensors import find_sensor
from pipeline.networks import Retrieval, Variable
from pipeline.networks.after import GAINS, SCOPE, Gains
from pipeline.networks.engines import engine_for
from pipeline.scene.quality import FlagTable, class_map, network_flags
from pipeline.scene.scene import SPECTRAL, Band, nearest_band, plain_variables, wavelengths

Loaded = tuple[NetworkChoice, Path, Retrieval]


@dataclass(frozen=True)
class Source:
    """Where an input of a network comes from: a band of the scene, or another network's output."""

    column: int
    """Position among ``Plan.layer_names``."""
    name: str
    """``Rrs_443``, or ``rrs: Rrs_443`` where the network called rrs makes it."""


@dataclass(frozen=True, eq=False)
class NetworkStep:
    """One network of a run, bound to a scene."""

    name: str
    path: Path
    """Where the network was found; never in a product."""
    network: Retrieval
    engine: str
    sources: tuple[Source, ...]
    """Of each input of the network."""
    first_output: int
    """Position of its first output among ``Plan.layer_names``."""
    upstream: tuple[str, ...]
    """The flag variables of the networks before it in the chain, nearest first."""
    variables: tuple[str, ...]
    """Names of its product variables; none where its values are not written."""
    flags: FlagTable
    gains: Gains | None = None
    """On its outputs."""
    input_gains: Gains | None = None
    """On its inputs."""
    uncertainties: tuple[str, ...] = ()
    """Names of the variables that hold the uncertainty of its outputs; none where none is known."""

    @property
    def flags_name(self) -> str:
        """Name of the variable that holds the network's flags."""
        return f"{self.name}_flags"

    @property
    def columns(self) -> list[int]:
        """Position among ``Plan.layer_names`` of each input."""
        return [source.column for source in self.sources]

    @property
    def output_columns(self) -> slice:
        """Positions among ``Plan.layer_names`` of the outputs."""
        return slice(self.first_output, self.first_output + len(self.network.outputs))

    @property
    def classes(self) -> FlagTable | None:
        """The classes of its class map, if the network classifies."""
        return class_map(self.network.classes) if self.network.classes else None


def chosen(rows: npt.NDArray[np.float32], columns: Sequence[int]) -> npt.NDArray[np.float32]:
    """Columns of rows (n, layers), which lie together in memory where they do in the rows."""
    first, layers = columns[0], rows.T
    if list(columns) == list(range(first, first + len(columns))):
        return layers[first : first + len(columns)].T
    return layers[columns].T


def make_chain(
    loaded: Sequence[Loaded], scene: xr.Dataset, sensor: str, config: RunConfig
) -> tuple[tuple[Band, ...], tuple[NetworkStep, ...]]:
    """The bands of the scene that the networks need, each once, and the networks bound to them.

    An input is taken from the nearest network before it that makes the quantity, else from the
    scene. A network that reconstructs its own inputs (a scope check) feeds no other.

    Raises:
        SceneError: a band or a variable is not in the scene.
        NetworkError: units differ, or a description is wrong.
        ConfigError: gains are asked for that there are not.
    """
    found = [
        [_find(variable, number, loaded, scene, config) for variable in network.inputs]
        for number, (_, _, network) in enumerate(loaded)
    ]
    for sources, (_, _, network) in zip(found, loaded, strict=True):
        _refuse_repeated(sources, network)
    bands = [source for sources in found for source in sources if isinstance(source, Band)]
    inputs = tuple(dict.fromkeys(bands))
    sizes = [len(network.outputs) for _, _, network in loaded]
    firsts = [len(inputs) + sum(sizes[:number]) for number in range(len(sizes))]
    steps: list[NetworkStep] = []
    for number, (sources, entry) in enumerate(zip(found, loaded, strict=True)):
        placed = tuple(_placed(source, inputs, firsts, loaded) for source in sources)
        makers = dict.fromkeys(source.maker for source in sources if isinstance(source, _Made))
        upstream = [name for maker in makers for name in _flags_up_to(steps[maker])]
        flags = tuple(dict.fromkeys(upstream))
        steps.append(_step(entry, placed, firsts[number], flags, sensor, config))
    return inputs, tuple(steps)


@dataclass(frozen=True)
class _Made:
    """An output of another network of the run."""

    maker: int
    """Its number."""
    output: int


def _flags_up_to(step: NetworkStep) -> tuple[str, ...]:
    return (step.flags_name, *step.upstream)


def _placed(
    source: Band | _Made, inputs: tuple[Band, ...], firsts: Sequence[int], loaded: Sequence[Loaded]
) -> Source:
    if isinstance(source, Band):
        return Source(inputs.index(source), source.name)
    choice, _, network = loaded[source.maker]
    name = f"{choice.name}: {network.outputs[source.output].name}"
    return Source(firsts[source.maker] + source.output, name)


def _find(
    variable: Variable,
    number: int,
    loaded: Sequence[Loaded],
    scene: xr.Dataset,
    config: RunConfig,
) -> Band | _Made:
    """Where an input of a network comes from, in the same units."""
    network = loaded[number][2]
    for maker in reversed(range(number)):
        other = loaded[maker][2]
        makes = any(output.quantity == variable.quantity for output in other.outputs)
        if makes and SCOPE not in other.after and not other.classes:
            made = _output_of(other, variable, config.science.bands.tolerance_nm)
            _check_units(variable, network, other.outputs[made].units, loaded[maker][0].name)
            return _Made(maker, made)
    band = _band_of(variable, scene, config)
    units = str(scene[band.quantity].attrs.get("units"))
    _check_units(variable, network, units, "the scene")
    return band


def _output_of(network: Retrieval, variable: Variable, tolerance_nm: float) -> int:
    same = [i for i, output in enumerate(network.outputs) if output.quantity == variable.quantity]
    if variable.wavelength_nm is None:
        if network.outputs[same[0]].wavelength_nm is not None:
            raise NetworkError(
                f"input {variable.name} is described without a wavelength, and "
                f"{network.file_name} makes {', '.join(network.outputs[i].name for i in same)}. "
                "Describe which is meant."
            )
        return same[0]
    distances = [
        abs((network.outputs[i].wavelength_nm or np.inf) - variable.wavelength_nm) for i in same
    ]
    best = int(np.argmin(distances))
    if distances[best] > tolerance_nm:
        made = ", ".join(network.outputs[i].name for i in same)
        raise NetworkError(
            f"no {variable.quantity} within {tolerance_nm:g} nm of {variable.wavelength_nm:g} nm "
            f"among the outputs of {network.file_name}: {made}. Choose networks of one sensor."
        )
    return same[best]


def _check_units(variable: Variable, network: Retrieval, units: str, origin: str) -> None:
    if units != variable.units:
        raise NetworkError(
            f"input {variable.name} of {network.file_name} is in {variable.units!r}, that of "
            f"{origin} in {units!r}. Choose a network for these units."
        )


def _band_of(variable: Variable, scene: xr.Dataset, config: RunConfig) -> Band:
    """The layer of the scene that an input of a network takes."""
    if (variable.wavelength_nm is not None) != (variable.quantity in SPECTRAL):
        raise NetworkError(
            f"input {variable.name} is described with wavelength {variable.wavelength_nm}; "
            f"{', '.join(SPECTRAL)} need one, everything else has none. Correct the description."
        )
    if variable.wavelength_nm is None:
        if variable.quantity not in scene:
            raise SceneError(
                f"no {variable.quantity} in the scene, which the network needs; the scene has "
                f"{', '.join(plain_variables(scene))}. Choose another network or product level, or "
                f"state a value for every pixel: science.constants: {{{variable.quantity}: ...}}."
            )
        return Band(variable.quantity)
    tolerance = config.science.bands.tolerance_nm
    index = nearest_band(scene, variable.quantity, variable.wavelength_nm, tolerance)
    return Band(variable.quantity, float(wavelengths(scene, variable.quantity)[index]))


def _refuse_repeated(sources: Sequence[Band | _Made], network: Retrieval) -> None:
    for source in sources:
        if sources.count(source) > 1:
            same = [v.name for v, s in zip(network.inputs, sources, strict=True) if s == source]
            what = f"band {source.name}" if isinstance(source, Band) else "one output"
            raise SceneError(
                f"inputs {' and '.join(same)} of {network.file_name} both match {what}. "
                "The scene lacks one of these bands; lower bands.tolerance_nm to see which."
            )


def _step(
    entry: Loaded,
    sources: tuple[Source, ...],
    first_output: int,
    upstream: tuple[str, ...],
    sensor: str,
    config: RunConfig,
) -> NetworkStep:
    choice, path, network = entry
    flags = network_flags(
        limited_inputs=any(
            v.transform.needs_positive or v.transform.needs_non_negative for v in network.inputs
        ),
        input_ranges=bool(np.isfinite([v.minimum for v in network.inputs]).any()),
        output_ranges=bool(np.isfinite([v.minimum for v in network.outputs]).any()),
        log_outputs=any(v.transform.ln_per_unit is not None for v in network.outputs),
        scope_check=SCOPE in network.after,
        may_fail=network.may_fail,
    )
    return NetworkStep(
        name=choice.name,
        path=path,
        network=network,
        engine=engine_for(network, config.science.engine),
        sources=sources,
        first_output=first_output,
        upstream=upstream,
        variables=_variables(network) if choice.write else (),
        flags=flags,
        gains=_output_gains(choice, network, sensor, config),
        input_gains=_input_gains(choice, network, upstream, sensor, config),
    )


def _variables(network: Retrieval) -> tuple[str, ...]:
    if network.classes:
        return network.class_quantity, f"{network.class_quantity}_probability"
    return tuple(variable.name for variable in network.outputs)


def _sensor_of(network: Retrieval, sensor: str) -> str:
    """The scene's sensor if the network is for it, else the one that it is for."""
    if sensor in network.sensors:
        return sensor
    if len(network.sensors) > 1:
        raise ConfigError(
            f"{network.file_name} is for {', '.join(network.sensors)}, and the scene is of "
            f"{sensor or 'an unknown sensor'}: whose gains are meant is open. Set gains: none."
        )
    return network.sensors[0]


def _output_gains(
    choice: NetworkChoice, network: Retrieval, sensor: str, config: RunConfig
) -> Gains | None:
    if choice.gains == "none":
        return None
    if GAINS not in network.after:
        raise ConfigError(
            f"network {choice.name}: gains: {choice.gains}, but {network.file_name} makes no Rrs "
            "that gains are known for. Leave gains out; input_gains are for what it takes."
        )
    return _gains(choice.gains, network.outputs, network, sensor, config)


def _input_gains(
    choice: NetworkChoice,
    network: Retrieval,
    upstream: tuple[str, ...],
    sensor: str,
    config: RunConfig,
) -> Gains | None:
    if choice.input_gains == "none":
        return None
    if upstream or {variable.quantity for variable in network.inputs} != {"Rrs"}:
        raise ConfigError(
            f"network {choice.name}: input_gains: {choice.input_gains} are for Rrs of the scene, "
            f"and {network.file_name} takes something else. Leave input_gains out."
        )
    return _gains(choice.input_gains, network.inputs, network, sensor, config)


def _gains(
    mode: GainMode,
    variables: Sequence[Variable],
    network: Retrieval,
    sensor: str,
    config: RunConfig,
) -> Gains:
    """The gains of the network's sensor at the wavelengths of some Rrs variables."""
    table = find_sensor(_sensor_of(network, sensor)).ocsmart
    centres = [float(variable.wavelength_nm or np.nan) for variable in variables]
    known = dict(
        zip(table.lrc_bands_nm, zip(table.gain_open, table.gain_coastal, strict=True), strict=True)
    )
    chosen = [_nearest(known, nm, network, config.science.bands.tolerance_nm) for nm in centres]
    return Gains(
        mode=mode,
        wavelengths_nm=tuple(centres),
        open_ocean=tuple(gain for gain, _ in chosen),
        coastal=tuple(gain for _, gain in chosen),
        ratio=table.open_ocean_ratio,
        first_bands=table.open_ocean_bands,
    )


def _nearest(
    known: Mapping[float, tuple[float, float]], nm: float, network: Retrieval, tolerance_nm: float
) -> tuple[float, float]:
    best = min(known, key=lambda centre: abs(centre - nm))
    if not abs(best - nm) <= tolerance_nm:
        raise ConfigError(
            f"no gain is known for {nm:g} nm of {network.sensors[0]}; gains are known at "
            f"{', '.join(f'{centre:g}' for centre in known)} nm. Set gains: none."
        )
    return known[best]
