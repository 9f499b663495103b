"""How in-situ points are matched with scenes: window, time, and what a window must be like."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from pipeline.config.samples import TableFormat, Text
from pipeline.config.science import MaskRules, Name, ReaderChoice
from pipeline.config.strict import Strict, complaints_of, read_mapping
from pipeline.errors import ConfigError
from pipeline.facts.shipped import shipped_configs

BrdfState = Literal["none", "f/Q", "unknown"]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Angle = Annotated[float, Field(gt=0, le=90)]
Span = tuple[Positive, Positive]
DEFAULT_PRESET = "nasa"


class TimeColumns(Strict):
    """Columns that say when a point was measured, in UTC; found by their usual names if none is."""

    instant: Text | None = None
    """Date and time together, ISO 8601."""
    date: Text | None = None
    """yyyymmdd or ISO 8601, beside ``time``."""
    time: Text | None = None
    """hh:mm or hh:mm:ss."""
    year: Text | None = None
    month: Text | None = None
    day: Text | None = None
    hour: Text | None = None
    minute: Text | None = None
    second: Text | None = None

    @model_validator(mode="after")
    def _are_a_time(self) -> "TimeColumns":
        said = {name for name in type(self).model_fields if getattr(self, name) is not None}
        parts = {"year", "month", "day", "hour"}
        complete = (
            said in ({"instant"}, {"date", "time"})
            or parts <= said <= parts | {"minute", "second"}
            or not said
        )
        if not complete:
            raise ValueError(
                "expected instant, or date and time, or year, month, day and hour (with minute "
                f"and second where there are such); found {', '.join(sorted(said))}"
            )
        return self


class PointsConfig(Strict):
    """What the table of points says, and how."""

    format: TableFormat = "auto"
    delimiter: Text | None = None
    """Of text, where it is not the one its header shows."""
    sample_dimension: Text | None = None
    """Of netCDF, where it is not clear."""
    missing: tuple[float, ...] = ()
    """Numbers that mean no value, besides those the format knows."""
    units: dict[Text, Text] = {}
    """Units of columns, where a file does not say them or says them wrongly."""
    latitude: Text | None = None
    longitude: Text | None = None
    """Columns, in degrees; found by their usual names where nothing is said."""
    time: TimeColumns = TimeColumns()
    brdf_correction: BrdfState = "unknown"
    """Of the in-situ reflectances."""


class Valid(Strict):
    """How many pixels of a window must be valid.

    A valid pixel is unmasked and has a value in every band of ``uniformity``.
    """

    share: float = Field(default=0.5, ge=0, le=1)
    """Of the pixels that count."""
    more_than: bool = False
    """Whether it must be more than the share (50 % + 1 pixel), not just as much."""
    uncounted_flags: tuple[str, ...] = ()
    """Pixels with one of these flags (LAND) do not count, where the scene has such flags."""


class Uniformity(Strict):
    """How much a window may vary: standard deviation / mean of its bands, after outliers went."""

    wavelengths_nm: Span = (405.0, 570.0)
    """Bands of ``quantity`` from here to there, ends included."""
    also: tuple[Name, ...] = ()
    """Plain variables that join these bands, those of them that a scene has."""
    statistic: Literal["median", "max"] = "median"
    """Of the coefficients of variation of all of these."""
    limit: Positive = 0.15

    @model_validator(mode="after")
    def _goes_up(self) -> "Uniformity":
        if self.wavelengths_nm[0] > self.wavelengths_nm[1]:
            raise ValueError("expected the shorter wavelength first")
        return self


class Considered(Strict):
    """Which pairs of point and scene are listed with the reason why they were not used."""

    hours: Positive = 24.0
    """The point was measured within so many hours of the scene."""
    km: Positive = 10.0
    """It lies in the scene, or so near to one of its pixels."""


class MatchupConfig(Strict):
    """How match-ups are made."""

    preset: str | None = None
    """Name of a shipped protocol; what is said beside it replaces what it says."""
    points: PointsConfig = PointsConfig()
    reader: ReaderChoice = ReaderChoice()
    quantity: Literal["Rrs", "rho_s", "rho_w", "Lrc"] = "Rrs"
    wavelengths_nm: Span = (380.0, 720.0)
    """Bands of the quantity that are taken from the scenes, ends included."""
    plain: tuple[Name, ...] = ()
    """Other 2-D variables (chlor_a, aot_869) that are taken, too, where a scene has them."""
    hours: Positive = 3.0
    """Largest difference between a point and the middle of the scene's time coverage."""
    window: int = Field(default=5, ge=1, le=99)
    """Lines and pixels of the window around the pixel that is nearest to a point; odd."""
    masks: MaskRules = MaskRules()
    """Which pixels are not valid."""
    valid: Valid = Valid()
    outlier_deviations: Positive | None = 1.5
    """Values farther from the window's mean than so many standard deviations go; null for none."""
    value: Literal["mean", "median"] = "mean"
    """What of the remaining values stands for the window."""
    uniformity: Uniformity | None = Uniformity()
    solar_zenith_max: Angle | None = 75.0
    sensor_zenith_max: Angle | None = 60.0
    """Degrees, at the pixel nearest to the point; null for no limit."""
    distance_max_km: Positive | None = None
    """From the point to its pixel; the diagonal of that pixel where nothing is said."""
    scenes: Literal["nearest", "all"] = "nearest"
    """Of several scenes with a good window for a point: the nearest in time, or all."""
    same_pixel: Literal["keep", "average"] = "keep"
    """Several points in one pixel of a scene: a row each, or one row of their means."""
    considered: Considered = Considered()

    @model_validator(mode="before")
    @classmethod
    def _with_preset(cls, data: Any) -> Any:
        """The protocol's settings below the configuration's own, stated in full."""
        if not isinstance(data, Mapping) or data.get("preset") is None:
            return data
        presets = sorted(file.stem for file in (shipped_configs() / "matchup").glob("*.yaml"))
        if data["preset"] not in presets:
            raise ValueError(f"unknown preset {data['preset']!r}; known are {', '.join(presets)}")
        return _over(_shipped(data["preset"]), data)

    @model_validator(mode="after")
    def _window_has_a_middle(self) -> "MatchupConfig":
        if self.window % 2 == 0:
            raise ValueError(f"window: expected an odd number of pixels, found {self.window}")
        return self


def load_matchup_config(
    source: str | Path | Mapping[str, Any] | None = None, changes: Mapping[str, Any] | None = None
) -> MatchupConfig:
    """A configuration of match-ups, from a file, a shipped protocol's name, or plain data.

    Args:
        source: the configuration; NASA's protocol holds where it names no other.
        changes: what the command line says instead.

    Raises:
        ConfigError: it cannot be read, or says something unknown; all complaints at once.
    """
    said: Mapping[str, Any] = {}
    origin = "command line"
    if isinstance(source, Mapping):
        said, origin = source, "configuration"
    elif source is not None:
        said, origin = _read(source), Path(source).name
    data = _over({"preset": DEFAULT_PRESET, **said}, changes or {})
    try:
        return MatchupConfig.model_validate(data)
    except ValidationError as error:
        complaints = "\n".join(f"  {line}" for line in complaints_of(error, MatchupConfig))
        raise ConfigError(
            f"{origin} is not a valid configuration of match-ups:\n{complaints}"
        ) from None


def _read(source: str | Path) -> Mapping[str, Any]:
    path = Path(source)
    if path.is_file() or path.parent != Path() or path.suffix:
        return read_mapping(path)
    return {"preset": path.name}


def _shipped(name: str) -> Mapping[str, Any]:
    return read_mapping(shipped_configs() / "matchup" / f"{name}.yaml")


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of both; where both say something, those above, section by section."""
    joined = dict(below)
    for key, value in above.items():
        under = joined.get(key)
        both = isinstance(value, Mapping) and isinstance(under, Mapping)
        # Lists of flags belong to their preset, so a section of masks is replaced as a whole.
        joined[key] = _over(under, value) if both and key != "masks" else value  # type: ignore[arg-type]
    return joined
