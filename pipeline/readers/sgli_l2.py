"""GCOM-C/SGLI Level-2 water-leaving radiance (NWLR), HDF5, at 250 m and 1 km.

``Image_data/NWLR_380`` and so on have counts with two linear scales: ``Slope`` and ``Offset`` give
radiance, and ``Rrs_slope`` and ``Rrs_offset`` give remote sensing reflectance. The reader returns
the reflectance. Geolocation and angles are on tie points in ``Geometry_data``.
"""

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

from pipeline.errors import SceneError
from pipeline.facts.quantities import quantities
from pipeline.facts.sensors import find_sensor
from pipeline.facts.shipped import read_shipped, shipped_configs
from pipeline.files.hdf5 import open_hdf5
from pipeline.readers.attributes import as_text, iso_time
from pipeline.readers.cf_attributes import number_in
from pipeline.readers.container import is_hdf5
from pipeline.readers.damage import left_out, rewritten
from pipeline.readers.decoding import Decoder
from pipeline.readers.flag_bits import FLAGS_AS_NUMBERS
from pipeline.readers.layers import (
    LeftOut,
    about,
    decoded,
    leaving_out,
    plane,
    source_flags,
    spectrum,
)
from pipeline.readers.opening import assembled, chunked, open_groups_undecoded, opening
from pipeline.readers.stored import Stored
from pipeline.readers.tie_points import TiePoints, geometry_planes
from pipeline.readers.units import UnitOptions
from pipeline.scene.lazy import LazyArray
from pipeline.scene.scene import SOURCE_FLAGS

SENSOR = "SGLI"
# The masks that are recommended for this format.
MASKS = "sgli_default"
QA = "QA_flag"

# Names on tie points: the file's -> the scene's.
GEOMETRY = {
    "Latitude": "latitude",
    "Longitude": "longitude",
    "Solar_zenith": "solar_zenith",
    "Sensor_zenith": "sensor_zenith",
    "Sensor_azimuth": "sensor_azimuth",
    "Solar_azimuth": "solar_azimuth",
}
# Attributes about stored numbers: CF's names -> the file's.
COUNTS = {
    "_FillValue": "Error_DN",
    "valid_min": "Minimum_valid_DN",
    "valid_max": "Maximum_valid_DN",
}
REQUIRED_GEOMETRY = ("Latitude", "Longitude")
# Largest number of tie points beyond the last line or pixel; if there are more, the interval is
# wrong.
MOST_TIES_BEYOND = 2


@functools.cache
def _qa_table() -> dict[str, Any]:
    return read_shipped(shipped_configs() / "formats" / "sgli_qa.yaml")


class SgliOptions(UnitOptions):
    """Options that state what an SGLI file may leave out."""

    of_format = "sgli_l2"
    qa_layout: str | None = None
    """Name of the bit layout of QA_flag; used only if the file does not list the bits itself."""

    @field_validator("qa_layout")
    @classmethod
    def _is_known(cls, name: str | None) -> str | None:
        if name is not None and name not in _qa_table()["layouts"]:
            raise ValueError(f"unknown layout, expected one of {', '.join(_qa_table()['layouts'])}")
        return name


class SgliL2:
    """Reads SGLI Level-2 water-leaving radiance."""

    Options = SgliOptions

    def __init__(self, options: SgliOptions) -> None:
        self._options = options

    def recognises(self, path: Path) -> bool:
        """Whether the file has SGLI's groups and water-leaving radiance."""
        if not is_hdf5(path):
            return False
        with open_hdf5(path, SceneError) as file:
            image = file.get("Image_data")
            is_image = isinstance(image, h5py.Group)
            return is_image and any(name.startswith("NWLR_") for name in image)

    def open(self, path: Path) -> xr.Dataset:
        """Open the scene lazily."""
        with opening() as opened:
            groups = ("Image_data", "Geometry_data")
            opened.extend(open_groups_undecoded(path, groups, stated_once=COUNTS.values()))
            image, geometry = opened
            shape = _shape(image)
            stored = {
                str(name): chunked(variable)
                for name, variable in image.variables.items()
                if variable.shape == shape
            }
            _refuse_other_shapes(image, shape)
            unread: LeftOut = {}
            layers = {
                **_bands(stored, self._options),
                **_plain_variables(stored, unread),
                **_geometry(geometry, shape, self._options, unread),
                **self._flags(stored),
            }
            return assembled(layers, _attributes(path), opened, unread=unread, masks=MASKS)

    def _flags(self, stored: Mapping[str, Stored]) -> dict[str, xr.DataArray]:
        if QA not in stored:
            return {}
        if stored[QA].dtype.kind not in "iu":
            raise rewritten(f"{QA} is {stored[QA].dtype}, expected integers", FLAGS_AS_NUMBERS)
        names = _described_bits(stored[QA].attrs) or self._named_bits()
        described = {
            "long_name": "quality flags of SGLI",
            "flag_masks": np.array([1 << bit for bit in names], dtype=np.uint16),
            "flag_meanings": " ".join(names.values()),
        }
        bits = replace(stored[QA], dtype=np.dtype(np.uint16))
        return {SOURCE_FLAGS: source_flags(bits, QA, **described)}

    def _named_bits(self) -> dict[int, str]:
        layouts = _qa_table()["layouts"]
        if self._options.qa_layout is None:
            raise SceneError(
                f"the file does not name the bits of {QA}, which differ between product versions. "
                "Set reader: {format: sgli_l2, options: {qa_layout: ...}} to one of these layouts: "
                f"{', '.join(layouts)}."
            )
        return dict(enumerate(layouts[self._options.qa_layout]))


def _described_bits(attributes: Mapping[str, Any]) -> dict[int, str]:
    """Return the name of each bit from the file's own list; empty if the file has no list."""
    text = as_text(attributes.get("Data_description", ""), "\n")
    _, *parts = re.split(r"Bit\s*(\d+)\s*[:=]", text)  # bit, text, bit, text ...
    listed = zip(map(int, parts[::2]), parts[1::2], strict=True)
    return {bit: _flag_name(words.strip(" ;,\t\r\n")) for bit, words in listed if bit < 16}


def _flag_name(text: str) -> str:
    """Return a flag name; ``land pixel`` and ``LAND (mask)`` give ``LAND``.

    In all other texts, the words are joined by ``_``.
    """
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
        raise left_out("Image_data has no attributes Number_of_lines and Number_of_pixels")
    return int(lines), int(pixels)


def _one(attributes: Mapping[str, Any], name: str) -> float | None:
    """Return the one number of an attribute; None if it is missing or not one number."""
    return number_in(attributes.get(name, ()))


def _refuse_other_shapes(image: xr.Dataset, shape: tuple[int, int]) -> None:
    for name, variable in image.variables.items():
        if (str(name).startswith("NWLR_") or name == QA) and variable.shape != shape:
            raise rewritten(
                f"{name} has shape {variable.shape}, but Image_data says {shape[0]} lines x "
                f"{shape[1]} pixels"
            )


def _bands(stored: Mapping[str, Stored], options: UnitOptions) -> dict[str, xr.DataArray]:
    channels = find_sensor(SENSOR).channels
    centres: list[float] = []
    layers = []
    for name, variable in stored.items():
        if re.fullmatch(r"NWLR_\d+", name):
            nominal = float(name.removeprefix("NWLR_"))
            centres.append(channels.get(name, nominal))
            # Without Rrs_unit, the names Rrs_slope and Rrs_offset show the quantity.
            units = variable.attrs.get("Rrs_unit", quantities()["Rrs"].units)
            options.check("Rrs", name, units, group="NWLR")
            layers.append(decoded(variable, _rrs_decoder(name, variable)))
    if not layers:
        raise SceneError(
            "Image_data has no NWLR_<wavelength> with Number_of_lines x Number_of_pixels. Give a "
            "water-leaving radiance file (L2SG_NWLR)."
        )
    return spectrum("Rrs", centres, layers)


def _rrs_decoder(name: str, variable: Stored) -> Decoder:
    attributes = variable.attrs
    if "Rrs_slope" not in attributes or "Rrs_offset" not in attributes:
        raise SceneError(
            f"{name} has no Rrs_slope and Rrs_offset: the file has only radiance. Give a file of "
            "a product version that has these attributes."
        )
    decoder = _decoder(name, variable, "Rrs_slope", "Rrs_offset")
    # If reflectance is above the largest count, the file stores the largest count.
    return replace(decoder, saturated=decoder.valid_max)


def _decoder(name: str, variable: Stored, slope: str, offset: str) -> Decoder:
    called = {"scale_factor": slope, "add_offset": offset, **COUNTS}
    attributes = {**variable.of_file, **variable.attrs}
    present = {key: attributes[its] for key, its in called.items() if its in attributes}
    with about(name):
        return Decoder.from_attributes(present, variable.dtype, called, in_counts=True)


def _plain_variables(stored: Mapping[str, Stored], unread: LeftOut) -> dict[str, xr.DataArray]:
    """Return other retrievals of the file (CHLA, CDOM, TAUA_865 ...) for use in expressions."""
    plain = {}
    for name, variable in stored.items():
        if name != QA and not name.startswith("NWLR_") and "Slope" in variable.attrs:
            with leaving_out(name, unread):
                values = decoded(variable, _decoder(name, variable, "Slope", "Offset")).values
                plain[name] = plane(name, values, {})
    return plain


def _geometry(
    geometry: xr.Dataset, shape: tuple[int, int], options: UnitOptions, unread: LeftOut
) -> dict[str, xr.DataArray]:
    """Return, for every pixel, the geolocation and the angles that the file has."""
    missing = [name for name in REQUIRED_GEOMETRY if name not in geometry]
    if missing:
        raise left_out(f"Geometry_data has no {' and no '.join(missing)}")
    for name in REQUIRED_GEOMETRY:
        options.check(GEOMETRY[name], name, geometry[name].attrs.get("Unit"))
    found = {}
    for name, ours in GEOMETRY.items():
        if name in geometry and options.is_usable(ours, name, geometry[name].attrs.get("Unit")):
            with leaving_out(ours, unread, unless=name in REQUIRED_GEOMETRY):
                found[ours] = _everywhere(ours, geometry[name], shape)
    return geometry_planes(found)


def _everywhere(name: str, ties: xr.DataArray, shape: tuple[int, int]) -> LazyArray:
    interval = _one(ties.attrs, "Resampling_interval")
    if interval is None:
        raise left_out(f"Geometry_data/{ties.name} has no Resampling_interval")
    stored = chunked(ties)
    values = decoded(stored, _tie_decoder(f"Geometry_data/{ties.name}", stored)).values
    points = TiePoints.regular(ties.shape, (interval, interval), shape)
    beyond = [
        np.count_nonzero(at >= size)
        for at, size in zip((points.lines, points.pixels), shape, strict=True)
    ]
    if max(beyond) > MOST_TIES_BEYOND:
        raise rewritten(
            f"Geometry_data/{ties.name} has {ties.shape[0]} x {ties.shape[1]} tie points, too many "
            f"for {shape[0]} lines x {shape[1]} pixels at its Resampling_interval of {interval:g}"
        )
    return points.everywhere(name, values)


def _tie_decoder(name: str, ties: Stored) -> Decoder:
    if ties.dtype.kind == "f":
        # Plain degrees. A value beyond 360 is a fill value; the pixels around it become NaN.
        return Decoder(valid_min=-360.0, valid_max=360.0)
    return _decoder(name, ties, "Slope", "Offset")


def _attributes(path: Path) -> dict[str, Any]:
    with open_hdf5(path, SceneError) as file:
        groups = [
            file[name].attrs
            for name in ("Global_attributes", "Processing_attributes")
            if name in file
        ]
        found = {name: as_text(text) for attributes in groups for name, text in attributes.items()}
    times = {
        f"time_coverage_{end}": iso_time(found[f"Scene_{end}_time"], "%Y%m%d %H:%M:%S.%f")
        for end in ("start", "end")
        if f"Scene_{end}_time" in found
    }
    return {
        **found,
        **times,
        "platform": "GCOM-C",
        "instrument": SENSOR,
        "sensor": SENSOR,
        "brdf_correction": "unknown",
    }
