"""Read windows of pixels from a scene, and find which pixels are valid."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

from pipeline.config.matchup import MatchupConfig
from pipeline.errors import SceneError, repeated
from pipeline.masks import Dilated, MaskRule, make_rules
from pipeline.masks.flags import FlagRule
from pipeline.masks.recommended import with_recommended
from pipeline.scene.scene import (
    GEOLOCATION,
    PRODUCT_OF,
    SOURCE_FLAGS,
    Band,
    plain_variables,
    wavelengths,
)
from pipeline.scene.selection import select_layers
from pipeline.scene.source_flags import SourceFlags
from pipeline.tables.table import Array

Bool = npt.NDArray[np.bool_]
ZENITHS = ("solar_zenith", "sensor_zenith")
# Largest distance between a band named in a mask expression and a band of the scene.
TOLERANCE_NM = 3.0


@dataclass(frozen=True, eq=False)
class PixelWindow:
    """A pixel and its neighbours; all arrays have shape (window, window)."""

    values: Mapping[str, Array]
    """Values of bands and plain variables; NaN where missing."""
    excluded: Mapping[str, Bool]
    """By the name of each mask rule, an array that is True where the rule excludes the pixel."""
    undecided: Mapping[str, Bool]
    """By the name of each rule, an array that is True where the rule is undecided. Rules that are
    decided on all pixels are left out."""
    has_data: Bool
    """True for pixels with a value in every required band, even if the pixel is masked."""
    counted: Bool
    """False for pixels that are not counted, such as land."""
    valid: Bool
    """True for unmasked pixels with a value in every required band."""
    middle: Mapping[str, float]
    """Zenith angles (degree) of the middle pixel; only the angles that the scene has."""


@dataclass(frozen=True, eq=False)
class WindowReader:
    """Reads windows of one scene on request."""

    scene: xr.Dataset
    bands: tuple[Band, ...]
    required: tuple[Band, ...]
    """Bands in which a valid pixel must have a value."""
    uniform: tuple[Band, ...]
    """Bands that must be uniform."""
    plain: tuple[Band, ...]
    """Other 2-D variables."""
    rules: tuple[MaskRule, ...]
    uncounted: tuple[FlagRule, ...]
    """Flags of pixels that are not counted, such as land."""
    zeniths: tuple[str, ...]
    """Zenith angles that the scene has."""

    @classmethod
    def of(cls, scene: xr.Dataset, config: MatchupConfig) -> "WindowReader":
        """Prepare to read windows of a scene, as the configuration of a match-up requests.

        Raises:
            SceneError: the wavelength range contains no band, or the scene lacks a flag.
            ConfigError: a mask is not allowed.
        """
        if PRODUCT_OF in scene.attrs:
            bands = _results(scene, config.plain)
        else:
            bands = _bands(scene, config.quantity, config.wavelengths_nm)
        span = (0.0, 0.0) if config.uniformity is None else config.uniformity.wavelengths_nm
        uniform = tuple(b for b in bands if span[0] <= (b.wavelength_nm or span[0]) <= span[1])
        also = () if config.uniformity is None else config.uniformity.also
        present = plain_variables(scene)
        masks = with_recommended(config.masks, scene)
        rules = make_rules(masks, scene, bands, TOLERANCE_NM)
        grown = {rule.layer: rule.grown(scene) for rule in rules if isinstance(rule, Dilated)}
        others = (Band(n) for n in dict.fromkeys((*config.plain, *also)) if n in present)
        plain = tuple(other for other in others if other not in bands)
        return cls(
            scene=scene.assign(grown),
            bands=bands,
            required=uniform or bands,
            uniform=uniform if config.uniformity is not None else (),
            plain=plain,
            rules=rules,
            uncounted=_flags(scene, config.valid.uncounted_flags),
            zeniths=tuple(name for name in ZENITHS if name in scene),
        )

    def read(self, line: int, pixel: int, size: int) -> PixelWindow | None:
        """Return the window around a pixel; None if it goes beyond the edge of the scene."""
        half = size // 2
        lines, pixels = (slice(at - half, at + half + 1) for at in (line, pixel))
        if min(lines.start, pixels.start) < 0:
            return None
        if lines.stop > self.scene.sizes["y"] or pixels.stop > self.scene.sizes["x"]:
            return None
        masked = [band for rule in (*self.rules, *self.uncounted) for band in rule.needs]
        layers = (*self.bands, *self.plain)
        read = [*layers, *masked, *map(Band, self.zeniths)]
        block = select_layers(self.scene, read, with_states=masked).isel(y=lines, x=pixels).load()
        values = {band.name: band.values(block).astype(np.float64) for band in layers}
        verdicts = {rule.name: rule.judge(block) for rule in self.rules}
        excluded = {name: verdict.excluded for name, verdict in verdicts.items()}
        uncounted = [flag.judge(block).excluded for flag in self.uncounted]
        nothing = np.zeros((size, size), dtype=bool)
        missing = [~np.isfinite(values[band.name]) for band in self.required]
        return PixelWindow(
            values=values,
            excluded=excluded,
            undecided={n: v.undecided for n, v in verdicts.items() if v.undecided is not None},
            has_data=~np.logical_or.reduce([nothing, *missing]),
            counted=~np.logical_or.reduce([nothing, *uncounted]),
            valid=~np.logical_or.reduce([nothing, *excluded.values(), *uncounted, *missing]),
            middle={name: float(block[name].values[half, half]) for name in self.zeniths},
        )


def _bands(scene: xr.Dataset, quantity: str, span: tuple[float, float]) -> tuple[Band, ...]:
    """Return the bands of a quantity in a wavelength range (nm)."""
    bands = tuple(
        Band(quantity, float(nm)) for nm in wavelengths(scene, quantity) if span[0] <= nm <= span[1]
    )
    if not bands:
        raise SceneError(
            f"no band of {quantity} from {span[0]:g} to {span[1]:g} nm. Choose another quantity, "
            "or change wavelengths_nm."
        )
    twice = repeated([band.name for band in bands])
    if twice:
        raise SceneError(
            f"two bands have the same name ({twice}) after rounding to whole nanometres. Choose a "
            "smaller range of wavelengths_nm."
        )
    return bands


def _results(product: xr.Dataset, chosen: Sequence[str]) -> tuple[Band, ...]:
    """Return the results of a product: the chosen ones that it has, by default all.

    Uncertainties and the centres of their intervals do not count as results.
    """
    names = [name for name in plain_variables(product) if product[name].dtype.kind == "f"]
    results = [n for n in names if n not in GEOLOCATION and not n.endswith(("_unc", "_unc_centre"))]
    found = [name for name in (chosen or results) if name in names]
    if not found:
        raise SceneError(
            f"the product has none of {', '.join(chosen) or 'these results'}; it has "
            f"{', '.join(results) or 'no results'}. Correct 'plain'."
        )
    return tuple(map(Band, found))


def _flags(scene: xr.Dataset, names: Sequence[str]) -> tuple[FlagRule, ...]:
    """Return the rules of the named flags; a flag that the scene lacks gets no rule."""
    if not names or SOURCE_FLAGS not in scene:
        return ()
    known = SourceFlags.of(scene).named
    return tuple(FlagRule(name, known[name]) for name in names if name in known)
