"""File -> scene: one format per file, one table of them all."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import xarray as xr

from pipeline.errors import DAMAGE, ConfigError, SceneError, UnknownFormatError
from pipeline.readers.container import describe_content
from pipeline.readers.obpg_l2 import ObpgL2
from pipeline.scene import check_scene

log = logging.getLogger(__name__)


class Reader(Protocol):
    """Opens the scenes of one format; its options are bound when it is made."""

    def recognises(self, path: Path) -> bool:
        """Whether the content (never the name) is of this format."""
        ...

    def open(self, path: Path) -> xr.Dataset:
        """The scene, lazily: nothing but metadata is read."""
        ...


READERS: dict[str, Callable[[], Reader]] = {
    "obpg_l2": ObpgL2,
}


def open_scene(path: str | Path, reader: str = "auto") -> xr.Dataset:
    """Open a scene lazily, in the names and units of :mod:`pipeline.scene`.

    Args:
        path: the file of the scene.
        reader: a name in READERS, or ``auto`` to recognise the format from the content.

    Raises:
        UnknownFormatError: no reader recognises the content.
        SceneError: the file is missing or broken, or not what its format promises.
        ConfigError: there is no reader of that name.
    """
    path = Path(path)
    check_reader_name(reader)
    if not path.exists():
        raise SceneError(f"{path}: no such file. Check the path.")
    name = _recognise(path) if reader == "auto" else reader
    try:
        if reader != "auto":
            _check_format(path, name)
        scene = READERS[name]().open(path)
        scene.attrs["reader"] = name
        return check_scene(scene)
    except SceneError as error:
        raise SceneError(f"{path.name} ({name}): {error}") from error
    except DAMAGE as error:
        log.debug("%s", path, exc_info=True)
        raise SceneError(
            f"{path.name} ({name}): cannot be read ({error}). The file is damaged; fetch it again."
        ) from error


def check_reader_name(name: str) -> None:
    """Refuse what is neither ``auto`` nor in READERS.

    Raises:
        ConfigError: there is no such reader.
    """
    if name not in ("auto", *READERS):
        raise ConfigError(
            f"unknown reader {name!r}; known are auto, {', '.join(READERS)}. Correct reader.format."
        )


def _check_format(path: Path, name: str) -> None:
    content = describe_content(path)
    if not READERS[name]().recognises(path):
        raise SceneError(
            f"the file is not of this format: it is {content}. Correct reader.format, or set it "
            "to auto."
        )


def _recognise(path: Path) -> str:
    content = describe_content(path)  # raises where the container itself is broken
    for name, make in READERS.items():
        if make().recognises(path):
            return name
    raise UnknownFormatError(
        f"{path}: no reader recognises this file: it is {content}. "
        f"Known formats are {', '.join(READERS)}. Give a file of one of them."
    )
