"""Saves a network; the file's ending selects the format: OC-SMART's layout, Keras or ONNX."""

import contextlib
import secrets
from collections.abc import Callable
from pathlib import Path

from pipeline.errors import NetworkError, OutputError
from pipeline.networks.description import Network
from pipeline.networks.saving.keras_file import save_keras
from pipeline.networks.saving.ocsmart_h5 import beyond_ocsmart, save_ocsmart
from pipeline.networks.saving.onnx_file import save_onnx
from pipeline.stopping import half_written

__all__ = ["SAVERS", "beyond_ocsmart", "check_savable", "save_network"]

# Each function writes a network to a temporary path and returns the files that it made. The third
# argument is the final file name.
SAVERS: dict[str, Callable[[Path, Network, str], list[Path]]] = {
    ".h5": save_ocsmart,
    ".keras": save_keras,
    ".onnx": save_onnx,
}


def check_savable(path: Path, network: Network, *, for_ocsmart_only: bool = True) -> None:
    """Before other work is done, refuse a network that cannot be saved under this name.

    Raises:
        NetworkError: the ending is unknown, or OC-SMART's program could not run the network.
    """
    if path.suffix not in SAVERS:
        raise NetworkError(
            f"{path.name}: the ending is {path.suffix or 'none'!r}, expected one of "
            f"{', '.join(SAVERS)}. Choose another name."
        )
    reasons = beyond_ocsmart(network) if path.suffix == ".h5" and for_ocsmart_only else []
    if reasons:
        raise NetworkError(
            f"{path.name}: OC-SMART's program could not run this network: {'; '.join(reasons)}. "
            "Change the network, save it as .keras or .onnx, or force this layout "
            "(--beyond-ocsmart). Only ocpipe can run a file with a forced layout."
        )


def save_network(path: Path, network: Network) -> list[Path]:
    """Save a network; each file appears only when it is complete. A missing folder is created.

    Args:
        path: ``.h5`` (OC-SMART's layout, with a description), ``.keras`` (described by a ``.yaml``
            beside it) or ``.onnx``.
        network: any network, even one that OC-SMART's program could not run.

    Returns:
        The files that were made.

    Raises:
        NetworkError: the ending is unknown.
        OutputError: a file cannot be written; no part of it is left behind.
    """
    check_savable(path, network, for_ocsmart_only=False)
    partial = path.with_name(f".{path.stem}-{secrets.token_hex(4)}{path.suffix}")
    made: list[Path] = []
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with half_written(partial, partial.with_suffix(".yaml")):
            made = SAVERS[path.suffix](partial, network, path.name)
            targets = [path.with_suffix(file.suffix) for file in made]
            for file, target in zip(made, targets, strict=True):
                file.replace(target)
    except OSError as error:
        raise OutputError(
            f"{path}: the network cannot be written ({error.strerror or error}). Check that the "
            "folder is writable and has room."
        ) from error
    finally:
        for file in (partial, *made):
            with contextlib.suppress(OSError):  # the first error is more important
                file.unlink(missing_ok=True)
    return targets
