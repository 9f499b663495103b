"""The plan of a run: everything that is decided before a pixel is touched, and can be printed."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import xarray as xr

from pipeline.config import NetworkChoice, RunConfig
from pipeline.errors import ConfigError, NetworkError, PipelineError, SceneError
from pipeline.masks import MaskRule, make_rules
from pipeline.masks.expression import parse_condition
from pipeline.networks import Network, Variable, find_network, load_network
from pipeline.networks.engines import resolve_engine
from pipeline.networks.library import check_folders, network_folders
from pipeline.quality import QUALITY_FLAGS, FlagTable, network_flags, pixel_flags
from pipeline.readers import check_reader_name
from pipeline.scene import (
    GEOLOCATION,
    SOURCE_FLAGS,
    SPECTRAL,
    Band,
    nearest_band,
    plain_variables,
    source_flags_name,
    state_name,
    wavelength_dim,
    wavelengths,
)
from pipeline.sensors import find_sensor


@dataclass(frozen=True, eq=False)
class NetworkStep:
    """One network of a run, bound to a scene."""

    name: str
    path: Path
    """Where the network was found; never in a product."""
    network: Network
    engine: str
    columns: tuple[int, ...]
    """Position in ``Plan.inputs`` of each input of the network."""
    variables: tuple[str, ...]
    """Names of its product variables."""
    flags: FlagTable

    @property
    def flags_name(self) -> str:
        """Name of the variable that holds the network's flags."""
        return f"{self.name}_flags"


@dataclass(frozen=True, eq=False)
class Plan:
    """What a run will do with one scene."""

    scene_name: str
    sensor: str
    config: RunConfig
    shape: tuple[int, int]
    """Lines and pixels."""
    chunk: tuple[int, int]
    """Storage chunk of the product, which is also the block of work."""
    inputs: tuple[Band, ...]
    """The layers of the scene that the networks take, each once."""
    rules: tuple[MaskRule, ...]
    steps: tuple[NetworkStep, ...]
    has_source_flags: bool

    @cached_property
    def pixel_flags(self) -> FlagTable:
        """The bits of ``quality_flags``."""
        return pixel_flags(rule.name for rule in self.rules)

    @property
    def carries_source_flags(self) -> bool:
        """Whether the scene's own flags go into the product."""
        return self.has_source_flags and self.config.science.output.source_flags

    @property
    def block_count(self) -> int:
        """Number of blocks."""
        lines, pixels = (-(-n // c) for n, c in zip(self.shape, self.chunk, strict=True))
        return lines * pixels

    def select(self, scene: xr.Dataset) -> xr.Dataset:
        """The part of a scene that the run reads, in blocks; still lazy.

        Blocks are a regular grid from the scene's origin. Bands nobody asks for are not read.
        """
        layers = set(self.inputs).union(*(rule.needs for rule in self.rules))
        names = {band.quantity for band in layers} | set(GEOLOCATION)
        if self.carries_source_flags:
            names.add(SOURCE_FLAGS)
        names |= {state_name(name) for name in names if state_name(name) in scene}
        selected = scene[sorted(names)].reset_coords()
        for quantity in SPECTRAL:
            wanted = sorted({b.wavelength_nm or 0.0 for b in layers if b.quantity == quantity})
            if wanted:
                selected = selected.sel({wavelength_dim(quantity): wanted})
        lines, pixels = self.chunk
        spectral = {str(dim): -1 for dim in selected.dims if dim not in ("y", "x")}
        return selected.chunk({"y": lines, "x": pixels, **spectral})

    def lines(self) -> Iterator[str]:
        """The plan in words, line by line."""
        lines, pixels = self.shape
        yield f"scene     {self.scene_name}: {lines} lines x {pixels} pixels, {self.sensor or '?'}"
        yield f"inputs    {', '.join(band.name for band in self.inputs)}"
        for rule in self.rules:
            yield f"mask      {rule.name} <- {', '.join(band.name for band in rule.needs)}"
        for step in self.steps:
            network = step.network
            shape = network.shape_text
            yield f"network   {step.name}: {step.path} ({shape}), {step.engine}"
            yield f"          sha256 {network.sha256}"
            for variable, column in zip(network.inputs, step.columns, strict=True):
                yield f"          {variable.name} <- {self.inputs[column].name}"
            yield f"          -> {', '.join(step.variables)}, {step.flags_name}"
        blocks = " x ".join(str(size) for size in self.chunk)
        threads = self.config.execution.threads
        yield f"work      {self.block_count} blocks of {blocks}, {threads} threads"


def check_config(config: RunConfig) -> None:
    """Find what is wrong with a configuration whatever the scene.

    Raises:
        ConfigError: an expression is not allowed, or a sensor or a reader is unknown.
    """
    science = config.science
    for name, text in science.masks.expressions.items():
        parse_condition(name, text)
    if science.sensor:
        find_sensor(science.sensor)
    check_reader_name(science.reader.format)


def make_plan(scene: xr.Dataset, scene_name: str, config: RunConfig) -> Plan:
    """Match networks and masks to a scene; reads network files but no pixel.

    Raises:
        NetworkError: a network is missing, broken, or of another sensor.
        SceneError: a band, a variable or a flag is not in the scene.
        ConfigError: an expression is not allowed, or two networks make the same variable.
    """
    try:
        return _make_plan(scene, scene_name, config)
    except PipelineError as error:
        raise type(error)(f"{scene_name}: {error}") from error


def _make_plan(scene: xr.Dataset, scene_name: str, config: RunConfig) -> Plan:
    science = config.science
    sensor = find_sensor(science.sensor).name if science.sensor else scene.attrs["sensor"]
    loaded = [(choice, *_load(choice, sensor, config)) for choice in science.networks]
    inputs: list[Band] = []
    steps = []
    for choice, path, network in loaded:
        bands = [_match(variable, network, scene, config) for variable in network.inputs]
        _refuse_repeated(bands, network)
        inputs.extend(band for band in bands if band not in inputs)
        columns = tuple(inputs.index(band) for band in bands)
        steps.append(_step(choice.name, path, network, resolve_engine(science.engine), columns))
    _refuse_clashing_variables(steps, scene)
    tolerance = science.bands.tolerance_nm
    lines, pixels = scene.sizes["y"], scene.sizes["x"]
    if lines == 0 or pixels == 0:
        raise SceneError(f"the scene is empty: {lines} lines x {pixels} pixels. Fetch it again.")
    return Plan(
        scene_name=scene_name,
        sensor=sensor,
        config=config,
        shape=(lines, pixels),
        chunk=(min(science.output.chunk[0], lines), min(science.output.chunk[1], pixels)),
        inputs=tuple(inputs),
        rules=make_rules(science.masks, scene, inputs, tolerance),
        steps=tuple(steps),
        has_source_flags=SOURCE_FLAGS in scene,
    )


def _load(choice: NetworkChoice, sensor: str, config: RunConfig) -> tuple[Path, Network]:
    check_folders(config.execution.network_dirs)
    folders = network_folders(config.execution.network_dirs)
    path = find_network(choice.file, sensor, folders)
    network = load_network(path)
    if sensor not in network.sensors and not choice.allow_other_sensor:
        raise NetworkError(
            f"network {network.file_name} was trained for {', '.join(network.sensors)}, the scene "
            f"is of {sensor or 'an unknown sensor'}. Choose a network for this sensor, set "
            "science.sensor if the scene is mislabelled, or set allow_other_sensor: true for this "
            "network."
        )
    return path, network


def _match(variable: Variable, network: Network, scene: xr.Dataset, config: RunConfig) -> Band:
    """The layer of the scene that an input of a network takes, in the same units."""
    band = _find(variable, scene, config)
    units = scene[band.quantity].attrs.get("units")
    if units != variable.units:
        raise NetworkError(
            f"input {variable.name} of {network.file_name} is in {variable.units!r}, the scene's "
            f"{band.quantity} in {units!r}. Choose a network for these units."
        )
    return band


def _find(variable: Variable, scene: xr.Dataset, config: RunConfig) -> Band:
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
                f"{', '.join(plain_variables(scene))}. Choose another network or product level."
            )
        return Band(variable.quantity)
    tolerance = config.science.bands.tolerance_nm
    index = nearest_band(scene, variable.quantity, variable.wavelength_nm, tolerance)
    return Band(variable.quantity, float(wavelengths(scene, variable.quantity)[index]))


def _refuse_repeated(bands: list[Band], network: Network) -> None:
    for band in bands:
        if bands.count(band) > 1:
            names = [v.name for v, b in zip(network.inputs, bands, strict=True) if b == band]
            raise SceneError(
                f"inputs {' and '.join(names)} of {network.file_name} both match band {band.name}. "
                "The scene lacks one of these bands; lower bands.tolerance_nm to see which."
            )


def _step(
    name: str, path: Path, network: Network, engine: str, columns: tuple[int, ...]
) -> NetworkStep:
    flags = network_flags(
        log_inputs=any(v.transform.needs_positive for v in network.inputs),
        input_ranges=bool(np.isfinite([v.minimum for v in network.inputs]).any()),
        output_ranges=bool(np.isfinite([v.minimum for v in network.outputs]).any()),
        log_outputs=any(v.transform_name == "log10" for v in network.outputs),
    )
    variables = tuple(variable.name for variable in network.outputs)
    return NetworkStep(name, path, network, engine, columns, variables, flags)


def _refuse_clashing_variables(steps: list[NetworkStep], scene: xr.Dataset) -> None:
    made = [name for step in steps for name in (*step.variables, step.flags_name)]
    made += [QUALITY_FLAGS, *GEOLOCATION]
    if SOURCE_FLAGS in scene:
        made.append(source_flags_name(scene))
    twice = sorted({name for name in made if made.count(name) > 1})
    if twice:
        raise ConfigError(
            f"two variables of the product would have the same name ({', '.join(twice)}). Rename "
            "the network, or run networks with the same outputs in separate configurations."
        )
