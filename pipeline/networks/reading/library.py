"""Finds a network file by its path, or by its name in the network folders."""

import os
from pathlib import Path

from pipeline.errors import ConfigError, NetworkError

ENVIRONMENT_VARIABLE = "OCPIPE_NETWORKS"


def network_folders(first: tuple[Path, ...]) -> tuple[Path, ...]:
    """Return the folders to search: the given folders, then the folders in OCPIPE_NETWORKS."""
    listed = os.environ.get(ENVIRONMENT_VARIABLE, "")
    return (*first, *(Path(folder) for folder in listed.split(os.pathsep) if folder))


def check_folders(folders: tuple[Path, ...]) -> None:
    """Refuse a missing folder; otherwise a network from another folder would be used."""
    for folder in folders:
        if not folder.is_dir():
            raise ConfigError(f"{folder}: no such folder of networks. Correct --networks.")


def find_network(file: str, sensor: str, folders: tuple[Path, ...]) -> Path:
    """Return the path of a network file; ``{sensor}`` in its name is replaced by ``sensor``.

    Args:
        file: a path (``./net.h5``), or a path below one of ``folders``. A name without a folder is
            searched for only in ``folders``, never in the current folder.
        sensor: the name of the scene's sensor.
        folders: the folders to search, in this order. The search ignores upper and lower case.

    Raises:
        NetworkError: no file was found; the message lists the folders.
    """
    if "{sensor}" in file and not sensor:
        raise NetworkError(
            f"{file}: {{sensor}} cannot be filled in, because the scene's sensor is unknown. "
            "Set science.sensor."
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
    searched = ", ".join(f"'{folder}'" for folder in folders) or "no folder (none was given)"
    raise NetworkError(
        f"no network {path} for sensor {sensor or 'unknown'}; searched {searched}. "
        f"Give its folder with --networks or {ENVIRONMENT_VARIABLE}, or write its path in the "
        "configuration (./name for the current folder). If there is no such network for this "
        "sensor, use --products to leave out the product that needs it."
    )


def _in_folder(folder: Path, name: str) -> Path | None:
    if os.path.isfile(folder / name):  # noqa: PTH113 - False, not an error, for names too long
        return folder / name
    # One of OC-SMART's files ends in .H5.
    alike = [p for p in sorted(folder.glob("*")) if p.name.lower() == name.lower() and p.is_file()]
    return alike[0] if alike else None
