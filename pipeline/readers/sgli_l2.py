"""GCOM-C/SGLI Level-2 water-leaving radiance (NWLR), HDF5, at 250 m and 1 km.

``Image_data/NWLR_380`` ... hold counts with two linear scales: Slope and Offset for radiance,
Rrs_slope and Rrs_offset for remote sensing reflectance, which is read. Geolocation and angles are
on tie points in ``Geometry_data``.
"""

import datetime
import functools
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr
from pydantic import field_validator

from pipeline.config import ReaderOptions
from pipeline.errors import SceneError
from pipeline.facts.sensors import find_sensor
from pipeline.facts.shipped import read_table, shipped_configs
from pipeline.readers.container import is_hdf5
from pipeline.readers.decoding import Decoder
from pipeline.readers.stored import (
    Layer,
    Stored,
    about,
    chunked,
    closing,
    decoded,
    open_undecoded,
    opening,
    plane,
    source_flags,
    spectrum,
)
from pipeline.readers.tie_points import TiePoints, relative_azimuth
from pipeline.scene.lazy import Source
from pipeline.scene.scene import GEOLOCATION, SOURCE_FLAGS

SENSOR = "SGLI"
QA = "QA_flag"

# The file's names on tie points -> the scene's, and whether they wrap at 360 degrees.
GEOMETRY = {"Latitude": ("latitude", False), "Longitude": ("longitude", True)}
ANGLES = {"Solar_zenith": ("solar_zenith", False), "Sensor_zenith": ("sensor_zenith", False)}
AZIMUTHS = ("Sensor_azimuth", "Solar_azimuth")
# Behind the last line and pixel; more of them lie at another interval than the file says.
MOST_TIES_BEYOND = 2


@functools.cache
def _qa_table() -> dict[str, Any]:
    path = shipped_configs() / "formats" / "sgli_qa.yaml"
    return read_table(path)


class SgliOptions(ReaderOptions):
    """What an SGLI file may leave open."""

    qa_layout: str | None = None
    """Name of the bits of QA_flag, for files that do not list them; a file's own list wins."""

    @field_validator("qa_layout")
    @classmethod
    def _is_known(cls, name: str | None) -> str | None:
        if name is not None and name not in _qa_table()["layouts"]:
            raise ValueError(f"unknown layout; known are {', '.join(_qa_table()['layouts'])}")
        return name


class SgliL2:
    """Reads SGLI Level-2 water-leaving radiance."""

    Options = SgliOptions

    def __init__(self, options: SgliOptions) -> None:
        self._options = options

    def recognises(self, path: Path) -> bool:
        """Whether the file has SGLI's groups and water-leaving radiance."""
        if path.is_dir() or not is_hdf5(path):
            return False
        with h5py.File(path, "r") as file:
            image = file.get("Image_data")
            is_image = isinstance(image, h5py.Group) and "Geometry_data" in file
            return is_image and any(name.startswith("NWLR_") for name in image)

    def open(self, path: Path) -> xr.Dataset:
        """The scene, chunked as the file is stored.

        Raises:
            SceneError: bands, their scale, geolocation or the names of the QA bits are missing.
        """
        with opening() as opened:
            for group in ("Image_data", "Geometry_data"):
                opened.append(open_undecoded(path, group))
            image, geometry = opened
            shape = _shape(image)
            stored = {
                str(name): chunked(variable)
                for name, variable in image.variables.items()
                if variable.shape == shape
            }
            _refuse_other_shapes(image, shape)
            scene = xr.Dataset(
                {
                    **_bands(stored),
                    **_plain_variables(stored),
                    **_geometry(geometry, shape),
                    **self._flags(stored),
                },
                attrs=_attributes(path),
            )
            return closing(scene.set_coords(list(GEOLOCATION)), opened)

    def _flags(self, stored: Mapping[str, Stored]) -> dict[str, xr.DataArray]:
        if QA not in stored:
            return {}
        if stored[QA].dtype.kind not in "iu":
            raise SceneError(
                f"{QA} is {stored[QA].dtype}, expected integers. Fetch the file again."
            )
        names = _described_bits(stored[QA].attrs) or self._named_bits()
        described = {
            "long_name": "quality flags of SGLI",
            "flag_masks": np.array([1 << bit for bit in names], dtype=np.uint16),
            "flag_meanings": " ".join(names.values()),
        }
        return {
            SOURCE_FLAGS: source_flags(
                replace(stored[QA], dtype=np.dtype(np.uint16)), QA, **described
            )
        }

    def _named_bits(self) -> dict[int, str]:
        layouts = _qa_table()["layouts"]
        if self._options.qa_layout is None:
            raise SceneError(
                f"the file does not name the bits of {QA}, and several layouts exist. Name the one "
                "of its product version: reader: {format: sgli_l2, options: {qa_layout: ...}}, one "
                f"of {', '.join(layouts)}."
            )
        return dict(enumerate(layouts[self._options.qa_layout]))


def _described_bits(attributes: Mapping[str, Any]) -> dict[int, str]:
    """Bit -> name from the file's own list, or nothing where it has none."""
    text = _text(attributes, "Data_description", "\n")
    _, *parts = re.split(r"Bit\s*(\d+)\s*[:=]", text)  # bit, text, bit, text ...
    listed = zip(map(int, parts[::2]), parts[1::2], strict=True)
    return {bit: _flag_name(words.strip(" ;,\t\r\n")) for bit, words in listed if bit < 16}


def _flag_name(text: str) -> str:
    """``LAND`` for ``land pixel`` and for ``LAND (mask)``; other words joined by underscores."""
    known = _qa_table()["texts"].get(text)
    if known:
        return str(known)
    first = re.fullmatch(r"([A-Z][A-Z0-9_]{2,})(?:\s*[(:\[-].*)?", text, re.DOTALL)
    if first:
        return first.group(1)
    if re.fullmatch(r"(?i)spare|reserved|unused|none", text):
        return "SPARE"
    return re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_") or "SPARE"


def _shape(image: xr.Dataset) -> tuple[int, int]:
    lines, pixels = (_one(image.attrs, name) for name in ("Number_of_lines", "Number_of_pixels"))
    if lines is None or pixels is None:
        raise SceneError(
            "Image_data does not say Number_of_lines and Number_of_pixels. The file is incomplete."
        )
    return int(lines), int(pixels)


def _one(attributes: Mapping[str, Any], name: str) -> float | None:
    """The one number of an attribute; None where it is missing or something else."""
    found = np.ravel(attributes.get(name, ()))
    is_number = found.size == 1 and found.dtype.kind in "iuf" and np.isfinite(found[0])
    return float(found[0]) if is_number else None


def _refuse_other_shapes(image: xr.Dataset, shape: tuple[int, int]) -> None:
    for name, variable in image.variables.items():
        if (str(name).startswith("NWLR_") or name == QA) and variable.shape != shape:
            raise SceneError(
                f"{name} has shape {variable.shape}, but Image_data says {shape[0]} lines x "
                f"{shape[1]} pixels. The file is damaged; fetch it again."
            )


def _bands(stored: Mapping[str, Stored]) -> dict[str, xr.DataArray]:
    channels = find_sensor(SENSOR).channels
    centres: list[float] = []
    layers: list[Layer] = []
    for name, variable in stored.items():
        if re.fullmatch(r"NWLR_\d+", name):
            nominal = float(name.removeprefix("NWLR_"))
            centres.append(channels.get(name, nominal))
            layers.append(decoded(variable, _rrs_decoder(name, variable)))
    if not layers:
        raise SceneError(
            "no NWLR_<wavelength> in Image_data on Number_of_lines x Number_of_pixels. Give a "
            "water-leaving radiance file (L2SG_NWLR)."
        )
    return spectrum("Rrs", centres, layers)


def _rrs_decoder(name: str, variable: Stored) -> Decoder:
    attributes = variable.attrs
    if "Rrs_slope" not in attributes or "Rrs_offset" not in attributes:
        raise SceneError(
            f"{name} has no Rrs_slope and Rrs_offset: the file holds radiance only. Give a file of "
            "a product version that says how to get Rrs."
        )
    decoder = _decoder(name, variable, "Rrs_slope", "Rrs_offset")
    # Reflectance above the largest count is stored as that count.
    return replace(decoder, saturated=decoder.valid_max)


def _decoder(name: str, variable: Stored | xr.DataArray, slope: str, offset: str) -> Decoder:
    called = {
        "scale_factor": slope,
        "add_offset": offset,
        "_FillValue": "Error_DN",
        "valid_min": "Minimum_valid_DN",
        "valid_max": "Maximum_valid_DN",
    }
    attributes = variable.attrs
    present = {key: attributes[its] for key, its in called.items() if its in attributes}
    with about(name):
        return Decoder.from_attributes(present, variable.dtype, called)


def _plain_variables(stored: Mapping[str, Stored]) -> dict[str, xr.DataArray]:
    """Other retrievals of the file (CHLA, CDOM, TAUA_865 ...), which an expression may name."""
    plain = {}
    for name, variable in stored.items():
        if name != QA and not name.startswith("NWLR_") and "Slope" in variable.attrs:
            values = decoded(variable, _decoder(name, variable, "Slope", "Offset")).values
            plain[name] = plane(name, values, {})
    return plain


def _geometry(geometry: xr.Dataset, shape: tuple[int, int]) -> dict[str, xr.DataArray]:
    """Geolocation, and angles where the file has them, at every pixel."""
    missing = [name for name in GEOMETRY if name not in geometry]
    if missing:
        raise SceneError(f"no {' and '.join(missing)} in Geometry_data. The file is incomplete.")
    upsampled = {
        scene_name: _everywhere(geometry[name], shape, wraps=wraps)
        for name, (scene_name, wraps) in (GEOMETRY | ANGLES).items()
        if name in geometry
    }
    if all(name in geometry for name in AZIMUTHS):
        sensor, sun = (_everywhere(geometry[n], shape, wraps=True) for n in AZIMUTHS)
        upsampled["relative_azimuth"] = relative_azimuth(sensor, sun)
    return {name: plane(name, values, {}) for name, values in upsampled.items()}


def _everywhere(ties: xr.DataArray, shape: tuple[int, int], *, wraps: bool) -> Source:
    interval = _one(ties.attrs, "Resampling_interval")
    if interval is None:
        raise SceneError(
            f"Geometry_data/{ties.name} does not say its Resampling_interval. The file is "
            "incomplete; fetch it again."
        )
    values = decoded(chunked(ties), _tie_decoder(ties)).values
    points = TiePoints.regular((ties.shape[0], ties.shape[1]), (interval, interval), shape)
    beyond = [
        np.count_nonzero(at >= size)
        for at, size in zip((points.lines, points.pixels), shape, strict=True)
    ]
    if max(beyond) > MOST_TIES_BEYOND:
        raise SceneError(
            f"Geometry_data/{ties.name} has {ties.shape[0]} x {ties.shape[1]} tie points, too many "
            f"for {shape[0]} lines x {shape[1]} pixels if they lie every {interval:g}, as its "
            "Resampling_interval says. The file is damaged; fetch it again."
        )
    return points.everywhere(values, "angle" if wraps else "plain")


def _tie_decoder(ties: xr.DataArray) -> Decoder:
    if ties.dtype.kind == "f":
        # Degrees as they are. What is off the globe is a fill value, and lost with its neighbours.
        return Decoder(valid_min=-360.0, valid_max=360.0)
    return _decoder(f"Geometry_data/{ties.name}", ties, "Slope", "Offset")


def _attributes(path: Path) -> dict[str, Any]:
    with h5py.File(path, "r") as file:
        groups = [
            file[name].attrs
            for name in ("Global_attributes", "Processing_attributes")
            if name in file
        ]
        found = {name: _text(attributes, name) for attributes in groups for name in attributes}
    times = {
        ours: _iso(found[theirs])
        for ours, theirs in (
            ("time_coverage_start", "Scene_start_time"),
            ("time_coverage_end", "Scene_end_time"),
        )
        if theirs in found
    }
    return {
        **found,
        **times,
        "platform": "GCOM-C",
        "instrument": SENSOR,
        "sensor": SENSOR,
        "brdf_correction": "unknown",
    }


def _iso(time: str) -> str:
    """``20230103 02:09:12.345`` as ISO 8601; another spelling as it is."""
    try:
        parsed = datetime.datetime.strptime(time, "%Y%m%d %H:%M:%S.%f").replace(tzinfo=datetime.UTC)
    except ValueError:
        return time
    return parsed.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _text(attributes: Mapping[str, Any], name: str, separator: str = ", ") -> str:
    """An attribute as text; SGLI stores them as arrays of one."""
    value = attributes.get(name, "")
    items = [value] if isinstance(value, str | bytes) else np.ravel(value).tolist()
    texts = [
        item.decode(errors="replace") if isinstance(item, bytes) else str(item) for item in items
    ]
    return separator.join(text.strip() for text in texts)
