"""(c) Writing and (d) reading, against the libraries people use, at the same settings."""

import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5netcdf
import h5py
import inputs
import netCDF4
import numpy as np
import xarray as xr
from commands import python
from report import Table, median

from pipeline.machine.in_order import in_order
from pipeline.machine.resources import keep_freed_memory
from pipeline.readers import chunk_caches, open_scene
from pipeline.readers.opening import chunked, open_undecoded
from pipeline.scene.grid import BlockGrid
from pipeline.scene.lazy import lazy_array_of
from pipeline.writers.chunks import FILL, EncodedChunk, deflated, encode_all
from pipeline.writers.group import Group
from pipeline.writers.netcdf import (
    StorageLayout,
    encoders_of,
    write_direct_chunk,
    write_product,
)

ROUNDS = 3
CHUNK = (256, 1024)
BANDS = [f"aph_{nm}" for nm in (380, 412, 443, 490, 530, 565, 672)]
DIMS = ("y", "x")


def writing() -> Table:
    """The numbers of one product by four writers."""
    numbers = _product_numbers()
    total = sum(array.nbytes for array in numbers.values()) / 1e6
    table = Table(
        "(c) Writing",
        f"7 float32 outputs, latitude, longitude (float32) and a flag word (int32) of "
        f"{inputs.SIDE} x {inputs.SIDE} pixels, {total:.0f} MB, chunks of {CHUNK[0]} x {CHUNK[1]}, "
        f"shuffle and deflate 4; medians of {ROUNDS} alternating rounds. In a run ocpipe "
        "also counts and hashes every number and waits for the disk.",
        ("writer", "MB/s", "file (MB)"),
    )
    writers: dict[str, Callable[[Path], None]] = {
        "netCDF4-python": lambda path: _netcdf4(path, numbers),
        "h5netcdf": lambda path: _h5netcdf(path, numbers),
        "xarray to_netcdf": lambda path: _xarray(path, numbers),
        "ocpipe, 1 thread": lambda path: _chunks_alone(path, numbers, 1),
        "ocpipe, 2 threads": lambda path: _chunks_alone(path, numbers, 2),
        "ocpipe, 2 threads, as in a run": lambda path: _ours(path, numbers, 2),
    }
    speed: dict[str, list[float]] = {name: [] for name in writers}
    size = {}
    with tempfile.TemporaryDirectory(dir=inputs.DATA) as folder:
        for _ in range(ROUNDS):
            for name, write in writers.items():
                path = Path(folder) / "written.nc"
                speed[name].append(total / _seconds(lambda w=write, p=path: w(p)))
                size[name] = path.stat().st_size / 1e6
                _check(path, numbers)
                path.unlink()
    for name, runs in speed.items():
        table.add(name, median(runs), size[name])
    ratio = median(speed["ocpipe, 2 threads"]) / median(speed["netCDF4-python"])
    table.note(f"{ratio:.1f} times netCDF4-python on 2 threads")
    table.note(f"{size['ocpipe, 2 threads'] / size['netCDF4-python']:.3f} times its size")
    return table


def _product_numbers() -> dict[str, np.ndarray]:
    """What a product holds: outputs as noisy as their inputs, fill values, places, flags."""
    with open_scene(inputs.scene()) as scene:
        clear = (scene["source_flags"].values & (1 << 9)) == 0
        rrs = scene["Rrs"].values
        numbers = {}
        for band, name in enumerate(BANDS):
            with np.errstate(invalid="ignore", divide="ignore"):
                made = np.exp(-0.9 * np.log(rrs[band]) + 0.3 * np.log(rrs[(band + 2) % 7]) - 7)
            valid = clear & np.isfinite(made)
            numbers[name] = np.where(valid, made, FILL).astype(np.float32)
        for name in ("latitude", "longitude"):
            numbers[name] = scene[name].values
        numbers["l2_flags"] = scene["source_flags"].values
    return numbers


def _netcdf4(path: Path, numbers: dict[str, np.ndarray]) -> None:
    with netCDF4.Dataset(path, "w") as file:
        for dim in DIMS:
            file.createDimension(dim, inputs.SIDE)
        for name, array in numbers.items():
            variable = file.createVariable(
                name, array.dtype, DIMS, zlib=True, complevel=4, shuffle=True, chunksizes=CHUNK
            )
            variable.set_auto_maskandscale(False)
            variable[:] = array


def _h5netcdf(path: Path, numbers: dict[str, np.ndarray]) -> None:
    with h5netcdf.File(path, "w") as file:
        file.dimensions = dict.fromkeys(DIMS, inputs.SIDE)
        for name, array in numbers.items():
            file.create_variable(
                name,
                DIMS,
                array.dtype,
                data=array,
                chunks=CHUNK,
                compression="gzip",
                compression_opts=4,
                shuffle=True,
            )


def _xarray(path: Path, numbers: dict[str, np.ndarray]) -> None:
    packed = {"zlib": True, "complevel": 4, "shuffle": True, "chunksizes": CHUNK}
    dataset = xr.Dataset({name: (DIMS, array) for name, array in numbers.items()})
    dataset.to_netcdf(path, encoding={name: packed | {"_FillValue": None} for name in numbers})


def _ours(path: Path, numbers: dict[str, np.ndarray], threads: int) -> None:
    blank = {n: (DIMS, np.broadcast_to(a.dtype.type(0), a.shape)) for n, a in numbers.items()}
    template, layout = xr.Dataset(blank), StorageLayout(CHUNK, 4)
    encoders = encoders_of(template, layout)
    grid = BlockGrid((0, 0), (inputs.SIDE, inputs.SIDE), CHUNK)

    def encoded(number: int) -> dict[str, EncodedChunk]:
        return encode_all(encoders, {n: a[grid.region(number)] for n, a in numbers.items()})

    blocks = in_order(encoded, grid.count, threads)
    write_product(template, path, layout, blocks, lambda _: Group())


def _chunks_alone(path: Path, numbers: dict[str, np.ndarray], threads: int) -> None:
    """What the other writers do: compress and store, in the same file format."""
    with netCDF4.Dataset(path, "w") as file:
        for dim in DIMS:
            file.createDimension(dim, inputs.SIDE)
        for name, array in numbers.items():
            file.createVariable(
                name, array.dtype, DIMS, zlib=True, complevel=4, shuffle=True, chunksizes=CHUNK
            )
    grid = BlockGrid((0, 0), (inputs.SIDE, inputs.SIDE), CHUNK)

    def deflate(number: int) -> dict[str, bytes]:
        region = grid.region(number)
        return {n: deflated(np.ascontiguousarray(a[region]), 4) for n, a in numbers.items()}

    with h5py.File(path, "r+") as file:
        for number, block in enumerate(in_order(deflate, grid.count, threads)):
            corner = tuple(part.start for part in grid.region(number))
            for name, data in block.items():
                write_direct_chunk(file[name], corner, data)


def _check(path: Path, numbers: dict[str, np.ndarray]) -> None:
    """Equal value for value, as the netCDF library reads it."""
    with netCDF4.Dataset(path) as file:
        file.set_auto_maskandscale(False)
        for name in (BANDS[0], "latitude", "l2_flags"):
            np.testing.assert_array_equal(file[name][...], numbers[name])


def reading() -> Table:
    """A whole scene, as stored and as physical values."""
    keep_freed_memory()  # as the command does, and as good for the others
    scene = inputs.scene()
    with h5py.File(scene) as file:
        datasets = [*file["geophysical_data"].values(), *file["navigation_data"].values()]
        total = sum(d.size * d.dtype.itemsize for d in datasets) / 1e6
    table = Table(
        "(d) Reading",
        f"All of {scene.name}: 7 int16 bands, latitude and longitude float32, int32 flags, deflate "
        f"4, chunks of 256 whole lines, {total:.0f} MB as stored; medians of {ROUNDS} alternating "
        "rounds, files in the page cache. Decoded: float32 with missing values marked.",
        ("reader", "as stored (MB/s)", "decoded (MB/s)"),
    )
    readers = {
        "netCDF4-python": (lambda: _read_netcdf4(scene, False), lambda: _read_netcdf4(scene, True)),
        "xarray, netcdf4": (
            lambda: _read_xarray(scene, "netcdf4", False),
            lambda: _read_xarray(scene, "netcdf4", True),
        ),
        "xarray, h5netcdf": (
            lambda: _read_xarray(scene, "h5netcdf", False),
            lambda: _read_xarray(scene, "h5netcdf", True),
        ),
        "ocpipe, 1 thread": (lambda: _read_stored(scene, 1), lambda: _read_scene(scene, 1)),
        "ocpipe, 2 threads": (lambda: _read_stored(scene, 2), lambda: _read_scene(scene, 2)),
    }
    speed: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in readers}
    for _ in range(ROUNDS):
        for name, both in readers.items():
            for runs, read in zip(speed[name], both, strict=True):
                runs.append(total / _seconds(read))
    for name, (stored, decoded) in speed.items():
        table.add(name, median(stored), median(decoded))
    for what, index in (("as stored", 0), ("decoded", 1)):
        ratio = median(speed["ocpipe, 2 threads"][index]) / median(speed["netCDF4-python"][index])
        table.note(f"{what}: {ratio:.1f} times netCDF4-python on 2 threads")
    codes = [_stress(seed) for seed in range(20)]
    table.note(f"20 runs of a 4-thread direct read and write stress: {codes.count(0)} ended with 0")
    return table


def _stress(seed: int) -> int:
    try:
        python(inputs.HERE / "stress.py", seed)
    except RuntimeError:
        return 1
    return 0


def _read_netcdf4(scene: Path, decoded: bool) -> None:
    with netCDF4.Dataset(scene) as file:
        file.set_auto_maskandscale(decoded)
        for group in ("geophysical_data", "navigation_data"):
            for variable in file[group].variables.values():
                _ = variable[...]


def _read_xarray(scene: Path, engine: str, decoded: bool) -> None:
    for group in ("geophysical_data", "navigation_data"):
        with xr.open_dataset(scene, group=group, engine=engine, mask_and_scale=decoded) as opened:
            opened.load()


def _read_stored(scene: Path, threads: int) -> None:
    """Chunk by chunk, each put into its place."""
    for group in ("geophysical_data", "navigation_data"):
        with open_undecoded(scene, group) as opened, ThreadPoolExecutor(threads) as pool:
            for variable in opened.variables.values():
                stored = chunked(variable)
                whole = np.empty(stored.shape, stored.dtype)
                corners = range(0, stored.shape[0], stored.chunks.chunk[0])

                def put(top: int, whole: np.ndarray = whole, chunks=stored.chunks) -> None:  # noqa: ANN001
                    piece = chunks.load((top, 0))
                    whole[top : top + len(piece)] = piece

                list(pool.map(put, corners))


def _read_scene(scene: Path, threads: int) -> None:
    """As a run reads, strip by strip on several threads, into whole arrays."""
    with open_scene(scene) as opened, ThreadPoolExecutor(threads) as pool:
        layers = {
            name: source
            for name in ("Rrs", "latitude", "longitude", "source_flags")
            if (source := lazy_array_of(opened[name])) is not None
        }
        whole = {n: np.empty(source.shape, source.dtype) for n, source in layers.items()}

        def put(task: tuple[str, slice]) -> None:
            name, lines = task
            bands = (slice(None),) * (len(layers[name].shape) - 2)
            whole[name][(*bands, lines)] = layers[name].read((*bands, lines, slice(None)))

        assert chunk_caches(opened)
        list(pool.map(put, _strips(list(layers), opened.sizes["y"])))


def _strips(names: list[str], lines: int) -> Iterator[tuple[str, slice]]:
    for top in range(0, lines, 256):
        for name in names:
            yield name, slice(top, top + 256)


def _seconds(call: Callable[[], None]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
