"""What a description of a network says, be it the JSON attribute of a file or a YAML file.

Both have these keys (docs/networks.md); each adds its own way to weights and ranges.
"""

import json
from collections.abc import Collection
from pathlib import Path
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
from pipeline.machine.files import read_yaml
from pipeline.networks.after import AFTER
from pipeline.networks.description import GoldenSpectra, Layer, Network, class_outputs
from pipeline.networks.transforms import TRANSFORMS
from pipeline.networks.variable import SCALINGS, Array, Variable

Range = tuple[float, float]
UNKNOWN_RANGE: Range = (-np.inf, np.inf)


def known_in(names: Collection[str]) -> AfterValidator:
    """Return a validator of names: only those of a table are taken."""

    def check(name: str) -> str:
        if name not in names:
            # The names may hold braces, so they come in as a value.
            words = {"known": ", ".join(names), "name": name}
            raise PydanticCustomError("unknown", "expected one of {known}, found '{name}'", words)
        return name

    return AfterValidator(check)


class Described(BaseModel):
    """Frozen; an unknown key, NaN or infinity is an error."""

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
            raise PydanticCustomError("pair", "mean and std belong together, give both or neither")
        return self

    def variable(self, norm: Range) -> Variable:
        """With the training range of the transformed quantity."""
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
    """The classes whose probabilities a network gives, in the order of its outputs."""

    quantity: str
    names: tuple[str, ...] = Field(min_length=1)


class DescribedGolden(Described):
    """Inputs and the outputs they must give."""

    inputs: list[list[float]]
    outputs: list[list[float]]


class NetworkDescription(Described):
    """What every description says."""

    schema_: Literal[1] = Field(alias="schema")
    name: str
    title: str = ""
    sensors: list[str] = Field(min_length=1)
    inputs: tuple[DescribedVariable, ...]
    classes: DescribedClasses | None = None
    outputs: tuple[DescribedVariable, ...] | None = Field(default=None, validate_default=True)
    citation: str = ""
    licence: str = ""
    training: dict[str, Any] = {}
    after: tuple[Annotated[str, known_in(AFTER)], ...] = ()
    """What may follow the network."""
    golden: DescribedGolden | None = None

    @field_validator("outputs")
    @classmethod
    def _outputs_or_classes(cls, value: Any, info: ValidationInfo) -> Any:
        has_classes = info.data.get("classes") is not None
        if value is None and not has_classes and "classes" in info.data:
            raise PydanticCustomError("missing", "Field required, or classes")
        if value is not None and has_classes:
            raise PydanticCustomError("exclusive", "give outputs or classes, not both")
        return value

    @property
    def output_count(self) -> int:
        """Number of outputs, or of classes."""
        if self.classes is not None:
            return len(self.classes.names)
        return len(self.outputs or ())

    def assemble(
        self,
        layers: tuple[Layer, ...],
        input_norms: list[Range],
        output_norms: list[Range],
        file_name: str,
        sha256: str,
    ) -> Network:
        """The network of these layers.

        Args:
            layers: from the first to the last.
            input_norms: the training range of each transformed input.
            output_norms: the same of the outputs; classes have none.
            file_name: for messages and products.
            sha256: of what the network was read from.

        Raises:
            NetworkError: the golden spectra are not tables of the right shape.
        """
        classes = self.classes
        return Network(
            name=self.name,
            title=self.title,
            inputs=tuple(v.variable(n) for v, n in zip(self.inputs, input_norms, strict=True)),
            outputs=class_outputs(classes.names)
            if classes is not None
            else tuple(
                v.variable(n) for v, n in zip(self.outputs or (), output_norms, strict=True)
            ),
            layers=layers,
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
                f"golden spectra are not tables of {len(self.inputs)} inputs and "
                f"{self.output_count} outputs, row by row."
            )
        return GoldenSpectra(inputs, outputs)


def _table(rows: list[list[float]]) -> Array:
    try:
        return np.array(rows, dtype=np.float64)
    except ValueError:
        return np.empty(0)  # rows of unequal length


Description = TypeVar("Description", bound=Described)


def read_description(model: type[Description], path: Path) -> Description:
    """Return the description in a YAML file.

    Raises:
        NetworkError: it is not YAML, not plain data, or not of this schema; all complaints at once.
    """
    data = read_yaml(path, NetworkError)
    try:
        text = json.dumps(data, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise NetworkError(
            f"{path.name}: {error}. Write finite numbers, texts, lists and mappings only."
        ) from None
    # Judged as JSON, so that one schema serves both kinds of file.
    return parse_description(model, text, path.name)


def parse_description(model: type[Description], text: str | bytes, where: str) -> Description:
    """A description from JSON text.

    Raises:
        NetworkError: it is not JSON, or not of this schema; all complaints at once.
    """
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        complaints = "; ".join(
            f"{'.'.join(str(part) for part in entry['loc']) or 'text'}: {entry['msg']}"
            for entry in error.errors()
        )
        raise NetworkError(f"{where} is wrong: {complaints}.") from None
