"""Checks a product against its own record.

Input and networks are checked by SHA-256, and stored numbers by checksums. Attributes are compared
with the attributes that this version would write. The float64 reference recomputes a sample of
pixels.
"""

import contextlib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.errors import DAMAGE, PipelineError, SceneError
from pipeline.files.identity import holding
from pipeline.process import locate_and_plan
from pipeline.product.reading import ProductFile
from pipeline.product.recorded import chunk_of, recorded_configuration, shown
from pipeline.readers import open_scene
from pipeline.readers.damage import failed_to_read
from pipeline.verify.attributes import check_attributes
from pipeline.verify.checksums import check_checksums, count_values
from pipeline.verify.finding import Finding
from pipeline.verify.pixels import check_pixels
from pipeline.verify.sources import find_input, find_networks
from pipeline.version import __version__

__all__ = ["Finding", "verify_product"]

log = logging.getLogger(__name__)

SAMPLE = 1000


def verify_product(
    path: Path,
    *,
    scenes: Sequence[Path] = (),
    network_dirs: Sequence[Path] = (),
    sample: int | None = SAMPLE,
    seed: int = 0,
) -> Iterator[Finding]:
    """Check a product, and yield one finding at a time.

    Args:
        path: the product.
        scenes: the input scene, or folders to search for it; the product's folder and the current
            folder are searched as well.
        network_dirs: folders to search for networks, before the folders in OCPIPE_NETWORKS.
        sample: number of pixels to recompute, or None for all pixels.
        seed: seed for the random choice of pixels.

    Raises:
        SceneError: the product cannot be read, or its record cannot be that of a product.
    """
    with ProductFile(path) as product, _errors_of_record(path):
        yield from _version(product)
        try:
            config = recorded_configuration(product)
        except SceneError as error:
            yield Finding("run", False, f"cannot repeat the run: {error}")
            return
        tally = count_values(product, chunk_of(config))
        yield from check_checksums(product, tally)
        source = yield from find_input(product, scenes)
        network_paths = yield from find_networks(product, config, network_dirs, source)
        if source is None or network_paths is None:
            return
        try:
            with (
                holding(source) as held,
                open_scene(source, config.science.reader) as opened,
            ):
                held.check()
                scene, plan = locate_and_plan(opened, source.name, config, network_paths)
                yield from check_attributes(product, source, held, scene, plan, tally)
                yield from check_pixels(product, scene, plan, sample, seed)
                held.check()
        except PipelineError as error:
            yield Finding("run", False, f"cannot repeat the run: {error}")
        except OSError as error:  # errors of the product have their own class
            text = f"{source.name}: {failed_to_read(error)}"
            yield Finding("run", False, f"cannot repeat the run: {text}")


@contextlib.contextmanager
def _errors_of_record(path: Path) -> Iterator[None]:
    """Turn failures with a changed record into an error; its text is that of the file."""
    try:
        yield
    except DAMAGE as error:
        log.debug("%s", path, exc_info=True)
        raise SceneError(
            f"{path.name}: its record does not fit its variables. The product was changed or is "
            "damaged; make it again."
        ) from error


def _version(product: ProductFile) -> Iterator[Finding]:
    made_by = product.control.attributes["software_version"]
    if made_by != __version__:
        version = shown(made_by)
        text = f"the product was made by version {version}, but this is version {__version__}; "
        advice = f"attributes may differ. Verify with version {version}."
        yield Finding("version", False, text + advice)
