"""Finds the networks and algorithms that can run on a scene, by planning the run."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import xarray as xr

from pipeline.algorithms import ALGORITHMS, find_retrieval, is_algorithm
from pipeline.algorithms.catalogue import PREFIX
from pipeline.config import load_config
from pipeline.errors import ConfigError, PipelineError
from pipeline.networks import Retrieval
from pipeline.networks.reading.folder_contents import networks_in
from pipeline.process import locate_and_plan
from pipeline.run.plan import Plan

# The algorithms that are tried, in this order; newer coefficients come first. Each algorithm is for
# other quantities or other sensors than the algorithms before it.
_ORDER = ("oci_2019", "ocx_2019", "oci_2012", "ocx_v6", "qaa_v6")


@dataclass(frozen=True)
class Candidate:
    """A network or an algorithm that may fit a scene."""

    file: str
    """Value of the key ``file`` in a configuration."""
    retrieval: Retrieval
    folder: Path | None = None
    """The folder in which the file is looked up by its name; None for a path or an algorithm."""


@dataclass
class Fitting:
    """The networks that fit a scene, and the reasons why others do not fit."""

    scene: xr.Dataset
    scene_name: str
    science: dict[str, Any]
    """The section ``science`` without networks."""
    name: str
    """Name of the configuration."""
    other_sensor: bool = False
    """Whether networks for other sensors are allowed; always true if the sensor is unknown."""
    chosen: dict[str, Candidate] = field(default_factory=dict)
    """The networks by their names in the configuration."""
    reasons: dict[str, str] = field(default_factory=dict)
    """File of each candidate that does not fit -> the reason."""
    plan: Plan | None = None

    def add_all(self, candidates: Iterable[Candidate]) -> None:
        """Add the candidates that fit, in an order that gives each candidate its inputs.

        A network may need outputs of another network. So after each network that fits, all rejected
        networks are tried again.
        """
        waiting = list(candidates)
        while waiting:
            left = [each for each in waiting if not self._add(each)]
            if len(left) == len(waiting):
                return
            waiting = left

    def _add(self, candidate: Candidate) -> bool:
        name = self._free_name(candidate)
        networks = {**self.chosen, name: candidate}
        try:
            self.plan = self.planned(networks)
        except PipelineError as error:
            text = str(error).removeprefix(f"{self.scene_name}: ")
            self.reasons[candidate.file] = text
            return False
        self.chosen = networks
        self.reasons.pop(candidate.file, None)
        return True

    def planned(self, networks: dict[str, Candidate]) -> Plan:
        """Return the plan of a run with these networks.

        Raises:
            PipelineError: a network does not fit the scene.
        """
        choices: list[dict[str, Any]] = [
            {"name": name, "file": each.file, "allow_other_sensor": self.allows_other_sensor(each)}
            for name, each in networks.items()
        ]
        config = load_config({"name": self.name, "science": {**self.science, "networks": choices}})
        loaded = {name: each.retrieval for name, each in networks.items()}
        return locate_and_plan(self.scene, self.scene_name, config, loaded)[1]

    def allows_other_sensor(self, candidate: Candidate) -> bool:
        """Return whether the configuration must allow a network that is for another sensor."""
        is_for_other = self.sensor not in candidate.retrieval.sensors
        return is_for_other and (self.other_sensor or not self.sensor)

    @property
    def sensor(self) -> str:
        """The sensor of the scene, or the sensor that replaces it; empty if not known."""
        return str(self.science.get("sensor") or self.scene.attrs["sensor"])

    def _free_name(self, candidate: Candidate) -> str:
        quantities = {variable.quantity for variable in candidate.retrieval.outputs}
        one = candidate.retrieval.class_quantity or (
            quantities.pop() if len(quantities) == 1 else candidate.retrieval.name
        )
        name = as_name(one, "network")
        numbers = (f"{name}_{number}" for number in range(2, len(self.chosen) + 3))
        return name if name not in self.chosen else next(n for n in numbers if n not in self.chosen)


def as_name(text: str, otherwise: str) -> str:
    """Return a text as a name that configurations accept."""
    plain = re.sub(r"[^A-Za-z0-9_]+", "_", text).strip("_")
    return plain if re.match(r"[A-Za-z]", plain) else otherwise


def given_networks(files: Sequence[str], sensor: str, folders: tuple[Path, ...]) -> list[Candidate]:
    """Return the networks that the user named; a path becomes absolute.

    Raises:
        ConfigError: an algorithm does not exist.
        NetworkError: a file is missing or broken.
    """
    found = []
    for file in files:
        path = Path(file)
        is_path = not is_algorithm(file) and path.is_file()
        name = _without_placeholder(str(path.absolute())) if is_path else file
        where, retrieval = find_retrieval(name, sensor, folders)
        folder = where.parent if name == file and where.parent in folders else None
        found.append(Candidate(name, retrieval, folder))
    return found


def _without_placeholder(path: str) -> str:
    """Return a path as a value of the key ``file``, in which braces are a placeholder."""
    return path.replace("{", "{{").replace("}", "}}")


def networks_for(sensor: str, folders: Sequence[Path]) -> Iterator[Candidate]:
    """Yield the networks in folders that were made for a sensor; members of ensembles are left out.

    Raises:
        NetworkError: a folder cannot be searched.
    """
    for found in networks_in(folders):
        retrieval = found.retrieval
        if retrieval is None or found.ensemble or sensor not in retrieval.sensors:
            continue
        file = _without_placeholder(found.path.name)
        start = f"{sensor}_"
        if file.startswith(start):  # so that the configuration can be used for other sensors too
            file = "{sensor}_" + file.removeprefix(start)
        yield Candidate(file, retrieval, found.path.parent)


def _shifts_bands(retrieval: Retrieval) -> bool:
    """Whether the outputs are the inputs at other wavelengths, which is no result by itself."""
    return {v.quantity for v in retrieval.outputs} <= {v.quantity for v in retrieval.inputs}


def algorithms_for(sensor: str) -> Iterator[Candidate]:
    """Yield the published algorithms that have coefficients for a sensor."""
    for name in (*_ORDER, *(each for each in ALGORITHMS if each not in _ORDER)):
        try:
            found = find_retrieval(f"{PREFIX}{name}", sensor, ())[1]
            if not _shifts_bands(found):
                yield Candidate(f"{PREFIX}{name}", found)
        except (ConfigError, PipelineError):
            continue
