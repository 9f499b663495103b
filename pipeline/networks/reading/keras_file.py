"""Reads Keras files, ``.h5`` (Keras 2 and 3) and ``.keras`` (a zip), without the Keras library.

Only JSON and arrays are read, with json, zipfile and h5py. Nothing in these files is run: a model
that needs code from the file (Lambda, custom classes, pickles) is refused.
"""

import json
import re
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import DAMAGE, NetworkError
from pipeline.files.archive import open_archive, read_member
from pipeline.files.hdf5 import (
    has_hdf5_signature,
    names_at_root,
    open_hdf5,
    open_hdf5_in_memory,
)
from pipeline.files.limits import DESCRIPTION_BYTES, NETWORK_BYTES
from pipeline.files.regular import memory_in_words
from pipeline.networks.description import Layer
from pipeline.networks.reading.hdf5_arrays import Hdf5Arrays
from pipeline.networks.reading.keras_config import Config, KerasLayer
from pipeline.networks.reading.keras_layers import WeightsOf, dense_layers
from pipeline.networks.variable import Array

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
# The group of the layers in the files of Keras 3; the second name is older.
_ROOTS = ("layers", "_layer_checkpoint_dependencies")
MEMBERS = {CONFIG: DESCRIPTION_BYTES, METADATA: DESCRIPTION_BYTES, WEIGHTS: NETWORK_BYTES}


def is_keras(path: Path) -> bool:
    """Return whether a file is a Keras model (HDF5 or zip); the file may be broken."""
    try:
        if has_hdf5_signature(path, NetworkError):
            members, attributes = names_at_root(path, NetworkError)
            parts = {"model_config", "layer_names", "keras_version"}
            return "model_weights" in members or bool(parts & attributes)
        with open_archive(path, NetworkError) as archive:
            return path.suffix.lower() == ".keras" or CONFIG in archive.namelist()
    except (*DAMAGE, zipfile.BadZipFile):
        return False


def keras_layers(path: Path) -> tuple[Layer, ...]:
    """Read the model in a file; return it as float64 dense layers.

    Raises:
        NetworkError: the file is damaged, or its content is forbidden or implausibly large; the
            message names the layer.
    """
    read = _read_h5 if has_hdf5_signature(path, NetworkError) else _read_zip
    try:
        with memory_in_words(path.name, NetworkError):
            return read(path)
    except NetworkError as error:
        text = str(error).removeprefix(f"{path.name}: ")
        raise NetworkError(f"{path.name}: {text}") from None
    except (*DAMAGE, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise NetworkError(
            f"{path.name}: not a model as Keras saves it ({type(error).__name__}: {error}). The "
            "file is damaged or of an unknown version; save the model again with model.save."
        ) from error


def _read_h5(path: Path) -> tuple[Layer, ...]:
    with open_hdf5(path, NetworkError) as file:
        text = file.attrs.get("model_config")
        if text is None:
            raise NetworkError(
                "the file has weights but no model (no attribute model_config). Save the whole "
                "model with model.save, or give the key 'activations' in the YAML."
            )
        stored = Hdf5Arrays(file)
        return dense_layers(_json(text, "attribute model_config"), _by_name(stored))


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
    return "layer_names" in attributes or bool(members & set(_ROOTS))


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
    layers = []
    for (name, weights), activation in zip(arrays.items(), activations, strict=True):
        kernel, bias = (*weights, np.zeros(0))[:2]
        bias = bias if len(weights) == 2 else np.zeros(kernel.shape[-1])
        if not 1 <= len(weights) <= 2 or kernel.ndim != 2 or bias.shape != kernel.shape[1:]:
            shapes = ", ".join(str(each.shape) for each in weights)
            raise NetworkError(
                f"{path.name}: layer {name!r} has weights with the shapes {shapes}, expected a "
                "kernel (inputs, units) and a bias (units,) of a layer Dense. Save the whole model "
                "with model.save."
            )
        layers.append(Layer(kernel, bias, activation))
    return tuple(layers)


def _of_keras_2(stored: Hdf5Arrays, names: Any) -> dict[str, list[Array]]:
    """Return the weights of each layer that has weights; the file states the order."""
    found = {}
    for layer in map(_text, names):
        weights = stored.group(layer).attrs.get("weight_names", ())
        if len(weights):
            found[layer] = [stored.array(f"{layer}/{_text(name)}") for name in weights]
    return found


def _of_keras_3(stored: Hdf5Arrays) -> dict[str, list[Array]]:
    """Return the weights of each layer; Keras counts the layers of each class in order."""
    root = next(name for name in _ROOTS if stored.has(name))
    found: dict[int, tuple[str, list[Array]]] = {}
    for layer in stored.group(root):
        numbers = sorted(stored.group(f"{root}/{layer}/vars"), key=int)
        if not numbers:
            continue
        match = re.fullmatch(r"dense(?:_(\d{1,4}))?", layer)
        if match is None:
            raise NetworkError(
                f"layer {layer!r} has weights. From a file without a model, ocpipe reads only "
                "layers Dense. Save the whole model with model.save."
            )
        weights = [stored.array(f"{root}/{layer}/vars/{number}") for number in numbers]
        found[int(match[1] or 0)] = layer, weights
    return dict(found[place] for place in sorted(found))


def _by_name(stored: Hdf5Arrays) -> WeightsOf:
    def weights_of(layer: KerasLayer) -> list[Array]:
        where = f"model_weights/{layer.name}"
        names = stored.group(where).attrs.get("weight_names", ())
        return [stored.array(f"{where}/{_text(name)}") for name in names]

    return weights_of


def _read_zip(path: Path) -> tuple[Layer, ...]:
    with open_archive(path, NetworkError) as archive:
        _check_members(archive)
        config = _json(_member(archive, CONFIG), CONFIG)
        weights = _member(archive, WEIGHTS)
    with open_hdf5_in_memory(weights, WEIGHTS, NetworkError) as file:
        return dense_layers(config, _by_order(Hdf5Arrays(file)))


def _check_members(archive: zipfile.ZipFile) -> None:
    names = [info.filename for info in archive.infolist()]
    unknown = sorted(set(names) - set(MEMBERS))
    if unknown:
        raise NetworkError(
            f"the file contains {', '.join(repr(name) for name in unknown[:5])}, expected only "
            f"{CONFIG}, {METADATA} and {WEIGHTS}. Save the model again with model.save."
        )
    if len(set(names)) != len(names):
        raise NetworkError(
            f"the file contains a member twice: {', '.join(names)}. Fetch the file again."
        )


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    """Return one file in the zip."""
    if name not in archive.namelist():
        raise NetworkError(f"the file lacks {name}. It is incomplete; fetch it again.")
    return read_member(archive, name, MEMBERS[name], NetworkError)


def _by_order(stored: Hdf5Arrays) -> WeightsOf:
    """Find a layer's weights by its class and its place among the layers of this class.

    The path in the file depends on the version of Keras.
    """
    root = next((name for name in _ROOTS if stored.has(name)), _ROOTS[-1])

    def weights_of(layer: KerasLayer) -> list[Array]:
        counted = f"_{layer.index}" if layer.index else ""
        snake_case = re.sub("(?<=[a-z])(?=[A-Z])", "_", layer.class_name).lower()
        where = f"{root}/{snake_case}{counted}/vars"
        group = stored.group(where)
        name = _text(group.attrs.get("name", layer.name))
        if name != layer.name:
            raise NetworkError(
                f"the weights at {where} belong to layer {name!r}, expected {layer.name!r}. "
                "Save the model again."
            )
        return [stored.array(f"{where}/{number}") for number in range(len(group))]

    return weights_of


def _json(text: Any, what: str) -> Config:
    """Parse a JSON object of plausible size."""
    content = _text(text)
    DESCRIPTION_BYTES.check(len(content), what, NetworkError)
    try:
        data = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise NetworkError(
            f"{what} is not JSON ({error}). ocpipe reads only JSON, because a pickle could run "
            "code. Save the model again with model.save."
        ) from None
    if not isinstance(data, dict):
        raise NetworkError(
            f"{what} is a JSON {type(data).__name__}, expected an object. Save the model again."
        )
    return data


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return repr(value[:20])  # not JSON; the message then shows its beginning
    return str(value)
