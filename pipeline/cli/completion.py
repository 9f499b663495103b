"""Completes arguments in the shell, and prints the script for the shell.

The shell starts ocpipe each time the user presses the Tab key, so nothing large is imported here.
Names come from the files in ``configs``.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem, get_completion_class

from pipeline.cli.options import log_level_option
from pipeline.cli.schema import KIND
from pipeline.cli.session import start
from pipeline.cli.terminal import show

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_OCPIPE_COMPLETE"
ENGINES = ("auto", "numpy", "onnxruntime", "tensorflow")
READERS = ("auto", "cf_netcdf", "geotiff", "obpg_l2", "ocpipe_product", "olci_wfr", "sgli_l2")
SUFFIXES = (".yaml", ".yml")

# For each command, the folder with its configurations. Other commands use all folders.
_FOLDERS = {
    "run": "runs",
    "batch": "runs",
    "inspect": "runs",
    "train": "training",
    "tune": "training",
    "evaluate": "training",
    "finetune": "training",
    "matchup": "matchup",
}
# Pattern of a name that needs no quotes in a shell.
_HARMLESS = re.compile(r"[\w./:+@=,-]+", re.ASCII)


_Values = Callable[[click.Context, str], Iterable[str]]
"""Returns the possible values of an argument, from the context and the typed text."""


class _Completed(click.ParamType):  # type: ignore[type-arg]  # generic in its stubs only
    """A type of option; a function lists its values for the shell."""

    def __init__(self, values: _Values, may_be_file: bool, inner: "click.ParamType[Any]") -> None:
        self.name = inner.name
        self._values, self._may_be_file, self._inner = values, may_be_file, inner

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return the value as the inner type does; any text may be given, not only those listed."""
        return self._inner.convert(value, param, ctx)

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,  # noqa: ARG002 - as the base class
        incomplete: str,
    ) -> list[CompletionItem]:
        """Return the values that begin with the text; the shell itself completes paths."""
        if incomplete.startswith((os.curdir, "~")) or os.sep in incomplete:
            return [CompletionItem(incomplete, type="file")]
        values = [value for value in self._values(ctx, incomplete) if value.startswith(incomplete)]
        if not values and self._may_be_file:
            return [CompletionItem(incomplete, type="file")]
        return [CompletionItem(value) for value in values if _HARMLESS.fullmatch(value)]


def _shipped(*folders: str) -> list[str]:
    """Return the names of shipped files."""
    from pipeline.facts.shipped import shipped_configs

    files = [file for folder in folders for file in sorted((shipped_configs() / folder).iterdir())]
    return [file.stem for file in files if file.suffix in (*SUFFIXES, ".json")]


def _configs(ctx: click.Context, _: str) -> Iterator[str]:
    """Yield shipped configurations, and YAML files in the current folder."""
    folder = _FOLDERS.get(ctx.info_name or "")
    yield from _shipped(*([folder] if folder else sorted(set(_FOLDERS.values()))))
    yield from (name for name in sorted(os.listdir()) if name.endswith(SUFFIXES))  # noqa: PTH208


def _products(ctx: click.Context, incomplete: str) -> list[str]:
    """Return the typed names, each time with one more network of the configuration."""
    given, comma, _ = incomplete.rpartition(",")
    taken = given.split(",")
    names = [name for name in _network_names(ctx.params.get("config")) if name not in taken]
    return [f"{given}{comma}{name}" for name in names]


def _network_names(config: str | None) -> list[str]:
    from pipeline.config.strict import find_shipped, read_mapping
    from pipeline.errors import ConfigError

    try:
        data = read_mapping(find_shipped(config or "", "runs", "run configuration"))
        return [str(network["name"]) for network in data["science"]["networks"]]
    except (ConfigError, KeyError, TypeError):
        return []


# For each name of an argument or option, the function that lists its values.
_VALUES: dict[str, _Values] = {
    "config": _configs,
    "engine": lambda *_: ENGINES,
    "kind": lambda *_: _shipped("schemas"),
    "masks": lambda *_: ["none", *_shipped("masks")],
    "preset": lambda *_: _shipped("matchup"),
    "products": _products,
    "reader": lambda *_: READERS,
    "sensor": lambda *_: _shipped("sensors"),
}


def complete(command: click.Command) -> None:
    """Let the shell complete the arguments and options of a command, by their names."""
    for parameter in command.params:
        if isinstance(parameter, click.Argument) and parameter.nargs == -1:
            if parameter.type is click.STRING:  # files, folders and patterns
                parameter.type = _Completed(lambda _ctx, _text: (), True, parameter.type)
            continue
        values = _VALUES.get(parameter.name or "")
        if values is None:
            continue
        if parameter.type is click.STRING or parameter.type is KIND:
            is_path = parameter.name == "config"
            parameter.type = _Completed(values, is_path, parameter.type)


@click.command()
@click.argument("shell", type=click.Choice(SHELLS), required=False)
@log_level_option
@click.pass_context
def completion(ctx: click.Context, shell: str | None, log_level: str) -> None:
    """Print the script that lets SHELL complete commands, options, configurations and names.

    Without SHELL, the script is for the shell in the variable SHELL. Put this line into ~/.bashrc
    or ~/.zshrc: eval "$(ocpipe completion)"
    """
    start(log_level)
    name = shell or Path(os.environ.get("SHELL", "")).name
    made = get_completion_class(name) if name in SHELLS else None
    if made is None:
        known = ", ".join(SHELLS)
        raise click.UsageError(f"{name or 'no shell'}: expected one of {known}. Give its name.")
    root = ctx.find_root().command
    show(*made(root, {}, "ocpipe", VARIABLE).source().rstrip("\n").split("\n"))
