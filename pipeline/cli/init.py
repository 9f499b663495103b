"""The command ``ocpipe init``, which drafts a run configuration for a scene."""

import logging
from pathlib import Path
from typing import Any

import click

from pipeline.cli.options import PATH, log_level_option, networks_option, option
from pipeline.cli.session import exit_on_error, importing, start
from pipeline.cli.terminal import show
from pipeline.errors import ConfigError, NetworkError

log = logging.getLogger("pipeline")


@click.command()
@click.option("--scene", type=PATH, required=True, help="Scene that the configuration is for.")
@option(
    "--network files",
    "Network file, or algorithm:NAME; repeatable.",
    "the networks for the scene's sensor in the network folders, else published algorithms",
    metavar="FILE",
    multiple=True,
)
@networks_option
@option("-o --output", "Configuration to write; an existing file is kept.", "print it", PATH)
@option("--name", "Name of the configuration; part of the names of products.", "the sensor")
@option("--sensor", "Sensor of the scene, if the scene does not state it.", "the scene's")
@click.option(
    "--allow-other-sensor",
    "other_sensor",
    is_flag=True,
    help="Allow a --network that was made for another sensor.",
)
@option("--reader", "Format of the scene, if it needs options.", "recognised", metavar="FORMAT")
@option(
    "--reader-option options",
    "Option of the reader, such as qa_layout=nwlr (docs/readers.md); repeatable.",
    "none",
    metavar="KEY=VALUE",
    multiple=True,
)
@log_level_option
def init(
    scene: Path,
    files: tuple[str, ...],
    networks: tuple[Path, ...],
    output: Path | None,
    reader: str | None,
    options: tuple[str, ...],
    log_level: str,
    **wanted: Any,
) -> None:
    """Draft a configuration for scenes like SCENE, with comments; it passes run --dry-run.

    The draft has the masks that are recommended for the format, and networks or published
    algorithms that fit the sensor and the bands. Read the draft, and change it where necessary.
    """
    start(log_level)
    with importing():
        from pipeline.drafting.draft import Wanted, draft_config
        from pipeline.files.replacing import replace_file

    with exit_on_error(ConfigError, NetworkError):
        if output is not None and output.exists():
            raise ConfigError(f"{output} exists already. Remove it, or give another --output.")
        choice = _reader(reader, options)
        text = draft_config(Wanted(scene, files, networks, choice, **wanted))
        if output is None:
            show(*text.splitlines())
        else:
            show(replace_file(output, text.encode()))
            log.info("next: ocpipe run %s -c %s --dry-run", scene, output)


def _reader(reader: str | None, options: tuple[str, ...]) -> Any:
    """Return the reader's configuration for ``--reader`` and ``--reader-option``."""
    import yaml

    from pipeline.config import ReaderChoice
    from pipeline.config.strict import validated

    values = {}
    for one in options:
        key, equals, value = one.partition("=")
        if not equals:
            raise ConfigError(f"--reader-option: found {one!r}, expected KEY=VALUE.")
        try:
            values[key] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise ConfigError(
                f"--reader-option {key}: found {value!r}, expected a text, a number or a list "
                "such as [443, 560]."
            ) from None
    data = {"format": reader or "auto", "options": values}
    return validated(ReaderChoice, data, "command line", "choice of a reader (--reader)")
