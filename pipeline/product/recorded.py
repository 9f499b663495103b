"""Checks the record of a product before it is used.

Anybody can write a file that looks like a product. So a name in the record is only a name, never a
path; a configuration is used only if ocpipe could have recorded it; and messages quote the record
only where its text has the expected form.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pipeline.config import RunConfig, load_config
from pipeline.errors import ConfigError, SceneError
from pipeline.product.reading import ProductFile

# The blocks of a product are read one after the other, each as a whole. These limits are far above
# the default chunks (512 x 512 pixels or fewer, some hundred blocks).
MOST_PIXELS_OF_BLOCK = 2**25
MOST_BLOCKS = 250_000

_LONGEST_NAME = 255
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PLAIN = re.compile(r"[\w.:/@+() -]{1,120}")


def base_name(recorded: Any) -> str | None:
    """Return a recorded file name, or None if it is not a name of a file (for example, a path)."""
    name = str(recorded)
    is_name = name == Path(name).name and name not in ("", ".", "..") and "\0" not in name
    return name if is_name and len(name) <= _LONGEST_NAME else None


def shown_hash(recorded: Any) -> str:
    """Return a recorded SHA-256 for a message, or words if the record has another text."""
    return str(recorded) if _SHA256.fullmatch(str(recorded)) else "a text that is not a SHA-256"


def shown(name: Any) -> str:
    """Return a name from a file for a message, or words if it is not a plain name."""
    return str(name) if _PLAIN.fullmatch(str(name)) else "(a name that is not shown)"


def listed(names: Iterable[Any]) -> str:
    """Return names from a file for a message, with commas."""
    return ", ".join(shown(name) for name in names)


def recorded_configuration(product: ProductFile) -> RunConfig:
    """Return the recorded configuration, which names files but no paths.

    Raises:
        SceneError: ocpipe cannot have recorded this configuration, or this version cannot run it.
    """
    record = product.configuration
    if not set(record) <= {"name", "title", "science"}:
        raise _refused(product, "it has sections that no product records")
    try:
        config = load_config(record)
    except ConfigError:
        version = shown(product.control.attributes["software_version"])
        unknown = f"this version of ocpipe does not understand it. Use version {version}"
        raise _refused(product, unknown) from None
    problem = _problem(config, product)
    if problem is not None:
        raise _refused(product, problem)
    return config


def _problem(config: RunConfig, product: ProductFile) -> str | None:
    networks = {choice.name: choice for choice in config.science.networks}
    if set(networks) != set(product.networks):
        return "it has other networks than the record of the networks"
    files = [choice.file for choice in networks.values()]
    if any(base_name(file) is None for file in files):
        return "a network is given by a path, expected the name of a file"
    if any(choice.if_possible for choice in networks.values()):
        return "it leaves open which networks were used"
    lines, pixels = (min(c, n) for c, n in zip(chunk_of(config), product.shape, strict=True))
    blocks = -(-product.shape[0] // max(lines, 1)) * -(-product.shape[1] // max(pixels, 1))
    if lines * pixels > MOST_PIXELS_OF_BLOCK:
        return f"a block has {lines * pixels:,} pixels, expected at most {MOST_PIXELS_OF_BLOCK:,}"
    if blocks > MOST_BLOCKS:
        return f"the product has {blocks:,} blocks, expected at most {MOST_BLOCKS:,}"
    return None


def chunk_of(config: RunConfig) -> tuple[int, int]:
    """Return lines and pixels of a block; raise SceneError if the configuration lacks them."""
    chunk = config.science.output.chunk
    if chunk is None:
        raise SceneError("the recorded configuration lacks the size of the blocks (output.chunk).")
    return chunk


def _refused(product: ProductFile, problem: str) -> SceneError:
    return SceneError(
        f"{product.path.name}: the recorded configuration is not used: {problem}. If the product "
        "was not changed, make it again with this version."
    )
