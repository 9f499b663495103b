"""The values that a mutant holds, and how they are read and compared."""

import datetime
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.config.matchup import TimeColumns
from pipeline.errors import ConfigError
from pipeline.matchup.point_times import read_times, time_columns
from pipeline.tables import read_table
from pipeline.tables.sentinels import undeclared_missing
from pipeline.tables.units import factor_between, says_units

WANTED = {"Rrs_443": "sr-1", "chl": "mg m-3"}


@dataclass(frozen=True)
class Truth:
    """Values of the rows; missing ones are None."""

    times: tuple[datetime.datetime, ...]
    rrs: tuple[float | None, ...]
    chl: tuple[float | None, ...]

    @classmethod
    def of(cls, draw: random.Random) -> "Truth":
        """Some rows, of which about one in four lacks a value."""
        rows = draw.randint(4, 9)
        start = datetime.datetime(2011, 9, 10, 0, draw.randint(0, 59))
        times = tuple(start + datetime.timedelta(hours=7 * row, minutes=row) for row in range(rows))
        values = [
            [None if draw.random() < 0.25 else round(draw.uniform(low, high), 5) for _ in times]
            for low, high in ((0.0005, 0.02), (0.05, 30))
        ]
        values[0][0], values[1][0] = 0.004, 1.25
        return cls(times, tuple(values[0]), tuple(values[1]))

    def differences(self, path: Path, packing: float = 0.0) -> list[str]:
        """Read a file as a training and a match-up do; return what differs from the truth.

        Args:
            path: the file.
            packing: error of packed numbers, as a share of the range of the values.

        Raises:
            ConfigError: the file is refused.
        """
        table = read_table(path)
        wrong = []
        for column, expected in (("Rrs_443", self.rrs), ("chl", self.chl)):
            if column not in table.columns:
                raise ConfigError(f"no column {column}")
            if problem := undeclared_missing(table, column, (), "samples"):
                raise ConfigError(problem)
            said = table.units.get(column, "")
            factor = factor_between(said, WANTED[column]) if says_units(said) else 1.0
            if factor is None:
                raise ConfigError(f"{column} is in {said}")
            found = table.numbers(column) * factor
            as_floats = np.array([np.nan if value is None else value for value in expected])
            apart = 1e-7 + packing * float(np.nanmax(as_floats) - np.nanmin(as_floats))
            if found.shape != as_floats.shape or not np.allclose(
                found, as_floats, rtol=1e-5, atol=apart, equal_nan=True
            ):
                wrong.append(f"{column} is {found.tolist()}, expected {as_floats.tolist()}")
        times, texts = read_times(table, time_columns(table, TimeColumns()))
        expected_times = np.array(self.times, "datetime64[s]")
        differing = abs(times - expected_times)
        if not (differing <= np.timedelta64(500, "ms")).all():
            wrong.append(f"times are {texts.tolist()} -> {times}, expected {expected_times}")
        return wrong
