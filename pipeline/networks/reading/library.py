"""Finding a network file: a path, or a name under the network folders."""

import os
from pathlib import Path

from pipeline.errors import ConfigError, NetworkError

ENVIRONMENT_VARIABLE = "OCPIPE_NETWORKS"


def network_folders(first: tuple[Path, ...]) -> tuple[Path, ...]:
    """The folders to look in: those given, then those of OCPIPE_NETWORKS."""
    listed = os.environ.get(ENVIRONMENT_VARIABLE, "")
    return (*first, *(Path(folder) for folder in listed.split(os.pathsep) if folder))


def check_folders(folders: tuple[Path, ...]) -> None:
    """Refuse a folder that does not exist, before networks are taken from another one.

    Raises:
        ConfigError: there is no such folder.
    """
    for folder in folders:
        if not folder.is_dir():
            raise ConfigError(f"{folder}: no such folder of networks. Correct --networks.")


def find_network(file: str, sensor: str, folders: tuple[Path, ...]) -> Path:
    """The path of a network file; ``{sensor}`` in its name is filled in.

    Args:
        file: a path (``./net.h5``), or a path below one of the folders. A bare name is looked up
            in the folders and nowhere else: what happens to lie in the current folder is not used.
        sensor: name of the scene's sensor.
        folders: where to look, first hit wins; letter case of the name does not matter.

    Raises:
        NetworkError: there is none; the message says where it was looked for.
    """
    if "{sensor}" in file and not sensor:
        raise NetworkError(
            f"{file} needs a sensor, but the scene names none that is known. Set science.sensor."
        )
    name = file.format(sensor=sensor)
    path = Path(name).expanduser()
    is_bare = os.path.dirname(name) == ""  # noqa: PTH120 - pathlib drops the ./ that makes a path
    if path.is_absolute() or (not is_bare and path.is_file()):
        return path
    for folder in folders:
        found = _in_folder(folder / path.parent, path.name)
        if found is not None:
            return found
    searched = ", ".join(f"'{folder}'" for folder in folders) or "no folder (none is given)"
    raise NetworkError(
        f"no network {path} for sensor {sensor or 'unknown'}; looked in {searched}. "
        f"Name its folder with --networks or {ENVIRONMENT_VARIABLE}, or give its path (with ./ "
        "where it is in the current folder) in the configuration; if this sensor has no such "
        "network, leave it out with --products."
    )


def _in_folder(folder: Path, name: str) -> Path | None:
    if os.path.isfile(folder / name):  # noqa: PTH113 - False, not an error, for names too long
        return folder / name
    if not folder.is_dir():
        return None
    # One of OC-SMART's files ends in .H5.
    return next((path for path in sorted(folder.iterdir()) if _is_called(path, name)), None)


def _is_called(path: Path, name: str) -> bool:
    return path.name.lower() == name.lower() and path.is_file()
