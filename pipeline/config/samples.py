"""The samples of a training: tables, their columns, and how their rows are split."""

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
# Classes may be numbers in a file, and then they are numbers in YAML, too.
ClassName = Annotated[str, Field(min_length=1, coerce_numbers_to_str=True)]
TableFormat = Literal["auto", "csv", "parquet", "feather", "netcdf", "seabass", "nomad"]


class VariableConfig(Strict):
    """One quantity, with several wavelengths, with one, or without a wavelength."""

    quantity: Name
    wavelengths_nm: tuple[Annotated[float, Field(gt=0, allow_inf_nan=False)], ...] | None = Field(
        default=None, min_length=1
    )
    """Wavelengths, one variable for each; without wavelengths, the quantity is one variable."""
    column: Text | None = None
    """Name of the column (without the wavelength if there are several); by default the quantity."""
    units: Text | None = None
    """Units of the network's variable; by default those of ``configs/quantities.yaml``."""
    transform: str = "log10"
    scaling: str = "minmax"
    long_name: str | None = None
    standard_name: str | None = None

    _are_known = names_from_tables("transform", "scaling")


class ClassesConfig(Strict):
    """The classes of a classifier: the values of a column, or the first rule that is true."""

    column: Text | None = None
    quantity: Name = "class"
    names: tuple[ClassName, ...] | None = Field(default=None, min_length=2)
    """Classes in the order of the network's outputs; by default the column's values, sorted."""
    rules: dict[ClassName, Text] = {}
    """Expressions by class, instead of a column, in the order of the network's outputs. A row gets
    the first class whose expression is true, but no class if an earlier expression needs a missing
    value."""
    otherwise: ClassName | None = None
    """The last class, for rows for which no rule is true; by default such rows have no class."""

    @field_validator("names")
    @classmethod
    def _are_unique(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if twice := repeated(names or ()):
            raise ValueError(f"named twice: {twice}")
        return names

    @model_validator(mode="after")
    def _column_or_rules(self) -> Self:
        if (self.column is None) == (not self.rules):
            raise ValueError("give column or rules, one of the two")
        if self.column is not None and self.otherwise is not None:
            raise ValueError("otherwise belongs to rules, but the classes come from a column")
        if self.rules and self.names is not None:
            raise ValueError("names are for classes of a column; rules name their own classes")
        if self.otherwise in self.rules:
            raise ValueError(f"otherwise: {self.otherwise} has a rule already")
        if self.rules and len(self.order or ()) < 2:
            raise ValueError("one class alone: add a rule, or otherwise")
        return self

    @property
    def order(self) -> tuple[str, ...] | None:
        """The classes in the order of the network's outputs, or None if the column decides."""
        if not self.rules:
            return self.names
        return (*self.rules, *(() if self.otherwise is None else (self.otherwise,)))

    @property
    def origin(self) -> str:
        """Source of the classes, for messages."""
        return "samples.classes.rules" if self.column is None else f"column {self.column!r}"


class FileConfig(Strict):
    """One table of samples; a path alone means ``{path: ...}``."""

    path: Path
    """Path of the table, relative to the current folder."""
    columns: dict[Text, Text] = {}
    """Expressions for new columns of this file, computed before the new columns of all files."""
    units: dict[Text, Text] = {}
    """Units of columns, for this file."""
    filter: Text | None = None
    """Expression that must be true for the rows of this file that are used."""
    part: Literal["train", "validation", "test"] | None = None
    """Part that gets all rows of this file; by default ``splits`` divides the rows of the file."""

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
        """Whether the file has settings other than its path."""
        return self != FileConfig(path=self.path)


class SamplesConfig(Strict):
    """The tables of samples, and which of their columns are inputs and targets of a network."""

    files: tuple[FileConfig, ...] = Field(min_length=1)
    format: TableFormat = "auto"
    delimiter: Text | None = None
    """Delimiter of a text table; by default the one in its header line."""
    sample_dimension: Text | None = None
    """Dimension of the samples in a netCDF file, if several dimensions are possible."""
    missing: tuple[float, ...] = ()
    """Numbers that stand for a missing value, in addition to those of the format."""
    columns: dict[Text, Text] = {}
    """Expressions for new columns, computed in this order before anything else."""
    units: dict[Text, Text] = {}
    """Units of columns, if a file does not state them or states wrong ones."""
    inputs: tuple[VariableConfig, ...] = ()
    """Inputs of the network; fine-tuning names none, because the network has its inputs."""
    targets: tuple[VariableConfig, ...] = ()
    classes: ClassesConfig | None = None
    """Classes, which replace the targets."""
    tolerance_nm: float = Field(default=3.0, ge=0, le=50)
    """Largest distance of a column's wavelength from the configured one."""
    filter: Text | None = None
    """Expression that must be true for the rows that are used."""
    group: Text | None = None
    """Column of groups (cruise, station, scene); rows of one group stay in the same part."""
    time: Text | None = None
    """Column of times: text in ISO 8601, or dates as yyyymmdd."""
    weight: Text | None = None
    """Column of weights, 0 or more."""
    missing_inputs: Literal["drop", "error"] = "drop"
    missing_targets: Literal["error", "drop", "mask"] = "error"
    """``drop`` leaves out rows that lack a target, ``mask`` only rows that lack all of them."""

    @model_validator(mode="after")
    def _targets_or_classes(self) -> "SamplesConfig":
        if bool(self.targets) == (self.classes is not None):
            raise ValueError("give targets or classes, one of the two")
        if self.classes is not None and self.missing_targets == "mask":
            raise ValueError("missing_targets: mask is for targets; classes take error or drop")
        return self

    def reading(self, paths: tuple[Path, ...]) -> Self:
        """Return these settings with other files instead of the configured ones.

        Raises:
            ConfigError: the configured files define their own columns, and the number differs.
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
                f"{named}, in this order, because these files have settings of their own."
            )
        return self.model_copy(update={"files": files})


class SplitsConfig(Strict):
    """How rows are divided into training, validation (early stopping) and test."""

    by: Literal["group", "time", "random"] = "group"
    validation: float = Field(default=0.2, gt=0, lt=1)
    """Share of all rows for validation."""
    test: float = Field(default=0.2, ge=0, lt=1)
    """Share of all rows for the test; 0 for no test."""
    folds: int | None = Field(default=None, ge=2, le=100)
    """Number of parts, each of which is the test part once; then ``test`` is not used."""
    seed: int = Field(default=1, ge=0)

    @model_validator(mode="after")
    def _leave_something(self) -> "SplitsConfig":
        taken = self.validation + (1 / self.folds if self.folds else self.test)
        if taken > 0.9:
            raise ValueError(
                f"validation and test take {taken:.0%} of the rows; leave 10 % or more to train"
            )
        return self
