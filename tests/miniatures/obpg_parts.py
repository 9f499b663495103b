"""What NASA OBPG files of all kinds have in common, after the PACE V3.1 samples.

Packing, flags, navigation attributes and the processing record; attribute names, types and their
order are those of files by l2gen 9.11.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

from miniatures.netcdf import variable
from miniatures.truth import every, some

SCALE, OFFSET = np.float32(2e-6), np.float32(0.05)
FILL, VALID_MIN, VALID_MAX = np.int16(-32767), np.int16(-30000), np.int16(25000)
OUTSIDE = np.int16(26001)  # a count that is a number, and above the largest valid one
NAVIGATION_FILL = np.float32(-999)
FLAG_NAMES = (
    "ATMFAIL LAND PRODWARN HIGLINT HILT HISATZEN COASTZ SPARE STRAYLIGHT CLDICE COCCOLITH TURBIDW "
    "HISOLZEN SPARE LOWLW CHLFAIL NAVWARN ABSAER SPARE MAXAERITER MODGLINT CHLWARN ATMWARN OPSHAL "
    "SEAICE NAVFAIL FILTER SPARE BOWTIEDEL HIPOL PRODFAIL SPARE"
)
OLDER_FLAG_NAMES = FLAG_NAMES.replace("OPSHAL", "SPARE")
STANDARD_NAME = (
    "surface_ratio_of_upwelling_radiance_emerging_from_sea_water_to_downwelling_radiative_flux_in_"
    "air"
)
START, END = "2025-03-05T16:09:33.101Z", "2025-03-05T16:14:32.984Z"
EPOCH_OF_START = 1741190973.101  # START in seconds since 1970


def bits_of(names: str) -> dict[str, int]:
    """Bit numbers by name, without the spare ones."""
    return {name: bit for bit, name in enumerate(names.split()) if name != "SPARE"}


def counts_of(rrs: np.ndarray | float) -> np.ndarray:
    """Counts nearest to reflectances (sr-1)."""
    counts = (np.asarray(rrs, np.float64) - np.float64(OFFSET)) / np.float64(SCALE)
    return np.round(counts).astype(np.int16)


def stored_counts(rrs: np.ndarray, missing: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """Counts of one band as they stand in a file."""
    return np.where(missing, FILL, np.where(outside, OUTSIDE, counts_of(rrs))).astype(np.int16)


def decoded(stored: np.ndarray) -> np.ndarray:
    """What the counts mean (sr-1); NaN where they are fill or outside the valid range."""
    rrs = stored.astype(np.float64) * np.float64(SCALE) + np.float64(OFFSET)
    valid = (stored != FILL) & (stored >= VALID_MIN) & (stored <= VALID_MAX)
    return np.where(valid, rrs, np.nan)


def is_missing(bands: list[np.ndarray]) -> np.ndarray:
    return every([stored == FILL for stored in bands])


def is_outside(bands: list[np.ndarray]) -> np.ndarray:
    return some([(s != FILL) & ((s < VALID_MIN) | (s > VALID_MAX)) for s in bands])


def rrs_attributes(long_name: str, *, coordinates: bool = False) -> dict[str, Any]:
    attributes = {
        "long_name": long_name,
        "units": "sr^-1",
        "standard_name": STANDARD_NAME,
        "valid_min": VALID_MIN,
        "valid_max": VALID_MAX,
        "coordinates": "longitude latitude",
        "add_offset": OFFSET,
        "scale_factor": SCALE,
    }
    if not coordinates:
        del attributes["coordinates"]
    return attributes


def flag_attributes(names: str) -> dict[str, Any]:
    return {
        "long_name": "Level-2 Processing Flags",
        "valid_min": np.int32(-(2**31)),
        "valid_max": np.int32(2**31 - 1),
        "flag_masks": np.array([1 << bit for bit in range(32)], np.uint32).view(np.int32),
        "flag_meanings": names,
    }


def angle_attributes(name: str) -> dict[str, Any]:
    """Attributes of a variable with latitudes or longitudes."""
    limit = np.float32(90 if "latitude" in name.lower() else 180)
    kind = "latitude" if limit == 90 else "longitude"
    return {
        "long_name": name,
        "units": "degrees_north" if kind == "latitude" else "degrees_east",
        "standard_name": kind,
        "valid_min": -limit,
        "valid_max": limit,
    }


def scan_line_attributes(
    group: netCDF4.Dataset, latitude: np.ndarray, longitude: np.ndarray
) -> None:
    """The group scan_line_attributes, one value a line."""
    lines = len(latitude)
    dims = ("number_of_lines",)
    seconds = EPOCH_OF_START + 0.15 * np.arange(lines)
    whole = np.int32(-32767)
    integers = {
        "year": (np.full(lines, 2025), "Scan year", "years", 1900, 2100),
        "day": (np.full(lines, 64), "Scan day of year", None, 0, 366),
        "msec": (
            np.round((seconds % 86400) * 1000),
            "Scan time, milliseconds of day",
            "milliseconds",
            0,
            86400000,
        ),
    }
    for name, (values, long_name, units, low, high) in integers.items():
        attributes = {"long_name": long_name, "units": units}
        attributes |= {"valid_min": np.int32(low), "valid_max": np.int32(high)}
        kept = {key: value for key, value in attributes.items() if value is not None}
        variable(group, name, values.astype(np.int32), dims, kept, fill=whole)
    described = {
        "long_name": "scan line time in seconds since 1970-1-1",
        "units": "seconds since 1970-01-01",
    }
    variable(group, "time", seconds, dims, described, fill=-32767.0)
    middle = latitude.shape[1] // 2
    for place, at in (("Starting", 0), ("Center", middle), ("Ending", -1)):
        for kind, values in (("Longitude", longitude), ("Latitude", latitude)):
            name = f"{place[0].lower()}{kind[:3].lower()}"
            attributes = angle_attributes(f"{place} {kind}")
            column = values[:, at].astype(np.float32)
            variable(group, name, column, dims, attributes, fill=NAVIGATION_FILL)


def processing_control(
    file: netCDF4.Dataset, path: Path, source: str, flags: Mapping[str, np.ndarray]
) -> None:
    """The group processing_control with its parameters and the share of every flag (percent)."""
    control = file.createGroup("processing_control")
    control.setncatts(
        {
            "software_name": "l2gen",
            "software_version": "9.11.0-09b1279b9",
            "input_sources": source,
            "calibration_data": "oci_gains_v3.1_20250722.nc",
            "mask_names": "ATMFAIL,LAND,CLDICE,HILT",
        }
    )
    parameters = {"ifile": source, "ofile": path.name, "l2prod": "Rrs", "oformat": "netCDF4"}
    parameters |= {"suite": "AOP", "atmocor": "1", "aer_opt": "-18", "maskland": "1"}
    control.createGroup("input_parameters").setncatts(parameters)
    shares = {name: np.float32(100 * raised.mean()) for name, raised in flags.items()}
    control.createGroup("flag_percentages").setncatts(shares | {"SPARE": np.float32(0)})


def global_attributes(
    path: Path,
    *,
    title: str,
    instrument: str,
    platform: str,
    latitude: np.ndarray,
    longitude: np.ndarray,
) -> dict[str, Any]:
    """The global attributes of a Level-2 file."""
    center = "NASA Goddard Space Flight Center, Ocean Ecology Laboratory"
    north, south = np.float32(latitude.max()), np.float32(latitude.min())
    east, west = np.float32(longitude.max()), np.float32(longitude.min())
    line_middle = latitude.shape[1] // 2
    return {
        "title": title,
        "product_name": path.name,
        "processing_version": "3.1",
        "history": f"l2gen par={path.stem}.param",
        "instrument": instrument,
        "platform": platform,
        "Conventions": "CF-1.8, ACDD-1.3",
        "license": (
            "https://science.nasa.gov/earth-science/earth-science-data/data-information-policy/"
        ),
        "naming_authority": "gov.nasa.gsfc.sci.oceandata",
        "id": f"3.1/L2/{path.name}",
        "date_created": "2025-09-20T05:37:38.000Z",
        "standard_name_vocabulary": "CF Standard Name Table v36",
        "institution": f"{center}, Ocean Biology Processing Group",
        "creator_name": "NASA/GSFC/OBPG",
        "creator_email": "data@oceancolor.gsfc.nasa.gov",
        "creator_url": "https://oceandata.sci.gsfc.nasa.gov",
        "project": "Ocean Biology Processing Group (NASA/GSFC/OBPG)",
        "publisher_name": "NASA/GSFC/OBPG",
        "publisher_url": "https://oceandata.sci.gsfc.nasa.gov",
        "publisher_email": "data@oceancolor.gsfc.nasa.gov",
        "processing_level": "L2",
        "cdm_data_type": "swath",
        "spatialResolution": "1000 m",
        "time_coverage_start": START,
        "time_coverage_end": END,
        "start_center_longitude": np.float32(longitude[0, line_middle]),
        "start_center_latitude": np.float32(latitude[0, line_middle]),
        "end_center_longitude": np.float32(longitude[-1, line_middle]),
        "end_center_latitude": np.float32(latitude[-1, line_middle]),
        "northernmost_latitude": north,
        "southernmost_latitude": south,
        "easternmost_longitude": east,
        "westernmost_longitude": west,
        "geospatial_lat_units": "degrees_north",
        "geospatial_lon_units": "degrees_east",
        "geospatial_lat_max": north,
        "geospatial_lat_min": south,
        "geospatial_lon_max": east,
        "geospatial_lon_min": west,
        "startDirection": "Descending" if latitude[0, 0] > latitude[-1, 0] else "Ascending",
        "endDirection": "Descending" if latitude[0, 0] > latitude[-1, 0] else "Ascending",
        "day_night_flag": "Day",
        "earth_sun_distance_correction": np.float64(1.0163358449935913),
    }
