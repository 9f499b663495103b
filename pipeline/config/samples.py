"""Which tables of samples a network learns from, and which of their rows it is judged by."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from pipeline.config.science import Name
from pipeline.config.strict import Strict, names_from_tables
from pipeline.errors import ConfigError, repeated

Text = Annotated[str, Field(min_length=1)]
# Classes may be numbers in the file, and are then numbers in YAML, too.
ClassName = Annotated[str, Field(min_length=1, coerce_numbers_to_str=True)]
TableFormat = Literal["auto", "csv", "parquet", "feather", "netcdf", "seabass", "nomad"]


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
    transform: str = "log10"
    scaling: str = "minmax"
    long_name: str | None = None
    standard_name: str | None = None

    _are_known = names_from_tables("transform", "scaling")


class ClassesConfig(Strict):
    """Classes to be told apart: what a column says, or the first of some rules that holds."""

    column: Text | None = None
    quantity: Name = "class"
    names: tuple[ClassName, ...] | None = Field(default=None, min_length=2)
    """Of a column's classes, in the order of the network's outputs; all it has, sorted, if nothing
    is said."""
    rules: dict[ClassName, Text] = {}
    """Instead of a column: name and expression of each class, in the order of the outputs. A row is
    of the first class whose expression is true; it is of none where a value is missing that is
    asked for before that."""
    otherwise: ClassName | None = None
    """The class, the last one, of rows for which no rule holds; without, they have none."""

    @field_validator("names")
    @classmethod
    def _are_unique(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        twice = repeated(names or ())
        if twice:
            raise ValueError(f"named twice: {twice}")
        return names

    @model_validator(mode="after")
    def _column_or_rules(self) -> Self:
        if (self.column is None) == (not self.rules):
            raise ValueError("give column or rules, one of the two")
        if self.column is not None and self.otherwise is not None:
            raise ValueError("otherwise belongs to rules, and the classes are those of a column")
        if self.rules and self.names is not None:
            raise ValueError("names are of a column's classes; rules name their own")
        if self.otherwise in self.rules:
            raise ValueError(f"otherwise: {self.otherwise} has a rule already")
        if self.rules and len(self.order or ()) < 2:
            raise ValueError("one class alone; give another rule, or otherwise")
        return self

    @property
    def order(self) -> tuple[str, ...] | None:
        """The classes in the order of the network's outputs; None where the column decides."""
        if not self.rules:
            return self.names
        return (*self.rules, *(() if self.otherwise is None else (self.otherwise,)))

    @property
    def origin(self) -> str:
        """Where the classes come from, for messages."""
        return "samples.classes.rules" if self.column is None else f"column {self.column!r}"


class FileConfig(Strict):
    """One table of samples; the path alone says as much as ``{path: ...}``."""

    path: Path
    """Relative to the current folder."""
    columns: dict[Text, Text] = {}
    """New columns of this file by expressions, before those that all files get."""
    units: dict[Text, Text] = {}
    """Units of columns of this file."""
    filter: Text | None = None
    """Only rows of this file where this is true, besides the filter of all files."""
    part: Literal["train", "validation", "test"] | None = None
    """Where all its rows go; ``splits`` divides the rows of the other files."""

    @model_validator(mode="before")
    @classmethod
    def _path_alone(cls, said: object) -> object:
        return {"path": said} if isinstance(said, str | Path) else said

    @model_serializer(mode="wrap")
    def _as_short_as_it_can_be(self, handler: SerializerFunctionWrapHandler) -> Any:
        said: dict[str, Any] = handler(self)
        return said if self.says_more else said["path"]

    @property
    def says_more(self) -> bool:
        """Whether anything is said besides the path."""
        return self != FileConfig(path=self.path)


class SamplesConfig(Strict):
    """Tables of samples, and what of them goes in and out of a network."""

    files: tuple[FileConfig, ...] = Field(min_length=1)
    format: TableFormat = "auto"
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

    def reading(self, paths: tuple[Path, ...]) -> Self:
        """The same of other files, which take the places of those that are named.

        Raises:
            ConfigError: files are told apart, and there are more or fewer of the others.
        """
        if not any(file.says_more for file in self.files):
            files = tuple(FileConfig(path=path) for path in paths)
        elif len(paths) == len(self.files):
            pairs = zip(self.files, paths, strict=True)
            files = tuple(file.model_copy(update={"path": path}) for file, path in pairs)
        else:
            named = ", ".join(file.path.name for file in self.files)
            raise ConfigError(
                f"found {len(paths)} files of samples, expected {len(self.files)} in place of "
                f"{named}, in this order: the configuration says of each what its columns are."
            )
        return self.model_copy(update={"files": files})


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
