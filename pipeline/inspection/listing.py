"""Lists the known sensors, formats, masks, configurations, algorithms and networks."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.algorithms import ALGORITHMS
from pipeline.algorithms.catalogue import on_every_sensor
from pipeline.config import load_config, mask_presets
from pipeline.config.matchup import load_matchup_config
from pipeline.config.training import TrainingConfig
from pipeline.facts.sensors import sensors
from pipeline.facts.shipped import shipped_configs
from pipeline.networks.reading.folder_contents import networks_in
from pipeline.networks.reading.library import check_folders, network_folders
from pipeline.readers import READERS, added_readers
from pipeline.readers.mapping import presets
from pipeline.training.recipe import load_recipe

Row = dict[str, Any]
"""One entry: its name, and facts as plain data."""


@dataclass(frozen=True)
class Topic:
    """A topic that can be listed."""

    words: str
    """The kind of the entries, and where their names are used."""
    shown: tuple[str, ...]
    """The facts that are shown in a table; JSON has all facts."""
    rows: Callable[[Sequence[Path]], Iterator[Row]]
    """Yields the entries; the argument is the folders with networks that the user named."""


def _sensors(_: Sequence[Path]) -> Iterator[Row]:
    for sensor in sensors().values():
        yield {
            "name": sensor.name,
            "instruments": list(sensor.instruments),
            "platforms": list(sensor.platforms),
            "rrs_bands_nm": list(sensor.rrs_bands_nm),
            "ocsmart": sensor.ocsmart is not None,
        }


def _formats(_: Sequence[Path]) -> Iterator[Row]:
    for name, reader in {**READERS, **added_readers()}.items():
        yield {
            "name": name,
            "title": (reader.__doc__ or "").partition("\n")[0],
            "options": list(reader.Options.model_fields),
        }
        if name == "cf_netcdf":
            for preset, mapping in presets().items():
                options = [f"preset: {preset}"]
                title, masks = mapping.get("title", ""), mapping.get("masks")
                yield {"name": preset, "title": title, "options": options, "masks": masks}


def _masks(_: Sequence[Path]) -> Iterator[Row]:
    for name, rules in mask_presets().items():
        lists = {key: rules.get(key, []) for key in ("flags", "flags_if_present", "keep_flags")}
        yield {"name": name, **lists, "expressions": rules.get("expressions", {})}


def _configs(_: Sequence[Path]) -> Iterator[Row]:
    for path in _shipped("runs"):
        config = load_config(path)
        files = {network.name: network.file for network in config.science.networks}
        yield {"name": path.stem, "title": config.title, "networks": files, "file": str(path)}


def _matchups(_: Sequence[Path]) -> Iterator[Row]:
    for path in _shipped("matchup"):
        config = load_matchup_config(path)
        facts = {key: getattr(config, key) for key in ("window", "hours", "value")}
        yield {"name": path.stem, **facts, "file": str(path)}


def _recipes(_: Sequence[Path]) -> Iterator[Row]:
    for path in _shipped("training"):
        recipe = load_recipe(path, TrainingConfig)
        samples = recipe.samples
        classes = samples.classes
        made = [target.quantity for target in samples.targets]
        yield {
            "name": path.stem,
            "title": recipe.title,
            "sensors": list(recipe.sensors),
            "makes": made if classes is None else [classes.quantity, *(classes.order or ())],
            "file": str(path),
        }


def _algorithms(_: Sequence[Path]) -> Iterator[Row]:
    for name in ALGORITHMS:
        bound = on_every_sensor(name)
        one = next(iter(bound.values()))
        made = dict.fromkeys(variable.quantity for variable in one.outputs)
        yield {
            "name": f"algorithm:{name}",
            "makes": list(made),
            "version": one.version,
            "sensors": list(bound),
            "title": one.title,
            "citation": one.citation,
        }


def _networks(folders: Sequence[Path]) -> Iterator[Row]:
    check_folders(tuple(folders))
    for found in networks_in(network_folders(tuple(folders))):
        row: Row = {"name": found.path.name, "folder": str(found.path.parent)}
        network = found.retrieval
        if network is None:
            yield {**row, "problem": found.problem}
            continue
        yield {
            **row,
            "title": network.title,
            "kind": network.kind,
            "sensors": list(network.sensors),
            "inputs": [variable.name for variable in network.inputs],
            "outputs": [variable.name for variable in network.outputs],
            "licence": network.licence,
            "sha256": network.sha256,
            "member_of": found.ensemble or None,
        }


def _shipped(folder: str) -> list[Path]:
    return sorted((shipped_configs() / folder).glob("*.yaml"))


TOPICS: Mapping[str, Topic] = {
    "sensors": Topic(
        "sensors, for science.sensor and simulate", ("platforms", "rrs_bands_nm"), _sensors
    ),
    "formats": Topic(
        "formats of scenes, for science.reader.format; formats with a preset belong to cf_netcdf",
        ("title", "options"),
        _formats,
    ),
    "masks": Topic(
        "lists of masks, for science.masks.preset", ("keep_flags", "flags", "flags_if_present"),
        _masks,
    ),
    "configs": Topic("shipped configurations, for run and batch", ("title", "networks"), _configs),
    "matchups": Topic(
        "shipped protocols of match-ups, for matchup", ("window", "hours", "value"), _matchups
    ),
    "recipes": Topic(
        "shipped training configurations, for train", ("sensors", "makes", "title"), _recipes
    ),
    "algorithms": Topic(
        "published algorithms, in place of a network file", ("makes", "version", "sensors"),
        _algorithms,
    ),
    "networks": Topic(
        "networks in the folders of --networks and OCPIPE_NETWORKS",
        ("sensors", "inputs", "outputs", "folder", "problem"),
        _networks,
    ),
}  # fmt: skip
"""All topics that can be listed."""
