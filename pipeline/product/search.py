"""Finds the products that the inputs of a command name."""

import logging
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from pipeline.config.naming import SUFFIX
from pipeline.errors import ConfigError, SceneError
from pipeline.files.inputs import Inputs, is_visible
from pipeline.product.reading import is_damaged_netcdf, is_product

log = logging.getLogger(__name__)


def find_products(inputs: Iterable[str]) -> list[Path]:
    """Return the products, each once, in the order of the inputs.

    Args:
        inputs: files, folders, patterns, ``@list`` or ``-``. A folder stands for all products in
            it, and for netCDF files that are damaged, at any depth; hidden files and folders are
            not searched. A file that is given by name or by a pattern need not be a product.

    Raises:
        ConfigError: the inputs name no file, or a list cannot be read.
    """
    search = _Products()
    found = [Path(path) for item in inputs for path in search.expanded(item)]
    if not found:
        raise ConfigError(f"no product was found: {' '.join(search.nothing)}")
    for sentence in search.nothing:
        log.warning("%s", sentence)
    return list(dict.fromkeys(found))


class _Products(Inputs):
    def __init__(self) -> None:
        self.nothing: list[str] = []
        """A sentence for each input that names no file."""

    def is_one(self, folder: str) -> bool:  # noqa: ARG002 - no folder is a product
        return False

    def empty_list(self, name: str) -> None:
        self.nothing.append(f"{name} contains no paths.")

    def unmatched(self, pattern: str, folder: str) -> None:
        where = "" if Path(folder).is_dir() else f", and there is no folder {folder}"
        self.nothing.append(f"no path matches {pattern}{where}. Correct the pattern.")

    def in_folder(self, folder: str) -> Iterator[str]:
        count = 0
        for here, folders, files in os.walk(folder):
            folders[:] = sorted(filter(is_visible, folders))
            for name in sorted(filter(is_visible, files)):
                path = Path(here, name)
                if name.endswith(SUFFIX) and _may_be_product(path):
                    count += 1
                    yield str(path)
        if not count:
            self.nothing.append(f"{folder} has no product of ocpipe.")


def _may_be_product(path: Path) -> bool:
    """Return whether a file is a product, or cannot be read so that the command must say why.

    An empty file does not look like a product any more. If it was left out, an archive with such
    files would be reported as verified.
    """
    try:
        return is_product(path) or is_damaged_netcdf(path)
    except (OSError, SceneError):
        return True
