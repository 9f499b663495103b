"""Finding a network file: a path, or a name under the network folders."""

import os
from pathlib import Path

from pipeline.errors import NetworkError

ENVIRONMENT_VARIABLE = "OCPIPE_NETWORKS"


def network_folders(first: tuple[Path, ...]) -> tuple[Path, ...]:
    """The folders to look in: those given, then those of OCPIPE_NETWORKS."""
    listed = os.environ.get(ENVIRONMENT_VARIABLE, "")
    return (*first, *(Path(folder) for folder in listed.split(os.pathsep) if folder))


def find_network(file: str, sensor: str, folders: tuple[Path, ...]) -> Path:
    """The path of a network file; ``{sensor}`` in its name is filled in.

    Args:
        file: a path, or a name to look up.
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
    if os.path.isfile(name):  # noqa: PTH113 - False, not an error, for names that are too long
        return Path(name)
    for folder in folders:
        found = _in_folder(folder, name)
        if found is not None:
            return found
    searched = ", ".join(str(folder) for folder in folders) or "no folder (none is given)"
    raise NetworkError(
        f"no network {name} for sensor {sensor or 'unknown'}; looked in {searched}. "
        f"Name its folder with --networks or {ENVIRONMENT_VARIABLE}, or give its path in the "
        "configuration; if this sensor has no such network, leave it out with --products."
    )


def _in_folder(folder: Path, name: str) -> Path | None:
    if (folder / name).is_file():
        return folder / name
    if Path(name).parent != Path() or not folder.is_dir():
        return None
    # One of OC-SMART's files ends in .H5.
    same = sorted(path for path in folder.iterdir() if _is_called(path, name))
    return same[0] if same else None


def _is_called(path: Path, name: str) -> bool:
    return path.name.lower() == name.lower() and path.is_file()
