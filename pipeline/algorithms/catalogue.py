"""Finds algorithms by name, and finds the algorithm or network that a configuration selects."""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.algorithms import band_ratio, band_shift, color_index, qaa
from pipeline.algorithms.description import Algorithm, BoundFormula
from pipeline.errors import ConfigError, NetworkError
from pipeline.facts.sensors import find_sensor, sensors
from pipeline.facts.shipped import read_shipped, shipped_configs
from pipeline.files.contents import sha256_of_listing
from pipeline.networks import find_network, load_retrieval
from pipeline.networks.retrieval import Retrieval

PREFIX = "algorithm:"


def _folder() -> Path:
    return shipped_configs() / "algorithms"


ALGORITHMS: tuple[str, ...] = tuple(sorted(file.stem for file in _folder().glob("*.yaml")))
"""Names of all algorithms in ``configs/algorithms``."""

# Keys of an algorithm's file that name another algorithm.
_OTHERS = ("extends", "band_ratio", "inversion")


def algorithm(
    name: str,
    *,
    sensor: str | None = None,
    wavelengths_nm: Sequence[float] | None = None,
    to_nm: Sequence[float] = (),
) -> Algorithm:
    """Return a published algorithm for the bands of a sensor, or for given bands.

    Args:
        name: one of :data:`ALGORITHMS`.
        sensor: name of the sensor whose coefficients are used. By default, these are the
            coefficients of the sensor whose bands are nearest to ``wavelengths_nm``.
        wavelengths_nm: the available bands; by default, the bands of the sensor. The bands that the
            algorithm uses become its ``inputs``.
        to_nm: for an algorithm that shifts bands, the wavelengths (nm) of its outputs; by default,
            those of its file.

    Raises:
        ConfigError: the algorithm does not exist, neither sensor nor bands are given, or ``to_nm``
            is given for an algorithm that does not shift bands.
        NetworkError: the algorithm has no coefficients for the sensor, or a band is missing.
    """
    check_name(name, to_nm)
    if sensor is None and wavelengths_nm is None:
        raise ConfigError(
            f"algorithm {name}: found no sensor and no bands. Give a sensor, or the wavelengths of "
            "the bands."
        )
    definition = _definition(name)
    paths = [_path(name), *(_path(definition[key]) for key in _OTHERS if key in definition)]
    known = find_sensor(sensor).name if sensor else sensor
    bound = _bind(definition, known, wavelengths_nm, to_nm)
    return Algorithm(
        name=name,
        file_name=name,
        title=definition["title"] + bound.note,
        version=str(definition["version"]),
        inputs=bound.inputs,
        outputs=bound.outputs,
        sensors=bound.sensors,
        citation=definition["citation"],
        path=paths[0],
        sha256=sha256_of_listing({path.name: path for path in paths}),
        formula=bound.formula,
        limits_nm=bound.limits_nm,
        other_bands=bound.other_bands,
    )


def on_every_sensor(name: str) -> dict[str, Algorithm]:
    """Return a mapping from the name of each supported sensor to the algorithm for this sensor.

    Raises:
        ConfigError: the algorithm does not exist.
    """
    found = {}
    for sensor in sensors():
        with contextlib.suppress(NetworkError):
            found[sensor] = algorithm(name, sensor=sensor)
    return found


def check_name(name: str, to_nm: Sequence[float] = ()) -> None:
    """Raise a ConfigError if no algorithm has this name, or if it does not take ``to_nm``."""
    if name not in ALGORITHMS:
        raise ConfigError(f"found the algorithm {name!r}, expected one of {', '.join(ALGORITHMS)}.")
    if to_nm and _definition(name)["form"] != "band_shift":
        raise ConfigError(
            f"found to_nm for the algorithm {name}, which does not shift bands. Remove to_nm."
        )


def is_algorithm(file: str) -> bool:
    """Return whether ``file`` stands for an algorithm, such as ``algorithm:qaa_v6``."""
    return file.startswith(PREFIX)


def find_retrieval(
    file: str, sensor: str, folders: tuple[Path, ...], to_nm: Sequence[float] = ()
) -> tuple[Path, Retrieval]:
    """Return the file of a configured algorithm or network, and the algorithm or network itself.

    Args:
        file: value of the key ``file``: a network file, or a text such as ``algorithm:qaa_v6``.
        sensor: name of the scene's sensor.
        folders: folders with network files.
        to_nm: see :func:`algorithm`.

    Raises:
        ConfigError: the algorithm does not exist, or ``to_nm`` is given for another retrieval.
        NetworkError: the algorithm does not support this sensor, or the network does not exist.
    """
    if is_algorithm(file):
        found = algorithm(file.removeprefix(PREFIX), sensor=sensor, to_nm=to_nm)
        return found.path, found
    if to_nm:
        raise ConfigError(f"found to_nm for {file}, which is not an algorithm. Remove to_nm.")
    path = find_network(file, sensor, folders)
    return path, load_retrieval(path)


def _bind(
    definition: dict[str, Any],
    sensor: str | None,
    wavelengths_nm: Sequence[float] | None,
    to_nm: Sequence[float],
) -> BoundFormula:
    match definition["form"]:
        case "band_ratio":
            return band_ratio.bind(definition, sensor, wavelengths_nm)
        case "color_index":
            ratio = _definition(definition["band_ratio"])
            return color_index.bind(definition, ratio, sensor, wavelengths_nm)
        case "quasi_analytical":
            return qaa.bind(definition, sensor, wavelengths_nm)
        case "band_shift":
            inversion = _definition(definition["inversion"])
            return band_shift.bind(definition, inversion, sensor, wavelengths_nm, to_nm)
    raise ConfigError(
        f"{definition['name']}: found the form {definition['form']!r}, expected band_ratio, "
        "band_shift, color_index or quasi_analytical. Correct the key 'form' in the file of the "
        "algorithm in configs/algorithms."
    )


def _path(name: str) -> Path:
    return _folder() / f"{name}.yaml"


def _definition(name: str) -> dict[str, Any]:
    """Return the content of a file; missing keys come from the file that it extends."""
    own = {"name": name, **read_shipped(_path(name))}
    return {**_definition(own["extends"]), **own} if "extends" in own else own
