"""Network file -> description: one format per file, one table of them all."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from pipeline.errors import DAMAGE, NetworkError
from pipeline.networks.checks import check_network
from pipeline.networks.description import Network
from pipeline.networks.golden import check_golden
from pipeline.networks.ocsmart_h5 import is_ocsmart, read_ocsmart

# (recognises the content, reads the file with this sha256)
FORMATS: dict[str, tuple[Callable[[Path], bool], Callable[[Path, str], Network]]] = {
    "ocsmart_h5": (is_ocsmart, read_ocsmart),
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
    raise NetworkError(
        f"{path.name}: no known network format; known are {', '.join(FORMATS)}. An OC-SMART file "
        "is HDF5 with Layers, Norm_in, Norm_out, Weights/LayerK and Bias/LayerK."
    )


def _read(read: Callable[[Path, str], Network], path: Path) -> Network:
    try:
        return read(path, _sha256(path))
    except DAMAGE as error:
        raise NetworkError(
            f"{path.name}: cannot be read ({error}). The file is damaged; fetch it again."
        ) from error


def is_network(path: Path) -> bool:
    """Whether any network format recognises the content of a file."""
    return any(recognises(path) for recognises, _ in FORMATS.values())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
