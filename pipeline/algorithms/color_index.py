"""OCI: chlorophyll-a from the color index in clear water, and from the band ratio elsewhere.

Hu, Lee and Franz 2012, J. Geophys. Res. 117, C01011; Hu et al. 2019, J. Geophys. Res. Oceans 124,
1524; implemented as in NASA's l2gen.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.algorithms.band_ratio import (
    BandRatio,
    SensorBands,
    band_ratio,
    blue_and_green,
    chlorophyll,
    on_bands,
    sensor_bands,
)
from pipeline.algorithms.bands import reflectance
from pipeline.algorithms.description import Array, BoundFormula
from pipeline.errors import NetworkError


@dataclass(frozen=True)
class GreenShift:
    """Converts Rrs of a green band to Rrs at 555 nm.

    Low Rrs is converted by a power law, and higher Rrs by a linear function.
    """

    below: float
    """Rrs (sr-1) below which the power law is used."""
    exponent: float
    log10_factor: float
    slope: float
    offset: float

    def __call__(self, green: Array) -> Array:
        """Return Rrs at 555 nm for Rrs of the green band; both have the same shape."""
        dark = 10.0 ** (self.exponent * np.log10(green) + self.log10_factor)
        return np.where(green < self.below, dark, self.slope * green + self.offset)


@dataclass(frozen=True)
class ColorIndex:
    """Low chlorophyll comes from the color index, and high chlorophyll from the band ratio."""

    index_coefficients: tuple[float, float]
    """Intercept and slope (sr) of log10(chlorophyll) as a linear function of the index."""
    index_nm: tuple[float, float, float]
    """Three wavelengths. A straight line joins Rrs at the first and at the third wavelength. The
    index is Rrs at the second wavelength minus this line."""
    blend: tuple[float, float]
    """Two limits of chlorophyll (mg m-3). Up to the first limit, only the index is used; from the
    second limit on, only the band ratio is used."""
    green_shift: GreenShift | None
    """Conversion to 555 nm; None if the green band is at 555 nm."""
    band_ratio: BandRatio

    def __call__(self, x: Array) -> Array:
        """Return chlorophyll, with shape (n, 1), for Rrs with shape (n, bands).

        The columns are the blue bands, then the green band, then the red band.
        """
        by_ratio = self.band_ratio(x[:, :-1])[:, 0]
        by_index = self.by_index(x[:, 0], x[:, -2], x[:, -1])
        start, end = self.blend
        weight = (by_index - start) / (end - start)
        blended = by_index * (1.0 - weight) + by_ratio * weight
        chosen = np.where(by_index >= end, by_ratio, blended)
        return np.where(by_index <= start, by_index, chosen)[:, np.newaxis]

    def by_index(self, blue: Array, green: Array, red: Array) -> Array:
        """Return chlorophyll, with shape (n,), from the color index alone."""
        at_555 = green if self.green_shift is None else self.green_shift(green)
        first, middle, last = self.index_nm
        line = blue + (middle - first) / (last - first) * (red - blue)
        # Zero or negative blue Rrs, or an index above 0, means water with more chlorophyll.
        index = np.where(blue > 0, np.minimum(at_555 - line, 0.0), 0.0)
        constant, slope = self.index_coefficients
        return np.clip(10.0 ** (constant + slope * index), *self.band_ratio.chlorophyll_limits)


def bind(
    definition: Mapping[str, Any],
    ratio_definition: Mapping[str, Any],
    sensor: str | None,
    wavelengths_nm: Sequence[float] | None,
) -> BoundFormula:
    """Return an algorithm of ``configs/algorithms`` for a sensor's bands or for given bands."""
    table = _with_red(sensor_bands(ratio_definition), definition["red_nm"])
    chosen, bands = on_bands(table, definition["name"], sensor, wavelengths_nm)
    formula = ColorIndex(
        index_coefficients=tuple(definition["index_coefficients"]),
        index_nm=tuple(definition["index_nm"]),
        blend=tuple(definition["blend"]),
        green_shift=_green_shift(definition, bands[-2]),
        band_ratio=band_ratio(ratio_definition, chosen.coefficients),
    )
    # Noise can make red Rrs of clear water slightly negative.
    inputs = (*blue_and_green(bands[:-1]), reflectance(bands[-1], positive=False))
    return BoundFormula(
        formula=formula,
        inputs=inputs,
        outputs=(chlorophyll(formula.band_ratio),),
        sensors=(chosen.sensor,),
        note=chosen.note,
        limits_nm=chosen.limits_nm,
        other_bands=chosen.other_bands,
    )


def _with_red(
    table: Mapping[str, SensorBands], red_nm: Mapping[str, float]
) -> dict[str, SensorBands]:
    return {
        name: dataclasses.replace(entry, red_nm=float(red_nm[name]))
        for name, entry in table.items()
        if name in red_nm
    }


def _green_shift(definition: Mapping[str, Any], green_nm: float) -> GreenShift | None:
    """Return the conversion to 555 nm, or None if the green band is at 555 nm."""
    near = float(definition["green_shift_within_nm"])
    if abs(green_nm - definition["index_nm"][1]) <= near:
        return None
    for entry in definition["green_shifts"]:
        if abs(green_nm - entry["from_nm"]) <= near:
            return GreenShift(**{key: entry[key] for key in entry if key != "from_nm"})
    known = ", ".join(f"{entry['from_nm']:g}" for entry in definition["green_shifts"])
    raise NetworkError(
        f"{definition['name']}: found the green band {green_nm:g} nm, expected a band that can be "
        f"converted to 555 nm (within {near:g} nm of {known} nm). Choose ocx_2019 or ocx_v6."
    )
