"""The range of a variable is that of the rows that train."""

import numpy as np
import pytest

from pipeline.errors import ConfigError
from pipeline.networks.variable import scale_factors, transformed
from pipeline.training.samples.scaling import fit_variables
from pipeline.training.samples.variables import SampleVariable

pytestmark = pytest.mark.quick


def variable(transform: str = "log10", scaling: str = "minmax") -> SampleVariable:
    return SampleVariable(
        "aph", 443.0, "m-1", transform, long_name="absorption", scaling_name=scaling,
        column="aph_443",
    )  # fmt: skip


ROWS = np.array([0, 1, 2])
VALUES = np.array([[0.1], [1.0], [10.0], [1e6]])


def test_range_is_of_the_transformed_training_rows() -> None:
    """Rows that do not train leave no trace in the range."""
    (fitted,) = fit_variables([variable()], VALUES, ROWS)
    assert (fitted.minimum, fitted.maximum) == (-1.0, 1.0)
    assert fitted.scaling_parameters is None
    assert fitted.name == "aph_443"
    assert fitted.long_name == "absorption"


def test_missing_values_are_left_out() -> None:
    """NaN, a masked target, has no part in range, mean or deviation."""
    values = np.array([[0.1], [np.nan], [10.0]])
    (fitted,) = fit_variables([variable(scaling="zscore")], values, ROWS)
    assert (fitted.minimum, fitted.maximum) == (-1.0, 1.0)
    assert fitted.scaling_parameters == (0.0, 1.0)


@pytest.mark.parametrize("scaling", ["minmax", "minmax_01", "zscore", "none"])
@pytest.mark.parametrize("transform", ["none", "log10", "ln", "sqrt", "cos_degrees"])
def test_scaled_training_rows_have_the_scale_promised(transform: str, scaling: str) -> None:
    """Training rows fill [-1, 1] or [0, 1], or have mean 0 and deviation 1."""
    values = np.array([[3.0], [20.0], [70.0], [170.0]])
    fitted = fit_variables([variable(transform, scaling)], values, ROWS)
    centre, width = scale_factors(fitted)
    seen = ((transformed(fitted, values[ROWS]) - centre) / width)[:, 0]
    if scaling == "zscore":
        np.testing.assert_allclose([seen.mean(), seen.std()], [0, 1], atol=1e-12)
    elif scaling != "none":
        low = -1.0 if scaling == "minmax" else 0.0
        np.testing.assert_allclose([seen.min(), seen.max()], [low, 1.0], atol=1e-12)


def test_constant_and_empty_columns_are_all_named() -> None:
    """A column without differences, or without values, teaches nothing."""
    constant, empty = np.full(4, 0.5), np.full(4, np.nan)
    with pytest.raises(ConfigError, match=r"(?s)is 0.5 in all 3 rows.*has no value in any"):
        fit_variables([variable(), variable()], np.stack([constant, empty], axis=1), ROWS)
