"""Checks a product against its own record.

Input and networks are checked by SHA-256, and stored numbers by checksums. Attributes are compared
with the attributes that this version would write. The float64 reference recomputes a sample of
pixels.
"""

import contextlib
import datetime
import logging
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from pipeline.algorithms import find_retrieval, is_algorithm
from pipeline.config import RunConfig
from pipeline.errors import DAMAGE, NetworkError, PipelineError, SceneError
from pipeline.files.contents import sha256_of
from pipeline.files.identity import HeldSource, holding
from pipeline.files.names import as_text
from pipeline.networks import load_retrieval
from pipeline.networks.engines import example_inputs
from pipeline.networks.reading.library import network_folders
from pipeline.process import locate_and_plan
from pipeline.product.provenance import Provenance
from pipeline.product.reading import ProductFile
from pipeline.product.record import record_of
from pipeline.product.recorded import (
    base_name,
    chunk_of,
    listed,
    recorded_configuration,
    shown,
    shown_hash,
)
from pipeline.product.template import product_template
from pipeline.readers import open_scene
from pipeline.run.block import process_block
from pipeline.run.plan import Plan
from pipeline.run.uncertainty import SUFFIX
from pipeline.scene.quality import FlagTable
from pipeline.scene.scene import SOURCE_FLAGS
from pipeline.version import __version__
from pipeline.writers.chunks import FILL, as_stored
from pipeline.writers.group import Group
from pipeline.writers.netcdf import fill_of, storable
from pipeline.writers.tally import Tally

log = logging.getLogger(__name__)

SAMPLE = 1000
# Float32 engines differ from the reference by at most 3e-4, through a whole chain of networks.
RELATIVE_TOLERANCE = 1e-3
# An output that may pass through zero may also differ by this share of its range.
RANGE_TOLERANCE = 1e-5
# An uncertainty may also differ by this (decades): it is a difference of rounded outputs.
DEVIATION_TOLERANCE = 1e-4

# Groups of the record that depend on the machine or on the versions of libraries.
_NOT_COMPARED = ("software",)


@dataclass(frozen=True)
class Finding:
    """The result of one check."""

    what: str
    passed: bool
    text: str

    @classmethod
    def of(cls, what: str, problem: str, good: str) -> "Finding":
        """Return a failed finding about ``problem``; without a problem, return a passed finding."""
        return cls(what, not problem, problem or good)


def verify_product(
    path: Path,
    *,
    scenes: Sequence[Path] = (),
    network_dirs: Sequence[Path] = (),
    sample: int | None = SAMPLE,
    seed: int = 0,
) -> Iterator[Finding]:
    """Check a product, and yield one finding at a time.

    Args:
        path: the product.
        scenes: the input scene, or folders to search for it; the product's folder and the current
            folder are searched as well.
        network_dirs: folders to search for networks, before the folders in OCPIPE_NETWORKS.
        sample: number of pixels to recompute, or None for all pixels.
        seed: seed for the random choice of pixels.

    Raises:
        SceneError: the product cannot be read, or its record cannot be that of a product.
    """
    with ProductFile(path) as product, _errors_of_record(path):
        yield from _version(product)
        try:
            config = recorded_configuration(product)
        except SceneError as error:
            yield Finding("run", False, f"cannot repeat the run: {error}")
            return
        tally = _count(product, chunk_of(config))
        yield from _checksums(product, tally)
        source = yield from _input(product, scenes)
        network_paths = yield from _networks(product, config, network_dirs, source)
        if source is None or network_paths is None:
            return
        try:
            with (
                holding(source) as held,
                open_scene(source, config.science.reader) as opened,
            ):
                held.check()
                scene, plan = locate_and_plan(opened, source.name, config, network_paths)
                yield from _attributes(product, source, held, scene, plan, tally)
                yield from _pixels(product, scene, plan, sample, seed)
                held.check()
        except PipelineError as error:
            yield Finding("run", False, f"cannot repeat the run: {error}")


@contextlib.contextmanager
def _errors_of_record(path: Path) -> Iterator[None]:
    """Turn failures with a changed record into an error; its text is that of the file."""
    try:
        yield
    except DAMAGE as error:
        log.debug("%s", path, exc_info=True)
        raise SceneError(
            f"{path.name}: its record does not fit its variables. The product was changed or is "
            "damaged; make it again."
        ) from error


def _version(product: ProductFile) -> Iterator[Finding]:
    made_by = product.control.attributes["software_version"]
    if made_by != __version__:
        version = shown(made_by)
        text = f"the product was made by version {version}, but this is version {__version__}; "
        advice = f"attributes may differ. Verify with version {version}."
        yield Finding("version", False, text + advice)


def _count(product: ProductFile, chunk: tuple[int, int]) -> Tally:
    """Count and hash the numbers in the file in the same way as the writer."""
    tables = {
        name: FlagTable.from_attributes(attributes, product.stored(name, (slice(0, 1),)).dtype)
        for name in product.variables
        if "flag_meanings" in (attributes := product.attributes_of(name))
    }
    tally = Tally(product.shape[0] * product.shape[1], tables)
    for name in product.variables:
        for region in product.blocks((min(chunk[0], product.shape[0]), chunk[1])):
            stored = product.stored(name, region)
            tally.add(name, _values(stored), stored)
    return tally


def _values(stored: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return stored numbers, with fill values replaced by NaN."""
    if stored.dtype.kind != "f":
        return stored
    return np.where(stored == FILL, np.float32(np.nan), stored)


def _checksums(product: ProductFile, tally: Tally) -> Iterator[Finding]:
    recorded = product.control.groups["checksums"].attributes
    found = tally.checksums
    changed = [name for name in recorded if found.get(name) != recorded[name]]
    changed += [name for name in found if name not in recorded]
    problem = f"these variables changed after the product was written: {listed(changed)}"
    good = f"the numbers of {len(found)} variables are unchanged"
    yield Finding.of("checksums", problem if changed else "", good)


def _input(product: ProductFile, scenes: Sequence[Path]) -> Generator[Finding, None, Path | None]:
    """Yield the finding about the input; return the path of the input if its hash is right."""
    name, expected = base_name(product.scene["file"]), str(product.scene["sha256"])
    if name is None:
        yield Finding("input", False, "the product records no name of a file for its input")
        return None
    places = [*scenes, product.path.parent, Path()]
    candidates = [c for place in places for c in (place, place / name) if as_text(c.name) == name]
    # A named pipe or a device exists too, but reading it may never end.
    existing = [c for c in dict.fromkeys(candidates) if c.is_file() or c.is_dir()]
    hashes = {candidate: sha256_of(candidate) for candidate in existing}
    source = next((c for c, found in hashes.items() if found == expected), None)
    problem = ""
    if not existing:
        problem = f"{name} not found in {_quoted(places)}. Give its path with --scene."
    elif source is None:
        problem = (
            f"{name} is not the file the product was made from: found the sha256 "
            f"{', '.join(hashes.values())}, but the product records {shown_hash(expected)}"
        )
    yield Finding.of("input", problem, f"{name}, sha256 equal")
    return source


def _quoted(places: Sequence[Path]) -> str:
    return ", ".join(f"'{place}'" for place in places)


def _networks(
    product: ProductFile, config: RunConfig, network_dirs: Sequence[Path], source: Path | None
) -> Generator[Finding, None, dict[str, Path] | None]:
    """Yield findings about networks; return their paths if these networks made the product."""
    files = {choice.name: choice.file for choice in config.science.networks}
    beside = [product.path.parent, *([source.parent] if source else []), Path()]
    folders = [*network_folders(tuple(network_dirs)), *beside]
    paths: dict[str, Path] = {}
    complete = True
    for name, group in product.networks.items():
        if is_algorithm(files[name]):
            finding = _algorithm(name, files[name], config.science.sensor or "", group)
        else:
            finding, path = _network(name, group.attributes, folders)
            paths |= {name: path} if path is not None else {}
        complete &= finding.passed
        yield finding
    return paths if complete else None


def _network(
    name: str, recorded: Mapping[str, Any], folders: Sequence[Path]
) -> tuple[Finding, Path | None]:
    """Search for a network file; return its path if the product was made with this file."""
    file, expected = base_name(recorded["file"]), str(recorded["sha256"])
    if file is None:
        return Finding("network", False, f"{name}: the product records no name of a file"), None
    hashes, right, problem = list[str](), None, ""
    for path in dict.fromkeys(folder / file for folder in folders):
        if not path.is_file():
            continue
        try:
            network = load_retrieval(path)
        except NetworkError:
            # Its text may quote the file, and the product chose the name of the file.
            problem = f"{path} cannot be read as a network (ocpipe inspect says why)"
            continue
        hashes.append(network.sha256)
        if network.sha256 == expected:
            right = path
            if network.fingerprint != recorded["fingerprint"]:
                problem = f"the description in {file} differs from the description in the product"
            break
    if not problem and right is None:
        problem = (
            f"{file} is not the file the product was made with: found the sha256 "
            f"{', '.join(dict.fromkeys(hashes))}, but the product records {shown_hash(expected)}"
            if hashes
            else f"{file} not found in {_quoted(folders)}. Give its folder with --networks."
        )
    found = Finding.of("network", problem and f"{name}: {problem}", f"{name}: {file}, sha256 equal")
    return found, None if problem else right


def _algorithm(name: str, file: str, sensor: str, recorded: Group) -> Finding:
    """Compare the bands and coefficients of a published algorithm with the recorded values."""
    try:
        _, found = find_retrieval(file, sensor, ())
    except PipelineError as error:
        return Finding("algorithm", False, f"{name}: {error}")
    text, problem = f"{name}: {found.file_name}", ""
    if found.fingerprint != recorded.attributes["fingerprint"]:
        problem = f"{text} does not have the bands and coefficients that are in the product"
    return Finding.of("algorithm", problem, f"{text}, coefficients equal")


def _attributes(
    product: ProductFile,
    source: Path,
    held: HeldSource,
    scene: xr.Dataset,
    plan: Plan,
    tally: Tally,
) -> Iterator[Finding]:
    """Compare every attribute of the file and its variables with what this version writes."""
    created = datetime.datetime.fromisoformat(str(product.attributes["date_created"]))
    provenance = Provenance.of(source, held, scene.attrs, plan, created)
    expected = product_template(scene, plan)
    differing = [*_differences(product.root, record_of(provenance, tally), "")]
    for name, variable in {**expected.data_vars, **expected.coords}.items():
        if name not in (*product.variables, *product.axes):
            differing.append(f"variable {name} is missing")
            continue
        wanted = dict(variable.attrs)
        if name in expected.data_vars and fill_of(variable) is not False:
            wanted["_FillValue"] = fill_of(variable)
        differing += _compared(product.attributes_of(str(name)), wanted, str(name))
        if name in expected.coords and not _same(product.stored(str(name)), variable.values):
            differing.append(f"the values of {name}")
    known = {str(name) for name in expected.variables}
    others = [*product.variables, *product.axes]
    differing += [f"variable {n} is unknown" for n in others if n not in known]
    more = f" and {len(differing) - 5} more" if len(differing) > 5 else ""
    first = "; ".join(map(shown, differing[:5]))
    problem = f"differs from this version: {first}{more}" if differing else ""
    yield Finding.of("attributes", problem, "equal to what this version writes")


def _differences(found: Group, expected: Group, place: str) -> Iterator[str]:
    yield from _compared(found.attributes, expected.attributes, place or "global attributes")
    for name in {*found.variables, *expected.variables}:
        stored, wanted = found.variables.get(name), expected.variables.get(name)
        if stored is None or wanted is None or not _same(stored[1], wanted[1]):
            yield f"{place}{name}"
    for name in sorted({*found.groups, *expected.groups}):
        if name in _NOT_COMPARED:
            continue
        if name not in found.groups or name not in expected.groups:
            yield f"group {place}{name}"
        else:
            yield from _differences(found.groups[name], expected.groups[name], f"{place}{name}/")


def _compared(found: Mapping[str, Any], expected: Mapping[str, Any], place: str) -> list[str]:
    wanted = storable(expected)
    return [
        f"{place}: {name}"
        for name in sorted({*found, *wanted})
        if name not in found or name not in wanted or not _same(found[name], wanted[name])
    ]


def _same(found: Any, wanted: Any) -> bool:
    """Return whether two attributes are equal; a number equals an array with only this number."""
    first, second = np.ravel(found), np.ravel(wanted)
    is_float = first.dtype.kind == "f" and second.dtype.kind == "f"
    return first.dtype == second.dtype and np.array_equal(first, second, equal_nan=is_float)


def _pixels(
    product: ProductFile, scene: xr.Dataset, plan: Plan, sample: int | None, seed: int
) -> Iterator[Finding]:
    """Recompute pixels with the float64 reference, block by block."""
    reference = replace(plan, steps=tuple(replace(step, engine="numpy") for step in plan.steps))
    selected = reference.select(scene)
    has_value = _has_value(product, plan)
    chosen = _chosen(has_value, sample, seed)
    scales = _scales(plan)
    compared, wrong = 0, dict[str, str]()
    for region in product.blocks(plan.chunk):
        inside = np.logical_and(*map(_within, chosen, region))
        if not inside.any():
            continue
        lines, pixels = chosen[0][inside] - region[0].start, chosen[1][inside] - region[1].start
        row = _as_row(selected.isel(y=region[0], x=region[1]).load(), lines, pixels)
        computed = process_block(row, reference)
        compared += lines.size
        for name in product.variables:
            expected = _expected(name, computed, row)
            found = _values(product.stored(name, region))[lines, pixels]
            different = np.flatnonzero(~_agree(found, expected, scales.get(name, 0.0)))
            if different.size and name not in wrong:
                first = different[0]
                line, pixel = lines[first] + region[0].start, pixels[first] + region[1].start
                wrong[name] = (
                    f"{shown(name)} at line {line}, pixel {pixel} is {found[first]}, "
                    f"but the recomputed value is {expected[first]}"
                )
    more = f" (and other variables: {listed(list(wrong)[1:])})" if len(wrong) > 1 else ""
    valued = int(np.count_nonzero(has_value[chosen]))
    good = f"{compared} of {has_value.size} pixels recomputed ({valued} with values), all agree"
    yield Finding.of("pixels", next(iter(wrong.values()), "") + more, good)


def _within(places: npt.NDArray[np.intp], part: slice) -> npt.NDArray[np.bool_]:
    return np.asarray((places >= part.start) & (places < part.stop))


def _has_value(product: ProductFile, plan: Plan) -> npt.NDArray[np.bool_]:
    """Return a mask with shape (y, x): pixels on which at least one network has a value."""
    has_value = np.zeros(product.shape, dtype=bool)
    for step in plan.steps:
        for name in step.variables[-1:]:
            has_value |= np.isfinite(_values(product.stored(name)))
    return has_value


def _chosen(
    has_value: npt.NDArray[np.bool_], sample: int | None, seed: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Choose the pixels of the sample; four fifths have values if there are enough such pixels."""
    places = np.arange(has_value.size)
    if sample is not None and sample < has_value.size:
        drawn = np.random.default_rng(seed)
        valued, others = drawn.permutation(places[has_value.ravel()]), places[~has_value.ravel()]
        others = drawn.permutation(others)
        count = min(len(valued), max(4 * sample // 5, sample - len(others)))
        places = np.sort(np.concatenate([valued[:count], others[: sample - count]]))
    lines, pixels = np.unravel_index(places, has_value.shape)
    return lines, pixels


def _scales(plan: Plan) -> dict[str, float]:
    """Return an absolute tolerance for each variable whose values may be near zero."""
    scales: dict[str, float] = {}
    for step in plan.steps:
        network = step.retrieval
        scales |= dict.fromkeys(step.uncertainties, DEVIATION_TOLERANCE)
        for name, variable in zip(step.variables, network.outputs, strict=False):
            if variable.transform.ln_per_unit is None and not network.classes:
                low, high = variable.physical_range
                example = network.reference(example_inputs(network, 256))
                spread = np.ptp(example[:, network.outputs.index(variable)])
                known = high - low if np.isfinite([low, high]).all() else spread
                scales[name] = RANGE_TOLERANCE * float(known)
                if step.uncertainties:
                    scales[f"{name}{SUFFIX}"] = scales[name]
    return scales


def _as_row(
    block: xr.Dataset, lines: npt.NDArray[np.intp], pixels: npt.NDArray[np.intp]
) -> xr.Dataset:
    """Put some pixels of a block into one line; the results of pixels are independent."""
    points = block.isel(y=xr.DataArray(lines, dims="point"), x=xr.DataArray(pixels, dims="point"))
    row = points.rename(point="x").expand_dims(y=1)
    return row.transpose(..., "y", "x")


def _expected(name: str, computed: xr.Dataset, row: xr.Dataset) -> npt.NDArray[Any]:
    if name in computed:
        return np.asarray(computed[name].values[0])
    return np.asarray(row[name if name in row else SOURCE_FLAGS].values[0])


def _agree(
    found: npt.NDArray[Any], expected: npt.NDArray[Any], scale: float
) -> npt.NDArray[np.bool_]:
    if expected.dtype.kind != "f":
        return np.asarray(found == expected)
    expected = _values(as_stored(expected))
    finite = np.isfinite(expected)
    with np.errstate(invalid="ignore"):
        near = np.abs(found - expected) <= RELATIVE_TOLERANCE * np.abs(expected) + scale
    return np.asarray(np.where(finite, near, ~np.isfinite(found)))
