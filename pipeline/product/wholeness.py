"""Finds products that were changed or damaged after they were written."""

from pathlib import Path

from pipeline.errors import DAMAGE, SceneError, UnavailableError
from pipeline.product.checksums import changed_variables, count_values
from pipeline.product.reading import ProductFile
from pipeline.product.recorded import chunk_of, recorded_configuration


def is_unchanged(path: Path) -> bool:
    """Return whether all numbers of a product have their recorded checksums.

    Raises:
        UnavailableError: the product cannot be read now.
    """
    try:
        with ProductFile(path) as product:
            chunk = chunk_of(recorded_configuration(product))
            return not changed_variables(product, count_values(product, chunk))
    except UnavailableError:
        raise
    except (SceneError, *DAMAGE):
        return False
