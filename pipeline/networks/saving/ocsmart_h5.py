"""OC-SMART's layout, with the attribute by which a file describes itself.

Kernels are stored (outputs, inputs), biases (outputs, 1), sizes as int8 where they fit; what that
program cannot run is named by :func:`beyond_ocsmart`.
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

# What ``Layers`` holds as int8, in which OC-SMART's program computes with it.
MOST_UNITS = 127
LONGEST_IN_OLD_LAYOUT = 60_000
ANGLES = ("solar_zenith", "sensor_zenith", "relative_azimuth")


def beyond_ocsmart(network: Network) -> list[str]:
    """Why OC-SMART's program could not run a network; empty where it could.

    It knows tanh and a linear last layer, log10 of everything but three leading cosines, ranges of
    all variables, and sizes of one byte.
    """
    reasons = []
    *hidden, last = [layer.activation for layer in network.layers]
    other = sorted({a for a in hidden if a != "tanh"} | ({last} - {"linear"}))
    if other or network.classes:
        reasons.append(
            f"it has {', '.join(other) or 'classes'}, expected tanh in hidden layers and a linear "
            "last one"
        )
    sizes = [len(network.inputs), *(layer.bias.size for layer in network.layers)]
    if max(sizes) > MOST_UNITS:
        reasons.append(f"a layer of {max(sizes)} units, at most {MOST_UNITS} fit its int8")
    odd = [v.name for v in network.inputs[_angles(network) :] if v.transform_name != "log10"]
    odd += [v.name for v in network.outputs if v.transform_name != "log10"]
    if odd:
        reasons.append(f"{', '.join(odd)} without log10")
    return reasons


def _angles(network: Network) -> int:
    """How many leading inputs are the cosines of the three angles."""
    first = network.inputs[: len(ANGLES)]
    are_angles = tuple(v.quantity for v in first) == ANGLES and all(
        v.transform_name == "cos_degrees" for v in first
    )
    return len(ANGLES) if are_angles else 0


def save_ocsmart(path: Path, network: Network, _: str) -> list[Path]:
    """Write the file; equal networks are equal bytes.

    Scalings other than onto [-1, 1] go into the first and the last layer, where ranges are known.
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
    # The oldest layout of HDF5, which all read, has no room for a longer attribute.
    layout = None if len(described) < LONGEST_IN_OLD_LAYOUT else ("v108", "v108")
    with h5py.File(path, "w", libver=layout) as file:
        file.attrs[ATTRIBUTE] = described
        for name, values in datasets.items():
            file.create_dataset(name, data=values, track_times=False)
    return [path]


def _with_minmax(network: Network) -> Network:
    inputs, outputs = network.inputs, network.outputs
    if _has_ranges(inputs):
        inputs = scaled_as(inputs, "minmax")
    if _has_ranges(outputs):
        outputs = scaled_as(outputs, "minmax")
    return rescaled(network, inputs, outputs)


def _has_ranges(variables: tuple[Any, ...]) -> bool:
    return bool(np.isfinite([(v.minimum, v.maximum) for v in variables]).all())


def _norm(variables: tuple[Any, ...]) -> npt.NDArray[np.float64]:
    return np.array([(v.minimum, v.maximum) for v in variables], dtype=np.float64)
