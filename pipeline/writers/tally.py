"""Statistics of a product, counted while its chunks are written, without a second pass."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.scene.quality import FlagTable

# Largest valid magnitude (degrees). Values off the globe are flagged, and are not bounds of the
# scene.
_POSSIBLE = {"latitude": 90.0, "longitude": 180.0}


@dataclass(frozen=True)
class Moments:
    """Number, mean and sum of squared deviations of values; two sets of moments can be joined.

    The method is from Chan, Golub & LeVeque 1983, Am. Stat. 37, 242. Plain sums of squares would
    lose digits if values vary little.
    """

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0

    @classmethod
    def of(cls, values: npt.NDArray[Any]) -> "Moments":
        """Compute the moments of finite values of any shape."""
        if values.size == 0:
            return cls()
        exact = values.astype(np.float64).reshape(-1)
        mean = float(exact.mean())
        exact -= mean
        return cls(exact.size, mean, float(exact.dot(exact)))

    def joined(self, other: "Moments") -> "Moments":
        """Return the moments of the values of both sets together."""
        count = self.count + other.count
        if count == 0:
            return self
        apart, share = other.mean - self.mean, other.count / count
        squares = self.squares + other.squares + apart**2 * self.count * share
        return Moments(count, self.mean + apart * share, squares)

    @property
    def deviation(self) -> float:
        """Standard deviation of the values, computed with n, not with n - 1."""
        return math.sqrt(self.squares / self.count) if self.count else math.nan


@dataclass(frozen=True)
class ChunkCounts:
    """Counts of one chunk of one variable, made in the thread that made the chunk."""

    digest: bytes
    """SHA-256 of the numbers as stored."""
    flags: npt.NDArray[np.int64] | None = None
    """Number of pixels with each flag bit."""
    moments: Moments | None = None
    """Moments of the valid values."""
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Name -> least and greatest valid value; ``longitude_from_0`` counts from 0 to 360."""

    @classmethod
    def of(
        cls,
        name: str,
        values: npt.NDArray[Any],
        stored: npt.NDArray[Any],
        table: FlagTable | None,
    ) -> "ChunkCounts":
        """Count a chunk.

        Args:
            name: name of the variable.
            values: values of the chunk.
            stored: the numbers that the file stores for these values, including fill values.
            table: bits of a flag variable; None for other variables.
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
                # From 0 to 360 as well: across the antimeridian that span is shorter. The sum is
                # exact in float64.
                around = np.where(valid < 0, valid.astype(np.float64) + 360, valid)
                ranges["longitude_from_0"] = (float(around.min()), float(around.max()))
        return cls(digest, moments=Moments.of(valid), ranges=ranges)


@dataclass
class Tally:
    """Counts of a product: pixels with each flag bit, and number and range of valid values."""

    pixels: int
    flag_tables: Mapping[str, FlagTable]
    flag_counts: dict[str, npt.NDArray[np.int64]] = field(default_factory=dict)
    moments: dict[str, Moments] = field(default_factory=dict)
    """Moments of the valid values of each float variable."""
    _ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    _digests: dict[str, Any] = field(default_factory=dict)

    def add(self, name: str, values: npt.NDArray[Any], stored: npt.NDArray[Any]) -> None:
        """Count one chunk of a variable; chunks must come in the order of the blocks."""
        self.merge(name, ChunkCounts.of(name, values, stored, self.flag_tables.get(name)))

    def merge(self, name: str, counts: ChunkCounts) -> None:
        """Add the counts of one chunk; chunks must come in the order of the blocks."""
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
        """SHA-256 of each variable: the hash of the hashes of its chunks, in block order."""
        return {name: digest.hexdigest() for name, digest in self._digests.items()}

    def valid_count(self, name: str) -> int:
        """Return the number of finite values of a variable."""
        return self.moments.get(name, Moments()).count

    def range_of(self, name: str) -> tuple[float, float] | None:
        """Return the least and greatest finite value; None if all values are missing."""
        return self._ranges.get(name)

    def longitude_range(self) -> tuple[float, float] | None:
        """Return west and east bound (degrees); with west > east, the range crosses 180 degrees."""
        straight, around = self._ranges.get("longitude"), self._ranges.get("longitude_from_0")
        if straight is None or around is None:
            return None
        if straight[1] - straight[0] <= around[1] - around[0]:
            return straight
        west, east = around
        return (west if west <= 180 else west - 360), (east if east <= 180 else east - 360)
