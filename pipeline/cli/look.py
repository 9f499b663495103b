"""Commands that look at files: ``inspect``, ``verify``, ``check-config``, ``quicklook``."""

import sys
from pathlib import Path

import click

from pipeline.cli.options import EXISTING, log_level_option, names, networks_option
from pipeline.cli.session import failure, importing, start, wrong_use
from pipeline.errors import ConfigError, PipelineError


@click.command()
@click.argument("file", type=EXISTING)
@click.option(
    "-c",
    "--config",
    default=None,
    show_default="none",
    help="Configuration whose science.reader opens a scene that does not say enough by itself.",
)
@log_level_option
def inspect(file: Path, config: str | None, log_level: str) -> None:
    """Say what FILE is: a scene, a network, a product of ocpipe, or algorithm:NAME."""
    start(log_level)
    with importing():
        from pipeline.config import ReaderChoice, load_config
        from pipeline.inspection import inspect_file

    try:
        reader = load_config(config).science.reader if config else ReaderChoice()
        for line in inspect_file(file, reader):
            click.echo(line)
    except ConfigError as error:
        wrong_use(error)
    except PipelineError as error:
        failure(error)
        sys.exit(1)


@click.command()
@click.argument("product", type=EXISTING)
@click.option(
    "--scene",
    "scenes",
    multiple=True,
    type=EXISTING,
    metavar="PATH",
    show_default="beside the product, and .",
    help="The input, or a folder to look for it in; repeatable.",
)
@networks_option
@click.option(
    "--sample",
    type=click.IntRange(min=1),
    default=1000,
    metavar="N",
    help="How many pixels are computed again, by the float64 reference.",
)
@click.option("--all", "everything", is_flag=True, help="Compute every pixel again.")
@click.option("--seed", type=int, default=0, metavar="N", help="Of the choice of pixels.")
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
    """Check that PRODUCT is what it says: hashes, checksums, attributes, and pixels computed again.

    The exit code is 1 where anything differs or cannot be found.
    """
    start(log_level)
    with importing():
        from pipeline.verify import verify_product

    passed = True
    try:
        for finding in verify_product(
            product,
            scenes=scenes,
            network_dirs=networks,
            sample=None if everything else sample,
            seed=seed,
        ):
            passed &= finding.passed
            click.echo(f"{'ok' if finding.passed else 'FAILED':<7}{finding.what:<12}{finding.text}")
    except PipelineError as error:
        failure(error)
        sys.exit(1)
    click.echo(f"{product.name}: {'verified' if passed else 'NOT verified'}")
    sys.exit(0 if passed else 1)


@click.command("check-config")
@click.argument("config")
@log_level_option
def check(config: str, log_level: str) -> None:
    """Check a configuration and print it with all defaults filled in.

    Bands, flags and networks are checked with a scene: ocpipe run --dry-run.
    """
    start(log_level)
    with importing():
        from pipeline.config import as_yaml, load_config
        from pipeline.run.plan import check_config

    try:
        loaded = load_config(config)
        check_config(loaded)
        click.echo(as_yaml(loaded), nl=False)
    except ConfigError as error:
        wrong_use(error)


@click.command()
@click.argument("product", type=EXISTING)
@click.option(
    "-o",
    "--output",
    type=EXISTING,
    default=None,
    show_default="PRODUCT with .png",
    help="The picture.",
)
@click.option(
    "--variables",
    default=None,
    metavar="NAME,NAME",
    show_default="of each quantity the one nearest 443 nm",
    help="What to draw.",
)
@log_level_option
def quicklook(product: Path, output: Path | None, variables: str | None, log_level: str) -> None:
    """Draw a picture (PNG) of a PRODUCT of ocpipe."""
    start(log_level)
    with importing():
        from pipeline.writers.quicklook import draw_quicklook

    try:
        picture = draw_quicklook(product, output or product.with_suffix(".png"), names(variables))
    except PipelineError as error:
        failure(error)
        sys.exit(1)
    click.echo(picture)
