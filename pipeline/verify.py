"""Whether a product is what it says: found again, hashed again, and a sample computed again.

The input and the networks are compared by SHA-256, the stored numbers with their checksums, every
attribute with what this version would write, and pixels with the float64 reference.
"""

import datetime
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from pipeline.algorithms import find_retrieval, is_algorithm
from pipeline.errors import NetworkError, PipelineError
from pipeline.machine.files import sha256_of
from pipeline.networks import load_retrieval
from pipeline.networks.engines import example_inputs
from pipeline.networks.reading.library import network_folders
from pipeline.process import locate_and_plan, product_template
from pipeline.product.provenance import Provenance
from pipeline.product.reading import ProductFile
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

SAMPLE = 1000
# Engines in float32 differ from the reference by 3e-4 at most, through a whole chain of networks.
RELATIVE_TOLERANCE = 1e-3
# And where an output may pass through zero, by this share of its range.
RANGE_TOLERANCE = 1e-5
# And by this many decades where it is the difference of outputs: their rounding stays.
DEVIATION_TOLERANCE = 1e-4

# What depends on the machine or on the version of a library and not on the product's numbers.
_NOT_COMPARED = ("software",)


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    passed: bool
    text: str


def verify_product(
    path: Path,
    *,
    scenes: Sequence[Path] = (),
    network_dirs: Sequence[Path] = (),
    sample: int | None = SAMPLE,
    seed: int = 0,
) -> Iterator[Finding]:
    """Look at a product from all sides, one finding at a time.

    Args:
        path: the product.
        scenes: the input, or folders to look for it in; the product's folder and the current one
            are looked at, too.
        network_dirs: folders to look for networks in, before those of OCPIPE_NETWORKS.
        sample: how many pixels are computed again; all of them for None.
        seed: of the choice of pixels.

    Raises:
        SceneError: the product cannot be read.
    """
    with ProductFile(path) as product:
        yield from _version(product)
        tally = _count(product)
        yield from _checksums(product, tally)
        source = yield from _input(product, scenes)
        network_paths = yield from _networks(product, network_dirs, source)
        if source is None or network_paths is None:
            return
        try:
            config = product.run_config()
            with open_scene(source, config.science.reader) as opened:
                scene, plan = locate_and_plan(opened, source.name, config, network_paths)
                yield from _attributes(product, source, scene, plan, tally)
                yield from _pixels(product, scene, plan, sample, seed)
        except PipelineError as error:
            yield Finding("run", False, f"the run cannot be repeated: {error}")


def _version(product: ProductFile) -> Iterator[Finding]:
    made_by = product.control.attributes["software_version"]
    if made_by != __version__:
        yield Finding(
            "version",
            False,
            f"made by version {made_by}, this is {__version__}: attributes may differ. Verify with "
            f"version {made_by}.",
        )


def _count(product: ProductFile) -> Tally:
    """What the writer counted, from the numbers in the file."""
    chunk = product.configuration["science"]["output"]["chunk"]
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
    return (
        np.where(stored == FILL, np.float32(np.nan), stored) if stored.dtype.kind == "f" else stored
    )


def _checksums(product: ProductFile, tally: Tally) -> Iterator[Finding]:
    recorded = product.control.groups["checksums"].attributes
    found = tally.checksums
    changed = [name for name in recorded if found.get(name) != recorded[name]]
    unknown = [name for name in found if name not in recorded]
    if changed or unknown:
        yield Finding(
            "checksums",
            False,
            f"numbers were changed after the product was written: {', '.join(changed + unknown)}",
        )
    else:
        yield Finding("checksums", True, f"the numbers of {len(found)} variables are as written")


def _input(product: ProductFile, scenes: Sequence[Path]) -> Generator[Finding, None, Path | None]:
    """Findings; returns the path of the input if it is the right one."""
    name, expected = str(product.scene["file"]), str(product.scene["sha256"])
    places = [*scenes, product.path.parent, Path()]
    candidates = [c for place in places for c in (place, place / name) if c.name == name]
    existing = list(dict.fromkeys(c for c in candidates if c.exists()))
    if not existing:
        searched = ", ".join(f"'{place}'" for place in places)
        yield Finding("input", False, f"{name} not found in {searched}. Name it with --scene.")
        return None
    hashes = {candidate: sha256_of(candidate) for candidate in existing}
    source = next((c for c, found in hashes.items() if found == expected), None)
    if source is None:
        yield Finding(
            "input",
            False,
            f"{name} is not the file the product was made from: its sha256 is "
            f"{' or '.join(hashes.values())}, recorded is {expected}",
        )
        return None
    yield Finding("input", True, f"{name}, sha256 equal")
    return source


def _networks(
    product: ProductFile, network_dirs: Sequence[Path], source: Path | None
) -> Generator[Finding, None, dict[str, Path] | None]:
    """Findings; returns where the networks are if all are the right ones."""
    science = product.configuration["science"]
    named = {choice["name"]: str(choice["file"]) for choice in science["networks"]}
    algorithms = [name for name in product.networks if is_algorithm(named[name])]
    wrong = 0
    for name in algorithms:
        finding = _algorithm(name, named[name], science["sensor"], product.networks[name])
        wrong += not finding.passed
        yield finding
    beside = [product.path.parent, *([source.parent] if source else []), Path()]
    folders = [*network_folders(tuple(network_dirs)), *beside]
    paths: dict[str, Path] = {}
    for name, group in product.networks.items():
        if name in algorithms:
            continue
        file, recorded = str(group.attributes["file"]), group.attributes
        found: dict[str, Path] = {}
        complaint = ""
        for path in dict.fromkeys(folder / file for folder in folders):
            if path.is_file():
                try:
                    network = load_retrieval(path)
                except NetworkError as error:
                    complaint = str(error)
                    continue
                found.setdefault(network.sha256, path)
                if network.sha256 == recorded["sha256"]:
                    if network.fingerprint != recorded["fingerprint"]:
                        complaint = f"{file} is described otherwise than it was recorded"
                    break
        if recorded["sha256"] in found and not complaint:
            paths[name] = found[str(recorded["sha256"])]
            yield Finding("network", True, f"{name}: {file}, sha256 equal")
        elif found and not complaint:
            yield Finding(
                "network",
                False,
                f"{name}: {file} is not the file the product was made with: its sha256 is "
                f"{' or '.join(found)}, recorded is {recorded['sha256']}",
            )
        else:
            searched = ", ".join(f"'{folder}'" for folder in folders)
            missing = f"{file} not found in {searched}. Name its folder with --networks."
            yield Finding("network", False, f"{name}: {complaint or missing}")
    complete = len(paths) + len(algorithms) == len(product.networks) and not wrong
    return paths if complete else None


def _algorithm(name: str, file: str, sensor: str, recorded: Group) -> Finding:
    """Whether a published algorithm has the bands and coefficients that are recorded."""
    try:
        _, found = find_retrieval(file, sensor, ())
    except PipelineError as error:
        return Finding("algorithm", False, f"{name}: {error}")
    if found.fingerprint != recorded.attributes["fingerprint"]:
        return Finding(
            "algorithm",
            False,
            f"{name}: {found.file_name} has other bands or coefficients than it was recorded with",
        )
    return Finding("algorithm", True, f"{name}: {found.file_name}, coefficients equal")


def _attributes(
    product: ProductFile, source: Path, scene: xr.Dataset, plan: Plan, tally: Tally
) -> Iterator[Finding]:
    """Every attribute of the file and its variables, with what would be written now."""
    created = datetime.datetime.fromisoformat(str(product.attributes["date_created"]))
    provenance = Provenance.of(source, scene.attrs, plan, created)
    expected = product_template(scene, plan)
    differing = [*_differences(product.root, provenance.root(tally), "")]
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
    if differing:
        more = f" and {len(differing) - 5} more" if len(differing) > 5 else ""
        yield Finding("attributes", False, f"not as written: {'; '.join(differing[:5])}{more}")
    else:
        yield Finding("attributes", True, "all as this version writes them")


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
    """Whether two attributes are equal; netCDF reads an array of one as a number."""
    first, second = np.ravel(found), np.ravel(wanted)
    is_float = first.dtype.kind == "f" and second.dtype.kind == "f"
    return first.dtype == second.dtype and np.array_equal(first, second, equal_nan=is_float)


def _pixels(
    product: ProductFile, scene: xr.Dataset, plan: Plan, sample: int | None, seed: int
) -> Iterator[Finding]:
    """Pixels computed again by the float64 reference, block by block."""
    reference = replace(plan, steps=tuple(replace(step, engine="numpy") for step in plan.steps))
    selected = reference.select(scene)
    has_value = _has_value(product, plan)
    chosen = _chosen(has_value, sample, seed)
    scales = _scales(plan)
    compared, wrong = 0, dict[str, str]()
    for region in product.blocks(plan.chunk):
        inside = np.flatnonzero(
            (chosen[0] >= region[0].start)
            & (chosen[0] < region[0].stop)
            & (chosen[1] >= region[1].start)
            & (chosen[1] < region[1].stop)
        )
        if not inside.size:
            continue
        lines, pixels = chosen[0][inside] - region[0].start, chosen[1][inside] - region[1].start
        row = _as_row(selected.isel(y=region[0], x=region[1]).load(), lines, pixels)
        computed = process_block(row, reference)
        compared += inside.size
        for name in product.variables:
            expected = _expected(name, computed, row)
            found = _values(product.stored(name, region))[lines, pixels]
            different = np.flatnonzero(~_agree(found, expected, scales.get(name, 0.0)))
            if different.size and name not in wrong:
                first = different[0]
                wrong[name] = (
                    f"{name} at line {chosen[0][inside][first]}, pixel {chosen[1][inside][first]} "
                    f"is {found[first]}, computed again {expected[first]}"
                )
    if wrong:
        more = f" (and other variables: {', '.join(list(wrong)[1:])})" if len(wrong) > 1 else ""
        yield Finding("pixels", False, f"{next(iter(wrong.values()))}{more}")
    else:
        total = product.shape[0] * product.shape[1]
        valued = int(np.count_nonzero(has_value[chosen]))
        yield Finding(
            "pixels",
            True,
            f"{compared} of {total} computed again ({valued} with values), all agree",
        )


def _has_value(product: ProductFile, plan: Plan) -> npt.NDArray[np.bool_]:
    """The pixels (y, x) on which any network has a value."""
    has_value = np.zeros(product.shape, dtype=bool)
    for step in plan.steps:
        for name in step.variables[-1:]:
            has_value |= np.isfinite(_values(product.stored(name)))
    return has_value


def _chosen(
    has_value: npt.NDArray[np.bool_], sample: int | None, seed: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Lines and pixels of the sample: as far as there are, four of five with values."""
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
    """What a variable may differ by where it passes through zero; logarithms never do."""
    scales: dict[str, float] = {}
    for step in plan.steps:
        scales |= dict.fromkeys(step.uncertainties, DEVIATION_TOLERANCE)
        for name, variable in zip(step.variables, step.network.outputs, strict=False):
            if variable.transform.ln_per_unit is None and not step.network.classes:
                low, high = variable.physical_range
                x = example_inputs(step.network, 256)
                spread = np.ptp(step.network.reference(x)[:, step.network.outputs.index(variable)])
                known = high - low if np.isfinite([low, high]).all() else spread
                scales[name] = RANGE_TOLERANCE * float(known)
                if step.uncertainties:
                    scales[f"{name}{SUFFIX}"] = scales[name]
    return scales


def _as_row(
    block: xr.Dataset, lines: npt.NDArray[np.intp], pixels: npt.NDArray[np.intp]
) -> xr.Dataset:
    """Some pixels of a block as a block of one line: all that happens to a pixel is its own."""
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
