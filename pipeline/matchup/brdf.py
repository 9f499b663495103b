"""Normalise in-situ reflectances of a nadir view to a sun in the zenith."""

import dataclasses

import numpy as np
import numpy.typing as npt

from pipeline.config.matchup import BrdfNormalisation
from pipeline.errors import ConfigError
from pipeline.facts.optical_tables import Array, interpolate
from pipeline.facts.sun_position import solar_zenith
from pipeline.matchup.band_shift import REFLECTANCE
from pipeline.tables import Table
from pipeline.tables.table import Column, listed, table_error
from pipeline.tables.units import factor_between, says_units
from pipeline.times.arrays import Times

METHOD = (
    "f/Q of Morel et al. 2002, Appendix B (nadir view), from the sun's zenith angle to 0 degrees; "
    "chlorophyll from column {chlorophyll}, sun from {sun}"
)
MEASURED = "_measured"
"""Ending of the columns with the reflectances as they were measured."""
ZENITH = "insitu_solar_zenith"

# Chlorophyll (mg m-3) and sun of the table. Chlorophyll beyond the table is set to its ends.
CHLOROPHYLL = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
LARGEST_ZENITH = 75.0


def nadir_factor(wavelength_nm: float, zenith: Array, chlorophyll: Array) -> Array:
    """Return the factor that normalises Rrs of a nadir view to a sun in the zenith (n,).

    The factor is f/Q at 0 degrees divided by f/Q at ``zenith``. It is interpolated linearly in
    wavelength and in log10 of chlorophyll. Beyond the ends of the table (412.5 to 660 nm, 0.03 to
    10 mg m-3), it is constant. It is NaN if the sun is more than 75 degrees from the zenith, if an
    argument is unknown, or if chlorophyll is not positive.

    Args:
        wavelength_nm: the band.
        zenith: zenith angles of the sun in degrees, with shape (n,).
        chlorophyll: in mg m-3, with shape (n,).
    """
    usable = (zenith >= 0) & (zenith <= LARGEST_ZENITH) & (chlorophyll > 0)
    logarithm = np.log10(np.where(usable, chlorophyll, 1.0))
    lower = 1.0 - np.cos(np.radians(np.where(usable, zenith, 0.0)))
    f0, sf, q0, sq = (_at(name, wavelength_nm, logarithm) for name in ("f0", "sf", "q0", "sq"))
    factor = (f0 / q0) * (q0 + sq * lower) / (f0 + sf * lower)
    return np.where(usable, factor, np.nan)


def _at(name: str, wavelength_nm: float, log_chlorophyll: Array) -> Array:
    at_band = [
        interpolate("morel_2002_nadir", f"{name}_{chlorophyll:g}", np.array([wavelength_nm]))[0]
        for chlorophyll in CHLOROPHYLL
    ]
    return np.asarray(np.interp(log_chlorophyll, np.log10(CHLOROPHYLL), at_band))


def normalised(
    table: Table, config: BrdfNormalisation, latitude: Array, longitude: Array, times: Times
) -> Table:
    """Return a table with normalised reflectances.

    Columns such as ``Rrs_443`` have the normalised values. Columns such as ``Rrs_443_measured``
    have the measured values. A value that cannot be normalised is missing. Another column has the
    zenith angles.

    Raises:
        ConfigError: a column is missing, or has other units than it must have.
    """
    bands = {
        name: float(match[1]) for name in table.columns if (match := REFLECTANCE.fullmatch(name))
    }
    if not bands:
        raise table_error(
            table.name,
            "points.brdf_normalisation: no column such as Rrs_443; the table has "
            f"{listed(list(table.columns), 20)}",
        )
    chlorophyll = _column(table, config.chlorophyll, "chlorophyll", "mg m-3")
    if config.solar_zenith is None:
        zenith = solar_zenith(times, latitude, longitude)
    else:
        zenith = _column(table, config.solar_zenith, "solar_zenith", "degree")
    columns: dict[str, Column] = {}
    units = dict(table.units)
    without = np.zeros(len(table), dtype=np.bool_)
    for name, values in table.columns.items():
        if name not in bands:
            columns[name] = values
            continue
        measured = table.numbers(name)
        columns[name] = measured * nadir_factor(bands[name], zenith, chlorophyll)
        columns[name + MEASURED] = measured
        without |= np.isfinite(measured) & ~np.isfinite(columns[name])
        units |= {name + MEASURED: units[name]} if name in units else {}
    columns[ZENITH] = zenith
    units[ZENITH] = "degree"
    return dataclasses.replace(
        table, columns=columns, units=units, told=(*table.told, *_told(table, without))
    )


def method(config: BrdfNormalisation) -> str:
    """Return the method in words, for the attributes of a table."""
    sun = "place and time" if config.solar_zenith is None else f"column {config.solar_zenith}"
    return METHOD.format(chlorophyll=config.chlorophyll, sun=sun)


def _told(table: Table, without: npt.NDArray[np.bool_]) -> tuple[str, ...]:
    count = int(without.sum())
    told = (
        f"{table.name}: the reflectances of {count} of {len(table)} points could not be "
        "normalised, because chlorophyll or the sun's zenith angle is missing, or the sun is "
        f"more than {LARGEST_ZENITH:g} degrees from the zenith. Their normalised reflectances are "
        "missing"
    )
    return (told,) if count else ()


def _column(table: Table, name: str, key: str, units: str) -> Array:
    """Return a column of numbers in the wanted units; a table may state no units."""
    if name not in table.columns:
        raise table_error(
            table.name,
            f"points.brdf_normalisation.{key}: no column {name!r}; the table has "
            f"{listed(list(table.columns), 20)}",
        )
    said = table.units.get(name, "")
    factor = factor_between(said, units) if says_units(said) else 1.0
    if factor is None:
        raise ConfigError(
            f"{table.name}: column {name!r} is in {said!r}, expected {units}. Choose another "
            f"column for points.brdf_normalisation.{key}, or state its units in points.units."
        )
    return np.asarray(table.numbers(name) * factor)
