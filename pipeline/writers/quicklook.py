"""A picture of a product: one map per variable, logarithmic colours, a colour for each mask."""

import math
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from pipeline.errors import DAMAGE, SceneError, WriteError
from pipeline.scene.scene import GEOLOCATION
from pipeline.writers.class_legend import class_colours, draw_class_legend, is_class_map

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

REFERENCE_NM = 443.0
# More pixels than this along one side do not show in a picture.
MOST_PIXELS = 1200
MOST_COLUMNS = 3


@dataclass(frozen=True)
class Layer:
    """Pixels without a value, drawn in one colour below the values."""

    label: str
    colour: str
    mask_names: tuple[str, ...] = ()
    """Parts of the names of mask bits that put a pixel into this layer."""


# Later layers cover earlier ones. Told apart in grey, too: land is darker than any water.
NOT_COMPUTED = Layer("not computed", "#f1ece4")
OTHER_MASK = Layer("masked by another rule", "#d3b8c6")
CLOUD = Layer("cloud or ice", "#b5bdc4", ("CLD", "CLOUD"))
LAND = Layer("land", "#4a3f35", ("LAND",))


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
    if not product.is_file():
        raise SceneError(f"{product}: no such file. Check the path.")
    try:
        opened = xr.open_dataset(product, engine="h5netcdf")
    except DAMAGE as error:
        raise SceneError(
            f"{product.name}: cannot be read ({error}). Give a product that ocpipe run wrote."
        ) from error
    with opened as data:
        if "quality_flags" not in data:
            raise SceneError(
                f"{product.name} is not a product of ocpipe. Make one with ocpipe run."
            )
        drawable = _drawable(data)
        unknown = [name for name in variables if name not in drawable]
        if unknown or not drawable:
            raise SceneError(
                f"{product.name}: no variable {', '.join(unknown) or 'to draw'}; it has "
                f"{', '.join(drawable) or 'none'}. Give the names with --variables."
            )
        names = variables or _default_variables(data, drawable)
        try:
            loaded = _thinned(data)[[*names, "quality_flags", *GEOLOCATION]].load()
        except DAMAGE as error:
            raise SceneError(
                f"{product.name}: cannot be read ({error}). The file is damaged; make it again."
            ) from error
        figure = _draw(loaded, names)
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


def _thinned(data: xr.Dataset) -> xr.Dataset:
    stride = max(1, math.ceil(max(data.sizes["y"], data.sizes["x"]) / MOST_PIXELS))
    return data.isel(y=slice(None, None, stride), x=slice(None, None, stride))


def _draw(data: xr.Dataset, names: tuple[str, ...]) -> "Figure":
    from matplotlib.figure import Figure

    columns = min(len(names), MOST_COLUMNS)
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(4.6 * columns + 0.4, 5.4 * rows + 0.7), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).reshape(-1)
    for panel, name in zip(panels, names, strict=False):
        _draw_panel(figure, panel, data, name)
    for empty in panels[len(names) :]:
        empty.set_axis_off()
    drawn = [layer for layer, where in _layers(data) if where.any()]
    _draw_legend(figure, drawn)
    figure.suptitle(_title(data), fontsize=10)
    # Maps change their width to keep their aspect, and the layout is right only after that.
    figure.draw_without_rendering()
    return figure


def _draw_legend(figure: "Figure", layers: list[Layer]) -> None:
    from matplotlib.patches import Patch

    patches = [
        Patch(facecolor=layer.colour, edgecolor="0.4", linewidth=0.5, label=layer.label)
        for layer in layers
    ]
    if patches:
        figure.legend(
            handles=patches,
            loc="outside lower center",
            ncols=len(patches),
            frameon=False,
            fontsize=8,
        )


def _title(data: xr.Dataset) -> str:
    start = str(data.attrs.get("time_coverage_start", ""))[:16].replace("T", " ")
    sensor = f"{data.attrs.get('instrument', '')} {data.attrs.get('platform', '')} {start}".strip()
    return f"{data.attrs.get('title', '')}\n{data.attrs.get('product_name', '')}   {sensor}"


def _draw_panel(figure: "Figure", panel: "Axes", data: xr.Dataset, name: str) -> None:
    has_place = bool(np.isfinite(data["latitude"]).any() and np.isfinite(data["longitude"]).any())
    longitude, latitude = _mesh(data) if has_place else _lines_and_pixels(data)
    for layer, where in _layers(data):
        area = np.ma.masked_where(~where, np.ones(where.shape))
        panel.pcolormesh(longitude, latitude, area, cmap=_one_colour(layer.colour), rasterized=True)
    variable = data[name]
    values = np.ma.masked_invalid(variable.values)
    as_classes = is_class_map(variable)
    colours = class_colours(variable) if as_classes else {"cmap": "viridis", "norm": _norm(values)}
    mesh = panel.pcolormesh(longitude, latitude, values, rasterized=True, **colours)
    units = f" ({variable.attrs['units']})" if "units" in variable.attrs else ""
    label = "\n".join(textwrap.wrap(f"{variable.attrs.get('long_name', name)}{units}", 62))
    if as_classes:
        draw_class_legend(panel, variable, label)
    else:
        _draw_colour_bar(figure, panel, mesh, label)
    panel.set_title(name, fontsize=11)
    panel.set_xlabel("longitude (degrees east)" if has_place else "pixel")
    if panel.get_subplotspec().is_first_col():  # type: ignore[union-attr]
        panel.set_ylabel("latitude (degrees north)" if has_place else "line")
    middle = float(np.mean(latitude)) if has_place else 0.0
    panel.set_aspect(1 / max(0.05, math.cos(math.radians(middle))))


def _draw_colour_bar(figure: "Figure", panel: "Axes", mesh: Any, label: str) -> None:
    bar = figure.colorbar(
        mesh, ax=panel, orientation="horizontal", shrink=0.9, aspect=32, extend="both"
    )
    bar.set_label(label, fontsize=8)
    bar.ax.tick_params(labelsize=8)
    _plain_ticks(bar)


def _plain_ticks(bar: Any) -> None:
    """0.05, 0.1, 0.2 instead of powers of ten, which overlap over less than a decade."""
    from matplotlib.ticker import FormatStrFormatter, LogLocator, NullLocator

    if bar.ax.get_xscale() == "log":
        bar.ax.xaxis.set_major_locator(LogLocator(subs=_subdivisions(*bar.ax.get_xlim())))
        bar.ax.xaxis.set_major_formatter(FormatStrFormatter("%g"))
        bar.ax.xaxis.set_minor_locator(NullLocator())


def _subdivisions(low: float, high: float) -> tuple[float, ...]:
    """As many labels per decade as have room beside each other."""
    decades = math.log10(high / low)
    return (1.0, 2.0, 5.0) if decades < 1.7 else (1.0, 3.0) if decades < 2.7 else (1.0,)


def _mesh(data: xr.Dataset) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Corners of the pixels in longitude and latitude, without a jump at the antimeridian."""
    longitude = np.asarray(data["longitude"].values, dtype=np.float64)
    latitude = np.asarray(data["latitude"].values, dtype=np.float64)
    if np.nanmax(longitude) - np.nanmin(longitude) > 180:
        longitude = np.where(longitude < 0, longitude + 360, longitude)
    return _corners(_filled(longitude)), _corners(_filled(latitude))


def _lines_and_pixels(data: xr.Dataset) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Where a product has no geolocation at all: corners by pixel and line."""
    line, pixel = np.mgrid[0 : data.sizes["y"] + 1, 0 : data.sizes["x"] + 1]
    return pixel, line


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


def _layers(data: xr.Dataset) -> list[tuple[Layer, npt.NDArray[np.bool_]]]:
    """What lies below the values, from the bottom up, each with its pixels (y, x)."""
    flags = data["quality_flags"]
    names = str(flags.attrs["flag_meanings"]).split()
    bits = dict.fromkeys((OTHER_MASK, CLOUD, LAND), np.uint32(0))
    for name, mask in zip(names, np.atleast_1d(flags.attrs["flag_masks"]), strict=True):
        if name.startswith("masked_"):
            bits[_layer_of(name)] |= np.uint32(mask)
    everywhere = np.ones(flags.shape, dtype=bool)
    masked = [(layer, (flags.values & bit) != 0) for layer, bit in bits.items()]
    return [(NOT_COMPUTED, everywhere), *masked]


def _layer_of(mask_name: str) -> Layer:
    for layer in (LAND, CLOUD):
        if any(part in mask_name for part in layer.mask_names):
            return layer
    return OTHER_MASK


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
