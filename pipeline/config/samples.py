"""Which tables of samples a network learns from, and which of their rows it is judged by."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from pipeline.config.science import Name
from pipeline.config.strict import Strict

Text = Annotated[str, Field(min_length=1)]
# Classes may be numbers in the file, and are then numbers in YAML, too.
ClassName = Annotated[str, Field(min_length=1, coerce_numbers_to_str=True)]
Transform = Literal["none", "log10", "ln", "sqrt", "cos_degrees"]
Scaling = Literal["minmax", "minmax_01", "zscore", "none"]


class VariableConfig(Strict):
    """One quantity, at one or more wavelengths or at none."""

    quantity: Name
    wavelengths_nm: tuple[Annotated[float, Field(gt=0, allow_inf_nan=False)], ...] | None = Field(
        default=None, min_length=1
    )
    """One variable for each; without, the quantity is one variable."""
    column: Text | None = None
    """Column it is in, or the name before its wavelengths, where that is not the quantity's."""
    units: Text | None = None
    """Units the network works in; those of ``configs/quantities.yaml`` where nothing is said."""
    transform: Transform = "log10"
    scaling: Scaling = "minmax"
    long_name: str | None = None
    standard_name: str | None = None


class ClassesConfig(Strict):
    """A column of classes, to be told apart."""

    column: Text
    quantity: Name = "class"
    names: tuple[ClassName, ...] | None = Field(default=None, min_length=2)
    """In the order of the network's outputs; all the column has, sorted, if nothing is said."""

    @field_validator("names")
    @classmethod
    def _are_unique(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        twice = sorted({name for name in names or () if (names or ()).count(name) > 1})
        if twice:
            raise ValueError(f"named twice: {', '.join(twice)}")
        return names


class SamplesConfig(Strict):
    """Tables of samples, and what of them goes in and out of a network."""

    files: tuple[Path, ...] = Field(min_length=1)
    """Relative to the current folder."""
    format: Literal["auto", "csv", "parquet", "feather", "netcdf", "seabass", "nomad"] = "auto"
    delimiter: Text | None = None
    """Of text, where it is not the one its header shows."""
    sample_dimension: Text | None = None
    """Of netCDF, where it is not clear."""
    missing: tuple[float, ...] = ()
    """Numbers that mean no value, besides those the format knows."""
    columns: dict[Text, Text] = {}
    """New columns by expressions over columns, in this order, before all else."""
    units: dict[Text, Text] = {}
    """Units of columns, where a file does not say them or says them wrongly."""
    inputs: tuple[VariableConfig, ...] = ()
    """Empty where a network that is trained further says them."""
    targets: tuple[VariableConfig, ...] = ()
    classes: ClassesConfig | None = None
    """Instead of targets."""
    tolerance_nm: float = Field(default=3.0, ge=0, le=50)
    """How far the wavelength of a column may be from the one asked for."""
    filter: Text | None = None
    """Only rows where this expression is true."""
    group: Text | None = None
    """Column whose values stay together in a split: cruise, station, scene."""
    time: Text | None = None
    """Column of times: ISO 8601 text, or dates as yyyymmdd."""
    weight: Text | None = None
    """Column of weights, 0 or more."""
    missing_inputs: Literal["drop", "error"] = "drop"
    missing_targets: Literal["error", "drop", "mask"] = "error"
    """``drop`` leaves out a row without all targets, ``mask`` one without any."""

    @model_validator(mode="after")
    def _targets_or_classes(self) -> "SamplesConfig":
        if bool(self.targets) == (self.classes is not None):
            raise ValueError("give targets or classes, one of the two")
        if self.classes is not None and self.missing_targets == "mask":
            raise ValueError("missing_targets: mask is for targets; classes know error and drop")
        return self


class SplitsConfig(Strict):
    """Which rows train, which choose when to stop, and which judge."""

    by: Literal["group", "time", "random"] = "group"
    validation: float = Field(default=0.2, gt=0, lt=1)
    """Share of all rows."""
    test: float = Field(default=0.2, ge=0, lt=1)
    """Share of all rows; 0 for none."""
    folds: int | None = Field(default=None, ge=2, le=100)
    """Parts that are the test part in turn, instead of one of the size above."""
    seed: int = Field(default=1, ge=0)

    @model_validator(mode="after")
    def _leave_something(self) -> "SplitsConfig":
        taken = self.validation + (1 / self.folds if self.folds else self.test)
        if taken > 0.9:
            raise ValueError(
                f"validation and test take {taken:.0%} of the rows; leave 10 % or more to train"
            )
        return self
