"""Published algorithms on the inputs of samples, to compare a network with."""

from collections.abc import Sequence

import numpy as np

from pipeline.algorithms import algorithm
from pipeline.errors import ConfigError, NetworkError
from pipeline.networks.description import Array, Variable


def baseline_outputs(
    names: Sequence[str],
    sensor: str,
    inputs: tuple[Variable, ...],
    outputs: tuple[Variable, ...],
    x: Array,
    tolerance_nm: float,
) -> dict[str, Array]:
    """What algorithms give for outputs, by their name.

    Args:
        names: of algorithms.
        sensor: whose coefficients are used.
        inputs: what the columns of ``x`` are.
        outputs: what is wanted.
        x: physical values with shape (n, inputs).
        tolerance_nm: how far a wavelength may be from the one asked for.

    Returns:
        Arrays with shape (n, outputs); NaN where an algorithm fails or has no such output.

    Raises:
        ConfigError: an algorithm lacks bands, or has none of the outputs.
    """
    bands = {v.wavelength_nm: i for i, v in enumerate(inputs) if v.quantity == "Rrs"}
    found = {}
    for name in names:
        try:
            made = algorithm(
                name, sensor=sensor, wavelengths_nm=[nm for nm in bands if nm is not None]
            )
        except NetworkError as error:
            raise ConfigError(f"baselines: {name}: {error}") from None
        columns = [bands[variable.wavelength_nm] for variable in made.inputs]
        values = made.predict(x[:, columns])
        found[name] = np.full((len(x), len(outputs)), np.nan)
        pairs = _matched(outputs, made.outputs, tolerance_nm)
        if not pairs:
            raise ConfigError(
                f"baselines: {name} makes {', '.join(v.name for v in made.outputs)}, and the "
                f"network {', '.join(v.name for v in outputs)}. Leave it out."
            )
        for wanted, there in pairs:
            found[name][:, wanted] = values[:, there]
    return found


def _matched(
    wanted: tuple[Variable, ...], made: tuple[Variable, ...], tolerance_nm: float
) -> list[tuple[int, int]]:
    """Which output of an algorithm stands for which output that is wanted."""
    pairs = []
    for place, variable in enumerate(wanted):
        distances = {
            i: abs((v.wavelength_nm or 0.0) - (variable.wavelength_nm or 0.0))
            for i, v in enumerate(made)
            if v.quantity == variable.quantity
        }
        nearest = min(distances, key=lambda i: distances[i], default=None)
        if nearest is not None and distances[nearest] <= tolerance_nm:
            pairs.append((place, nearest))
    return pairs
