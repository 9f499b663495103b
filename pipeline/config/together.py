"""Products that are computed from the outputs of networks: derived, chosen and blended products."""

from typing import Annotated

from pydantic import ConfigDict, Field, model_validator

from pipeline.config.strict import SORTED, Strict

Name = Annotated[str, Field(pattern=r"^[A-Za-z]\w*$")]
Text = Annotated[str, Field(min_length=1)]


class Derived(Strict):
    """A product that an expression computes from outputs, bands and variables of the scene."""

    expression: Text
    """An expression such as ``nn_708 - nn_681 - 0.389 * (nn_753 - nn_681)``."""
    units: Text
    long_name: str = ""
    spans_decades: bool = False
    """True if uncertainties are those of the decimal logarithm, as for chlorophyll."""


class Choice(Strict):
    """A product that takes its value from the first network whose condition is true."""

    # The key is "from" in files and records, which is not allowed as the name of a field.
    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=True)

    candidates: tuple[Name, ...] = Field(alias="from", min_length=1)
    """Names of networks or of other products; earlier names have priority."""
    where: Annotated[dict[Name, Text], SORTED] = {}
    """The condition for each candidate. A candidate without a condition needs only a value."""

    @model_validator(mode="after")
    def _conditions_are_of_candidates(self) -> "Choice":
        unknown = sorted(set(self.where) - set(self.candidates))
        if unknown:
            raise ValueError(
                f"the key 'where' has a condition for {', '.join(unknown)}, expected some of "
                f"{', '.join(self.candidates)}"
            )
        return self


class BetweenLimits(Strict):
    """Weights from an index: 0 below the first limit, 1 above the second one, linear in between."""

    index: Text
    """An expression such as ``oci`` or ``Rrs_667 / Rrs_547``."""
    limits: tuple[float, float]

    @model_validator(mode="after")
    def _go_up(self) -> "BetweenLimits":
        if not self.limits[0] < self.limits[1]:
            raise ValueError(f"expected the smaller limit first, found {list(self.limits)}")
        return self


class Blend(Strict):
    """A product that is the weighted mean of several networks.

    If the quantity spans powers of ten, the mean of the logarithms is taken.
    """

    by: Name | BetweenLimits
    """Name of a classifier, whose class probabilities are the weights (Jackson et al. 2017); or an
    index with two limits, which gives the weights of two networks called ``below`` and ``above``.
    """
    of: Annotated[dict[Name, Name], SORTED] = Field(min_length=2)
    """Name of each class -> the network or product for this class."""

    @model_validator(mode="after")
    def _are_below_and_above(self) -> "Blend":
        if isinstance(self.by, BetweenLimits) and set(self.of) != {"below", "above"}:
            raise ValueError(f"of: expected below and above, found {', '.join(self.of)}")
        return self
