"""The commands ``inspect``, ``verify``, ``check-config`` and ``quicklook``."""

import logging
import sys
from collections.abc import Generator
from pathlib import Path

import click

from pipeline.cli.many import (
    FILES,
    ONE_PER_CORE,
    Result,
    as_facts,
    conclusion,
    default_workers,
    finding_lines,
    json_option,
    ledgers_option,
    run_on_each,
    scenes_option,
    workers_option,
)
from pipeline.cli.options import PATH, POSITIVE, log_level_option, names, networks_option, option
from pipeline.cli.schema import kind_option
from pipeline.cli.session import exit_on_error, importing, start
from pipeline.cli.terminal import show
from pipeline.errors import ConfigError, NetworkError, repeated

log = logging.getLogger("pipeline")

# Width of the names in the lines that ``inspect`` prints.
_FIRST_COLUMN = 12
_CONFIGURED = "configured"


@click.command()
@click.argument("files", metavar=FILES, nargs=-1, required=True)
@option(
    "-c --config",
    "Configuration whose science.reader opens the scene; needed if the format is not recognised.",
    "none",
)
@workers_option(ONE_PER_CORE)
@json_option
@log_level_option
def inspect(
    files: tuple[str, ...],
    config: str | None,
    workers: int | None,
    as_json: bool,
    log_level: str,
) -> None:
    """Describe each FILE: a scene, a table, a network, a product of ocpipe, or algorithm:NAME.

    If FILE is a folder, all its scenes, products and networks are described.
    """
    start(log_level)
    with importing():
        from pipeline.batch.sources import find_files
        from pipeline.config import ReaderChoice, load_config
        from pipeline.inspection import inspect_file

    with exit_on_error(ConfigError):
        reader = load_config(config).science.reader if config else ReaderChoice()
        paths = [Path(path) for path in find_files(files)]

    def work(path: Path) -> Generator[str, None, Result]:
        lines = []
        for line in inspect_file(path, reader):
            lines.append(line)
            yield line
        if path is not paths[-1]:
            yield ""
        return Result(True, {"facts": _as_facts(lines)})

    results = run_on_each(paths, work, workers or default_workers(len(paths)), as_json, True)
    sys.exit(0 if all(result.passed for result in results) else 1)


def _as_facts(lines: list[str]) -> dict[str, list[str]]:
    """Return the values by the names in the first column; other lines add to the last name."""
    facts: dict[str, list[str]] = {}
    name = ""
    for line in lines:
        if name == _CONFIGURED:  # the rest is YAML
            facts[name].append(line)
            continue
        is_long = line[_FIRST_COLUMN : _FIRST_COLUMN + 1] not in ("", " ")
        first = line.split(" ", 1)[0] if is_long else line[:_FIRST_COLUMN].strip()
        name = first or name
        facts.setdefault(name, []).append(line.removeprefix(first).strip())
    return facts


@click.command()
@click.argument("products", metavar=FILES, nargs=-1, required=True)
@scenes_option
@ledgers_option
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
@workers_option(ONE_PER_CORE)
@json_option
@log_level_option
def verify(
    products: tuple[str, ...],
    scenes: tuple[Path, ...],
    ledgers: tuple[Path, ...],
    networks: tuple[Path, ...],
    sample: int,
    everything: bool,
    seed: int,
    workers: int | None,
    as_json: bool,
    log_level: str,
) -> None:
    """Check products against their own records: hashes, checksums, attributes, recomputed pixels.

    A note is a difference that is not a fault, such as another version. Exit codes: 0 everything
    was checked and is right, 1 something is wrong in any of the products, 3 nothing is wrong, but
    an input or a network was not found, so some checks were not possible.
    """
    start(log_level)
    with importing():
        from pipeline.batch.known_scenes import KnownScenes
        from pipeline.product.search import find_products
        from pipeline.verify import result_of, verify_product

    with exit_on_error(ConfigError):
        paths = find_products(products)

    def work(product: Path) -> Generator[str, None, Result]:
        with KnownScenes(ledgers) as known:
            found = verify_product(
                product,
                scenes=scenes,
                network_dirs=networks,
                known=known.of(product),
                sample=None if everything else sample,
                seed=seed,
            )
            kept = yield from finding_lines(found)
        result = result_of(kept)
        yield f"{product.name}: {result.text}"
        return Result(result.code == 0, {"findings": as_facts(kept)}, code=result.code)

    results = run_on_each(paths, work, workers or default_workers(len(paths)), as_json)
    sys.exit(conclusion(results, "verified"))


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
@click.argument("products", metavar=FILES, nargs=-1, required=True)
@option(
    "-o --output",
    "File of the picture; of several pictures, the folder.",
    "next to the product, with .png",
    PATH,
)
@option(
    "--variables",
    "Variables to draw.",
    "of each quantity, the band nearest to 443 nm",
    metavar="NAME,NAME",
)
@workers_option(ONE_PER_CORE)
@json_option
@log_level_option
def quicklook(
    products: tuple[str, ...],
    output: Path | None,
    variables: str | None,
    workers: int | None,
    as_json: bool,
    log_level: str,
) -> None:
    """Draw a picture (PNG) of each product of ocpipe."""
    start(log_level)
    with importing():
        from pipeline.product.search import find_products
        from pipeline.writers.quicklook import draw_quicklook

    with exit_on_error(ConfigError):
        paths = find_products(products)
        pictures = _pictures(paths, output)

    def work(product: Path) -> Generator[str, None, Result]:
        picture = draw_quicklook(product, pictures[product], names(variables))
        yield str(picture)
        return Result(True, {"picture": str(picture)})

    results = run_on_each(paths, work, workers or default_workers(len(paths)), as_json)
    sys.exit(0 if all(result.passed for result in results) else 1)


def _pictures(products: list[Path], output: Path | None) -> dict[Path, Path]:
    """Return the file of each product's picture; all files are different."""
    if output is None:
        made = {product: product.with_suffix(".png") for product in products}
    elif len(products) == 1 and not output.is_dir():
        return {products[0]: output}
    elif output.is_dir():
        made = {product: output / f"{product.stem}.png" for product in products}
    else:
        raise ConfigError(
            f"--output {output}: expected a folder that exists, because {len(products)} pictures "
            "are drawn. Create the folder, or call without --output."
        )
    twice = repeated([str(picture) for picture in made.values()])
    if twice:
        raise ConfigError(
            f"several products would have the same picture: {twice}. Draw them in separate calls."
        )
    return made
