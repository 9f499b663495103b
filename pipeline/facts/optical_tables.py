"""Coefficient tables of ``configs/training/optics``. Each table cites its sources at the top."""

import functools

import numpy as np
import numpy.typing as npt

from pipeline.facts.shipped import shipped_configs

Array = npt.NDArray[np.float64]


@functools.cache
def read_columns(table: str) -> dict[str, Array]:
    """Return the columns of a table by name, with rows sorted by ``wavelength``."""
    path = shipped_configs() / "training" / "optics" / f"{table}.csv"
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line[:1] != "#"]
    values = np.array([line.split(",") for line in lines[1:]], dtype=np.float64)
    return dict(zip(lines[0].split(","), values.T, strict=True))


def interpolate(table: str, column: str, wavelength_nm: Array) -> Array:
    """Interpolate a column to wavelengths: linear between rows, constant beyond the ends."""
    columns = read_columns(table)
    return np.interp(wavelength_nm, columns["wavelength"], columns[column])


def per_band(value: Array | float) -> Array:
    """Return one number for each water as an array with shape (..., 1).

    Such an array can be combined with spectra, whose last dimension is the band.
    """
    return np.asarray(value, dtype=np.float64)[..., np.newaxis]
