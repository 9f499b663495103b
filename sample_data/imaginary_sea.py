"""A sea that does not exist: coast, rivers, shelf, eddies, clouds and wind, all from seeded noise.

Everything lies on one plane of 1 km cells with shape (north, east). The water comes first as
tracers that a random flow has stirred, then as chlorophyll, CDOM and minerals made from them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from noise_fields import Array, Flow, Plane, band_noise, blur, power_law_noise, sample

PLANE = Plane(north_km=648, east_km=800)

# The coast runs from south-west to north-east; the river mouths are given along it.
COAST_START_EAST = 62.0
COAST_SLOPE = 0.62
COAST_ROUGHNESS_KM = 26.0
ISLAND_ROUGHNESS_KM = 5.0
RIVERS = ((300.0, 1.0), (440.0, 0.35))
"""Kilometres north and relative discharge of each river."""

STEPS = 84
"""Steps of the flow; a step is about two hours at the speeds below."""
PLUME_LIFETIME_STEPS = 40.0
RIVER_RADIUS_KM = 10.0
OUTFLOW_SPEED = 4.5
OUTFLOW_REACH_KM = 32.0
MEMORY_STEPS = 26
DIFFUSION_KM = 1.1
CLOUDY_SHARE = 0.14
FRONT_OFFSHORE_KM = 170.0


@dataclass(frozen=True)
class Sea:
    """The state of the plane; logarithms are to base 10 and smooth, so that they interpolate."""

    elevation: Array
    """Above zero on land; no unit."""
    nearshore: Array
    """1 at the coast, falling to 0 within some 20 km."""
    log_chlorophyll: Array
    """mg m-3"""
    log_cdom: Array
    """m-1 at 443 nm"""
    log_mineral: Array
    """g m-3"""
    aph_factor: Array
    bbp_factor: Array
    cloud: Array
    """Above zero inside clouds; no unit."""
    haze: Array
    """Absorbing aerosol from the land that a standard correction gets wrong, 0 to about 1."""
    wind: Array
    """m s-1"""


def make_sea(rng: np.random.Generator) -> Sea:
    """Draw the whole plane from one generator, always in the same order."""
    elevation = make_elevation(rng)
    land = (elevation > 0.0).astype(np.float64)
    mouths = river_mouths(land)
    flow = make_flow(land, mouths, rng)
    tracers = stir(flow, land, mouths, power_law_noise(PLANE, 4.0, 110.0, rng))
    nearshore = nearness(land, 7.0)
    log_chl, log_cdom, log_mineral = dissolve(tracers, nearshore)
    return Sea(
        elevation=elevation,
        nearshore=nearshore,
        log_chlorophyll=log_chl,
        log_cdom=log_cdom,
        log_mineral=log_mineral,
        aph_factor=10.0 ** (0.04 * power_law_noise(PLANE, 3.5, 120.0, rng)),
        bbp_factor=10.0 ** (0.04 * power_law_noise(PLANE, 3.5, 120.0, rng)),
        cloud=make_clouds(rng),
        haze=nearness(land, 40.0) * np.clip(band_noise(PLANE, 110.0, rng), 0.0, 2.0) / 2.0,
        wind=np.clip(5.2 + 1.2 * power_law_noise(PLANE, 3.6, 140.0, rng), 1.0, None),
    )


def make_elevation(rng: np.random.Generator) -> Array:
    """A straight coast, bent by fractal noise into capes and bays, with a few islands."""
    north, east = PLANE.coordinates()
    inland_km = (COAST_START_EAST + COAST_SLOPE * north - east) / np.hypot(1.0, COAST_SLOPE)
    coarse = COAST_ROUGHNESS_KM * power_law_noise(PLANE, 3.2, 170.0, rng)
    fine = ISLAND_ROUGHNESS_KM * power_law_noise(PLANE, 2.4, 25.0, rng)
    # Roughness fades away from the coast, or there would be islands and lakes everywhere.
    strength = np.exp(-np.abs(inland_km) / 45.0)
    elevation: Array = inland_km + (coarse + fine) * strength
    return elevation


def nearness(land: Array, scale_km: float) -> Array:
    """1 on a straight coast and inland, falling off over some scale_km of sea."""
    return np.clip(2.0 * blur(land, scale_km), 0.0, 1.0)


def offshore_distance() -> Array:
    """Kilometres seaward of the straight coast line, negative inland."""
    north, east = PLANE.coordinates()
    distance: Array = (east - COAST_START_EAST - COAST_SLOPE * north) / np.hypot(1.0, COAST_SLOPE)
    return distance


def river_mouths(land: Array) -> list[tuple[float, float, float]]:
    """North and east in km of the outermost coast at each river's latitude, and its discharge."""
    reachable = land * (offshore_distance() < 25.0)
    mouths = []
    for north_km, discharge in RIVERS:
        outermost = int(np.flatnonzero(reachable[int(north_km)])[-1])
        mouths.append((north_km, float(outermost), discharge))
    return mouths


def make_flow(
    land: Array, mouths: list[tuple[float, float, float]], rng: np.random.Generator
) -> Flow:
    """Eddies of two sizes, a meandering jet along the shelf edge, a coastal current, outflows.

    Still on land; stream functions in km2 per step.
    """
    north, east = PLANE.coordinates()
    offshore = offshore_distance()
    meanders = 28.0 * band_noise(PLANE, 90.0, rng)
    jet = -100.0 * np.tanh((offshore - FRONT_OFFSHORE_KM + meanders) / 30.0)
    coastal = -30.0 * np.exp(-(((offshore - 20.0) / 30.0) ** 2))
    steady = jet * np.exp(-(((north - 324.0) / 300.0) ** 8)) + coastal
    for mouth_north, mouth_east, discharge in mouths:
        steady = steady + discharge * outflow(north - mouth_north, east - mouth_east)
    still = 1.0 - nearness(land, 3.0)
    streams = [
        still * (steady + 42.0 * band_noise(PLANE, 60.0, rng) + 2.5 * band_noise(PLANE, 26.0, rng))
        for _ in range(2)
    ]
    return Flow.from_stream_functions(streams[0], streams[1], steps_per_turn=90.0)


def outflow(north: Array, east: Array) -> Array:
    """Stream function of a jet away from the coast, from km north and east of the mouth."""
    slope = np.arctan(COAST_SLOPE)
    seaward = east * np.cos(slope) - north * np.sin(slope) - OUTFLOW_REACH_KM
    alongshore = east * np.sin(slope) + north * np.cos(slope)
    envelope = np.exp(-(seaward**2 + alongshore**2) / (2.0 * OUTFLOW_REACH_KM**2))
    stream: Array = -OUTFLOW_SPEED * alongshore * envelope
    return stream


@dataclass(frozen=True)
class Tracers:
    """What the flow has stirred."""

    shelf: Array
    """Share of shelf water, 0 to 1."""
    gulf: Array
    """Share of blue water from beyond the front, 0 to 1."""
    plume: Array
    """Share of river water, 0 to 1."""
    patches: Array
    """Mesoscale structure of zero mean and unit variance."""


def stir(
    flow: Flow, land: Array, mouths: list[tuple[float, float, float]], patches: Array
) -> Tracers:
    """Shelf, oceanic and river water and mesoscale patches after the flow has worked on them.

    River water sums what each parcel picked up at a mouth along its path, older water counting
    less: a plume with a source, not a blob that drifts off.
    """
    shelf = nearness(land, 42.0)
    gulf = 0.5 + 0.5 * np.tanh((offshore_distance() - FRONT_OFFSHORE_KM) / 22.0)
    plume = np.zeros_like(land)
    origins = list(flow.origins(STEPS))
    for step, (north, east) in enumerate(origins):
        age = np.exp(-step / PLUME_LIFETIME_STEPS)
        for mouth_north, mouth_east, discharge in mouths:
            squared = (north - mouth_north) ** 2 + (east - mouth_east) ** 2
            plume += discharge * age * np.exp(-squared / (2.0 * RIVER_RADIUS_KM**2))
    origin = origins[MEMORY_STEPS - 1]
    # Stirring alone makes filaments thinner than a pixel; small-scale mixing rubs those out.
    return Tracers(
        shelf=blur(0.5 * shelf + 0.5 * sample(shelf, *origin), DIFFUSION_KM),
        gulf=blur(sample(gulf, *origin), DIFFUSION_KM),
        plume=np.clip(blur(1.0 - np.exp(-plume / 5.5), DIFFUSION_KM), 0.0, 1.0),
        patches=blur(sample(patches, *origin), DIFFUSION_KM),
    )


def dissolve(tracers: Tracers, nearshore: Array) -> tuple[Array, Array, Array]:
    """Logarithms of chlorophyll, CDOM and mineral load from the stirred tracers.

    Exponents say how each leaves the river water: minerals settle near the mouth, CDOM mixes,
    and phytoplankton blooms where the water has cleared.
    """
    shelf, plume, patches = tracers.shelf, tracers.plume, tracers.patches
    bloom = plume**0.6 * (1.0 - 0.5 * plume)
    log_chl = -0.95 + 1.0 * np.clip(shelf, 0.0, 1.0) ** 1.2 - 0.42 * tracers.gulf + 0.16 * patches
    log_chl = log_chl + 0.30 * nearshore + 1.1 * bloom
    cdom = 0.2 * (0.00707 + 0.06 * 10.0 ** (0.65 * log_chl)) * (0.7 + 0.5 * shelf)
    cdom = cdom + 0.012 * shelf**2 + 0.05 * nearshore + 0.55 * plume**0.9
    mineral = 0.006 + 0.25 * shelf**3 + 1.4 * nearshore**2 + 22.0 * plume**1.8
    mineral = mineral * 10.0 ** (0.10 * patches)
    return log_chl, np.log10(cdom), np.log10(mineral)


def make_clouds(rng: np.random.Generator) -> Array:
    """Fair-weather fields: fractal clouds, crowded in some places and absent in others."""
    crowds = band_noise(PLANE, 120.0, rng)
    clusters = power_law_noise(PLANE, 2.9, 45.0, rng)
    puffs = band_noise(PLANE, 5.0, rng)
    cover = 0.95 * crowds + 0.80 * clusters + 0.28 * puffs
    return cover - float(np.quantile(cover, 1.0 - CLOUDY_SHARE))
