"""Classification against numbers computed by hand."""

import math

import numpy as np
import pytest

from pipeline.errors import ConfigError
from pipeline.evaluation.classification import classification

CLASSES = ("clear", "turbid", "ice")


def test_by_hand():
    """Two clear rows and one turbid row are right, one turbid row is modelled as clear."""
    observed = [0, 0, 1, 1]
    probabilities = [[0.8, 0.1, 0.1], [0.5, 0.3, 0.2], [0.2, 0.7, 0.1], [0.6, 0.3, 0.1]]
    result = classification(observed, probabilities, CLASSES)
    assert result.confusion == ((2, 0, 0), (1, 1, 0), (0, 0, 0))
    assert result.overall.metrics["accuracy"] == 0.75
    assert result.overall.metrics["mean_recall"] == 0.75
    clear, turbid, ice = result.classes
    assert (clear.precision, clear.recall) == (pytest.approx(2 / 3), 1.0)
    assert clear.f1 == pytest.approx(0.8)
    assert (turbid.precision, turbid.recall) == (1.0, 0.5)
    assert math.isnan(ice.precision)
    assert math.isnan(ice.f1)
    assert result.overall.log_loss == pytest.approx(-math.log(0.8 * 0.5 * 0.7 * 0.3) / 4)


def test_failures_and_unknown_classes():
    """Rows without a class do not count, rows without probabilities are failures."""
    result = classification(
        [0, 1, -1], [[0.9, 0.1, 0.0], [np.nan, 0.5, 0.5], [0.1, 0.8, 0.1]], CLASSES
    )
    assert (result.observed, result.overall.n, result.failures) == (2, 1, 0.5)


def test_the_impossible_costs_much_but_not_everything():
    """An observed class with probability zero gives a finite loss."""
    result = classification([2], [[0.5, 0.5, 0.0]], CLASSES)
    assert result.overall.log_loss == pytest.approx(-math.log(1e-15))


def test_nothing_to_compare():
    """Without rows the metrics are NaN."""
    result = classification([-1], [[1.0, 0.0, 0.0]], CLASSES)
    assert result.overall.n == 0
    assert math.isnan(result.overall.metrics["accuracy"])
    assert math.isnan(result.overall.log_loss)


def test_what_does_not_fit_is_refused():
    """A class without a name and probabilities of other classes are errors."""
    with pytest.raises(ConfigError, match="found the class number 3, expected 0 to 2"):
        classification([3], [[1.0, 0.0, 0.0]], CLASSES)
    with pytest.raises(ConfigError, match=r"probabilities \(1, 2\)"):
        classification([0], [[1.0, 0.0]], CLASSES)
