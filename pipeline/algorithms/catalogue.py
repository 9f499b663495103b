"""Algorithms by name, and what the ``file`` of a configuration names, be it one or a network."""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.algorithms import band_ratio, color_index, qaa
from pipeline.algorithms.description import Algorithm, Bound
from pipeline.errors import ConfigError, NetworkError
from pipeline.facts.sensors import find_sensor, sensors
from pipeline.facts.shipped import read_shipped, shipped_configs
from pipeline.machine.files import sha256_of_listing
from pipeline.networks import find_network, load_retrieval
from pipeline.networks.retrieval import Retrieval

PREFIX = "algorithm:"


def _folder() -> Path:
    return shipped_configs() / "algorithms"


ALGORITHMS: tuple[str, ...] = tuple(sorted(file.stem for file in _folder().glob("*.yaml")))
"""Names of all that are shipped."""


def algorithm(
    name: str, *, sensor: str | None = None, wavelengths_nm: Sequence[float] | None = None
) -> Algorithm:
    """A published algorithm on the bands of a sensor, or on given ones.

    Args:
        name: one of :data:`ALGORITHMS`.
        sensor: whose coefficients are used, and whose bands where none are given.
        wavelengths_nm: the bands that there are; those it takes are its ``inputs``. Without a
            sensor the coefficients are those of the sensor with the nearest bands.

    Raises:
        ConfigError: there is no such algorithm, or neither sensor nor bands are given.
        NetworkError: it has no coefficients for the sensor, or one of its bands is missing.
    """
    check_name(name)
    if sensor is None and wavelengths_nm is None:
        raise ConfigError(f"algorithm {name}: give a sensor, or the wavelengths of the bands.")
    paths = [_path(name)]
    definition = _definition(name)
    if "band_ratio" in definition:
        paths.append(_path(definition["band_ratio"]))
    known = find_sensor(sensor).name if sensor else sensor
    bound = _bind(definition, known, wavelengths_nm)
    return Algorithm(
        name=name,
        file_name=name,
        title=definition["title"],
        version=str(definition["version"]),
        inputs=bound.inputs,
        outputs=bound.outputs,
        sensors=bound.sensors,
        citation=definition["citation"],
        path=paths[0],
        sha256=sha256_of_listing({path.name: path for path in paths}),
        formula=bound.formula,
    )


def on_every_sensor(name: str) -> dict[str, Algorithm]:
    """An algorithm on the bands of each sensor that it is for, by the sensor's name.

    Raises:
        ConfigError: there is no such algorithm.
    """
    found = {}
    for sensor in sensors():
        with contextlib.suppress(NetworkError):
            found[sensor] = algorithm(name, sensor=sensor)
    return found


def check_name(name: str) -> None:
    """Raise a ConfigError where there is no algorithm of that name."""
    if name not in ALGORITHMS:
        raise ConfigError(f"no algorithm {name!r}; there are {', '.join(ALGORITHMS)}.")


def is_algorithm(file: str) -> bool:
    """Whether the ``file`` of a configuration names an algorithm: ``algorithm:qaa_v6``."""
    return file.startswith(PREFIX)


def find_retrieval(file: str, sensor: str, folders: tuple[Path, ...]) -> tuple[Path, Retrieval]:
    """What the ``file`` of a configuration names, and where that was found.

    Args:
        file: ``algorithm:`` and a name, or a network file.
        sensor: name of the scene's sensor.
        folders: where to look for networks.

    Raises:
        ConfigError: there is no such algorithm.
        NetworkError: it is not for this sensor, or there is no such network.
    """
    if is_algorithm(file):
        found = algorithm(file.removeprefix(PREFIX), sensor=sensor)
        return found.path, found
    path = find_network(file, sensor, folders)
    return path, load_retrieval(path)


def _bind(
    definition: dict[str, Any], sensor: str | None, wavelengths_nm: Sequence[float] | None
) -> Bound:
    match definition["form"]:
        case "band_ratio":
            return band_ratio.bind(definition, sensor, wavelengths_nm)
        case "color_index":
            ratio = _definition(definition["band_ratio"])
            return color_index.bind(definition, ratio, sensor, wavelengths_nm)
        case "quasi_analytical":
            return qaa.bind(definition, sensor, wavelengths_nm)
    raise ConfigError(f"{definition['name']}: unknown form {definition['form']!r}.")


def _path(name: str) -> Path:
    return _folder() / f"{name}.yaml"


def _definition(name: str) -> dict[str, Any]:
    return {"name": name, **read_shipped(_path(name))}
