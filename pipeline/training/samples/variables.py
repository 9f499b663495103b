"""What a column of samples is to a network: its quantity, units, transform and scaling."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.config import VariableConfig
from pipeline.errors import ConfigError
from pipeline.facts.quantities import band_name, quantities
from pipeline.networks.transforms import TRANSFORMS, Transform
from pipeline.networks.variable import SCALINGS, Array, Variable


@dataclass(frozen=True)
class SampleVariable:
    """One input or target of samples, without the range that training gives it."""

    quantity: str
    wavelength_nm: float | None
    units: str
    transform_name: str
    scaling_name: str
    long_name: str
    standard_name: str | None
    column: str
    """Where the first file has it."""

    @property
    def name(self) -> str:
        """``Rrs_443``, ``chlor_a``."""
        return band_name(self.quantity, self.wavelength_nm)

    @property
    def transform(self) -> Transform:
        """The function between the physical and the transformed quantity."""
        return TRANSFORMS[self.transform_name]

    def transformed(self, values: Array) -> Array:
        """The transformed quantity; NaN stays NaN."""
        with np.errstate(all="ignore"):
            return np.asarray(self.transform.forward(values), dtype=np.float64)

    def outside(self, values: Array) -> npt.NDArray[np.bool_]:
        """Where a value is outside what the transform takes; NaN is not."""
        if self.transform.needs_positive:
            return np.asarray(values <= 0)
        if self.transform.needs_non_negative:
            return np.asarray(values < 0)
        return np.zeros(np.shape(values), dtype=np.bool_)

    def described(self, minimum: float, maximum: float) -> Variable:
        """As a variable of a network, with the range of the transformed quantity."""
        return Variable(
            quantity=self.quantity,
            wavelength_nm=self.wavelength_nm,
            units=self.units,
            transform_name=self.transform_name,
            minimum=minimum,
            maximum=maximum,
            long_name=self.long_name,
            standard_name=self.standard_name,
            scaling_name=self.scaling_name,
        )


def expected_units(config: VariableConfig) -> str | None:
    """Units a variable is wanted in; None where neither the configuration nor a table says."""
    known = quantities().get(config.quantity)
    return config.units or (known.units if known else None)


def sample_variable(
    config: VariableConfig, wavelength_nm: float | None, column: str, units: str
) -> SampleVariable:
    """A variable of a configuration, named as ``configs/quantities.yaml`` has it."""
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
