"""Multiband GeoTIFF: one band per wavelength, on a map.

The file contains few descriptions, so options may state quantity, units, wavelengths and scale.
Without options, wavelengths come from band descriptions (``Rrs_443``, ``443 nm``) or ``wavelength``
tags. The product keeps the reference system and the coordinates of the map.
"""

import math
import re
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from pydantic import Field, model_validator

from pipeline.config import ReaderOptions
from pipeline.errors import SceneError
from pipeline.facts.quantities import quantities
from pipeline.files.long_attributes import cut_attributes
from pipeline.files.longest import cut
from pipeline.files.raster import nothing_beside, open_lazy_raster, open_raster
from pipeline.readers.chunk_cache import ChunkCache
from pipeline.readers.container import is_tiff
from pipeline.readers.damage import check_size
from pipeline.readers.decoding import Decoder
from pipeline.readers.geotiff_mask import GeoTiffMask
from pipeline.readers.layers import WhereValid, about, decoded, plane, spectrum
from pipeline.readers.mapping import Spectral, conversion
from pipeline.readers.opening import assembled, opening
from pipeline.readers.stored import UNCHUNKED, InOnePiece, Stored
from pipeline.scene.lazy import Generated
from pipeline.scene.scene import SPATIAL_REF, geographic_reference
from pipeline.tables.units import factor_between

Wavelength = Annotated[float, Field(gt=0)]


class GeoTiffOptions(ReaderOptions):
    """Options that describe the bands, because a GeoTIFF may not describe them itself."""

    quantity: Spectral = "Rrs"
    stored_as: Spectral | None = None
    """Quantity in the file if it differs from ``quantity``, e.g. ``rho_w`` (Rrs is rho_w / pi)."""
    units: str | None = None
    """Units of the bands; required if the file does not state them."""
    wavelengths: tuple[Wavelength, ...] = ()
    """Wavelengths (nm) of the bands in the file's order; required if the metadata lack them."""
    scale: float | None = None
    """Scale factor (the value of one count); replaces the scale factor in the file."""
    offset: float | None = None
    """Offset (the value of count 0); replaces the offset in the file."""
    nodata: float | None = None
    """Stored number that marks a missing value; replaces the fill value in the file."""
    sensor: str = ""
    """Name of the sensor in the sensor tables."""

    @model_validator(mode="after")
    def _is_convertible(self) -> "GeoTiffOptions":
        conversion(self.stored_as, self.quantity)
        return self


class GeoTiff:
    """Reads a multiband GeoTIFF."""

    Options = GeoTiffOptions

    def __init__(self, options: GeoTiffOptions) -> None:
        self._options = options

    def recognises(self, path: Path) -> bool:
        """Whether the file is a TIFF."""
        return is_tiff(path)

    def open(self, path: Path) -> xr.Dataset:
        """Open the scene lazily."""
        with nothing_beside(), opening() as files:
            facts = _RasterFacts.of(path)
            opened = open_lazy_raster(path, SceneError)
            files.append(opened)
            self._check_units(opened)
            opened.encoding["chunk_cache"] = ChunkCache()
            layers = [
                decoded(band, self._decoder(facts, number, opened.dtype))
                for number, band in enumerate(_stored(facts, opened))
            ]
            if facts.has_mask:
                mask = GeoTiffMask.of(path, facts.shape, files)
                layers = [WhereValid.of(layer, mask) for layer in layers]
            stored_as = self._options.stored_as
            converted = {} if stored_as is None else {"converted_from": stored_as}
            bands = spectrum(self._options.quantity, self._wavelengths(facts), layers, **converted)
            attributes = {
                "title": cut(str(opened.attrs.get("TIFFTAG_IMAGEDESCRIPTION", path.name))),
                "sensor": self._options.sensor,
                "brdf_correction": "unknown",
            }
            return assembled(bands | _geolocation(opened), attributes, files, _reference(opened))

    def _check_units(self, opened: xr.DataArray) -> None:
        quantity = self._options.stored_as or self._options.quantity
        expected = quantities()[quantity].units
        stated = self._options.units
        if stated is None:
            in_file = opened.attrs.get("units", "")
            of_bands = in_file if isinstance(in_file, tuple) else (in_file,)
            texts = list(dict.fromkeys(str(text or "") for text in of_bands))
        else:
            texts = [stated]
        if any(factor_between(text, expected) != 1.0 for text in texts):
            found = " and ".join(f"units {text!r}" if text else "no units" for text in texts)
            raise SceneError(
                f"the bands have {found}, expected "
                f"{expected!r} for {quantity}. State them as reader: {{format: geotiff, options: "
                f"{{units: {expected}}}}}. If the bands are water-leaving reflectance, use the "
                "options {stored_as: rho_w, units: '1'}; the bands are then multiplied by 1/pi to "
                "get Rrs."
            )

    def _decoder(self, facts: "_RasterFacts", band: int, dtype: np.dtype[Any]) -> Decoder:
        options = self._options
        # GDAL gives the scale 1 and the offset 0 to bands that have none.
        is_unscaled = options.scale is None and (facts.scales[band], facts.offsets[band]) == (1, 0)
        if dtype.kind in "iu" and is_unscaled:
            raise SceneError(
                f"band {band + 1} has integers ({dtype}) without a scale factor, expected "
                "fractions. State the scale factor, e.g. as reader: {format: geotiff, options: "
                "{scale: 0.0001}}."
            )
        packing = {
            "scale_factor": facts.scales[band] if options.scale is None else options.scale,
            "add_offset": facts.offsets[band] if options.offset is None else options.offset,
            "_FillValue": facts.nodata if options.nodata is None else options.nodata,
        }
        present = {key: value for key, value in packing.items() if value is not None}
        called = {"scale_factor": "scale", "add_offset": "offset", "_FillValue": "nodata"}
        with about(f"band {band + 1}"):
            decoder = Decoder.from_attributes(present, dtype, called)
        return replace(decoder, factor=conversion(options.stored_as, options.quantity))

    def _wavelengths(self, facts: "_RasterFacts") -> list[float]:
        count = len(facts.wavelengths)
        found = list(self._options.wavelengths or facts.wavelengths)
        known = [nm for nm in found if nm > 0]
        if len(known) != count or len(found) != count:
            raise SceneError(
                f"the file has {count} bands, but {len(known)} wavelengths are known. State one "
                "for each band, in the file's order: reader: {format: geotiff, options: "
                "{wavelengths: [412, 443, ...]}}."
            )
        return found


@dataclass(frozen=True)
class _RasterFacts:
    """Metadata of a file and of each of its bands."""

    shape: tuple[int, int]
    """Lines and pixels."""
    block: tuple[int, int]
    """Size of a tile or strip, in lines and pixels."""
    bands_together: bool
    """Whether a tile contains all bands."""
    scales: tuple[float, ...]
    offsets: tuple[float, ...]
    nodata: float | None
    has_mask: bool
    """Whether the file has a mask of its valid pixels."""
    wavelengths: tuple[float, ...]
    """Wavelength (nm) of each band, from its ``wavelength`` tag or description; NaN if unknown."""

    @classmethod
    def of(cls, path: Path) -> "_RasterFacts":
        """Read the metadata; refuse a file with several rasters."""
        import rasterio

        with open_raster(path, SceneError) as file:
            check_size(*file.shape)
            if file.subdatasets:
                raise SceneError(
                    f"the file has {len(file.subdatasets)} rasters, expected one. Extract one "
                    "(gdal_translate GTIFF_DIR:1:FILE)."
                )
            tags = [file.tags(index).get("wavelength") for index in file.indexes]
            texts = [tag or text or "" for tag, text in zip(tags, file.descriptions, strict=True)]
            return cls(
                shape=file.shape,
                block=file.block_shapes[0],
                bands_together=file.interleaving.name == "pixel",
                scales=tuple(file.scales),
                offsets=tuple(file.offsets),
                nodata=file.nodata,
                has_mask=file.mask_flag_enums[0] == [rasterio.enums.MaskFlags.per_dataset],
                wavelengths=tuple(_wavelength(text) for text in texts),
            )


class _Raster(InOnePiece):
    """The bands of a file, read in regions."""

    def load(self, offsets: tuple[int, ...]) -> npt.NDArray[Any]:
        """Read a region; if this fails, the error states the cause, which rasterio hides."""
        try:
            return super().load(offsets)
        except OSError as error:
            raise OSError(str(error.__cause__ or error)) from error


def _stored(facts: _RasterFacts, opened: xr.DataArray) -> list[Stored]:
    """Return the bands (y, x); whole tiles or strips are read, several at once if they are small.

    If a tile contains all bands, they are read together, otherwise one by one.
    """
    together = opened.sizes["band"] if facts.bands_together else 1
    lines, pixels = (
        min(size, stored * max(1, UNCHUNKED // stored))
        for stored, size in zip(facts.block, facts.shape, strict=True)
    )
    pieces = _Raster("raster", opened.variable, (together, lines, pixels))
    cache = opened.encoding["chunk_cache"]
    return [
        Stored(("y", "x"), opened.attrs, opened.dtype, pieces, cache, (1, 2), (band, 0, 0))
        for band in range(opened.sizes["band"])
    ]


def _wavelength(text: str) -> float:
    match = re.fullmatch(r"(?:[A-Za-z_]+[_ ])?(\d{3,4}(?:\.\d+)?)(?: ?nm)?", text.strip())
    return float(match.group(1)) if match else math.nan


def _geolocation(opened: xr.DataArray) -> dict[str, xr.DataArray]:
    """Return latitude and longitude of every pixel centre, computed block by block."""
    crs = opened.rio.crs
    if crs is None or "x" not in opened.coords or "y" not in opened.coords:
        raise SceneError(
            "the file has no coordinate reference system, or is not on a regular map. Warp it to a "
            "map (gdalwarp -t_srs EPSG:4326)."
        )
    x, y = (np.asarray(opened[dim].values, np.float64) for dim in ("x", "y"))
    layers = {}
    for axis, name in ((1, "latitude"), (0, "longitude")):
        function = partial(_latitude_or_longitude, x, y, crs.to_wkt(), axis)
        values = Generated(function, (y.size, x.size), np.dtype(np.float32))
        layers[name] = plane(name, values, {})
    return layers


def _latitude_or_longitude(
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    crs: str,
    axis: int,
    lines: slice,
    pixels: slice,
) -> npt.NDArray[np.float32]:
    import pyproj

    easting, northing = np.meshgrid(x[pixels], y[lines])
    to_degrees = pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    degrees = np.asarray(to_degrees.transform(easting, northing)[axis], dtype=np.float32)
    degrees[~np.isfinite(degrees)] = np.nan
    return degrees


def _reference(opened: xr.DataArray) -> dict[str, xr.DataArray]:
    """Return the coordinates and the reference system of the map, with CF attributes."""
    y, x = (np.asarray(opened[dim].values, np.float64) for dim in ("y", "x"))
    attributes = {
        key: value
        for key, value in opened["spatial_ref"].attrs.items()
        if key != "GeoTransform" and value is not None
    }
    axes = geographic_reference(y, x)
    if not opened.rio.crs.is_geographic:
        units = str(opened.rio.crs.linear_units)
        for dim in ("y", "x"):
            axes[dim].attrs = {
                "standard_name": f"projection_{dim}_coordinate",
                "long_name": f"{dim} coordinate of projection",
                "units": "m" if units in {"metre", "meter"} else units,
                "axis": dim.upper(),
            }
    return axes | {SPATIAL_REF: xr.DataArray(np.int32(0), attrs=cut_attributes(attributes))}
