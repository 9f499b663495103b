"""One damaged file through a warm child, and what is wrong about how that ended."""

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Self

import netCDF4
import numpy as np

from fuzz.bases import CLASSIC, TOLERANCE_NM, Base, bases_of
from fuzz.expectation import LIBRARIES, Seen, Wanted
from fuzz.libraries import Libraries
from fuzz.mutations import MUTATIONS, WHOLE, fits
from fuzz.outside import Outside, Watch
from pipeline.batch.job import Job, JobOutcome
from pipeline.batch.kinds import (
    CONFIGURATION,
    CRASH,
    DONE,
    MEMORY,
    SCENE,
    TIMEOUT,
    UNAVAILABLE,
)
from pipeline.batch.supervisor import BEYOND, SLACK, Supervisor

READERS = tuple(MUTATIONS)
# How a damaged file may end beside DONE. A file may lack what the configuration counts on, and
# damage may look like the mark of a program that is still writing.
CLEAR = (SCENE, CONFIGURATION, UNAVAILABLE, MEMORY, TIMEOUT, CRASH)
PROGRAM, MEMORY_LIMIT = 350_000_000, 300_000_000
MOST_MEMORY = SLACK + BEYOND * (PROGRAM + MEMORY_LIMIT)
# Generous, for a busy machine; a file that makes a library hang ends so all the same.
TIMEOUT_S = 120.0
GRACE_S = 60.0
LONGEST_REASON = 2000
NO_DATA, OUTSIDE, SATURATED, OFF_THE_GLOBE, MASKED = 1, 2, 4, 8, 256


@dataclass(frozen=True)
class Mutant:
    """A damaged file: the same whenever it is made."""

    reader: str
    base: str
    mutation: str
    seed: int

    def __str__(self) -> str:
        return f"{self.reader} {self.base} {self.mutation} {self.seed}"

    @property
    def id(self) -> str:
        """As a test is named."""
        return str(self).replace(" ", "-")


@dataclass(frozen=True)
class Verdict:
    """How a mutant ended."""

    mutant: Mutant
    did: str
    """What was done to the file."""
    outcome: JobOutcome
    peak_bytes: int
    """Of the child's memory; 0 where it is gone."""
    wrong: tuple[str, ...]
    """What must not be."""

    def __str__(self) -> str:
        found = f"{self.outcome.kind}: {self.outcome.reason}" if self.outcome.reason else "done"
        lines = [f"{self.mutant} ({self.did})", f"  {found}", *(f"  WRONG {w}" for w in self.wrong)]
        return "\n".join([*lines, f"  again: cd tests && python -m fuzz {self.mutant}"])


def mutants(reader: str, count: int, first_seed: int) -> Iterator[Mutant]:
    """So many of a format: every mutation in turn, of every base in turn."""
    names = list(MUTATIONS[reader])
    bases = [base.name for base in bases_of(reader, Path())]
    for number in range(count):
        name = names[number % len(names)]
        fitting = [base for base in bases if fits(name, is_classic=base == CLASSIC)]
        base = fitting[(number + number // len(names)) % len(fitting)]
        yield Mutant(reader, base, name, first_seed + number)


class Trials:
    """Tries mutants, one after the other, in one child."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name in ("outside", "allowed", "out", "bases"):
            (folder / name).mkdir()
        self._watch = Watch(folder / "outside")
        self._outside = Outside(folder / "outside", folder / "allowed", self._watch.port)
        self._bases = {
            base.name: base for reader in READERS for base in bases_of(reader, folder / "bases")
        }
        self._supervisor, self._libraries = Supervisor(), Libraries()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._supervisor.close()
        self._libraries.close()
        self._watch.close()

    def run(self, mutant: Mutant) -> Verdict:
        """Make it, do it, judge it."""
        base = self._bases[mutant.base]
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            scene = base.copied(Path(folder))
            mutation = (MUTATIONS[mutant.reader] | WHOLE)[mutant.mutation]
            draw = Random(str(mutant))  # noqa: S311 - to be repeated, not to be secret
            did = mutation(scene, draw, self._outside)
            self._watch.add(Path(folder))
            self._watch.seen()
            masked = base.masking_flag is not None and mutant.seed % 3 > 0
            outcome, peak = self._done(base, scene, masked)
            opened = self._watch.seen() - {scene}
            wrong = [*_of_outcome(outcome, scene), *(f"{path} was opened" for path in opened)]
            if peak > (PROGRAM + MEMORY_LIMIT if outcome.kind == DONE else MOST_MEMORY):
                wrong.append(f"took {peak:,} bytes")
            if outcome.kind == DONE:
                wrong += self._of_product(base, scene, Path(str(outcome.product)), masked)
            wrong += [*self._of_leavings(outcome), *self._left_open(Path(folder))]
        self._clear()
        return Verdict(mutant, did, outcome, peak, tuple(wrong))

    def _done(self, base: Base, scene: Path, masked: bool) -> tuple[JobOutcome, int]:
        config = base.settings(self._folder / "out", masked=masked)
        job = Job(
            path=str(scene),
            config=config,
            lease="fuzz",
            first_seen=0,
            memory_limit=MEMORY_LIMIT,
            program_bytes=PROGRAM,
            timeout_s=TIMEOUT_S,
        )
        return self._supervisor.run(job), self._peak()

    def _peak(self) -> int:
        child = self._supervisor._child
        if child is None:
            return 0
        try:
            status = Path(f"/proc/{child._process.pid}/status").read_text()
        except OSError:
            return 0
        found = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
        return int(found[0]) * 1024 if found else 0

    def _left_open(self, folder: Path) -> list[str]:
        """What the child still holds of a file that it is done with."""
        child = self._supervisor._child
        if child is None:
            return []
        links = Path(f"/proc/{child._process.pid}/fd").iterdir()
        held = [target for link in links if (target := _target(link)).startswith(str(folder))]
        return [f"{target} is still open" for target in held]

    def _of_product(self, base: Base, scene: Path, product: Path, masked: bool) -> list[str]:
        """What is not as one of the libraries reads it."""
        wanted = Wanted(
            base.name,
            base.reader,
            base.wavelengths,
            TOLERANCE_NM,
            base.masking_flag if masked else None,
            base.case.reader_options,
        )
        problems: list[str] = []
        for library in LIBRARIES[base.reader]:
            found = self._libraries.seen(scene, wanted, library)
            if isinstance(found, str):
                problems.append(f"done, but {found}")
                continue
            if found.has_canary:
                return ["the product holds numbers of another file"]
            differences = _differences(product, found)
            if not differences:
                return []
            problems += [f"{library}: {difference}" for difference in differences]
        return problems

    def _of_leavings(self, outcome: JobOutcome) -> list[str]:
        expected = {Path(outcome.product)} if outcome.product else set()
        left = set((self._folder / "out").iterdir()) - expected
        return [f"left {path.name} behind" for path in left]

    def _clear(self) -> None:
        for name in ("out", "outside", "allowed"):
            for path in (self._folder / name).iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""


def _of_outcome(outcome: JobOutcome, scene: Path) -> Iterator[str]:
    if outcome.kind not in (DONE, *CLEAR):
        yield f"ended as {outcome.kind}"
    if outcome.seconds > TIMEOUT_S + GRACE_S:
        yield f"took {outcome.seconds:.1f} s"
    if outcome.kind == DONE:
        return
    reason = outcome.reason
    if scene.name not in reason:
        yield "the reason does not name the file"
    if "Traceback" in reason or not reason.isprintable():
        yield "the reason is not one line of text"
    if len(reason) > LONGEST_REASON:
        yield f"the reason has {len(reason)} characters"


def _differences(product: Path, expected: Seen) -> Iterator[str] | list[str]:
    """Where a product is not what it must be."""
    with netCDF4.Dataset(product) as file:
        file.set_auto_maskandscale(False)
        stored = {name: _filled(variable) for name, variable in file.variables.items()}
        source = [n for n, v in file.variables.items() if _is_source_flags(n, v)]
    made = [stored[name] for name in sorted(stored, key=_number_in) if name.startswith("aph_")]
    if made[0].shape != expected.masked.shape:
        return [f"shape {made[0].shape}, expected {expected.masked.shape}"]
    with np.errstate(all="ignore"):
        bands = [band.astype(np.float32) for band in expected.bands]
    whole = np.logical_and.reduce([np.isfinite(band) for band in bands])
    found = []
    for position, (values, band) in enumerate(zip(made, bands, strict=True)):
        wanted = np.where(whole & ~expected.masked, band, np.float32(np.nan))
        found += _unlike(f"band {position}", values, wanted)
    places = (("latitude", expected.latitude), ("longitude", expected.longitude))
    for name, place in places:
        found += _unlike(name, stored[name], place, 1e-4)
    quality = _quality(expected, bands, stored)
    found += _unlike("quality_flags", stored["quality_flags"], quality)
    if expected.flags is not None and not source:
        found.append("the product has no flags of the scene")
    elif expected.flags is not None:
        found += _unlike("flags", stored[source[0]], _like(expected.flags, stored[source[0]]))
    return found


def _filled(variable: netCDF4.Variable) -> np.ndarray:
    """Numbers with NaN where there are none."""
    values = np.asarray(variable[...])
    if values.dtype.kind != "f":
        return values
    fill = variable.getncattr("_FillValue") if "_FillValue" in variable.ncattrs() else np.nan
    return np.where(values == fill, np.nan, values)


def _is_source_flags(name: str, variable: netCDF4.Variable) -> bool:
    described = "flag_masks" in variable.ncattrs()
    return described and name not in ("quality_flags", "iop_flags")


def _number_in(name: str) -> float:
    digits = name.rpartition("_")[2]
    return float(digits) if digits.isdigit() else 0.0


def _like(flags: np.ndarray, product: np.ndarray) -> np.ndarray:
    """In the product's type, if that has room for the numbers."""
    return flags.astype(product.dtype) if flags.dtype.kind in "iu" else flags


def _quality(expected: Seen, bands: list[np.ndarray], stored: dict[str, np.ndarray]) -> np.ndarray:
    """docs/quality.md, for the bands of the run."""
    latitude, longitude = stored["latitude"], stored["longitude"]
    missing = np.zeros(expected.masked.shape, bool)
    for band, outside in zip(bands, expected.outside_of, strict=True):
        missing |= ~np.isfinite(band) & ~outside
    bits = (
        (NO_DATA, missing),
        (OUTSIDE, expected.outside),
        (SATURATED, expected.saturated),
        (OFF_THE_GLOBE, ~((np.abs(latitude) <= 90) & (np.abs(longitude) <= 180))),
        (MASKED, expected.masked),
    )
    return sum(np.where(where, np.uint32(bit), np.uint32(0)) for bit, where in bits)


def _unlike(
    what: str, values: np.ndarray, wanted: np.ndarray, tolerance: float | None = None
) -> list[str]:
    """A sentence where two arrays differ."""
    if values.shape != wanted.shape:
        return [f"{what} has shape {values.shape}, expected {wanted.shape}"]
    both = np.isnan(values) & np.isnan(wanted) if values.dtype.kind == "f" else False
    if tolerance is None:
        same = (values == wanted) | both
    else:
        away = np.abs(values.astype(np.float64) - wanted)
        same = (np.minimum(away, np.abs(away - 360)) <= tolerance) | both
        same |= ~(np.abs(wanted) <= 360) & ~np.isfinite(values)
        same |= np.abs(away) <= 1e-6 * np.abs(wanted)
    if same.all():
        return []
    at = tuple(int(index) for index in np.argwhere(~same)[0])
    count = int(np.count_nonzero(~same))
    return [f"{what}: {count} of {same.size} differ; at {at} {values[at]}, expected {wanted[at]}"]
