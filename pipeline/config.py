"""The run configuration: what YAML may say, typed, with every unknown key an error.

``science`` decides what is in a product and is written into it; ``execution`` decides how and where
the work is done and never leaves a trace in a product.
"""

import difflib
import functools
import hashlib
import json
import os
import string
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ByteSize,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from pipeline.errors import ConfigError
from pipeline.shipped import read_table, shipped_configs

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
# Sorted, so that the order in a file, which nobody minds, decides no bit and no byte of a product.
SortedDict = Annotated[
    dict[Name, str], AfterValidator(lambda entries: dict(sorted(entries.items())))
]

# Global attributes that a product states by itself; the configuration adds others (license,
# institution, creator_name ...) and may word title, summary and keywords.
FACTS = frozenset(
    (
        "Conventions",
        "brdf_correction",
        "cdm_data_type",
        "date_created",
        "geospatial_lat_max",
        "geospatial_lat_min",
        "geospatial_lat_units",
        "geospatial_lon_max",
        "geospatial_lon_min",
        "geospatial_lon_units",
        "history",
        "id",
        "instrument",
        "naming_authority",
        "platform",
        "processing_level",
        "processing_version",
        "product_name",
        "source",
        "standard_name_vocabulary",
        "time_coverage_end",
        "time_coverage_start",
    )
)


class Strict(BaseModel):
    """Frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ReaderOptions(Strict):
    """What a format leaves open; a reader with options of its own extends this."""


class ReaderChoice(Strict):
    """Which reader opens the scenes; ``auto`` recognises the format from the content."""

    format: str = "auto"
    options: dict[str, Any] = {}
    """What the format leaves open; which keys there are depends on the format."""

    @field_validator("options")
    @classmethod
    def _plain(cls, options: dict[str, Any]) -> dict[str, Any]:
        try:
            json.dumps(options)
        except (TypeError, ValueError):
            raise ValueError("holds something that is not plain text, numbers or lists") from None
        return options

    @model_validator(mode="after")
    def _options_are_of_a_format(self) -> "ReaderChoice":
        if self.options and self.format == "auto":
            raise ValueError("options need a format: name the reader they are for under format")
        return self


class Bands(Strict):
    """How scene bands are matched to network inputs."""

    tolerance_nm: float = Field(default=3.0, ge=0, le=50)


class Window(Strict):
    """The part of a scene that is processed; the whole scene where nothing is said."""

    bbox: tuple[float, float, float, float] | None = None
    """West, south, east, north in degrees; west > east means across the antimeridian. The window
    is the smallest rectangle of lines and pixels that holds every pixel centre inside."""
    lines: tuple[int, int] | None = None
    """First line and the line after the last, counted from 0."""
    pixels: tuple[int, int] | None = None
    """First pixel of a line and the one after the last, counted from 0."""

    @field_validator("bbox")
    @classmethod
    def _is_on_the_globe(
        cls, bbox: tuple[float, float, float, float] | None
    ) -> tuple[float, float, float, float] | None:
        if bbox is not None:
            west, south, east, north = bbox
            if not -90 <= south < north <= 90:
                raise ValueError("expected south < north, both from -90 to 90")
            if not (-180 <= west <= 360 and -180 <= east <= 360):
                raise ValueError("expected west and east from -180 to 360")
            if (east - west) % 360 == 0 and east <= west:
                raise ValueError("expected different west and east; they are the same meridian")
        return bbox

    @field_validator("lines", "pixels")
    @classmethod
    def _is_a_range(cls, span: tuple[int, int] | None) -> tuple[int, int] | None:
        if span is not None and not 0 <= span[0] < span[1]:
            raise ValueError("expected 0 <= first < end")
        return span


class MaskRules(Strict):
    """Which pixels are excluded from every network."""

    preset: str | None = None
    """Name of a shipped list of flags, to which the lists below are added."""
    flags: tuple[str, ...] = ()
    """Excluded where one of these flags of the file is set."""
    flags_if_present: tuple[str, ...] = ()
    """The same, for flags that not every file has."""
    keep_flags: tuple[str, ...] = ()
    """Excluded where none of these flags of the file is set."""
    expressions: SortedDict = {}
    """Excluded where the expression is true, e.g. ``low_sun: solar_zenith > 70``; by name."""
    values: tuple[
        Literal["missing", "zero", "negative", "saturated", "outside_valid_range"], ...
    ] = ()
    """Excluded where any input band of the run is so (networks do their own check besides)."""
    dilate: Annotated[
        dict[str, Annotated[int, Field(ge=1, le=100)]],
        AfterValidator(lambda entries: dict(sorted(entries.items()))),
    ] = {}
    """Rule (a flag, an expression's name ...) -> pixels by which its area grows on every side."""

    @model_validator(mode="before")
    @classmethod
    def _with_preset(cls, data: Any) -> Any:
        """The preset's flags in front of the configuration's own, each once: stated in full."""
        if not isinstance(data, Mapping) or data.get("preset") is None:
            return data
        presets = mask_presets()
        if not isinstance(data["preset"], str) or data["preset"] not in presets:
            raise ValueError(f"unknown preset {data['preset']!r}; known are {', '.join(presets)}")
        preset, merged = presets[data["preset"]], dict(data)
        for key in ("flags", "flags_if_present", "keep_flags"):
            own = data.get(key, ())
            if isinstance(own, list | tuple):
                merged[key] = list(dict.fromkeys([*preset.get(key, ()), *own]))
        return merged


@functools.cache
def mask_presets() -> dict[str, dict[str, list[str]]]:
    """The shipped lists of flags, by name."""
    files = sorted((shipped_configs() / "masks").glob("*.yaml"))
    return {file.stem: read_table(file) for file in files}


GainMode = Literal["none", "open", "coastal", "ocsmart"]


class NetworkChoice(Strict):
    """One network of a run."""

    name: Name
    file: str
    """A path, or a file name to look up in the network folders; ``{sensor}`` is filled in."""
    allow_other_sensor: bool = False
    gains: GainMode = "none"
    """Vicarious gains on the Rrs that the network makes; ``ocsmart`` chooses for each pixel."""
    input_gains: GainMode = "none"
    """Vicarious gains on the Rrs that the network takes from the scene."""
    write: bool = True
    """Whether its values are written; its flags always are."""

    @field_validator("file")
    @classmethod
    def _only_sensor_is_filled_in(cls, file: str) -> str:
        try:
            parts = [part[1:] for part in string.Formatter().parse(file) if part[1] is not None]
        except ValueError as error:
            raise ValueError(
                f"unbalanced braces ({error}); the only placeholder is {{sensor}}"
            ) from error
        if any(part != ("sensor", "", None) for part in parts):
            raise ValueError("the only placeholder is {sensor}")
        return file


class Output(Strict):
    """The layout of a product."""

    chunk: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] | None = None
    """Lines and pixels of a storage chunk; by the number of variables where nothing is said."""
    compression_level: int = Field(default=4, ge=0, le=9)
    source_flags: bool = True
    """Whether the scene's own flags are carried into the product."""


class Science(Strict):
    """What is computed."""

    reader: ReaderChoice = ReaderChoice()
    sensor: str | None = None
    """Overrides the sensor a scene names."""
    window: Window = Window()
    constants: Annotated[
        dict[Name, Annotated[float, Field(allow_inf_nan=False)]],
        AfterValidator(lambda entries: dict(sorted(entries.items()))),
    ] = {}
    """Values of quantities that the scene lacks, the same on every pixel: relative_humidity."""
    bands: Bands = Bands()
    masks: MaskRules = MaskRules()
    networks: tuple[NetworkChoice, ...] = Field(min_length=1)
    engine: Literal["auto", "numpy", "onnxruntime", "tensorflow"] = "auto"
    output: Output = Output()
    metadata: SortedDict = {}
    """Global attributes of the product (ACDD): creator_name, institution, license ..."""

    @field_validator("metadata")
    @classmethod
    def _facts_stay(cls, metadata: dict[str, str]) -> dict[str, str]:
        taken = sorted(FACTS & set(metadata))
        if taken:
            raise ValueError(f"{', '.join(taken)} cannot be set: every product says so itself")
        return metadata

    @field_validator("networks")
    @classmethod
    def _names_are_unique(cls, networks: tuple[NetworkChoice, ...]) -> tuple[NetworkChoice, ...]:
        names = [network.name for network in networks]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"network name used twice: {', '.join(twice)}")
        return networks


class Execution(Strict):
    """How and where the work is done."""

    output: Path = Path()
    """Folder the products are written to."""
    network_dirs: tuple[Path, ...] = ()
    """Folders in which networks are looked up, before those of OCPIPE_NETWORKS."""
    threads: int = Field(default_factory=lambda: len(os.sched_getaffinity(0)), ge=1)
    """At most so many blocks are in work together."""
    memory_limit: Annotated[ByteSize, Field(gt=0)] | None = None
    """Memory (1GB, 512MiB, bytes) that a run may use beside the program itself; half of what is
    left on the machine where nothing is said."""


class RunConfig(Strict):
    """A whole run configuration."""

    name: Name
    title: str = ""
    science: Science
    execution: Execution = Execution()

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
    return hashlib.sha256(text.encode()).hexdigest()


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
    return _validated(_read_yaml(path), path.name)


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


class _UniqueKeyLoader(yaml.SafeLoader):
    """YAML's safe loader, which also refuses a key that appears twice in one mapping.

    It refuses aliases, too: a few of them can stand for more data than there is memory.
    """

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            line = self.peek_event().start_mark.line + 1  # type: ignore[no-untyped-call]
            raise yaml.YAMLError(f"an alias (*) is not allowed (line {line}); write it out")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        for key_node, _ in node.value:
            if keys.count(key_node.value) > 1:
                line = key_node.start_mark.line + 1
                raise yaml.YAMLError(f"key {key_node.value!r} appears twice (line {line})")
        return super().construct_mapping(node, deep)


def _read_yaml(path: Path) -> Mapping[str, Any]:
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), _UniqueKeyLoader)  # noqa: S506
    # Impossible dates and bad UTF-8 are ValueErrors.
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path.name} is not valid YAML: {error}") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    if not isinstance(data, Mapping):
        raise ConfigError(
            f"{path.name}: found {type(data).__name__}, expected a mapping with name and science."
        )
    return data


def _validated(data: Mapping[str, Any], origin: str) -> RunConfig:
    try:
        return RunConfig.model_validate(dict(data))
    except ValidationError as error:
        complaints = "\n".join(f"  {line}" for line in complaints_of(error, RunConfig))
        raise ConfigError(f"{origin} is not a valid run configuration:\n{complaints}") from None


def complaints_of(error: ValidationError, root: type[BaseModel]) -> list[str]:
    """What is wrong, one line each, in words for a person."""
    return [_complaint(entry, root) for entry in _innermost(error.errors())]


def _innermost(entries: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Without what only follows from a mistake further inside."""
    places = [entry["loc"] for entry in entries]
    return [
        entry
        for entry in entries
        if not any(
            len(p) > len(entry["loc"]) and p[: len(entry["loc"])] == entry["loc"] for p in places
        )
    ]


def _complaint(entry: Mapping[str, Any], root: type[BaseModel]) -> str:
    location = entry["loc"]
    where = ".".join(str(part) for part in location)
    if entry["type"] == "extra_forbidden":
        known = list(_model_at(location[:-1], root).model_fields)
        close = difflib.get_close_matches(str(location[-1]), known, n=1)
        listed = f"known keys are {', '.join(known)}." if known else "there are none."
        hint = f"did you mean {close[0]!r}?" if close else listed
        return f"{where}: unknown key; {hint}"
    if entry["type"] == "missing":
        return f"{where}: missing; give it a value."
    message = str(entry["msg"]).removeprefix("Value error, ")
    # A mistake inside a part is told by its message, not by showing all of the part.
    found = "" if isinstance(entry["input"], Mapping) else f" (found {entry['input']!r})"
    return f"{where}: {message}{found}"


def _model_at(location: tuple[Any, ...], root: type[BaseModel]) -> type[BaseModel]:
    """The model class at a place of the configuration, to name its keys."""
    model = root
    for part in location:
        if isinstance(part, int):
            continue
        if part not in model.model_fields:
            break
        annotation = model.model_fields[part].annotation
        inner = getattr(annotation, "__args__", (annotation,))[0]
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            break
        model = inner
    return model
