"""Statistics of a product, counted while its chunks are written: no second pass over the data."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.quality import FlagTable

# Geolocation off the globe is flagged, and no bound of the scene.
_POSSIBLE = {"latitude": 90.0, "longitude": 180.0}


@dataclass
class Tally:
    """Counts of every flag bit; range and number of valid values of every float variable."""

    pixels: int
    flag_tables: Mapping[str, FlagTable]
    flag_counts: dict[str, npt.NDArray[np.int64]] = field(default_factory=dict)
    valid_counts: dict[str, int] = field(default_factory=dict)
    _ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    _digests: dict[str, Any] = field(default_factory=dict)

    def add(self, name: str, chunk: npt.NDArray[Any], stored: npt.NDArray[Any]) -> None:
        """Count one chunk of a variable; chunks come in the order of the blocks.

        Args:
            name: the variable.
            chunk: its values.
            stored: the same as they are stored, fill values included.
        """
        digest = self._digests.setdefault(name, hashlib.sha256())
        digest.update(np.ascontiguousarray(stored).data)
        if name in self.flag_tables:
            counts = self.flag_tables[name].counts(chunk)
            self.flag_counts[name] = self.flag_counts.get(name, np.int64(0)) + counts
        elif chunk.dtype.kind == "f":
            valid = chunk[np.isfinite(chunk) & (np.abs(chunk) <= _POSSIBLE.get(name, np.inf))]
            self.valid_counts[name] = self.valid_counts.get(name, 0) + valid.size
            self._widen(name, valid)
            if name == "longitude":
                self._widen("longitude_from_0", np.where(valid < 0, valid + 360, valid))

    def _widen(self, name: str, values: npt.NDArray[Any]) -> None:
        if values.size:
            low, high = self._ranges.get(name, (np.inf, -np.inf))
            self._ranges[name] = (min(low, float(values.min())), max(high, float(values.max())))

    @property
    def checksums(self) -> dict[str, str]:
        """SHA-256 of the stored numbers of each variable, block after block."""
        return {name: digest.hexdigest() for name, digest in self._digests.items()}

    def valid_count(self, name: str) -> int:
        """Number of finite values of a variable."""
        return self.valid_counts.get(name, 0)

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
