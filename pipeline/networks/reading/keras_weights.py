"""Reads the weights that ``save_weights`` of Keras wrote, without the model.

Such a file does not say what its layers compute. So only layers Dense are read, and only if the
file leaves no doubt about their order. A YAML gives their activations.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import DAMAGE, NetworkError
from pipeline.files.hdf5 import has_hdf5_signature, names_at_root, open_hdf5
from pipeline.files.regular import memory_in_words
from pipeline.networks.description import Layer
from pipeline.networks.reading.hdf5_arrays import Hdf5Arrays
from pipeline.networks.reading.keras_file import ROOTS, text_of
from pipeline.networks.variable import Array

# The arrays of a layer Dense, by their names in Keras 2.
_NAMES = (["kernel"], ["kernel", "bias"])
# Arrays of Keras 3 that no prediction uses: the state of training and of random numbers.
_UNUSED = re.compile(r"(optimizer|metrics)/.*|.*/seed_generator/.*")
_DENSE = re.compile(r"dense(?:_([1-9]\d{0,3}))?/vars/(\d)")
_WAY_OUT = "Save the whole model with model.save."


def is_weights_only(path: Path) -> bool:
    """Return whether ``save_weights`` wrote a file, so that it has weights but no model."""
    try:
        if not has_hdf5_signature(path, NetworkError):
            return False
        members, attributes = names_at_root(path, NetworkError)
    except DAMAGE:
        return False
    if "model_config" in attributes or "model_weights" in members:
        return False
    return "layer_names" in attributes or bool(members & set(ROOTS))


def keras_weights(path: Path, activations: Sequence[str]) -> tuple[Layer, ...]:
    """Read the dense layers of a file that ``save_weights`` wrote.

    Args:
        path: the file.
        activations: the activation of each layer that has weights, in order.

    Raises:
        NetworkError: the file is damaged, has other layers, or has another number of layers.
    """
    with memory_in_words(path.name, NetworkError), open_hdf5(path, NetworkError) as file:
        stored = Hdf5Arrays(file)
        if "layer_names" in file.attrs:
            arrays = _of_keras_2(stored, file.attrs["layer_names"])
        else:
            arrays = _of_keras_3(stored)
    if len(arrays) != len(activations):
        raise NetworkError(
            f"{path.name} has {len(arrays)} layers with weights ({', '.join(arrays) or 'none'}), "
            f"but the YAML has {len(activations)} activations. Give one activation for each."
        )
    pairs = zip(arrays.items(), activations, strict=True)
    return tuple(
        _dense(f"{path.name}: layer {name!r}", weights, activation)
        for (name, weights), activation in pairs
    )


def _dense(what: str, weights: list[Array], activation: str) -> Layer:
    """Return a layer; a layer Dense may have no bias."""
    kernel = weights[0]
    bias = weights[1] if len(weights) > 1 else np.zeros(kernel.shape[-1:])
    if len(weights) > 2 or kernel.ndim != 2 or bias.shape != kernel.shape[1:]:
        shapes = ", ".join(str(each.shape) for each in weights)
        raise NetworkError(
            f"{what} has weights with the shapes {shapes}, expected a kernel (inputs, units) and a "
            f"bias (units,) of a layer Dense. {_WAY_OUT}"
        )
    return Layer(kernel, bias, activation)


def _of_keras_2(stored: Hdf5Arrays, layers: Any) -> dict[str, list[Array]]:
    """Return the weights of each layer that has weights; the file states the order."""
    found: dict[str, list[Array]] = {}
    for layer in map(text_of, layers):
        names = [text_of(name) for name in stored.group(layer).attrs.get("weight_names", ())]
        if layer in found:
            raise NetworkError(f"layer {layer!r} is listed twice. Fetch the file again.")
        kinds = [name.rsplit("/", 1)[-1].split(":")[0] for name in names]
        if kinds and kinds not in _NAMES:
            raise NetworkError(_not_dense(layer, f"the weights {', '.join(kinds)}"))
        if names:
            found[layer] = [_floats(stored, layer, f"{layer}/{name}") for name in names]
    return found


def _of_keras_3(stored: Hdf5Arrays) -> dict[str, list[Array]]:
    """Return the weights of each layer; Keras counts the layers Dense in their order."""
    root = next(name for name in ROOTS if stored.has(name))
    found: dict[int, dict[int, str]] = {}
    for path in stored.shapes():
        if _UNUSED.fullmatch(path):
            continue
        match = _DENSE.fullmatch(path.removeprefix(f"{root}/"))
        if match is None or not path.startswith(f"{root}/"):
            layer = path.removeprefix(f"{root}/").split("/vars/")[0]
            raise NetworkError(_not_dense(layer, "weights"))
        found.setdefault(int(match[1] or 0), {})[int(match[2])] = path
    layers: dict[str, list[Array]] = {}
    for place, paths in sorted(found.items()):
        layer = f"dense_{place}" if place else "dense"
        if place != len(layers) or sorted(paths) != list(range(len(paths))):
            raise NetworkError(
                f"the weights before {paths[min(paths)]} are missing. The file is incomplete; "
                "fetch it again."
            )
        layers[layer] = [_floats(stored, layer, paths[number]) for number in sorted(paths)]
    return layers


def _floats(stored: Hdf5Arrays, layer: str, path: str) -> Array:
    """Return weights; a quantized model has integers, which mean nothing without their scale."""
    if stored.kind(path) in "iu":
        raise NetworkError(
            f"layer {layer!r} has integers as weights, so that it is quantized. Save the weights "
            "of the plain model."
        )
    return stored.array(path)


def _not_dense(layer: str, has: str) -> str:
    return (
        f"layer {layer[:60]!r} has {has}. From a file without a model, ocpipe reads only layers "
        f"Dense, one after the other. {_WAY_OUT}"
    )
