"""The keys of all descriptions of networks. A description is a JSON attribute or a YAML file.

Each kind of description adds its own keys for weights and ranges (docs/networks.md).
"""

import dataclasses
import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from pipeline.errors import NetworkError
from pipeline.files.contents import read_yaml
from pipeline.networks.after import AFTER
from pipeline.networks.description import GoldenSpectra, Layer, Network, class_outputs
from pipeline.networks.transforms import TRANSFORMS
from pipeline.networks.variable import SCALINGS, Array, Variable

Range = tuple[float, float]
UNKNOWN_RANGE: Range = (-np.inf, np.inf)


def known_in(names: Collection[str]) -> AfterValidator:
    """Return a validator that accepts only names from a table."""

    def check(name: str) -> str:
        if name not in names:
            # Passed as values, because the names may contain braces.
            words = {"known": ", ".join(names), "name": name}
            raise PydanticCustomError("unknown", "expected one of {known}, found '{name}'", words)
        return name

    return AfterValidator(check)


@dataclass(frozen=True)
class Parts:
    """The layers and training ranges of a network, without its description."""

    layers: tuple[Layer, ...]
    """The layers from the first to the last."""
    input_norms: list[Range]
    """The training range of each transformed input."""
    output_norms: list[Range]
    """The training range of each transformed output; unused for classes."""
    input_transforms: tuple[str, ...] = ()
    """The transform of each input, if the file itself has transforms."""
    output_transforms: tuple[str, ...] = ()
    """The transform of each output, if the file itself has transforms; unused for classes."""


class Described(BaseModel):
    """Base class of frozen models that refuse an unknown key, NaN and infinity."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DescribedVariable(Described):
    """An input or output, without its training range."""

    quantity: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")
    wavelength_nm: float | None = None
    units: str
    transform: Annotated[str, known_in(TRANSFORMS)]
    scaling: Annotated[str, known_in(SCALINGS)] = "minmax"
    mean: float | None = None
    std: float | None = None
    long_name: str = ""
    standard_name: str | None = None

    @model_validator(mode="after")
    def _mean_with_std(self) -> "DescribedVariable":
        if (self.mean is None) != (self.std is None):
            raise PydanticCustomError(
                "pair", "only one of mean and std is given; give both or neither"
            )
        return self

    def variable(self, norm: Range) -> Variable:
        """Build the variable; ``norm`` is its training range after the transform."""
        parameters = None if self.mean is None or self.std is None else (self.mean, self.std)
        return Variable(
            quantity=self.quantity,
            wavelength_nm=self.wavelength_nm,
            units=self.units,
            transform_name=self.transform,
            minimum=float(norm[0]),
            maximum=float(norm[1]),
            long_name=self.long_name,
            standard_name=self.standard_name,
            scaling_name=self.scaling,
            scaling_parameters=parameters,
        )


class DescribedClasses(Described):
    """The classes whose probabilities are the outputs of a network, in order."""

    quantity: str
    names: tuple[str, ...] = Field(min_length=1)


class DescribedGolden(Described):
    """Golden spectra: inputs and the outputs that the network must compute from them."""

    inputs: list[list[float]]
    outputs: list[list[float]]


class NamedDescription(Described):
    """The keys that networks and ensembles have in common."""

    schema_: Literal[1] = Field(alias="schema")
    name: str
    title: str = ""
    citation: str = ""
    licence: str = ""
    training: dict[str, Any] = {}


class NetworkDescription(NamedDescription):
    """The keys of every description of a network."""

    sensors: list[str]
    """The sensors that the network was trained for; without any, each run must allow its sensor."""
    inputs: tuple[DescribedVariable, ...]
    classes: DescribedClasses | None = None
    outputs: tuple[DescribedVariable, ...] | None = Field(default=None, validate_default=True)
    after: tuple[Annotated[str, known_in(AFTER)], ...] = ()
    """Names of the steps that a configuration may add after the network."""
    golden: DescribedGolden | None = None

    @field_validator("outputs")
    @classmethod
    def _outputs_or_classes(cls, value: Any, info: ValidationInfo) -> Any:
        has_classes = info.data.get("classes") is not None
        if value is None and not has_classes and "classes" in info.data:
            raise PydanticCustomError("missing", "Field required, unless classes are given")
        if value is not None and has_classes:
            raise PydanticCustomError("exclusive", "give outputs or classes, not both")
        return value

    @property
    def output_count(self) -> int:
        """The number of outputs, or of classes."""
        return len(self.outputs or () if self.classes is None else self.classes.names)

    def assemble(self, parts: Parts, file_name: str, sha256: str) -> Network:
        """Build the network that this description and ``parts`` define.

        Args:
            parts: the layers and training ranges of the network.
            file_name: the file name for messages and products.
            sha256: the hash of all files that the network was read from.
        """
        classes = self.classes
        return Network(
            name=self.name,
            title=self.title,
            inputs=_variables(self.inputs, parts.input_norms, parts.input_transforms),
            outputs=class_outputs(classes.names)
            if classes is not None
            else _variables(self.outputs or (), parts.output_norms, parts.output_transforms),
            layers=parts.layers,
            sensors=tuple(self.sensors),
            citation=self.citation,
            licence=self.licence,
            file_name=file_name,
            sha256=sha256,
            training=self.training,
            golden=self._golden(),
            classes=() if classes is None else classes.names,
            class_quantity="" if classes is None else classes.quantity,
            after=self.after,
        )

    def _golden(self) -> GoldenSpectra | None:
        if self.golden is None:
            return None
        inputs, outputs = _table(self.golden.inputs), _table(self.golden.outputs)
        rows, shapes = len(inputs), (inputs.shape, outputs.shape)
        if rows == 0 or shapes != ((rows, len(self.inputs)), (rows, self.output_count)):
            raise NetworkError(
                f"golden.inputs must have one or more rows of {len(self.inputs)} numbers. "
                "golden.outputs must have the same number of rows, and each row must have "
                f"{self.output_count} numbers. Correct them."
            )
        return GoldenSpectra(inputs, outputs)


def _variables(
    described: tuple[DescribedVariable, ...], norms: list[Range], transforms: tuple[str, ...]
) -> tuple[Variable, ...]:
    names = transforms or tuple(variable.transform for variable in described)
    return tuple(
        dataclasses.replace(variable.variable(norm), transform_name=name)
        for variable, norm, name in zip(described, norms, names, strict=True)
    )


def _table(rows: list[list[float]]) -> Array:
    try:
        return np.array(rows, dtype=np.float64)
    except ValueError:
        return np.empty(0)  # rows of unequal length


Description = TypeVar("Description", bound=Described)


def read_description(model: type[Description], path: Path) -> Description:
    """Return the description in a YAML file; raise the errors of :func:`parse_description`."""
    data = read_yaml(path, NetworkError)
    try:
        text = json.dumps(data, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise NetworkError(
            f"{path.name}: {error}. Write finite numbers, texts, lists and mappings only."
        ) from None
    # Checked as JSON, so that one schema serves both kinds of file.
    return parse_description(model, text, path.name)


def parse_description(model: type[Description], text: str | bytes, where: str) -> Description:
    """Return a description from JSON text.

    Raises:
        NetworkError: the description is not valid; the message lists everything that is wrong.
    """
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        complaints = "; ".join(
            f"{'.'.join(str(part) for part in entry['loc']) or 'text'}: {entry['msg']}"
            for entry in error.errors()
        )
        raise NetworkError(f"{where} is not a valid description: {complaints}.") from None


def named_files(names: Iterable[str], folder: Path, yaml: Path) -> dict[str, Path]:
    """Return the files whose names are in a YAML; refuse files outside ``folder``.

    Without this check, a YAML from an unknown source, or a link beside it, could open any file.
    """
    files = {name: folder / name for name in names}
    for name, file in files.items():
        try:
            inside, exists = is_inside(file, folder), file.is_file()
        except (OSError, ValueError) as error:  # too long, or with a null byte
            raise NetworkError(
                f"{yaml.name}: {name[:60]!r} cannot be the name of a file ({error.args[-1]}). "
                "Correct it."
            ) from None
        if PurePath(name).is_absolute() or ".." in PurePath(name).parts or not inside:
            raise NetworkError(
                f"{yaml.name}: {name!r} leads out of the folder of {yaml.name}, expected a "
                "file in this folder or below it. Copy the file there."
            )
        if not exists:
            raise NetworkError(f"{yaml.name}: {name} is not in '{folder}'. Copy it there.")
    return files


def is_inside(file: Path, folder: Path) -> bool:
    """Return whether a file is in a folder or below it, also if links are followed."""
    return file.resolve().is_relative_to(folder.resolve())
