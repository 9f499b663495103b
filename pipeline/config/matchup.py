"""How in-situ points are matched with scenes: time, window, and conditions on the window."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from pipeline.config.samples import TableFormat, Text, TimeFormat
from pipeline.config.science import MaskRules, Name, ReaderChoice
from pipeline.config.strict import Positive, Strict, read_mapping, validated
from pipeline.facts.shipped import shipped_configs

BrdfState = Literal["none", "f/Q", "unknown"]
Angle = Annotated[float, Field(gt=0, le=90)]
Span = tuple[Positive, Positive]
DEFAULT_PRESET = "nasa"


class TimeColumns(Strict):
    """Columns that contain a point's time (UTC); by default the columns with the usual names."""

    instant: Text | None = None
    """Column that contains date and time together, in ISO 8601."""
    date: Text | None = None
    """Column that contains the date as yyyymmdd or in ISO 8601, without the time of day."""
    time: Text | None = None
    """Column that contains the time of day as hh:mm or hh:mm:ss; a time zone may follow."""
    year: Text | None = None
    month: Text | None = None
    day: Text | None = None
    day_of_year: Text | None = None
    """Column that contains the day of the year, 1 for 1 January; it replaces month and day."""
    hour: Text | None = None
    minute: Text | None = None
    second: Text | None = None
    format: TimeFormat | None = None
    """Format (as in strptime) of ``instant``, or of ``date`` and ``time`` joined by a blank. If
    ``instant`` contains numbers, this is their unit (``days since 1899-12-30``)."""

    @model_validator(mode="after")
    def _are_a_time(self) -> "TimeColumns":
        optional = {"minute", "second", "format"}
        said = {name for name in type(self).model_fields if getattr(self, name) is not None}
        days = ({"date"}, {"year", "month", "day"}, {"year", "day_of_year"})
        columns = said - {"format"}
        complete = columns in (set(), {"instant"}, *(day | {"time"} for day in days)) or any(
            columns - optional == day | {"hour"} for day in days
        )
        if not complete:
            raise ValueError(
                f"found the columns {', '.join(sorted(columns))}; expected instant; or date and "
                "time; or date and hour; or year, month, day and hour; or year, day_of_year and "
                "hour. With hour, minute and second are optional; time can be given instead of hour"
            )
        if self.format is not None and {"hour", "year"} & columns:
            other = "hour" if "hour" in columns else "year"
            raise ValueError(
                f"the key 'format' cannot be used with {other}; remove 'format', or replace the "
                "other keys by instant, or by date and time"
            )
        return self

    @property
    def columns(self) -> dict[str, str]:
        """The configured columns, by key."""
        return {key: name for key, name in self.model_dump(exclude={"format"}).items() if name}


class BrdfNormalisation(Strict):
    """Normalisation of in-situ Rrs of a nadir view to a sun in the zenith."""

    method: Literal["morel_2002_nadir"]
    """f/Q of Morel et al. 2002, Appendix B."""
    chlorophyll: Text
    """Column of chlorophyll in mg m-3, on which f/Q depends."""
    solar_zenith: Text | None = None
    """Column of the sun's zenith angle in degrees; by default, place and time give the angle."""


class BandShift(Strict):
    """Reflectances at other wavelengths than those of the in-situ instrument."""

    method: Literal["melin_sclep_2015"] = "melin_sclep_2015"
    """Band shifting of Mélin and Sclep 2015."""
    to_nm: Annotated[tuple[Positive, ...], Field(min_length=1)]
    """Wavelengths (nm) of the satellite's bands."""


class PointsConfig(Strict):
    """The table of in-situ points, and the names of its columns."""

    format: TableFormat = "auto"
    delimiter: Text | None = None
    """Delimiter of a text table; by default the delimiter in the header line of the table."""
    sample_dimension: Text | None = None
    """Name of the dimension that counts the points, if a netCDF file has several dimensions."""
    missing: tuple[float, ...] = ()
    """Numbers that mean a missing value, in addition to the usual numbers of the file format."""
    not_missing: tuple[float, ...] = ()
    """Numbers such as -999 that are valid, although they usually mean a missing value."""
    units: dict[Text, Text] = {}
    """Units by column name; needed if a file states no units or wrong units."""
    latitude: Text | None = None
    longitude: Text | None = None
    """Columns of latitude and longitude in degrees; by default columns with the usual names."""
    time: TimeColumns = TimeColumns()
    brdf_correction: BrdfState = "unknown"
    """The BRDF correction that was applied to the in-situ reflectances."""
    brdf_normalisation: BrdfNormalisation | None = None
    """How the in-situ reflectances are normalised; with null, they are used as they are."""
    band_shift: BandShift | None = None
    """How in-situ reflectances at other wavelengths are computed; with null, none are computed."""

    @model_validator(mode="after")
    def _is_not_normalised_twice(self) -> "PointsConfig":
        if self.brdf_normalisation is not None and self.brdf_correction != "none":
            raise ValueError(
                f"brdf_normalisation is for reflectances without a BRDF correction, but "
                f"brdf_correction is {self.brdf_correction}; set brdf_correction: none if they "
                "have none, or remove brdf_normalisation"
            )
        return self

    @property
    def resulting_correction(self) -> BrdfState:
        """The BRDF correction of the in-situ reflectances in the table of match-ups."""
        return "f/Q" if self.brdf_normalisation is not None else self.brdf_correction


class Valid(Strict):
    """How many pixels of a window must be valid.

    A valid pixel is not masked and has a value in every band of ``uniformity``.
    """

    share: float = Field(default=0.5, ge=0, le=1)
    """Smallest share of valid pixels among the pixels without ``uncounted_flags``."""
    more_than: bool = False
    """True if the share of valid pixels must be larger than the limit ``share``; False if an equal
    share is enough."""
    uncounted_flags: tuple[str, ...] = ()
    """Flags such as LAND; pixels with these flags are not counted. A scene may lack the flags."""


class Uniformity(Strict):
    """Limit for the coefficients of variation of the bands in a window.

    The coefficients are computed without outliers.
    """

    wavelengths_nm: Span = (405.0, 570.0)
    """The bands of ``quantity`` between these two wavelengths (both included) are checked."""
    also: tuple[Name, ...] = ()
    """Names of other 2-D variables; if the scene has them, they are checked like the bands."""
    statistic: Literal["median", "max"] = "median"
    """Statistic that combines the coefficients of variation of all bands."""
    limit: Positive = 0.15

    @model_validator(mode="after")
    def _goes_up(self) -> "Uniformity":
        if self.wavelengths_nm[0] > self.wavelengths_nm[1]:
            raise ValueError("expected the shorter wavelength first")
        return self


class Considered(Strict):
    """Unused pairs of a point and a scene are listed only if they are within these limits."""

    hours: Positive = 24.0
    """Largest difference in time between point and scene."""
    km: Positive = 10.0
    """Largest distance from a point outside the scene to the nearest pixel."""


class MatchupConfig(Strict):
    """The configuration of match-ups."""

    preset: str | None = None
    """Name of a shipped protocol; the other keys replace settings of the protocol."""
    points: PointsConfig = PointsConfig()
    reader: ReaderChoice = ReaderChoice()
    quantity: Literal["Rrs", "rho_s", "rho_w", "Lrc"] = "Rrs"
    wavelengths_nm: Span = (380.0, 720.0)
    """Shortest and longest wavelength (inclusive) of the bands that are taken from the scenes."""
    plain: tuple[Name, ...] = ()
    """Other 2-D variables (chlor_a, aot_869) to take from scenes that have such variables."""
    hours: Positive = 3.0
    """Largest difference in time between a point and the middle of the scene's coverage."""
    window: int = Field(default=5, ge=1, le=99)
    """Size of the window in lines and pixels (odd), around the pixel nearest to a point."""
    masks: MaskRules = MaskRules()
    """Masks for the pixels of the window; a masked pixel is not valid."""
    valid: Valid = Valid()
    outlier_deviations: Positive | None = 1.5
    """Values are removed if they differ from the window's mean by more than this number of standard
    deviations; with null, all values are kept."""
    value: Literal["mean", "median"] = "mean"
    """Statistic of the window's remaining values; its result is the value of the window."""
    uniformity: Uniformity | None = Uniformity()
    solar_zenith_max: Angle | None = 75.0
    sensor_zenith_max: Angle | None = 60.0
    """Largest angles in degrees at the pixel nearest to the point; null means no limit."""
    distance_max_km: Positive | None = None
    """Largest distance from a point to the nearest pixel; by default the diagonal of the pixel."""
    scenes: Literal["nearest", "all"] = "nearest"
    """Which scenes a point uses if several have a good window: the nearest in time, or all."""
    same_pixel: Literal["keep", "average"] = "keep"
    """keep: each point has a row. average: all points in one pixel have one row with means."""
    considered: Considered = Considered()

    @model_validator(mode="before")
    @classmethod
    def _with_preset(cls, data: Any) -> Any:
        """Take from the protocol every setting that is missing in the configuration."""
        if not isinstance(data, Mapping) or data.get("preset") is None:
            return data
        presets = sorted(file.stem for file in (shipped_configs() / "matchup").glob("*.yaml"))
        if data["preset"] not in presets:
            raise ValueError(f"unknown preset {data['preset']!r}; known are {', '.join(presets)}")
        return _over(read_mapping(shipped_configs() / "matchup" / f"{data['preset']}.yaml"), data)

    @model_validator(mode="after")
    def _window_has_a_middle(self) -> "MatchupConfig":
        if self.window % 2 == 0:
            raise ValueError(f"window: expected an odd number of pixels, found {self.window}")
        return self


def load_matchup_config(
    source: str | Path | Mapping[str, Any] | None = None, changes: Mapping[str, Any] | None = None
) -> MatchupConfig:
    """Return a configuration of match-ups from a file, a shipped protocol's name, or plain data.

    Args:
        source: the configuration; if it names no protocol, NASA's protocol is used.
        changes: settings of the command line, which replace settings of the configuration.

    Raises:
        ConfigError: the configuration cannot be read or is wrong; the message lists all mistakes.
    """
    given: Mapping[str, Any] = {}
    origin = "command line"
    if isinstance(source, Mapping):
        given, origin = source, "configuration"
    elif source is not None:
        path = Path(source)
        is_file = path.is_file() or path.parent != Path() or path.suffix
        given, origin = read_mapping(path) if is_file else {"preset": path.name}, path.name
    data = _over({"preset": DEFAULT_PRESET, **given}, changes or {})
    return validated(MatchupConfig, data, origin, "configuration of match-ups")


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two sets of settings, section by section; settings of the second set have priority."""
    joined = dict(below)
    for key, value in above.items():
        under = joined.get(key)
        both = isinstance(value, Mapping) and isinstance(under, Mapping)
        # Lists of flags belong to their preset, so a section of masks is replaced as a whole.
        joined[key] = _over(under, value) if both and key != "masks" else value  # type: ignore[arg-type]
    return joined
