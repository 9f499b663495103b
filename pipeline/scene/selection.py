"""Select layers of a scene without reading them."""

from collections.abc import Iterable, Sequence

import xarray as xr

from pipeline.scene.scene import AXES, SPECTRAL, Band, state_name, wavelength_dim


def select_layers(
    scene: xr.Dataset, layers: Sequence[Band], with_states: Iterable[Band] = ()
) -> xr.Dataset:
    """Return some layers of a scene as plain lazy variables; other bands are not read.

    Args:
        scene: the scene.
        layers: the layers.
        with_states: layers whose ``STATE_*`` bits are added, if the scene has these bits.
    """
    states = {state_name(band.quantity) for band in with_states}
    names = sorted({band.quantity for band in layers} | {str(n) for n in states if n in scene})
    selected = scene[names].drop_vars(AXES, errors="ignore").reset_coords()[names]
    for quantity in SPECTRAL:
        wanted = sorted({band.wavelength_nm or 0.0 for band in layers if band.quantity == quantity})
        if wanted:
            selected = selected.sel({wavelength_dim(quantity): wanted})
    return selected
