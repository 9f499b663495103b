"""The commands ``inspect``, ``verify``, ``check-config`` and ``quicklook``."""

import sys
from pathlib import Path

import click

from pipeline.cli.options import PATH, POSITIVE, log_level_option, names, networks_option, option
from pipeline.cli.session import exit_on_error, importing, start
from pipeline.cli.terminal import show
from pipeline.errors import ConfigError


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
    "the product's folder, the current folder, and the path in the ledger of its batch",
    PATH,
    metavar="PATH",
    multiple=True,
)
@option(
    "--ledger ledgers",
    "Ledger of the batch that made the product; it knows the path of the input; repeatable.",
    "ledgers in the folders above the product",
    PATH,
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
    ledgers: tuple[Path, ...],
    networks: tuple[Path, ...],
    sample: int,
    everything: bool,
    seed: int,
    log_level: str,
) -> None:
    """Check PRODUCT against its own record: hashes, checksums, attributes and recomputed pixels.

    A note is a difference that is no fault, such as another version. Exit codes: 0 everything was
    checked and is right, 1 something is wrong, 3 nothing is wrong, but the input or a network was
    not found, so that not everything could be checked.
    """
    start(log_level)
    with importing():
        from pipeline.batch.known_scenes import KnownScenes
        from pipeline.verify import result_of, verify_product

    found = []
    with exit_on_error(), KnownScenes(ledgers) as known:
        for finding in verify_product(
            product,
            scenes=scenes,
            network_dirs=networks,
            known=known.of(product),
            sample=None if everything else sample,
            seed=seed,
        ):
            found.append(finding)
            show(f"{finding.word:<13}{finding.what:<12}{finding.text}")
    result = result_of(found)
    show(f"{product.name}: {result.text}")
    sys.exit(result.code)


@click.command("check-config")
@click.argument("config")
@log_level_option
def check(config: str, log_level: str) -> None:
    """Check a configuration and print it with all defaults filled in.

    To check bands, flags and networks too, use ocpipe run SCENE --dry-run.
    """
    start(log_level)
    with importing():
        from pipeline.config import as_yaml, load_config
        from pipeline.run.plan import check_config

    with exit_on_error(ConfigError):
        loaded = load_config(config)
        check_config(loaded)
        show(*as_yaml(loaded).splitlines())


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
