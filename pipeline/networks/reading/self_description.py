"""The JSON attribute with which a file in OC-SMART's layout describes itself (docs/networks.md)."""

from typing import Any

import numpy as np

from pipeline.networks.description import Network
from pipeline.networks.reading.schema import NetworkDescription
from pipeline.networks.variable import Variable

ATTRIBUTE = "ocpipe_description"


class SelfDescription(NetworkDescription):
    """The keys of the attribute. The training ranges are not here, but in Norm_in and Norm_out."""

    activations: list[str]


def self_description(network: Network) -> dict[str, Any]:
    """Return the content of the attribute, without training ranges, as plain data."""
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


def ranged_description(network: Network) -> dict[str, Any]:
    """Return the description with training ranges, for files that have them nowhere else."""
    described = self_description(network)
    for key, variables in (("inputs", network.inputs), ("outputs", network.outputs)):
        if key not in described:  # a classifier describes classes, not outputs
            continue
        for entry, variable in zip(described[key], variables, strict=True):
            entry["scaling"] = variable.scaling_name
            ends = [variable.minimum, variable.maximum]
            if np.isfinite(ends).all():
                entry["norm"] = ends
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
