"""Makes one mutant and judges it."""

import random
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import ConfigError
from table_mutations import binary_tables, text_tables
from table_mutations.truth import Truth

# netCDF packs the range of the values into 20,000 counts.
PACKING = {"netcdf": 0.6 / 20_000}
FORMATS = text_tables.FORMATS | binary_tables.FORMATS


@dataclass(frozen=True)
class Verdict:
    """How a mutant was read."""

    mutant: str
    refused: str = ""
    """The message of a refusal."""
    wrong: tuple[str, ...] = ()
    """Silent differences."""


def try_one(file_format: str, seed: int, folder: Path) -> Verdict:
    """Write a mutant, read it and compare; an error that is no refusal is raised."""
    draw = random.Random(f"{file_format} {seed}")  # noqa: S311 - to be repeated
    truth = Truth.of(draw)
    path = folder / f"{file_format}_{seed}.table"
    FORMATS[file_format](truth, draw, path)
    try:
        return Verdict(
            f"{file_format} {seed}",
            wrong=tuple(truth.differences(path, PACKING.get(file_format, 0.0))),
        )
    except ConfigError as error:
        return Verdict(f"{file_format} {seed}", refused=str(error))
