"""Models of the shipped tables that the program reads as plain data.

These models describe the keys for editors and for ``ocpipe check-config``. Tests check every
shipped table with them.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, RootModel, Tag

from pipeline.config.science import SortedDict
from pipeline.config.strict import Positive, Strict
from pipeline.networks.after import AFTER

Pair = tuple[float, float]
Wavelengths = Annotated[tuple[Positive, ...], Field(min_length=1)]
KINDS_OF_BANDS = ("lrc", "rrs", "first")


class MaskList(Strict):
    """A list of masks, which ``science.masks.preset`` names."""

    flags: tuple[str, ...] = ()
    """Flags of the file; a pixel is excluded if one of these flags is set."""
    flags_if_present: tuple[str, ...] = ()
    """Like ``flags``, but a file may lack these flags."""
    keep_flags: tuple[str, ...] = ()
    """Flags of the file; a pixel is excluded if none of these flags is set."""
    expressions: SortedDict = Field(default_factory=dict)
    """Conditions by name; a pixel is excluded if one of them is true."""


class KnownQuantity(Strict):
    """A quantity with its units and its names."""

    units: str
    long_name: str
    standard_name: str | None = None
    """CF standard name, if there is one."""
    possible: Pair | None = None
    """Least and greatest value that can occur."""
    formerly: str = ""
    """Name of the quantity in files and configurations of older versions."""


class Quantities(RootModel[dict[str, KnownQuantity]]):
    """The quantities by name."""


class _AlgorithmKeys(Strict):
    title: str
    version: str | int
    """The publication or reprocessing that the algorithm follows."""
    citation: str


class RatioBands(Strict):
    """The bands and coefficients of a band ratio for one sensor."""

    like: str | None = None
    """The sensor that the coefficients belong to, if they were published for another sensor."""
    blue_nm: Wavelengths
    green_nm: Positive
    coefficients: Annotated[tuple[float, ...], Field(min_length=5, max_length=5)]
    """Coefficients of the polynomial in log10(ratio), from the constant to the fourth power."""
    other_bands: str = ""
    """How good the coefficients are at the bands of sister sensors, in whole sentences."""


class RatioLimits(Strict):
    """Limits of a band ratio."""

    ratio: Pair
    least_blue: float
    chlorophyll: Pair


class BandRatio(_AlgorithmKeys):
    """A maximum band ratio."""

    form: Literal["band_ratio"]
    sensors: dict[str, RatioBands]
    limits: RatioLimits
    bands_within_nm: Positive
    """Largest distance (nm) of a band from the band for which the coefficients were fitted."""


class GreenShift(Strict):
    """How Rrs of another green band is converted to 555 nm."""

    from_nm: Positive
    below: float
    exponent: float
    log10_factor: float
    slope: float
    offset: float


class ColorIndex(_AlgorithmKeys):
    """The color index of clear water, blended with a band ratio."""

    form: Literal["color_index"]
    band_ratio: str
    """Name of the algorithm for other water."""
    index_coefficients: Pair
    blend: Pair
    """Chlorophyll (mg m-3) between which the two algorithms are blended."""
    index_nm: tuple[float, float, float]
    red_nm: dict[str, Positive]
    """The red band (nm) of each sensor."""
    green_shift_within_nm: Positive
    green_shifts: tuple[GreenShift, ...]


class QuasiAnalytical(_AlgorithmKeys):
    """The quasi-analytical algorithm; its keys are steps and constants of the publication."""

    form: Literal["quasi_analytical"]
    bands: dict[Literal["violet", "blue", "cyan", "green", "red"], Pair]
    """For each band, its wavelength (nm), and the largest distance (nm) of a band from it."""
    outputs_at: tuple[Literal["violet", "blue", "cyan", "green", "red"], ...]
    surface: Pair
    reflectance: Pair
    least_red: float
    green_reference: tuple[float, float, float]
    green_reference_red: float
    red_reference: Pair
    backscattering_exponent: tuple[float, float, float]
    phytoplankton_ratio: tuple[float, float, float]
    slope: tuple[float, float, float]


class BandShift(_AlgorithmKeys):
    """Rrs at other wavelengths than those of the bands."""

    form: Literal["band_shift"]
    inversion: str
    """Name of the algorithm that gives absorption and backscattering."""
    least_red: float
    to_nm: Wavelengths
    """Wavelengths (nm) of the outputs, unless a run gives its own."""
    alone_nm: Positive
    """A band within this distance (nm) is used alone."""
    limit_nm: Positive
    """How far (nm) the bands on both sides may be."""
    range_nm: Pair


def _form_of(table: Any) -> str:
    """Return which model a table has: that of its form, or that of an extension."""
    if isinstance(table, Mapping):
        return "extension" if "extends" in table else str(table.get("form", ""))
    return str(getattr(table, "form", "extension"))


class Extension(Strict):
    """An algorithm like another algorithm, but with some other keys."""

    extends: str
    """Name of the other algorithm."""
    title: str
    version: str | int
    least_red: Pair
    """Rrs (sr-1) between which the green and the red reference band are weighted."""


class AlgorithmTable(RootModel[BandRatio | BandShift | ColorIndex | QuasiAnalytical | Extension]):
    """The coefficients of a published algorithm."""

    root: Annotated[
        Annotated[BandRatio, Tag("band_ratio")]
        | Annotated[BandShift, Tag("band_shift")]
        | Annotated[ColorIndex, Tag("color_index")]
        | Annotated[QuasiAnalytical, Tag("quasi_analytical")]
        | Annotated[Extension, Tag("extension")],
        Discriminator(_form_of),
    ]


class ForeignFormat(Strict):
    """A format that ocpipe does not read; a file has this format if all conditions hold."""

    what: str
    """The format in a few words, such as ``a tar archive``."""
    way_out: str
    """The advice, in whole sentences."""
    start: str | None = None
    """Regular expression for the first bytes of the file."""
    name: str | None = None
    """Regular expression for the name of the file (in lower case)."""
    container: Literal["zip", "folder", "hdf5"] | None = None
    member: str | None = None
    """Regular expression for a member of the container."""


class ForeignFormats(Strict):
    """The formats that ocpipe does not read; the first that fits is used."""

    formats: tuple[ForeignFormat, ...]


class QaLayouts(Strict):
    """The bits of ``QA_flag`` in files of SGLI."""

    texts: dict[str, str]
    """Text in the file -> name of the flag."""
    layouts: dict[str, tuple[str, ...]]
    """Name of a layout -> names of the bits, from bit 0."""


class OcsmartNetwork(Strict):
    """The inputs and outputs of one kind of OC-SMART's networks."""

    inputs: Annotated[tuple[str, ...], Field(min_length=1)]
    """Quantities, or a quantity and its bands, such as ``Rrs:rrs``."""
    output: str
    title: str
    after: tuple[Literal[tuple(AFTER)], ...] = ()  # type: ignore[valid-type]
    """Steps that a configuration may add after the network."""


class OcsmartNames(Strict):
    """The meaning of OC-SMART's files by their names."""

    file_name: str
    """Regular expression with the groups ``sensor`` and ``kind``."""
    citation: str
    licence: str
    hidden_activation: str
    output_activation: str
    kinds: dict[str, OcsmartNetwork]
