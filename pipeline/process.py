"""Processes one scene: opens it, plans, computes block by block and writes the product."""

import contextlib
import functools
import logging
import os
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from pipeline.config import RunConfig, load_config
from pipeline.errors import PipelineError, ProductExistsError, SceneError
from pipeline.files.identity import HeldSource, holding
from pipeline.machine.in_order import in_order
from pipeline.machine.one_thread import one_thread_per_block
from pipeline.machine.progress_bar import block_bar
from pipeline.networks import Retrieval
from pipeline.networks.engines import get_engine
from pipeline.product.delivery import Delivery
from pipeline.product.emptiness import why_empty
from pipeline.product.provenance import Provenance
from pipeline.product.record import record_of
from pipeline.product.report import InputTally, SceneReport, Stopwatch
from pipeline.product.template import (
    passed_variables,
    product_template,
)
from pipeline.readers import open_scene
from pipeline.readers.damage import failed_to_read
from pipeline.readers.travelling import chunk_caches
from pipeline.run.block import process_block
from pipeline.run.plan import Plan, locate, make_plan
from pipeline.writers.chunks import ChunkEncoder, EncodedChunk, encode_all
from pipeline.writers.netcdf import StorageLayout, encoders_of, write_product
from pipeline.writers.tally import Tally

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""A function that receives the number of finished blocks and the number of all blocks."""
AnyConfig = str | Path | Mapping[str, Any] | RunConfig
"""A configuration as an object, a mapping, a file, or the name of a shipped configuration."""


def process_scene(
    source: str | Path, config: AnyConfig, progress: Progress | bool | None = None
) -> Path:
    """Apply the networks of a configuration to a scene and write the product.

    Args:
        source: the scene file.
        config: an object, a mapping, a file, or the name of a shipped configuration.
        progress: function that is called after each finished block. True shows a bar, in the cell
            of a notebook or in a terminal.

    Returns:
        Path of the product; ``execution.output`` and ``execution.product`` set folder and name.

    Raises:
        ConfigError: the configuration is wrong.
        SceneError: the scene cannot be read, or lacks inputs of the networks.
        NetworkError: a network is missing, broken, or made for another sensor.
        WriteError: the product cannot be written; no part of it is left behind.
    """
    path, run = _resolved(source, config)
    with contextlib.ExitStack() as shown:
        if progress is True:
            progress = shown.enter_context(block_bar(path.name))
        return deliver_scene(path, run, Delivery.of(run), progress or None).product


def deliver_scene(
    source: Path,
    config: RunConfig,
    delivery: Delivery,
    progress: Progress | None = None,
    networks: Mapping[str, Path | Retrieval] | None = None,
) -> SceneReport:
    """Process a scene, deliver the product as ``delivery`` says, and report counts and times.

    ``networks`` is as for ``locate_and_plan``.

    Raises:
        PipelineError: the errors that ``process_scene`` raises.
        ProductExistsError: a product already existed and was kept.
    """
    watch = Stopwatch()
    created = delivery.date  # refuses a wrong date before any scene is opened
    delivery.check(source)
    with contextlib.ExitStack() as opened:
        held = opened.enter_context(_held(source))
        with watch.part("open"):
            whole = opened.enter_context(open_scene(source, config.science.reader))
            held.check()
        target = delivery.target(source, whole.attrs)
        with watch.part("plan"):
            scene, plan = locate_and_plan(whole, source.name, config, networks)
            delivery.prepare(target, plan.product_bytes // 2)
            _build_engines(plan)
        with watch.part("hash"):
            provenance = Provenance.of(source, held, scene.attrs, plan, created)
        with watch.part("process"), one_thread_per_block():
            tally, inputs = _write(scene, provenance, target, delivery.lease, progress)
        _log_counts(scene, plan, tally)
    for text in inputs.undecided.warnings(plan.rules):
        log.warning("%s: %s", plan.scene_name, text)
    return SceneReport(target, plan, provenance.scene_sha256, tally, inputs, watch.seconds)


@contextlib.contextmanager
def _held(source: Path) -> Iterator[HeldSource]:
    """Keep a scene open; if its file changed, an error in the ``with`` block names this cause.

    A file that is read while it is written looks damaged, but may be complete a moment later.
    """
    with holding(source) as held:
        try:
            yield held
        except ProductExistsError:
            raise
        except Exception as error:
            if held.has_changed:
                raise held.changed() from error
            if isinstance(error, OSError):
                failure = failed_to_read(error)
                raise type(failure)(f"{source.name}: {failure}") from error
            raise


def _write(
    scene: xr.Dataset, provenance: Provenance, target: Path, lease: str, progress: Progress | None
) -> tuple[Tally, InputTally]:
    plan, describe = provenance.plan, functools.partial(record_of, provenance)
    products, inputs = product_template(scene, plan), InputTally()
    layout = StorageLayout(plan.chunk, plan.config.science.output.compression_level)
    encoders = encoders_of(products, layout)
    try:
        with contextlib.closing(_blocks(scene, plan, encoders, inputs)) as blocks:
            tally = write_product(products, target, layout, blocks, describe, progress, lease)
    except OSError as error:
        # Errors of the writer have another class, so this error comes from the scene.
        failure = failed_to_read(error, "cannot be read to its end")
        raise type(failure)(f"{provenance.scene_name}: {failure}") from error
    return tally, inputs


def plan_scene(source: str | Path, config: AnyConfig) -> Plan:
    """Return the plan of ``process_scene``; raise errors that are found before pixels are read."""
    path, run = _resolved(source, config)
    with open_scene(path, run.science.reader) as scene:
        return locate_and_plan(scene, path.name, run)[1]


def _resolved(source: str | Path, config: AnyConfig) -> tuple[Path, RunConfig]:
    """Return the scene's path and the configuration; the path ends in the scene's name."""
    path = Path(source)
    if path.name in ("", ".."):
        path = Path(os.path.abspath(path))  # noqa: PTH100 - a link keeps its name
    return path, load_config(config)


def locate_and_plan(
    opened: xr.Dataset,
    name: str,
    config: RunConfig,
    networks: Mapping[str, Path | Retrieval] | None = None,
) -> tuple[xr.Dataset, Plan]:
    """Find the window in the whole scene and plan the run.

    ``networks`` maps the name of a network in the configuration to its file, or to the network
    itself. All other networks are searched for as the configuration says.
    """
    try:
        scene, extent = locate(opened, config)
        return scene, make_plan(scene, name, config, extent, networks)
    except PipelineError as error:
        raise type(error)(f"{name}: {error}") from error


def _blocks(
    scene: xr.Dataset, plan: Plan, encoders: Mapping[str, ChunkEncoder], inputs: InputTally
) -> Generator[dict[str, EncodedChunk], None, None]:
    """Yield the product's chunks, block by block; one thread does all the work of a block."""
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
    # This comes before the product is complete, so an error here leaves no product behind.
    try:
        inputs.undecided.refuse_useless(plan.rules)
    except SceneError as error:
        raise SceneError(f"{plan.scene_name}: {error}") from None


def compute_block(
    selected: xr.Dataset, plan: Plan, region: tuple[slice, slice]
) -> tuple[dict[str, npt.NDArray[Any]], InputTally]:
    """Compute the variables (y, x) of one block, and count the inputs that are out of range.

    ``selected`` is the result of ``plan.select``; the lines and pixels of ``region`` are counted
    from the start of the window. The block is computed a few lines at a time, so that intermediate
    arrays stay small.
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
        computed |= {
            name: block[layer].values for name, layer in passed_variables(selected, plan).items()
        }
        del block, products
        if step >= shape[0]:
            return {str(name): values for name, values in computed.items()}, counted
        for name, values in computed.items():
            whole = made.setdefault(str(name), np.empty(shape, values.dtype))
            whole[part] = values
    return made, counted


def _build_engines(plan: Plan) -> None:
    """Build and check all engines before the first block; wrong numbers stop the run."""
    for step in plan.steps:
        get_engine(step.retrieval, step.engine)


def _log_counts(scene: xr.Dataset, plan: Plan, tally: Tally) -> None:
    name = plan.scene_name
    for step in (step for step in plan.steps if step.variables):
        computed = tally.valid_count(step.numbers[-1])
        log.info("%s: %s computed on %d of %d pixels", name, step.name, computed, tally.pixels)
        if computed == 0:
            text = "%s: no valid pixel for %s; the product has only fill values. %s"
            log.warning(text, name, step.name, why_empty(scene, plan, tally, step))
        elif computed < (plan.config.qc.valid_fraction_min or 0) * tally.pixels:
            text = "%s: almost no valid pixel for %s (%d of %d). %s"
            why = why_empty(scene, plan, tally, step)
            log.warning(text, name, step.name, computed, tally.pixels, why)
