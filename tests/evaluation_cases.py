"""Invented but realistic results of a network, for the tests of evaluations."""

import numpy as np

from pipeline.networks.variable import Variable


def variable(
    quantity, wavelength_nm=None, units="m-1", transform="log10", low=-np.inf, high=np.inf
):
    return Variable(quantity, wavelength_nm, units, transform, low, high)


APH = tuple(variable("aph", nm) for nm in (412.0, 443.0, 488.0, 531.0, 547.0, 667.0, 678.0))
INPUTS = (
    variable("Rrs", 443.0, "sr-1", low=-3.0, high=-2.0),
    variable("Rrs", 555.0, "sr-1"),
    variable("solar_zenith", None, "degree", "cos_degrees", low=0.5, high=1.0),
)


def samples(count, outputs, seed=0, spread=0.15):
    """Inputs, observed and modelled values, and the cruise of each row."""
    rng = np.random.default_rng(seed)
    rrs = 0.004 * 10 ** (0.3 * rng.standard_normal((count, 2)))
    x = np.column_stack((rrs, rng.uniform(5.0, 75.0, count)))
    observed = 0.05 * 10 ** (0.5 * rng.standard_normal((count, outputs)))
    modelled = observed * 10 ** (spread * rng.standard_normal((count, outputs)) + 0.02)
    groups = [f"cruise {number:02d}" for number in rng.integers(0, 25, count)]
    return x, observed, modelled, groups
