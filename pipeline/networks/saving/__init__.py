"""A network -> its file: OC-SMART's layout, Keras, ONNX; one table of them, by ending."""

import secrets
from collections.abc import Callable
from pathlib import Path

from pipeline.errors import NetworkError, OutputError
from pipeline.networks.description import Network
from pipeline.networks.saving.keras_file import save_keras
from pipeline.networks.saving.ocsmart_h5 import beyond_ocsmart, save_ocsmart
from pipeline.networks.saving.onnx_file import save_onnx

__all__ = ["SAVERS", "beyond_ocsmart", "check_savable", "save_network"]

# Write under a partial name what will be called as the third argument says; the files made.
SAVERS: dict[str, Callable[[Path, Network, str], list[Path]]] = {
    ".h5": save_ocsmart,
    ".keras": save_keras,
    ".onnx": save_onnx,
}


def check_savable(path: Path, network: Network, *, for_ocsmart_only: bool = True) -> None:
    """Refuse what cannot be saved under this name, before any work.

    Raises:
        NetworkError: the ending is not known, or OC-SMART's program could not run the network.
    """
    if path.suffix not in SAVERS:
        raise NetworkError(
            f"{path.name}: found the ending {path.suffix or 'none'!r}, expected one of "
            f"{', '.join(SAVERS)}. Rename it."
        )
    reasons = beyond_ocsmart(network) if path.suffix == ".h5" and for_ocsmart_only else []
    if reasons:
        raise NetworkError(
            f"{path.name}: OC-SMART's program could not run this network: {'; '.join(reasons)}. "
            "Change that, save it as .keras or .onnx, or ask for the layout all the same "
            "(--beyond-ocsmart; ocpipe runs it, OC-SMART does not)."
        )


def save_network(path: Path, network: Network) -> list[Path]:
    """Save a network; files appear when they are complete.

    Args:
        path: ``.h5`` (OC-SMART's layout, which describes itself), ``.keras`` (with a ``.yaml``
            beside it that describes it) or ``.onnx``.
        network: any; in OC-SMART's layout any, too (see :func:`check_savable`).

    Returns:
        The files that were made.

    Raises:
        NetworkError: the ending is not known.
        OutputError: a file cannot be written; nothing of it is left behind.
    """
    check_savable(path, network, for_ocsmart_only=False)
    partial = path.with_name(f".{path.stem}-{secrets.token_hex(4)}{path.suffix}")
    made: list[Path] = []
    try:
        made = SAVERS[path.suffix](partial, network, path.name)
        targets = [path.with_suffix(file.suffix) for file in made]
        for file, target in zip(made, targets, strict=True):
            file.replace(target)
    except OSError as error:
        raise OutputError(
            f"{path}: the network cannot be written ({error.strerror or error}). Check that the "
            "folder exists, may be written to and has room."
        ) from error
    finally:
        for file in (partial, *made):
            file.unlink(missing_ok=True)
    return targets
