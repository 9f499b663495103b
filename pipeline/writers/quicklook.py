"""A picture of a product: one map per variable, logarithmic colours, masked pixels in grey."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from pipeline.errors import SceneError, WriteError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

REFERENCE_NM = 443.0
# More pixels than this along one side do not show in a picture.
MOST_PIXELS = 1200
# Masked pixels, by what the name of their bit contains; everything else missing stays white.
COLOURS = {"LAND": "#b9ab8f", "CLD": "#d9dde1", "CLOUD": "#d9dde1"}


def draw_quicklook(product: Path, picture: Path, variables: tuple[str, ...] = ()) -> Path:
    """Draw variables of a product on its longitude and latitude.

    Args:
        product: a file this program wrote.
        picture: the PNG to write.
        variables: their names; of each quantity the one nearest 443 nm where none are given.

    Returns:
        The path of the picture.

    Raises:
        SceneError: the product cannot be read or has no such variable.
        WriteError: the picture cannot be written.
    """
    if picture.suffix.lower() != ".png":
        raise WriteError(f"{picture.name}: pictures are written as PNG. End the name in .png.")
    try:
        opened = xr.open_dataset(product, engine="h5netcdf")
    except (OSError, ValueError) as error:
        raise SceneError(f"{product}: cannot be read as a product: {error}") from error
    with opened as data:
        drawable = _drawable(data)
        unknown = [name for name in variables if name not in drawable]
        if unknown or not drawable:
            raise SceneError(
                f"{product.name}: no variable {', '.join(unknown) or 'to draw'}; it has "
                f"{', '.join(drawable) or 'none'}. Give the names with --variables."
            )
        try:
            figure = _draw(data, variables or _default_variables(data, drawable))
        except OSError as error:
            raise SceneError(
                f"{product.name}: cannot be read ({error}). The file is damaged; make it again."
            ) from error
    try:
        figure.savefig(picture, format="png", dpi=130, metadata={"Software": None})
    except OSError as error:
        picture.unlink(missing_ok=True)
        raise WriteError(f"{picture}: cannot be written: {error.strerror}.") from error
    return picture


def _drawable(data: xr.Dataset) -> list[str]:
    return [
        str(name)
        for name, variable in data.variables.items()
        if variable.dims == ("y", "x") and "ancillary_variables" in variable.attrs
    ]


def _default_variables(data: xr.Dataset, drawable: list[str]) -> tuple[str, ...]:
    best: dict[str, str] = {}
    for name in drawable:
        quantity = name.rpartition("_")[0] or name
        if quantity not in best or _distance(data[name]) < _distance(data[best[quantity]]):
            best[quantity] = name
    return tuple(best.values())[:4]


def _distance(variable: xr.DataArray) -> float:
    return abs(float(variable.attrs.get("radiation_wavelength", math.inf)) - REFERENCE_NM)


def _draw(data: xr.Dataset, names: tuple[str, ...]) -> "Figure":
    from matplotlib.figure import Figure

    stride = max(1, math.ceil(max(data.sizes["y"], data.sizes["x"]) / MOST_PIXELS))
    data = data.isel(y=slice(None, None, stride), x=slice(None, None, stride))
    figure = Figure(figsize=(5.2 * len(names) + 0.4, 5.6), layout="constrained")
    panels = figure.subplots(1, len(names), squeeze=False, sharey=True)[0]
    for panel, name in zip(panels, names, strict=True):
        _draw_panel(figure, panel, data, name)
    panels[0].set_ylabel("latitude (degrees north)")
    figure.suptitle(_title(data), fontsize=10)
    return figure


def _title(data: xr.Dataset) -> str:
    product = data.attrs.get("product_name", "")
    start = str(data.attrs.get("time_coverage_start", ""))[:16].replace("T", " ")
    return f"{product}\n{data.attrs.get('instrument', '')} {data.attrs.get('platform', '')} {start}"


def _draw_panel(figure: "Figure", panel: "Axes", data: xr.Dataset, name: str) -> None:
    longitude, latitude = _mesh(data)
    for colour, where in _masked(data):
        layer = np.ma.masked_where(~where, np.ones(where.shape))
        panel.pcolormesh(longitude, latitude, layer, cmap=_one_colour(colour), rasterized=True)
    variable = data[name]
    values = np.ma.masked_invalid(variable.values)
    mesh = panel.pcolormesh(
        longitude, latitude, values, cmap="viridis", norm=_norm(values), rasterized=True
    )
    label = f"{variable.attrs.get('long_name', name)} ({variable.attrs.get('units', '1')})"
    bar = figure.colorbar(mesh, ax=panel, orientation="horizontal", shrink=0.9, aspect=32)
    bar.set_label(label, fontsize=8)
    _plain_ticks(bar)
    panel.set_title(name, fontsize=11)
    panel.set_xlabel("longitude (degrees east)")
    middle = float(np.mean(latitude))
    panel.set_aspect(1 / max(0.05, math.cos(math.radians(middle))))


def _plain_ticks(bar: Any) -> None:
    """0.05, 0.1, 0.2 instead of powers of ten, which overlap over less than a decade."""
    from matplotlib.ticker import FormatStrFormatter, LogLocator, NullLocator

    if bar.ax.get_xscale() == "log":
        bar.ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        bar.ax.xaxis.set_major_formatter(FormatStrFormatter("%g"))
        bar.ax.xaxis.set_minor_locator(NullLocator())


def _mesh(data: xr.Dataset) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Corners of the pixels in longitude and latitude, without a jump at the antimeridian."""
    longitude = np.asarray(data["longitude"].values, dtype=np.float64)
    latitude = np.asarray(data["latitude"].values, dtype=np.float64)
    if np.nanmax(longitude) - np.nanmin(longitude) > 180:
        longitude = np.where(longitude < 0, longitude + 360, longitude)
    return _corners(_filled(longitude)), _corners(_filled(latitude))


def _corners(centres: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Corners of the pixels, with one line and one pixel more than their centres."""
    if min(centres.shape) > 1:
        padded = np.pad(centres, 1, mode="reflect", reflect_type="odd")  # continues the slope
    else:
        padded = np.pad(centres, 1, mode="edge")
    corners = padded[:-1, :-1] + padded[:-1, 1:] + padded[1:, :-1] + padded[1:, 1:]
    return np.asarray(corners / 4)


def _filled(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    # pcolormesh takes no NaN in its coordinates.
    return np.where(np.isfinite(values), values, np.nanmean(values))


def _masked(data: xr.Dataset) -> list[tuple[str, npt.NDArray[np.bool_]]]:
    flags = data["quality_flags"]
    names = str(flags.attrs["flag_meanings"]).split()
    masks = np.atleast_1d(flags.attrs["flag_masks"])
    return [
        (colour, (flags.values & mask) != 0)
        for name, mask in zip(names, masks, strict=True)
        for part, colour in COLOURS.items()
        if name.startswith("masked_") and part in name
    ]


def _one_colour(colour: str) -> Any:
    from matplotlib.colors import ListedColormap

    return ListedColormap([colour])


def _norm(values: "np.ma.MaskedArray[Any, Any]") -> Any:
    from matplotlib.colors import LogNorm, Normalize

    valid = values.compressed()
    if valid.size == 0:
        return Normalize(0, 1)
    low, high = np.percentile(valid, [1, 99])
    return (
        LogNorm(low, high) if 0 < low < high else Normalize(float(valid.min()), float(valid.max()))
    )
