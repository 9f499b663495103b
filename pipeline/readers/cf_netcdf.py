"""Reader of any netCDF (or plain HDF5) file, with a mapping that says what its variables are.

``configs/formats/netcdf`` contains mappings for ACOLITE, SNAP/C2RCC and POLYMER, and for
Level-3 maps of PACE and OC-CCI. Lines and pixels are the dimensions of latitude and longitude,
which may be 1-D (a map) or 2-D (a swath); dimensions of size one are dropped.
"""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from pydantic import ValidationError

from pipeline.config import complaints_of
from pipeline.errors import ConfigError, SceneError
from pipeline.facts.quantities import quantities
from pipeline.readers.attributes import as_text, iso_time
from pipeline.readers.container import is_hdf5, is_netcdf3
from pipeline.readers.layers import decode, decoder_of, plane, source_flags
from pipeline.readers.mapping import (
    FileMapping,
    FlagVariable,
    NetcdfOptions,
    TimeAttribute,
    presets,
)
from pipeline.readers.netcdf_bands import bands_of
from pipeline.readers.netcdf_layout import FileVariables, listed, without_single
from pipeline.readers.netcdf_sensor import sensor_of
from pipeline.readers.netcdf_times import several_times
from pipeline.readers.opening import assembled, chunked, open_undecoded, opening
from pipeline.readers.recognition import fitting_presets
from pipeline.readers.stored import Stored
from pipeline.readers.tie_points import TiePoints
from pipeline.scene.lazy import Generated, LazyArray
from pipeline.scene.scene import (
    GEOLOCATION,
    SOURCE_FLAGS,
    SPATIAL_REF,
    geographic_reference,
    is_projected,
)
from pipeline.tables.units import factor_between


class CfNetcdf:
    """Reads netCDF files by a mapping."""

    Options = NetcdfOptions

    def __init__(self, options: NetcdfOptions) -> None:
        self._options = options

    def recognises(self, path: Path) -> bool:
        """Whether the file is netCDF or HDF5 and, if no mapping is given, fits a preset."""
        if not (is_hdf5(path) or is_netcdf3(path)):
            return False
        return bool(self._options.mapping or self._options.preset or fitting_presets(path))

    def open(self, path: Path) -> xr.Dataset:
        """Open the scene lazily, by the mapping of the options or by the preset that fits."""
        preset, suffix = (None, "") if self._options.mapping else self._preset_of(path)
        try:
            mapping = self._options.resolved(preset, suffix)
        except ValidationError as error:
            complaints = "; ".join(complaints_of(error, FileMapping))
            raise ConfigError(f"reader.options.mapping: {complaints}") from None
        engine = "h5netcdf" if is_hdf5(path) else "netcdf4"
        with opening() as opened:
            groups: tuple[str | None, ...] = (None, *mapping.groups)
            for group in groups:
                opened.append(open_undecoded(path, group, engine))
            variables = {
                group: {str(name): variable for name, variable in dataset.variables.items()}
                for group, dataset in zip(groups, opened, strict=True)
            }
            at_one = several_times(variables, mapping.latitude).at(self._options.time)
            file = FileVariables.of(at_one.groups, mapping)
            self._check_wavelengths(file)
            layers = {
                **bands_of(file, mapping),
                **_plain_variables(file, mapping),
                **_geolocation(file),
                **_flags(file, mapping.flags),
            }
            attributes = {**_attributes(opened, file, mapping), **at_one.coverage}
            masks = mapping.masks_of_sensor.get(attributes["sensor"], mapping.masks)
            return assembled(layers, attributes, opened, _reference(file), masks or "")

    def _check_wavelengths(self, file: FileVariables) -> None:
        """Refuse wavelengths configured for variables that the file does not have."""
        unknown = sorted(set(self._options.wavelengths) - set(file.on_scene))
        if unknown:
            raise SceneError(
                f"wavelengths are stated for {', '.join(unknown)}, but the variables are "
                f"{listed(file.on_scene)}. Correct reader.options.wavelengths."
            )

    def _preset_of(self, path: Path) -> tuple[str, str]:
        """Return the preset, and the ending of the variables' names in a collocation."""
        fits = fitting_presets(path)
        if self._options.preset:
            chosen = [suffix for name, suffix in fits if name == self._options.preset]
            return self._options.preset, chosen[0] if len(chosen) == 1 else ""
        if len(fits) == 1:
            return fits[0]
        names = [name for name, _ in fits]
        endings = [suffix for _, suffix in fits if suffix]
        if len(set(endings)) > 1:
            raise ConfigError(
                f"the file is a collocation of several products ({', '.join(endings)}). Choose one "
                "in reader: {format: cf_netcdf, options: {preset: "
                f"{names[0]}, mapping: {{suffix: {endings[0]}}}}}}}."
            )
        found = f"several presets fit ({', '.join(names)})" if names else "no preset fits the file"
        raise ConfigError(
            f"{found}. Name one of {', '.join(presets())} in reader: {{format: cf_netcdf, options: "
            "{preset: ...}}, or describe the file under options.mapping (docs/readers.md)."
        )


def _plain_variables(file: FileVariables, mapping: FileMapping) -> dict[str, xr.DataArray]:
    """Return all 2-D variables, mapped or not; variables on tie points are interpolated."""
    for scene_name, name in mapping.plain.items():
        if name in file.all:
            _check_plain_units(scene_name, name, file.all[name])
    scene_names = {name: scene_name for scene_name, name in mapping.plain.items()}
    plain = {}
    for name, variable in file.on_scene.items():
        scene_name = scene_names.get(name, name)
        is_wanted = name in scene_names or _has_known_units(scene_name, variable)
        if is_wanted and scene_name.isidentifier() and _is_plain(name, variable, mapping):
            plain[scene_name] = plane(scene_name, decode(variable).values, variable.attrs)
    for scene_name, name in mapping.plain.items():
        ties = file.all.get(name)
        if scene_name not in plain and ties is not None and "subsampling_x" in ties.attrs:
            values = _from_tie_points(ties, file, wraps=scene_name == "relative_azimuth")
            plain[scene_name] = plane(scene_name, values, ties.attrs)
    return plain


def _is_plain(name: str, variable: Stored, mapping: FileMapping) -> bool:
    """Whether a variable is 2-D, and is neither a band nor flags nor geolocation."""
    is_band = any(re.fullmatch(entry.variables, name) for entry in mapping.spectral)
    is_flags = "flag_meanings" in variable.attrs or (
        mapping.flags is not None and name == mapping.flags.variable
    )
    is_place = name in (mapping.latitude, mapping.longitude)
    return variable.ndim == 2 and not (is_band or is_flags or is_place)


def _has_known_units(scene_name: str, variable: Stored) -> bool:
    """Whether an unmapped variable has the units that its name implies."""
    known = quantities().get(scene_name)
    if known is None:
        return True
    stated = as_text(variable.attrs.get("units", ""))
    # The file's own products have the names of outputs; only angles and humidity are inputs.
    return known.units in ("degree", "percent") and factor_between(stated, known.units) == 1.0


def _check_plain_units(scene_name: str, name: str, variable: xr.Variable) -> None:
    """Refuse a variable whose units differ from the units of the quantity in the scene."""
    known = quantities().get(scene_name)
    stated = as_text(variable.attrs.get("units", "")).strip().lower()
    if known is None or not stated or factor_between(stated, known.units) == 1.0:
        return
    raise SceneError(
        f"{name} has units {stated!r}, expected {known.units!r} for {scene_name}. Remove it from "
        "reader.options.mapping.plain."
    )


def _from_tie_points(ties: xr.Variable, file: FileVariables, *, wraps: bool) -> LazyArray:
    """Interpolate a tie-point grid of SNAP, which has a point every ``subsampling`` pixels."""
    interval, offset = (
        (float(ties.attrs[f"{what}_y"]), float(ties.attrs[f"{what}_x"]))
        for what in ("subsampling", "offset")
    )
    points = TiePoints.regular(ties.shape, interval, file.shape, offset)
    return points.everywhere(decode(chunked(ties)).values, wraps=wraps)


def _geolocation(file: FileVariables) -> dict[str, xr.DataArray]:
    layers = {}
    for axis, (name, stored) in enumerate(
        zip(GEOLOCATION, (file.latitude, file.longitude), strict=True)
    ):
        variable = without_single(stored)
        if variable.ndim == 1:
            values: LazyArray = _along(chunked(stored), axis, file.shape)
        else:
            values = decode(chunked(stored).on(*map(str, variable.dims))).values
        layers[name] = plane(name, values, {})
    return layers


def _along(stored: Stored, axis: int, shape: tuple[int, int]) -> LazyArray:
    """Spread the 1-D latitude or longitude of a map over its lines and pixels."""
    values = decoder_of(stored, stored.attrs).values(stored.values.reshape(-1))

    def everywhere(lines: slice, pixels: slice) -> np.ndarray[Any, Any]:
        part = values[lines, np.newaxis] if axis == 0 else values[np.newaxis, pixels]
        counts = (lines.stop - lines.start, pixels.stop - pixels.start)
        return np.array(np.broadcast_to(part, counts))

    return Generated(everywhere, shape, np.dtype(np.float32))


def _reference(file: FileVariables) -> dict[str, xr.DataArray]:
    """Return a map's coordinates and their reference system; empty if the file is not a map."""
    latitude, longitude = without_single(file.latitude), without_single(file.longitude)
    if latitude.ndim == 1:
        return geographic_reference(
            np.asarray(latitude.values, np.float64), np.asarray(longitude.values, np.float64)
        )
    names = {
        str(v.attrs["grid_mapping"]) for v in file.on_scene.values() if "grid_mapping" in v.attrs
    }
    if len(names) != 1 or not names <= set(file.all):
        return {}
    grid = file.all[names.pop()]
    axes = [
        xr.DataArray(np.asarray(v.values, np.float64), dims=(dim,), attrs=v.attrs)
        for dim, size in (("y", file.shape[0]), ("x", file.shape[1]))
        for v in file.all.values()
        if v.shape == (size,) and is_projected(v.attrs, dim)
    ]
    if len(axes) != 2:
        return {}
    return {"y": axes[0], "x": axes[1], SPATIAL_REF: xr.DataArray(np.int32(0), attrs=grid.attrs)}


def _flags(file: FileVariables, flags: FlagVariable | None) -> dict[str, xr.DataArray]:
    if flags is None:
        return {}
    if flags.variable not in file.on_scene and not flags.required:
        return {}
    if flags.variable not in file.on_scene:
        raise SceneError(
            f"no flag variable {flags.variable!r} on lines and pixels. Variables on lines and "
            f"pixels are {listed(file.on_scene)}. Correct reader.options.mapping.flags, or set it "
            "to null for a scene without flags."
        )
    variable = file.on_scene[flags.variable]
    described: dict[str, Any] = {}
    if "flag_masks" not in variable.attrs or "flag_meanings" not in variable.attrs:
        if not flags.masks:
            raise SceneError(
                f"{flags.variable} has no flag_masks and flag_meanings. State its bits as "
                "reader.options.mapping.flags.masks: {NAME: 1, ...}."
            )
        described = {
            "flag_masks": _masks(flags, variable.dtype),
            "flag_meanings": " ".join(flags.masks),
        }
    return {SOURCE_FLAGS: source_flags(variable, flags.variable.rpartition("/")[2], **described)}


def _masks(flags: FlagVariable, dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """Return the configured masks in the type of the flag variable; its sign bit may be a flag."""
    if dtype.kind not in "iu":
        raise SceneError(
            f"{flags.variable} is {dtype}, expected integers for flags. Correct "
            "reader.options.mapping.flags."
        )
    bits = 8 * dtype.itemsize
    too_large = [name for name, mask in flags.masks.items() if mask >= 1 << bits]
    if too_large:
        raise SceneError(
            f"the masks of {', '.join(too_large)} have more bits than {flags.variable}, which is "
            f"{dtype}. Correct reader.options.mapping.flags.masks."
        )
    return np.array(list(flags.masks.values()), dtype=f"u{dtype.itemsize}").view(dtype)


def _attributes(
    opened: Sequence[xr.Dataset], file: FileVariables, mapping: FileMapping
) -> dict[str, Any]:
    attributes = {str(name): value for name, value in opened[0].attrs.items()}
    for name in ("time_coverage_start", "time_coverage_end"):
        times: tuple[TimeAttribute, ...] = getattr(mapping, name)
        stated = [time for time in times if time.attribute in attributes]
        if stated:
            text = as_text(attributes[stated[0].attribute])
            attributes[name] = next(_read_times(text, stated), text)
    return {
        **attributes,
        "sensor": sensor_of(attributes, file.all, mapping.sensor),
        "brdf_correction": mapping.brdf_correction,
        "mapping": json.dumps(mapping.model_dump(mode="json"), sort_keys=True),
    }


def _read_times(text: str, stated: Sequence[TimeAttribute]) -> Iterator[str]:
    """Yield the time as ISO 8601 for each format that fits the text."""
    for time in stated:
        if (read := iso_time(text, time.format)) != text or time.format is None:
            yield read
