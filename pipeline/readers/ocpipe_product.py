"""Products of this program, opened as scenes: their variables, flags and positions.

A product usually has no spectral quantity, only the outputs of its networks. The scene has the
attributes of the product: ``id`` identifies the product, and ``first_line`` and ``first_pixel``
state where the product begins in its original scene.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr

from pipeline.config import ReaderOptions
from pipeline.errors import SceneError
from pipeline.files.hdf5 import open_hdf5
from pipeline.readers.attributes import as_text
from pipeline.readers.cf_attributes import PACKING, number_in
from pipeline.readers.container import describe_content, is_hdf5
from pipeline.readers.damage import left_out
from pipeline.readers.layers import decode, plane, source_flags
from pipeline.readers.opening import assembled, chunked, open_undecoded, opening
from pipeline.scene.lazy import lazy
from pipeline.scene.quality import QUALITY_FLAGS
from pipeline.scene.scene import AXES, GEOLOCATION, PRODUCT_OF, SOURCE_FLAGS, SPATIAL_REF
from pipeline.scene.source_flags import FILLS
from pipeline.version import SOFTWARE

CONTROL, SCENE = "processing_control", "processing_control/inputs/scene"
DIMS = ("y", "x")
# Facts of the record that become attributes of the scene.
PLACE = ("first_line", "first_pixel", "scene_lines", "scene_pixels")


class OcpipeProduct:
    """Reads a product of this program."""

    Options = ReaderOptions

    def __init__(self, options: ReaderOptions) -> None:
        self._options = options

    def recognises(self, path: Path) -> bool:
        """Whether the file says that this program wrote it."""
        if not is_hdf5(path):
            return False
        with open_hdf5(path, SceneError) as file:
            control = file.get(CONTROL)
            named = control.attrs.get("software_name") if isinstance(control, h5py.Group) else None
            return named is not None and as_text(named) == SOFTWARE

    def open(self, path: Path) -> xr.Dataset:
        """Open the product lazily."""
        describe_content(path)  # raises if the file is damaged or refers to other files
        with opening() as opened:
            root = open_undecoded(path)
            opened.append(root)
            with open_hdf5(path, SceneError) as file:
                recorded = _recorded(file)
            layers = _layers(root)
            return assembled(layers, _attributes(root.attrs, recorded), opened, _map(root))


def _recorded(file: h5py.File) -> dict[str, Any]:
    """Return the record of the scene that the product was made from."""
    group = file.get(SCENE)
    if not isinstance(group, h5py.Group):
        raise left_out(f"the product has no group {SCENE}", "Make the product again.")
    missing = [name for name in ("file", "sensor", *PLACE) if name not in group.attrs]
    if missing:
        listed = ", ".join(missing)
        raise left_out(f"the group {SCENE} has no {listed}", "Make the product again.")
    return {name: group.attrs[name] for name in ("file", "sensor", "brdf_correction", *PLACE)}


def _attributes(ours: Mapping[Any, Any], recorded: Mapping[str, Any]) -> dict[str, Any]:
    """Return the product's attributes, with the place of the product in its scene."""
    return {
        **{str(name): value for name, value in ours.items()},
        "sensor": as_text(recorded["sensor"]),
        "brdf_correction": as_text(recorded["brdf_correction"]),
        PRODUCT_OF: as_text(recorded["file"]),
        **{name: _whole(recorded[name], name) for name in PLACE},
    }


def _whole(stored: Any, name: str) -> int:
    number = number_in(stored)
    if number is None or number != round(number):
        raise left_out(f"{name} of the record is not a whole number", "Make the product again.")
    return round(number)


def _layers(root: xr.Dataset) -> dict[str, xr.DataArray]:
    """Return all variables on lines and pixels; flags and classes keep their integers."""
    layers: dict[str, xr.DataArray] = {}
    for key, variable in root.variables.items():
        name, stored = str(key), None
        if variable.dims != DIMS:
            continue
        stored = chunked(variable)
        if name in GEOLOCATION:
            layers[name] = plane(name, decode(stored).values, {})
        elif variable.dtype.kind == "f":
            layers[name] = lazy(decode(stored).values, DIMS, _described(variable.attrs))
        elif _is_of_source(name, variable.attrs):
            layers[SOURCE_FLAGS] = source_flags(stored, name)
        else:
            layers[name] = lazy(stored, DIMS, dict(variable.attrs))
    absent = [name for name in GEOLOCATION if name not in layers]
    if absent:
        raise left_out(f"the product has no {' and no '.join(absent)}", "Make the product again.")
    return layers


def _described(attributes: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return the attributes that remain true after a variable is decoded."""
    return {name: value for name, value in attributes.items() if name not in (*PACKING, *FILLS)}


def _is_of_source(name: str, attributes: Mapping[Any, Any]) -> bool:
    """Whether these are flags of the scene; flags of ocpipe have the standard name quality_flag."""
    is_flags = "flag_masks" in attributes and "flag_meanings" in attributes
    is_ours = name == QUALITY_FLAGS or attributes.get("standard_name") == "quality_flag"
    return is_flags and not is_ours


def _map(root: xr.Dataset) -> dict[str, xr.DataArray]:
    """Return the axes and the reference system of a product on a map; a swath has none."""
    if not all(name in root.variables for name in AXES):
        return {}
    axes = {
        dim: xr.DataArray(
            np.asarray(root.variables[dim].values, np.float64),
            dims=(dim,),
            attrs=_described(root.variables[dim].attrs),
        )
        for dim in DIMS
    }
    reference = dict(root.variables[SPATIAL_REF].attrs)
    return axes | {SPATIAL_REF: xr.DataArray(np.int32(0), attrs=reference)}
