"""What the imaginary sea holds, as water of ocpipe's bio-optical forward model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pipeline.facts.optical_tables import Array
from pipeline.simulation.bio_optics import Water, mean_water
from pipeline.simulation.optics.absorption import CDOM_SLOPE, NON_ALGAL_SLOPE
from pipeline.simulation.optics.backscattering import MINERAL_BACKSCATTERING_650


def imaginary_water(
    chlorophyll: Array,
    cdom_443: Array,
    mineral: Array,
    aph_factor: Array | float = 1.0,
    bbp_factor: Array | float = 1.0,
    cdom_slope: Array | float = CDOM_SLOPE,
    non_algal_slope: Array | float = NON_ALGAL_SLOPE,
) -> Water:
    """Mean water of a chlorophyll (mg m-3), with this CDOM (m-1) and these minerals (g m-3).

    The factors are relative to the mean absorption of phytoplankton, which detritus goes with, and
    to the mean backscattering of all particles; slopes are in nm-1.
    """
    mean = mean_water(chlorophyll)
    return replace(
        mean,
        aph_443=mean.aph_443 * aph_factor,
        detritus_443=mean.detritus_443 * aph_factor,
        organic_bbp_550=mean.organic_bbp_550 * bbp_factor,
        mineral=mineral,
        mineral_backscattering=MINERAL_BACKSCATTERING_650 * np.asarray(bbp_factor),
        cdom_443=cdom_443,
        cdom_slope=cdom_slope,
        non_algal_slope=non_algal_slope,
    )
