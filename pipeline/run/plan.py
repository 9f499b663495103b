"""Makes the plan of a run, in which everything is decided before a pixel is read."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import xarray as xr

from pipeline.algorithms import is_algorithm
from pipeline.algorithms.catalogue import PREFIX, check_name
from pipeline.config import MaskRules, RunConfig
from pipeline.config.science import Science
from pipeline.errors import ConfigError, SceneError, repeated
from pipeline.facts.sensors import find_sensor
from pipeline.machine.resources import default_limit
from pipeline.machine.screen import Shown
from pipeline.masks import Dilated, MaskRule, make_rules
from pipeline.masks.expression import parse_condition
from pipeline.masks.recommended import with_recommended
from pipeline.masks.results import ResultRule, make_result_rules, parse_result_mask, sources_of
from pipeline.networks import Retrieval
from pipeline.readers import check_reader
from pipeline.run.chain import LoadedRetrieval, make_chain, variable_names
from pipeline.run.combining import bands_of_combinations, check_combinations, combined_steps
from pipeline.run.loading import load_retrievals
from pipeline.run.memory import MemoryEstimate, Work, product_pixel_bytes, working_pixel_bytes
from pipeline.run.step import RetrievalStep
from pipeline.run.uncertainty import InputUncertainty, make_uncertainty, with_uncertainties
from pipeline.scene.adjustment import with_adjustments
from pipeline.scene.grid import BlockGrid
from pipeline.scene.lazy import StoredChunks
from pipeline.scene.quality import QUALITY_FLAGS, FlagTable, pixel_flags
from pipeline.scene.scene import (
    AXES,
    GEOLOCATION,
    SOURCE_FLAGS,
    SPATIAL_REF,
    Band,
    source_flags_name,
    storage_of,
    with_constants,
)
from pipeline.scene.selection import select_layers
from pipeline.scene.source_flags import SourceFlags
from pipeline.scene.window import Extent, find_extent
from pipeline.writers.netcdf import default_chunk


@dataclass(frozen=True, eq=False, repr=False)
class Plan(Shown):
    """What a run will do with one scene."""

    scene_name: str
    sensor: str
    config: RunConfig
    extent: Extent
    chunk: tuple[int, int]
    """Lines and pixels of a storage chunk of the product; a block has the same size."""
    inputs: tuple[Band, ...]
    """The layers of the scene that the steps take, each once."""
    rules: tuple[MaskRule, ...]
    steps: tuple[RetrievalStep, ...]
    layers: tuple[Band, ...]
    """The layers of the scene that the run reads, each once."""
    storage: tuple[StoredChunks, ...]
    """Storage chunks of the layers that the run reads."""
    source_flags_bytes: int
    """Bytes per pixel of the scene's own flags; 0 if they are not copied into the product."""
    is_map: bool
    """Whether the scene has coordinates along its lines and pixels."""
    passed: Mapping[str, str]
    """The copied variables: name in the product -> name in the scene."""
    result_rules: tuple[ResultRule, ...] = ()
    """The masks by results; their bits follow those of ``rules``."""
    uncertainty: InputUncertainty | None = None
    """The uncertain inputs, or None if no input is uncertain."""

    def _heading(self) -> str:
        return f"{self.scene_name}: {self.shape[0]} lines x {self.shape[1]} pixels"

    def _rows(self) -> Iterator[tuple[str, str]]:
        yield "sensor", self.sensor
        yield "window", "" if self.extent.is_whole else str(self.extent)
        yield "inputs", ", ".join(band.name for band in self.inputs)
        yield "masks", ", ".join(self.mask_names)
        for step in self.steps:
            retrieval = step.retrieval
            made = f"{retrieval.name} {retrieval.shape_text}, {step.engine}"
            yield step.name, f"{made} -> {', '.join(step.written) or 'nothing written'}"
        yield "uncertain", self.uncertainty.method if self.uncertainty is not None else ""
        yield "blocks", f"{self.grid.count} of {self.chunk[0]} x {self.chunk[1]} pixels"

    @property
    def shape(self) -> tuple[int, int]:
        """Lines and pixels of the product."""
        return self.extent.shape

    @property
    def layer_names(self) -> list[str]:
        """Names of the numbers in a pixel's row: bands of the scene, then outputs of all steps.

        If products are combined, the row also has the flags of the pixel and of each step.
        """
        names = [band.name for band in self.inputs]
        if self.keeps_flags:
            names.append(QUALITY_FLAGS)
        for step in self.steps:
            names += [variable.name for variable in step.retrieval.outputs]
            names += [step.flags_name] if step.keeps_flags else []
        return names

    @property
    def keeps_flags(self) -> bool:
        """Whether a pixel's row has flags, because the run has combined products."""
        return any(step.keeps_flags for step in self.steps)

    @property
    def networks(self) -> list[RetrievalStep]:
        """The steps that are networks or algorithms."""
        return [step for step in self.steps if not step.is_combined]

    @cached_property
    def pixel_flags(self) -> FlagTable:
        """The bits of ``quality_flags``."""
        return pixel_flags(self.mask_names)

    @property
    def mask_names(self) -> list[str]:
        """Names of all mask rules, in the order of their bits."""
        return [*(rule.name for rule in self.rules), *(rule.name for rule in self.result_rules)]

    @property
    def written(self) -> list[str]:
        """Names of the product variables with values and uncertainties."""
        return [name for step in self.steps for name in step.written]

    @property
    def carries_source_flags(self) -> bool:
        """Whether the scene's own flags are copied into the product."""
        return self.source_flags_bytes > 0

    @property
    def grid(self) -> BlockGrid:
        """The blocks of the run."""
        origin = (self.extent.first_line, self.extent.first_pixel)
        halo = max((rule.radius for rule in self.rules if isinstance(rule, Dilated)), default=0)
        return BlockGrid(origin, self.shape, self.chunk, halo)

    @cached_property
    def memory_limit(self) -> int:
        """Bytes that the run may use in addition to the program itself."""
        return self.config.execution.memory_limit or default_limit()

    @cached_property
    def work(self) -> Work:
        """How many threads, and how many pixels at once, the memory limit allows.

        Raises:
            SceneError: even the smallest amount of work exceeds the limit.
        """
        estimate = MemoryEstimate(
            self.grid,
            self.storage,
            kept_bytes=sum(array.nbytes for array in self.extent.places or ()),
            product_bytes=product_pixel_bytes(self.steps, self.source_flags_bytes),
            pixel_bytes=working_pixel_bytes(
                len(self.layers), len(self.layer_names), self.steps, self.uncertainty
            ),
        )
        return estimate.work_within(self.memory_limit, self.config.execution.most_threads)

    @property
    def product_bytes(self) -> int:
        """Size of the product in bytes before compression."""
        lines, pixels = self.shape
        return lines * pixels * product_pixel_bytes(self.steps, self.source_flags_bytes)

    def select(self, scene: xr.Dataset) -> xr.Dataset:
        """Return only the layers that the run needs, as lazy arrays cut to the run's window."""
        grown = {
            rule.layer: rule.grown(scene).isel(self.extent.slices)
            for rule in self.rules
            if isinstance(rule, Dilated)
        }
        layers = [band for band in self.layers if band.quantity not in grown]
        selected = select_layers(scene, layers, with_states=layers)
        selected = selected.isel(self.extent.slices).assign(grown)
        if self.extent.places is not None:
            for name, values in zip(GEOLOCATION, self.extent.places, strict=True):
                selected[name] = xr.DataArray(values, dims=("y", "x"), attrs=selected[name].attrs)
        return selected

    def axes(self, scene: xr.Dataset) -> dict[str, xr.DataArray]:
        """Return the map coordinates in the window, and their reference system."""
        if not self.is_map:
            return {}
        return {name: scene[name].isel(self.extent.slices, missing_dims="ignore") for name in AXES}


def check_config(config: RunConfig) -> None:
    """Check a configuration as far as possible without a scene.

    Raises:
        ConfigError: an expression is not allowed, or a sensor, a reader or an algorithm is unknown.
    """
    science = config.science
    check_combinations(science)
    for name, text in science.masks.expressions.items():
        parse_condition(name, text)
    for mask in science.masks.results:
        parse_result_mask(mask)
    if science.sensor:
        find_sensor(science.sensor)
    check_reader(science.reader)
    for choice in science.networks:
        if is_algorithm(choice.file):
            check_name(choice.file.removeprefix(PREFIX), choice.to_nm)


def locate(scene: xr.Dataset, config: RunConfig) -> tuple[xr.Dataset, Extent]:
    """Return the scene with the configured constants and adjustments, and the extent of its window.

    For a bounding box, geolocation is read; the extent of a small window includes the values.

    Raises:
        SceneError: the window has no pixels, a constant is unknown or already in the scene, or the
            scene lacks a band that is to be adjusted.
    """
    science = config.science
    scene = with_constants(scene, science.constants)
    scene = with_adjustments(scene, science.adjust, science.bands.tolerance_nm)
    return scene, find_extent(scene, science.window)


def make_plan(
    scene: xr.Dataset,
    scene_name: str,
    config: RunConfig,
    extent: Extent | None = None,
    networks: Mapping[str, Path | Retrieval] | None = None,
) -> Plan:
    """Match networks and masks to a scene. Network files are read; pixels are not read.

    Args:
        scene: the scene with constants and adjustments, as ``locate`` returns it.
        scene_name: base name of the scene.
        config: the configuration.
        extent: the part to process; the whole scene by default.
        networks: networks that replace those in the configuration, by name. A replacement is the
            path of a file, or a network in memory.

    Raises:
        NetworkError: a network is missing, damaged, or made for another sensor.
        SceneError: a band, a variable or a flag is not in the scene.
        ConfigError: an expression is not allowed, or two networks make the same variable.
    """
    science, extent = config.science, extent or Extent.whole(scene)
    sensor = find_sensor(science.sensor).name if science.sensor else scene.attrs["sensor"]
    _refuse_empty(extent)
    masks = with_recommended(science.masks, scene)
    loaded = load_retrievals(scene, scene_name, sensor, config, networks or {})
    config = config.bound(masks, [each.choice for each in loaded])
    also = _bands_of_combinations(science, scene, loaded)
    inputs, steps = make_chain(loaded, scene, sensor, science, also)
    steps = (*steps, *combined_steps(science, scene, inputs, steps))
    uncertainty = make_uncertainty(science, scene, inputs, steps)
    steps = with_uncertainties(steps, uncertainty)
    _refuse_clashing_variables(steps, scene)
    chunk = science.output.chunk or default_chunk(sum(len(step.written) for step in steps))
    rules = make_rules(masks, scene, inputs, science.bands.tolerance_nm)
    with_flags = SOURCE_FLAGS in scene and science.output.source_flags
    places = [name for name in GEOLOCATION if name in scene]
    passed = _passed(scene, with_flags)
    layers = _layers(inputs, rules, uncertainty, [*places, *[SOURCE_FLAGS] * with_flags])
    plan = Plan(
        scene_name=scene_name,
        sensor=sensor,
        config=config.with_chunk(chunk),  # recorded, so that a new default changes no old product
        extent=extent,
        chunk=(min(chunk[0], extent.shape[0]), min(chunk[1], extent.shape[1])),
        inputs=inputs,
        rules=rules,
        steps=steps,
        layers=layers,
        storage=_storage(scene, layers, rules, extent),
        source_flags_bytes=scene[SOURCE_FLAGS].dtype.itemsize if with_flags else 0,
        is_map=SPATIAL_REF in scene.coords,
        passed=passed,
        result_rules=_result_rules(masks, scene, steps, rules, passed),
        uncertainty=uncertainty,
    )
    _ = plan.work  # raises an error if the run does not fit into memory
    return plan


def _refuse_empty(extent: Extent) -> None:
    lines, pixels = extent.shape
    if lines == 0 or pixels == 0:
        raise SceneError(
            f"the scene is empty: {lines} lines x {pixels} pixels. If the file is a subset, its "
            "area has no pixel. Make the subset with another area."
        )


def _bands_of_combinations(
    science: Science, scene: xr.Dataset, loaded: Sequence[LoadedRetrieval]
) -> tuple[Band, ...]:
    made = [name for each in loaded for name in variable_names(each.choice, each.retrieval)]
    return bands_of_combinations(science, scene, made, [each.choice.name for each in loaded])


def _passed(scene: xr.Dataset, with_flags: bool) -> dict[str, str]:
    passed = {name: name for name in GEOLOCATION if name in scene}
    return passed | ({source_flags_name(scene): SOURCE_FLAGS} if with_flags else {})


def _result_rules(
    masks: MaskRules,
    scene: xr.Dataset,
    steps: Sequence[RetrievalStep],
    rules: Sequence[MaskRule],
    passed: Mapping[str, str],
) -> tuple[ResultRule, ...]:
    """Bind the masks by results to the variables that the product will have."""
    if not masks.results:
        return ()
    flags = {QUALITY_FLAGS: pixel_flags(()), **{step.flags_name: step.flags for step in steps}}
    for name, layer in passed.items():
        if layer == SOURCE_FLAGS:
            named = SourceFlags.of(scene).named
            flags[name] = FlagTable(tuple(named), tuple(named.values()), scene[layer].dtype)
    values = [name for name, layer in passed.items() if layer != SOURCE_FLAGS]
    values += [name for step in steps for name in step.written]
    known = sources_of(values, flags, [step.name for step in steps])
    return make_result_rules(masks.results, known, [rule.name for rule in rules])


def _layers(
    inputs: Sequence[Band],
    rules: Sequence[MaskRule],
    uncertainty: InputUncertainty | None,
    copied: Sequence[str],
) -> tuple[Band, ...]:
    """Return each layer once: inputs of networks and masks, then layers that are copied."""
    needed = [band for rule in rules for band in rule.needs]
    if uncertainty is not None:
        needed += uncertainty.needs
    return tuple(dict.fromkeys((*inputs, *needed, *map(Band, copied))))


def _storage(
    scene: xr.Dataset, layers: Sequence[Band], rules: Sequence[MaskRule], extent: Extent
) -> tuple[StoredChunks, ...]:
    """Return the storage chunks of layers; a grown mask has the chunks of its rule's layers."""
    grown = {Band(rule.layer): rule.rule.needs for rule in rules if isinstance(rule, Dilated)}
    read = [source for layer in layers for source in grown.get(layer, (layer,))]
    if extent.places is not None:
        read = [layer for layer in read if layer.quantity not in GEOLOCATION]
    return tuple(storage_of(scene, dict.fromkeys(read)))


def _refuse_clashing_variables(steps: Sequence[RetrievalStep], scene: xr.Dataset) -> None:
    names = [name for step in steps for name in (*step.written, step.flags_name)]
    names += [QUALITY_FLAGS, *GEOLOCATION, *AXES]
    if SOURCE_FLAGS in scene:
        names.append(source_flags_name(scene))
    twice = repeated(names)
    if twice:
        raise ConfigError(
            f"two variables of the product would have the same name ({twice}). Give one of the "
            "networks another name, a prefix, or other names for its variables (rename), or set "
            "write: false for it."
        )
