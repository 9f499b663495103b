"""Reads Keras files, ``.h5`` (Keras 2 and 3) and ``.keras`` (a zip), without the Keras library.

Only JSON and arrays are read, with json, zipfile and h5py. Nothing in these files is run: a model
that needs code from the file (Lambda, custom classes, pickles) is refused.
"""

import json
import re
import zipfile
import zlib
from pathlib import Path
from typing import Any

from pipeline.errors import DAMAGE, NetworkError
from pipeline.files.archive import open_archive, read_member, refuse_twins
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
ROOTS = ("layers", "_layer_checkpoint_dependencies")
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


def _by_name(stored: Hdf5Arrays) -> WeightsOf:
    def weights_of(layer: KerasLayer) -> list[Array]:
        where = f"model_weights/{layer.name}"
        names = stored.group(where).attrs.get("weight_names", ())
        return [stored.array(f"{where}/{text_of(name)}") for name in names]

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
    refuse_twins(archive, "the file", NetworkError)


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    """Return one file in the zip."""
    if name not in archive.namelist():
        raise NetworkError(f"the file lacks {name}. It is incomplete; fetch it again.")
    return read_member(archive, name, MEMBERS[name], NetworkError)


def _by_order(stored: Hdf5Arrays) -> WeightsOf:
    """Find a layer's weights by its class and its place among the layers of this class.

    The path in the file depends on the version of Keras.
    """
    root = next((name for name in ROOTS if stored.has(name)), ROOTS[-1])

    def weights_of(layer: KerasLayer) -> list[Array]:
        counted = f"_{layer.index}" if layer.index else ""
        snake_case = re.sub("(?<=[a-z])(?=[A-Z])", "_", layer.class_name).lower()
        where = f"{root}/{snake_case}{counted}/vars"
        group = stored.group(where)
        name = text_of(group.attrs.get("name", layer.name))
        if name != layer.name:
            raise NetworkError(
                f"the weights at {where} belong to layer {name!r}, expected {layer.name!r}. "
                "Save the model again."
            )
        return [stored.array(f"{where}/{number}") for number in range(len(group))]

    return weights_of


def _json(text: Any, what: str) -> Config:
    """Parse a JSON object of plausible size."""
    content = text_of(text)
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


def text_of(value: Any) -> str:
    """Return a text of an attribute or a member; Keras stores it as text or as bytes."""
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return repr(value[:20])  # not JSON; the message then shows its beginning
    return str(value)
