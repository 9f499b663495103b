"""A picture of a product: one map per variable, with logarithmic colours and coloured masks."""

import math
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from pipeline.errors import DAMAGE, SceneError, UnavailableError, WriteError
from pipeline.files.access import why_absent, why_unreadable
from pipeline.files.hdf5 import has_hdf5_signature
from pipeline.files.netcdf import open_in_xarray
from pipeline.files.regular import memory_in_words
from pipeline.files.replacing import replacing
from pipeline.machine.printable import plain_texts, printable
from pipeline.scene.scene import GEOLOCATION
from pipeline.writers.class_legend import class_colours, draw_class_legend, is_class_map

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

REFERENCE_NM = 443.0
# More pixels than this along one side are not visible in a picture.
MOST_PIXELS = 1200
MOST_COLUMNS = 3
# Letters of a line of the title, of the text below a map, and of the text above it.
LONGEST_TITLE, LONGEST_LABEL, LONGEST_NAME = 200, 300, 60


@dataclass(frozen=True)
class Background:
    """One reason why pixels have no value, and the colour in which they are drawn."""

    label: str
    colour: str
    mask_names: tuple[str, ...] = ()
    """A mask bit gives this reason if the name of the bit contains one of these texts."""


# Later backgrounds cover earlier ones. They also differ in grey: land is darker than any water.
NOT_COMPUTED = Background("not computed", "#f1ece4")
OTHER_MASK = Background("masked by another rule", "#d3b8c6")
CLOUD = Background("cloud or ice", "#b5bdc4", ("CLD", "CLOUD"))
LAND = Background("land", "#4a3f35", ("LAND",))


def draw_quicklook(product: Path, picture: Path, variables: tuple[str, ...] = ()) -> Path:
    """Draw variables of a product on its longitude and latitude; return the picture's path.

    Args:
        product: a file that this program wrote.
        picture: the PNG file to write.
        variables: names of variables; by default, the names for the first four quantities, at
            the wavelength nearest to 443 nm.

    Raises:
        SceneError: the product cannot be read, or does not have the variables.
        WriteError: the picture cannot be written.
    """
    if picture.suffix.lower() != ".png":
        raise WriteError(f"{picture.name}: pictures are written as PNG. Use the suffix .png.")
    if not product.is_file():
        raise SceneError(f"{product}: {why_absent(product) or 'a folder, expected a product'}.")
    if not has_hdf5_signature(product, SceneError):
        raise SceneError(f"{product.name}: not a product of ocpipe. Give a product of ocpipe run.")
    try:
        with (
            memory_in_words(product.name, SceneError),
            open_in_xarray(product, SceneError, engine="h5netcdf") as data,
        ):
            names = _names_to_draw(product.name, data, variables)
            _check_variables(product.name, data, names)
            loaded = _thinned(data)[[*names, "quality_flags", *GEOLOCATION]].load()
    except DAMAGE as error:
        reason = why_unreadable(error)
        if reason is not None:
            raise UnavailableError(f"{product.name}: cannot be read now: {reason}.") from error
        raise SceneError(
            f"{product.name}: cannot be read ({error}). Give a product of ocpipe run. If the "
            "file is such a product, it is damaged; make the product again."
        ) from error
    figure = _draw(_on_the_globe(loaded), names)
    try:
        with replacing(picture) as partial:
            figure.savefig(partial, format="png", dpi=130, metadata={"Software": None})
    except OSError as error:
        raise WriteError(f"{picture}: cannot be written: {error.strerror}.") from error
    return picture


def _names_to_draw(product: str, data: xr.Dataset, variables: tuple[str, ...]) -> tuple[str, ...]:
    described = ("flag_masks", "flag_meanings")
    flags = data.get("quality_flags")
    if flags is None or any(name not in flags.attrs for name in described):
        raise SceneError(f"{product} is not a product of ocpipe. Make a product with ocpipe run.")
    drawable = _drawable(data)
    unknown = [name for name in variables if name not in drawable]
    if unknown or not drawable:
        raise SceneError(
            f"{product}: no variable {', '.join(unknown) or 'to draw'}; the product has "
            f"{', '.join(drawable) or 'none'}. Give the names with --variables."
        )
    return variables or _default_variables(data, drawable)


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


def _check_variables(product: str, data: xr.Dataset, names: tuple[str, ...]) -> None:
    """Refuse variables that are not numbers, or are not on lines and pixels (of any size)."""
    kinds = dict.fromkeys(names, "iuf") | {"quality_flags": "iu", **dict.fromkeys(GEOLOCATION, "f")}
    for name, expected in kinds.items():
        if name not in data:
            continue
        if data[name].dims != ("y", "x"):
            found = "is not on the lines and pixels of the product"
        elif data[name].dtype.kind not in expected:
            found = f"has the type {data[name].dtype}"
        else:
            continue
        raise SceneError(f"{product}: {name} {found}. It is damaged; make the product again.")


def _on_the_globe(data: xr.Dataset) -> xr.Dataset:
    """Return the product; positions that are not on the globe are missing."""
    limits = zip(GEOLOCATION, (90, 360), strict=True)
    return data.assign({name: data[name].where(abs(data[name]) <= most) for name, most in limits})


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
    drawn = [background for background, where in _backgrounds(data) if where.any()]
    _draw_legend(figure, drawn)
    figure.suptitle(_title(data), fontsize=10)
    plain_texts(figure)
    # Maps change their width to keep their aspect; the layout is right only after a first drawing.
    figure.draw_without_rendering()
    return figure


def _draw_legend(figure: "Figure", backgrounds: list[Background]) -> None:
    from matplotlib.patches import Patch

    patches = [
        Patch(facecolor=background.colour, edgecolor="0.4", linewidth=0.5, label=background.label)
        for background in backgrounds
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
    lines = (f"{data.attrs.get('title', '')}", f"{data.attrs.get('product_name', '')}   {sensor}")
    return "\n".join(_cut(line, LONGEST_TITLE) for line in lines)


def _cut(text: str, most: int) -> str:
    """Return a text on one line of limited length; a picture has no room for more."""
    line = printable(text)
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _draw_panel(figure: "Figure", panel: "Axes", data: xr.Dataset, name: str) -> None:
    has_place = bool(np.isfinite(data["latitude"]).any() and np.isfinite(data["longitude"]).any())
    longitude, latitude = _mesh(data) if has_place else _lines_and_pixels(data)
    for background, where in _backgrounds(data):
        area = np.ma.masked_where(~where, np.ones(where.shape))
        panel.pcolormesh(
            longitude, latitude, area, cmap=_one_colour(background.colour), rasterized=True
        )
    variable = data[name]
    values = np.ma.masked_invalid(variable.values)
    as_classes = is_class_map(variable)
    colours = class_colours(variable) if as_classes else {"cmap": "viridis", "norm": _norm(values)}
    mesh = panel.pcolormesh(longitude, latitude, values, rasterized=True, **colours)
    units = f" ({variable.attrs['units']})" if "units" in variable.attrs else ""
    described = _cut(f"{variable.attrs.get('long_name', name)}{units}", LONGEST_LABEL)
    label = "\n".join(textwrap.wrap(described, 62))
    if as_classes:
        draw_class_legend(panel, variable, label)
    else:
        _draw_colour_bar(figure, panel, mesh, label)
    panel.set_title(_cut(name, LONGEST_NAME), fontsize=11)
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
    """Label ticks as 0.05, 0.1, 0.2, because labels with powers of ten would overlap."""
    from matplotlib.ticker import FormatStrFormatter, LogLocator, NullLocator

    if bar.ax.get_xscale() == "log":
        bar.ax.xaxis.set_major_locator(LogLocator(subs=_subdivisions(*bar.ax.get_xlim())))
        bar.ax.xaxis.set_major_formatter(FormatStrFormatter("%g"))
        bar.ax.xaxis.set_minor_locator(NullLocator())


def _subdivisions(low: float, high: float) -> tuple[float, ...]:
    """Return the leading digits of ticks: 1, 2, 5 for a short range; only 1 for a long range."""
    decades = math.log10(high / low)
    return (1.0, 2.0, 5.0) if decades < 1.7 else (1.0, 3.0) if decades < 2.7 else (1.0,)


def _mesh(data: xr.Dataset) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return the pixel corners in longitude and latitude, without a jump at the antimeridian."""
    longitude = np.asarray(data["longitude"].values, dtype=np.float64)
    latitude = np.asarray(data["latitude"].values, dtype=np.float64)
    if np.nanmax(longitude) - np.nanmin(longitude) > 180:
        longitude = np.where(longitude < 0, longitude + 360, longitude)
    return _corners(_filled(longitude)), _corners(_filled(latitude))


def _lines_and_pixels(data: xr.Dataset) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return the pixel numbers and line numbers of the corners, if there is no geolocation."""
    line, pixel = np.mgrid[0 : data.sizes["y"] + 1, 0 : data.sizes["x"] + 1]
    return pixel, line


def _corners(centres: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the pixel corners; in each direction, there is one corner more than centres."""
    if min(centres.shape) > 1:
        padded = np.pad(centres, 1, mode="reflect", reflect_type="odd")  # continues the slope
    else:
        padded = np.pad(centres, 1, mode="edge")
    corners = padded[:-1, :-1] + padded[:-1, 1:] + padded[1:, :-1] + padded[1:, 1:]
    return np.asarray(corners / 4)


def _filled(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    # pcolormesh refuses NaN in coordinates.
    return np.where(np.isfinite(values), values, np.nanmean(values))


def _backgrounds(data: xr.Dataset) -> list[tuple[Background, npt.NDArray[np.bool_]]]:
    """Return the backgrounds in the order of drawing, each with a mask of shape (y, x)."""
    flags = data["quality_flags"]
    names = str(flags.attrs["flag_meanings"]).split()
    bits = dict.fromkeys((OTHER_MASK, CLOUD, LAND), np.uint32(0))
    for name, mask in zip(names, np.atleast_1d(flags.attrs["flag_masks"]), strict=True):
        if name.startswith("masked_"):
            bits[_background_of(name)] |= np.uint32(mask)
    everywhere = np.ones(flags.shape, dtype=bool)
    masked = [(background, (flags.values & bit) != 0) for background, bit in bits.items()]
    return [(NOT_COMPUTED, everywhere), *masked]


def _background_of(mask_name: str) -> Background:
    for background in (LAND, CLOUD):
        if any(part in mask_name for part in background.mask_names):
            return background
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
