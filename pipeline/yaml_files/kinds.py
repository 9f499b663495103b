"""The kinds of YAML files that ocpipe reads, and how the kind of a file is recognised."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, RootModel

from pipeline.config import RunConfig
from pipeline.config.matchup import MatchupConfig
from pipeline.config.training import FinetuneConfig, TrainingConfig
from pipeline.errors import ConfigError
from pipeline.facts.sensors import Sensor
from pipeline.facts.shipped import shipped_configs
from pipeline.networks.reading.described_yaml import FileDescription
from pipeline.networks.reading.ensemble_file import EnsembleDescription
from pipeline.readers.mapping import FileMapping
from pipeline.simulation.waters import WaterDistributions
from pipeline.yaml_files.tables import (
    AlgorithmTable,
    ForeignFormats,
    MaskList,
    OcsmartNames,
    QaLayouts,
    Quantities,
)


@dataclass(frozen=True)
class Kind:
    """A kind of YAML file."""

    name: str
    model: Any
    """The model: a pydantic model or a pydantic dataclass."""
    words: str
    """What a file of this kind is, as a text for messages."""
    shipped: str
    """Pattern of the shipped files below ``configs``; empty if none is shipped."""
    used_by: str
    """The commands or the setting that use such a file."""

    @property
    def files(self) -> list[Path]:
        """The shipped files of this kind."""
        return sorted(shipped_configs().glob(self.shipped)) if self.shipped else []

    @property
    def keys(self) -> frozenset[str]:
        """The keys that a file of this kind may have at the top."""
        return frozenset(name for model in self._models for name in _fields(model))

    @property
    def required(self) -> frozenset[str]:
        """The keys that every file of this kind has at the top."""
        needed = [
            {name for name, is_required in _fields(model).items() if is_required}
            for model in self._models
        ]
        return frozenset(set.intersection(*needed)) if needed else frozenset()

    @property
    def _models(self) -> list[Any]:
        """The models of the mapping at the top; a table with one of several forms has several."""
        if not (isinstance(self.model, type) and issubclass(self.model, RootModel)):
            return [self.model]
        annotation = self.model.model_fields["root"].annotation
        plain = (getattr(each, "__origin__", each) for each in get_args(annotation))
        return [each for each in plain if hasattr(each, "model_fields")]


def _fields(model: Any) -> dict[str, bool]:
    """Return the keys of a model, and whether each is required."""
    fields = model.model_fields if _is_model(model) else model.__pydantic_fields__
    return {field.alias or name: field.is_required() for name, field in fields.items()}


def _is_model(model: Any) -> bool:
    return isinstance(model, type) and issubclass(model, BaseModel)


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("run", RunConfig, "run configuration", "runs/*.yaml", "run, batch"),
        Kind("training", TrainingConfig, "training configuration", "training/*.yaml",
             "train, tune, evaluate"),
        Kind("finetune", FinetuneConfig, "fine-tuning configuration", "", "finetune"),
        Kind("matchup", MatchupConfig, "configuration of match-ups", "matchup/*.yaml", "matchup"),
        Kind("network", FileDescription, "description of a network", "networks/modis*.yaml",
             "networks in a file with weights or CSV tables"),
        Kind("ensemble", EnsembleDescription, "description of an ensemble", "",
             "networks that run together"),
        Kind("mapping", FileMapping, "mapping of a netCDF file", "formats/netcdf/*.yaml",
             "science.reader, format cf_netcdf"),
        Kind("masks", MaskList, "list of masks", "masks/*.yaml", "science.masks.preset"),
        Kind("sensor", Sensor, "table of a sensor", "sensors/*.yaml", "science.sensor"),
        Kind("algorithm", AlgorithmTable, "table of an algorithm", "algorithms/*.yaml",
             "algorithm:NAME"),
        Kind("quantities", Quantities, "table of quantities", "quantities.yaml", "units and names"),
        Kind("foreign", ForeignFormats, "table of formats that are not read",
             "formats/foreign.yaml", "messages about other formats"),
        Kind("sgli_qa", QaLayouts, "table of SGLI's flags", "formats/sgli_qa.yaml",
             "science.reader, format sgli_l2"),
        Kind("ocsmart", OcsmartNames, "table of OC-SMART's networks", "networks/ocsmart.yaml",
             "networks of OC-SMART"),
        Kind("waters", WaterDistributions, "table of simulated waters",
             "training/optics/waters.yaml", "simulate"),
    )
}  # fmt: skip
"""All kinds by name; those that users write most often come first."""

CONFIGURATIONS = ("run", "training", "finetune", "matchup")
"""The kinds that a command takes as its configuration."""

SHIPPED_FOLDERS = frozenset(Path(kind.shipped).parent.name for kind in KINDS.values()) - {""}
"""Names of the folders with shipped files; as in ``runs/demo.yaml``."""


def kind_of(data: Mapping[str, Any]) -> Kind:
    """Return the kind of a file by the keys at its top.

    Raises:
        ConfigError: no kind has any of the keys.
    """
    if _holds_quantities(data):  # each of its keys is the name of a quantity
        return KINDS["quantities"]
    found = frozenset(map(str, data))
    best = max(KINDS.values(), key=lambda kind: _fit(kind, found))
    if not found & best.keys:
        raise ConfigError(
            f"found the keys {', '.join(sorted(found)) or '(none)'}, which belong to no kind of "
            f"file that ocpipe reads. Correct them, or give --kind: {', '.join(KINDS)}."
        )
    return best


def _fit(kind: Kind, found: frozenset[str]) -> int:
    """Return a number that says how well keys fit a kind; known keys raise it.

    Unknown and missing keys lower the number. A missing key lowers it less than an unknown key,
    because a draft is often incomplete.
    """
    known, missing = len(found & kind.keys), len(kind.required - found)
    return 2 * known - 2 * (len(found) - known) - missing


def _holds_quantities(data: Mapping[str, Any]) -> bool:
    entries = list(data.values())
    return bool(entries) and all(isinstance(e, Mapping) and "long_name" in e for e in entries)


def find_shipped_file(source: str, kind: Kind | None = None) -> tuple[Path, Kind]:
    """Return the shipped file with a name, such as ``demo`` or ``runs/demo.yaml``, and its kind.

    Raises:
        ConfigError: no shipped file has this name.
    """
    kinds = [kind] if kind is not None else list(KINDS.values())
    name, folder = Path(source).name, Path(source).parent.name
    for each in kinds:
        for file in each.files:
            if name in (file.stem, file.name) and folder in ("", file.parent.name):
                return file, each
    usual = [each for each in kinds if each.name in CONFIGURATIONS]
    known = [file.stem for each in usual or kinds for file in each.files]
    words = kind.words if kind is not None else "file"
    raise ConfigError(
        f"{source}: no such {words}, and no shipped file has this name. Give a path"
        + (f" or one of {', '.join(known)}." if known else ".")
    )
