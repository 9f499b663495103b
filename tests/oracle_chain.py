"""Independent float64 answers for the chain Lrc -> Rrs -> inherent optical properties.

Written from the sources alone and shares no code with the product: plain NumPy and netCDF4, as
literal as possible. "Facts" is as in `oracle`, whose forward pass and flag bits are used here;
the chain, the vicarious gains and the scope check are section 1 (OC-SMART 2.6.3; Fan et al. 2021,
Remote Sens. Environ. 253, 112236). Rows are pixels; angles are in degrees, Lrc and Rrs in sr-1,
inherent optical properties in m-1, relative humidity in percent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import netCDF4
import numpy as np
import oracle
from numpy.typing import ArrayLike, NDArray
from oracle import Bool, FilePath, Float64

UInt8 = NDArray[np.uint8]

# Band centres (nm) and gains, open ocean and coastal, in the order of the Lrc bands: figures from
# auxdata/sensorinfo of OC-SMART 2.6.3. The Rrs bands are the first N_RRS of them (facts 1).
_BANDS = {
    "SGLI": [
        (380, 1.0, 1.0),
        (412, 1.0, 1.0),
        (443, 1.0, 1.0),
        (490, 1.0, 1.0),
        (530, 1.0, 1.0),
        (565, 1.0, 1.0),
        (672, 1.0, 1.0),
        (869, 1.0, 1.0),
    ],
    "MODIS-Aqua": [
        (412, 0.761865, 0.87236),
        (443, 0.760764, 0.86685),
        (488, 0.775391, 0.9627),
        (531, 0.681339, 0.98816),
        (547, 0.628561, 0.97121),
        (667, 0.672922, 0.92725),
        (678, 0.789339, 1.01051),
        (748, 1.0, 1.0),
        (869, 1.0, 1.0),
    ],
}
_N_RRS = {"SGLI": 7, "MODIS-Aqua": 8}
LRC_BANDS = {sensor: tuple(row[0] for row in rows) for sensor, rows in _BANDS.items()}
RRS_BANDS = {sensor: bands[: _N_RRS[sensor]] for sensor, bands in LRC_BANDS.items()}

GAIN_MODES = ("none", "coastal", "open", "ocsmart")
RED_LIMIT_NM = 700
OPEN_RATIO, OPEN_RATIO_EPIC = 70.0, 30.0
OUT_OF_SCOPE_BIT = 32
OUT_OF_SCOPE_LIMIT = 0.07
NEAR = 1e-4
IOPS = ("aph", "adg", "bbp", "ap", "bp")

SCENE_FLAGS = {"LAND": 2, "HIGLINT": 8, "CLDICE": 512, "NAVFAIL": 1 << 25, "PRODFAIL": 1 << 30}


def gains(sensor: str, kind: str) -> Float64:
    """Give the vicarious gains on Rrs, shape (n_rrs,); `kind` is "open" or "coastal" (facts 1)."""
    column = {"open": 1, "coastal": 2}[kind]
    return np.array([row[column] for row in _BANDS[sensor][: _N_RRS[sensor]]], dtype=np.float64)


def ocsmart_choice(rrs: ArrayLike, wavelengths: Sequence[float], sensor: str) -> Bool:
    """Tell where OC-SMART takes the open-ocean gain: rrs (n, bands) in sr-1 -> (n,) (facts 1).

    Open where max/min over the bands below 700 nm is at least 70 and the maximum is in the first
    band (EPIC: at least 30, first two bands); coastal everywhere else. The columns are all the
    sensor's Rrs bands in its order, for "first" means the first of those. Read literally:

    - The ratio equal to the limit counts as open.
    - A maximum that the first band shares with another one is in the first band.
    - A minimum of zero below a positive maximum makes the ratio infinite: open where the maximum
      is in the first band.
    - A negative minimum makes the ratio negative, or at most 1 where all are negative: coastal.
    - All zeros (0/0) and a NaN below 700 nm give no ratio: coastal, as "else" says. (There
      OC-SMART itself takes no gain at all where the first band is the zero or the NaN; its own
      network never gives either.)
    - Bands at 700 nm and above play no part, not even as NaN.
    """
    values = np.asarray(rrs, dtype=np.float64)
    first_bands, limit = (2, OPEN_RATIO_EPIC) if sensor == "EPIC" else (1, OPEN_RATIO)
    columns = [i for i, nm in enumerate(wavelengths) if nm < RED_LIMIT_NM]
    choice = np.zeros(values.shape[0], dtype=np.bool_)
    for row, spectrum in enumerate(values):
        below = [float(spectrum[i]) for i in columns]
        if any(value != value for value in below):  # noqa: PLR0124 - NaN
            continue
        highest, lowest = max(below), min(below)
        enough = highest > 0.0 if lowest == 0.0 else highest / lowest >= limit
        choice[row] = enough and highest in below[:first_bands]
    return choice


def apply_gains(rrs: ArrayLike, sensor: str, mode: str) -> Float64:
    """Multiply Rrs by the gains of a mode of GAIN_MODES: (n, n_rrs) sr-1 -> same, new (facts 1)."""
    result = np.array(rrs, dtype=np.float64)
    if result.shape[1] != _N_RRS[sensor]:
        raise ValueError(f"{sensor} has {_N_RRS[sensor]} Rrs bands, {result.shape[1]} given")
    if mode == "none":
        return result
    if mode in ("open", "coastal"):
        result *= gains(sensor, mode)
        return result
    if mode != "ocsmart":
        raise ValueError(f"gains mode {mode!r} is none of {GAIN_MODES}")
    choice = ocsmart_choice(result, RRS_BANDS[sensor], sensor)
    for row, is_open in enumerate(choice):
        result[row] *= gains(sensor, "open" if is_open else "coastal")
    return result


def scope_deviation(lrc: ArrayLike, reconstructed: ArrayLike) -> Float64:
    """Mean over the bands of |aaNN(Lrc)/Lrc - 1|: two times (n, bands) -> (n,) (facts 1)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.asarray(reconstructed, dtype=np.float64) / np.asarray(lrc, dtype=np.float64)
    deviation: Float64 = np.abs(ratio - 1.0).mean(axis=1)
    return deviation


def out_of_scope(lrc: ArrayLike, reconstructed: ArrayLike) -> Bool:
    """Tell where the deviation is above 0.07, shape (n,); False where it is NaN (facts 1)."""
    result: Bool = scope_deviation(lrc, reconstructed) > OUT_OF_SCOPE_LIMIT
    return result


@dataclass(frozen=True)
class ChainResult:
    """What the chain must give on n pixels."""

    reconstructed: Float64
    """Lrc out of aaNN (n, bands), sr-1; NaN where an input of it is missing or not positive."""
    deviation: Float64
    """What the scope check compares with 0.07, (n,); NaN as above."""
    rrs_before: Float64
    """Rrs out of rrsNN (n, n_rrs), sr-1, before gains; NaN as above."""
    rrs_after: Float64
    """The same after gains: what the networks of the optical properties are given."""
    open_ocean: Bool
    """`ocsmart_choice` on rrs_before (n,), whatever the mode; False where Rrs is NaN."""
    iops: dict[str, Float64]
    """Per optical property (n, n_out), m-1; NaN where Rrs is."""
    flags: dict[str, UInt8]
    """Per network, "aa" and "rrs" included, (n,): oracle.NETWORK_BITS, and 32 in "aa" only."""
    near: dict[str, Bool]
    """Per network (n,): float32 rounding could decide a bit of its flags, or the gains of its
    inputs. "scope" and "gains" tell the same of the scope check and the choice of gains. Bit 32 is
    part of "aa"; "rrs" is about its flags, its values after gains depend on "gains" too."""

    @property
    def near_any(self) -> Bool:
        """Rows where anything is near a threshold, (n,)."""
        result: Bool = np.logical_or.reduce(list(self.near.values()))
        return result


def run_chain(
    folder: FilePath,
    sensor: str,
    solar_zenith: ArrayLike,
    sensor_zenith: ArrayLike,
    relative_azimuth: ArrayLike,
    lrc: ArrayLike,
    relative_humidity: ArrayLike,
    gains_mode: str,
    iops: Sequence[str] = IOPS,
) -> ChainResult:
    """Take n pixels from Lrc to optical properties with the networks of a folder (facts 1).

    Angles (n,) in degrees, lrc (n, bands) in sr-1, humidity (n,) or one number in percent. Values
    out of scope or range are kept and flagged. The bits of rrsNN's outputs are judged before
    gains, those of the next networks' inputs after.
    """
    lrc = np.asarray(lrc, dtype=np.float64)
    n, bands = lrc.shape
    if bands != len(LRC_BANDS[sensor]):
        raise ValueError(f"{sensor} has {len(LRC_BANDS[sensor])} Lrc bands, {bands} given")
    columns = [solar_zenith, sensor_zenith, relative_azimuth]
    angles = np.stack([np.asarray(c, dtype=np.float64) for c in columns], axis=1)
    humidity = np.broadcast_to(np.asarray(relative_humidity, dtype=np.float64), (n,))
    folder = Path(folder)
    flags: dict[str, UInt8] = {}
    near: dict[str, Bool] = {}

    x = np.concatenate([angles, lrc, humidity[:, np.newaxis]], axis=1)
    y, flags["aa"], near["aa"] = _evaluate(folder / f"{sensor}_Lrc_aaNN.h5", x)
    reconstructed = 10.0**y
    deviation = scope_deviation(lrc, reconstructed)
    flags["aa"][out_of_scope(lrc, reconstructed)] |= OUT_OF_SCOPE_BIT
    near["scope"] = np.abs(deviation - OUT_OF_SCOPE_LIMIT) <= NEAR
    near["aa"] |= near["scope"]

    x = np.concatenate([angles, lrc], axis=1)
    y, flags["rrs"], near["rrs"] = _evaluate(folder / f"{sensor}_Lrc_rrsNN.h5", x)
    rrs_before = 10.0**y
    rrs_after = apply_gains(rrs_before, sensor, gains_mode)
    near["gains"] = _choice_is_near(rrs_before, sensor)
    matters = gains_mode == "ocsmart" and (gains(sensor, "open") != gains(sensor, "coastal")).any()

    values: dict[str, Float64] = {}
    for name in iops:
        y, flags[name], near[name] = _evaluate(folder / f"{sensor}_{name}NN.h5", rrs_after)
        values[name] = 10.0**y
        if matters:
            near[name] |= near["gains"]
    open_ocean = ocsmart_choice(rrs_before, RRS_BANDS[sensor], sensor)
    return ChainResult(
        reconstructed, deviation, rrs_before, rrs_after, open_ocean, values, flags, near
    )


def _evaluate(path: Path, x: Float64) -> tuple[Float64, UInt8, Bool]:
    """Give log10 outputs (n, n_out), flags (n,) and nearness (n,) for x (n, n_in) (facts 1, 5).

    NaN in any input is missing; zero or less in any input but the angles is not positive; either
    leaves NaN and no other bit. Near: some element is, or is not, beyond a threshold, and within
    1e-4 (cosine or log10 units) of it, and no other element settles the bit. No cosine exceeds 1,
    so that limits at exactly -1 and 1 are never near.
    """
    angles = oracle.angle_count(path)
    norm_in, norm_out = oracle.ranges(path)
    bits = oracle.NETWORK_BITS
    flags = np.zeros(x.shape[0], dtype=np.uint8)
    missing = np.isnan(x).any(axis=1)
    not_positive = (x[:, angles:] <= 0.0).any(axis=1)  # NaN <= 0 is False
    flags[missing] |= bits["input_missing"]
    flags[not_positive] |= bits["input_not_positive"]
    computed = ~(missing | not_positive)

    z = np.full(x.shape, np.nan)
    y = np.full((x.shape[0], norm_out.shape[0]), np.nan)
    z[computed] = oracle.transform(path, x[computed])
    y[computed] = oracle.forward_log10(path, x[computed])

    flags[_outside(z, norm_in, 0.0)] |= bits["input_out_of_range"]
    flags[_outside(y, norm_out, 0.0)] |= bits["output_out_of_range"]
    flags[_at_limit(y, norm_out, 0.0)] |= bits["output_at_limit"]

    reachable = norm_in.copy()
    for column in range(angles):
        if reachable[column, 0] <= -1.0:
            reachable[column, 0] = -np.inf
        if reachable[column, 1] >= 1.0:
            reachable[column, 1] = np.inf
    near = _outside(z, reachable, -NEAR) & ~_outside(z, reachable, NEAR)
    near |= _outside(y, norm_out, -NEAR) & ~_outside(y, norm_out, NEAR)
    near |= _at_limit(y, norm_out, NEAR) & ~_at_limit(y, norm_out, -NEAR)
    return y, flags, near


def _outside(values: Float64, limits: Float64, margin: float) -> Bool:
    """Tell where any of values (n, k) lies beyond limits (k, 2) by more than a margin, (n,)."""
    found = np.zeros(values.shape[0], dtype=np.bool_)
    for column, (low, high) in zip(values.T, limits, strict=True):
        found |= (column < low - margin) | (column > high + margin)
    return found


def _at_limit(values: Float64, limits: Float64, margin: float) -> Bool:
    """Tell where any of values (n, k), log10, is within 0.02 in ln units of a limit, (n,)."""
    found = np.zeros(values.shape[0], dtype=np.bool_)
    for column, (low, high) in zip(values.T, limits, strict=True):
        for limit in (low, high):
            distance = np.abs(column - limit) * np.log(10.0)
            found |= distance <= oracle.AT_LIMIT_LN + margin * np.log(10.0)
    return found


def _choice_is_near(rrs: Float64, sensor: str) -> Bool:
    """Tell where the choice of gains hangs on less than 1e-4 in log10 units, (n,).

    Both the ratio against 70 and the first band against the highest other one (MODIS and SGLI).
    """
    below = [i for i, nm in enumerate(RRS_BANDS[sensor]) if nm < RED_LIMIT_NM]
    spectra = np.log10(rrs[:, below])
    excess = spectra.max(axis=1) - spectra.min(axis=1) - np.log10(OPEN_RATIO)
    lead = spectra[:, 0] - spectra[:, 1:].max(axis=1)
    possible: Bool = (excess >= -NEAR) & (lead >= -NEAR)
    certain: Bool = (excess >= NEAR) & (lead >= NEAR)
    return possible & ~certain


# Absorption of pure water (m-1), rounded: shapes are what matters here.
_WATER_ABSORPTION = {
    380: 0.0114, 412: 0.0046, 443: 0.0071, 488: 0.0145, 490: 0.0150, 530: 0.0434, 531: 0.0440,
    547: 0.0531, 565: 0.0654, 667: 0.434, 672: 0.446, 678: 0.464, 748: 2.80, 869: 5.5,
}  # fmt: skip


@dataclass(frozen=True)
class ChainInputs:
    """Inputs of `run_chain` for n pixels, every value exactly representable in float32."""

    solar_zenith: Float64
    sensor_zenith: Float64
    relative_azimuth: Float64
    lrc: Float64
    relative_humidity: Float64
    kind: NDArray[np.str_]
    """Of each row: "plausible", "distorted", or the name of its defect."""


def plausible_lrc(folder: FilePath, sensor: str, n: int, seed: int) -> ChainInputs:
    """Draw n rows of inputs as a sensor could see them, n >= 40, in random order.

    Lrc is a power-law aerosol plus the signal of water with phytoplankton, detritus and sediment
    through a Rayleigh atmosphere: a simple bio-optical model with 0.03 to 30 mg m-3 of
    chlorophyll, of which those within the training range of rrsNN are taken, as are the angles.
    75 % of the rows are such; 15 % are "distorted" by independent factors per band, so that
    aaNN finds them out of scope; 10 % have one defect each (NaN, zero or negative Lrc, angles,
    humidity or Lrc beyond training).

    Of 2000 rows (seed 1), in scope / out of scope / without an answer are 82 / 12 / 6 % for SGLI
    and 83 / 11 / 6 % for MODIS-Aqua. Every plausible row is in scope; 10 % of them for SGLI and
    14 % for MODIS-Aqua take the open-ocean gain, and 100 % and 99 % have Rrs within the output
    range of rrsNN. Of the distorted rows 35 % and 42 % are in scope.
    """
    if n < 40:
        raise ValueError("each kind of row needs its share of at least 40 rows")
    random = np.random.default_rng(seed)
    norm_in, _ = oracle.ranges(Path(folder) / f"{sensor}_Lrc_rrsNN.h5")
    n_defect, n_distorted = n // 10, 15 * n // 100
    kinds = ["defect"] * n_defect + ["distorted"] * n_distorted
    kinds += ["plausible"] * (n - len(kinds))
    rows = []
    for kind in kinds:
        while True:
            angles, lrc, humidity = _draw_pixel(random, LRC_BANDS[sensor])
            if kind == "distorted":
                lrc = lrc * 10.0 ** random.normal(0.0, random.uniform(0.05, 0.5), lrc.size)
            cosines = np.cos(np.deg2rad(angles))
            z = np.concatenate([cosines, np.log10(lrc)])
            if ((z > norm_in[:, 0]) & (z < norm_in[:, 1])).all():
                break
        rows.append(np.concatenate([angles, lrc, [humidity]]))
    x = np.array(rows)
    names = np.array(kinds, dtype="U32")
    for row in range(n_defect):
        names[row] = _DEFECTS[row % len(_DEFECTS)]
        _spoil(x[row], str(names[row]), LRC_BANDS[sensor], row // len(_DEFECTS))
    order = random.permutation(n)
    x, names = x[order].astype(np.float32).astype(np.float64), names[order]
    return ChainInputs(x[:, 0], x[:, 1], x[:, 2], x[:, 3:-1], x[:, -1], names)


def _draw_pixel(
    random: np.random.Generator, bands: Sequence[int]
) -> tuple[Float64, Float64, float]:
    """Draw angles (3,) in degrees, Lrc (bands,) in sr-1 and humidity in percent."""
    nm = np.array(bands, dtype=np.float64)
    solar, sensor = random.uniform(5.0, 72.0), random.uniform(2.0, 65.0)
    azimuth = random.choice([-1.0, 1.0]) * random.uniform(2.0, 178.0)
    chlorophyll, sediment = 10.0 ** random.uniform(-1.5, 1.5), 10.0 ** random.uniform(-1.5, 1.2)

    pigments = np.exp(-(((nm - 440.0) / 45.0) ** 2)) + 0.5 * np.exp(-(((nm - 672.0) / 15.0) ** 2))
    yellow = 10.0 ** random.normal(0.0, 0.2) * np.exp(-0.016 * (nm - 443.0))
    absorption = np.array([_WATER_ABSORPTION[band] for band in bands])
    absorption += chlorophyll**0.65 * 0.05 * pigments + chlorophyll**0.6 * 0.02 * yellow
    absorption += 0.03 * sediment * np.exp(-0.012 * (nm - 443.0))
    scattering = 0.00144 * (nm / 500.0) ** -4.32
    particles = 0.0025 * chlorophyll**0.6 + 0.01 * sediment
    scattering += particles * (nm / 550.0) ** -random.uniform(0.0, 1.2)
    rrs = 0.05 * scattering / (absorption + scattering)

    cos_solar, cos_sensor = np.cos(np.deg2rad(solar)), np.cos(np.deg2rad(sensor))
    rayleigh = 0.0089 * (nm / 1000.0) ** -4.08
    transmittance = np.exp(-0.5 * rayleigh * (1.0 / cos_solar + 1.0 / cos_sensor))
    aerosol = 10.0 ** random.uniform(-3.3, -1.6) * (nm / 869.0) ** -random.uniform(0.0, 1.8)
    lrc = aerosol + transmittance * cos_solar * rrs
    return np.array([solar, sensor, azimuth]), lrc, random.uniform(12.0, 97.0)


_DEFECTS = (
    "lrc_nan",
    "lrc_zero",
    "lrc_negative",
    "lrc_nan_and_negative",
    "lrc_all_nan",
    "lrc_too_dark",
    "lrc_too_bright",
    "solar_zenith_beyond",
    "sensor_zenith_beyond",
    "solar_zenith_nan",
    "humidity_nan",
    "humidity_zero",
    "humidity_beyond",
    "lrc_infinitesimal",
)


def _spoil(row: Float64, defect: str, bands: Sequence[int], turn: int) -> None:
    """Put a defect into one row of inputs, in another band on every turn."""
    first, last = 3, 2 + len(bands)
    band = first + turn % len(bands)
    other = first + (turn + 1) % len(bands)
    match defect:
        case "lrc_nan":
            row[band] = np.nan
        case "lrc_zero":
            row[band] = 0.0
        case "lrc_negative":
            row[band] *= -1.0
        case "lrc_nan_and_negative":
            row[band], row[other] = np.nan, -1e-3
        case "lrc_all_nan":
            row[first : last + 1] = np.nan
        case "lrc_too_dark":
            row[band] = 5e-5
        case "lrc_too_bright":
            row[band] = 0.7
        case "solar_zenith_beyond":
            row[0] = 80.0
        case "sensor_zenith_beyond":
            row[1] = 74.0
        case "solar_zenith_nan":
            row[0] = np.nan
        case "humidity_nan":
            row[-1] = np.nan
        case "humidity_zero":
            row[-1] = 0.0
        case "humidity_beyond":
            row[-1] = 4.0
        case "lrc_infinitesimal":
            row[band] = 1e-30


def write_lrc_scene(
    path: FilePath,
    sensor: str,
    inputs: ChainInputs,
    shape: tuple[int, int],
    *,
    chunks: tuple[int, int] = (16, 16),
    flags: ArrayLike | None = None,
    latitude: ArrayLike | None = None,
    longitude: ArrayLike | None = None,
    fill_value: float = -32767.0,
) -> Path:
    """Write pixels as a flat netCDF-4 scene with dimensions y, x, row by row (CF-1.8).

    Float32 variables `Lrc_<nm>` (sr-1), `solar_zenith`, `sensor_zenith`, `relative_azimuth`
    (degree), `relative_humidity` (percent), `latitude`, `longitude`; NaN is stored as the fill
    value. int32 `l2_flags` (y, x) with the masks of SCENE_FLAGS, by default LAND on every 11th
    pixel and CLDICE on every 13th. Latitude and longitude (y, x) are by default a plain grid from
    34 N, 135 E southwards and eastwards. Gives the path.
    """
    n = shape[0] * shape[1]
    if inputs.lrc.shape != (n, len(LRC_BANDS[sensor])):
        raise ValueError(f"{n} pixels of {sensor} expected, Lrc has shape {inputs.lrc.shape}")
    line, pixel = np.indices(shape, dtype=np.float64)
    if flags is None:
        index = np.arange(n).reshape(shape)
        flags = np.where(index % 11 == 3, SCENE_FLAGS["LAND"], 0)
        flags |= np.where(index % 13 == 5, SCENE_FLAGS["CLDICE"], 0)
    angle = {"units": "degree"}
    fields: dict[str, tuple[ArrayLike, dict[str, str | np.float32]]] = {
        "latitude": (
            34.0 - 0.0025 * line if latitude is None else latitude,
            {"units": "degrees_north", "standard_name": "latitude"},
        ),
        "longitude": (
            135.0 + 0.003 * pixel if longitude is None else longitude,
            {"units": "degrees_east", "standard_name": "longitude"},
        ),
        "solar_zenith": (inputs.solar_zenith, {**angle, "standard_name": "solar_zenith_angle"}),
        "sensor_zenith": (inputs.sensor_zenith, {**angle, "standard_name": "sensor_zenith_angle"}),
        "relative_azimuth": (
            inputs.relative_azimuth,
            {**angle, "long_name": "sensor azimuth - 180 - solar azimuth"},
        ),
        "relative_humidity": (
            inputs.relative_humidity,
            {"units": "percent", "standard_name": "relative_humidity"},
        ),
    }
    for band, nm in enumerate(LRC_BANDS[sensor]):
        fields[f"Lrc_{nm}"] = (
            inputs.lrc[:, band],
            {
                "units": "sr-1",
                "long_name": f"Rayleigh- and gas-corrected radiance over F0 at {nm} nm",
                "radiation_wavelength": np.float32(nm),
                "radiation_wavelength_unit": "nm",
            },
        )
    platform, instrument = {"SGLI": ("GCOM-C", "SGLI"), "MODIS-Aqua": ("Aqua", "MODIS")}[sensor]
    with netCDF4.Dataset(path, "w", format="NETCDF4") as scene:
        scene.setncatts(
            {
                "Conventions": "CF-1.8",
                "title": "Synthetic Rayleigh-corrected scene for tests",
                "platform": platform,
                "instrument": instrument,
                "time_coverage_start": "2024-06-15T01:30:00Z",
                "time_coverage_end": "2024-06-15T01:35:00Z",
            }
        )
        for name, length in zip(("y", "x"), shape, strict=True):
            scene.createDimension(name, length)
        sizes = tuple(min(pair) for pair in zip(chunks, shape, strict=True))
        for name, (values, attributes) in fields.items():
            data = np.array(values, dtype=np.float32).reshape(shape)
            data[np.isnan(data)] = np.float32(fill_value)
            variable = scene.createVariable(
                name,
                "f4",
                ("y", "x"),
                zlib=True,
                chunksizes=sizes,
                fill_value=np.float32(fill_value),
            )
            variable.setncatts(attributes)
            if name not in ("latitude", "longitude"):
                variable.setncattr("coordinates", "latitude longitude")
            variable[:] = data
        variable = scene.createVariable("l2_flags", "i4", ("y", "x"), zlib=True, chunksizes=sizes)
        variable.setncatts(
            {
                "long_name": "flags of the scene",
                "flag_masks": np.array(list(SCENE_FLAGS.values()), dtype=np.int32),
                "flag_meanings": " ".join(SCENE_FLAGS),
                "coordinates": "latitude longitude",
            }
        )
        variable[:] = np.asarray(flags, dtype=np.int32).reshape(shape)
    return Path(path)
