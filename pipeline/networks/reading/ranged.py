"""A variable of a YAML or of an ONNX file, with its training range."""

import dataclasses
from typing import Annotated

import numpy as np
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from pipeline.facts.quantities import quantities
from pipeline.networks.reading.schema import UNKNOWN_RANGE, DescribedVariable, Range, known_in
from pipeline.networks.transforms import TRANSFORMS
from pipeline.networks.variable import SCALINGS, Variable

Pair = Annotated[list[float], Field(min_length=2, max_length=2)]


class RangedVariable(DescribedVariable):
    """An input or output; its training range, if known, is given in one of two ways."""

    # No default: a wrong scaling gives plausible numbers.
    scaling: Annotated[str, known_in(SCALINGS)]
    range: Pair | None = None
    """Minimum and maximum in physical units."""
    norm: Pair | None = None
    """Minimum and maximum of the transformed quantity."""

    @model_validator(mode="after")
    def _one_range(self) -> "RangedVariable":
        if self.range is not None and self.norm is not None:
            raise PydanticCustomError(
                "exclusive", "give range (physical units) or norm (transformed), not both"
            )
        low, high = self.training_range()
        if not low < high:
            raise PydanticCustomError("order", "expected [minimum, maximum] with minimum < maximum")
        return self

    def variable(self, norm: Range) -> Variable:
        """Return the variable; missing long and standard names come from the table of quantities.

        The table is used only if it states the same units as the description.

        Args:
            norm: the training range of the transformed quantity.
        """
        made, known = super().variable(norm), quantities().get(self.quantity)
        if known is None or known.units != self.units:
            return made
        return dataclasses.replace(
            made,
            long_name=self.long_name or known.long_name,
            standard_name=self.standard_name or known.standard_name,
        )

    def training_range(self) -> Range:
        """Return the training range of the transformed quantity; an unknown range is infinite."""
        if self.norm is not None:
            return self.norm[0], self.norm[1]
        if self.range is None:
            return UNKNOWN_RANGE
        return _transformed_range(self.transform, self.range)


def _transformed_range(transform_name: str, physical: list[float]) -> Range:
    transform = TRANSFORMS[transform_name]
    with np.errstate(all="ignore"):
        ends = transform.forward(np.array(physical))
        back = transform.inverse(ends)
    if not (np.isfinite(ends).all() and np.allclose(back, physical, rtol=1e-6, atol=1e-6)):
        raise PydanticCustomError(
            "range",
            "transform {transform} cannot take range [{low}, {high}]; give norm instead",
            {"low": physical[0], "high": physical[1], "transform": transform_name},
        )
    low, high = ends if transform.increasing else ends[::-1]
    return float(low), float(high)
