"""Colours and legend of class maps."""

import numpy as np
import pytest
import xarray as xr
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from pipeline.writers.class_legend import (
    COLOURS,
    class_colours,
    draw_class_legend,
    is_class_map,
)
from pipeline.writers.quicklook import CLOUD, LAND, NOT_COMPUTED, OTHER_MASK, _draw

NAMES = ("clear", "turbid", "phytoplankton", "cdom")


def class_map(names=NAMES, fill=0.0):
    """64 pixels: 32 of the first class, 16 of the second, 1 of the third, the others of none."""
    values = np.full(64, fill)
    values[:32], values[32:48], values[48] = 1, 2, 3
    attributes = {
        "flag_values": np.arange(1, len(names) + 1, dtype=np.uint8),
        "flag_meanings": " ".join(names),
        "long_name": "most probable class: water_type",
        "ancillary_variables": "x_flags",
    }
    return xr.DataArray(values.reshape(8, 8), dims=("y", "x"), attrs=attributes)


def test_each_class_has_its_colour():
    """That of its place, whatever values are there."""
    chosen = class_colours(class_map())
    for place in range(4):
        drawn = chosen["cmap"](chosen["norm"](place + 1))
        assert drawn[:3] == pytest.approx(to_rgb(COLOURS[place]))
    assert is_class_map(class_map())
    assert not is_class_map(xr.DataArray([1.0]))


@pytest.mark.parametrize("count", [2, 7, 8, 30])
def test_colours_differ(count):
    """From each other, for any number of classes."""
    names = tuple(f"type_{i}" for i in range(count))
    chosen = class_colours(class_map(names))
    drawn = {tuple(np.round(chosen["cmap"](chosen["norm"](i + 1)), 3)) for i in range(count)}
    assert len(drawn) == count


def test_no_class_looks_like_land_or_cloud():
    """The colours of classes are far from those of what lies below."""
    for layer in (LAND, CLOUD, OTHER_MASK, NOT_COMPUTED):
        for colour in COLOURS:
            distance = np.linalg.norm(np.subtract(to_rgb(layer.colour), to_rgb(colour)))
            assert distance > 0.3, (layer.label, colour)


def test_the_legend_names_classes_with_their_shares():
    """Of the classified pixels; a rare class is not said to be none."""
    panel = Figure().subplots()
    draw_class_legend(panel, class_map(fill=np.nan), "types")
    legend = panel.get_legend()
    texts = [text.get_text() for text in legend.get_texts()]
    assert texts == ["clear 65 %", "turbid 33 %", "phytoplankton 2 %", "cdom 0 %"]
    assert legend.get_title().get_text() == "types"


def test_titles_and_legends_keep_apart():
    """In a picture of a class map and its probability, nothing is drawn over anything else."""
    lines, pixels = np.mgrid[0:8, 0:8]
    flags = xr.DataArray(
        np.zeros((8, 8), np.uint32), dims=("y", "x"),
        attrs={"flag_masks": np.array([1], np.uint32), "flag_meanings": "no_data"},
    )  # fmt: skip
    probability = xr.DataArray(
        np.linspace(0.3, 1, 64).reshape(8, 8), dims=("y", "x"),
        attrs={"long_name": "probability", "units": "1", "ancillary_variables": "x_flags"},
    )  # fmt: skip
    data = xr.Dataset(
        {
            "water_type": class_map(fill=np.nan),
            "water_type_probability": probability,
            "quality_flags": flags,
            "latitude": (("y", "x"), 30.0 + lines),
            "longitude": (("y", "x"), -70.0 + pixels),
        },
        attrs={"title": "Water types", "product_name": "a.nc"},
    )
    figure = _draw(data, ("water_type", "water_type_probability"))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    above = figure._suptitle.get_window_extent(renderer)
    panels = [axes for axes in figure.axes if axes.get_title()]
    assert len(panels) == 2
    for panel in panels:
        assert panel.title.get_window_extent(renderer).y1 < above.y0
    legend = panels[0].get_legend().get_window_extent(renderer)
    assert legend.y1 < panels[0].xaxis.label.get_window_extent(renderer).y0
    below = figure.legends[0].get_window_extent(renderer)
    assert below.y1 < legend.y0
    assert legend.x1 < panels[1].get_window_extent(renderer).x0
