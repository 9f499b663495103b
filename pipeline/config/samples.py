"""The samples of a training: tables, their columns, and how their rows are split."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from pipeline.config.science import Name
from pipeline.config.strict import Strict, names_from_tables
from pipeline.errors import ConfigError, repeated
from pipeline.times.formats import check_format

Text = Annotated[str, Field(min_length=1)]
# Classes may be numbers in a file, and then they are numbers in YAML, too.
ClassName = Annotated[str, Field(min_length=1, coerce_numbers_to_str=True)]
# Format of times, as in strptime, or units of a number, such as days since 1899-12-30.
TimeFormat = Annotated[str, AfterValidator(check_format)]
TableFormat = Literal[
    "auto", "csv", "parquet", "feather", "netcdf", "seabass", "nomad", "pangaea", "aeronet"
]


class VariableConfig(Strict):
    """One quantity with its wavelengths; a quantity may also have no wavelength."""

    quantity: Name
    wavelengths_nm: tuple[Annotated[float, Field(gt=0, allow_inf_nan=False)], ...] | None = Field(
        default=None, min_length=1
    )
    """Each wavelength is a separate variable; without wavelengths there is only one variable."""
    column: Text | None = None
    """Name of the column. If there are several wavelengths, give the part of the column's name
    before the wavelength. The default is ``quantity``."""
    units: Text | None = None
    """Units of the network's variable; by default the units in ``configs/quantities.yaml``."""
    transform: str = "log10"
    scaling: str = "minmax"
    long_name: str | None = None
    standard_name: str | None = None

    _are_known = names_from_tables("transform", "scaling")


class ClassesConfig(Strict):
    """Where the classes of samples come from: the values of a column, or rules."""

    column: Text | None = None
    quantity: Name = "class"
    names: tuple[ClassName, ...] | None = Field(default=None, min_length=2)
    """Classes in the order of the network's outputs; by default the column's values, sorted."""
    rules: dict[ClassName, Text] = {}
    """An expression for each class, in the order of the network's outputs. A row has the first
    class whose expression is true. If an expression uses a missing value and no earlier expression
    is true, the row has no class."""
    otherwise: ClassName | None = None
    """The last class, for rows where no rule is true; by default, such rows have no class."""

    @field_validator("names")
    @classmethod
    def _are_unique(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if twice := repeated(names or ()):
            raise ValueError(f"named twice: {twice}")
        return names

    @model_validator(mode="after")
    def _column_or_rules(self) -> Self:
        if (self.column is None) == (not self.rules):
            raise ValueError("expected the key 'column' or the key 'rules'; give exactly one")
        if self.column is not None and self.otherwise is not None:
            raise ValueError("the key 'otherwise' is only for classes from rules; remove it")
        if self.rules and self.names is not None:
            raise ValueError(
                "the key 'names' is only for classes from a column; each rule has a name already"
            )
        if self.otherwise in self.rules:
            raise ValueError(f"a rule has the name {self.otherwise}; give 'otherwise' another name")
        if self.rules and len(self.order or ()) < 2:
            raise ValueError("found one class, expected two or more; add a rule or 'otherwise'")
        return self

    @property
    def order(self) -> tuple[str, ...] | None:
        """The classes in the order of the outputs; None if the column's values are the classes."""
        if not self.rules:
            return self.names
        return (*self.rules, *(() if self.otherwise is None else (self.otherwise,)))

    @property
    def origin(self) -> str:
        """A text for messages that says where the classes come from."""
        return "samples.classes.rules" if self.column is None else f"column {self.column!r}"


class JoinConfig(Strict):
    """Another table with columns for the rows of a table of samples."""

    path: Path
    """Path of the other table, relative to the folder of the table of samples."""
    key: Text
    """Name of the column, in both tables, that says which rows belong together."""
    prefix: str = ""
    """Text in front of the names of the other table's columns."""


class ApartConfig(Strict):
    """A table of samples that must not be among the rows of another table."""

    path: Path
    """Path of the table, relative to the current folder."""
    columns: dict[Text, Text] = {}
    """Expressions for the columns ``latitude``, ``longitude`` and ``date`` of the table."""
    km: float = Field(default=1.0, ge=0, le=1000)
    """Rows that are nearer than this, and near in time, are left out."""
    days: int = Field(default=1, ge=0, le=366)
    """Largest difference of the dates of rows that are left out."""


class FileConfig(Strict):
    """One table of samples; instead of this section, the configuration may give only a path."""

    path: Path
    """Path of the table, relative to the current folder."""
    join: tuple[JoinConfig, ...] = ()
    """Tables with further columns for the rows of this file."""
    columns: dict[Text, Text] = {}
    """Expressions for new columns of this file. They are computed before the expressions in
    ``samples.columns``, which are for all files."""
    units: dict[Text, Text] = {}
    """Units by column name, for this file only."""
    filter: Text | None = None
    """An expression; a row of this file is used only if the expression is true for this row."""
    apart_from: ApartConfig | None = None
    """Another table; rows of this file that were measured at the same place and on the same day as
    a row of the other table are left out."""
    part: Literal["train", "validation", "test"] | None = None
    """The part that gets all rows of this file; by default, the rows are divided by ``splits``."""

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
    """The tables of samples, and the columns for the inputs and targets of a network."""

    files: tuple[FileConfig, ...] = Field(min_length=1)
    format: TableFormat = "auto"
    delimiter: Text | None = None
    """Delimiter of a text table; by default the delimiter in the header line of the table."""
    sample_dimension: Text | None = None
    """Name of the dimension that counts the samples, if a netCDF file has several dimensions."""
    missing: tuple[float, ...] = ()
    """Numbers that mean a missing value, in addition to the usual numbers of the file format."""
    not_missing: tuple[float, ...] = ()
    """Numbers such as -999 that are valid, although they usually mean a missing value."""
    columns: dict[Text, Text] = {}
    """Expressions for new columns of all files. They are computed in the given order, before rows
    are filtered."""
    units: dict[Text, Text] = {}
    """Units by column name; needed if a file states no units or wrong units."""
    inputs: tuple[VariableConfig, ...] = ()
    """Inputs of a new network; empty for fine-tuning, because the network already has inputs."""
    targets: tuple[VariableConfig, ...] = ()
    classes: ClassesConfig | None = None
    """The classes of a classifier, which has classes instead of targets."""
    tolerance_nm: float = Field(default=3.0, ge=0, le=50)
    """Largest difference in nm between the wavelengths of a column and of a variable."""
    filter: Text | None = None
    """An expression; a row is used only if the expression is true for this row."""
    group: Text | None = None
    """Column with each row's group (cruise, station, scene); splits never divide a group."""
    time: Text | None = None
    """Column that contains times as texts in ISO 8601, or dates as yyyymmdd."""
    time_format: TimeFormat | None = None
    """Format of the times, as in strptime, or units of numbers (``days since 1899-12-30``)."""
    weight: Text | None = None
    """Column that contains the weights of the rows; a weight is 0 or more."""
    missing_inputs: Literal["drop", "error"] = "drop"
    missing_targets: Literal["error", "drop", "mask"] = "error"
    """drop: rows that lack a target are not used. mask: rows that lack all targets are not used."""

    @model_validator(mode="after")
    def _targets_or_classes(self) -> "SamplesConfig":
        if bool(self.targets) == (self.classes is not None):
            raise ValueError("expected either targets or classes; give exactly one of the two")
        if self.classes is not None and self.missing_targets == "mask":
            raise ValueError("with classes, set missing_targets to error or drop, not to mask")
        return self

    def reading(self, paths: tuple[Path, ...]) -> Self:
        """Return a copy of these settings with other files.

        Raises:
            ConfigError: a configured file has settings of its own, and the number of configured
                files differs from the number of ``paths``.
        """
        if not any(file.says_more for file in self.files):
            files = tuple(FileConfig(path=path) for path in paths)
        elif len(paths) == len(self.files):
            pairs = zip(self.files, paths, strict=True)
            files = tuple(file.model_copy(update={"path": path}) for file, path in pairs)
        else:
            named = ", ".join(file.path.name for file in self.files)
            raise ConfigError(
                f"found {len(paths)} files of samples, expected {len(self.files)}, one for each of "
                f"{named}. These configured files have settings of their own, so give the new "
                "files in the same order."
            )
        return self.model_copy(update={"files": files})


class SplitsConfig(Strict):
    """How the samples are divided into parts for training, validation and test."""

    by: Literal["group", "time", "random"] = "group"
    validation: float = Field(default=0.2, gt=0, lt=1)
    """Share of all rows that are used for validation."""
    test: float = Field(default=0.2, ge=0, lt=1)
    """Share of all rows that are used for the test; with 0, there is no test."""
    folds: int | None = Field(default=None, ge=2, le=100)
    """Number of parts, each of which is the test part once; if it is given, ``test`` is ignored."""
    seed: int = Field(default=1, ge=0)

    @model_validator(mode="after")
    def _leave_something(self) -> "SplitsConfig":
        taken = self.validation + (1 / self.folds if self.folds else self.test)
        if taken > 0.9:
            raise ValueError(
                f"validation and test take {taken:.0%} of the rows; leave 10 % or more for training"
            )
        return self
