"""The options that several commands share, and functions that change settings by these options."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

if TYPE_CHECKING:
    from pipeline.config import RunConfig

Command = TypeVar("Command", bound=Callable[..., Any])

_VERBOSITY = "pipeline.cli.verbosity"
LEVELS = ("debug", "info", "warning", "error")


class _PathOnDisk(click.Path):
    """The type of a path. An empty path is refused, because it would mean the current folder."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return the path."""
        if value == "":
            self.fail("the path is empty. Perhaps a variable of the shell is not set.", param, ctx)
        return super().convert(value, param, ctx)


PATH = _PathOnDisk(path_type=Path)
POSITIVE = click.IntRange(min=1)


class Numbers(click.ParamType):  # type: ignore[type-arg]  # generic in its stubs only
    """The type of an option whose value is several numbers with a separator between them."""

    def __init__(self, name: str, separator: str, count: int, number: type) -> None:
        self.name = name
        self._separator, self._count, self._number = separator, count, number

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return the numbers in a text; if ``value`` is a tuple already, return it unchanged."""
        if isinstance(value, tuple):
            return value
        try:
            numbers = tuple(self._number(part) for part in value.split(self._separator))
        except ValueError:
            numbers = ()
        if len(numbers) != self._count:
            self.fail(f"{value!r} is not {self.name}", param, ctx)
        return numbers


BBOX = Numbers("west,south,east,north in degrees", ",", 4, float)
SPAN = Numbers("first:end in whole numbers", ":", 2, int)


def option(
    flags: str, text: str, otherwise: str, kind: Any = None, **how: Any
) -> Callable[[Command], Command]:
    """Declare an option; the help shows the text ``otherwise`` as its default."""
    return click.option(*flags.split(), type=kind, show_default=otherwise, help=text, **how)


networks_option = option(
    "--networks",
    "Folder with network files, searched before the folders of OCPIPE_NETWORKS; repeatable.",
    "none",
    PATH,
    metavar="DIR",
    multiple=True,
)


def _by_verbosity(ctx: click.Context, _: click.Parameter, level: str) -> str:
    """Return the level for -v or -q, unless --log-level is given."""
    is_given = ctx.get_parameter_source("log_level") is not ParameterSource.DEFAULT
    return level if is_given else ctx.meta.get(_VERBOSITY, level)


def _verbosity(ctx: click.Context, parameter: click.Parameter, count: int) -> None:
    levels = {"verbose": ("debug",), "quiet": ("warning", "error")}[parameter.name or ""]
    if count:
        ctx.meta[_VERBOSITY] = levels[min(count, len(levels)) - 1]


def log_level_option(command: Command) -> Command:
    """Add --log-level, -v and -q; the command gets the level as ``log_level``."""
    how: dict[str, Any] = {
        "count": True, "is_eager": True, "expose_value": False, "show_default": False,
        "callback": _verbosity,
    }  # fmt: skip
    for add in (
        click.option("-q", "--quiet", help="Show only warnings and errors; -qq: errors.", **how),
        click.option("-v", "--verbose", help="Show debug messages too.", **how),
        click.option(
            "--log-level",
            type=click.Choice(LEVELS),
            default="info",
            callback=_by_verbosity,
            help="Show messages of this level and above.",
        ),
    ):
        command = add(command)
    return command


_RUN_OPTIONS = (
    option("-o --output", "Folder for the products.", "execution.output, else .", PATH),
    networks_option,
    option("--products", "Networks of CONFIG to run.", "all", metavar="NAME,NAME"),
    option(
        "--engine",
        "Library that runs the networks: auto, numpy (float64 reference), onnxruntime or "
        "tensorflow.",
        "science.engine, else auto",
    ),
    option(
        "--bbox",
        "Process only the part of the scene that covers this box (in degrees). A box with W > E "
        "crosses the antimeridian.",
        "the whole scene",
        BBOX,
        metavar="W,S,E,N",
    ),
    option(
        "--lines", "Process only these lines, counted from 0.", "all", SPAN, metavar="FIRST:END"
    ),
    option(
        "--pixels",
        "Process only these pixels of each line, counted from 0.",
        "all",
        SPAN,
        metavar="FIRST:END",
    ),
)


def run_options(command: Command) -> Command:
    """Add the options for ``configured``; commands add --threads and --memory-limit themselves."""
    for add in reversed(_RUN_OPTIONS):
        command = add(command)
    return command


def configured(config: str, **options: Any) -> "RunConfig":
    """Load a configuration, and replace settings by the options of the command line.

    Raises:
        ConfigError: the configuration or an option is wrong.
    """
    from pipeline.config import load_config

    settings = load_config(config).executing(
        output=options["output"],
        network_dirs=options["networks"] or None,
        threads=options["threads"],
        memory_limit=options["memory_limit"],
    )
    settings = settings.with_window(
        bbox=options["bbox"], lines=options["lines"], pixels=options["pixels"]
    )
    if options["engine"]:
        settings = settings.with_engine(options["engine"])
    if options["products"] is not None:
        settings = settings.selecting(names(options["products"]))
    return settings


def names(listed: str | None) -> tuple[str, ...]:
    """Split a list of names at its commas."""
    return tuple(name.strip() for name in (listed or "").split(",") if name.strip())
