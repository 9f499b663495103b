"""The commands ``inspect``, ``verify``, ``check-config`` and ``quicklook``."""

import logging
import sys
from pathlib import Path

import click

from pipeline.cli.options import PATH, POSITIVE, log_level_option, names, networks_option, option
from pipeline.cli.schema import kind_option
from pipeline.cli.session import exit_on_error, importing, start
from pipeline.cli.terminal import show
from pipeline.errors import ConfigError, NetworkError

log = logging.getLogger("pipeline")


@click.command()
@click.argument("file", type=PATH)
@option(
    "-c --config",
    "Configuration whose science.reader opens the scene; needed if the format is not recognised.",
    "none",
)
@log_level_option
def inspect(file: Path, config: str | None, log_level: str) -> None:
    """Describe FILE: a scene, a table, a network, a product of ocpipe, or algorithm:NAME."""
    start(log_level)
    with importing():
        from pipeline.config import ReaderChoice, load_config
        from pipeline.inspection import inspect_file

    with exit_on_error(ConfigError):
        reader = load_config(config).science.reader if config else ReaderChoice()
        for line in inspect_file(file, reader):
            show(line)


@click.command()
@click.argument("product", type=PATH)
@option(
    "--scene scenes",
    "Input scene of the product, or a folder that contains this scene; repeatable.",
    "the product's folder and the current folder",
    PATH,
    metavar="PATH",
    multiple=True,
)
@networks_option
@click.option(
    "--sample",
    type=POSITIVE,
    default=1000,
    metavar="N",
    help="Number of pixels to recompute with the float64 reference.",
)
@click.option("--all", "everything", is_flag=True, help="Recompute every pixel.")
@click.option("--seed", type=int, default=0, metavar="N", help="Seed for the choice of pixels.")
@log_level_option
def verify(
    product: Path,
    scenes: tuple[Path, ...],
    networks: tuple[Path, ...],
    sample: int,
    everything: bool,
    seed: int,
    log_level: str,
) -> None:
    """Check PRODUCT against its own record: hashes, checksums, attributes and recomputed pixels.

    The exit code is 1 if anything differs or is missing.
    """
    start(log_level)
    with importing():
        from pipeline.verify import verify_product

    passed = True
    with exit_on_error():
        for finding in verify_product(
            product,
            scenes=scenes,
            network_dirs=networks,
            sample=None if everything else sample,
            seed=seed,
        ):
            passed &= finding.passed
            show(f"{'ok' if finding.passed else 'FAILED':<7}{finding.what:<12}{finding.text}")
    show(f"{product.name}: {'verified' if passed else 'NOT verified'}")
    sys.exit(0 if passed else 1)


@click.command("check-config")
@click.argument("config")
@kind_option
@log_level_option
def check(config: str, kind: str | None, log_level: str) -> None:
    """Check a YAML file of any kind, and print it with all defaults filled in.

    CONFIG is a configuration of run, batch, train, finetune, tune or matchup, the description of a
    network, or a table as in configs. To check bands, flags and networks too, use ocpipe run SCENE
    --dry-run; to check samples, use ocpipe train --dry-run.
    """
    start(log_level)
    with importing():
        from pipeline.yaml_files.checking import checked

    with exit_on_error(ConfigError, NetworkError):
        found, text = checked(config, kind)
        log.info("%s is a %s without mistakes", config, found.words)
        show(*text.splitlines())


@click.command()
@click.argument("product", type=PATH)
@option("-o --output", "File of the picture.", "PRODUCT with .png", PATH)
@option(
    "--variables",
    "Variables to draw.",
    "of each quantity, the band nearest to 443 nm",
    metavar="NAME,NAME",
)
@log_level_option
def quicklook(product: Path, output: Path | None, variables: str | None, log_level: str) -> None:
    """Draw a picture (PNG) of a PRODUCT of ocpipe."""
    start(log_level)
    with importing():
        from pipeline.writers.quicklook import draw_quicklook

    with exit_on_error():
        picture = draw_quicklook(product, output or product.with_suffix(".png"), names(variables))
    show(picture)
