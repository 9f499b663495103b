"""The plan of a run: everything that is decided before a pixel is touched, and can be printed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import xarray as xr

from pipeline.algorithms import find_retrieval, is_algorithm
from pipeline.algorithms.catalogue import PREFIX, check_name
from pipeline.config import NetworkChoice, RunConfig
from pipeline.errors import ConfigError, NetworkError, PipelineError, SceneError
from pipeline.facts.sensors import find_sensor
from pipeline.machine.resources import default_limit, in_words
from pipeline.masks import Dilated, MaskRule, describe_rule, make_rules
from pipeline.masks.expression import parse_condition
from pipeline.networks import Retrieval, load_retrieval
from pipeline.networks.reading.library import check_folders, network_folders
from pipeline.readers import check_reader
from pipeline.run.budget import Cost, Work
from pipeline.run.chain import NetworkStep, make_chain
from pipeline.run.uncertainty import InputUncertainty, make_uncertainty, with_uncertainties
from pipeline.scene.grid import BlockGrid
from pipeline.scene.lazy import StoredChunks
from pipeline.scene.quality import QUALITY_FLAGS, FlagTable, pixel_flags
from pipeline.scene.scene import (
    AXES,
    GEOLOCATION,
    SOURCE_FLAGS,
    SPATIAL_REF,
    SPECTRAL,
    Band,
    source_flags_name,
    state_name,
    storage_of,
    wavelength_dim,
    with_constants,
)
from pipeline.scene.window import Extent, find_extent
from pipeline.writers.netcdf import default_chunk


@dataclass(frozen=True, eq=False)
class Plan:
    """What a run will do with one scene."""

    scene_name: str
    sensor: str
    config: RunConfig
    extent: Extent
    chunk: tuple[int, int]
    """Storage chunk of the product, which is also the block of work."""
    inputs: tuple[Band, ...]
    """The layers of the scene that the networks take, each once."""
    rules: tuple[MaskRule, ...]
    steps: tuple[NetworkStep, ...]
    storage: tuple[StoredChunks, ...]
    """Where the layers that are read are stored."""
    source_flags_bytes: int
    """Of one pixel of the scene's own flags; 0 where it has none."""
    is_map: bool
    """Whether the scene has coordinates along its lines and pixels."""
    uncertainty: InputUncertainty | None = None
    """Which inputs are not exact; None where all are taken as exact."""

    @property
    def shape(self) -> tuple[int, int]:
        """Lines and pixels of the product."""
        return self.extent.shape

    @property
    def layer_names(self) -> list[str]:
        """What a pixel's row of numbers holds: bands of the scene, then every network's outputs."""
        made = [variable.name for step in self.steps for variable in step.network.outputs]
        return [*(band.name for band in self.inputs), *made]

    @cached_property
    def pixel_flags(self) -> FlagTable:
        """The bits of ``quality_flags``."""
        return pixel_flags(rule.name for rule in self.rules)

    @property
    def carries_source_flags(self) -> bool:
        """Whether the scene's own flags go into the product."""
        return self.source_flags_bytes > 0 and self.config.science.output.source_flags

    @cached_property
    def layers(self) -> tuple[Band, ...]:
        """The layers of the scene that the run reads, each once."""
        return _layers(self.inputs, self.rules, self.carries_source_flags, self.uncertainty)

    @property
    def grid(self) -> BlockGrid:
        """The blocks of the run."""
        origin = (self.extent.first_line, self.extent.first_pixel)
        halo = max((rule.radius for rule in self.rules if isinstance(rule, Dilated)), default=0)
        return BlockGrid(origin, self.shape, self.chunk, halo)

    @cached_property
    def memory_limit(self) -> int:
        """Bytes that the run may use beside the program itself."""
        return self.config.execution.memory_limit or default_limit()

    @cached_property
    def work(self) -> Work:
        """How many threads and pixels at once fit into the memory that may be used.

        Raises:
            SceneError: the scene does not fit at all.
        """
        return self._cost.work(self.config.execution.most_threads, self.memory_limit)

    @property
    def product_bytes(self) -> int:
        """Size of the product before it is compressed."""
        lines, pixels = self.shape
        return lines * pixels * self._cost.product_bytes

    @property
    def _cost(self) -> Cost:
        outputs = sum(len(step.network.outputs) for step in self.steps)
        variables = sum(4 * len(_written(step)) + 1 for step in self.steps)
        flags = self.source_flags_bytes * self.carries_source_flags
        return Cost(
            self.grid,
            self.storage,
            kept_bytes=sum(array.nbytes for array in self.extent.places or ()),
            product_bytes=variables + flags + 12,  # quality_flags, latitude, longitude
            pixel_bytes=13 * len(self.layers) + 12 * outputs + 100 + self._uncertainty_bytes,
        )

    @property
    def _uncertainty_bytes(self) -> int:
        """Of a pixel, while uncertainties are computed: rows, moments, what is written."""
        outputs = sum(len(step.uncertainties) for step in self.steps)
        if self.uncertainty is None:
            return 16 * outputs
        return 8 * len(self.layer_names) + 8 * len(self.uncertainty.inputs) + 28 * outputs

    def select(self, scene: xr.Dataset) -> xr.Dataset:
        """The layers of a scene that the run needs, in its window, lazily.

        Bands nobody asks for are not read.
        """
        grown = {
            rule.layer: rule.grown(scene).isel(self.extent.slices)
            for rule in self.rules
            if isinstance(rule, Dilated)
        }
        names = {band.quantity for band in self.layers} - set(grown)
        names |= {state_name(name) for name in names if state_name(name) in scene}
        selected = scene[sorted(names)].drop_vars(AXES, errors="ignore").reset_coords()
        for quantity in SPECTRAL:
            wanted = sorted({b.wavelength_nm or 0.0 for b in self.layers if b.quantity == quantity})
            if wanted:
                selected = selected.sel({wavelength_dim(quantity): wanted})
        selected = selected.isel(self.extent.slices).assign(grown)
        if self.extent.places is not None:
            for name, values in zip(GEOLOCATION, self.extent.places, strict=True):
                selected[name] = xr.DataArray(values, dims=("y", "x"), attrs=selected[name].attrs)
        return selected

    def axes(self, scene: xr.Dataset) -> dict[str, xr.DataArray]:
        """Coordinates of a map within the window, and its reference system."""
        if not self.is_map:
            return {}
        return {name: scene[name].isel(self.extent.slices, missing_dims="ignore") for name in AXES}

    def lines(self) -> Iterator[str]:
        """The plan in words, line by line."""
        lines, pixels = self.extent.scene_shape
        yield f"scene     {self.scene_name}: {lines} lines x {pixels} pixels, {self.sensor or '?'}"
        if not self.extent.is_whole:
            yield f"window    {self.extent}"
        yield f"inputs    {', '.join(band.name for band in self.inputs)}"
        for rule in self.rules:
            yield f"mask      {rule.name} <- {describe_rule(rule)}"
        for step in self.steps:
            yield from _lines_of(step)
        if self.uncertainty is not None:
            yield from _lines_of_uncertainty(self.uncertainty)
        blocks = " x ".join(str(size) for size in self.chunk)
        yield (
            f"work      {self.grid.count} blocks of {blocks}, {self.work.threads} at a time, "
            f"{self.work.pixels_at_once} pixels at once in each"
        )
        said = "" if self.config.execution.memory_limit else ", half of what is left"
        limit = f"limit {in_words(self.memory_limit)}{said}"
        yield f"memory    at most {in_words(self.work.peak_bytes)} ({limit})"


def _lines_of(step: NetworkStep) -> Iterator[str]:
    network = step.network
    kind = network.kind.split()[-1]
    yield f"{kind:<10}{step.name}: {step.path} ({network.shape_text}), {step.engine}"
    yield f"          sha256 {network.sha256}"
    for variable, source in zip(network.inputs, step.sources, strict=True):
        yield f"          {variable.name} <- {source.name}"
    for what, gains in (("inputs", step.input_gains), ("outputs", step.gains)):
        if gains is not None:
            yield f"          {what} times gains: {gains.mode}"
    yield f"          -> {', '.join((*_written(step), step.flags_name))}"


def _lines_of_uncertainty(uncertainty: InputUncertainty) -> Iterator[str]:
    count = len(uncertainty.inputs)
    points = f", {2 * count} points" if uncertainty.method == "sigma_points" else ""
    yield f"uncertain {count} inputs by {uncertainty.method}{points}"
    for each in uncertainty.inputs:
        made = each.describe()
        name = made.pop("input")
        yield f"          {name} <- {', '.join(f'{how} {what}' for how, what in made.items())}"


def _written(step: NetworkStep) -> tuple[str, ...]:
    """The variables of a network's values and uncertainties."""
    return (*step.variables, *step.uncertainties)


def check_config(config: RunConfig) -> None:
    """Find what is wrong with a configuration whatever the scene.

    Raises:
        ConfigError: an expression is not allowed, or a sensor, a reader or an algorithm is unknown.
    """
    science = config.science
    for name, text in science.masks.expressions.items():
        parse_condition(name, text)
    if science.sensor:
        find_sensor(science.sensor)
    check_reader(science.reader)
    for choice in science.networks:
        if is_algorithm(choice.file):
            check_name(choice.file.removeprefix(PREFIX))


def locate(scene: xr.Dataset, config: RunConfig) -> tuple[xr.Dataset, Extent]:
    """The scene with the configuration's constants, and the part of it that its window means.

    With a bounding box this reads geolocation, of which the extent keeps its part.

    Raises:
        SceneError: nothing of the scene is in the window, or a constant is not needed.
    """
    scene = with_constants(scene, config.science.constants)
    return scene, find_extent(scene, config.science.window)


def make_plan(
    scene: xr.Dataset,
    scene_name: str,
    config: RunConfig,
    extent: Extent | None = None,
    network_paths: Mapping[str, Path] | None = None,
) -> Plan:
    """Match networks and masks to a scene; reads network files but no pixel.

    Args:
        scene: the scene, with constants, as ``locate`` gives it.
        scene_name: its base name.
        config: what to do.
        extent: the part to do it on; all of the scene if none is given.
        network_paths: where networks are, by name, if not where the configuration says.

    Raises:
        NetworkError: a network is missing, broken, or of another sensor.
        SceneError: a band, a variable or a flag is not in the scene.
        ConfigError: an expression is not allowed, or two networks make the same variable.
    """
    try:
        return _make_plan(
            scene, scene_name, config, extent or Extent.whole(scene), network_paths or {}
        )
    except PipelineError as error:
        raise type(error)(f"{scene_name}: {error}") from error


def _make_plan(
    scene: xr.Dataset,
    scene_name: str,
    config: RunConfig,
    extent: Extent,
    network_paths: Mapping[str, Path],
) -> Plan:
    science = config.science
    sensor = find_sensor(science.sensor).name if science.sensor else scene.attrs["sensor"]
    lines, pixels = extent.shape
    if lines == 0 or pixels == 0:
        raise SceneError(f"the scene is empty: {lines} lines x {pixels} pixels. Fetch it again.")
    loaded = [
        (choice, *_load(choice, sensor, config, network_paths.get(choice.name)))
        for choice in science.networks
    ]
    inputs, steps = make_chain(loaded, scene, sensor, config)
    uncertainty = make_uncertainty(science, scene, inputs, steps)
    steps = with_uncertainties(steps, uncertainty)
    _refuse_clashing_variables(steps, scene)
    chunk = science.output.chunk or default_chunk(sum(len(_written(step)) for step in steps))
    config = config.with_chunk(chunk)  # stated in full: another default changes nothing old
    rules = make_rules(science.masks, scene, inputs, science.bands.tolerance_nm)
    with_flags = SOURCE_FLAGS in scene and science.output.source_flags
    layers = _layers(inputs, rules, with_flags, uncertainty)
    plan = Plan(
        scene_name=scene_name,
        sensor=sensor,
        config=config,
        extent=extent,
        chunk=(min(chunk[0], lines), min(chunk[1], pixels)),
        inputs=inputs,
        rules=rules,
        steps=steps,
        storage=_storage(scene, layers, rules, extent),
        source_flags_bytes=scene[SOURCE_FLAGS].dtype.itemsize if SOURCE_FLAGS in scene else 0,
        is_map=SPATIAL_REF in scene.coords,
        uncertainty=uncertainty,
    )
    _ = plan.work  # refused here where it does not fit
    return plan


def _layers(
    inputs: Sequence[Band],
    rules: Sequence[MaskRule],
    with_flags: bool,
    uncertainty: InputUncertainty | None,
) -> tuple[Band, ...]:
    """What networks and masks take, geolocation, and the scene's flags; each once."""
    needed = [band for rule in rules for band in rule.needs]
    if uncertainty is not None:
        needed += uncertainty.needs
    flags = (Band(SOURCE_FLAGS),) * with_flags
    return tuple(dict.fromkeys((*inputs, *needed, *map(Band, GEOLOCATION), *flags)))


def _storage(
    scene: xr.Dataset, layers: Sequence[Band], rules: Sequence[MaskRule], extent: Extent
) -> tuple[StoredChunks, ...]:
    """Where these layers are stored; a mask that grows is read from what its rule needs."""
    grown = {Band(rule.layer): rule.rule.needs for rule in rules if isinstance(rule, Dilated)}
    read = [source for layer in layers for source in grown.get(layer, (layer,))]
    if extent.places is not None:
        read = [layer for layer in read if layer.quantity not in GEOLOCATION]
    return tuple(storage_of(scene, dict.fromkeys(read)))


def _load(
    choice: NetworkChoice, sensor: str, config: RunConfig, path: Path | None
) -> tuple[Path, Retrieval]:
    if path is None:
        check_folders(config.execution.network_dirs)
        folders = network_folders(config.execution.network_dirs)
        path, network = find_retrieval(choice.file, sensor, folders)
    else:
        network = load_retrieval(path)
    if sensor not in network.sensors and not choice.allow_other_sensor:
        raise NetworkError(
            f"network {network.file_name} was trained for {', '.join(network.sensors)}, the scene "
            f"is of {sensor or 'an unknown sensor'}. Choose a network for this sensor, set "
            "science.sensor if the scene is mislabelled, or set allow_other_sensor: true for this "
            "network."
        )
    return path, network


def _refuse_clashing_variables(steps: Sequence[NetworkStep], scene: xr.Dataset) -> None:
    made = [name for step in steps for name in (*_written(step), step.flags_name)]
    made += [QUALITY_FLAGS, *GEOLOCATION, *AXES]
    if SOURCE_FLAGS in scene:
        made.append(source_flags_name(scene))
    twice = sorted({name for name in made if made.count(name) > 1})
    if twice:
        raise ConfigError(
            f"two variables of the product would have the same name ({', '.join(twice)}). Rename "
            "the network, set write: false for one of them, or run networks with the same outputs "
            "in separate configurations."
        )
