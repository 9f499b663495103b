"""Sentinel-3 OLCI Level-2 water products (WFR, WRR): a ``.SEN3`` folder of netCDF files.

``OaNN_reflectance.nc`` holds the water-leaving reflectance rho_w, which becomes Rrs = rho_w / pi;
``geo_coordinates.nc`` latitude and longitude at every pixel, ``tie_geometries.nc`` angles on tie
points, ``wqsf.nc`` the flags WQSF, whose bits moved between processing baselines and are decoded by
the file's own masks.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import xarray as xr

from pipeline.config import ReaderOptions
from pipeline.errors import SceneError
from pipeline.facts.sensors import find_sensor
from pipeline.readers.container import describe_content, is_hdf5
from pipeline.readers.stored import (
    Layer,
    Stored,
    chunked,
    closing,
    decode,
    decoded,
    decoder_of,
    open_undecoded,
    opening,
    plane,
    source_flags,
    spectrum,
)
from pipeline.readers.tie_points import Kind, TiePoints, relative_azimuth
from pipeline.scene.lazy import Source
from pipeline.scene.scene import GEOLOCATION, SOURCE_FLAGS

SENSOR = "OLCI"
RHO_W_TO_RRS = 1 / math.pi
DIMS = ("rows", "columns")
# Suffix of the variables of a band's file -> quantity of the scene.
SPECTRAL = {"reflectance": "Rrs", "reflectance_err": "Rrs_unc", "reflectance_unc": "Rrs_unc"}
# Other files of the folder whose 2-D variables an expression may name; CHL_NN, TSM_NN and ADG443_NN
# are log10 of the quantity and stay so.
RETRIEVALS = (
    "chl_nn.nc",
    "chl_oc4me.nc",
    "tsm_nn.nc",
    "iop_nn.nc",
    "w_aer.nc",
    "par.nc",
    "trsp.nc",
)
ANGLES = {"SZA": "solar_zenith", "OZA": "sensor_zenith"}
# Sensor azimuth and solar azimuth.
AZIMUTHS = ("OAA", "SAA")


class OlciWfr:
    """Reads the folder of an OLCI water product."""

    Options = ReaderOptions

    def __init__(self, options: ReaderOptions) -> None:
        pass

    def recognises(self, path: Path) -> bool:
        """Whether it is a folder with OLCI's water-leaving reflectances."""
        return path.is_dir() and any(path.glob("Oa[0-9][0-9]_reflectance.nc"))

    def open(self, path: Path) -> xr.Dataset:
        """The scene, chunked as the files are stored.

        Raises:
            SceneError: a file of the folder is missing.
        """
        with opening() as opened:
            folder = _Folder(path, opened)
            bands, files = _bands(folder)
            shape = (bands["Rrs"].sizes["y"], bands["Rrs"].sizes["x"])
            scene = xr.Dataset(
                {
                    **bands,
                    **_retrievals(folder),
                    **_geolocation(folder),
                    **_angles(folder, shape),
                    **_humidity(folder, shape),
                    **_flags(folder),
                },
                attrs=_attributes(files[0].attrs),
            )
            return closing(scene.set_coords(list(GEOLOCATION)), opened)


class _Folder:
    """The files of a product, opened once each."""

    def __init__(self, path: Path, opened: list[xr.Dataset]) -> None:
        self.path = path
        self.opened = opened

    def file(self, name: str) -> xr.Dataset:
        """A file of the folder.

        Raises:
            SceneError: it is missing, not netCDF-4, or leads to another file.
        """
        path = self.path / name
        if not path.is_file() or not is_hdf5(path):
            what = "is no netCDF-4 file" if path.is_file() else "is missing"
            raise SceneError(f"{name} {what} in the folder. Fetch the product again.")
        describe_content(path)  # raises where it is broken, or leads out of itself
        opened = open_undecoded(path)
        self.opened.append(opened)
        return opened

    def optional(self, name: str) -> xr.Dataset | None:
        """A file of the folder, or None where there is none."""
        return self.file(name) if (self.path / name).is_file() else None


def _bands(folder: _Folder) -> tuple[dict[str, xr.DataArray], list[xr.Dataset]]:
    channels = find_sensor(SENSOR).channels
    layers: dict[str, dict[float, Layer]] = {}
    files = []
    for path in sorted(folder.path.glob("Oa[0-9][0-9]_reflectance.nc")):
        band = path.name[:4]
        if band not in channels:
            raise SceneError(f"{path.name}: OLCI has no band {band}. The folder was changed.")
        file = folder.file(path.name)
        files.append(file)
        for suffix, quantity in SPECTRAL.items():
            name = f"{band}_{suffix}"
            if name in file:
                variable = chunked(file[name].variable)
                layers.setdefault(quantity, {})[channels[band]] = _rrs(variable)
        if f"{band}_reflectance" not in file:
            raise SceneError(f"{path.name} has no variable {band}_reflectance. Fetch it again.")
    bands: dict[str, xr.DataArray] = {}
    for quantity, found in layers.items():
        bands |= spectrum(quantity, list(found), list(found.values()), converted_from="rho_w")
    return bands, files


def _rrs(variable: Stored) -> Layer:
    decoder = decoder_of(variable, variable.attrs)
    return decoded(variable, replace(decoder, factor=RHO_W_TO_RRS))


def _retrievals(folder: _Folder) -> dict[str, xr.DataArray]:
    plain = {}
    for file_name in RETRIEVALS:
        file = folder.optional(file_name)
        for name, variable in (file.variables if file is not None else {}).items():
            if variable.dims == DIMS and variable.dtype.kind in "iuf":
                values = decode(chunked(variable)).values
                plain[str(name)] = plane(str(name), values, variable.attrs)
    return plain


def _geolocation(folder: _Folder) -> dict[str, xr.DataArray]:
    file = folder.file("geo_coordinates.nc")
    missing = [name for name in GEOLOCATION if name not in file]
    if missing:
        raise SceneError(f"geo_coordinates.nc has no {' and '.join(missing)}. Fetch it again.")
    return {n: plane(n, decode(chunked(file[n].variable)).values, {}) for n in GEOLOCATION}


def _angles(folder: _Folder, shape: tuple[int, int]) -> dict[str, xr.DataArray]:
    file = folder.optional("tie_geometries.nc")
    if file is None:
        return {}
    angles = {
        ours: _everywhere(file, name, shape, "plain")
        for name, ours in ANGLES.items()
        if name in file
    }
    if all(name in file for name in AZIMUTHS):
        sensor, sun = (_everywhere(file, name, shape, "angle") for name in AZIMUTHS)
        angles["relative_azimuth"] = relative_azimuth(sensor, sun)
    return {name: plane(name, values, {}) for name, values in angles.items()}


def _humidity(folder: _Folder, shape: tuple[int, int]) -> dict[str, xr.DataArray]:
    """Relative humidity, where the product has it in percent."""
    file = folder.optional("tie_meteo.nc")
    if file is None or "humidity" not in file:
        return {}
    if str(file["humidity"].attrs.get("units", "")).strip() not in {"%", "percent"}:
        return {}
    values = _everywhere(file, "humidity", shape, "plain")
    return {"relative_humidity": plane("relative_humidity", values, {})}


def _everywhere(file: xr.Dataset, name: str, shape: tuple[int, int], kind: Kind) -> Source:
    """Values at every pixel, from tie points at intervals that the file gives."""
    ties = chunked(file[name].variable)
    interval = (
        float(file.attrs.get("al_subsampling_factor", 1)),
        float(file.attrs.get("ac_subsampling_factor", 64)),
    )
    points = TiePoints.regular((ties.shape[0], ties.shape[1]), interval, shape)
    return points.everywhere(decode(ties).values, kind)


def _flags(folder: _Folder) -> dict[str, xr.DataArray]:
    file = folder.file("wqsf.nc")
    if "WQSF" not in file:
        raise SceneError("wqsf.nc has no WQSF. Fetch the product again.")
    return {SOURCE_FLAGS: source_flags(chunked(file["WQSF"].variable), "WQSF")}


def _attributes(root: Mapping[Any, Any]) -> dict[str, Any]:
    attributes = {str(name): value for name, value in root.items()}
    product = str(attributes.get("product_name", ""))
    letter = re.match(r"S3([AB])_", product)
    times = {"time_coverage_start": "start_time", "time_coverage_end": "stop_time"}
    return {
        **attributes,
        **{ours: str(attributes[its]) for ours, its in times.items() if its in attributes},
        **({"platform": f"Sentinel-3{letter.group(1)}"} if letter else {}),
        "instrument": SENSOR,
        "sensor": SENSOR,
        "brdf_correction": "none",
    }
