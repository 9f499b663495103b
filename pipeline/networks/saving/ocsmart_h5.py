"""Saves a network in OC-SMART's layout, with the attribute that describes the file.

A stored kernel has shape (outputs, inputs). A stored bias has shape (outputs, 1). Layer sizes are
stored as int8 if all fit.
"""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from pipeline.networks.description import Network
from pipeline.networks.reading.self_description import ATTRIBUTE, self_description
from pipeline.networks.rescaling import rescaled, scaled_as
from pipeline.networks.variable import Array, Variable, limits

# The largest size in int8, the type of ``Layers`` in OC-SMART's program.
MOST_UNITS = 127
LONGEST_IN_OLD_LAYOUT = 60_000
ANGLES = ("solar_zenith", "sensor_zenith", "relative_azimuth")


def beyond_ocsmart(network: Network) -> list[str]:
    """Return the reasons why OC-SMART's program cannot run a network; none if it can.

    The program supports tanh in hidden layers, a linear last layer, and at most 127 units a layer.
    All variables must have the transform log10. The first three inputs may be cosines of angles.
    """
    reasons = []
    *hidden, last = [layer.activation for layer in network.layers]
    other = sorted({a for a in hidden if a != "tanh"} | ({last} - {"linear"}))
    if other or network.classes:
        reasons.append(
            f"it has {', '.join(other) or 'classes'}, expected tanh in hidden layers and a linear "
            "last layer"
        )
    sizes = [len(network.inputs), *(layer.bias.size for layer in network.layers)]
    if max(sizes) > MOST_UNITS:
        reasons.append(f"a layer has {max(sizes)} units, expected at most {MOST_UNITS} (int8)")
    odd = [v.name for v in network.inputs[_angles(network) :] if v.transform_name != "log10"]
    odd += [v.name for v in network.outputs if v.transform_name != "log10"]
    if odd:
        reasons.append(f"{', '.join(odd)} do not have the transform log10")
    return reasons


def _angles(network: Network) -> int:
    """Return 3 if the first three inputs are the cosines of the angles, otherwise 0."""
    first = network.inputs[: len(ANGLES)]
    are_angles = tuple(v.quantity for v in first) == ANGLES and all(
        v.transform_name == "cos_degrees" for v in first
    )
    return len(ANGLES) if are_angles else 0


def save_ocsmart(path: Path, network: Network, _: str) -> list[Path]:
    """Write the file; equal networks give equal bytes.

    If the ranges are known, all scalings become minmax, and the weights are adapted.
    """
    network = _with_minmax(network)
    sizes = np.array([len(network.inputs), *(layer.bias.size for layer in network.layers)])
    datasets: dict[str, npt.NDArray[Any]] = {
        "Layers": sizes.astype(np.int8 if sizes.max() <= MOST_UNITS else np.int16),
        "Norm_in": _norm(network.inputs),
        "Norm_out": _norm(network.outputs),
    }
    for number, layer in enumerate(network.layers, start=1):
        datasets[f"Weights/Layer{number}"] = layer.kernel.T
        datasets[f"Bias/Layer{number}"] = layer.bias[:, np.newaxis]
    described = json.dumps(self_description(network))
    # The oldest format of HDF5, which every program reads, has no room for a longer attribute.
    layout = None if len(described) < LONGEST_IN_OLD_LAYOUT else ("v108", "v108")
    with h5py.File(path, "w", libver=layout) as file:
        file.attrs[ATTRIBUTE] = described
        for name, values in datasets.items():
            file.create_dataset(name, data=values, track_times=False)
    return [path]


def _with_minmax(network: Network) -> Network:
    ends = [
        scaled_as(variables, "minmax") if np.isfinite(_norm(variables)).all() else variables
        for variables in (network.inputs, network.outputs)
    ]
    return rescaled(network, *ends)


def _norm(variables: tuple[Variable, ...]) -> Array:
    return np.stack(limits(variables), axis=1)
