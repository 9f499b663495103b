"""Windows of a scene around pixels: their layers, and which of their pixels are valid."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

from pipeline.config.matchup import MatchupConfig
from pipeline.errors import SceneError
from pipeline.masks import Dilated, MaskRule, make_rules
from pipeline.masks.flags import FlagIsSet
from pipeline.scene.scene import (
    AXES,
    SOURCE_FLAGS,
    Band,
    plain_variables,
    state_name,
    wavelength_dim,
    wavelengths,
)
from pipeline.scene.source_flags import SourceFlags
from pipeline.tables.table import Array

Bool = npt.NDArray[np.bool_]
ZENITHS = ("solar_zenith", "sensor_zenith")
# As far as bands named in expressions of masks may be from those of a scene.
TOLERANCE_NM = 3.0


@dataclass(frozen=True, eq=False)
class PixelWindow:
    """The pixels around one; all arrays have shape (window, window)."""

    values: Mapping[str, Array]
    """Of bands and plain variables; NaN where missing."""
    excluded: Mapping[str, Bool]
    """By each mask rule."""
    counted: Bool
    """False on land and whatever else does not count."""
    valid: Bool
    """Unmasked, with a value in every band that must have one."""
    middle: Mapping[str, float]
    """Zenith angles (degree) of the pixel in the middle; those that the scene has."""


@dataclass(frozen=True, eq=False)
class Layers:
    """The layers of one scene that its windows are made of, lazily."""

    scene: xr.Dataset
    bands: tuple[Band, ...]
    required: tuple[Band, ...]
    """Those in which a valid pixel has a value."""
    plain: tuple[Band, ...]
    rules: tuple[MaskRule, ...]
    uncounted: tuple[FlagIsSet, ...]
    zeniths: tuple[str, ...]
    """Those that the scene has."""

    @classmethod
    def of(cls, scene: xr.Dataset, config: MatchupConfig) -> "Layers":
        """What a configuration asks of a scene.

        Raises:
            SceneError: no band of the quantity is in the span, or the scene lacks a flag.
            ConfigError: a mask is not allowed.
        """
        bands = _bands(scene, config.quantity, config.wavelengths_nm)
        span = (0.0, 0.0) if config.uniformity is None else config.uniformity.wavelengths_nm
        uniform = tuple(b for b in bands if span[0] <= (b.wavelength_nm or 0) <= span[1])
        also = () if config.uniformity is None else config.uniformity.also
        present = plain_variables(scene)
        rules = make_rules(config.masks, scene, bands, TOLERANCE_NM)
        grown = {rule.layer: rule.grown(scene) for rule in rules if isinstance(rule, Dilated)}
        plain = tuple(Band(n) for n in dict.fromkeys((*config.plain, *also)) if n in present)
        return cls(
            scene=scene.assign(grown),
            bands=bands,
            required=uniform or bands,
            plain=plain,
            rules=rules,
            uncounted=_flags(scene, config.valid.uncounted_flags),
            zeniths=tuple(name for name in ZENITHS if name in scene),
        )

    def read(self, line: int, pixel: int, size: int) -> PixelWindow | None:
        """The window around a pixel; None where it goes beyond the edge of the scene."""
        half = size // 2
        lines, pixels = (slice(at - half, at + half + 1) for at in (line, pixel))
        if min(lines.start, pixels.start) < 0:
            return None
        if lines.stop > self.scene.sizes["y"] or pixels.stop > self.scene.sizes["x"]:
            return None
        block = self._selected().isel(y=lines, x=pixels).load()
        layers = (*self.bands, *self.plain)
        values = {band.name: band.values(block).astype(np.float64) for band in layers}
        excluded = {rule.name: rule.excluded(block) for rule in self.rules}
        uncounted = [flag.excluded(block) for flag in self.uncounted]
        nothing = np.zeros((size, size), dtype=bool)
        missing = [~np.isfinite(values[band.name]) for band in self.required]
        return PixelWindow(
            values=values,
            excluded=excluded,
            counted=~np.logical_or.reduce([nothing, *uncounted]),
            valid=~np.logical_or.reduce([nothing, *excluded.values(), *uncounted, *missing]),
            middle={name: float(block[name].values[half, half]) for name in self.zeniths},
        )

    def _selected(self) -> xr.Dataset:
        """Nothing but what windows need: bands nobody asks for are not read."""
        needed = [band for rule in (*self.rules, *self.uncounted) for band in rule.needs]
        layers = [*self.bands, *self.plain, *needed, *map(Band, self.zeniths)]
        names = {band.quantity for band in layers}
        states = {state_name(band.quantity) for band in needed}  # of which rules make something
        names |= {name for name in states if name in self.scene}
        selected = self.scene[sorted(names)].drop_vars(AXES, errors="ignore").reset_coords()
        selected = selected[sorted(names)]
        for quantity in {band.quantity for band in layers if band.wavelength_nm is not None}:
            wanted = sorted({b.wavelength_nm or 0.0 for b in layers if b.quantity == quantity})
            selected = selected.sel({wavelength_dim(quantity): wanted})
        return selected


def _bands(scene: xr.Dataset, quantity: str, span: tuple[float, float]) -> tuple[Band, ...]:
    bands = tuple(
        Band(quantity, float(nm)) for nm in wavelengths(scene, quantity) if span[0] <= nm <= span[1]
    )
    if not bands:
        raise SceneError(
            f"no band of {quantity} from {span[0]:g} to {span[1]:g} nm. Choose another quantity "
            "or wavelengths_nm."
        )
    names = [band.name for band in bands]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SceneError(
            f"two bands are called {', '.join(twice)} in whole nanometres. Narrow wavelengths_nm."
        )
    return bands


def _flags(scene: xr.Dataset, names: Sequence[str]) -> tuple[FlagIsSet, ...]:
    """Those of the flags that a scene has."""
    if not names or SOURCE_FLAGS not in scene:
        return ()
    known = SourceFlags.of(scene).named
    return tuple(FlagIsSet(name, known[name]) for name in names if name in known)
