"""Makes a run configuration for a scene; the text has comments and is checked with the scene."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import xarray as xr
import yaml

from pipeline.config import DEFAULT_MASKS, MaskRules, ReaderChoice, load_config
from pipeline.drafting.fitting import (
    Candidate,
    Fitting,
    algorithms_for,
    as_name,
    given_networks,
    networks_for,
)
from pipeline.drafting.text import DraftText, MaskFacts, draft_text
from pipeline.errors import NetworkError, SceneError
from pipeline.facts.sensors import find_sensor
from pipeline.files.names import as_text
from pipeline.masks.recommended import with_recommended
from pipeline.networks.reading.library import check_folders, network_folders
from pipeline.process import locate_and_plan
from pipeline.readers import open_scene
from pipeline.scene.scene import SOURCE_FLAGS, recommended_masks
from pipeline.scene.source_flags import SourceFlags


@dataclass(frozen=True)
class Wanted:
    """What the user asks for."""

    scene: Path
    networks: tuple[str, ...] = ()
    """Network files, or texts such as ``algorithm:qaa_v6``; if empty, all fitting ones are used."""
    network_dirs: tuple[Path, ...] = ()
    """Folders with networks, searched before those of OCPIPE_NETWORKS."""
    reader: ReaderChoice = field(default_factory=ReaderChoice)
    sensor: str | None = None
    """Name of the sensor; it replaces the name in the scene."""
    other_sensor: bool = False
    """Whether networks that were made for other sensors are allowed."""
    name: str | None = None
    """Name of the configuration; by default the name of the sensor."""


def draft_config(wanted: Wanted) -> str:
    """Return a run configuration for scenes like the given one, as YAML with comments.

    Without ``networks``, the networks for the sensor in the network folders are used. If there are
    none, the published algorithms that fit are used.

    Raises:
        SceneError: the scene cannot be read.
        NetworkError: a network is missing, broken or does not fit, or nothing fits.
        ConfigError: an argument is wrong.
    """
    check_folders(wanted.network_dirs)
    with open_scene(wanted.scene, wanted.reader) as scene:
        science, masks = _science(wanted, scene)
        sensor = str(science.get("sensor") or scene.attrs["sensor"])
        name = wanted.name or as_name(sensor.lower(), "scene")
        fitting = Fitting(scene, wanted.scene.name, science, name, wanted.other_sensor)
        _choose(fitting, wanted)
        text = draft_text(DraftText(fitting, masks, wanted.network_dirs))
        locate_and_plan(scene, wanted.scene.name, load_config(yaml.safe_load(text)))
    return text


def _science(wanted: Wanted, scene: xr.Dataset) -> tuple[dict[str, Any], MaskFacts]:
    """Return the section ``science`` without networks, and the facts about masks."""
    science: dict[str, Any] = {}
    if wanted.reader.format != "auto":
        science["reader"] = wanted.reader.model_dump(mode="json", exclude_defaults=True)
    if wanted.sensor is not None:
        science["sensor"] = find_sensor(wanted.sensor).name
    masks = _mask_facts(scene)
    if masks.preset:
        science["masks"] = {"preset": DEFAULT_MASKS}
    return science, masks


def _mask_facts(scene: xr.Dataset) -> MaskFacts:
    flags = tuple(SourceFlags.of(scene).named) if SOURCE_FLAGS in scene else ()
    listed = recommended_masks(scene)
    if not listed:
        return MaskFacts(flags=flags)
    try:
        rules = with_recommended(MaskRules(preset=DEFAULT_MASKS), scene)
    except SceneError as error:
        return MaskFacts(flags=flags, problem=str(error))
    return MaskFacts(listed, rules, flags)


def _choose(fitting: Fitting, wanted: Wanted) -> None:
    """Add the networks that the user named; without these, networks or algorithms that fit."""
    folders = network_folders(wanted.network_dirs)
    if wanted.networks:
        candidates = given_networks(wanted.networks, fitting.sensor, folders)
        fitting.add_all(candidates)
        left = [each for each in candidates if each.file in fitting.reasons]
        if left:
            raise NetworkError("\n".join(_refusal(fitting, each) for each in left))
        return
    fitting.add_all(networks_for(fitting.sensor, folders))
    if not fitting.chosen:
        fitting.add_all(algorithms_for(fitting.sensor))
    if not fitting.chosen:
        raise NetworkError(_nothing_fits(fitting, folders))


def _refusal(fitting: Fitting, candidate: Candidate) -> str:
    file = as_text(Path(candidate.file).name)
    return f"{file} does not fit {as_text(fitting.scene_name)}: {fitting.reasons[candidate.file]}"


def _nothing_fits(fitting: Fitting, folders: Sequence[Path]) -> str:
    searched = ", ".join(f"'{folder}'" for folder in folders) or "no folder (none was given)"
    lines = [
        f"{as_text(fitting.scene_name)}: no network and no published algorithm fits this scene of "
        f"{fitting.sensor or 'an unknown sensor'}. Networks were searched in {searched}. Give a "
        "network with --network, or a folder with --networks"
        + ("." if fitting.sensor else ", and the sensor with --sensor.")
    ]
    lines += [f"  {file}: {reason}" for file, reason in fitting.reasons.items()]
    return "\n".join(lines)
