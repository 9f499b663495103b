"""Sentinel-3 OLCI Level-2 water products (WFR, WRR): a ``.SEN3`` folder of netCDF files.

``OaNN_reflectance.nc`` has the water-leaving reflectance rho_w, which becomes Rrs = rho_w / pi.
``geo_coordinates.nc`` has latitude and longitude at every pixel. ``tie_geometries.nc`` has angles
on tie points. ``wqsf.nc`` has the flags WQSF. The bits of the flags differ between
processing baselines, so the flags are decoded with the file's own masks.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr

from pipeline.errors import SceneError
from pipeline.facts.sensors import find_sensor
from pipeline.readers.attributes import shown
from pipeline.readers.cf_attributes import number_in
from pipeline.readers.container import describe_content, is_hdf5
from pipeline.readers.damage import left_out, rewritten
from pipeline.readers.layers import (
    DecodedLayer,
    LeftOut,
    decode,
    decode_band,
    leaving_out,
    plane,
    source_flags,
    spectrum,
)
from pipeline.readers.mapping import conversion
from pipeline.readers.opening import assembled, chunked, open_undecoded, opening
from pipeline.readers.tie_points import TiePoints, geometry_planes
from pipeline.readers.units import UnitOptions
from pipeline.scene.lazy import LazyArray
from pipeline.scene.scene import GEOLOCATION, SOURCE_FLAGS

SENSOR = "OLCI"
# The masks that are recommended for this format.
MASKS = "eumetsat_recommended"
DIMS = ("rows", "columns")
# Suffix of the variables of a band's file -> quantity of the scene.
SPECTRAL = {"reflectance": "Rrs", "reflectance_err": "Rrs_unc", "reflectance_unc": "Rrs_unc"}
# Other files of the folder, whose 2-D variables an expression may name. CHL_NN, TSM_NN and
# ADG443_NN are log10 of the quantity; the scene keeps log10.
RETRIEVALS = (
    "chl_nn.nc",
    "chl_oc4me.nc",
    "tsm_nn.nc",
    "iop_nn.nc",
    "w_aer.nc",
    "par.nc",
    "trsp.nc",
)
# Files of the folder on tie points, and names of their variables: the file's -> the scene's.
ON_TIE_POINTS = {
    "tie_geometries.nc": {
        "SZA": "solar_zenith",
        "OZA": "sensor_zenith",
        "OAA": "sensor_azimuth",
        "SAA": "solar_azimuth",
    },
    "tie_meteo.nc": {"humidity": "relative_humidity"},
}


class OlciOptions(UnitOptions):
    """Options for facts that an OLCI product may state wrongly."""

    of_format = "olci_wfr"


class OlciWfr:
    """Reads the folder of an OLCI water product."""

    Options = OlciOptions

    def __init__(self, options: OlciOptions) -> None:
        self._options = options

    def recognises(self, path: Path) -> bool:
        """Whether the path is a folder with OLCI's water-leaving reflectances."""
        return path.is_dir() and any(path.glob("Oa[0-9][0-9]_reflectance.nc"))

    def open(self, path: Path) -> xr.Dataset:
        """Open the scene lazily."""
        with opening() as opened:
            folder = _Folder(path, opened, self._options)
            unread: LeftOut = {}
            bands, files = _bands(folder)
            shape = (bands["Rrs"].sizes["y"], bands["Rrs"].sizes["x"])
            layers = {
                **bands,
                **_retrievals(folder, unread),
                **_geolocation(folder),
                **_on_tie_points(folder, shape, unread),
                **_flags(folder),
            }
            attributes = _attributes(files[0].attrs)
            return assembled(layers, attributes, opened, unread=unread, masks=MASKS)


@dataclass(frozen=True)
class _Folder:
    """The files of a product, each of which is opened once."""

    path: Path
    opened: list[xr.Dataset]
    options: UnitOptions

    def file(self, name: str) -> xr.Dataset:
        """Open a file of the folder; refuse it if it is missing or is not netCDF-4."""
        path = self.path / name
        if not path.is_file() or not is_hdf5(path):
            what = "is not a netCDF-4 file" if path.is_file() else "is missing in the folder"
            raise SceneError(f"{name} {what}. Fetch the whole product again.")
        describe_content(path)  # raises if the file is damaged or refers to other files
        opened = open_undecoded(path)
        self.opened.append(opened)
        return opened

    def optional(self, name: str) -> xr.Dataset | None:
        """Open a file of the folder, or return None if the file is missing."""
        return self.file(name) if (self.path / name).is_file() else None


def _bands(folder: _Folder) -> tuple[dict[str, xr.DataArray], list[xr.Dataset]]:
    channels = find_sensor(SENSOR).channels
    layers: dict[str, dict[float, DecodedLayer]] = {}
    files = []
    for path in sorted(folder.path.glob("Oa[0-9][0-9]_reflectance.nc")):
        band = path.name[:4]
        if band not in channels:
            raise SceneError(f"{path.name}: OLCI has no band {band}. Fetch the product again.")
        file = folder.file(path.name)
        files.append(file)
        for suffix, quantity in SPECTRAL.items():
            name = f"{band}_{suffix}"
            if name in file:
                variable = chunked(file[name].variable)
                folder.options.check("rho_w", name, variable.attrs.get("units"), group=suffix)
                layer = decode_band(variable, conversion("rho_w", "Rrs"))
                layers.setdefault(quantity, {})[channels[band]] = layer
        if f"{band}_reflectance" not in file:
            raise left_out(f"{path.name} has no variable {band}_reflectance")
    bands: dict[str, xr.DataArray] = {}
    for quantity, found in layers.items():
        bands |= spectrum(quantity, list(found), list(found.values()), converted_from="rho_w")
    return bands, files


def _retrievals(folder: _Folder, unread: LeftOut) -> dict[str, xr.DataArray]:
    plain = {}
    for file_name in RETRIEVALS:
        file = folder.optional(file_name)
        for name, variable in (file.variables if file is not None else {}).items():
            if variable.dims == DIMS and variable.dtype.kind in "iuf":
                with leaving_out(str(name), unread):
                    values = decode(chunked(variable)).values
                    plain[str(name)] = plane(str(name), values, variable.attrs)
    return plain


def _geolocation(folder: _Folder) -> dict[str, xr.DataArray]:
    file = folder.file("geo_coordinates.nc")
    missing = [name for name in GEOLOCATION if name not in file]
    if missing:
        raise left_out(f"geo_coordinates.nc has no {' and no '.join(missing)}")
    for name in GEOLOCATION:
        folder.options.check(name, name, file[name].attrs.get("units"))
    return {n: plane(n, decode(chunked(file[n].variable)).values, {}) for n in GEOLOCATION}


def _on_tie_points(
    folder: _Folder, shape: tuple[int, int], unread: LeftOut
) -> dict[str, xr.DataArray]:
    """Return angles at every pixel, and relative humidity if the file states it in percent."""
    found = {}
    for file_name, names in ON_TIE_POINTS.items():
        file = folder.optional(file_name)
        if file is None:
            continue
        for name, ours in names.items():
            if name in file and (ours != "relative_humidity" or _is_in_percent(file[name])):
                if not folder.options.is_usable(ours, name, file[name].attrs.get("units")):
                    continue
                with leaving_out(ours, unread):
                    found[ours] = _everywhere(ours, file[name], file.attrs, shape)
    return geometry_planes(found)


def _is_in_percent(variable: xr.DataArray) -> bool:
    return str(variable.attrs.get("units", "")).strip() in {"%", "percent"}


def _everywhere(
    name: str, variable: xr.DataArray, of_file: Mapping[Any, Any], shape: tuple[int, int]
) -> LazyArray:
    """Interpolate a variable to every pixel; ``of_file`` states the intervals of the tie points."""
    ties = chunked(variable.variable)
    interval = (
        _factor(of_file, "al_subsampling_factor", 1.0),
        _factor(of_file, "ac_subsampling_factor", 64.0),
    )
    points = TiePoints.regular(ties.shape, interval, shape)
    return points.everywhere(name, decode(ties).values)


def _factor(of_file: Mapping[Any, Any], name: str, default: float) -> float:
    if name not in of_file:
        return default
    number = number_in(of_file[name])
    if number is None:
        raise rewritten(f"{name} is {shown(of_file[name])}, expected a number")
    return number


def _flags(folder: _Folder) -> dict[str, xr.DataArray]:
    file = folder.file("wqsf.nc")
    if "WQSF" not in file:
        raise left_out("wqsf.nc has no variable WQSF")
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
