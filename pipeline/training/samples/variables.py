"""Describe variables of samples: their quantity, wavelength, units, transform and scaling."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from pipeline.config.samples import VariableConfig
from pipeline.errors import ConfigError
from pipeline.facts.quantities import quantities, stands_for
from pipeline.networks.transforms import TRANSFORMS
from pipeline.networks.variable import SCALINGS, Array, Variable


@dataclass(frozen=True, kw_only=True)
class SampleVariable(Variable):
    """One input or target of samples; its range is determined later, from the training rows."""

    minimum: float = -np.inf
    maximum: float = np.inf
    column: str
    """Name of the variable's column in the first file."""

    def transformed(self, values: Array) -> Array:
        """Return the transformed quantity; NaN stays NaN."""
        with np.errstate(all="ignore"):
            return np.asarray(self.transform.forward(values), dtype=np.float64)

    def outside(self, values: Array) -> npt.NDArray[np.bool_]:
        """Return True for values for which the transform is not defined; False for NaN."""
        if self.transform.needs_positive:
            return np.asarray(values <= 0)
        if self.transform.needs_non_negative:
            return np.asarray(values < 0)
        return np.zeros(np.shape(values), dtype=np.bool_)

    def described(self, minimum: float, maximum: float) -> Variable:
        """Return this variable for a network, with the range of the transformed quantity."""
        known = {field.name: getattr(self, field.name) for field in fields(Variable)}
        return Variable(**known | {"minimum": minimum, "maximum": maximum})


def variables_of(
    choices: Sequence[VariableConfig],
) -> Iterator[tuple[VariableConfig, float | None]]:
    """Yield each variable of a configuration with its wavelength; None if it has no wavelength."""
    for choice in choices:
        for wavelength_nm in choice.wavelengths_nm or (None,):
            yield choice, wavelength_nm


def nearest_variable(
    wanted: Variable, among: Sequence[Variable], tolerance_nm: float
) -> int | None:
    """Return the index of the variable with the same quantity and the nearest wavelength.

    Returns:
        The index, or None if no variable of this quantity is within ``tolerance_nm``.
    """
    distances = {
        place: abs((variable.wavelength_nm or 0.0) - (wanted.wavelength_nm or 0.0))
        for place, variable in enumerate(among)
        if stands_for(wanted.quantity, variable.quantity)
    }
    nearest = min(distances, key=lambda place: distances[place], default=None)
    return None if nearest is None or distances[nearest] > tolerance_nm else nearest


def expected_units(config: VariableConfig) -> str | None:
    """Return the wanted units of a variable, or None if units are neither configured nor known."""
    known = quantities().get(config.quantity)
    return config.units or (known.units if known else None)


def sample_variable(
    config: VariableConfig, wavelength_nm: float | None, column: str, units: str
) -> SampleVariable:
    """Return a variable of a configuration, with names from ``configs/quantities.yaml``."""
    for key, name, table in (
        ("transform", config.transform, TRANSFORMS),
        ("scaling", config.scaling, SCALINGS),
    ):
        if name not in table:
            raise ConfigError(
                f"{config.quantity}: unknown {key} {name!r}, expected one of {', '.join(table)}"
            )
    known = quantities().get(config.quantity)
    long_name = config.long_name
    if long_name is None:
        long_name = known.long_name if known else config.quantity
    return SampleVariable(
        quantity=config.quantity,
        wavelength_nm=wavelength_nm,
        units=units,
        transform_name=config.transform,
        scaling_name=config.scaling,
        long_name=long_name,
        standard_name=config.standard_name or (known.standard_name if known else None),
        column=column,
    )
