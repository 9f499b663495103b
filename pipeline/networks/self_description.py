"""The JSON attribute by which a file in OC-SMART's layout describes itself (docs/networks.md)."""

from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.errors import NetworkError
from pipeline.networks.description import Array, GoldenSpectra, Layer, Network, Variable

ATTRIBUTE = "ocpipe_description"


class _Described(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DescribedVariable(_Described):
    """An input or output, without its range, which is in Norm_in and Norm_out."""

    quantity: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")
    wavelength_nm: float | None = None
    units: str
    transform: Literal["none", "log10", "cos_degrees"]
    long_name: str = ""
    standard_name: str | None = None

    def variable(self, norm: Array) -> Variable:
        """With the range of one row of Norm_in or Norm_out."""
        return Variable(
            quantity=self.quantity,
            wavelength_nm=self.wavelength_nm,
            units=self.units,
            transform_name=self.transform,
            minimum=float(norm[0]),
            maximum=float(norm[1]),
            long_name=self.long_name,
            standard_name=self.standard_name,
        )


class DescribedGolden(_Described):
    """Inputs and the outputs they must give."""

    inputs: list[list[float]]
    outputs: list[list[float]]


class SelfDescription(_Described):
    """What the layout itself leaves out."""

    schema_: Literal[1] = Field(alias="schema")
    name: str
    title: str = ""
    sensors: list[str] = Field(min_length=1)
    inputs: list[DescribedVariable]
    outputs: list[DescribedVariable]
    activations: list[str]
    citation: str = ""
    licence: str = ""
    training: dict[str, Any] = {}
    golden: DescribedGolden | None = None

    @classmethod
    def parse(cls, text: str | bytes, file_name: str) -> "SelfDescription":
        """From the attribute's text.

        Raises:
            NetworkError: it is not JSON, or not of this schema.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            complaints = "; ".join(
                f"{'.'.join(str(part) for part in entry['loc']) or 'text'}: {entry['msg']}"
                for entry in error.errors()
            )
            raise NetworkError(
                f"{file_name}: attribute {ATTRIBUTE} is wrong: {complaints}."
            ) from None

    def network(
        self,
        kernels_and_biases: list[tuple[Array, Array]],
        norm_in: Array,
        norm_out: Array,
        file_name: str,
        sha256: str,
    ) -> Network:
        """The network with these weights and ranges.

        Raises:
            NetworkError: it describes other numbers of inputs, outputs or layers than the file has.
        """
        for what, described, stored in (
            ("inputs", len(self.inputs), len(norm_in)),
            ("outputs", len(self.outputs), len(norm_out)),
            ("activations", len(self.activations), len(kernels_and_biases)),
        ):
            if described != stored:
                raise NetworkError(
                    f"{file_name}: attribute {ATTRIBUTE} lists {described} {what}, the file has "
                    f"{stored}."
                )
        return Network(
            name=self.name,
            title=self.title,
            inputs=tuple(v.variable(n) for v, n in zip(self.inputs, norm_in, strict=True)),
            outputs=tuple(v.variable(n) for v, n in zip(self.outputs, norm_out, strict=True)),
            layers=tuple(
                Layer(kernel, bias, activation)
                for (kernel, bias), activation in zip(
                    kernels_and_biases, self.activations, strict=True
                )
            ),
            sensors=tuple(self.sensors),
            citation=self.citation,
            licence=self.licence,
            file_name=file_name,
            sha256=sha256,
            training=self.training,
            golden=self._golden(file_name),
        )

    def _golden(self, file_name: str) -> GoldenSpectra | None:
        if self.golden is None:
            return None
        try:
            inputs = np.array(self.golden.inputs, dtype=np.float64)
            outputs = np.array(self.golden.outputs, dtype=np.float64)
        except ValueError:
            inputs = outputs = np.empty(0)  # rows of unequal length
        rows = len(inputs)
        shapes = (inputs.shape, outputs.shape)
        if rows == 0 or shapes != ((rows, len(self.inputs)), (rows, len(self.outputs))):
            raise NetworkError(
                f"{file_name}: attribute {ATTRIBUTE}: golden spectra are not tables of "
                f"{len(self.inputs)} inputs and {len(self.outputs)} outputs, row by row."
            )
        return GoldenSpectra(inputs, outputs)
