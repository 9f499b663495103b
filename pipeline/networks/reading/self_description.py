"""The JSON attribute by which a file in OC-SMART's layout describes itself (docs/networks.md)."""

from typing import Any

from pipeline.errors import NetworkError
from pipeline.networks.description import Layer, Network
from pipeline.networks.reading.schema import NetworkDescription, Range, parse_description
from pipeline.networks.variable import Array, Variable

ATTRIBUTE = "ocpipe_description"


class SelfDescription(NetworkDescription):
    """What the layout itself leaves out; training ranges are in Norm_in and Norm_out."""

    activations: list[str]

    @classmethod
    def parse(cls, text: str | bytes, file_name: str) -> "SelfDescription":
        """From the attribute's text.

        Raises:
            NetworkError: it is not JSON, or not of this schema.
        """
        return parse_description(cls, text, f"{file_name}: attribute {ATTRIBUTE}")

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
        where = f"{file_name}: attribute {ATTRIBUTE}"
        for what, described, stored in (
            ("inputs", len(self.inputs), len(norm_in)),
            ("outputs", self.output_count, len(norm_out)),
            ("activations", len(self.activations), len(kernels_and_biases)),
        ):
            if described != stored:
                raise NetworkError(f"{where} lists {described} {what}, the file has {stored}.")
        layers = activated(kernels_and_biases, self.activations)
        try:
            return self.assemble(layers, ranges(norm_in), ranges(norm_out), file_name, sha256)
        except NetworkError as error:
            raise NetworkError(f"{where}: {error}") from None


def activated(
    kernels_and_biases: list[tuple[Array, Array]], activations: list[str]
) -> tuple[Layer, ...]:
    """Layers of stored weights, one activation each."""
    return tuple(
        Layer(kernel, bias, activation)
        for (kernel, bias), activation in zip(kernels_and_biases, activations, strict=True)
    )


def ranges(norm: Array) -> list[Range]:
    """The rows of Norm_in or Norm_out with shape (n, 2), as pairs."""
    return [(float(low), float(high)) for low, high in norm]


def self_description(network: Network) -> dict[str, Any]:
    """What the attribute says of a network, as plain data; training ranges are elsewhere."""
    described: dict[str, Any] = {
        "schema": 1,
        "name": network.name,
        "title": network.title,
        "sensors": list(network.sensors),
        "inputs": [_described(variable) for variable in network.inputs],
    }
    if network.classes:
        described["classes"] = {
            "quantity": network.class_quantity,
            "names": list(network.classes),
        }
    else:
        described["outputs"] = [_described(variable) for variable in network.outputs]
    described["activations"] = [layer.activation for layer in network.layers]
    described |= {"citation": network.citation, "licence": network.licence}
    described |= {"training": network.training}
    if network.after:
        described["after"] = list(network.after)
    if network.golden is not None:
        described["golden"] = {
            "inputs": network.golden.inputs.tolist(),
            "outputs": network.golden.outputs.tolist(),
        }
    return described


def _described(variable: Variable) -> dict[str, Any]:
    described: dict[str, Any] = {
        "quantity": variable.quantity,
        "wavelength_nm": variable.wavelength_nm,
        "units": variable.units,
        "transform": variable.transform_name,
        "scaling": variable.scaling_name,
        "long_name": variable.long_name,
        "standard_name": variable.standard_name,
    }
    if variable.scaling_parameters is not None:
        described["mean"], described["std"] = variable.scaling_parameters
    return {key: value for key, value in described.items() if value not in (None, "")}
