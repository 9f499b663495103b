"""A whole run configuration, where it comes from, and what the command line changes in it."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import ByteSize, Field, ValidationError, field_validator

from pipeline.config.batch import Batch, QualityControl
from pipeline.config.naming import NameTemplate
from pipeline.config.science import Name, Science
from pipeline.config.strict import Strict, complaints_of, read_mapping
from pipeline.errors import ConfigError
from pipeline.facts.shipped import shipped_configs
from pipeline.machine.files import sha256_of_text
from pipeline.machine.resources import available_cores


class Execution(Strict):
    """How and where the work is done."""

    output: Path = Path()
    """Folder the products are written to."""
    network_dirs: tuple[Path, ...] = ()
    """Folders in which networks are looked up, before those of OCPIPE_NETWORKS."""
    product: str = "{stem}.{name}.nc"
    """Where below the output folder a product goes, by fields of the scene, see pipeline.naming."""
    threads: int | None = Field(default=None, ge=1)
    """At most so many blocks of a scene are in work together; one per core where nothing is said,
    which scenes at once share."""
    memory_limit: Annotated[ByteSize, Field(gt=0)] | None = None
    """Memory (1GB, 512MiB, bytes) that a run may use beside the program itself; half of what is
    left on the machine where nothing is said. Scenes at once share it."""

    @field_validator("product")
    @classmethod
    def _is_a_template(cls, product: str) -> str:
        NameTemplate(product)
        return product

    @property
    def most_threads(self) -> int:
        """Threads where nothing is said: one per core."""
        return self.threads or available_cores()


class RunConfig(Strict):
    """A whole run configuration."""

    name: Name
    title: str = ""
    science: Science
    execution: Execution = Execution()
    batch: Batch = Batch()
    qc: QualityControl = QualityControl()

    def selecting(self, products: tuple[str, ...]) -> "RunConfig":
        """This configuration with only the named networks, in the configuration's order.

        Raises:
            ConfigError: a name is not among the networks.
        """
        known = [network.name for network in self.science.networks]
        unknown = [name for name in products if name not in known]
        if unknown:
            raise ConfigError(
                f"--products names {', '.join(unknown)}; configuration {self.name!r} has "
                f"{', '.join(known)}. Choose among these or add a network to the configuration."
            )
        if not products:
            raise ConfigError(f"--products names nothing; choose among {', '.join(known)}.")
        chosen = [n.model_dump() for n in self.science.networks if n.name in products]
        return self._changed("science", {"networks": chosen})

    def executing(self, **changes: Any) -> "RunConfig":
        """This configuration with other execution settings; None keeps what there is.

        Raises:
            ConfigError: a setting is not valid.
        """
        return self._changed("execution", {k: v for k, v in changes.items() if v is not None})

    def batching(self, **changes: Any) -> "RunConfig":
        """This configuration with other settings of batches; None keeps what there is.

        Raises:
            ConfigError: a setting is not valid.
        """
        return self._changed("batch", {k: v for k, v in changes.items() if v is not None})

    def with_window(self, **changes: Any) -> "RunConfig":
        """This configuration with another window; None keeps what there is.

        Raises:
            ConfigError: the window is not valid.
        """
        said = {key: value for key, value in changes.items() if value is not None}
        window = self.science.window.model_dump() | said
        return self._changed("science", {"window": window}) if said else self

    def with_chunk(self, chunk: tuple[int, int]) -> "RunConfig":
        """This configuration with the storage chunk of its products stated."""
        return self._changed(
            "science", {"output": self.science.output.model_dump() | {"chunk": chunk}}
        )

    def with_engine(self, engine: str) -> "RunConfig":
        """This configuration with another engine.

        Raises:
            ConfigError: there is no such engine.
        """
        return self._changed("science", {"engine": engine}, "--engine")

    def _changed(
        self, section: str, changes: Mapping[str, Any], origin: str = "command line"
    ) -> "RunConfig":
        data = self.model_dump()
        data[section] |= changes
        return _validated(data, origin)

    def science_record(self) -> dict[str, Any]:
        """The science part as plain data, network paths as base names: what a product records."""
        record: dict[str, Any] = self.science.model_dump(mode="json")
        for network in record["networks"]:
            network["file"] = Path(network["file"]).name
        record["masks"]["preset"] = None  # its flags are stated in full
        return {"name": self.name, "title": self.title, "science": record}


def hash_of(record: Mapping[str, Any]) -> str:
    """SHA-256 of plain data, independent of the order of its keys."""
    text = json.dumps(record, sort_keys=True, separators=(",", ":"))
    return sha256_of_text(text)


def load_config(source: "str | Path | Mapping[str, Any] | RunConfig") -> RunConfig:
    """A run configuration from a file, from the name of a shipped one, or from plain data.

    Raises:
        ConfigError: it cannot be found or read, or says something unknown; all complaints at once.
    """
    if isinstance(source, RunConfig):
        return source
    if isinstance(source, Mapping):
        return _validated(source, "configuration")
    path = find_config(source)
    return _validated(read_mapping(path), path.name)


def as_yaml(config: RunConfig) -> str:
    """The configuration as YAML, all defaults filled in."""
    return str(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False))


def find_config(source: str | Path) -> Path:
    """The file itself, or the shipped run configuration of that name.

    Raises:
        ConfigError: there is neither.
    """
    path = Path(source)
    if os.path.isfile(path):  # noqa: PTH113 - False, not an error, for names that are too long
        return path
    shipped = shipped_configs() / "runs"
    name = path.stem if path.suffix in {".yaml", ".yml"} else path.name
    candidate = shipped / f"{name}.yaml"
    if os.path.isfile(candidate) and (  # noqa: PTH113
        path.parent == Path() or path.parent.name == "runs"
    ):
        return candidate
    names = ", ".join(sorted(file.stem for file in shipped.glob("*.yaml")))
    raise ConfigError(
        f"{source}: no such configuration file, and no shipped configuration of that name. "
        f"Give a path or one of {names}."
    )


def _validated(data: Mapping[str, Any], origin: str) -> RunConfig:
    try:
        return RunConfig.model_validate(dict(data))
    except ValidationError as error:
        complaints = "\n".join(f"  {line}" for line in complaints_of(error, RunConfig))
        raise ConfigError(f"{origin} is not a valid run configuration:\n{complaints}") from None
