"""What a file is, in words: a scene, a network, or a product of this program."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dask.base
import h5py
import numpy as np
import xarray as xr
import yaml

from pipeline.errors import SceneError
from pipeline.networks import Network, load_network
from pipeline.networks.description import Variable
from pipeline.networks.formats import is_network
from pipeline.provenance import SOFTWARE
from pipeline.readers import open_scene
from pipeline.scene import SOURCE_FLAGS, plain_variables, spectral_quantities, wavelengths
from pipeline.source_flags import SourceFlags


def inspect_file(path: Path) -> Iterator[str]:
    """Lines that describe a file.

    Raises:
        PipelineError: the file is missing, broken, or nothing this program knows.
    """
    if not path.exists():
        raise SceneError(f"{path}: no such file. Check the path.")
    if is_product(path):
        yield from _product(path)
    elif path.is_file() and is_network(path):
        yield from _network(load_network(path))
    else:
        yield from _scene(path)


def is_product(path: Path) -> bool:
    """Whether this program wrote the file."""
    if not path.is_file() or not h5py.is_hdf5(path):
        return False
    try:
        with h5py.File(path, "r") as file:
            control = file.get("processing_control")
            return control is not None and _text(control.attrs.get("software_name")) == SOFTWARE
    except OSError:
        return False  # a truncated file; the reader says so in its own words


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _network(network: Network) -> Iterator[str]:
    yield f"network      {network.name}: {network.title}"
    yield f"file         {network.file_name}"
    yield f"sha256       {network.sha256}"
    yield f"sensors      {', '.join(network.sensors)}"
    activations = ", ".join(layer.activation for layer in network.layers)
    yield f"layers       {network.shape_text} ({activations})"
    yield from _variables("inputs", network.inputs)
    yield from _variables("outputs", network.outputs)
    if network.golden is not None:
        yield f"golden       {len(network.golden.inputs)} spectra, reproduced"
    for key, value in network.training.items():
        yield f"training     {key}: {value}"
    yield f"citation     {network.citation or 'none given'}"
    yield f"licence      {network.licence or 'none given'}"


def _variables(title: str, variables: tuple[Variable, ...]) -> Iterator[str]:
    yield f"{title:<12} {'name':<20} {'units':<8} {'transform':<12} training range"
    for variable in variables:
        low, high = variable.physical_range
        yield (
            f"{'':<12} {variable.name:<20} {variable.units:<8} {variable.transform_name:<12} "
            f"{low:.4g} .. {high:.4g}"
        )


def _scene(path: Path) -> Iterator[str]:
    with open_scene(path) as scene:
        yield f"scene        {path.name}"
        yield f"format       {scene.attrs['reader']}"
        yield f"sensor       {scene.attrs['sensor'] or 'unknown'}"
        yield f"size         {scene.sizes['y']} lines x {scene.sizes['x']} pixels"
        for name in ("time_coverage_start", "time_coverage_end"):
            if name in scene.attrs:
                yield f"{name.removeprefix('time_coverage_'):<12} {scene.attrs[name]}"
        yield f"BRDF         {scene.attrs['brdf_correction']}"
        for quantity in spectral_quantities(scene):
            bands = ", ".join(f"{nm:g}" for nm in wavelengths(scene, quantity))
            yield f"{quantity:<12} {bands} nm ({scene[quantity].attrs['units']})"
        yield f"variables    {', '.join(plain_variables(scene))}"
        yield from _geolocation(scene)
        yield from _valid_pixels(scene)
        yield from _flags(scene)


def _geolocation(scene: xr.Dataset) -> Iterator[str]:
    for name in ("latitude", "longitude"):
        values = scene[name].values
        if np.isfinite(values).any():
            yield f"{name:<12} {np.nanmin(values):.3f} .. {np.nanmax(values):.3f}"
        else:
            yield f"{name:<12} missing everywhere"


def _valid_pixels(scene: xr.Dataset) -> Iterator[str]:
    """Shares of pixels, computed by storage chunks, so that a whole scene is never in memory."""
    for quantity in spectral_quantities(scene):
        values = scene[quantity].data
        valid = np.isfinite(values)
        shares = [valid.all(axis=0).mean(), valid.mean(axis=(1, 2)), (values > 0).mean(axis=(1, 2))]
        complete, by_band, positive = dask.base.compute(*shares)
        yield f"valid        {quantity}: {100 * complete:.1f} % of pixels have every band; by band:"
        for nm, present, above_zero in zip(
            wavelengths(scene, quantity), by_band, positive, strict=True
        ):
            yield (
                f"             {nm:g} nm {100 * present:.1f} %, positive {100 * above_zero:.1f} %"
            )


def _flags(scene: xr.Dataset) -> Iterator[str]:
    if SOURCE_FLAGS not in scene:
        yield "flags        none"
        return
    flags = scene[SOURCE_FLAGS].values
    unsigned = flags.view(f"u{flags.dtype.itemsize}")
    shares = {
        name: 100 * np.count_nonzero(unsigned & unsigned.dtype.type(mask)) / flags.size
        for name, mask in SourceFlags.of(scene).named.items()
    }
    yield "flags        share of pixels; those never set come last"
    for name, share in shares.items():
        if share > 0:
            yield f"             {name} {share:.1f} %"
    yield f"             never: {', '.join(name for name, share in shares.items() if share == 0)}"


def _product(path: Path) -> Iterator[str]:
    with h5py.File(path, "r") as file:
        root, control = _Attributes(file), file["processing_control"]
        program = _Attributes(control)
        lines, pixels = file["quality_flags"].shape
        yield f"product      {path.name}: {root['title']}"
        yield f"made by      {SOFTWARE} {program['software_version']} on {root['date_created']}"
        yield f"id           {root['id']}"
        yield f"key          {program['key']}"
        yield f"size         {lines} lines x {pixels} pixels"
        for entry in map(_Attributes, control["inputs"].values()):
            yield f"input        {entry['file']} ({entry['sensor']}, {entry['reader']})"
            yield f"             sha256 {entry['sha256']}"
        counts = control["flag_percentages"].attrs
        for name, group in control["networks"].items():
            yield from _recorded_network(name, _Attributes(group), counts)
        for field in ("citation", "licence"):
            said = {_Attributes(group)[field] for group in control["networks"].values()}
            yield from (f"{field:<12} {text or 'none given'}" for text in sorted(said))
        versions = ", ".join(f"{k} {_text(v)}" for k, v in control["software"].attrs.items())
        yield f"software     {versions}"
        yield from _flag_shares(control["flag_percentages"])
        configuration = json.loads(_Attributes(control["input_parameters"])["configuration"])
        yield "configured"
        yield from yaml.safe_dump(configuration, sort_keys=False).splitlines()


def _recorded_network(name: str, entry: "_Attributes", counts: Mapping[str, Any]) -> Iterator[str]:
    yield f"network      {name}: {entry['file']} ({entry['layers']}), {entry['engine']}"
    yield f"             sha256 {entry['sha256']}"
    outputs = [variable["name"] for variable in json.loads(entry["outputs"])]
    # netCDF writes a number as an array of one.
    computed, pixels = (np.ravel(counts[n])[0] for n in (f"{outputs[0]}_valid_count", "pixels"))
    yield f"             makes {', '.join(outputs)} on {computed} of {pixels} pixels"


class _Attributes:
    """The attributes of a group as text."""

    def __init__(self, group: h5py.Group) -> None:
        self._attrs = group.attrs

    def __getitem__(self, name: str) -> str:
        return _text(self._attrs[name])


def _flag_shares(group: h5py.Group) -> Iterator[str]:
    for name, dataset in group.items():
        if not name.endswith("_percent"):
            continue
        meanings = _text(dataset.attrs["flag_names"]).split()
        shares = ", ".join(
            f"{meaning} {share:.1f} %"
            for meaning, share in zip(meanings, dataset[...], strict=True)
        )
        yield f"flags        {name.removesuffix('_percent')}: {shares}"
