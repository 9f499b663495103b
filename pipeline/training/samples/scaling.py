"""Determine the range of each variable over the training rows only."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipeline.networks.variable import Array, Variable
from pipeline.tables.table import table_error
from pipeline.training.samples.variables import SampleVariable

# Smaller relative differences between values are taken as rounding.
CONSTANT = 1e-9


def fit_variables(
    variables: Sequence[SampleVariable], values: Array, rows: npt.NDArray[np.int64]
) -> tuple[Variable, ...]:
    """Return variables of a network with ranges and, for ``zscore``, means and standard deviations.

    Args:
        variables: variables in the columns of ``values``.
        values: physical values with shape (n, variables); NaN where missing.
        rows: training rows; a scaling must not depend on validation or test rows.

    Raises:
        ConfigError: a variable has no value in the training rows, or the same value in all of them.
    """
    fitted, complaints = [], []
    for index, variable in enumerate(variables):
        seen = variable.transformed(values[rows, index])
        seen = seen[np.isfinite(seen)]
        complaint = _complaint(variable, seen)
        if complaint:
            complaints.append(complaint)
        else:
            fitted.append(_fit(variable, seen))
    if complaints:
        raise table_error("training rows", *complaints)
    return tuple(fitted)


def _complaint(variable: SampleVariable, seen: Array) -> str | None:
    where = f"{variable.name} (column {variable.column!r})"
    if not seen.size:
        return f"{where} has no value in any row. Remove this variable, or use another split"
    if np.ptp(seen) <= CONSTANT * np.abs(seen).max():
        value = variable.transform.inverse(seen[0])
        return (
            f"{where} is {value:g} in all {seen.size} rows, expected values that differ. "
            "Remove this variable, or use another split"
        )
    return None


def _fit(variable: SampleVariable, seen: Array) -> Variable:
    fitted = variable.described(float(seen.min()), float(seen.max()))
    if not fitted.scaling.needs_parameters:
        return fitted
    mean_and_std = float(seen.mean()), float(seen.std())
    return dataclasses.replace(fitted, scaling_parameters=mean_and_std)
