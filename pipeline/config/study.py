"""The settings of a capacity study, which compares several sizes of a network."""

import re
from collections.abc import Sequence

from pydantic import Field, ValidationError, field_validator

from pipeline.config.strict import Strict, complaints_of
from pipeline.errors import ConfigError

SIZES: dict[str, tuple[int, ...]] = {
    "tiny": (4,),
    "small": (16, 8),
    "medium": (64, 64),
    "large": (120, 120, 120, 120),
}
"""Units of the hidden layers for each preset; OC-SMART allows at most 127 units per layer."""
_EXPLICIT = re.compile(r"[1-9]\d{0,3}(-[1-9]\d{0,3})*")


class StudyConfig(Strict):
    """The sizes to compare; all other settings come from the recipe."""

    sizes: tuple[str, ...] = Field(default=tuple(SIZES), min_length=2)
    """Names of presets, or units of the hidden layers such as ``64-32``."""
    folds: int | None = Field(default=None, ge=1, le=100)
    """Number of divisions of the samples; each division holds out different rows. The default is 5
    if there are fewer than 500 groups (or rows, if there are no groups), else 1."""
    seeds: int = Field(default=1, ge=1, le=100)
    """Number of trainings for each division; each training starts with other initial weights."""

    @field_validator("sizes")
    @classmethod
    def _known(cls, sizes: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in sizes if name not in SIZES and not _EXPLICIT.fullmatch(name)]
        if unknown:
            raise ValueError(
                f"found {', '.join(unknown)}, expected {', '.join(SIZES)}, or units such as 64-32"
            )
        layers = [hidden_of(name) for name in sizes]
        twice = [name for name in sizes if layers.count(hidden_of(name)) > 1]
        if twice:
            raise ValueError(f"these sizes have the same layers: {', '.join(twice)}")
        return sizes


def hidden_of(size: str) -> tuple[int, ...]:
    """Return the units of the hidden layers for the name of a preset or a text like ``64-32``."""
    return SIZES.get(size) or tuple(int(units) for units in size.split("-"))


def parse_study(said: Sequence[str]) -> StudyConfig:
    """Return the study for texts such as ``sizes=tiny,small``, ``folds=5`` and ``seeds=2``.

    Raises:
        ConfigError: a text does not have the form KEY=VALUE, or a key or size is unknown.
    """
    values: dict[str, object] = {}
    for one in said:
        key, equals, value = one.partition("=")
        if not equals or key in values:
            raise ConfigError(
                f"--study: found {one!r}, expected sizes=NAME,NAME or folds=N or seeds=N, and each "
                "key at most once."
            )
        parts = tuple(part.strip() for part in value.split(",") if part.strip())
        values[key] = parts if key == "sizes" else value
    try:
        return StudyConfig.model_validate(values)
    except ValidationError as error:
        complaints = "; ".join(complaints_of(error, StudyConfig))
        raise ConfigError(f"--study: {complaints}") from None
