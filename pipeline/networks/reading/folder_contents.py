"""Finds all networks in folders."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import NetworkError
from pipeline.networks.reading import is_network
from pipeline.networks.reading.described_yaml import FileDescription, is_described, names_members
from pipeline.networks.reading.ensemble_file import EnsembleDescription, load_retrieval
from pipeline.networks.reading.named_arrays import is_npz
from pipeline.networks.reading.schema import read_description

if TYPE_CHECKING:
    from pipeline.networks.retrieval import Retrieval


@dataclass(frozen=True)
class FoundNetwork:
    """A network file, and the network in it."""

    path: Path
    retrieval: "Retrieval | None"
    """The network or ensemble; None if the file cannot be read."""
    problem: str = ""
    """Why the file cannot be read."""
    ensemble: str = ""
    """Name of the ensemble file that has the network as a member; empty if there is none."""


def networks_in(folders: Sequence[Path]) -> Iterator[FoundNetwork]:
    """Yield the networks of each folder, in the order of their names, but not of subfolders.

    If a YAML in the folder describes a weight file, only the YAML is yielded.

    Raises:
        NetworkError: a folder cannot be searched.
    """
    for folder in dict.fromkeys(folders):
        try:
            files = sorted(path for path in folder.iterdir() if path.is_file())
        except OSError as error:
            text = f"{folder}: this folder cannot be searched ({error.strerror or error})."
            raise NetworkError(text) from error
        described = {name for file in files for name in _weights_of(file)}
        members = {name: file.name for file in files for name in _members_of(file)}
        for file in files:
            if file.name not in described:
                yield from _network(file, members.get(file.name, ""))


def _network(file: Path, ensemble: str) -> Iterator[FoundNetwork]:
    try:
        # Arrays of NumPy that no YAML describes are seldom a network.
        if (is_network(file) and not is_npz(file)) or names_members(file):
            yield FoundNetwork(file, load_retrieval(file), ensemble=ensemble)
    except NetworkError as error:
        yield FoundNetwork(file, None, str(error), ensemble)


def _weights_of(file: Path) -> list[str]:
    try:
        return read_description(FileDescription, file).files if is_described(file) else []
    except NetworkError:
        return []


def _members_of(file: Path) -> tuple[str, ...]:
    try:
        return read_description(EnsembleDescription, file).files if names_members(file) else ()
    except NetworkError:
        return ()
