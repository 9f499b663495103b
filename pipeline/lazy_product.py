"""Products as lazy Datasets of Dask arrays, for notebooks and clusters.

Each block of the product is computed by one task. Another task for each variable takes the variable
from the result of the block. Layers of a file are read by the worker that computes the block,
so no input pixel is sent anywhere. Arrays that are not in a file are inputs of the block's task.
The plan, with its networks, is one node of the graph, so it is sent to a worker once. Each process
builds an engine once, and engines are never pickled.
"""

import itertools
import operator
import pickle
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from dask.array import Array
from dask.base import tokenize
from dask.highlevelgraph import HighLevelGraph

from pipeline.errors import ConfigError
from pipeline.machine.one_thread import one_thread_per_block
from pipeline.masks import Dilated
from pipeline.process import compute_block
from pipeline.product.template import computed_types, passed_variables, with_attributes
from pipeline.run.block import process_block
from pipeline.run.plan import Plan
from pipeline.scene.lazy import undasked
from pipeline.scene.scene import is_spectral
from pipeline.version import __version__

Block = dict[str, npt.NDArray[Any]]
Place = tuple[int, ...]
"""Position of a block along each dimension."""


def map_scene(scene: xr.Dataset, plan: Plan) -> xr.Dataset:
    """Return the product of a plan as Dask arrays in the plan's blocks, without writing a file.

    Layers that ``open_scene`` made are read by the tasks, region by region. Variables that were
    computed (Dask arrays) are inputs of the tasks.

    Raises:
        ConfigError: a mask grows around pixels of a variable that is not read from a file.
    """
    plan = replace(plan, extent=replace(plan.extent, places=None))  # geolocation is in the file
    selected = plan.select(_readable(scene, plan))
    if any(variable.chunks for variable in selected.variables.values()):
        lines, pixels = plan.chunk
        spectral = {str(dim): -1 for dim in selected.dims if is_spectral(dim)}
        made = of_arrays(selected.chunk({"y": lines, "x": pixels, **spectral}), plan)
    else:
        made = _of_files(selected, plan)
    products = xr.Dataset({name: (("y", "x"), array) for name, array in made.items()})
    described = with_attributes(products, selected, plan)
    return as_opened(described.assign_coords(plan.axes(scene)))


def as_opened(products: xr.Dataset) -> xr.Dataset:
    """Return variables as ``xarray.open_dataset`` does: latitude and longitude are coordinates."""
    named: set[str] = set()
    opened = products.copy()
    for variable in opened.variables.values():
        listed = variable.attrs.pop("coordinates", None)
        if listed is not None:
            variable.encoding["coordinates"] = listed
            named.update(listed.split())
    return opened.set_coords(sorted(named & set(opened.data_vars)))


def _readable(scene: xr.Dataset, plan: Plan) -> xr.Dataset:
    """Return the scene with all layers of files lazy; refuse to grow masks of computed arrays."""
    readable = undasked(scene)
    needed = {band.quantity for rule in plan.rules if isinstance(rule, Dilated)
              for band in rule.rule.needs}  # fmt: skip
    computed = sorted(name for name in needed if readable[name].chunks)
    if computed:
        raise ConfigError(
            f"masks.dilate needs neighbouring pixels, but {', '.join(computed)} is a Dask array "
            "that was computed. Set masks.dilate to {}, or write the scene to a file first."
        )
    return readable


@dataclass(frozen=True, eq=False)
class BlockWork:
    """The data that all blocks share: the plan, and the layers that the tasks read themselves."""

    plan: Plan
    layers: xr.Dataset

    def from_files(self, number: int) -> Block:
        """Read and compute the block of this number in the plan's grid."""
        with one_thread_per_block():
            values, _ = compute_block(self.layers, self.plan, self.plan.grid.region(number))
        return values

    def from_arrays(self, *arrays: npt.NDArray[Any]) -> Block:
        """Compute a block of arrays; each has the dimensions of its variable in ``layers``.

        A pixel does not depend on its neighbours, so a block of any shape is computed as one line.
        """
        names = _input_names(self.layers)
        flat = {
            name: _as_line(array, self.layers[name])
            for name, array in zip(names, arrays, strict=True)
        }
        pixels = flat[names[0]][1].shape[-1]
        block = xr.Dataset(flat, {name: self.layers[name] for name in self.layers.coords})
        step = max(1, min(pixels, self.plan.work.pixels_at_once))
        with one_thread_per_block():
            parts = [
                self._computed(block.isel(x=slice(start, start + step)))
                for start in range(0, max(pixels, 1), step)
            ]
        shape = _shape_of_pixels(arrays[0], self.layers[names[0]].dims)
        return {
            name: np.concatenate([part[name] for part in parts], axis=1).reshape(shape)
            for name in parts[0]
        }

    def _computed(self, block: xr.Dataset) -> Block:
        products = process_block(block, self.plan)
        passed = passed_variables(block, self.plan)
        made = {str(name): values.values for name, values in products.data_vars.items()}
        return made | {name: block[layer].values for name, layer in passed.items()}


def _input_names(layers: xr.Dataset) -> list[str]:
    """Return the names of the variables in the order of a task's arguments."""
    return [str(name) for name in layers.data_vars]


def _as_line(array: npt.NDArray[Any], layer: xr.DataArray) -> tuple[list[str], Any, Any]:
    """Return dimensions, values and attributes of a block as one line, (..., 1, n)."""
    spectral = [str(dim) for dim in layer.dims if is_spectral(dim)]
    line = np.asarray(array).reshape(*array.shape[: len(spectral)], 1, -1)
    return [*spectral, "y", "x"], line, layer.attrs


def _shape_of_pixels(array: npt.NDArray[Any], dims: Sequence[Hashable]) -> tuple[int, ...]:
    return array.shape[sum(map(is_spectral, dims)) :]


def _of_files(selected: xr.Dataset, plan: Plan) -> dict[str, Array]:
    """Return the arrays (y, x) of a product whose inputs are read from files."""
    grid = plan.grid
    chunks = tuple(
        tuple(min(size, end - start) for start in range(0, end, size))
        for size, end in zip(grid.chunk, grid.shape, strict=True)
    )
    # Dask's own token of the Dataset is not used: to make it, xarray would read all values.
    layers = {name: pickle.dumps(variable) for name, variable in selected.variables.items()}
    name = f"ocpipe-{tokenize(layers, _token(plan))}"
    places = itertools.product(range(grid.rows), range(grid.columns))
    arguments = ((place, (number,)) for number, place in enumerate(places))
    work = BlockWork(plan, selected)
    return _arrays(name, work, BlockWork.from_files, arguments, chunks, _types(selected, plan), ())


def of_arrays(selected: xr.Dataset, plan: Plan) -> dict[str, Array]:
    """Return the arrays of a product whose inputs are Dask arrays.

    All variables have the same dimensions and chunks. A spectral dimension comes first, as one
    chunk.
    """
    inputs = [selected[name] for name in _input_names(selected)]
    dims = [dim for dim in inputs[0].dims if not is_spectral(dim)]
    chunks = tuple(inputs[0].chunksizes[dim] for dim in dims)
    name = f"ocpipe-{tokenize([(each.name, each.data.name) for each in inputs], _token(plan))}"
    arguments = (
        (place, [(each.data.name, *(0,) * (each.ndim - len(dims)), *place) for each in inputs])
        for place in itertools.product(*(range(len(sizes)) for sizes in chunks))
    )
    work, arrays = BlockWork(plan, _without_values(selected)), [each.data for each in inputs]
    types = _types(selected, plan)
    return _arrays(name, work, BlockWork.from_arrays, arguments, chunks, types, arrays)


def _without_values(selected: xr.Dataset) -> xr.Dataset:
    """Return the variables with their attributes and spectral coordinates, but without pixels."""
    empty = {
        name: (
            variable.dims,
            np.empty([n if is_spectral(dim) else 0 for dim, n in variable.sizes.items()]),
            variable.attrs,
        )
        for name, variable in selected.data_vars.items()
    }
    spectral = {dim: selected[dim] for dim in selected.dims if is_spectral(dim)}
    return xr.Dataset(empty, spectral)


def _types(selected: xr.Dataset, plan: Plan) -> dict[str, np.dtype[Any]]:
    passed = passed_variables(selected, plan).items()
    types = {name: selected[layer].dtype for name, layer in passed} | computed_types(plan)
    return {name: np.dtype(kind) for name, kind in types.items()}


def _token(plan: Plan) -> tuple[Any, ...]:
    """Return a text for everything that the numbers depend on, except the input."""
    steps = [(step.name, step.retrieval.fingerprint, step.engine) for step in plan.steps]
    return __version__, plan.config.model_dump_json(), plan.sensor, str(plan.extent), steps


def _arrays(
    name: str,
    work: BlockWork,
    compute: Callable[..., Block],
    arguments: Iterator[tuple[Place, Sequence[Any]]],
    chunks: tuple[tuple[int, ...], ...],
    types: Mapping[str, np.dtype[Any]],
    inputs: Sequence[Array],
) -> dict[str, Array]:
    """Return the variables of blocks as arrays.

    Args:
        name: the first part of all keys.
        work: what all blocks share, one node of the graph.
        compute: the method of ``work`` that computes a block.
        arguments: the place of each block, and the further arguments of ``compute``.
        chunks: sizes of the blocks along each dimension.
        types: name of each variable -> type.
        inputs: the arrays whose keys are among the arguments.
    """
    shared = f"{name}-plan"
    blocks: dict[Any, Any] = {
        (name, *place): (compute, shared, *further) for place, further in arguments
    }
    layers: dict[str, Any] = {name: blocks | {shared: work}}
    needs = {name: {each.name for each in inputs}}
    for variable in types:
        own = f"{name}-{variable}"
        layers[own] = {(own, *block[1:]): (operator.getitem, block, variable) for block in blocks}
        needs[own] = {name}
    for each in inputs:
        layers |= each.dask.layers
        needs |= each.dask.dependencies
    graph = HighLevelGraph(layers, needs)
    return {
        variable: Array(graph, f"{name}-{variable}", chunks, dtype=kind)
        for variable, kind in types.items()
    }
