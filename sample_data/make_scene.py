"""Make the synthetic MODIS-Aqua Level-2 sample scene.

Run ``python sample_data/make_scene.py``; it takes some seconds and, on one machine, writes the
same bytes every time. The scene is not an observation: an imaginary sea, seen through a published
forward model, with the defects of real products (noise, stripes, clouds and their edges, glint,
over-correction) added where they occur in nature.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
from imaginary_sea import PLANE, Sea, make_sea
from imaginary_water import imaginary_water
from noise_fields import power_law_noise, sample
from obpg_file import Level2, combine_flags, to_counts, write_level2
from swath_geometry import (
    LINES_PER_SCAN,
    SECONDS_PER_SCAN,
    Swath,
    glint_reflectance,
    make_swath,
    relative_azimuth,
    sun_position,
)

from pipeline.facts.optical_tables import Array
from pipeline.simulation.bio_optics import forward

Mask = npt.NDArray[np.bool_]

SEED = 183500
NAME = "AQUA_MODIS.20240615T183500.L2.OC.nc"
DESTINATION = Path(__file__).parent / "scenes" / NAME
START = datetime(2024, 6, 15, 18, 35, 0, tzinfo=UTC)

LINES = 421
PIXELS = 339
FIRST_PIXEL = 250
TRACK_START = (32.6, -79.8)
"""Latitude and longitude below the satellite at the first line."""
HEADING = 347.0
"""Ascending, degrees clockwise from north."""
PLANE_ORIGIN_KM = (-40.0, -120.0)
"""Where the plane of the sea begins, north and east of the start of the track."""

SENSOR_WAVELENGTHS = (412, 443, 469, 488, 531, 547, 555, 645, 667, 678, 748, 859, 869)


@dataclass(frozen=True)
class Bands:
    """The bands of a sensor, and the size of each error in sr-1.

    Noise of one pixel and the smooth error of the atmospheric correction are standard deviations.
    Both fall with wavelength because the correction extrapolates from the near infrared to the
    blue. Our choice: the order of size of MODIS-Aqua validation results, but less in the near
    infrared, where clear water itself is only 1e-5. Absorbing aerosol takes away far more in the
    blue, as in real coastal products.
    """

    nm: tuple[int, ...]
    noise: Array
    correction_error: Array
    haze_loss: Array


MODIS = Bands(
    nm=(412, 443, 469, 488, 531, 547, 555, 645, 667, 678, 748),
    noise=np.array([40, 30, 30, 25, 18, 15, 15, 6, 5, 5, 1.2]) * 1e-6,
    correction_error=np.array([250, 190, 160, 130, 80, 60, 55, 14, 11, 11, 1.8]) * 1e-6,
    haze_loss=np.array([2600, 2000, 1600, 1300, 750, 550, 500, 40, 25, 25, 1.5]) * 1e-6,
)
STRIPE_SPREAD = 0.004
CLOUD_EDGE_FACTOR = -18.0
GLINT_FACTOR = 1.5 / 0.005

# 0.005 is the default of l2gen's parameter glint_thresh. The others are of the size l2gen uses (low
# signal: 0.15 mW cm-2 um-1 sr-1 of water-leaving radiance at 555 nm, F0 about 184) but ours.
HIGH_GLINT = 0.005
MODERATE_GLINT = 0.0005
TURBID_RRS_667 = 0.0012
LOW_RRS_555 = 0.15 / 184.0


@dataclass(frozen=True)
class View:
    """The sea as the swath samples it, and how it is lit; shapes are (line, pixel)."""

    swath: Swath
    sea: Sea
    """Every field resampled to the swath."""
    solar_zenith: Array
    relative_azimuth: Array
    glint: Array
    land: Mask
    cloud: Mask


def main() -> None:
    """Draw the sea, look at it, spoil it, flag it, write it."""
    rng = np.random.default_rng(SEED)
    view = look_at(make_sea(rng))
    rrs = measure(view, MODIS, rng)
    missing = view.land | view.cloud | failures(view, rng)
    rrs[missing] = np.nan
    scene = assemble(view, MODIS, rrs, missing)
    write_level2(DESTINATION, scene)
    print(f"{NAME}: {DESTINATION.stat().st_size} bytes, {LINES} lines x {PIXELS} pixels")


def look_at(plane: Sea) -> View:
    """Resample the plane to the swath and work out the light."""
    swath = make_swath(LINES, PIXELS, FIRST_PIXEL, TRACK_START, HEADING)
    north, east = swath.north_km - PLANE_ORIGIN_KM[0], swath.east_km - PLANE_ORIGIN_KM[1]
    sea = Sea(**{name: sample(field, north, east) for name, field in vars(plane).items()})
    day, hour = START.timetuple().tm_yday, START.hour + START.minute / 60.0
    solar_zenith, solar_azimuth = sun_position(swath.latitude, swath.longitude, day, hour)
    relative = relative_azimuth(swath.sensor_azimuth, solar_azimuth)
    return View(
        swath=swath,
        sea=sea,
        solar_zenith=solar_zenith,
        relative_azimuth=relative,
        glint=glint_reflectance(solar_zenith, swath.sensor_zenith, relative, sea.wind),
        land=sea.elevation > 0.0,
        cloud=sea.cloud > 0.0,
    )


def measure(view: View, bands: Bands, rng: np.random.Generator) -> Array:
    """Rrs in sr-1 as a processor would report it, with shape (line, pixel, band)."""
    sea = view.sea
    water = imaginary_water(
        chlorophyll=10.0**sea.log_chlorophyll,
        cdom_443=10.0**sea.log_cdom,
        mineral=10.0**sea.log_mineral,
        aph_factor=sea.aph_factor,
        bbp_factor=sea.bbp_factor,
    )
    truth = forward(water, np.array(bands.nm, dtype=np.float64)).rrs
    detector = np.arange(len(truth)) % LINES_PER_SCAN
    stripes = rng.normal(1.0, STRIPE_SPREAD, (LINES_PER_SCAN, 1, len(bands.nm)))[detector]
    noise = np.hypot(0.003 * truth, bands.noise) * rng.standard_normal(truth.shape)
    error = correction_error(view, rng)[..., np.newaxis] * bands.correction_error
    haze = view.sea.haze[..., np.newaxis] * bands.haze_loss
    return truth * stripes + error - haze + noise


def correction_error(view: View, rng: np.random.Generator) -> Array:
    """The smooth error of the atmospheric correction, in units of its standard deviation.

    Too much is taken away beside clouds, which makes real reflectances negative, and too little
    where glint is left.
    """
    swath = view.swath
    smooth = power_law_noise(PLANE, 3.5, 150.0, rng)
    error = sample(smooth, swath.north_km, swath.east_km)
    error = error + CLOUD_EDGE_FACTOR * spread(view.cloud, 3)
    return error + GLINT_FACTOR * np.minimum(view.glint, 2.0 * HIGH_GLINT)


def spread(mask: Mask, reach: int) -> Array:
    """Share of raised pixels in a square of 2 reach + 1 around each pixel, 0 to 1."""
    return _window_sums(mask, reach, reach) / (2 * reach + 1) ** 2


def dilate(mask: Mask, lines: int, pixels: int) -> Mask:
    """Raise every pixel within the given reach of a raised one."""
    return _window_sums(mask, lines, pixels) > 0.0


def failures(view: View, rng: np.random.Generator) -> Mask:
    """Pixels without a result: beside clouds and in the worst glint, here and there elsewhere."""
    chance = 0.0008 + 0.06 * dilate(view.cloud, 1, 1) + 0.08 * (view.glint > 1.4 * HIGH_GLINT)
    failed: Mask = rng.random(view.glint.shape) < chance
    return failed & ~view.land & ~view.cloud


def raise_flags(view: View, bands: Bands, rrs: Array, missing: Mask) -> dict[str, Mask]:
    """The masks behind l2_flags; Rrs is NaN where there is no result."""
    at = np.array(bands.nm)
    water = ~missing
    with np.errstate(invalid="ignore"):
        turbid = rrs[..., np.abs(at - 667).argmin()] > TURBID_RRS_667
        dark = rrs[..., np.abs(at - 555).argmin()] < LOW_RRS_555
        negative = (rrs < 0.0).any(axis=-1)
        blue_negative = (rrs[..., at < 531] < 0.0).any(axis=-1)
    failed = missing & ~view.land & ~view.cloud
    return {
        "ATMFAIL": failed,
        "LAND": view.land,
        "PRODWARN": negative & water,
        "HIGLINT": (view.glint > HIGH_GLINT) & ~view.land,
        "HILT": view.sea.cloud > 1.1,
        "COASTZ": (view.sea.nearshore > 0.45) & ~view.land,
        "STRAYLIGHT": dilate(view.cloud, 2, 3) & ~view.cloud,
        "CLDICE": view.cloud,
        "TURBIDW": turbid & water,
        "LOWLW": dark & water,
        "MAXAERITER": (view.sea.log_mineral > np.log10(17.0)) & water,
        "MODGLINT": (view.glint > MODERATE_GLINT) & ~view.land,
        "CHLFAIL": blue_negative & water,
        "ATMWARN": (spread(view.cloud, 2) > 0.45) & water,
        "PRODFAIL": failed,
    }


def assemble(view: View, bands: Bands, rrs: Array, missing: Mask) -> Level2:
    """Everything that goes into the file."""
    scan = np.arange(len(rrs)) // LINES_PER_SCAN
    start_msec = 1000 * (START.hour * 3600 + START.minute * 60 + START.second)
    swath = view.swath
    return Level2(
        rrs={band: to_counts(rrs[..., i]) for i, band in enumerate(bands.nm)},
        flags=combine_flags(raise_flags(view, bands, rrs, missing)),
        angles={
            "solz": view.solar_zenith,
            "senz": swath.sensor_zenith,
            "relaz": view.relative_azimuth,
        },
        latitude=coarsen(swath.latitude),
        longitude=coarsen(swath.longitude),
        msec=(start_msec + np.round(1000.0 * SECONDS_PER_SCAN * scan)).astype(np.int32),
        year=START.year,
        day=START.timetuple().tm_yday,
        sensor_wavelengths=SENSOR_WAVELENGTHS,
        attributes=root_attributes(swath),
        processing={
            "software_name": "sample_data/make_scene.py",
            "software_version": "1",
            "source": f"synthetic: no satellite data, seed {SEED}",
            "mask_names": "ATMFAIL,LAND,CLDICE",
        },
        parameters={
            "ofile": NAME,
            "l2prod": "Rrs_nnn l2_flags solz senz relaz",
            "brdf_opt": "7",
            "suite": "OC",
            "glint_thresh": str(HIGH_GLINT),
        },
    )


def root_attributes(swath: Swath) -> dict[str, object]:
    """Attributes of the file, after OBPG's, with nothing that could pass for an observation."""
    scans = (LINES - 1) // LINES_PER_SCAN
    end = START + timedelta(seconds=SECONDS_PER_SCAN * scans)
    latitude, longitude = coarsen(swath.latitude), coarsen(swath.longitude)
    return {
        "title": "Synthetic MODIS-Aqua Level-2 OC scene (simulated, not an observation)",
        "summary": (
            "An imaginary coastal sea passed through a bio-optical forward model and given the "
            "noise, clouds, glint and flags of a real product. For demonstrating and testing "
            "software; the place, the water and the weather never existed."
        ),
        "product_name": NAME,
        "processing_version": "synthetic-1",
        "instrument": "MODIS",
        "platform": "Aqua",
        "Conventions": "CF-1.6 ACDD-1.3",
        "history": "python sample_data/make_scene.py",
        "source": "simulation",
        "institution": "The ocpipe developers",
        "project": "ocpipe sample data",
        "license": "Apache-2.0",
        "processing_level": "L2",
        "cdm_data_type": "swath",
        "keywords": "synthetic, ocean colour, remote sensing reflectance",
        "standard_name_vocabulary": "CF Standard Name Table v36",
        "startDirection": "Ascending",
        "endDirection": "Ascending",
        "day_night_flag": "Day",
        "time_coverage_start": _timestamp(START),
        "time_coverage_end": _timestamp(end),
        "geospatial_lat_units": "degrees_north",
        "geospatial_lon_units": "degrees_east",
        "geospatial_lat_min": np.float32(latitude.min()),
        "geospatial_lat_max": np.float32(latitude.max()),
        "geospatial_lon_min": np.float32(longitude.min()),
        "geospatial_lon_max": np.float32(longitude.max()),
        "northernmost_latitude": np.float32(latitude.max()),
        "southernmost_latitude": np.float32(latitude.min()),
        "westernmost_longitude": np.float32(longitude.min()),
        "easternmost_longitude": np.float32(longitude.max()),
    }


def coarsen(degrees: Array) -> Array:
    """Round to 1/8192 degree, some 14 m: bits below that are noise to a 1 km pixel, not to zlib."""
    rounded: Array = np.round(degrees * 8192.0) / 8192.0
    return rounded


def _timestamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def _window_sums(mask: Mask, lines: int, pixels: int) -> Array:
    padded = np.pad(mask.astype(np.float64), ((lines + 1, lines), (pixels + 1, pixels)))
    total = padded.cumsum(axis=0).cumsum(axis=1)
    height, width = 2 * lines + 1, 2 * pixels + 1
    sums: Array = (
        total[height:, width:]
        - total[:-height, width:]
        - total[height:, :-width]
        + total[:-height, :-width]
    )
    return sums


if __name__ == "__main__":
    main()
