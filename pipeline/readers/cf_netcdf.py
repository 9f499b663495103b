"""Any netCDF (or plain HDF5) file, by a mapping that says what its variables are.

Shipped mappings: ACOLITE, SNAP/C2RCC, POLYMER, PACE and OC-CCI Level-3 mapped
(``configs/formats/netcdf``). Lines and pixels are the dimensions of latitude and longitude, which
may be 1-D (a map) or 2-D (a swath); dimensions of size one are dropped.
"""

import datetime
import json
import math
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from pydantic import ValidationError

from pipeline.config import complaints_of
from pipeline.errors import ConfigError, SceneError
from pipeline.facts.quantities import quantities
from pipeline.facts.sensors import identify_sensor, sensors
from pipeline.readers.container import is_hdf5, is_netcdf3
from pipeline.readers.mapping import (
    CONVERSIONS,
    PLAIN_UNITS,
    UNITS,
    FileMapping,
    Flags,
    NetcdfOptions,
    SpectralVariables,
    Time,
    presets,
)
from pipeline.readers.netcdf_layout import Layout, named, some, without_single
from pipeline.readers.recognition import as_text, fitting_presets
from pipeline.readers.stored import (
    Layer,
    Stored,
    chunked,
    closing,
    cube,
    decode,
    decoded,
    decoder_of,
    open_undecoded,
    opening,
    plane,
    source_flags,
    spectrum,
)
from pipeline.readers.tie_points import Kind, TiePoints
from pipeline.scene.lazy import Made, Source
from pipeline.scene.scene import (
    GEOLOCATION,
    SOURCE_FLAGS,
    SPATIAL_REF,
    geographic_reference,
    is_projected,
)


class CfNetcdf:
    """Reads netCDF files by a mapping."""

    Options = NetcdfOptions

    def __init__(self, options: NetcdfOptions) -> None:
        self._options = options

    def recognises(self, path: Path) -> bool:
        """Whether it is netCDF or HDF5 and, unless a mapping is given, a preset's file."""
        if path.is_dir() or not (is_hdf5(path) or is_netcdf3(path)):
            return False
        return bool(self._options.mapping or self._options.preset or fitting_presets(path))

    def open(self, path: Path) -> xr.Dataset:
        """The scene, chunked as the file is stored.

        Raises:
            SceneError: a variable that the mapping names is missing, or its units are unknown.
            ConfigError: no mapping is given and several presets fit.
        """
        named = None if self._options.mapping else _preset_of(path, self)
        try:
            mapping = self._options.resolved(named)
        except ValidationError as error:
            complaints = "; ".join(complaints_of(error, FileMapping))
            raise ConfigError(f"reader.options.mapping: {complaints}") from None
        engine = "h5netcdf" if is_hdf5(path) else "netcdf4"
        with opening() as opened:
            groups: tuple[str | None, ...] = (None, *mapping.groups)
            for group in groups:
                opened.append(open_undecoded(path, group, engine))
            file = Layout.of(dict(zip(groups, opened, strict=True)), mapping)
            self._check_wavelengths(file)
            scene = xr.Dataset(
                {
                    **_bands(file, mapping),
                    **_plain_variables(file, mapping),
                    **_geolocation(file),
                    **_flags(file, mapping.flags),
                },
                coords=_reference(file),
                attrs=_attributes(opened[0].attrs, mapping)
                | {"mapping": json.dumps(mapping.model_dump(mode="json"), sort_keys=True)},
            )
            return closing(scene.set_coords(list(GEOLOCATION)), opened)

    def _check_wavelengths(self, file: Layout) -> None:
        """Refuse wavelengths that are stated for variables that the file does not have."""
        unknown = sorted(set(self._options.wavelengths) - set(file.on_scene))
        if unknown:
            raise SceneError(
                f"wavelengths are stated for {', '.join(unknown)}, but the variables are "
                f"{some(file.on_scene)}. Correct reader.options.wavelengths."
            )

    @property
    def preset(self) -> str | None:
        """The preset that the options name."""
        return self._options.preset


def _preset_of(path: Path, reader: CfNetcdf) -> str:
    if reader.preset:
        return reader.preset
    names = fitting_presets(path)
    if len(names) == 1:
        return names[0]
    found = f"several presets fit ({', '.join(names)})" if names else "no preset fits the file"
    raise ConfigError(
        f"{found}. Name one of {', '.join(presets())} in reader: {{format: cf_netcdf, options: "
        "{preset: ...}}, or describe the file under options.mapping (docs/readers.md)."
    )


def _bands(file: Layout, mapping: FileMapping) -> dict[str, xr.DataArray]:
    bands: dict[str, xr.DataArray] = {}
    for entry in mapping.spectral:
        found = {
            name: match
            for name in file.on_scene
            if (match := re.fullmatch(entry.variables, name)) is not None
        }
        if not found:
            continue
        if entry.quantity in bands:
            raise ConfigError(
                f"reader.options.mapping gives {entry.quantity} twice; leave one out."
            )
        bands |= _quantity(file, mapping, entry, found)
    if not bands:
        wanted = " or ".join(entry.variables for entry in mapping.spectral)
        raise SceneError(
            f"no variable called {wanted} on the lines and pixels of {mapping.latitude}; there are "
            f"{some(file.on_scene)}. Correct reader.options, or choose another product."
        )
    return bands


def _quantity(
    file: Layout, mapping: FileMapping, entry: SpectralVariables, found: Mapping[str, re.Match[str]]
) -> dict[str, xr.DataArray]:
    converted = {} if entry.stored_as is None else {"converted_from": entry.stored_as}
    layers = {name: _layer(name, file.on_scene[name], mapping, entry) for name in found}
    cubes = [name for name in found if file.on_scene[name].ndim == 3]
    if not cubes:
        centres = [_wavelength(name, found[name], file.on_scene[name], entry) for name in found]
        return spectrum(entry.quantity, centres, list(layers.values()), **converted)
    if len(found) > 1:
        raise SceneError(
            f"{', '.join(found)} all match {entry.variables!r}, and {cubes[0]} is 3-D by itself. "
            "Make reader.options.mapping.spectral.variables match one of them."
        )
    (name,) = cubes
    centres = _wavelengths_of_cube(file, name, entry)
    return cube(entry.quantity, centres, layers[name], **converted)


def _layer(name: str, variable: Stored, mapping: FileMapping, entry: SpectralVariables) -> Layer:
    stored_as = entry.stored_as or entry.quantity
    _check_units(name, variable, entry, stored_as)
    attributes = dict(variable.attrs)
    if mapping.valid_range is not None:
        attributes |= {"valid_range": mapping.valid_range}
        attributes.pop("valid_min", None)
        attributes.pop("valid_max", None)
    decoder = decoder_of(variable, attributes)
    factor = CONVERSIONS.get((stored_as, entry.quantity), 1.0)
    decoder = replace(decoder, factor=factor, fills=(*decoder.fills, *mapping.missing))
    return decoded(variable, decoder)


def _check_units(name: str, variable: Stored, entry: SpectralVariables, stored_as: str) -> None:
    """Refuse what is not known to be in the units of what it is said to be."""
    said = entry.units if entry.units is not None else variable.attrs.get("units")
    expected = quantities()[stored_as].units
    if said is not None and UNITS.get(as_text(said).strip().lower()) == expected:
        return
    found = "no units" if said in (None, "") else f"units {as_text(said)!r}"
    raise SceneError(
        f"{name} has {found}, expected {expected!r} for {stored_as}. Say in reader.options.mapping "
        f"under spectral what it is: units: {expected} if it is {stored_as} and the file says it "
        "wrong or not at all; stored_as: rho_w with units: '1' if it is water-leaving reflectance, "
        "which becomes Rrs by 1/pi."
    )


def _wavelength(
    name: str, match: re.Match[str], variable: Stored, entry: SpectralVariables
) -> float:
    stated: Any = entry.wavelengths.get(name)
    if stated is None and entry.wavelength_attribute is not None:
        stated = variable.attrs.get(entry.wavelength_attribute)
    elif stated is None and match.re.groups:
        stated = match.group(1)
    try:
        wavelength = float(np.ravel(stated)[0])
    except (TypeError, ValueError):
        wavelength = math.nan
    if not wavelength > 0:
        raise SceneError(
            f"the wavelength of {name} is unknown. State it: reader.options.wavelengths: "
            f"{{{name}: ...}}, or give mapping.spectral a pattern with a group, "
            "wavelength_attribute or wavelength_variable."
        )
    return wavelength


def _wavelengths_of_cube(file: Layout, name: str, entry: SpectralVariables) -> list[float]:
    bands = file.on_scene[name].shape[0]
    if entry.wavelength_variable is None:
        raise SceneError(
            f"{name} is 3-D; say which variable holds its wavelengths "
            "(mapping.spectral.wavelength_variable)."
        )
    variable = named(file.others, entry.wavelength_variable, "wavelengths")
    if variable.shape != (bands,):
        raise SceneError(
            f"{entry.wavelength_variable} has shape {variable.shape}, but {name} has {bands} "
            "bands. Name another variable as mapping.spectral.wavelength_variable."
        )
    centres = [float(nm) for nm in variable.values]
    if not all(nm > 0 for nm in centres):
        raise SceneError(
            f"{entry.wavelength_variable} holds wavelengths that are not positive: "
            f"{', '.join(f'{nm:g}' for nm in centres if not nm > 0)}. Name another variable as "
            "mapping.spectral.wavelength_variable."
        )
    return centres


def _plain_variables(file: Layout, mapping: FileMapping) -> dict[str, xr.DataArray]:
    """Those the mapping names, on tie points if need be, and all others by their own names."""
    plain = {}
    named = {variable: name for name, variable in mapping.plain.items()}
    for scene_name, name in mapping.plain.items():
        if name in file.others:
            _check_plain_units(scene_name, name, file.others[name])
    for name, variable in file.on_scene.items():
        is_band = any(re.fullmatch(entry.variables, name) for entry in mapping.spectral)
        is_flags = "flag_meanings" in variable.attrs or (
            mapping.flags and name == mapping.flags.variable
        )
        is_place = name in (mapping.latitude, mapping.longitude)
        scene_name = named.get(name, name)
        if (
            variable.ndim == 2
            and not (is_band or is_flags or is_place)
            and scene_name.isidentifier()
            and (name in named or _is_known_as(scene_name, variable))
        ):
            plain[scene_name] = plane(scene_name, decode(variable).values, variable.attrs)
    for scene_name, name in mapping.plain.items():
        ties = file.others.get(name)
        if scene_name not in plain and ties is not None and "subsampling_x" in ties.attrs:
            kind: Kind = "angle" if scene_name == "relative_azimuth" else "plain"
            plain[scene_name] = plane(scene_name, _from_tie_points(ties, file, kind), ties.attrs)
    return plain


def _is_known_as(scene_name: str, variable: Stored) -> bool:
    """Whether a variable that nobody mapped may have its name: not in other or unknown units."""
    known = quantities().get(scene_name)
    said = as_text(variable.attrs.get("units", "")).strip().lower()
    return known is None or PLAIN_UNITS.get(said) == known.units


def _check_plain_units(scene_name: str, name: str, variable: xr.Variable) -> None:
    """Refuse a variable whose file says it is in other units than the scene's quantity."""
    known = quantities().get(scene_name)
    said = as_text(variable.attrs.get("units", "")).strip().lower()
    if known is None or not said or PLAIN_UNITS.get(said) == known.units:
        return
    raise SceneError(
        f"{name} has units {said!r}, expected {known.units!r} for {scene_name}. Leave it out of "
        "reader.options.mapping.plain."
    )


def _from_tie_points(ties: xr.Variable, file: Layout, kind: Kind) -> Source:
    """SNAP's tie-point grids: every ``subsampling`` pixels from ``offset`` on."""
    interval, offset = (
        (float(ties.attrs[f"{what}_y"]), float(ties.attrs[f"{what}_x"]))
        for what in ("subsampling", "offset")
    )
    points = TiePoints.regular((ties.shape[0], ties.shape[1]), interval, file.shape, offset)
    return points.everywhere(decode(chunked(ties)).values, kind)


def _geolocation(file: Layout) -> dict[str, xr.DataArray]:
    layers = {}
    for axis, (name, stored) in enumerate(
        zip(GEOLOCATION, (file.latitude, file.longitude), strict=True)
    ):
        variable = without_single(stored)
        if variable.ndim == 1:
            values: Source = _along(chunked(stored), axis, file.shape)
        else:
            values = decode(chunked(stored).on(*map(str, variable.dims))).values
        layers[name] = plane(name, values, {})
    return layers


def _along(stored: Stored, axis: int, shape: tuple[int, int]) -> Source:
    """Latitude or longitude of a map, the same on every pixel or line, from a 1-D variable."""
    values = decoder_of(stored, stored.attrs).values(stored.values.reshape(-1))

    def everywhere(lines: slice, pixels: slice) -> np.ndarray[Any, Any]:
        part = values[lines, np.newaxis] if axis == 0 else values[np.newaxis, pixels]
        counts = (lines.stop - lines.start, pixels.stop - pixels.start)
        return np.array(np.broadcast_to(part, counts))

    return Made(everywhere, shape, np.dtype(np.float32))


def _reference(file: Layout) -> dict[str, xr.DataArray]:
    """Coordinates of lines and pixels and their reference system, where the file is a map."""
    latitude, longitude = without_single(file.latitude), without_single(file.longitude)
    if latitude.ndim == 1:
        return geographic_reference(
            np.asarray(latitude.values, np.float64), np.asarray(longitude.values, np.float64)
        )
    named = {
        str(v.attrs["grid_mapping"]) for v in file.on_scene.values() if "grid_mapping" in v.attrs
    }
    if len(named) != 1 or not named <= set(file.others):
        return {}
    grid = file.others[named.pop()]
    axes = [
        xr.DataArray(np.asarray(v.values, np.float64), dims=(dim,), attrs=v.attrs)
        for dim, size in (("y", file.shape[0]), ("x", file.shape[1]))
        for v in file.others.values()
        if v.shape == (size,) and is_projected(v.attrs, dim)
    ]
    if len(axes) != 2:
        return {}
    return {"y": axes[0], "x": axes[1], SPATIAL_REF: xr.DataArray(np.int32(0), attrs=grid.attrs)}


def _flags(file: Layout, flags: Flags | None) -> dict[str, xr.DataArray]:
    if flags is None:
        return {}
    if flags.variable not in file.on_scene:
        raise SceneError(
            f"no variable {flags.variable!r} for flags on lines and pixels; there are "
            f"{some(file.on_scene)}. Correct reader.options.mapping.flags, or set it to null for "
            "a scene without flags."
        )
    variable = file.on_scene[flags.variable]
    described: dict[str, Any] = {}
    if "flag_masks" not in variable.attrs or "flag_meanings" not in variable.attrs:
        if not flags.masks:
            raise SceneError(
                f"{flags.variable} has no flag_masks and flag_meanings. State its bits: "
                "reader.options.mapping.flags.masks: {NAME: 1, ...}."
            )
        described = {
            "flag_masks": _masks(flags, variable.dtype),
            "flag_meanings": " ".join(flags.masks),
        }
    return {SOURCE_FLAGS: source_flags(variable, flags.variable.rpartition("/")[2], **described)}


def _masks(flags: Flags, dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """The stated masks in the stored type, whose sign bit is a bit like others."""
    if dtype.kind not in "iu":
        raise SceneError(f"{flags.variable} is {dtype}, expected integers for flags.")
    bits = 8 * dtype.itemsize
    too_large = [name for name, mask in flags.masks.items() if mask >= 1 << bits]
    if too_large:
        raise SceneError(
            f"the masks of {', '.join(too_large)} have more bits than {flags.variable}, which is "
            f"{dtype}. Correct reader.options.mapping.flags.masks."
        )
    return np.array(list(flags.masks.values()), dtype=f"u{dtype.itemsize}").view(dtype)


def _attributes(root: Mapping[Any, Any], mapping: FileMapping) -> dict[str, Any]:
    attributes = {str(name): value for name, value in root.items()}
    for name in ("time_coverage_start", "time_coverage_end"):
        time: Time | None = getattr(mapping, name)
        if time is not None and time.attribute in attributes:
            attributes[name] = _iso(as_text(attributes[time.attribute]), time.format)
    return {
        **attributes,
        "sensor": _sensor(attributes, mapping),
        "brdf_correction": mapping.brdf_correction,
    }


def _sensor(attributes: Mapping[str, Any], mapping: FileMapping) -> str:
    if mapping.sensor is not None:
        said = as_text(attributes.get(mapping.sensor.attribute, ""))
        name = mapping.sensor.names.get(said, said)
        if name in sensors():
            return name
    platform, instrument = (as_text(attributes.get(n, "")) for n in ("platform", "instrument"))
    return identify_sensor(platform, instrument)


def _iso(text: str, pattern: str | None) -> str:
    """A time as ISO 8601; one of another spelling as it is."""
    try:
        parsed = (
            datetime.datetime.strptime(text, pattern)
            if pattern
            else datetime.datetime.fromisoformat(text)
        )
    except ValueError:
        return text
    aware = parsed if parsed.tzinfo else parsed.replace(tzinfo=datetime.UTC)
    utc = aware.astimezone(datetime.UTC)
    return utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")
