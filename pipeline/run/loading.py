"""Loads the networks and algorithms of a run for one scene."""

import logging
from collections.abc import Mapping
from pathlib import Path

import xarray as xr

from pipeline.algorithms import find_retrieval
from pipeline.config import NetworkChoice, RunConfig
from pipeline.errors import NetworkError, SceneError
from pipeline.networks import Retrieval, load_retrieval
from pipeline.networks.reading.library import check_folders, network_folders
from pipeline.run.chain import LoadedRetrieval, make_chain

log = logging.getLogger(__name__)


def load_retrievals(
    scene: xr.Dataset,
    scene_name: str,
    sensor: str,
    config: RunConfig,
    given: Mapping[str, Path | Retrieval],
) -> list[LoadedRetrieval]:
    """Load the networks; a network with ``if_possible`` is left out if it does not fit the scene.

    ``given``: name of a network -> its file, or the network itself.

    Raises:
        NetworkError: no network is left.
    """
    loaded: list[LoadedRetrieval] = []
    reasons: dict[str, str] = {}
    for choice in config.science.networks:
        try:
            one = _load(choice, sensor, config, given.get(choice.name))
            if choice.if_possible:
                make_chain([*loaded, one], scene, sensor, config.science)
            loaded.append(one)
        except (NetworkError, SceneError) as error:
            if not choice.if_possible:
                raise
            reasons[choice.name] = str(error)
    if not loaded:
        raise NetworkError(" ".join(f"{name}: {reason}" for name, reason in reasons.items()))
    for name, reason in reasons.items():
        log.warning("%s: %s is left out. %s", scene_name, name, reason)
    return loaded


def _load(
    choice: NetworkChoice, sensor: str, config: RunConfig, given: Path | Retrieval | None
) -> LoadedRetrieval:
    if isinstance(given, Retrieval):
        path, network = Path(given.file_name), given
    elif given is None:
        check_folders(config.execution.network_dirs)
        folders = network_folders(config.execution.network_dirs)
        path, network = find_retrieval(choice.file, sensor, folders, choice.to_nm)
    else:
        path, network = given, load_retrieval(given)
    if sensor not in network.sensors and not choice.allow_other_sensor:
        raise NetworkError(
            f"network {network.file_name} was trained for "
            f"{', '.join(network.sensors) or 'a sensor that its file does not name'}, but the "
            f"scene is from {sensor or 'an unknown sensor'}. Choose a network for this sensor, set "
            "science.sensor if the scene is mislabelled, or set allow_other_sensor: true for this "
            "network."
        )
    return LoadedRetrieval(choice, path, network)
