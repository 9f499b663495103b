"""Checks a product against its own record.

Input and networks are checked by SHA-256, and stored numbers by checksums. Attributes are compared
with the attributes that this version would write. The float64 reference recomputes a sample of
pixels. A product of another version is checked by its numbers, its input and its networks. A
difference that only the version causes is a note.
"""

import contextlib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.errors import DAMAGE, PipelineError, SceneError
from pipeline.files.identity import holding
from pipeline.process import locate_and_plan
from pipeline.product.checksums import count_values
from pipeline.product.provenance import key_of_record
from pipeline.product.reading import ProductFile
from pipeline.product.recorded import chunk_of, recorded_configuration
from pipeline.readers import open_scene
from pipeline.readers.damage import failed_to_read
from pipeline.verify.attributes import check_attributes
from pipeline.verify.checksums import check_checksums
from pipeline.verify.finding import Finding, Result, result_of
from pipeline.verify.pixels import check_pixels
from pipeline.verify.sources import find_input, find_networks
from pipeline.verify.versions import is_of_other_version, version_note, with_other_numbers

__all__ = ["Finding", "Result", "result_of", "verify_product"]

log = logging.getLogger(__name__)

SAMPLE = 1000


def verify_product(
    path: Path,
    *,
    scenes: Sequence[Path] = (),
    network_dirs: Sequence[Path] = (),
    known: Sequence[Path] = (),
    sample: int | None = SAMPLE,
    seed: int = 0,
) -> Iterator[Finding]:
    """Check a product, and yield one finding at a time.

    Args:
        path: the product.
        scenes: the input scene, or folders to search for it; the product's folder and the current
            folder are searched as well.
        network_dirs: folders to search for networks, before the folders in OCPIPE_NETWORKS.
        known: further paths of the input scene, for example those that a ledger has.
        sample: number of pixels to recompute, or None for all pixels.
        seed: seed for the random choice of pixels.

    Raises:
        SceneError: the product cannot be read, or its record cannot be that of a product.
    """
    with ProductFile(path) as product, _errors_of_record(path):
        yield from version_note(product)
        try:
            config = recorded_configuration(product)
        except SceneError as error:
            yield _not_repeated(product, str(error))
            yield from _record(product)
            return
        tally = count_values(product, chunk_of(config))
        yield from check_checksums(product, tally)
        yield from _record(product)
        source = yield from find_input(product, scenes, known)
        networks = yield from find_networks(product, config, network_dirs, source)
        if source is None or networks is None:
            return
        try:
            with (
                holding(source) as held,
                open_scene(source, config.science.reader) as opened,
            ):
                held.check()
                scene, plan = locate_and_plan(opened, source.name, config, networks)
                yield from check_attributes(product, source, held, scene, plan, tally)
                for finding in check_pixels(product, scene, plan, sample, seed):
                    yield with_other_numbers(product, finding)
                held.check()
        except PipelineError as error:
            yield _not_repeated(product, str(error))
        except OSError as error:  # errors of the product have their own class
            yield _not_repeated(product, f"{source.name}: {failed_to_read(error)}")


@contextlib.contextmanager
def _errors_of_record(path: Path) -> Iterator[None]:
    """Turn exceptions that a changed record causes into an error of this product."""
    try:
        yield
    except DAMAGE as error:
        log.debug("%s", path, exc_info=True)
        raise SceneError(
            f"{path.name}: its record does not fit its variables. The product was changed or is "
            "damaged; make it again."
        ) from error


def _not_repeated(product: ProductFile, why: str) -> Finding:
    """Return the finding if the run cannot be repeated; with another version, it may be possible.

    A product that another version made is not wrong because this version cannot repeat its run.
    """
    text = f"cannot repeat the run: {why}"
    if is_of_other_version(product):
        return Finding.not_checked("run", text)
    return Finding("run", False, text)


def _record(product: ProductFile) -> Iterator[Finding]:
    """Compare the key in the record with the key that follows from the rest of the record."""
    is_right = product.control.attributes["key"] == key_of_record(product.control)
    problem = (
        ""
        if is_right
        else (
            "the key does not follow from the recorded input, networks, configuration and version: "
            "one of them was changed after the product was written"
        )
    )
    yield Finding.of("record", problem, "input, networks and configuration fit the recorded key")
