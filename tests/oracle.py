"""Independent float64 answers that the tests compare products with.

Written from the sources alone and shares no code with the product: plain NumPy, netCDF4 and h5py,
as literal as possible. "Facts" means the collected facts on OC-SMART network files (section 1; Fan
et al. 2021, Remote Sens. Environ. 253, 112236), NASA OBPG Level-2 (section 2), C2RCC (section 5).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import netCDF4
import numpy as np
from numpy.typing import ArrayLike, NDArray

Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]
FilePath = Path | str

QUALITY_BITS = {"no_data": 1, "outside_valid_range": 2, "saturated": 4, "geolocation_invalid": 8}
FIRST_MASK_BIT = 8  # bits 4 to 7 are reserved; one bit per mask rule from here on
FREE_BIT = 31  # never used: a uint32 with all bits set reads back masked
NETWORK_BITS = {
    "input_missing": 1,
    "input_not_positive": 2,
    "input_out_of_range": 4,
    "output_out_of_range": 8,
    "output_at_limit": 16,
}
AT_LIMIT_LN = 0.02


def angle_count(network_path: FilePath, angles: int | None = None) -> int:
    """Tell how many leading inputs are angles: 3 for `*_Lrc_*` file names, else 0 (facts 1, table).

    An explicit `angles` (0 or 3) wins, for files whose name follows no convention.
    """
    if angles is None:
        return 3 if "_Lrc_" in Path(network_path).name else 0
    if angles not in (0, 3):
        raise ValueError(f"angles must be 0 or 3, not {angles!r}")
    return angles


def ranges(network_path: FilePath) -> tuple[Float64, Float64]:
    """Read Norm_in (n_in, 2) and Norm_out (n_out, 2), rows [min, max], transformed (facts 1)."""
    with h5py.File(network_path, "r") as file:
        norm_in = np.array(file["Norm_in"], dtype=np.float64)
        norm_out = np.array(file["Norm_out"], dtype=np.float64)
    return norm_in, norm_out


def transform(network_path: FilePath, x: ArrayLike, angles: int | None = None) -> Float64:
    """Take the cosine of the angles, given in degrees, and log10 of every other input (facts 1).

    Zero gives -inf and a negative input NaN, without a warning.
    """
    physical = np.asarray(x, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        z: Float64 = np.log10(physical)
    for column in range(angle_count(network_path, angles)):
        z[:, column] = np.cos(np.deg2rad(physical[:, column]))
    return z


def forward_log10(network_path: FilePath, x: ArrayLike, angles: int | None = None) -> Float64:
    """Evaluate a network up to its log10 outputs, shape (n, n_out) (facts 1, "Forward").

    Weights are stored (out, in) and the bias (out, 1); hidden layers are tanh, the last is linear.
    """
    (in_min, in_max), (out_min, out_max) = (norm.T for norm in ranges(network_path))
    z = transform(network_path, x, angles)
    if z.shape[1] != in_min.size:
        raise ValueError(f"{network_path}: {in_min.size} inputs expected, {z.shape[1]} given")
    activation = 2.0 * (z - in_min) / (in_max - in_min) - 1.0
    with h5py.File(network_path, "r") as file:
        last = len(file["Layers"]) - 1
        for k in range(1, last + 1):
            weights = np.array(file[f"Weights/Layer{k}"], dtype=np.float64)
            bias = np.array(file[f"Bias/Layer{k}"], dtype=np.float64).reshape(-1)
            with np.errstate(invalid="ignore"):  # -inf times weights of both signs
                activation = activation @ weights.T + bias
            if k < last:
                activation = np.tanh(activation)
    result: Float64 = (activation + 1.0) / 2.0 * (out_max - out_min) + out_min
    return result


def forward(network_path: FilePath, x: ArrayLike, angles: int | None = None) -> Float64:
    """Evaluate a network: x (n, n_in) in physical units -> (n, n_out), no clipping (facts 1).

    Inputs are in the file's order, angles in degrees; `angles` is as in `angle_count`.
    """
    result: Float64 = 10.0 ** forward_log10(network_path, x, angles)
    return result


def class_probabilities(network_path: FilePath, x: ArrayLike) -> Float64:
    """Evaluate a classifier in the same layout: x (n, n_in), all log10 -> (n, classes), softmax.

    Hidden layers are tanh; the last one's linear outputs are the logits.
    """
    (low, high), _ = (norm.T for norm in ranges(network_path))
    activation = 2.0 * (np.log10(np.asarray(x, dtype=np.float64)) - low) / (high - low) - 1.0
    with h5py.File(network_path, "r") as file:
        last = len(file["Layers"]) - 1
        for k in range(1, last + 1):
            total = activation @ np.array(file[f"Weights/Layer{k}"]).T
            total = total + np.array(file[f"Bias/Layer{k}"])[:, 0]
            activation = np.tanh(total) if k < last else total
    odds = np.exp(activation - activation.max(axis=1, keepdims=True))
    shares: Float64 = odds / odds.sum(axis=1, keepdims=True)
    return shares


def random_inputs(network_path: FilePath, n: int, seed: int, angles: int | None = None) -> Float64:
    """Draw n inputs in physical units, uniform in the transformed training ranges (facts 1).

    Cosines come back as angles in degrees (0 to 180).
    """
    norm_in, _ = ranges(network_path)
    z = np.random.default_rng(seed).uniform(norm_in[:, 0], norm_in[:, 1], (n, norm_in.shape[0]))
    x: Float64 = 10.0**z
    for column in range(angle_count(network_path, angles)):
        x[:, column] = np.rad2deg(np.arccos(z[:, column]))
    return x


def decode_int16(
    counts: NDArray[np.int16],
    scale: float | np.floating[Any],
    offset: float | np.floating[Any],
    fill: int | None,
    valid_min: int | None,
    valid_max: int | None,
) -> tuple[Float64, Bool]:
    """Decode packed counts to float32-rounded float64 values and a mask (facts 2, "Rrs int16").

    Pass scale and offset as stored (np.float32). |value| < scale/2 is exactly zero. Fill and counts
    outside valid_min..valid_max become NaN; the mask is True for the latter only, never for fill.
    """
    scale64, offset64 = np.float64(scale), np.float64(offset)
    value = counts.astype(np.float64) * scale64 + offset64
    value[np.abs(value) < scale64 / 2.0] = 0.0
    value = value.astype(np.float32).astype(np.float64)
    nowhere = np.zeros(counts.shape, dtype=np.bool_)
    filled = nowhere if fill is None else counts == fill
    below = nowhere if valid_min is None else counts < valid_min
    above = nowhere if valid_max is None else counts > valid_max
    outside = (below | above) & ~filled
    value[filled | outside] = np.nan
    return value, outside


def flag_bits(variable: "netCDF4.Variable[Any]") -> dict[str, int]:
    """Map every flag name to its unsigned 32-bit mask (facts 2, "l2_flags").

    A name that repeats (SPARE) gets the union of its masks, so that no bit is lost.
    """
    names = str(variable.getncattr("flag_meanings")).split()
    masks = [int(mask) & 0xFFFFFFFF for mask in np.atleast_1d(variable.getncattr("flag_masks"))]
    bits: dict[str, int] = {}
    for name, mask in zip(names, masks, strict=True):
        bits[name] = bits.get(name, 0) | mask
    return bits


@dataclass(frozen=True)
class ExpectedProduct:
    """What a product of one scene must hold, on all its pixels, with shape (y, x)."""

    values: dict[str, Float64]
    """Per network, with shape (n_out, y, x); NaN where not computed, as in the next two."""
    log10_inputs: dict[str, Float64]
    """Per network, with shape (n_in, y, x)."""
    log10_outputs: dict[str, Float64]
    """Per network, with shape (n_out, y, x)."""
    network_flags: dict[str, NDArray[np.uint8]]
    """Per network, the variable `<name>_flags`."""
    quality_flags: NDArray[np.uint32]
    quality_bits: dict[str, int]
    """Name -> mask, the mask rules of the run included; NETWORK_BITS names the others."""
    latitude: NDArray[np.float32]
    longitude: NDArray[np.float32]
    counts: dict[str, dict[str, int]]
    """Variable name -> bit name -> number of pixels on which the bit is set."""


def expected_product(
    scene_path: FilePath,
    networks: Mapping[str, FilePath],
    bands_by_network: Mapping[str, Sequence[int]],
    masked_flags: Sequence[str] = ("LAND", "CLDICE"),
) -> ExpectedProduct:
    """Work out the whole product of an OBPG Level-2 scene with 2-D `Rrs_<nm>` variables (facts 2).

    `bands_by_network` gives each network's wavelength labels (412, ...) in input order.
    """
    if FIRST_MASK_BIT + len(masked_flags) > FREE_BIT:
        raise ValueError(f"{len(masked_flags)} mask rules do not fit below bit 31")
    needed = sorted({band for name in networks for band in bands_by_network[name]})
    bands: dict[int, Float64] = {}
    with netCDF4.Dataset(scene_path) as scene:
        scene.set_auto_maskandscale(False)
        latitude = _coordinate(scene["navigation_data/latitude"])
        longitude = _coordinate(scene["navigation_data/longitude"])
        quality = np.zeros(latitude.shape, dtype=np.uint32)
        quality_bits = dict(QUALITY_BITS)
        for band in needed:
            bands[band], outside = _decode_variable(scene[f"geophysical_data/Rrs_{band}"])
            quality[np.isnan(bands[band]) & ~outside] |= QUALITY_BITS["no_data"]
            quality[outside] |= QUALITY_BITS["outside_valid_range"]
        off_earth = ~((np.abs(latitude) <= 90.0) & (np.abs(longitude) <= 180.0))  # True for NaN too
        quality[off_earth] |= QUALITY_BITS["geolocation_invalid"]
        source_flags = scene["geophysical_data/l2_flags"][:].view(np.uint32)
        source_bits = flag_bits(scene["geophysical_data/l2_flags"])
    masked = np.zeros(latitude.shape, dtype=np.bool_)
    for rule, name in enumerate(masked_flags):
        bit = 1 << (FIRST_MASK_BIT + rule)
        quality_bits[f"masked_{name}"] = bit
        hit = (source_flags & np.uint32(source_bits[name])) != 0
        quality[hit] |= bit
        masked = masked | hit

    counts = {"quality_flags": _count(quality, quality_bits)}
    values, log10_inputs, log10_outputs, network_flags = {}, {}, {}, {}
    for name, path in networks.items():
        inputs = np.stack([bands[band] for band in bands_by_network[name]])
        flags, z, y = _network_layer(path, inputs, masked)
        values[name], log10_inputs[name], log10_outputs[name] = 10.0**y, z, y
        network_flags[name] = flags
        counts[f"{name}_flags"] = _count(flags, NETWORK_BITS)
    return ExpectedProduct(
        values, log10_inputs, log10_outputs, network_flags,
        quality, quality_bits, latitude, longitude, counts,
    )  # fmt: skip


def _coordinate(variable: "netCDF4.Variable[Any]") -> NDArray[np.float32]:
    """Read a coordinate as stored, with NaN for its fill value (facts 2)."""
    stored = np.array(variable[:], dtype=np.float32)
    if "_FillValue" in variable.ncattrs():
        stored[stored == variable.getncattr("_FillValue")] = np.nan
    return stored


def _decode_variable(variable: "netCDF4.Variable[Any]") -> tuple[Float64, Bool]:
    """Decode one int16 band with the attributes the file holds (facts 2)."""
    if variable.dtype != np.int16:
        raise TypeError(f"{variable.name} is {variable.dtype}, not int16")
    a = {name: variable.getncattr(name) for name in variable.ncattrs()}
    limits = (a.get("_FillValue"), a.get("valid_min"), a.get("valid_max"))
    return decode_int16(variable[:], a["scale_factor"], a["add_offset"], *limits)


def _network_layer(
    path: FilePath, inputs: Float64, masked: Bool
) -> tuple[NDArray[np.uint8], Float64, Float64]:
    """Give flags (y, x), log10 inputs (n_in, y, x) and log10 outputs (n_out, y, x) (facts 1, 5)."""
    if angle_count(path):
        raise ValueError(f"{path}: takes angles, which Rrs variables do not give")
    norm_in, norm_out = ranges(path)
    missing = ~masked & np.isnan(inputs).any(axis=0)
    not_positive = ~masked & (inputs <= 0.0).any(axis=0)  # NaN <= 0 is False
    computed = ~masked & ~missing & ~not_positive
    flags = np.zeros(masked.shape, dtype=np.uint8)
    flags[missing] |= NETWORK_BITS["input_missing"]
    flags[not_positive] |= NETWORK_BITS["input_not_positive"]

    z = np.full(inputs.shape, np.nan)
    y = np.full((norm_out.shape[0], *masked.shape), np.nan)
    z[:, computed] = transform(path, inputs[:, computed].T).T
    y[:, computed] = forward_log10(path, inputs[:, computed].T).T
    for row, (low, high) in zip(z, norm_in, strict=True):
        flags[(row < low) | (row > high)] |= NETWORK_BITS["input_out_of_range"]
    for row, (low, high) in zip(y, norm_out, strict=True):
        flags[(row < low) | (row > high)] |= NETWORK_BITS["output_out_of_range"]
        for limit in (low, high):
            distance = np.abs(np.log(10.0**row) - np.log(10.0**limit))
            flags[distance <= AT_LIMIT_LN] |= NETWORK_BITS["output_at_limit"]
    return flags, z, y


def _count(flags: NDArray[Any], bits: Mapping[str, int]) -> dict[str, int]:
    """Count the pixels on which each named bit is set."""
    return {name: int(np.count_nonzero(flags & mask)) for name, mask in bits.items()}


@dataclass(frozen=True)
class Comparison:
    """Relative differences |actual - expected| / |expected| where both are finite."""

    finite_masks_agree: bool
    n: int
    maximum: float
    percentile_99_9: float


def compare(actual: ArrayLike, expected: ArrayLike) -> Comparison:
    """Compare two arrays of one shape; statistics are NaN where no element is finite in both.

    A masked element of a masked array counts as not finite.
    """
    a = np.ma.filled(np.ma.masked_array(actual, dtype=np.float64), np.nan)
    e = np.ma.filled(np.ma.masked_array(expected, dtype=np.float64), np.nan)
    if a.shape != e.shape:
        raise ValueError(f"actual has shape {a.shape}, expected has {e.shape}")
    both = np.isfinite(a) & np.isfinite(e)
    agree = bool(np.array_equal(np.isfinite(a), np.isfinite(e)))
    if not both.any():
        return Comparison(agree, 0, float("nan"), float("nan"))
    difference = np.abs(a[both] - e[both])
    with np.errstate(divide="ignore", invalid="ignore"):  # equal zeros differ by 0, not by NaN
        relative = np.where(difference == 0.0, 0.0, difference / np.abs(e[both]))
    p999 = np.percentile(relative, 99.9, method="higher")  # a rank, so that inf never makes NaN
    return Comparison(agree, relative.size, float(relative.max()), float(p999))
