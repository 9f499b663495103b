"""Each learning-rate schedule against its formula."""

import math

import numpy as np
import pytest

from pipeline.config.training import Schedule
from pipeline.training.fitting.schedules import Plateau, rate_of

RATE, EPOCHS, STEPS = 0.01, 40, 7


def rates(schedule):
    """The rate of every step."""
    made = rate_of(schedule, RATE, EPOCHS, STEPS)
    return np.array([float(made(step)) for step in range(EPOCHS * STEPS + 5)])


@pytest.mark.parametrize("epochs", [None, 12.5])
def test_inverse_time(epochs):
    """Rate / (1 + decay_rate e / decay_epochs), e in steps."""
    found = rates(Schedule(kind="inverse_time", decay_rate=0.7, decay_epochs=epochs))
    steps = round((epochs or EPOCHS) * STEPS)
    expected = [RATE / (1 + 0.7 * step / steps) for step in range(len(found))]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_exponential():
    """Rate decay_rate^(e / decay_epochs)."""
    found = rates(Schedule(kind="exponential", decay_rate=0.3, decay_epochs=10))
    expected = [RATE * 0.3 ** (step / (10 * STEPS)) for step in range(len(found))]
    np.testing.assert_allclose(found, expected, rtol=2e-6)


def test_cosine():
    """From the rate to a share of it along half a cosine, then constant."""
    found = rates(Schedule(kind="cosine", final_share=0.1))
    last = EPOCHS * STEPS
    expected = [
        RATE * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * min(step, last) / last)))
        for step in range(len(found))
    ]
    np.testing.assert_allclose(found, expected, rtol=2e-6)


def test_constant():
    """A number."""
    assert rate_of(Schedule(), RATE, EPOCHS, STEPS) == RATE


def test_plateau():
    """Times factor after so many epochs without a better loss, never below the last rate."""
    plateau = Plateau(Schedule(kind="plateau", factor=0.5, patience=2, final_share=0.2), RATE)
    losses = [5.0, 4.0, 4.0, 4.5, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0]
    found = [plateau.next_rate(loss) for loss in losses]
    expected = [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.2, 0.2, 0.2]
    np.testing.assert_allclose(found, np.array(expected) * RATE)


def test_a_plateau_goes_on_from_its_state():
    """As if it had not been stopped."""
    schedule = Schedule(kind="plateau", patience=2)
    losses = [5.0, 4.0, 4.0, 4.5, 3.0, 3.0, 3.5]
    whole = Plateau(schedule, RATE)
    expected = [whole.next_rate(loss) for loss in losses]
    first = Plateau(schedule, RATE)
    found = [first.next_rate(loss) for loss in losses[:3]]
    second = Plateau(schedule, RATE)
    second.restore(first.state())
    found += [second.next_rate(loss) for loss in losses[3:]]
    assert found == expected
