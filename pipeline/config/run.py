"""Loads a run configuration, and changes it by the options of the command line."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import ByteSize, Field, field_validator

from pipeline.config.batch import Batch, QualityControl
from pipeline.config.naming import NameTemplate
from pipeline.config.science import DEFAULT_MASKS, MaskRules, Name, NetworkChoice, Science
from pipeline.config.strict import Strict, find_shipped, read_mapping, validated
from pipeline.errors import ConfigError
from pipeline.files.contents import sha256_of_text
from pipeline.machine.resources import available_cores

_WORDS = "run configuration"

# Keys of a network that were added after version 0.2.0. A key with its default is not recorded, so
# that products without this option stay the same.
LATER_IN_NETWORKS = ("prefix", "rename", "inputs_from", "to_nm", "if_possible")
# Keys of the section science that were added after version 0.2.0.
LATER_IN_SCIENCE = ("adjust", "derived", "choose", "blend")


class Execution(Strict):
    """The settings that say how and where the work is done."""

    output: Path = Path()
    """Folder of the products."""
    network_dirs: tuple[Path, ...] = ()
    """Folders in which networks are looked up, before the folders of OCPIPE_NETWORKS."""
    product: str = "{stem}.{name}.nc"
    """Path of a product below the output folder, as a :class:`NameTemplate`."""
    threads: int | None = Field(default=None, ge=1, le=10_000)
    """Largest number of blocks of a scene that are computed at the same time; by default one per
    core. Scenes that run at the same time share the cores."""
    memory_limit: Annotated[ByteSize, Field(gt=0)] | None = None
    """Memory (1GB, 512MiB, or bytes) that a run may use in addition to the program itself; by
    default half of the free memory. Scenes that run at the same time share this memory."""

    @field_validator("product")
    @classmethod
    def _is_a_template(cls, product: str) -> str:
        NameTemplate(product)
        return product

    @property
    def most_threads(self) -> int:
        """Largest number of threads, as configured; by default one per core."""
        return self.threads or available_cores()


class RunConfig(Strict):
    """A whole run configuration.

    Methods that change settings return a changed copy; an argument that is None changes
    nothing. These methods raise a ConfigError if a setting is unknown or not valid.
    """

    name: Name
    title: str = ""
    science: Science
    execution: Execution = Execution()
    batch: Batch = Batch()
    qc: QualityControl = QualityControl()

    def selecting(self, products: tuple[str, ...]) -> "RunConfig":
        """Keep only the named networks, in the order of the configuration."""
        known = [network.name for network in self.science.networks]
        unknown = [name for name in products if name not in known]
        if unknown:
            raise ConfigError(
                f"--products: found {', '.join(unknown)}, but the configuration {self.name!r} has "
                f"only {', '.join(known)}. Choose among these, or add a network to the "
                "configuration."
            )
        if not products:
            raise ConfigError(f"--products: found no network. Choose among {', '.join(known)}.")
        chosen = [n.model_dump() for n in self.science.networks if n.name in products]
        return self._changed("science", {"networks": chosen})

    def executing(self, **changes: Any) -> "RunConfig":
        """Return a copy with other settings of the section ``execution``."""
        return self._changed("execution", changes)

    def batching(self, **changes: Any) -> "RunConfig":
        """Return a copy with other settings of the section ``batch``."""
        return self._changed("batch", changes)

    def with_window(self, **changes: Any) -> "RunConfig":
        """Change the window."""
        window = self.science.window.model_dump() | _given(changes)
        return self._changed("science", {"window": window}) if _given(changes) else self

    def with_chunk(self, chunk: tuple[int, int]) -> "RunConfig":
        """Return a copy with another size of the products' storage chunks."""
        output = self.science.output.model_dump() | {"chunk": chunk}
        return self._changed("science", {"output": output})

    def bound(self, masks: MaskRules, networks: Sequence[NetworkChoice]) -> "RunConfig":
        """Return a copy with the masks and networks that are used for one scene."""
        kept = [choice.model_dump() | {"if_possible": False} for choice in networks]
        return self._changed("science", {"masks": masks.model_dump(), "networks": kept})

    def with_result_mask(self, name: str, where: str) -> "RunConfig":
        """Return a copy with one more mask by results."""
        masks = self.science.masks.model_dump()
        masks["results"] = [*masks["results"], {"name": name, "where": where}]
        return self._changed("science", {"masks": masks})

    def with_engine(self, engine: str) -> "RunConfig":
        """Change the engine."""
        return self._changed("science", {"engine": engine}, "--engine")

    def _changed(
        self, section: str, changes: Mapping[str, Any], origin: str = "command line"
    ) -> "RunConfig":
        data = self.model_dump()
        data[section] |= _given(changes)
        return validated(RunConfig, data, origin, _WORDS)

    def science_record(self) -> dict[str, Any]:
        """Return the science section as a product records it, with file names instead of paths.

        The lists of masks already contain the flags of the preset, so the preset is left out. Only
        a configuration that is not yet bound to a scene can have the preset ``default`` or a
        network with ``if_possible``.
        """
        record: dict[str, Any] = self.science.model_dump(mode="json")
        for network in record["networks"]:
            network["file"] = Path(network["file"]).name
            _without_defaults(network, NetworkChoice, LATER_IN_NETWORKS)
        _without_defaults(record, Science, LATER_IN_SCIENCE)
        if not record["masks"]["results"]:  # products without such masks stay the same
            del record["masks"]["results"]
        if record["masks"]["preset"] != DEFAULT_MASKS:
            record["masks"]["preset"] = None
        return {"name": self.name, "title": self.title, "science": record}


def _without_defaults(record: dict[str, Any], model: type[Strict], names: Sequence[str]) -> None:
    """Remove keys that have their defaults."""
    for name in names:
        default = model.model_fields[name].get_default(call_default_factory=True)
        if record[name] == (list(default) if isinstance(default, tuple) else default):
            del record[name]


def _given(changes: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in changes.items() if value is not None}


def hash_of(record: Mapping[str, Any]) -> str:
    """Return the SHA-256 of plain data, independent of the order of its keys."""
    return sha256_of_text(json.dumps(record, sort_keys=True, separators=(",", ":")))


def load_config(source: "str | Path | Mapping[str, Any] | RunConfig") -> RunConfig:
    """Return a run configuration from a file, the name of a shipped configuration, or plain data.

    Raises:
        ConfigError: the configuration cannot be read or is wrong; the message lists all mistakes.
    """
    if isinstance(source, RunConfig):
        return source
    if isinstance(source, Mapping):
        return validated(RunConfig, source, "configuration", _WORDS)
    path = find_shipped(source, "runs", _WORDS)
    return validated(RunConfig, read_mapping(path), path.name, _WORDS)


def as_yaml(config: RunConfig) -> str:
    """Return the configuration as YAML, with all defaults."""
    return str(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False))
