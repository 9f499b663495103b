"""Makes a product again from its own record, and compares the bytes of both files."""

import contextlib
import datetime
import secrets
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.config import RunConfig
from pipeline.config.naming import NameTemplate
from pipeline.errors import PipelineError, SceneError, WriteError
from pipeline.files.regular import open_regular
from pipeline.process import deliver_scene
from pipeline.product.delivery import Delivery, make_folder
from pipeline.product.reading import ProductFile
from pipeline.product.recorded import recorded_configuration, shown
from pipeline.proof.difference import differences
from pipeline.stopping import half_written
from pipeline.verify.finding import Finding
from pipeline.verify.sources import find_input, find_networks
from pipeline.version import __version__

# Number of differences that are listed if the bytes differ.
LISTED = 5
_BLOCK = 1 << 20


def rerun_product(
    path: Path,
    *,
    scenes: Sequence[Path] = (),
    network_dirs: Sequence[Path] = (),
    known: Sequence[Path] = (),
    output: Path | None = None,
    threads: int | None = None,
    memory_limit: str | None = None,
) -> Iterator[Finding]:
    """Make a product again, and yield one finding at a time; the last one compares the files.

    The record of the product states the input, the networks, the configuration and the date.

    Args:
        path: the product.
        scenes: the input scene, or folders to search for it; the product's folder and the current
            folder are searched as well.
        network_dirs: folders to search for networks, before the folders in OCPIPE_NETWORKS.
        known: further paths of the input scene, for example those that a ledger has.
        output: folder that keeps the new file, under the name of the product; by default, the new
            file is removed.
        threads: number of blocks that are computed at the same time.
        memory_limit: memory for the run.

    Raises:
        SceneError: the product cannot be read.
        WriteError: the new file would replace the product.
    """
    if output is not None and (output / path.name).resolve() == path.resolve():
        raise WriteError(
            f"{path.name}: the product made again would replace the product itself. Choose another "
            "--output."
        )
    with ProductFile(path) as product:
        yield from _version(product)
        try:
            config = recorded_configuration(product)
        except SceneError as error:
            yield Finding("run", False, f"cannot repeat the run: {error}")
            return
        source = yield from find_input(product, scenes, known)
        networks = yield from find_networks(product, config, network_dirs, source)
        created = datetime.datetime.fromisoformat(str(product.attributes["date_created"]))
    if source is None or networks is None:
        return
    if output is not None:
        make_folder(output)
    config = config.executing(threads=threads, memory_limit=memory_limit)
    with _new_file(config, output, created) as (delivery, again):
        try:
            deliver_scene(source, config, delivery, networks=networks)
        except PipelineError as error:
            yield Finding("run", False, f"cannot repeat the run: {error}")
            return
        yield from _compared(path, again)
        if output is not None:
            again.replace(output / path.name)


def _version(product: ProductFile) -> Iterator[Finding]:
    made_by = str(product.control.attributes["software_version"])
    if made_by != __version__:
        text = (
            f"the product was made by version {shown(made_by)}, but this is version {__version__}; "
            "so its record, at least, will differ"
        )
        yield Finding("version", True, text)


@contextlib.contextmanager
def _new_file(
    config: RunConfig, output: Path | None, created: datetime.datetime
) -> Iterator[tuple[Delivery, Path]]:
    """Give a delivery to a new hidden file, which is removed at the end if it is still there."""
    folder = output or Path(tempfile.gettempdir())
    name = f".ocpipe-rerun.{secrets.token_hex(8)}.nc"
    delivery = replace(
        Delivery.of(config, created=created, spare=0), folder=folder, template=NameTemplate(name)
    )
    with half_written(folder / name):
        try:
            yield delivery, folder / name
        finally:
            with contextlib.suppress(OSError):
                (folder / name).unlink(missing_ok=True)


def _compared(path: Path, again: Path) -> Iterator[Finding]:
    """Compare the bytes of two files; if they differ, say where, and what differs in the content.

    In the findings, A is the product and B is the product made again.
    """
    place, sizes = first_different_byte(path, again), (path.stat().st_size, again.stat().st_size)
    if place is None:
        yield Finding("bytes", True, f"the product made again has the same {sizes[0]:,} bytes")
        return
    found = list(differences(path, again))
    for each in found[:LISTED]:
        yield Finding(each.part, False, f"{shown(each.where)}: {each.text}")
    if len(found) > LISTED:
        yield Finding("more", False, f"{len(found) - LISTED} more differences: ocpipe diff")
    same_numbers = not any(each.part in ("values", "flags", "layout") for each in found)
    what = (
        "all numbers and attributes are equal, but their order or their compression differs"
        if not found
        else "all numbers are equal, and only attributes or the record differ"
        if same_numbers
        else "A is the product, B is the product made again"
    )
    yield Finding(
        "bytes",
        False,
        f"byte {place:,} is the first that differs ({sizes[0]:,} bytes, made again {sizes[1]:,}); "
        f"{what}",
    )


def first_different_byte(first: Path, second: Path) -> int | None:
    """Return the position of the first byte that differs, from 0; None if all bytes are equal.

    If one file is longer, the files differ at the end of the shorter file.
    """
    place = 0
    with open_regular(first, SceneError) as a, open_regular(second, SceneError) as b:
        while True:
            of_a, of_b = a.read(_BLOCK), b.read(_BLOCK)
            if of_a != of_b:
                pairs = zip(of_a, of_b, strict=False)
                inside = next((n for n, (x, y) in enumerate(pairs) if x != y), None)
                return place + (min(len(of_a), len(of_b)) if inside is None else inside)
            if not of_a:
                return None
            place += len(of_a)
