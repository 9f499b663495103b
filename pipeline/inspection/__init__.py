"""Describes a file in words: a scene, a table, a network, an algorithm, or a product."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import yaml

from pipeline.algorithms import is_algorithm
from pipeline.algorithms.catalogue import PREFIX, on_every_sensor
from pipeline.config import ReaderChoice
from pipeline.errors import SceneError, UnknownFormatError
from pipeline.facts.foreign_formats import foreign_format
from pipeline.files.access import why_absent
from pipeline.inspection.of_table import netcdf_table_lines, table_lines
from pipeline.networks import Network, Retrieval, load_network, load_retrieval
from pipeline.networks.reading import is_network
from pipeline.networks.reading.described_yaml import names_members
from pipeline.networks.variable import Variable
from pipeline.product.reading import ProductFile, is_product
from pipeline.readers import AUTO, open_scene
from pipeline.readers.container import hdf5_members
from pipeline.scene.lazy import strips
from pipeline.scene.scene import (
    AXES,
    GEOLOCATION,
    SOURCE_FLAGS,
    plain_variables,
    spectral_quantities,
    wavelengths,
)
from pipeline.scene.source_flags import SourceFlags
from pipeline.version import SOFTWARE
from pipeline.writers.group import Group


def inspect_file(path: Path, reader: ReaderChoice = AUTO) -> Iterator[str]:
    """Yield lines that describe a file.

    Args:
        path: the file, the folder of a scene, or ``algorithm:NAME``.
        reader: the reader of a scene, with its options.

    Raises:
        PipelineError: the file is missing, broken, or of an unknown kind.
    """
    if is_algorithm(str(path)):
        yield from _algorithm(str(path).removeprefix(PREFIX))
        return
    absent = why_absent(path)
    if absent is not None:
        raise SceneError(f"{path}: {absent}.")
    if is_product(path):
        yield from _product(path)
    elif path.is_file() and is_network(path):
        yield from _network(load_network(path))
    elif names_members(path):
        yield from _ensemble(load_retrieval(path))
    else:
        yield from table_lines(path) or _scene_or_table(path, reader)


def _scene_or_table(path: Path, reader: ReaderChoice) -> Iterator[str]:
    """Describe a scene; if no reader knows the format, describe the table in a netCDF file."""
    try:
        yield from _scene(path, reader)
    except UnknownFormatError:
        # Some files of other known formats have parts that look like a table.
        is_foreign = foreign_format(path, hdf5_members(path)) is not None
        lines = None if is_foreign else netcdf_table_lines(path)
        if lines is None:
            raise
        yield from lines


def _network(network: Network) -> Iterator[str]:
    activations = ", ".join(layer.activation for layer in network.layers)
    yield from _head("network", network, activations)
    yield from _variables("inputs", network.inputs)
    if network.classes:
        yield f"classes      {network.class_quantity}: {', '.join(network.classes)}"
    else:
        yield from _variables("outputs", network.outputs)
    if network.after:
        yield f"after        {', '.join(network.after)}"
    if network.golden is not None:
        yield f"golden       {len(network.golden.inputs)} spectra, reproduced"
    for key, value in network.training.items():
        yield f"training     {key}: {value}"
    yield from _credits(network)


def _ensemble(ensemble: Retrieval) -> Iterator[str]:
    record = ensemble.record
    yield from _head("ensemble", ensemble, record["activations"])
    for member in record["members"].split(","):
        yield f"member       {member}"
    for network in filter(None, record.get("error_networks", "").split(",")):
        yield f"errors       {network}"
    yield f"calibration  {record['calibration']}"
    yield from _variables("inputs", ensemble.inputs)
    yield from _variables("outputs", ensemble.outputs)
    yield from _credits(ensemble)


def _head(kind: str, retrieval: Retrieval, activations: str) -> Iterator[str]:
    yield f"{kind:<12} {retrieval.name}: {retrieval.title}"
    yield f"file         {retrieval.file_name}"
    yield f"sha256       {retrieval.sha256}"
    named = ", ".join(retrieval.sensors) or "none named; set allow_other_sensor: true to run it"
    yield f"sensors      {named}"
    yield f"layers       {retrieval.shape_text} ({activations})"


def _credits(retrieval: Retrieval) -> Iterator[str]:
    yield f"citation     {retrieval.citation or 'none given'}"
    yield f"licence      {retrieval.licence or 'none given'}"


def _algorithm(name: str) -> Iterator[str]:
    bound = on_every_sensor(name)
    one = next(iter(bound.values()))
    yield f"algorithm    {one.name}: {one.title}"
    yield f"version      {one.version}"
    yield f"file         {one.path}"
    yield f"sha256       {one.sha256}"
    for sensor, each in bound.items():
        taken = ", ".join(variable.name for variable in each.inputs)
        made = ", ".join(dict.fromkeys(variable.quantity for variable in each.outputs))
        yield f"sensor       {sensor}: {taken} -> {made}"
    for key, value in one.parameters.items():
        yield f"parameters   {key}: {value} ({one.sensors[0]})"
    yield from _credits(one)


def _variables(title: str, variables: tuple[Variable, ...]) -> Iterator[str]:
    row = "{:<12} {:<20} {:<8} {:<12} {:<10} {}".format
    yield row(title, "name", "units", "transform", "scaling", "training range")
    for each in variables:
        low, high = each.physical_range
        known = f"{low:.4g} .. {high:.4g}" if np.isfinite([low, high]).any() else "not known"
        yield row("", each.name, each.units, each.transform_name, each.scaling_name, known)


def _scene(path: Path, reader: ReaderChoice) -> Iterator[str]:
    with open_scene(path, reader) as scene:
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
    places = scene[list(GEOLOCATION)].drop_vars(AXES, errors="ignore").reset_coords()
    bounds: dict[str, list[float]] = {name: [] for name in GEOLOCATION}
    for _, part in strips(places):
        for name, ends in bounds.items():
            values = part[name].values[np.isfinite(part[name].values)]
            ends.extend([float(values.min()), float(values.max())] if values.size else [])
    for name, ends in bounds.items():
        span = f"{min(ends):.3f} .. {max(ends):.3f}" if ends else "missing everywhere"
        yield f"{name:<12} {span}"


def _valid_pixels(scene: xr.Dataset) -> Iterator[str]:
    """Count valid pixels; read a few lines at a time, so that the whole scene is not in memory."""
    for quantity in spectral_quantities(scene):
        centres = wavelengths(scene, quantity)
        complete, by_band, positive = 0, np.zeros(centres.size), np.zeros(centres.size)
        layer = scene[quantity].reset_coords(drop=True).to_dataset()
        for _, part in strips(layer):
            values = part[quantity].values
            valid = np.isfinite(values)
            complete += int(np.count_nonzero(valid.all(axis=0)))
            by_band += np.count_nonzero(valid, axis=(1, 2))
            positive += np.count_nonzero(values > 0, axis=(1, 2))
        percent = 100 / max(scene.sizes["y"] * scene.sizes["x"], 1)
        share = f"{percent * complete:.1f} %"
        yield f"valid        {quantity}: {share} of pixels have a value in every band; by band:"
        for nm, present, above_zero in zip(centres, by_band, positive, strict=True):
            yield (
                f"             {nm:g} nm {percent * present:.1f} %, "
                f"positive {percent * above_zero:.1f} %"
            )


def _flags(scene: xr.Dataset) -> Iterator[str]:
    if SOURCE_FLAGS not in scene:
        yield "flags        none"
        return
    named = SourceFlags.of(scene).named
    counts = dict.fromkeys(named, 0)
    for _, part in strips(scene[SOURCE_FLAGS].reset_coords(drop=True).to_dataset()):
        flags = part[SOURCE_FLAGS].values
        unsigned = flags.view(flags.dtype.str.replace("i", "u"))
        for name, mask in named.items():
            counts[name] += int(np.count_nonzero(unsigned & unsigned.dtype.type(mask)))
    percent = 100 / max(scene.sizes["y"] * scene.sizes["x"], 1)
    yield "flags        share of pixels with each flag; flags that are never set come last"
    for name, count in counts.items():
        if count > 0:
            yield f"             {name} {percent * count:.1f} %"
    yield f"             never: {', '.join(name for name, count in counts.items() if count == 0)}"


def _product(path: Path) -> Iterator[str]:
    with ProductFile(path) as product:
        root, control, scene = product.attributes, product.control, product.scene
        lines, pixels = product.shape
        yield f"product      {path.name}: {root['title']}"
        version = control.attributes["software_version"]
        yield f"made by      {SOFTWARE} {version} on {root['date_created']}"
        yield f"id           {root['id']}"
        yield f"key          {control.attributes['key']}"
        yield f"size         {lines} lines x {pixels} pixels"
        yield f"input        {scene['file']} ({scene['sensor']}, {scene['reader']})"
        yield f"             sha256 {scene['sha256']}"
        if (lines, pixels) != (scene["scene_lines"], scene["scene_pixels"]):
            yield (
                f"window       from line {scene['first_line']} and pixel {scene['first_pixel']} of "
                f"{scene['scene_lines']} x {scene['scene_pixels']}"
            )
        counts = control.groups["flag_percentages"]
        for name, group in product.networks.items():
            yield from _recorded_network(name, group.attributes, counts.attributes)
        for field in ("citation", "licence"):
            texts = {str(group.attributes[field]) for group in product.networks.values()}
            yield from (f"{field:<12} {text or 'none given'}" for text in sorted(texts))
        versions = control.groups["software"].attributes
        yield f"software     {', '.join(f'{name} {version}' for name, version in versions.items())}"
        yield from _flag_shares(counts)
        yield "configured"
        yield from yaml.safe_dump(product.configuration, sort_keys=False).splitlines()


def _recorded_network(
    name: str, entry: Mapping[str, Any], counts: Mapping[str, Any]
) -> Iterator[str]:
    kind = str(entry.get("kind", "neural network")).split()[-1]
    yield f"{kind:<12} {name}: {entry['file']} ({entry['layers']}), {entry['engine']}"
    yield f"             sha256 {entry['sha256']}"
    for what in ("gains", "input_gains", "scope_check"):
        if entry[what] != "none":
            yield f"             {what.replace('_', ' ')}: {entry[what]}"
    made = [name for name in str(entry["variables"]).split(",") if name]
    if made:
        computed = counts[f"{made[-1]}_valid_count"]
        yield f"             makes {', '.join(made)} on {computed} of {counts['pixels']} pixels"


def _flag_shares(counts: Group) -> Iterator[str]:
    for name, (_, values, attributes) in counts.variables.items():
        if name.endswith("_percent"):
            shares = ", ".join(
                f"{meaning} {share:.1f} %"
                for meaning, share in zip(attributes["flag_names"].split(), values, strict=True)
            )
            yield f"flags        {name.removesuffix('_percent')}: {shares}"
