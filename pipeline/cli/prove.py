"""The commands ``rerun``, ``diff`` and ``mask``, which repeat, compare and mask products."""

import json
import logging
import sys
from collections.abc import Generator
from pathlib import Path

import click

from pipeline.cli.many import (
    FILES,
    Result,
    as_facts,
    conclusion,
    finding_lines,
    json_option,
    ledgers_option,
    run_on_each,
    scenes_option,
    workers_option,
)
from pipeline.cli.options import PATH, POSITIVE, log_level_option, names, networks_option, option
from pipeline.cli.session import exit_on_error, importing, start
from pipeline.cli.terminal import show
from pipeline.errors import ConfigError
from pipeline.files.names import as_texts

log = logging.getLogger("pipeline")


@click.command()
@click.argument("products", metavar=FILES, nargs=-1, required=True)
@scenes_option
@ledgers_option
@networks_option
@option(
    "-o --output",
    "Folder that keeps the products made again.",
    "they are removed after the comparison",
    PATH,
)
@workers_option("1, with a thread per core")
@option(
    "--threads",
    "Number of blocks that are computed at the same time.",
    "one per core, shared by the workers",
    POSITIVE,
)
@json_option
@log_level_option
def rerun(
    products: tuple[str, ...],
    scenes: tuple[Path, ...],
    ledgers: tuple[Path, ...],
    networks: tuple[Path, ...],
    output: Path | None,
    workers: int | None,
    threads: int | None,
    as_json: bool,
    log_level: str,
) -> None:
    """Make products again, each from its own record, and compare the bytes.

    The record of a product names the input, the networks, the configuration and the date. The exit
    code is 0 if every product was repeated byte by byte, otherwise 1. If the bytes differ, the
    first differences are shown. In these lines, A is the product and B is the product made again.
    """
    start(log_level)
    with importing():
        from pipeline.batch.known_scenes import KnownScenes
        from pipeline.machine.resources import available_cores, default_limit
        from pipeline.product.search import find_products
        from pipeline.proof import rerun_product

    with exit_on_error(ConfigError):
        paths = find_products(products)
    at_once = min(workers or 1, len(paths))

    def work(product: Path) -> Generator[str, None, Result]:
        with KnownScenes(ledgers) as known:
            found = rerun_product(
                product,
                scenes=scenes,
                network_dirs=networks,
                known=known.of(product),
                output=output,
                threads=threads or max(1, available_cores() // at_once),
                memory_limit=str(default_limit() // at_once),
            )
            kept = yield from finding_lines(found)
        same = all(each.passed for each in kept)
        findings = as_facts(kept)
        yield f"{product.name}: {'repeated' if same else 'NOT repeated'}"
        return Result(same, {"findings": findings})

    sys.exit(conclusion(run_on_each(paths, work, at_once, as_json), "repeated"))


@click.command()
@click.argument("first", metavar="A", type=PATH)
@click.argument("second", metavar="B", type=PATH)
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    default=0.0,
    metavar="X",
    help="Largest relative difference of values that are treated as equal, such as 1e-3.",
)
@option(
    "--only",
    "Parts to compare: layout, values, flags, attributes, provenance.",
    "all",
    metavar="PART,PART",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@log_level_option
def diff(
    first: Path, second: Path, tolerance: float, only: str | None, as_json: bool, log_level: str
) -> None:
    """Compare the products A and B: layout, values, flags, attributes and provenance.

    Each line is one difference. The exit code is 0 if the compared parts are equal, and 1 if not.
    If a value is missing in only one product, this is a difference for every tolerance.
    """
    start(log_level)
    with importing():
        from pipeline.proof import PARTS, differences

    with exit_on_error(ConfigError):
        parts = names(only) or PARTS
        unknown = [part for part in parts if part not in PARTS]
        if unknown:
            raise ConfigError(
                f"--only: found {', '.join(unknown)}, expected some of {', '.join(PARTS)}."
            )
        found = []
        for each in differences(first, second, tolerance, parts):
            found.append(each)
            if not as_json:
                show(f"{each.part:<12}{each.where}: {each.text}")
    if as_json:
        facts = {
            "a": str(first),
            "b": str(second),
            "tolerance": tolerance,
            "compared": list(parts),
            "differences": [vars(each) for each in found],
        }
        show(*json.dumps(as_texts(facts), indent=2).splitlines())
    else:
        compared = "" if parts == PARTS else f" ({', '.join(parts)} compared)"
        count = f"{len(found)} difference{'s' * (len(found) != 1)}" if found else "no difference"
        show(f"{count}{compared}")
    sys.exit(1 if found else 0)


@click.command()
@click.argument("product", type=PATH)
@click.option(
    "--where",
    required=True,
    metavar="CONDITION",
    help="Condition over variables and flags of the product, such as 'aph_443 > 2 or "
    "iops_input_out_of_range'.",
)
@click.option(
    "--name", default="where", metavar="NAME", help="Name of the mask; its bit is masked_NAME."
)
@option("-o --output", "The new file.", "none; give this option or --in-place", PATH)
@click.option("--in-place", is_flag=True, help="Replace the product.")
@log_level_option
def mask(
    product: Path, where: str, name: str, output: Path | None, in_place: bool, log_level: str
) -> None:
    """Mask a PRODUCT again, without computing it again.

    The results of the pixels where CONDITION is true, or cannot be decided, are removed. The mask
    is added to the product's record: verify accepts the new product, and rerun repeats it.
    """
    start(log_level)
    with importing():
        from pipeline.proof import mask_product

    with exit_on_error(ConfigError):
        if (output is None) != in_place:
            raise ConfigError("give either --output FILE or --in-place.")
        target = output or product
        if target.is_dir():
            target /= product.name
        excluded = mask_product(product, name, where, target)
        log.info("%s: masked_%s excludes %d pixels", product.name, name, excluded)
        show(target)
