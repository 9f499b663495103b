"""The science section of a configuration, on which the content of a product depends."""

import functools
import json
import string
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from pipeline.config.strict import SORTED, Strict
from pipeline.config.together import Blend, Choice, Derived
from pipeline.config.uncertainty import Uncertainty
from pipeline.errors import repeated
from pipeline.facts.shipped import read_shipped, shipped_configs

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
BandName = Annotated[str, Field(pattern=r"^[A-Za-z_]+_[0-9]+(\.[0-9]+)?$")]
SortedDict = Annotated[dict[Name, str], SORTED]

# Global attributes that every product states itself. The configuration adds others (license,
# institution, creator_name ...) and may replace title, summary and keywords.
FACTS = frozenset(
    (
        *("Conventions", "brdf_correction", "cdm_data_type", "date_created", "history", "id"),
        *("geospatial_lat_max", "geospatial_lat_min", "geospatial_lat_units"),
        *("geospatial_lon_max", "geospatial_lon_min", "geospatial_lon_units"),
        *("instrument", "naming_authority", "platform", "processing_level", "processing_version"),
        *("product_name", "source", "standard_name_vocabulary"),
        *("time_coverage_end", "time_coverage_start"),
    )
)


class ReaderOptions(Strict):
    """Base class for the options of a reader; each reader with options has its own class."""


class ReaderChoice(Strict):
    """The reader that opens the scenes; ``auto`` recognises the format from the content."""

    format: str = "auto"
    options: dict[str, Any] = {}
    """Options of the reader; each format has its own options."""

    @field_validator("options")
    @classmethod
    def _plain(cls, options: dict[str, Any]) -> dict[str, Any]:
        try:
            json.dumps(options)
        except (TypeError, ValueError):
            raise ValueError("expected plain text, numbers, lists and mappings only") from None
        return dict(_in_order(options))

    @model_validator(mode="after")
    def _options_are_of_a_format(self) -> "ReaderChoice":
        if self.options and self.format == "auto":
            raise ValueError("options need a reader; set format to the name of the reader")
        return self


def _in_order(data: Any) -> Any:
    """Return plain data with the keys of all mappings in the order in which they are recorded."""
    if isinstance(data, Mapping):
        return {key: _in_order(data[key]) for key in sorted(data, key=str)}
    return [_in_order(each) for each in data] if isinstance(data, list | tuple) else data


class Bands(Strict):
    """How bands of the scene are matched to inputs of networks."""

    tolerance_nm: float = Field(default=3.0, ge=0, le=50)


class Adjustment(Strict):
    """Adjusted value of a band = gain * value + offset."""

    gain: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    offset: float = Field(default=0.0, allow_inf_nan=False)
    """In the units of the band."""


class Window(Strict):
    """The part of a scene that is processed; by default the whole scene."""

    bbox: tuple[float, float, float, float] | None = None
    """West, south, east, north in degrees; a box with west > east crosses the antimeridian. The
    window is the smallest rectangle of lines and pixels that contains all pixels whose centre is in
    the box."""
    lines: tuple[int, int] | None = None
    """First line of the window, and first line after it, counted from 0."""
    pixels: tuple[int, int] | None = None
    """First pixel of the window in a line, and first pixel after the window, counted from 0."""

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
                raise ValueError("expected west and east to be different meridians")
        return bbox

    @field_validator("lines", "pixels")
    @classmethod
    def _is_a_range(cls, span: tuple[int, int] | None) -> tuple[int, int] | None:
        if span is not None and not 0 <= span[0] < span[1]:
            raise ValueError("expected 0 <= first < end")
        return span


class ResultMask(Strict):
    """A mask by an expression over the variables of the product."""

    name: Name
    where: str
    """An expression such as ``aph_443 > 2`` or ``latitude < 30 and iops_input_out_of_range``."""


class MaskRules(Strict):
    """Rules for excluding pixels from the computation of every network."""

    preset: str | None = None
    """Name of a shipped list of flags, or ``default`` for the list that is recommended for the
    format of the scene; the other keys add to this list."""
    flags: tuple[str, ...] = ()
    """Flags of the file; a pixel is excluded if one of these flags is set."""
    flags_if_present: tuple[str, ...] = ()
    """Like ``flags``, but a file may lack these flags."""
    keep_flags: tuple[str, ...] = ()
    """Flags of the file; a pixel is excluded if none of these flags is set."""
    expressions: SortedDict = {}
    """Expressions by name, e.g. ``low_sun: solar_zenith > 70``. A pixel is excluded if one of these
    expressions is true."""
    values: tuple[
        Literal["missing", "zero", "negative", "saturated", "outside_valid_range"], ...
    ] = ()
    """A pixel is excluded if an input band of the run has one of these values. In addition, each
    network checks its own inputs."""
    results: tuple[ResultMask, ...] = ()
    """Masks by results: after all networks were computed, values are removed where the expression
    is true. A later mask is applied only to pixels that no earlier mask has removed."""
    dilate: Annotated[dict[str, Annotated[int, Field(ge=1, le=100)]], SORTED] = {}
    """For each named rule (a flag, the name of an expression ...), the number of pixels by which
    the excluded area grows on every side."""

    @model_validator(mode="before")
    @classmethod
    def _with_preset(cls, data: Any) -> Any:
        """Put the flags of the preset in front of the configured flags; keep each flag once."""
        if not isinstance(data, Mapping) or data.get("preset") in (None, DEFAULT_MASKS):
            return data
        presets = mask_presets()
        if not isinstance(data["preset"], str) or data["preset"] not in presets:
            known = ", ".join((DEFAULT_MASKS, *presets))
            raise ValueError(f"unknown preset {data['preset']!r}; known are {known}")
        preset, merged = presets[data["preset"]], dict(data)
        for key in ("flags", "flags_if_present", "keep_flags"):
            own = data.get(key, ())
            if isinstance(own, list | tuple):
                merged[key] = list(dict.fromkeys([*preset.get(key, ()), *own]))
        if preset.get("expressions") and isinstance(data.get("expressions", {}), Mapping):
            merged["expressions"] = {**preset["expressions"], **data.get("expressions", {})}
        return merged


# Name of the preset that means the list that is recommended for the format of a scene.
DEFAULT_MASKS = "default"


@functools.cache
def mask_presets() -> dict[str, dict[str, Any]]:
    """Return the shipped lists of flags and expressions, by name."""
    files = sorted((shipped_configs() / "masks").glob("*.yaml"))
    return {file.stem: read_shipped(file) for file in files}


GainMode = Literal["none", "open", "coastal", "ocsmart"]


class NetworkChoice(Strict):
    """One network of a run."""

    name: Name
    file: str
    """A path, or the name of a file in one of the network folders; ``{sensor}`` stands for the
    scene's sensor."""
    allow_other_sensor: bool = False
    gains: GainMode = "none"
    """Vicarious gains for the Rrs that the network computes. With ``ocsmart``, the gains are
    selected separately for each pixel."""
    input_gains: GainMode = "none"
    """Vicarious gains for the Rrs that the network takes from the scene."""
    write: bool = True
    """Whether the network's values are written to the product; its flags are always written."""
    prefix: Annotated[str, Field(pattern=r"^([A-Za-z]\w*)?$")] = ""
    """Text in front of the names of the network's variables in the product."""
    rename: Annotated[dict[str, Name], SORTED] = {}
    """Name of a variable of the network -> its name in the product; ``prefix`` is not added."""
    inputs_from: Literal["networks", "scene"] = "networks"
    """With ``networks``, each input comes from the last earlier network that computes it (for a
    spectral quantity: at this band). If there is no such network, the input comes from the scene.
    With ``scene``, all inputs come from the scene."""
    to_nm: tuple[Annotated[float, Field(gt=0, allow_inf_nan=False)], ...] = ()
    """For an algorithm that shifts bands, the wavelengths (nm) of its outputs."""
    if_possible: bool = False
    """True to leave the network out, with a warning, if it does not support the scene's sensor or
    if the scene lacks one of its inputs."""

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
    """Lines and pixels of a storage chunk; the default depends on the number of variables."""
    compression_level: int = Field(default=4, ge=0, le=9)
    source_flags: bool = True
    """Whether the scene's own flags are copied into the product."""


class Science(Strict):
    """The settings on which the content of a product depends."""

    reader: ReaderChoice = ReaderChoice()
    sensor: str | None = None
    """Name of the sensor; it replaces the name in the scene."""
    window: Window = Window()
    constants: Annotated[dict[Name, Annotated[float, Field(allow_inf_nan=False)]], SORTED] = {}
    """Constant values for quantities that the scene does not have."""
    adjust: Annotated[dict[BandName, Adjustment], SORTED] = {}
    """Gain and offset for bands of the scene, before anything else uses the bands."""
    bands: Bands = Bands()
    masks: MaskRules = MaskRules()
    networks: tuple[NetworkChoice, ...] = Field(min_length=1)
    derived: Annotated[dict[Name, Derived], SORTED] = {}
    """Products that expressions compute from outputs, bands and variables."""
    choose: Annotated[dict[Name, Choice], SORTED] = {}
    """Products that take their values from the first network whose condition is true."""
    blend: Annotated[dict[Name, Blend], SORTED] = {}
    """Products that are weighted means of networks."""
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
            raise ValueError(f"remove {', '.join(taken)}: ocpipe itself sets this in every product")
        return metadata

    @field_validator("networks")
    @classmethod
    def _names_are_unique(cls, networks: tuple[NetworkChoice, ...]) -> tuple[NetworkChoice, ...]:
        if twice := repeated([network.name for network in networks]):
            raise ValueError(f"two networks have the name {twice}; rename one")
        return networks

    @property
    def combinations(self) -> dict[str, Derived | Choice | Blend]:
        """All products that are computed from other products, by name."""
        return {**self.derived, **self.choose, **self.blend}

    @model_validator(mode="after")
    def _names_of_products_are_unique(self) -> "Science":
        names = [network.name for network in self.networks]
        if twice := repeated([*names, *self.derived, *self.choose, *self.blend]):
            raise ValueError(
                f"networks, derived, choose and blend: the name {twice} appears twice; rename one"
            )
        return self
