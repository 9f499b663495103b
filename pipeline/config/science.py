"""What is computed: the part of a configuration that goes into the product and into its key."""

import functools
import json
import string
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from pipeline.config.strict import Strict
from pipeline.config.uncertainty import Uncertainty
from pipeline.errors import repeated
from pipeline.facts.shipped import read_shipped, shipped_configs

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
    return {file.stem: read_shipped(file) for file in files}


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
    uncertainty: Uncertainty = Uncertainty()
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
        twice = repeated([network.name for network in networks])
        if twice:
            raise ValueError(f"network name used twice: {twice}")
        return networks
