"""Statistics of a product, counted while its chunks are written: no second pass over the data."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.scene.quality import FlagTable

# Geolocation off the globe is flagged, and no bound of the scene.
_POSSIBLE = {"latitude": 90.0, "longitude": 180.0}


@dataclass(frozen=True)
class Moments:
    """Number, mean and sum of squared deviations of values, joined without loss of digits.

    Chan, Golub & LeVeque 1983, Am. Stat. 37, 242: sums of squares would cancel where values vary
    little.
    """

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0

    @classmethod
    def of(cls, values: npt.NDArray[Any]) -> "Moments":
        """Of finite values of any shape."""
        if values.size == 0:
            return cls()
        exact = values.astype(np.float64).reshape(-1)
        mean = float(exact.mean())
        exact -= mean
        return cls(exact.size, mean, float(exact.dot(exact)))

    def joined(self, other: "Moments") -> "Moments":
        """Of these values and others."""
        count = self.count + other.count
        if count == 0:
            return self
        apart, share = other.mean - self.mean, other.count / count
        squares = self.squares + other.squares + apart**2 * self.count * share
        return Moments(count, self.mean + apart * share, squares)

    @property
    def deviation(self) -> float:
        """The standard deviation of the values (not an estimate from a sample)."""
        return math.sqrt(self.squares / self.count) if self.count else math.nan


@dataclass(frozen=True)
class Counts:
    """What one chunk of one variable adds; made in the thread that made the chunk."""

    digest: bytes
    """SHA-256 of the numbers as they are stored."""
    flags: npt.NDArray[np.int64] | None = None
    """Pixels with each bit."""
    moments: Moments | None = None
    """Of the valid values."""
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        name: str,
        values: npt.NDArray[Any],
        stored: npt.NDArray[Any],
        table: FlagTable | None,
    ) -> "Counts":
        """Of a chunk.

        Args:
            name: the variable.
            values: the chunk's values.
            stored: the same as they are stored, fill values included.
            table: of a flag variable, its bits.
        """
        digest = hashlib.sha256(np.ascontiguousarray(stored).data).digest()
        if table is not None:
            return cls(digest, flags=table.counts(values))
        if values.dtype.kind != "f":
            return cls(digest)
        possible = np.isfinite(values)
        if name in _POSSIBLE:
            possible &= np.abs(values) <= _POSSIBLE[name]
        valid = values if possible.all() else values[possible]
        ranges = {}
        if valid.size:
            ranges[name] = (float(valid.min()), float(valid.max()))
            if name == "longitude":
                # Beside -180..180 also 0..360: over the antimeridian the second span is the
                # shorter. Exact in float64.
                around = np.where(valid < 0, valid.astype(np.float64) + 360, valid)
                ranges["longitude_from_0"] = (float(around.min()), float(around.max()))
        return cls(digest, moments=Moments.of(valid), ranges=ranges)


@dataclass
class Tally:
    """Counts of every flag bit; range and number of valid values of every float variable."""

    pixels: int
    flag_tables: Mapping[str, FlagTable]
    flag_counts: dict[str, npt.NDArray[np.int64]] = field(default_factory=dict)
    moments: dict[str, Moments] = field(default_factory=dict)
    """Of the valid values of every float variable."""
    _ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    _digests: dict[str, Any] = field(default_factory=dict)

    def add(self, name: str, values: npt.NDArray[Any], stored: npt.NDArray[Any]) -> None:
        """Count one chunk of a variable; chunks come in the order of the blocks."""
        self.merge(name, Counts.of(name, values, stored, self.flag_tables.get(name)))

    def merge(self, name: str, counts: Counts) -> None:
        """Add what was counted of one chunk; chunks come in the order of the blocks."""
        self._digests.setdefault(name, hashlib.sha256()).update(counts.digest)
        if counts.flags is not None:
            self.flag_counts[name] = self.flag_counts.get(name, np.int64(0)) + counts.flags
        if counts.moments is not None:
            self.moments[name] = self.moments.get(name, Moments()).joined(counts.moments)
        for key, (low, high) in counts.ranges.items():
            least, greatest = self._ranges.get(key, (np.inf, -np.inf))
            self._ranges[key] = (min(low, least), max(high, greatest))

    @property
    def valid_counts(self) -> dict[str, int]:
        """Number of finite values of every float variable."""
        return {name: moments.count for name, moments in self.moments.items()}

    @property
    def checksums(self) -> dict[str, str]:
        """Of each variable, SHA-256 over the SHA-256 of every chunk's numbers in block order."""
        return {name: digest.hexdigest() for name, digest in self._digests.items()}

    def valid_count(self, name: str) -> int:
        """Number of finite values of a variable."""
        return self.moments.get(name, Moments()).count

    def range_of(self, name: str) -> tuple[float, float] | None:
        """Least and greatest finite value, or None where there is none."""
        return self._ranges.get(name)

    def longitude_range(self) -> tuple[float, float] | None:
        """West and east bound in degrees; west > east means over the antimeridian."""
        straight, around = self._ranges.get("longitude"), self._ranges.get("longitude_from_0")
        if straight is None or around is None:
            return None
        if straight[1] - straight[0] <= around[1] - around[0]:
            return straight
        west, east = around
        return (west if west <= 180 else west - 360), (east if east <= 180 else east - 360)
