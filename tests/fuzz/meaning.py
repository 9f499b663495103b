"""Readable files that mean something else: the scene is that of an independent reading, or refused.

python -m fuzz.meaning                                  # in tests/, 200 files of each reader
python -m fuzz.meaning obpg_l2 pace_oci limit_in_units 17
"""

import argparse
import logging
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import xarray as xr

from fuzz.bases import CLASSIC, TOLERANCE_NM, bases_of
from fuzz.expectation import LIBRARIES, Seen, Wanted, seen
from fuzz.mutations import Mutation, folders, meaning, meaning_classic, meaning_tiff, named
from fuzz.outside import Outside
from fuzz.stored import MeaninglessError
from fuzz.trial import Mutant
from pipeline.errors import ConfigError, SceneError
from pipeline.readers import open_scene
from pipeline.scene.quality import STATE_OUTSIDE_VALID_RANGE, STATE_SATURATED

_HDF5 = named(
    meaning.lost,
    meaning.of_another_type,
    meaning.stated_once,
    meaning.limit_in_units,
    meaning.limit_at_a_value,
    meaning.missing_as_a_value,
    meaning.missing_in_units,
    meaning.sign,
    meaning.units,
    meaning.values_at_limits,
    meaning.packing_of_all,
    meaning.renamed_dimension,
)
_TIFF = named(
    meaning_tiff.scale,
    meaning_tiff.nodata_as_a_value,
    meaning_tiff.units,
    meaning_tiff.wavelengths,
    meaning_tiff.values_at_limits,
    meaning_tiff.other_type,
)
CLASSIC_ONLY = named(meaning_classic.attribute)
MEANINGS: dict[str, dict[str, Mutation]] = {
    "obpg_l2": _HDF5,
    "sgli_l2": _HDF5,
    "olci_wfr": {name: folders.of_member(mutation) for name, mutation in _HDF5.items()},
    "geotiff": _TIFF,
    "cf_netcdf": _HDF5 | CLASSIC_ONLY,
}


@dataclass(frozen=True)
class Reading:
    """How a file was read."""

    mutant: Mutant
    did: str
    refusal: str
    """Why it was refused; empty if it was read."""
    wrong: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"{self.mutant} ({self.did})", f"  {self.refusal or 'read'}"]
        lines += [f"  WRONG {what}" for what in self.wrong]
        return "\n".join([*lines, f"  again: cd tests && python -m fuzz.meaning {self.mutant}"])


def mutants(reader: str, count: int, first_seed: int) -> Iterator[Mutant]:
    """Every mutation in turn, of every base in turn."""
    names = list(MEANINGS[reader])
    bases = [base.name for base in bases_of(reader, Path())]
    for number in range(count):
        name = names[number % len(names)]
        fitting = [base for base in bases if (base == CLASSIC) == (name in CLASSIC_ONLY)]
        base = fitting[(number + number // len(names)) % len(fitting)]
        yield Mutant(reader, base, name, first_seed + number)


class Readings:
    """Reads mutants of bases, each of which is written once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name in ("outside", "allowed", "bases"):
            (folder / name).mkdir()
        self._outside = Outside(folder / "outside", folder / "allowed")
        self._bases = {
            base.name: base for reader in MEANINGS for base in bases_of(reader, folder / "bases")
        }

    def read(self, mutant: Mutant) -> Reading:
        """Make a file, read it, judge the scene."""
        base = self._bases[mutant.base]
        with tempfile.TemporaryDirectory(dir=self._folder) as copy:
            path = base.copied(Path(copy))
            draw = Random(str(mutant))  # noqa: S311 - to be repeated, not to be secret
            did = MEANINGS[mutant.reader][mutant.mutation](path, draw, self._outside)
            options = base.case.reader_options
            wanted = Wanted(
                mutant.base, mutant.reader, base.wavelengths, TOLERANCE_NM, None, options
            )
            try:
                with open_scene(path, base.case.choice) as scene:
                    scene.load()
            except (SceneError, ConfigError) as error:
                return Reading(mutant, did, str(error), tuple(_of_message(path, str(error))))
            return Reading(mutant, did, "", tuple(_of_scene(scene, path, wanted)))


def _of_message(path: Path, message: str) -> Iterator[str]:
    if path.name not in message:
        yield "the message does not name the file"
    if "damaged" in message:
        yield "the message says that the file is damaged"


def _of_scene(scene: xr.Dataset, path: Path, wanted: Wanted) -> list[str]:
    """What is not as any of the libraries reads it."""
    problems: list[str] = []
    for library in LIBRARIES[wanted.reader]:
        try:
            found = seen(path, wanted, library)
        except MeaninglessError as error:
            problems.append(f"read, but {library}: {error}")
            continue
        differences = list(_differences(scene, found, wanted))
        if not differences:
            return []
        problems += [f"{library}: {difference}" for difference in differences]
    return problems


def _differences(scene: xr.Dataset, found: Seen, wanted: Wanted) -> Iterator[str]:
    bits = int(STATE_OUTSIDE_VALID_RANGE), int(STATE_SATURATED)
    for nm, values, outside in zip(wanted.wavelengths, found.bands, found.outside_of, strict=True):
        chosen: dict[str, Any] = {"Rrs_wavelength": nm}
        with np.errstate(all="ignore"):
            expected = values.astype(np.float32)
        yield from _unlike(
            f"Rrs at {nm:g} nm", scene.Rrs.sel(chosen, method="nearest").values, expected
        )
        state = scene.Rrs_state.sel(chosen, method="nearest").values
        yield from _unlike(f"outside at {nm:g} nm", (state & bits[0]) > 0, outside)
    for name, expected in (("latitude", found.latitude), ("longitude", found.longitude)):
        on_globe = np.abs(expected) <= (90 if name == "latitude" else 180)
        values = scene[name].values
        with np.errstate(all="ignore"):
            away = np.abs(values - expected)
        near = np.minimum(away, np.abs(away - 360)) <= 1e-4
        if not (near | ~on_globe).all():
            yield f"{name} differs at {int(np.count_nonzero(~near & on_globe))} places"


def _unlike(what: str, values: np.ndarray, expected: np.ndarray) -> Iterator[str]:
    if values.shape != expected.shape:
        yield f"{what} has shape {values.shape}, expected {expected.shape}"
        return
    same = values == expected
    if values.dtype.kind == "f":
        same |= np.isnan(values) & np.isnan(expected)
    if not same.all():
        at = tuple(int(index) for index in np.argwhere(~same)[0])
        count = int(np.count_nonzero(~same))
        yield f"{what}: {count} differ; at {at} {values[at]}, expected {expected[at]}"


def main() -> int:
    """Read many files, or one again; 1 if any was read wrongly."""
    parser = argparse.ArgumentParser(prog="python -m fuzz.meaning", description=__doc__)
    parser.add_argument("again", nargs="*", help="reader, base, mutation and seed of one file")
    parser.add_argument("--count", type=int, default=200, help="files of each reader")
    parser.add_argument("--seed", type=int, default=1000, help="of the first file")
    parser.add_argument("--readers", nargs="+", default=tuple(MEANINGS), choices=MEANINGS)
    parser.add_argument("--verbose", action="store_true", help="show every file")
    options = parser.parse_args()
    logging.disable()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        readings = Readings(Path(folder))
        if options.again:
            reading = readings.read(Mutant(*options.again[:3], int(options.again[3])))
            sys.stdout.write(f"{reading}\n")
            return bool(reading.wrong)
        wrong = [_of_reader(reader, readings, options) for reader in options.readers]
    return any(wrong)


def _of_reader(reader: str, readings: Readings, options: argparse.Namespace) -> int:
    """Read many files of a reader, and say how that ended; the number of wrong ones."""
    found = [readings.read(mutant) for mutant in mutants(reader, options.count, options.seed)]
    wrong = [reading for reading in found if reading.wrong]
    for reading in found if options.verbose else wrong:
        sys.stdout.write(f"{reading}\n")
    ends = Counter("refused" if reading.refusal else "read" for reading in found)
    sys.stdout.write(
        f"{reader}: {ends['read']} read, {ends['refused']} refused, {len(wrong)} WRONG\n"
    )
    sys.stdout.flush()
    return len(wrong)


if __name__ == "__main__":
    sys.exit(main())
