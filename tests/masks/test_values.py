"""Masks by what an input band holds."""

import numpy as np
import pytest
import xarray as xr

from pipeline.config import MaskRules
from pipeline.masks import make_rules
from pipeline.masks.values import VALUE_RULES, ValueRule
from pipeline.scene.quality import STATE_OUTSIDE_VALID_RANGE, STATE_SATURATED
from pipeline.scene.scene import Band

pytestmark = pytest.mark.quick

#                  value   zero  minus zero  negative  NaN   outside   saturated
VALUES = np.array([0.002, 0.0, -0.0, -0.001, np.nan, np.nan, 0.05], np.float32)
STATES = np.array([0, 0, 0, 0, 0, STATE_OUTSIDE_VALID_RANGE, STATE_SATURATED], np.uint8)
FINE = np.full(VALUES.shape, 0.004, np.float32)
EXCLUDED = {
    "missing": [0, 0, 0, 0, 1, 1, 0],
    "zero": [0, 1, 1, 0, 0, 0, 0],
    "negative": [0, 0, 0, 1, 0, 0, 0],
    "saturated": [0, 0, 0, 0, 0, 0, 1],
    "outside_valid_range": [0, 0, 0, 0, 0, 1, 0],
}
# Where a number is missing, a rule that asks for a number is undecided, and excludes the pixel.
UNDECIDED = {name: [0, 0, 0, 0, 1, 1, 0] for name in ("zero", "negative", "saturated")}
BANDS = (Band("Rrs", 412.0), Band("Rrs", 443.0))


def block_of(*bands, states=None):
    """Bands at 412, 443 ... nm on one line."""
    dims = ("Rrs_wavelength", "y", "x")
    variables = {"Rrs": (dims, np.stack(bands)[:, np.newaxis])}
    if states is not None:
        variables["Rrs_state"] = (dims, np.stack(states)[:, np.newaxis])
    return xr.Dataset(variables, coords={"Rrs_wavelength": [412.0, 443.0, 490.0][: len(bands)]})


def rule(name, bands=BANDS):
    return ValueRule(name, VALUE_RULES[name], bands)


@pytest.mark.parametrize("position", [0, 1])
@pytest.mark.parametrize("name", EXCLUDED)
def test_excludes_where_any_band_is_so(name, position):
    """It does not matter which of the input bands it is."""
    bands, states = [FINE, FINE], [np.zeros_like(STATES), np.zeros_like(STATES)]
    bands[position], states[position] = VALUES, STATES
    verdict = rule(name).judge(block_of(*bands, states=states))
    undecided = np.array([UNDECIDED.get(name, [0] * 7)])
    np.testing.assert_array_equal(verdict.excluded, (EXCLUDED[name] | undecided).astype(bool))
    assert np.dtype(bool) == verdict.excluded.dtype
    if name in UNDECIDED:
        np.testing.assert_array_equal(verdict.undecided, undecided.astype(bool))
    else:
        assert verdict.undecided is None


def test_another_band_decides():
    """A pixel with one missing and one negative band is negative."""
    verdict = rule("negative").judge(block_of(VALUES, np.full(7, -0.001, np.float32)))
    assert verdict.excluded.all()
    assert verdict.undecided is None


@pytest.mark.parametrize("name", EXCLUDED)
def test_a_band_that_is_no_input_does_not_count(name):
    """What no network takes masks nothing."""
    block = block_of(VALUES, FINE, states=[STATES, np.zeros_like(STATES)])
    assert not rule(name, BANDS[1:]).judge(block).excluded.any()


@pytest.mark.parametrize("name", EXCLUDED)
def test_a_scene_without_states_has_nothing_outside(name):
    """States are optional (nothing is saturated either); values alone decide the rest."""
    is_state = name in ("outside_valid_range", "saturated")
    expected = np.zeros(7, int) if is_state else np.array(EXCLUDED[name])
    expected |= np.array(UNDECIDED.get(name, [0] * 7))
    found = rule(name).judge(block_of(VALUES, FINE)).excluded
    np.testing.assert_array_equal(found[0], expected.astype(bool))


def test_no_input_band_excludes_nothing():
    """The shape is still that of the block."""
    found = rule("missing", ()).judge(block_of(VALUES, FINE)).excluded
    assert found.shape == (1, 7)
    assert not found.any()


def test_the_configuration_knows_every_rule():
    """What is in the table can be asked for, under the same name."""
    rules = make_rules(MaskRules(values=tuple(VALUE_RULES)), block_of(VALUES, FINE), BANDS, 3.0)
    assert list(EXCLUDED) == [made.name for made in rules]
