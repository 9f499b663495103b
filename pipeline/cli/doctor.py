"""The command ``ocpipe doctor``, which checks an installation and its machine."""

import dataclasses
import json
import sys
from pathlib import Path

import click

from pipeline.cli.options import PATH, log_level_option, networks_option, option
from pipeline.cli.session import exit_on_error, importing, start
from pipeline.cli.terminal import show
from pipeline.errors import ConfigError
from pipeline.files.names import as_texts

ENGINES = ("numpy", "onnxruntime", "tensorflow")
_WIDTH = 22


@click.command()
@networks_option
@option("-o --output", "Folder for products, whose disk is measured.", "the current folder", PATH)
@option(
    "--engine engines",
    "Engine to check; repeatable.",
    "all",
    click.Choice(ENGINES),
    multiple=True,
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@log_level_option
def doctor(
    networks: tuple[Path, ...],
    output: Path | None,
    engines: tuple[str, ...],
    as_json: bool,
    log_level: str,
) -> None:
    """Check the installation and the machine.

    The command shows versions, cores, memory, GPU, folders with networks, and the speed of the
    disk. Each engine processes a small scene in a separate process, and the product is verified.
    The exit code is 1 if a check fails; warnings do not change it.
    """
    start(log_level)
    with importing():
        from pipeline.doctor.examination import examine

    found = []
    with exit_on_error(ConfigError):
        for check in examine(output or Path(), networks, engines or ENGINES):
            found.append(check)
            if not as_json:
                show(f"{check.status:<9}{check.what:<{_WIDTH}}{check.text}")
    if as_json:
        data = as_texts([dataclasses.asdict(check) for check in found])
        show(*json.dumps(data, indent=1).splitlines())
    sys.exit(1 if any(check.status == "failed" for check in found) else 0)
