"""Reads any netCDF (or plain HDF5) file, with a mapping that describes its variables.

``configs/formats/netcdf`` contains mappings for ACOLITE, SNAP/C2RCC and POLYMER, and for
Level-3 maps of PACE and OC-CCI. Lines and pixels are the dimensions of latitude and longitude,
which may be 1-D (a map) or 2-D (a swath); dimensions of size one are dropped.
"""

import json
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
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
from pipeline.readers.layers import (
    LeftOut,
    decode,
    decoder_of,
    leaving_out,
    plane,
    possible,
    source_flags,
)
from pipeline.readers.mapping import (
    FileMapping,
    FlagVariable,
    NetcdfOptions,
    TimeAttribute,
    presets,
)
from pipeline.readers.netcdf_bands import bands_of
from pipeline.readers.netcdf_layout import FileVariables, listed, without_single
from pipeline.readers.netcdf_map import map_reference
from pipeline.readers.netcdf_sensor import sensor_of
from pipeline.readers.netcdf_times import times_of
from pipeline.readers.opening import assembled, chunked, open_groups_undecoded, opening
from pipeline.readers.recognition import fitting_presets
from pipeline.readers.stored import Stored
from pipeline.readers.tie_points import TiePoints, relative_azimuth
from pipeline.readers.time_coverage import with_time_variable
from pipeline.readers.units import AZIMUTHS, UnitOptions
from pipeline.readers.valid_pixels import ValidPixels
from pipeline.scene.lazy import Generated, LazyArray, lazy_array_of
from pipeline.scene.scene import (
    GEOLOCATION,
    SOURCE_FLAGS,
    VALID_WHERE,
)
from pipeline.tables.units import factor_between, says_units

log = logging.getLogger(__name__)


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
            opened.extend(open_groups_undecoded(path, groups, engine))
            variables = {
                group: {str(name): variable for name, variable in dataset.variables.items()}
                for group, dataset in zip(groups, opened, strict=True)
            }
            at_one = times_of(variables, mapping.latitude).at(self._options.time)
            file = FileVariables.of(at_one.groups, mapping)
            self._check_stated(file)
            valid, unread = self._valid_pixels(file), LeftOut()
            layers = {
                **bands_of(file, mapping, valid, self._options.units),
                **_plain_variables(file, mapping, self._options, valid, unread),
                **_geolocation(file, mapping, self._options),
                **_flags(file, mapping.flags),
            }
            attributes = with_time_variable(_attributes(opened, file, mapping), file.all)
            attributes |= at_one.coverage
            masks = mapping.masks_of_sensor.get(attributes["sensor"], mapping.masks)
            reference = map_reference(file)
            scene = assembled(layers, attributes, opened, reference, unread, masks or "")
            scene.encoding[VALID_WHERE] = valid.honoured
            return scene

    def _check_stated(self, file: FileVariables) -> None:
        """Refuse options that give wavelengths or units for variables that the file lacks."""
        for what, stated, there in (
            ("wavelengths", set(self._options.wavelengths), file.on_scene),
            ("units", set(self._options.units), file.all),
        ):
            unknown = sorted(stated - set(there))
            if unknown:
                raise SceneError(
                    f"{what} are stated for {', '.join(unknown)}, but the variables are "
                    f"{listed(there)}. Correct reader.options.{what}."
                )

    def _valid_pixels(self, file: FileVariables) -> ValidPixels:
        def interpolated(name: str) -> LazyArray | None:
            ties = file.all.get(name)
            is_on_ties = ties is not None and "subsampling_x" in ties.attrs
            return _from_tie_points(name, ties, file) if ties is not None and is_on_ties else None

        ignored = self._options.valid_pixel_expression == "ignore"
        return ValidPixels(file, ignored, interpolated)

    def _preset_of(self, path: Path) -> tuple[str, str]:
        """Return the preset, and the ending that a collocation adds to the names of variables."""
        fits = fitting_presets(path)
        if self._options.preset:
            chosen = [suffix for name, suffix in fits if name == self._options.preset]
            return self._options.preset, chosen[0] if len(chosen) == 1 else ""
        if len(fits) == 1:
            return fits[0]
        names = [name for name, _ in fits]
        endings = [suffix for _, suffix in fits if suffix]
        if len(set(endings)) > 1:
            raise SceneError(
                f"the file is a collocation of several products ({', '.join(endings)}). Choose one "
                "in reader: {format: cf_netcdf, options: {preset: "
                f"{names[0]}, mapping: {{suffix: {endings[0]}}}}}}}."
            )
        found = f"several presets fit ({', '.join(names)})" if names else "no preset fits the file"
        raise ConfigError(
            f"{found}. Give one of {', '.join(presets())} in reader: {{format: cf_netcdf, options: "
            "{preset: ...}}, or describe the file under options.mapping (docs/readers.md)."
        )


def _plain_variables(
    file: FileVariables,
    mapping: FileMapping,
    options: NetcdfOptions,
    valid: ValidPixels,
    unread: LeftOut,
) -> dict[str, xr.DataArray]:
    """Return all 2-D variables, mapped or not; variables on tie points are interpolated."""
    scene_names = _scene_names(file, mapping, options)
    mapped = mapping.plain_variables(file.all).values()
    left_out = {each.variable for each in mapped} - set(scene_names)
    plain = {}
    for name, variable in file.on_scene.items():
        scene_name = scene_names.get(name, name)
        stated = options.units.get(name, variable.attrs.get("units"))
        is_wanted = name in scene_names or _has_known_units(scene_name, stated)
        if name in left_out or not is_wanted or not scene_name.isidentifier():
            continue
        if _is_plain(name, variable, mapping):
            with leaving_out(
                scene_name, unread, unless=scene_name in options.mapping.get("plain", {})
            ):
                values = valid.layer(name, decode(variable, file.missing(name))).values
                plain[scene_name] = plane(scene_name, values, variable.attrs)
    for name, scene_name in scene_names.items():
        ties = file.all.get(name)
        if scene_name not in plain and ties is not None and "subsampling_x" in ties.attrs:
            values = _from_tie_points(scene_name, ties, file)
            plain[scene_name] = plane(scene_name, values, ties.attrs)
    return {**_relative_azimuth(plain), **plain}


def _relative_azimuth(plain: Mapping[str, xr.DataArray]) -> dict[str, xr.DataArray]:
    """Return ``relative_azimuth`` if the file has the azimuths of sensor and sun."""
    found = [lazy_array_of(plain[name]) for name in AZIMUTHS if name in plain]
    azimuths = [possible("relative_azimuth", values) for values in found if values is not None]
    if len(azimuths) < len(AZIMUTHS):
        return {}
    return {"relative_azimuth": plane("relative_azimuth", relative_azimuth(*azimuths), {})}


def _scene_names(
    file: FileVariables, mapping: FileMapping, options: NetcdfOptions
) -> dict[str, str]:
    """Return the mapping's ``plain_variables`` that are usable: name in the file -> in the scene.

    Wrong units are an error if the user's own mapping contains the variable. If only a preset
    contains the variable, it is left out with a warning.
    """
    names = {}
    for scene_name, mapped in mapping.plain_variables(file.all).items():
        name = mapped.variable
        in_file = file.all[name].attrs.get("units") if name in file.all else None
        stated = in_file if mapped.units is None else mapped.units
        says_nothing = stated is None or not says_units(as_text(stated))
        if scene_name in options.mapping.get("plain", {}) and not says_nothing:
            options.check(scene_name, name, stated)
        if says_nothing or options.is_usable(scene_name, name, stated):
            names[name] = scene_name
    return names


def _is_plain(name: str, variable: Stored, mapping: FileMapping) -> bool:
    """Whether a variable is 2-D, and is neither a band nor flags nor geolocation."""
    is_band = any(re.fullmatch(entry.variables, name) for entry in mapping.spectral)
    is_flags = "flag_meanings" in variable.attrs or (
        mapping.flags is not None and name == mapping.flags.variable
    )
    is_place = name in (mapping.latitude, mapping.longitude)
    return variable.ndim == 2 and not (is_band or is_flags or is_place)


def _has_known_units(scene_name: str, stated: Any) -> bool:
    """Whether an unmapped variable has the units that its name implies."""
    known = quantities().get(scene_name)
    if known is None:
        return True
    text = "" if stated is None else as_text(stated)
    # The products in the file have the names of outputs; only angles and humidity are inputs.
    return known.units in ("degree", "percent") and factor_between(text, known.units) == 1.0


def _from_tie_points(name: str, ties: xr.Variable, file: FileVariables) -> LazyArray:
    """Interpolate a tie-point grid of SNAP, which has a point every ``subsampling`` pixels."""
    interval, offset = (
        (float(ties.attrs[f"{what}_y"]), float(ties.attrs[f"{what}_x"]))
        for what in ("subsampling", "offset")
    )
    points = TiePoints.regular(ties.shape, interval, file.shape, offset)
    return points.everywhere(name, decode(chunked(ties)).values)


def _geolocation(
    file: FileVariables, mapping: FileMapping, options: UnitOptions
) -> dict[str, xr.DataArray]:
    layers = {}
    for name, its, variable in (
        ("latitude", mapping.latitude, file.latitude),
        ("longitude", mapping.longitude, file.longitude),
    ):
        options.check(name, its, variable.attrs.get("units"))
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
    """Return the configured masks in the flag variable's type; a mask may be the sign bit."""
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
