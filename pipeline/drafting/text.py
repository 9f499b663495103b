"""Writes a drafted configuration as YAML with comments."""

import json
import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from pipeline.algorithms import is_algorithm
from pipeline.config import DEFAULT_MASKS, MaskRules
from pipeline.drafting.fitting import Candidate, Fitting
from pipeline.files.names import as_text
from pipeline.machine.printable import printable
from pipeline.networks.variable import in_short
from pipeline.scene.scene import plain_variables, spectral_quantities, wavelengths
from pipeline.version import __version__
from pipeline.yaml_files.json_schema import schema_path

WIDTH = 100
# A scene of a hyperspectral sensor has hundreds of bands.
MOST_SHOWN = 20
_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./:-]*")


@dataclass(frozen=True)
class MaskFacts:
    """Facts about the masks for a scene."""

    preset: str = ""
    """Name of the list that is recommended for the format; empty if there is none."""
    rules: MaskRules = field(default_factory=MaskRules)
    """The recommended rules, with the flags that the scene has."""
    flags: tuple[str, ...] = ()
    """All flags of the scene."""
    problem: str = ""
    """Why the recommended list cannot be used."""


@dataclass(frozen=True)
class DraftText:
    """All data for the text."""

    fitting: Fitting
    masks: MaskFacts
    network_dirs: Sequence[Path]
    """Folders with networks that the user named."""


def draft_text(draft: DraftText) -> str:
    """Return the configuration as YAML with comments."""
    sections = (_head, _science, _execution, _batch)
    return "\n".join(line.rstrip() for section in sections for line in section(draft)) + "\n"


def _head(draft: DraftText) -> Iterator[str]:
    fitting = draft.fitting
    scene, sensor = fitting.scene, fitting.sensor or "an unknown sensor"
    lines, pixels = scene.sizes["y"], scene.sizes["x"]
    yield f"# yaml-language-server: $schema={schema_path('run')}"
    yield from _comment(
        f"Configuration for scenes like {as_text(fitting.scene_name)} ({scene.attrs['reader']}, "
        f"{sensor}, {lines} lines x {pixels} pixels). Drafted by ocpipe {__version__}; "
        "docs/configuration.md explains all keys."
    )
    for quantity in spectral_quantities(scene):
        bands = [f"{nm:g}" for nm in wavelengths(scene, quantity)]
        yield from _comment(f"{quantity} at {_listed(bands)} nm")
    yield "#"
    yield "#   ocpipe run SCENE -c THIS_FILE --dry-run     shows what a run would do"
    yield "#   ocpipe batch THIS_FILE FOLDER -o OUT        processes all scenes in a folder"
    yield f"name: {_scalar(fitting.name)}    # part of the names of products"
    made = dict.fromkeys(name for each in fitting.chosen.values() for name in _quantities(each))
    yield f"title: {_scalar(f'{_listed(list(made))} from {fitting.sensor or fitting.name}')}"


def _quantities(candidate: Candidate) -> list[str]:
    retrieval = candidate.retrieval
    if retrieval.class_quantity:
        return [retrieval.class_quantity]
    return [variable.quantity for variable in retrieval.outputs]


def _science(draft: DraftText) -> Iterator[str]:
    science = draft.fitting.science
    yield "science:"
    if "reader" in science:
        yield from _indented(_plain_yaml({"reader": science["reader"]}), 1)
    if "sensor" in science:
        yield f"  sensor: {_scalar(science['sensor'])}    # replaces the sensor in the scene"
    yield "  networks:    # run in this order; a network may use outputs of earlier ones"
    told: set[str] = set()
    for name, candidate in draft.fitting.chosen.items():
        yield from _network(draft.fitting, name, candidate)
        licence = candidate.retrieval.licence
        if licence not in told and not is_algorithm(candidate.file):
            yield from _comment(f"licence: {licence or 'none given'}", 3)
        told.add(licence)
    unused = _unused(draft.fitting)
    if unused:
        yield from _comment("Not used, because they do not fit this scene or each other:", 2)
        for file, reason in unused.items():
            yield from _comment(f"{as_text(file)}: {_first_sentence(reason)}", 2, "  ")
    yield from _masks(draft)
    yield "  # window: {bbox: [west, south, east, north]}    # only a part of each scene"
    yield "  # uncertainty: {inputs: {Rrs: {relative: 0.05}}}    # propagated to the outputs"
    yield "  # metadata: {institution: ..., creator_name: ..., license: ...}"


def _network(fitting: Fitting, name: str, candidate: Candidate) -> Iterator[str]:
    retrieval = candidate.retrieval
    taken, made = in_short(retrieval.inputs), in_short(retrieval.outputs)
    yield from _comment(f"{retrieval.title or retrieval.name}: {taken} -> {made}", 2)
    yield f"    - name: {_scalar(name)}"
    yield f"      file: {_scalar(candidate.file)}"
    if fitting.allows_other_sensor(candidate):
        sensors = _listed(list(retrieval.sensors))
        yield from _comment(f"the network was made for {sensors}", 3)
        yield "      allow_other_sensor: true"


def _unused(fitting: Fitting) -> dict[str, str]:
    """Return the networks of the folders that do not fit, with reasons; algorithms are left out."""
    return {file: why for file, why in fitting.reasons.items() if not is_algorithm(file)}


def _masks(draft: DraftText) -> Iterator[str]:
    masks = draft.masks
    angles = "solar_zenith" in plain_variables(draft.fitting.scene)
    others = [flag for flag in masks.flags if flag not in masks.rules.flags]
    others = [flag for flag in others if flag not in masks.rules.keep_flags]
    if masks.preset:
        yield "  masks:"
        yield f"    preset: {DEFAULT_MASKS}    # the list for this format: {masks.preset}"
        yield from _listed_masks(masks.rules)
        if others:
            yield from _comment(f"other flags of this scene: {_listed(others, 40)}", 2)
            yield f"    # flags: [{others[0]}]"
    elif others:
        yield from _comment(
            "No list of masks is known for this file. Its flags: " + _listed(others, 40), 1
        )
        yield "  # masks:"
        yield f"    # flags: [{others[0]}]"
    else:
        yield "  # This scene has no flags, so only missing values are masked."
        yield "  # masks:"
    if angles:
        yield "    # expressions: {low_sun: solar_zenith > 70}"
    yield "    # values: [negative]    # mask pixels with a negative value in an input band"


def _listed_masks(rules: MaskRules) -> Iterator[str]:
    if rules.keep_flags:
        yield from _comment(f"masked unless: {_listed(list(rules.keep_flags), 40)}", 2)
    if rules.flags:
        yield from _comment(f"masked: {_listed(list(rules.flags), 40)}", 2)
    for name, text in rules.expressions.items():
        yield from _comment(f"masked: {name}, {text}", 2)


def _execution(draft: DraftText) -> Iterator[str]:
    folders = [each.folder for each in draft.fitting.chosen.values() if each.folder is not None]
    folders = list(dict.fromkeys([*draft.network_dirs, *folders]))
    if folders:
        yield "execution:"
        yield "  network_dirs:    # searched for networks before the folders of OCPIPE_NETWORKS"
        yield from (f"    - {_scalar(str(folder.absolute()))}" for folder in folders)
        yield "  # output: products    # folder of the products; --output replaces it"
    else:
        yield "# execution: {output: products}    # folder of the products; --output replaces it"


def _batch(_: DraftText) -> Iterator[str]:
    yield "# batch: {inputs: [/data/scenes], timeout_s: 3600}    # for ocpipe batch"
    yield "# qc: {valid_fraction_min: 0.01}    # scenes with fewer valid pixels are suspect"


def _listed(names: Sequence[str], most: int = MOST_SHOWN) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=[.!?]) |\n", text, maxsplit=1)[0]


def _comment(text: str, level: int = 0, more: str = "") -> Iterator[str]:
    """Yield a text as comment lines; text from files cannot end the comment."""
    start = f"{'  ' * level}# {more}"
    yield from textwrap.wrap(
        printable(" ".join(text.split())),
        WIDTH,
        initial_indent=start,
        subsequent_indent=start,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _scalar(text: str) -> str:
    """Return a text as a YAML scalar, in quotes where it would mean something else."""
    if _PLAIN.fullmatch(text) and yaml.safe_load(text) == text:
        return text
    return json.dumps(text)


def _plain_yaml(data: Any) -> list[str]:
    return str(yaml.safe_dump(data, sort_keys=False)).splitlines()


def _indented(lines: Sequence[str], level: int) -> list[str]:
    return [f"{'  ' * level}{line}" for line in lines]
