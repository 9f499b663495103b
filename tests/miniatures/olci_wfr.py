"""Sentinel-3 OLCI Level-2 water products (WFR, WRR): a .SEN3 folder of netCDF files.

File, variable and dimension names, the two layouts of WQSF, the subsampling attributes and the
manifest's elements after satpy's reader ``olci_l2`` and its tests, and after ESA's description of
the product (16 bands, two-byte reflectances and errors). The reflectances' scale and offset are
plausible, not taken from a product: a reader has to use the file's.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import netCDF4
import numpy as np

from miniatures.netcdf import variable
from miniatures.olci_bands import BANDWIDTH, WAVELENGTH, index_of
from miniatures.truth import Truth, Written, every, packed_flags, unpacked_flags

NAME = (
    "{platform}_OL_2_{kind}____20230615T100000_20230615T100300_20230616T120000_0179_100_022_1980_"
    "MAR_O_NT_003.SEN3"
)
DIMS, TIE_DIMS = ("rows", "columns"), ("tie_rows", "tie_columns")
SCALE, OFFSET, FILL = np.float32(2e-5), np.float32(-0.1), np.uint16(65535)
ERROR_SCALE, ERROR_COUNT = np.float32(1e-5), np.uint16(50)
MICRO, WHOLE_FILL = 1e-6, np.int32(-(2**31))
START, STOP = "2023-06-15T10:00:00.000000Z", "2023-06-15T10:03:00.000000Z"
MICROSECONDS_OF_START = 740138400000000  # START since 2000-01-01

_COMMON_TAIL = "ANNOT_ANGSTROM ANNOT_AERO_B ANNOT_ABSO_D ANNOT_ACLIM ANNOT_ABSOA ANNOT_MIXR1 "
_COMMON_TAIL += "ANNOT_DROUT ANNOT_TAU06 "
_COMMON_TAIL += " ".join(f"RWNEG_O{band}" for band in WAVELENGTH)
_WITHOUT = (
    "INVALID WATER LAND CLOUD SNOW_ICE INLAND_WATER TIDAL COSMETIC SUSPECT HISOLZEN SATURATED "
    "MEGLINT HIGHGLINT WHITECAPS ADJAC WV_FAIL PAR_FAIL AC_FAIL OC4ME_FAIL OCNN_FAIL"
)
_WITH = _WITHOUT.replace("TIDAL", "COASTLINE TIDAL")
_SHARED = {"KDM_FAIL": 21, "CLOUD_AMBIGUOUS": 23, "CLOUD_MARGIN": 24, "BPAC_ON": 25}
_SHARED |= {"WHITE_SCATT": 26, "LOWRW": 27, "HIGHRW": 28}
_SHARED |= {name: 32 + place for place, name in enumerate(_COMMON_TAIL.split())}
BITS = {
    "without_coastline": {name: bit for bit, name in enumerate(_WITHOUT.split())} | _SHARED,
    "with_coastline": {name: bit for bit, name in enumerate(_WITH.split())}
    | _SHARED
    | {"TURBID_ATM": 22, "IOP_LSD_FAIL": 29},
}
# Products name the cloud flags before SNOW_ICE although their bits are 22 to 24.
FIRST_NAMES = ["INVALID", "WATER", "LAND", "CLOUD", "TURBID_ATM", "CLOUD_AMBIGUOUS", "CLOUD_MARGIN"]


def write(
    folder: Path,
    truth: Truth,
    *,
    counts: Mapping[float, np.ndarray] | None = None,
    packed: bool = True,
    wqsf_layout: str = "with_coastline",
    platform: str = "S3A",
    kind: str = "WFR",
    tie_step: int = 4,
    relative_humidity: float | None = 70.0,
    error_suffix: str = "_err",
    scale: float = float(SCALE),
    offset: float = float(OFFSET),
    chunk: tuple[int, int] | None = None,
) -> Written:
    """Write the folder; the truth's wavelengths are nominal OLCI ones.

    Rrs is the stored reflectance divided by pi. ``counts`` replaces whole bands by raw counts
    (float32 reflectances where not ``packed``). Tie columns are ``tie_step`` pixels apart (64 in
    WFR, 16 in WRR); the last one lies on the last column if the number of columns less 1 is a
    multiple of it, else behind. Without ``relative_humidity`` there is no tie_meteo.nc.
    """
    path = folder / NAME.format(platform=platform, kind=kind)
    path.mkdir(parents=True, exist_ok=True)
    bits = BITS[wqsf_layout]
    packing = np.float32(scale), np.float32(offset)
    bands = {index_of(nm): _stored(truth, nm, counts or {}, packed, packing) for nm in truth.rrs}
    flags = packed_flags(truth.flags, bits, truth.shape, np.uint64)
    folder_of = _Folder(path, tie_step, chunk)
    for index, stored in bands.items():
        _reflectance(folder_of, index, stored, packing, error_suffix)
    latitude, longitude = _geo_coordinates(folder_of, truth)
    _wqsf(folder_of, flags, bits)
    ties = _tie_geometries(folder_of, truth.shape)
    if relative_humidity is not None:
        ties |= _tie_meteo(folder_of, truth.shape, relative_humidity)
    _time_coordinates(folder_of, truth.shape[0])
    _manifest(path, platform, kind, list(bands))
    return Written(
        path=path,
        rrs={WAVELENGTH[index]: _decoded(stored, packing) for index, stored in bands.items()},
        latitude=latitude,
        longitude=longitude,
        flags=unpacked_flags(flags, bits),
        missing=every([_is_fill(stored) for stored in bands.values()]),
        outside=np.zeros(truth.shape, bool),
        saturated=np.zeros(truth.shape, bool),
        extra=ties,
    )


class _Folder:
    """Opens the folder's files for writing, each with the attributes all of them have."""

    def __init__(self, path: Path, tie_step: int, chunk: tuple[int, int] | None) -> None:
        self.path, self.tie_step, self.chunk = path, tie_step, chunk

    def create(self, name: str, title: str) -> netCDF4.Dataset:
        file = netCDF4.Dataset(self.path / name, "w")
        file.setncatts(
            {
                "absolute_orbit_number": np.uint32(38121),
                "ac_subsampling_factor": np.uint16(self.tie_step),
                "al_subsampling_factor": np.uint16(1),
                "comment": " ",
                "contact": "ops@eumetsat.int",
                "creation_time": "2023-06-16T12:00:00Z",
                "history": "  2023-06-16T12:00:00Z: PUGCoreProcessor /data/JobOrder.xml",
                "institution": "MAR",
                "netCDF_version": "4.2 of Jul  5 2012 17:07:43 $",
                "product_name": self.path.name,
                "references": "S3IPF PDS 004.3, Product Data Format Specification - OLCI L2 Marine",
                "resolution": "[ 270 294 ]",
                "source": "IPF-OL-2 07.04",
                "start_time": START,
                "stop_time": STOP,
                "title": title,
            }
        )
        return file


def _stored(
    truth: Truth,
    nm: float,
    counts: Mapping[float, np.ndarray],
    packed: bool,
    packing: tuple[np.float32, np.float32],
) -> np.ndarray:
    dtype = np.uint16 if packed else np.float32
    if nm in counts:
        return np.asarray(counts[nm]).astype(dtype)
    reflectance = truth.rrs[nm] * np.pi
    if not packed:
        return np.where(truth.missing, np.nan, reflectance).astype(np.float32)
    scale, offset = np.float64(packing[0]), np.float64(packing[1])
    return np.where(truth.missing, FILL, np.round((reflectance - offset) / scale)).astype(dtype)


def _is_fill(stored: np.ndarray) -> np.ndarray:
    return stored == FILL if stored.dtype.kind == "u" else np.isnan(stored)


def _decoded(stored: np.ndarray, packing: tuple[np.float32, np.float32]) -> np.ndarray:
    reflectance = stored.astype(np.float64)
    if stored.dtype.kind == "u":
        reflectance = reflectance * np.float64(packing[0]) + np.float64(packing[1])
    return np.where(_is_fill(stored), np.nan, reflectance / np.pi)


def _reflectance(
    folder: _Folder,
    index: int,
    stored: np.ndarray,
    packing: tuple[np.float32, np.float32],
    error_suffix: str,
) -> None:
    name = f"Oa{index:02d}_reflectance"
    title = f"OLCI Level 2 Water Product, {name} Data Set"
    attributes: dict[str, Any] = {
        "long_name": f"Reflectance for OLCI acquisition band Oa{index:02d}",
        "units": "dl",
        "ancillary_variables": f"{name}{error_suffix}",
    }
    fill: Any = np.float32(np.nan)
    if stored.dtype.kind == "u":
        attributes |= {"scale_factor": packing[0], "add_offset": packing[1]}
        fill = FILL
    error = np.where(_is_fill(stored), FILL, ERROR_COUNT).astype(np.uint16)
    described = {
        "long_name": f"Uncertainty estimate of reflectance for OLCI acquisition band Oa{index:02d}",
        "units": "dl",
        "scale_factor": ERROR_SCALE,
        "add_offset": np.float32(0),
    }
    with folder.create(f"{name}.nc", title) as file:
        variable(file, name, stored, DIMS, attributes, fill=fill, chunk=folder.chunk)
        variable(
            file, f"{name}{error_suffix}", error, DIMS, described, fill=FILL, chunk=folder.chunk
        )


def _geo_coordinates(folder: _Folder, truth: Truth) -> tuple[np.ndarray, np.ndarray]:
    """Write latitude and longitude and return what they mean."""
    meant = []
    with folder.create("geo_coordinates.nc", "OLCI Level 2 Water Product, Geo Coordinates") as file:
        altitude = {"long_name": "DEM corrected altitude", "standard_name": "altitude"}
        altitude |= {"units": "m", "valid_min": np.int16(-1000), "valid_max": np.int16(9000)}
        sea = np.zeros(truth.shape, np.int16)
        fill = np.int16(-32768)
        variable(file, "altitude", sea, DIMS, altitude, fill=fill, chunk=folder.chunk)
        for name, degrees in (("latitude", truth.latitude), ("longitude", truth.longitude)):
            limit = 90 if name == "latitude" else 180
            stored = np.round(degrees / MICRO).astype(np.int32)
            attributes = {
                "long_name": f"DEM corrected {name}",
                "standard_name": name,
                "units": "degrees_north" if name == "latitude" else "degrees_east",
                "scale_factor": MICRO,
                "valid_min": np.int32(-limit * 10**6),
                "valid_max": np.int32(limit * 10**6),
            }
            variable(file, name, stored, DIMS, attributes, fill=WHOLE_FILL, chunk=folder.chunk)
            meant.append(stored.astype(np.float64) * MICRO)
    return meant[0], meant[1]


def _wqsf(folder: _Folder, stored: np.ndarray, bits: dict[str, int]) -> None:
    names = [name for name in FIRST_NAMES if name in bits]
    names += [name for name in sorted(bits, key=bits.__getitem__) if name not in names]
    attributes = {
        "long_name": "Classification, quality and science flags for marine and inland water pixels",
        "flag_masks": np.array([1 << bits[name] for name in names], np.uint64),
        "flag_meanings": " ".join(names),
    }
    with folder.create("wqsf.nc", "OLCI Level 2 Water Product, Classification Data Set") as file:
        variable(file, "WQSF", stored, DIMS, attributes, chunk=folder.chunk)


def _tie_shape(shape: tuple[int, int], step: int) -> tuple[int, int]:
    return shape[0], -(-(shape[1] - 1) // step) + 1


def _tie_geometries(folder: _Folder, shape: tuple[int, int]) -> dict[str, np.ndarray]:
    """Angles at the tie points (degrees): every row, columns a step apart; the azimuths wrap."""
    row, column = np.indices(_tie_shape(shape, folder.tie_step)).astype(np.float64)
    degrees = {
        "SZA": 30 + 0.5 * row + 0.25 * column,
        "SAA": (175 + 4 * column - 0.5 * row + 180) % 360 - 180,
        "OZA": 10 + 2 * column + 0.01 * row,
        "OAA": (-178 - 3 * column + 0.25 * row + 180) % 360 - 180,
    }
    kinds = {"S": "sun", "O": "observation"}
    meant = {}
    with folder.create("tie_geometries.nc", "OLCI Level 2 Water Product, Tie Geometries") as file:
        for name, values in degrees.items():
            zenith = name[1] == "Z"
            dtype = np.uint32 if zenith else np.int32
            stored = np.round(values / MICRO).astype(dtype)
            limits = (0, 180) if zenith else (-180, 180)
            attributes = {
                "long_name": f"{kinds[name[0]]} {'zenith' if zenith else 'azimuth'} angle",
                "units": "degrees",
                "scale_factor": MICRO,
                "valid_min": dtype(limits[0] * 10**6),
                "valid_max": dtype(limits[1] * 10**6),
            }
            fill = np.uint32(2**32 - 1) if zenith else WHOLE_FILL
            variable(file, name, stored, TIE_DIMS, attributes, fill=fill)
            meant[name] = stored.astype(np.float64) * MICRO
    return meant


def _tie_meteo(
    folder: _Folder, shape: tuple[int, int], relative_humidity: float
) -> dict[str, np.ndarray]:
    row, column = np.indices(_tie_shape(shape, folder.tie_step)).astype(np.float64)
    fields = {
        "humidity": (relative_humidity + 0.5 * row - 0.25 * column, "%", "relative humidity"),
        "sea_level_pressure": (1013 + 0.1 * column, "hPa", "mean sea level pressure"),
        "total_ozone": (0.0066 + 0.00001 * row, "kg.m-2", "total columnar ozone"),
    }
    fill = np.float32(-1)
    written = {}
    with folder.create("tie_meteo.nc", "OLCI Level 2 Water Product, Tie Meteo") as file:
        for name, (values, units, long_name) in fields.items():
            stored = values.astype(np.float32)
            attributes = {"long_name": long_name, "units": units}
            variable(file, name, stored, TIE_DIMS, attributes, fill=fill)
            written[name] = stored
    return {"humidity": written["humidity"].astype(np.float64)}


def _time_coordinates(folder: _Folder, rows: int) -> None:
    stored = MICROSECONDS_OF_START + 44000 * np.arange(rows, dtype=np.int64)
    attributes = {
        "long_name": "Elapsed time since 01 Jan 2000 0h",
        "standard_name": "time",
        "units": "microseconds since 2000-01-01 00:00:00",
    }
    with folder.create("time_coordinates.nc", "OLCI Level 2 Water Product, Time") as file:
        variable(file, "time_stamp", stored, DIMS[:1], attributes)


def _manifest(path: Path, platform: str, kind: str, bands: list[int]) -> None:
    """A short but well-formed xfdumanifest.xml with the elements readers look at."""
    spaces = {
        "xfdu": "urn:ccsds:schema:xfdu:1",
        "sentinel-safe": "http://www.esa.int/safe/sentinel/1.1",
        "sentinel3": "http://www.esa.int/safe/sentinel/sentinel-3/1.0",
        "olci": "http://www.esa.int/safe/sentinel/sentinel-3/olci/1.0",
    }
    for prefix, uri in spaces.items():
        ET.register_namespace(prefix, uri)

    def add(parent: ET.Element, tag: str, text: str | None = None, **attributes: str) -> ET.Element:
        prefix, _, local = tag.rpartition(":")
        qualified = f"{{{spaces[prefix]}}}{local}" if prefix else local
        child = ET.SubElement(parent, qualified, attributes)
        child.text = text
        return child

    root = ET.Element(f"{{{spaces['xfdu']}}}XFDU", {"version": "esa/safe/sentinel/sentinel-3/1.0"})
    metadata = add(root, "metadataSection")

    def wrapped(identifier: str) -> ET.Element:
        holder = add(metadata, "metadataObject", ID=identifier)
        return add(add(holder, "metadataWrap"), "xmlData")

    period = add(wrapped("acquisitionPeriod"), "sentinel-safe:acquisitionPeriod")
    add(period, "sentinel-safe:startTime", START)
    add(period, "sentinel-safe:stopTime", STOP)
    carrier = add(wrapped("platform"), "sentinel-safe:platform")
    add(carrier, "sentinel-safe:familyName", "Sentinel-3")
    add(carrier, "sentinel-safe:number", platform[-1])
    instrument = add(carrier, "sentinel-safe:instrument")
    add(instrument, "sentinel-safe:familyName", "Ocean Land Colour Instrument", abbreviation="OLCI")
    general = add(wrapped("generalProductInformation"), "sentinel3:generalProductInformation")
    add(general, "sentinel3:productName", path.name)
    add(general, "sentinel3:productType", f"OL_2_{kind}___")
    add(general, "sentinel3:timeliness", "NT")
    add(general, "sentinel3:baselineCollection", "003")
    product = add(wrapped("olciProductInformation"), "olci:olciProductInformation")
    descriptions = add(product, "olci:bandDescriptions")
    for index in bands:
        band = add(descriptions, "sentinel3:band", name=f"Oa{index:02d}")
        add(band, "sentinel3:centralWavelength", f"{WAVELENGTH[index]:.2f}")
        add(band, "sentinel3:bandwidth", f"{BANDWIDTH[index]:.2f}")
    objects = add(root, "dataObjectSection")
    for file in sorted(path.glob("*.nc")):
        item = add(objects, "dataObject", ID=f"{file.stem}Data")
        stream = add(item, "byteStream", mimeType="application/x-netcdf")
        add(stream, "fileLocation", locatorType="URL", href=f"./{file.name}")
    ET.ElementTree(root).write(path / "xfdumanifest.xml", encoding="UTF-8", xml_declaration=True)
