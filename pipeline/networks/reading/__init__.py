"""Reads a network file into a description; ``FORMATS`` is the table of file formats."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import DAMAGE, NetworkError
from pipeline.facts.foreign_formats import foreign_format
from pipeline.files.access import why_absent, why_unreadable
from pipeline.files.contents import sha256_of
from pipeline.files.hdf5 import has_hdf5_signature
from pipeline.files.identity import unchanged
from pipeline.files.regular import memory_in_words
from pipeline.networks.checks import check_golden, check_network
from pipeline.networks.description import Layer, Network
from pipeline.networks.reading.c2rcc_net import is_c2rcc, read_c2rcc
from pipeline.networks.reading.described_yaml import (
    SUFFIXES,
    description_of,
    is_described,
    names_members,
    read_described,
)
from pipeline.networks.reading.keras_file import is_keras, keras_layers
from pipeline.networks.reading.keras_weights import is_weights_only
from pipeline.networks.reading.named_arrays import is_npz, open_named_arrays
from pipeline.networks.reading.ocsmart_h5 import describes_itself, is_ocsmart, read_ocsmart
from pipeline.networks.reading.onnx.network import read_onnx_graph
from pipeline.networks.reading.onnx_file import (
    described_by_attribute,
    described_by_names,
    is_onnx,
)
from pipeline.networks.reading.safetensors_file import is_safetensors
from pipeline.networks.reading.self_description import ATTRIBUTE


@dataclass(frozen=True)
class Format:
    """A format of network files."""

    recognises: Callable[[Path], bool]
    """Returns True if the content of a file has this format, even if the file is broken."""
    read: Callable[[Path], Network]
    looks_like: str
    """Words for messages; they say what a file of this format contains."""


def _ocsmart(path: Path) -> Network:
    """Read a file in OC-SMART's layout.

    The attribute in the file describes the network. If the attribute is missing, a YAML file
    describes it. If there is no YAML file either, the description is found by the file name.
    """
    beside = None if describes_itself(path) else description_of(path)
    if beside is not None:
        return read_described(beside, path)
    with unchanged([path], NetworkError):
        return read_ocsmart(path, sha256_of(path, NetworkError))


def _keras(path: Path) -> Network:
    described = description_of(path)
    if described is None:
        raise NetworkError(_undescribed(path, keras_layers(path)))
    return read_described(described, path)


def _onnx(path: Path) -> Network:
    """Read an ONNX file; an attribute, a YAML, or the names of its variables describe it."""
    with unchanged([path], NetworkError):
        graph = read_onnx_graph(path)
        if ATTRIBUTE in graph.metadata:
            return described_by_attribute(graph, path)
        described = description_of(path)
        named = described_by_names(graph, path) if described is None else None
    if named is not None:
        return named
    if described is None:
        raise NetworkError(_undescribed(path, graph.layers, "an ONNX model", graph.class_names))
    return read_described(described, path)


def _weights_only(path: Path) -> Network:
    """Read a file of Keras that has no model; a YAML with activations describes it."""
    described = description_of(path)
    if described is None:
        raise NetworkError(
            f"{path.name} has weights of Keras but no model. Save the whole model with model.save, "
            f"or write {path.stem}.yaml beside it, with weights: {path.name} and the activation of "
            "each layer under the key 'activations' (docs/networks_from.md)."
        )
    return read_described(described, path)


def _is_arrays(path: Path) -> bool:
    if is_safetensors(path) or is_npz(path):
        return True
    # Scenes are HDF5, too; only a YAML says that the arrays belong to a network. The YAML beside a
    # scene may be anything, also something that cannot be read.
    try:
        return has_hdf5_signature(path, NetworkError) and description_of(path) is not None
    except (OSError, NetworkError):
        return False


def _arrays(path: Path) -> Network:
    """Read a file of arrays with names; a YAML says which arrays are the layers."""
    described = description_of(path)
    if described is not None:
        return read_described(described, path)
    with open_named_arrays(path) as arrays:
        listed = arrays.listed()
    raise NetworkError(
        f"{path.name} has arrays, but no file says which of them are the layers of a network: "
        f"{listed}. Write {path.stem}.yaml beside it, with weights: {path.name} and the names of "
        "kernel and bias of each layer under the key 'layers' (docs/networks_from.md)."
    )


# The first format that recognises a file reads it.
FORMATS: dict[str, Format] = {
    "ocsmart_h5": Format(
        is_ocsmart, _ocsmart, "HDF5 with Layers, Norm_in, Norm_out, Weights/LayerK and Bias/LayerK"
    ),
    "keras_weights": Format(
        is_weights_only, _weights_only, "weights that save_weights of Keras wrote"
    ),
    "keras": Format(is_keras, _keras, "a model that model.save wrote"),
    "onnx": Format(is_onnx, _onnx, "a chain of dense layers that a framework exported"),
    "c2rcc": Format(is_c2rcc, read_c2rcc, "a text network (.net) of C2RCC"),
    "arrays": Format(_is_arrays, _arrays, "arrays with names in safetensors, npz or HDF5"),
    "yaml": Format(is_described, read_described, "a description of a weight file or of CSV tables"),
}


def load_network(path: str | Path) -> Network:
    """Read a network file and check it.

    If the file has golden spectra, the float64 reference recomputes them.

    Raises:
        NetworkError: the file is missing, broken (the message says where), or of unknown format.
    """
    path = Path(path)
    if not path.is_file():
        raise NetworkError(_not_a_file(path))
    for known in FORMATS.values():
        if known.recognises(path):
            network = check_network(_read(known.read, path))
            with memory_in_words(path.name, NetworkError):
                check_golden(network)
            return network
    if path.suffix.lower() in SUFFIXES:
        if names_members(path):
            raise NetworkError(
                f"{path.name} is an ensemble, expected a single network. Give the file of one "
                "member, or open the ensemble with load_retrieval."
            )
        read_described(path)  # raises the error that says what is wrong with the YAML
    foreign = foreign_format(path)
    if foreign is not None:
        raise NetworkError(f"{path.name}: {foreign}")
    formats = "; ".join(f"{name} ({known.looks_like})" for name, known in FORMATS.items())
    raise NetworkError(
        f"{path.name}: no known network format, expected one of {formats}. Save the network in one "
        "of them (docs/networks.md); ocpipe never opens a pickle."
    )


def _not_a_file(path: Path) -> str:
    absent = why_absent(path)
    if absent is None:
        foreign = foreign_format(path)
        advice = "no such network file: this is a folder. Give the path of a file in it."
        return f"{path}: {foreign or advice}"
    return f"{path}: {absent.replace('no such file', 'no such network file')}."


def _read(read: Callable[[Path], Network], path: Path) -> Network:
    try:
        with memory_in_words(path.name, NetworkError):
            return read(path)
    except DAMAGE as error:
        reason = why_unreadable(error)
        raise NetworkError(
            f"{path.name}: cannot be read now: {reason}."
            if reason
            else f"{path.name}: cannot be read ({error}). The file is damaged; fetch it again."
        ) from error


def is_network(path: Path) -> bool:
    """Return whether any network format recognises the content of a file."""
    return any(known.recognises(path) for known in FORMATS.values())


def _undescribed(
    path: Path,
    layers: tuple[Layer, ...],
    what: str = "a Keras model",
    classes: tuple[str, ...] = (),
) -> str:
    """Return the message for a model that nothing describes; it includes a draft YAML."""
    sizes = [layers[0].kernel.shape[0], *(layer.bias.size for layer in layers)] if layers else [0]
    activations = ", ".join(layer.activation for layer in layers)
    other = path.with_suffix(".yaml")
    unused = f" ({other.name} exists, but it does not describe {path.name})"
    variable = "wavelength_nm: 443, units: sr-1, transform: none, scaling: none}"
    if layers and layers[-1].activation == "softmax":
        names = classes or tuple(f"class_{number}" for number in range(1, sizes[-1] + 1))
        ends = f"classes: {{quantity: water_type, names: [{', '.join(names)}]}}"
    else:
        ends = f"outputs:\n  - {{quantity: aph, {variable.replace('sr-1', 'm-1')}"
    return (
        f"{path.name}: {what} {'-'.join(map(str, sizes))} ({activations}), but no file says "
        f"what its {sizes[0]} inputs and {sizes[-1]} outputs are. Write {path.stem}.yaml beside it"
        f"{unused if other.is_file() else ''} (docs/networks.md):\n"
        "schema: 1\n"
        f"name: {path.stem}\n"
        f"weights: {path.name}\n"
        "sensors: [MODIS-Aqua]\n"
        "inputs:     # all of them, in order\n"
        f"  - {{quantity: Rrs, {variable}\n"
        f"{ends}"
    )
