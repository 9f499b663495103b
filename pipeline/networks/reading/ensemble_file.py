"""A YAML file that describes an ensemble and names the files of its networks."""

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field

from pipeline.errors import NetworkError
from pipeline.files.contents import sha256_of_listing
from pipeline.files.identity import unchanged
from pipeline.files.replacing import replace_file
from pipeline.networks.description import Network
from pipeline.networks.ensemble import MOST_MEMBERS, Calibration, Ensemble
from pipeline.networks.reading import load_network
from pipeline.networks.reading.described_yaml import names_members
from pipeline.networks.reading.schema import NamedDescription, named_files, read_description


class EnsembleDescription(NamedDescription):
    """The keys of a YAML file that describes an ensemble."""

    members: tuple[str, ...] = Field(min_length=2, max_length=MOST_MEMBERS)
    error_networks: tuple[str, ...] = Field(default=(), max_length=MOST_MEMBERS)
    """Files of networks that estimate the size of the errors."""
    calibration: Calibration | None = None

    @property
    def files(self) -> tuple[str, ...]:
        """Files of all networks."""
        return (*self.members, *self.error_networks)


def load_retrieval(path: str | Path) -> Network | Ensemble:
    """Read and check a network file or an ensemble file.

    Raises:
        NetworkError: a file is missing or broken, or the networks do not fit together.
    """
    path = Path(path)
    return read_ensemble(path) if names_members(path) else load_network(path)


def read_ensemble(path: Path) -> Ensemble:
    """Read the ensemble that a YAML file describes; raise the errors of :func:`load_retrieval`."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(unchanged([path], NetworkError))
        described = read_description(EnsembleDescription, path)
        files = named_files(described.files, path.parent, path)
        stack.enter_context(unchanged(files.values(), NetworkError))
        return _of_files(described, path, files)


def _of_files(described: EnsembleDescription, path: Path, files: dict[str, Path]) -> Ensemble:
    if len(files) < len(described.files):
        raise NetworkError(
            f"{path.name}: the list of members contains a network twice. List each network once."
        )
    members, error_networks = (
        tuple(load_network(files[name]) for name in names)
        for names in (described.members, described.error_networks)
    )
    return Ensemble.of(
        members,
        name=described.name,
        title=described.title,
        calibration=described.calibration,
        citation=described.citation,
        licence=described.licence,
        file_name=path.name,
        sha256=sha256_of_listing({path.name: path, **files}, NetworkError),
        training=described.training,
        error_networks=error_networks,
    )


def write_ensemble(
    path: Path, ensemble: Ensemble, members: list[Path], error_networks: Sequence[Path] = ()
) -> None:
    """Write the YAML file of an ensemble whose networks are already saved.

    Args:
        path: the YAML to write.
        ensemble: the ensemble.
        members: the network files in order; each is in the folder of the YAML or below it.
        error_networks: the files of the error networks.
    """
    content: dict[str, Any] = {
        "schema": 1,
        "name": ensemble.name,
        "title": ensemble.title,
        "members": [member.relative_to(path.parent).as_posix() for member in members],
        "citation": ensemble.citation,
        "licence": ensemble.licence,
        "training": ensemble.training,
    }
    if error_networks:
        content["error_networks"] = [
            file.relative_to(path.parent).as_posix() for file in error_networks
        ]
    if ensemble.calibration is not None:
        # Plain data in YAML has lists, but no tuples.
        content["calibration"] = json.loads(json.dumps(ensemble.calibration.as_dict()))
    replace_file(path, yaml.safe_dump(content, sort_keys=False, allow_unicode=True).encode())
