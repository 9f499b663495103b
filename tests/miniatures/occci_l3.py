"""ESA OC-CCI Level-3 mapped Rrs (merged sensors, daily, 4 km), versions 5 and 6.

After the product user guide and public readers: Rrs_<nm>(time, lat, lon) float32 with the netCDF
default fill value, units "sr-1", lat and lon 1-D from the north-west, time in days since 1970.
Use a truth of ``map_of_coordinates``. The file has no flags.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

from miniatures.map_axes import axes_of
from miniatures.netcdf import variable
from miniatures.truth import Truth, Written, every

NAME = "ESACCI-OC-L3S-RRS-MERGED-1D_DAILY_4km_GEO_PML_RRS-20220615-fv6.0.nc"
BANDS = (412, 443, 490, 510, 560, 665)
FILL = np.float32(9.96921e36)
DAYS_SINCE_1970 = 19158  # 2022-06-15
STANDARD_NAME = (
    "surface_ratio_of_upwelling_radiance_emerging_from_sea_water_to_downwelling_radiative_flux_in_"
    "air"
)


def write(
    folder: Path,
    truth: Truth,
    *,
    values: Mapping[float, np.ndarray] | None = None,
    axis_dtype: type = np.float64,
    bias: bool = True,
    chunk: tuple[int, int] | None = None,
    name: str = NAME,
) -> Written:
    """Write the map; ``values`` replaces whole bands by raw float32. ``bias`` adds Rrs_*_bias."""
    if truth.flags:
        raise ValueError("OC-CCI Level-3 has no flags")
    path = folder / name
    latitude, longitude = axes_of(truth, axis_dtype)
    bands = {nm: _stored(truth, nm, values or {}) for nm in truth.rrs}
    cube_chunk = (1, *chunk) if chunk else None
    with netCDF4.Dataset(path, "w") as file:
        file.setncatts(_global_attributes(path.name, latitude, longitude))
        file.createDimension("time", 1)
        _axes(file, latitude, longitude)
        for nm, stored in bands.items():
            for suffix, data in (("", stored), ("_bias", np.where(stored == FILL, FILL, 1e-5))):
                if suffix and not bias:
                    continue
                variable(
                    file,
                    f"Rrs_{nm:.0f}{suffix}",
                    data.astype(np.float32)[None],
                    ("time", "lat", "lon"),
                    _band_attributes(nm, suffix),
                    fill=FILL,
                    chunk=cube_chunk,
                )
    grid = np.meshgrid(latitude.astype(np.float64), longitude.astype(np.float64), indexing="ij")
    return Written(
        path=path,
        rrs={
            float(round(nm)): np.where(stored == FILL, np.nan, stored.astype(np.float64))
            for nm, stored in bands.items()
        },
        latitude=grid[0],
        longitude=grid[1],
        flags={},
        missing=every([stored == FILL for stored in bands.values()]),
        outside=np.zeros(truth.shape, bool),
        saturated=np.zeros(truth.shape, bool),
        extra={"lat": latitude, "lon": longitude},
    )


def _stored(truth: Truth, nm: float, values: Mapping[float, np.ndarray]) -> np.ndarray:
    if nm in values:
        return np.asarray(values[nm]).astype(np.float32)
    return np.where(truth.missing, FILL, truth.rrs[nm]).astype(np.float32)


def _band_attributes(nm: float, suffix: str) -> dict[str, Any]:
    meaning = "Bias of sea surface" if suffix else "Sea surface"
    attributes = {
        "long_name": (
            f"{meaning} reflectance defined as the ratio of water-leaving radiance to surface "
            f"irradiance at {nm:.0f} nm."
        ),
        "units": "sr-1",
        "units_nonstandard": "sr^-1",
        "grid_mapping": "crs",
        "wavelength": np.int32(round(nm)),
    }
    if not suffix:
        attributes["standard_name"] = STANDARD_NAME
        attributes["ancillary_variables"] = f"Rrs_{nm:.0f}_bias"
    return attributes


def _axes(file: netCDF4.Dataset, latitude: np.ndarray, longitude: np.ndarray) -> None:
    crs = {
        "grid_mapping_name": "latitude_longitude",
        "semi_major_axis": 6378137.0,
        "inverse_flattening": 298.257223563,
    }
    variable(file, "crs", np.array(0, np.int32), (), crs)
    days = np.array([DAYS_SINCE_1970], np.int32)
    time = {"axis": "T", "standard_name": "time", "units": "days since 1970-01-01 00:00:00"}
    variable(file, "time", days, ("time",), time)
    for axis, values, long_name, letter in (
        ("lat", latitude, "latitude", "Y"),
        ("lon", longitude, "longitude", "X"),
    ):
        limit = 90.0 if axis == "lat" else 180.0
        attributes = {
            "long_name": long_name.capitalize(),
            "standard_name": long_name,
            "units": "degrees_north" if axis == "lat" else "degrees_east",
            "axis": letter,
            "valid_min": values.dtype.type(-limit),
            "valid_max": values.dtype.type(limit),
        }
        variable(file, axis, values, (axis,), attributes)


def _global_attributes(name: str, latitude: np.ndarray, longitude: np.ndarray) -> dict[str, Any]:
    return {
        "Conventions": "CF-1.7",
        "Metadata_Conventions": "Unidata Dataset Discovery v1.0",
        "title": "ESA CCI Ocean Colour Product",
        "product_version": "6.0",
        "summary": "Data products generated by the Ocean Colour component of the ESA CCI project.",
        "institution": "Plymouth Marine Laboratory",
        "source": "NASA SeaWiFS  L1A and L2 R2018.0 LAC and GAC, MODIS-Aqua, MERIS, VIIRS, OLCI",
        "history": "Source data were: merged daily files",
        "references": "http://www.esa-oceancolour-cci.org/",
        "id": name,
        "naming_authority": "uk.ac.pml",
        "cdm_data_type": "Grid",
        "project": "Climate Change Initiative - European Space Agency",
        "platform": "Orbview-2,Aqua,Envisat,Suomi-NPP,Sentinel-3a,Sentinel-3b",
        "sensor": "SeaWiFS,MODIS,MERIS,VIIRS,OLCI",
        "processing_level": "Level-3",
        "license": "ESA CCI Data Policy: free and open access.",
        "creator_name": "Plymouth Marine Laboratory",
        "creation_date": "Thu Aug 11 12:00:00 2022",
        "date_created": "Thu Aug 11 12:00:00 2022",
        "tracking_id": "7d3a3c1e-6a53-4f4e-9a53-000000000001",
        "time_coverage_start": "202206150000Z",
        "time_coverage_end": "202206152359Z",
        "time_coverage_duration": "P1D",
        "time_coverage_resolution": "P1D",
        "start_date": "15-JUN-2022 00:00:00.000000",
        "stop_date": "15-JUN-2022 23:59:00.000000",
        "geospatial_lat_min": float(latitude.min()),
        "geospatial_lat_max": float(latitude.max()),
        "geospatial_lat_units": "decimal degrees north",
        "geospatial_lat_resolution": 0.041666668,
        "geospatial_lon_min": float(longitude.min()),
        "geospatial_lon_max": float(longitude.max()),
        "geospatial_lon_units": "decimal degrees east",
        "geospatial_lon_resolution": 0.041666668,
        "geospatial_vertical_min": 0.0,
        "geospatial_vertical_max": 0.0,
        "spatial_resolution": "4km nominal at equator",
        "grid_mapping": "Equirectangular",
        "netcdf_file_type": "NETCDF4_CLASSIC",
    }
