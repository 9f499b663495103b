"""One scene through its networks: open, plan, compute block by block, write."""

import logging
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from pipeline.block import process_block
from pipeline.config import RunConfig, load_config
from pipeline.errors import ConfigError, PipelineError, SceneError, WriteError
from pipeline.networks.engines import get_engine
from pipeline.plan import Plan, locate, make_plan
from pipeline.product import describe_variables
from pipeline.provenance import Provenance
from pipeline.quality import QUALITY_FLAGS
from pipeline.readers import open_scene
from pipeline.scene import GEOLOCATION, SOURCE_FLAGS, source_flags_name
from pipeline.writers import PRODUCT_SUFFIX, Layout, write_product
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
        Path of the product: in ``execution.output``, named after the scene and the configuration.

    Raises:
        ConfigError: the configuration is wrong.
        SceneError: the scene cannot be read, or lacks what the networks need.
        NetworkError: a network is missing, broken, or of another sensor.
        WriteError: the product cannot be written; nothing of it is left behind.
    """
    source, config = _named(source), load_config(config)
    target = product_path(source, config)
    _refuse_output_in_scene(source, target.parent)
    with open_scene(source, config.science.reader) as opened:
        scene, plan = locate_and_plan(opened, source.name, config)
        _prepare_folder(target.parent)
        _build_engines(plan)
        provenance = Provenance.of(source, scene.attrs, plan)
        products = map_scene(scene, plan)
        try:
            tally = write_product(
                products,
                target,
                Layout(plan.chunk, config.science.output.compression_level),
                provenance.root,
                threads=config.execution.threads,
                progress=progress,
            )
        except OSError as error:
            # The writer names its own failures, so this came from the scene.
            raise SceneError(
                f"{source.name}: cannot be read to its end ({error}). The file is damaged; "
                "fetch it again."
            ) from error
    _log_counts(plan, tally)
    return target


def plan_scene(source: str | Path, config: str | Path | Mapping[str, Any] | RunConfig) -> Plan:
    """What ``process_scene`` would do, without doing it.

    Raises:
        PipelineError: as ``process_scene``, for all that is found before a pixel is read.
    """
    source, config = _named(source), load_config(config)
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


def map_scene(scene: xr.Dataset, plan: Plan) -> xr.Dataset:
    """All variables of the product, lazily, in the plan's blocks.

    The computed ones come from one call of ``process_block`` per block; geolocation and the scene's
    own flags are passed through.
    """
    selected = plan.select(scene)
    products = xr.map_blocks(
        process_block, selected, kwargs={"plan": plan}, template=_template(selected, plan)
    )
    passed = {name: selected[name] for name in GEOLOCATION}
    if plan.carries_source_flags:
        passed[source_flags_name(selected)] = selected[SOURCE_FLAGS]
    return describe_variables(products.assign(passed), plan).assign_coords(plan.axes(scene))


def check_distinct(sources: Iterable[str | Path], config: RunConfig) -> None:
    """Refuse scenes whose products would have the same name, before any work.

    Raises:
        ConfigError: two scenes have the same file name.
    """
    first: dict[Path, Path] = {}
    for source in map(Path, sources):
        other = first.setdefault(product_path(source, config), source)
        if other is not source:
            raise ConfigError(
                f"{other} and {source} would both become {product_path(source, config).name}. "
                "Run them separately, into different output folders."
            )


def product_path(source: Path, config: RunConfig) -> Path:
    """``<output>/<scene>.<configuration>.nc``."""
    source = _named(source)
    return config.execution.output / f"{source.stem}.{config.name}{PRODUCT_SUFFIX}"


def _named(source: str | Path) -> Path:
    """The path of a scene with its name, also where it was given as ``.``."""
    path = Path(source)
    has_name = path.name not in ("", "..")
    return path if has_name else Path(os.path.abspath(path))  # noqa: PTH100 - links keep their name


def _refuse_output_in_scene(source: Path, folder: Path) -> None:
    """A product in the folder of its scene would change that scene."""
    if source.is_dir() and folder.resolve().is_relative_to(source.resolve()):
        raise WriteError(
            f"{folder} is inside the scene's own folder {source.name}. Choose another output "
            "folder."
        )


def _template(selected: xr.Dataset, plan: Plan) -> xr.Dataset:
    """What ``process_block`` makes, without computing it."""
    layer = selected["latitude"]
    dtypes: dict[str, Any] = {QUALITY_FLAGS: np.uint32}
    for step in plan.steps:
        dtypes |= dict.fromkeys(step.variables, np.float32)
        if step.classes is not None and step.variables:
            dtypes[step.variables[0]] = np.uint8
        dtypes[step.flags_name] = np.uint8
    return xr.Dataset(
        {name: xr.zeros_like(layer, dtype=dtype).drop_attrs() for name, dtype in dtypes.items()}
    )


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


def _prepare_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise WriteError(
            f"{folder} is a file, not a folder. Choose another output folder."
        ) from None
    except OSError as error:
        raise WriteError(
            f"{folder}: the output folder cannot be made: {error.strerror}. Choose another one."
        ) from error
