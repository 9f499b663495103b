"""One scene through its networks: open, plan, compute block by block, write."""

import contextlib
import logging
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from pipeline.config import RunConfig, load_config
from pipeline.errors import PipelineError, SceneError
from pipeline.machine.in_order import in_order
from pipeline.networks.engines import get_engine
from pipeline.product.attributes import describe_variables
from pipeline.product.delivery import Delivery, creation_time, named
from pipeline.product.provenance import Provenance
from pipeline.product.report import InputTally, SceneReport, Stopwatch
from pipeline.readers import chunk_caches, open_scene
from pipeline.run.block import process_block
from pipeline.run.plan import Plan, locate, make_plan
from pipeline.scene.quality import QUALITY_FLAGS
from pipeline.scene.scene import GEOLOCATION, SOURCE_FLAGS, source_flags_name
from pipeline.writers.chunks import ChunkEncoder, EncodedChunk, encode_all
from pipeline.writers.netcdf import StorageLayout, encoders_of, write_product
from pipeline.writers.tally import Tally

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""Called with the number of finished blocks and of all blocks."""


def process_scene(
    source: str | Path,
    config: str | Path | Mapping[str, Any] | RunConfig,
    progress: Progress | None = None,
) -> Path:
    """Apply the networks of a configuration to a scene and write the product.

    Args:
        source: the file of the scene.
        config: a configuration, its file, the name of a shipped one, or plain data.
        progress: told about finished blocks.

    Returns:
        Path of the product: in ``execution.output``, named by ``execution.product``.

    Raises:
        ConfigError: the configuration is wrong.
        SceneError: the scene cannot be read, or lacks what the networks need.
        NetworkError: a network is missing, broken, or of another sensor.
        WriteError: the product cannot be written; nothing of it is left behind.
    """
    config = load_config(config)
    return deliver_scene(named(source), config, Delivery.of(config), progress).product


def deliver_scene(
    source: Path, config: RunConfig, delivery: Delivery, progress: Progress | None = None
) -> SceneReport:
    """``process_scene`` with a say in how the product is delivered, and with what came out.

    Raises:
        PipelineError: as ``process_scene``.
        ProductExistsError: there was a product, which was kept.
    """
    watch = Stopwatch()
    created = creation_time(delivery.first_seen)  # a wrong one is refused before a scene is opened
    delivery.check(source)
    with contextlib.ExitStack() as opened:
        with watch.part("open"):
            whole = opened.enter_context(open_scene(source, config.science.reader))
        target = delivery.target(source, whole.attrs)
        with watch.part("plan"):
            scene, plan = locate_and_plan(whole, source.name, config)
            delivery.prepare(target, plan.product_bytes // 2)
            _build_engines(plan)
        with watch.part("hash"):
            provenance = Provenance.of(source, scene.attrs, plan, created)
        with watch.part("process"):
            tally, inputs = _write(
                source, scene, plan, target, delivery.lease, provenance, progress
            )
    _log_counts(plan, tally)
    return SceneReport(target, plan, provenance.scene_sha256, tally, inputs, watch.seconds)


def _write(
    source: Path,
    scene: xr.Dataset,
    plan: Plan,
    target: Path,
    lease: str,
    provenance: Provenance,
    progress: Progress | None,
) -> tuple[Tally, InputTally]:
    products, inputs = product_template(scene, plan), InputTally()
    layout = StorageLayout(plan.chunk, plan.config.science.output.compression_level)
    encoders = encoders_of(products, layout)
    try:
        with contextlib.closing(_blocks(scene, plan, encoders, inputs)) as blocks:
            tally = write_product(
                products, target, layout, blocks, provenance.root, progress, lease
            )
    except OSError as error:
        # The writer names its own failures, so this came from the scene.
        raise SceneError(
            f"{source.name}: cannot be read to its end ({error}). The file is damaged; "
            "fetch it again."
        ) from error
    return tally, inputs


def plan_scene(source: str | Path, config: str | Path | Mapping[str, Any] | RunConfig) -> Plan:
    """What ``process_scene`` would do, without doing it.

    Raises:
        PipelineError: as ``process_scene``, for all that is found before a pixel is read.
    """
    source, config = named(source), load_config(config)
    with open_scene(source, config.science.reader) as scene:
        return locate_and_plan(scene, source.name, config)[1]


def locate_and_plan(
    opened: xr.Dataset,
    name: str,
    config: RunConfig,
    network_paths: Mapping[str, Path] | None = None,
) -> tuple[xr.Dataset, Plan]:
    """The scene as the run sees it, and the plan of the run.

    Args:
        opened: the whole scene.
        name: its base name.
        config: what to do.
        network_paths: where networks are, by their names in the configuration; others are found
            as the configuration says.
    """
    try:
        scene, extent = locate(opened, config)
    except PipelineError as error:
        raise type(error)(f"{name}: {error}") from error
    return scene, make_plan(scene, name, config, extent, network_paths)


def _blocks(
    scene: xr.Dataset, plan: Plan, encoders: Mapping[str, ChunkEncoder], inputs: InputTally
) -> Generator[dict[str, EncodedChunk], None, None]:
    """The chunks of the product, block after block, each computed and compressed in one thread."""
    selected, grid = plan.select(scene), plan.grid
    caches = chunk_caches(scene)
    for cache in caches:
        cache.follow(grid)

    def work(number: int) -> tuple[dict[str, EncodedChunk], InputTally]:
        values, counted = compute_block(selected, plan, grid.region(number))
        for cache in caches:
            cache.finished(number)
        return encode_all(encoders, values), counted

    for chunks, counted in in_order(work, grid.count, plan.work.threads):
        inputs.merge(counted)
        yield chunks


def compute_block(
    selected: xr.Dataset, plan: Plan, region: tuple[slice, slice]
) -> tuple[dict[str, npt.NDArray[Any]], InputTally]:
    """All variables of the product in one block, each on (y, x), and counts of their inputs.

    The block is computed some lines at a time: what is between input and product then stays small.

    Args:
        selected: what ``plan.select`` gives.
        plan: the plan of the run.
        region: lines and pixels of the block, counted from the window's origin.
    """
    lines, pixels = region
    shape = (lines.stop - lines.start, pixels.stop - pixels.start)
    made: dict[str, npt.NDArray[Any]] = {}
    counted = InputTally()
    step = max(1, plan.work.pixels_at_once // shape[1])
    for start in range(0, shape[0], step):
        part = slice(start, min(start + step, shape[0]))
        inside = {"y": slice(lines.start + part.start, lines.start + part.stop), "x": pixels}
        block = selected.isel(inside).load()
        products = process_block(block, plan)
        counted.add(products, plan)
        computed = {n: v.values for n, v in products.data_vars.items()}
        computed |= {name: block[layer].values for name, layer in _passed(selected, plan).items()}
        del block, products
        if step >= shape[0]:
            return {str(name): values for name, values in computed.items()}, counted
        for name, values in computed.items():
            whole = made.setdefault(str(name), np.empty(shape, values.dtype))
            whole[part] = values
    return made, counted


def _passed(selected: xr.Dataset, plan: Plan) -> dict[str, str]:
    """What goes into the product as it is: its name there, and in the scene."""
    passed = {name: name for name in GEOLOCATION}
    if plan.carries_source_flags:
        passed[source_flags_name(selected)] = SOURCE_FLAGS
    return passed


def product_template(scene: xr.Dataset, plan: Plan) -> xr.Dataset:
    """All variables of the product with their attributes, and no values."""
    selected = plan.select(scene)
    dtypes = {name: selected[layer].dtype for name, layer in _passed(selected, plan).items()}
    blank = {
        name: xr.DataArray(np.broadcast_to(np.zeros((), dtype), plan.shape), dims=("y", "x"))
        for name, dtype in (dtypes | _dtypes(plan)).items()
    }
    return _described(xr.Dataset(blank), selected, plan).assign_coords(plan.axes(scene))


def map_scene(scene: xr.Dataset, plan: Plan) -> xr.Dataset:
    """All variables of the product as Dask arrays in the plan's blocks, to work on without a file.

    The computed ones come from one call of ``process_block`` per block; geolocation and the scene's
    own flags are passed through. ``process_scene`` computes the same block by block by itself, for
    Dask bounds no memory and compresses in no order.

    Args:
        scene: an opened scene, best as Dask arrays (``open_scene(path, chunks={})``).
        plan: what to do with it.
    """
    selected = plan.select(scene)
    lines, pixels = plan.chunk
    spectral = {str(dim): -1 for dim in selected.dims if dim not in ("y", "x")}
    selected = selected.chunk({"y": lines, "x": pixels, **spectral})
    layer = selected["latitude"]
    template = xr.Dataset(
        {n: xr.zeros_like(layer, dtype=d).drop_attrs() for n, d in _dtypes(plan).items()}
    )
    products = xr.map_blocks(process_block, selected, kwargs={"plan": plan}, template=template)
    passed = {name: selected[layer] for name, layer in _passed(selected, plan).items()}
    described = _described(products.assign(passed), selected, plan)
    return described.assign_coords(plan.axes(scene))


def _described(products: xr.Dataset, selected: xr.Dataset, plan: Plan) -> xr.Dataset:
    """With the attributes of the product; those of the scene's flags come from the scene."""
    for name, layer in _passed(selected, plan).items():
        products[name].attrs = dict(selected[layer].attrs)
    return describe_variables(products, plan)


def _dtypes(plan: Plan) -> dict[str, Any]:
    """Of what ``process_block`` makes."""
    dtypes: dict[str, Any] = {QUALITY_FLAGS: np.uint32}
    for step in plan.steps:
        dtypes |= dict.fromkeys((*step.variables, *step.uncertainties), np.float32)
        if step.classes is not None and step.variables:
            dtypes[step.variables[0]] = np.uint8
        dtypes[step.flags_name] = np.uint8
    return dtypes


def _build_engines(plan: Plan) -> None:
    """Before the first block, so that a device that computes wrong numbers stops the run early."""
    for step in plan.steps:
        get_engine(step.network, step.engine)


def _log_counts(plan: Plan, tally: Tally) -> None:
    scene = plan.scene_name
    for step in plan.steps:
        if not step.variables:
            continue
        computed = tally.valid_count(step.variables[-1])
        log.info("%s: %s computed on %d of %d pixels", scene, step.name, computed, tally.pixels)
        if computed == 0:
            log.warning(
                "%s: no valid pixel for %s; the product holds fill values only", scene, step.name
            )
