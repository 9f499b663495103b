"""Network file -> description: one format per file, one table of them all."""

from collections.abc import Callable
from pathlib import Path

from pipeline.errors import DAMAGE, NetworkError
from pipeline.machine.files import sha256_of
from pipeline.networks.checks import check_golden, check_network
from pipeline.networks.description import Layer, Network
from pipeline.networks.reading.described_yaml import (
    SUFFIXES,
    description_of,
    is_described,
    names_members,
    read_described,
)
from pipeline.networks.reading.keras_file import is_keras, keras_layers
from pipeline.networks.reading.ocsmart_h5 import describes_itself, is_ocsmart, read_ocsmart


def _ocsmart(path: Path) -> Network:
    """What is in the file beats what is beside it, and that beats what its name says."""
    beside = None if describes_itself(path) else description_of(path)
    if beside is not None:
        return read_described(beside, path)
    return read_ocsmart(path, sha256_of(path))


def _keras(path: Path) -> Network:
    described = description_of(path)
    if described is None:
        raise NetworkError(_undescribed(path, keras_layers(path)))
    return read_described(described, path)


# (recognises the content, reads the file); the first that recognises a file reads it.
FORMATS: dict[str, tuple[Callable[[Path], bool], Callable[[Path], Network]]] = {
    "ocsmart_h5": (is_ocsmart, _ocsmart),
    "keras": (is_keras, _keras),
    "yaml": (is_described, read_described),
}


def load_network(path: str | Path) -> Network:
    """Read a network file and check it.

    A file that carries golden spectra is run on them with the float64 reference: it proves itself.

    Raises:
        NetworkError: the file is missing, of no known format, or broken; the message names the
            dataset.
    """
    path = Path(path)
    if not path.is_file():
        raise NetworkError(f"{path}: no such network file. Check the path.")
    for recognises, read in FORMATS.values():
        if recognises(path):
            network = check_network(_read(read, path))
            check_golden(network)
            return network
    if path.suffix.lower() in SUFFIXES:
        if names_members(path):
            raise NetworkError(
                f"{path.name} is an ensemble, expected a single network: name one of its members, "
                "or open it with load_retrieval."
            )
        read_described(path)  # says what is wrong with it
    raise NetworkError(
        f"{path.name}: no known network format; known are {', '.join(FORMATS)}. An OC-SMART file "
        "is HDF5 with Layers, Norm_in, Norm_out, Weights/LayerK and Bias/LayerK, a Keras file what "
        "model.save wrote, and a YAML file describes either of them or CSV tables "
        "(docs/networks.md). Pickles are never opened."
    )


def _read(read: Callable[[Path], Network], path: Path) -> Network:
    try:
        return read(path)
    except DAMAGE as error:
        raise NetworkError(
            f"{path.name}: cannot be read ({error}). The file is damaged; fetch it again."
        ) from error


def is_network(path: Path) -> bool:
    """Whether any network format recognises the content of a file."""
    return any(recognises(path) for recognises, _ in FORMATS.values())


def _undescribed(path: Path, layers: tuple[Layer, ...]) -> str:
    """A Keras model does not say what its inputs mean: what to write so that something does."""
    sizes = [layers[0].kernel.shape[0], *(layer.bias.size for layer in layers)] if layers else [0]
    activations = ", ".join(layer.activation for layer in layers)
    other = path.with_suffix(".yaml")
    unused = f" ({other.name} is there, but its weights are not {path.name})"
    variable = "wavelength_nm: 443, units: sr-1, transform: none, scaling: none}"
    return (
        f"{path.name}: a Keras model {'-'.join(map(str, sizes))} ({activations}), but nothing says "
        f"what its {sizes[0]} inputs and {sizes[-1]} outputs are. Write {path.stem}.yaml beside it"
        f"{unused if other.is_file() else ''} (docs/networks.md):\n"
        "schema: 1\n"
        f"name: {path.stem}\n"
        f"weights: {path.name}\n"
        "sensors: [MODIS-Aqua]\n"
        "inputs:     # all of them, in order\n"
        f"  - {{quantity: Rrs, {variable}\n"
        "outputs:\n"
        f"  - {{quantity: aph, {variable.replace('sr-1', 'm-1')}"
    )
