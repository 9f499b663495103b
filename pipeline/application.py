"""``apply``: networks on a scene or on any xarray object, with a lazy Dataset as the result."""

import functools
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from pipeline.config import RunConfig, load_config
from pipeline.config.science import Window
from pipeline.errors import ConfigError
from pipeline.files.identity import SourceStamp, holding, stamp_of
from pipeline.lazy_product import as_opened, map_scene, of_arrays
from pipeline.masks import Dilated
from pipeline.networks import Retrieval
from pipeline.process import AnyConfig, locate_and_plan
from pipeline.product.delivery import creation_time
from pipeline.product.global_attributes import global_attributes
from pipeline.product.provenance import Provenance
from pipeline.product.template import with_attributes
from pipeline.readers import open_scene
from pipeline.readers.datasets import scene_of
from pipeline.readers.travelling import SceneFile, file_of, is_of_file
from pipeline.run.plan import Plan, check_config
from pipeline.scene.adjustment import with_adjustments
from pipeline.scene.lazy import undasked
from pipeline.scene.scene import GEOLOCATION, REQUIRED_ATTRIBUTES, SPECTRAL, is_spectral

Data = str | Path | xr.Dataset | xr.DataArray


def apply(data: Data, config: AnyConfig | Retrieval, *, identify: bool = True) -> xr.Dataset:
    """Apply the networks of a configuration, or one network, and return a lazy Dataset.

    Nothing is computed before values of the result are needed. Blocks are computed by Dask: by
    threads, by processes, or on a cluster.

    Args:
        data: a scene, as a path or from ``open_scene``; or a Dataset or DataArray with named bands.
            The bands are a dimension with a coordinate of wavelengths (nm), or variables
            with names such as ``Rrs_443``, or variables with an attribute ``wavelength`` or
            ``radiation_wavelength``. All further dimensions are kept: (y, x), (time, y, x),
            (sample,) ...
        config: a configuration (an object, a mapping, a file, or the name of a shipped
            configuration), or a network from ``load_network``.
        identify: read the whole file of a scene to compute its SHA-256, which is then in the
            attributes ``source``, ``id`` and ``history`` as in a product. If this is false, or if
            the scene was changed or cut after it was opened, there is no ``id`` and no hash.

    Returns:
        For a scene, the variables and attributes of the product that ``process_scene`` writes,
        without the counts of pixels and the bounds that result from them. For other data,
        these variables on the dimensions of the data.

    Raises:
        ConfigError: the configuration is wrong.
        SceneError: the data lack inputs of the networks, or have wrong units.
        NetworkError: a network is missing, broken, or made for another sensor.
    """
    run, given = _run_of(config)
    if isinstance(data, str | Path):
        data = open_scene(data, run.science.reader)
    if not isinstance(data, xr.Dataset | xr.DataArray):
        raise ConfigError(
            f"networks are applied to a path, a Dataset or a DataArray, but found "
            f"{type(data).__name__}. Give one of these."
        )
    if isinstance(data, xr.Dataset) and _is_scene(data):
        return _of_scene(_in_usual_order(data), run, given, identify)
    return _of_data(data, run, given)


def _is_scene(data: xr.Dataset) -> bool:
    """Whether a Dataset is a scene on lines and pixels, or a part of such a scene."""
    layers = [data[name] for name in (*SPECTRAL, *GEOLOCATION) if name in data.variables]
    return all(name in data.attrs for name in REQUIRED_ATTRIBUTES) and all(
        {"y", "x"} <= set(layer.dims) and layer.ndim == 2 + sum(map(is_spectral, layer.dims))
        for layer in layers
    )


def _in_usual_order(scene: xr.Dataset) -> xr.Dataset:
    """Return a scene whose layers have the dimensions (bands, y, x), in this order."""
    moved = {
        name: variable.transpose(..., "y", "x")
        for name, variable in scene.variables.items()
        if {"y", "x"} <= set(variable.dims) and variable.dims[-2:] != ("y", "x")
    }
    if not moved:
        return scene
    ordered = scene.assign(moved)
    ordered.encoding = scene.encoding
    return ordered


def _run_of(config: AnyConfig | Retrieval) -> tuple[RunConfig, Mapping[str, Retrieval]]:
    """Return the configuration, and the networks that are in memory by name."""
    if not isinstance(config, Retrieval):
        run = load_config(config)
        check_config(run)
        return run, {}
    name = "".join(sign if sign.isalnum() else "_" for sign in config.name).strip("_") or "network"
    settings = {
        "name": name,
        "science": {
            "networks": [{"name": name, "file": config.file_name or config.name}],
        },
    }
    return load_config(settings), {name: config}


def _of_scene(
    scene: xr.Dataset, run: RunConfig, given: Mapping[str, Retrieval], identify: bool
) -> xr.Dataset:
    file = file_of(scene)
    name = Path(file.path).name if file is not None else "a scene in memory"
    located, plan = locate_and_plan(scene, name, run, given)
    products = map_scene(located, plan)
    names = _names(located, plan)
    # The configuration says how bands are adjusted, so what counts is the scene before that.
    before = located.assign({name: scene[name] for name in names if name in scene})
    is_known = file is not None and is_of_file(undasked(before), names)
    sha256 = _sha256(file) if identify and file is not None and is_known else ""
    if not is_known:
        name = f"{name}, not as it was opened" if file is not None else name
    provenance = Provenance(Path(name), None, sha256, located.attrs, plan, creation_time())
    return products.assign_attrs(global_attributes(provenance, None))


def _names(scene: xr.Dataset, plan: Plan) -> set[str]:
    """Return the variables of a scene that a plan reads, without grown masks."""
    rules = [rule.rule if isinstance(rule, Dilated) else rule for rule in plan.rules]
    layers = [*plan.layers, *(band for rule in rules for band in rule.needs)]
    return {layer.quantity for layer in layers if layer.quantity in scene.variables}


def _sha256(file: SceneFile) -> str:
    """Return the hash of a scene's file."""
    return _sha256_of(file, stamp_of(file.path))


@functools.lru_cache(maxsize=64)
def _sha256_of(file: SceneFile, _stamp: SourceStamp | None) -> str:
    """Hash the file of a scene, if it is still the file that was opened.

    A copy may have the size and the modification time of another file, but not its stamp.
    """
    path = Path(file.path)
    with holding(path) as held:
        held.check()
        if SceneFile.of(path, file.reader) != file:
            raise held.changed()
        found = held.sha256()
        held.check()
    return found


def _of_data(
    data: xr.Dataset | xr.DataArray, run: RunConfig, given: Mapping[str, Retrieval]
) -> xr.Dataset:
    """Apply networks to data of any dimensions; each pixel is computed independently."""
    if run.science.masks.dilate:
        raise ConfigError(
            "masks.dilate needs lines and pixels of a scene, but the data are not a scene from "
            "open_scene. Set masks.dilate to {}."
        )
    if run.science.window != Window():
        raise ConfigError(
            "science.window needs lines and pixels of a scene, but the data are not a scene from "
            "open_scene. Remove it, and cut the data with isel or sel."
        )
    wanted = (variable.quantity for network in given.values() for variable in network.inputs)
    scene = with_adjustments(
        scene_of(data, run.science.sensor or _sensor(data, given), wanted),
        run.science.adjust,
        run.science.bands.tolerance_nm,
    )
    first = next(iter(scene.data_vars.values()))
    dims = [dim for dim in first.dims if not is_spectral(dim)]
    located, plan = locate_and_plan(_one_pixel(scene, dims), "the data", run, given)
    selected = _in_chunks(_as_planned(scene, plan, located, dims), dims)
    arrays = of_arrays(selected, plan)
    clash = sorted(str(dim) for dim in dims if dim in arrays)
    if clash:
        raise ConfigError(
            f"the data have a dimension {clash[0]}, which is also a variable of the product. "
            "Rename the dimension."
        )
    products = xr.Dataset({name: (dims, array) for name, array in arrays.items()})
    described = as_opened(with_attributes(products, selected, plan))
    coords = {
        name: each
        for name, each in data.coords.items()
        if set(each.dims) <= set(dims) and name not in described
    }
    return described.assign_coords(coords)


def _sensor(data: xr.Dataset | xr.DataArray, given: Mapping[str, Retrieval]) -> str:
    """Return the sensor that the data state; without one, the network's sensor is assumed."""
    stated: Any = data.attrs.get("sensor")
    if isinstance(stated, set | frozenset | list | tuple | np.ndarray):  # satpy states a set
        stated = next(iter(stated), "") if len(stated) == 1 else ""
    text = str(stated or "")
    return text or next((each.sensors[0] for each in given.values() if each.sensors), "")


def _one_pixel(scene: xr.Dataset, dims: list[Hashable]) -> xr.Dataset:
    """Return a scene of one pixel, from which the plan is made without reading values."""
    layers = {
        name: (
            [*(dim for dim in layer.dims if is_spectral(dim)), "y", "x"],
            np.zeros(
                [n for dim, n in layer.sizes.items() if dim not in dims] + [1, 1], layer.dtype
            ),
            layer.attrs,
        )
        for name, layer in scene.data_vars.items()
    }
    return xr.Dataset(layers, scene.coords, scene.attrs)


def _as_planned(
    scene: xr.Dataset, plan: Plan, located: xr.Dataset, dims: list[Hashable]
) -> xr.Dataset:
    """Return the layers of the plan on the dimensions of the data."""
    planned = plan.select(located)
    sizes = {dim: scene.sizes[dim] for dim in dims}
    layers = {}
    for name, layer in planned.data_vars.items():
        spectral = {dim: planned[dim] for dim in layer.dims if is_spectral(dim)}
        if name in scene:
            layers[name] = scene[name].sel(spectral)
        else:  # a constant of the configuration
            value = layer.values.reshape(())
            filled = da.full(tuple(sizes.values()), value, dtype=layer.dtype)
            layers[name] = xr.DataArray(filled, dims=dims, attrs=layer.attrs)
    return xr.Dataset(layers)


def _in_chunks(selected: xr.Dataset, dims: list[Hashable]) -> xr.Dataset:
    """Return Dask arrays with the same chunks along the dimensions of the data."""
    spectral = {dim: -1 for dim in selected.dims if is_spectral(dim)}
    whole = {name: layer for name, layer in selected.data_vars.items() if not layer.chunks}
    in_dask = selected.assign({name: layer.chunk("auto") for name, layer in whole.items()})
    chunked = in_dask.unify_chunks() if len(whole) < len(selected.data_vars) else in_dask
    first = next(iter(chunked.data_vars.values()))
    sizes: dict[Hashable, Any] = {dim: first.chunksizes[dim] for dim in dims}
    return chunked.chunk(sizes | spectral)
