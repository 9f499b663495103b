"""Options that several commands have, and what they may be."""

from pathlib import Path
from typing import Any

import click

LEVELS = ("debug", "info", "warning", "error")
EXISTING = click.Path(path_type=Path)


class _Numbers(click.ParamType):  # type: ignore[type-arg]  # generic in its stubs only
    """Numbers with a separator between them."""

    def __init__(self, name: str, separator: str, count: int, number: type) -> None:
        self.name = name
        self._separator, self._count, self._number = separator, count, number

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """The numbers of a text; numbers as they are."""
        if isinstance(value, tuple):
            return value
        try:
            numbers = tuple(self._number(part) for part in value.split(self._separator))
        except ValueError:
            numbers = ()
        if len(numbers) != self._count:
            self.fail(f"{value!r} is not {self.name}", param, ctx)
        return numbers


BBOX = _Numbers("west,south,east,north in degrees", ",", 4, float)
SPAN = _Numbers("first:end in whole numbers", ":", 2, int)


output_option = click.option(
    "-o",
    "--output",
    type=EXISTING,
    default=None,
    show_default="execution.output, else .",
    help="Folder for the products.",
)
networks_option = click.option(
    "--networks",
    multiple=True,
    type=EXISTING,
    metavar="DIR",
    show_default="none",
    help="Folder to look networks up in; repeatable. OCPIPE_NETWORKS is searched next.",
)
products_option = click.option(
    "--products",
    default=None,
    metavar="NAME,NAME",
    show_default="all",
    help="Which networks of the configuration to run.",
)
engine_option = click.option(
    "--engine",
    default=None,
    show_default="science.engine, else auto",
    help="What runs the networks: auto, numpy (float64 reference), onnxruntime or tensorflow.",
)
_bbox = click.option(
    "--bbox",
    type=BBOX,
    default=None,
    metavar="W,S,E,N",
    show_default="the whole scene",
    help="Only the lines and pixels around this box (degrees; W > E crosses the antimeridian).",
)
_lines = click.option(
    "--lines",
    type=SPAN,
    default=None,
    metavar="FIRST:END",
    show_default="all",
    help="Only these lines, counted from 0.",
)
_pixels = click.option(
    "--pixels",
    type=SPAN,
    default=None,
    metavar="FIRST:END",
    show_default="all",
    help="Only these pixels of a line, counted from 0.",
)
log_level_option = click.option(
    "--log-level",
    type=click.Choice(LEVELS),
    default="info",
    help="Least serious messages shown.",
)


def window_options(command: Any) -> Any:
    """``--bbox``, ``--lines`` and ``--pixels``."""
    return _bbox(_lines(_pixels(command)))


def names(listed: str | None) -> tuple[str, ...]:
    """The names in a list with commas."""
    return tuple(name.strip() for name in (listed or "").split(",") if name.strip())
