"""File -> scene: one format per file, one table of them all."""

import contextlib
import functools
import importlib.metadata
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import xarray as xr
from pydantic import ValidationError

from pipeline.config import ReaderChoice, ReaderOptions, complaints_of
from pipeline.errors import DAMAGE, ConfigError, SceneError, UnknownFormatError
from pipeline.readers.cf_netcdf import CfNetcdf
from pipeline.readers.chunk_cache import ChunkCache
from pipeline.readers.container import describe_content
from pipeline.readers.geotiff import GeoTiff
from pipeline.readers.obpg_l2 import ObpgL2
from pipeline.readers.olci_wfr import OlciWfr
from pipeline.readers.sgli_l2 import SgliL2
from pipeline.readers.stored import check_size
from pipeline.scene.lazy import source_of
from pipeline.scene.scene import check_scene, spectral_quantities

log = logging.getLogger(__name__)


class Reader(Protocol):
    """Opens the scenes of one format; its options are bound when it is made."""

    def recognises(self, path: Path) -> bool:
        """Whether the content (never the name) is of this format."""
        ...

    def open(self, path: Path) -> xr.Dataset:
        """The scene, lazily: nothing but metadata is read."""
        ...


class ReaderType(Protocol):
    """A class of READERS."""

    @property
    def Options(self) -> type[ReaderOptions]:  # noqa: N802 - a class
        """What its options are."""
        ...

    def __call__(self, options: Any) -> Reader:
        """A reader with these options, which are of its ``Options``."""
        ...


# In the order in which they are asked whether they recognise a file.
READERS: dict[str, ReaderType] = {
    "obpg_l2": ObpgL2,
    "sgli_l2": SgliL2,
    "olci_wfr": OlciWfr,
    "geotiff": GeoTiff,
    "cf_netcdf": CfNetcdf,
}

# Packages of others add readers by an entry point of this group: its name, and the class.
ENTRY_POINTS = "ocpipe.readers"

AUTO = ReaderChoice()

# Characters of a message, which may quote a file.
LONGEST_MESSAGE = 1000

# Dask chunks along a dimension: tasks of one storage chunk are best until they get too many.
MOST_CHUNKS = 256


def open_scene(
    path: str | Path,
    reader: "str | ReaderChoice" = AUTO,
    chunks: Mapping[str, int] | None = None,
) -> xr.Dataset:
    """Open a scene lazily, in the names and units of :mod:`pipeline.scene.scene`.

    Args:
        path: the file (or, where the format is one, the folder) of the scene.
        reader: a name in READERS, ``auto`` to recognise the format from the content, or a choice
            with options.
        chunks: for Dask arrays, the sizes of their chunks along dimensions; ``{}`` for those of
            the file. Without it variables are read where their values are asked for.

    Raises:
        UnknownFormatError: no reader recognises the content.
        SceneError: the file is missing or broken, or not what its format promises.
        ConfigError: there is no reader of that name, or it has no such options.
    """
    path = Path(path)
    choice = ReaderChoice(format=reader) if isinstance(reader, str) else reader
    check_reader(choice)
    if not path.exists():
        raise SceneError(f"{path}: no such file. Check the path.")
    with _named(path):
        name = _recognise(path) if choice.format == "auto" else choice.format
    with _named(path, f" ({name})"):
        if choice.format != "auto":
            _check_format(path, name, choice.options)
        scene = _make(name, choice.options).open(path)
        with contextlib.ExitStack() as on_failure:
            on_failure.callback(scene.close)
            scene.attrs["reader"] = name
            check_scene(scene)
            check_size(scene.sizes["y"], scene.sizes["x"])
            in_chunks = _in_dask_chunks(scene, chunks)
            on_failure.pop_all()
        return in_chunks


@contextlib.contextmanager
def _named(path: Path, reader: str = "") -> Iterator[None]:
    """What goes wrong with a file as an error of one line that names it."""
    try:
        yield
    except (SceneError, ConfigError) as error:
        said = str(error).removeprefix(f"{path}: ").removeprefix(f"{path.name}: ")
        raise type(error)(_printable(f"{path.name}{reader}: {said}")) from error
    except (*DAMAGE, ArithmeticError) as error:
        log.debug("%s", path, exc_info=True)
        said = str(error.args[0] if isinstance(error, KeyError) and error.args else error)
        damaged = f"cannot be read ({said}). The file is damaged; fetch it again."
        raise SceneError(_printable(f"{path.name}{reader}: {damaged}")) from error


def _printable(text: str) -> str:
    """Without what a file may hold to move the cursor of a terminal, and not without end."""
    shown = "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text
    )
    if len(shown) <= LONGEST_MESSAGE:
        return shown
    half = LONGEST_MESSAGE // 2
    return f"{shown[:half]} ... {shown[-half:]}"


def chunk_caches(scene: xr.Dataset) -> list[ChunkCache]:
    """Where the storage chunks of an opened scene are kept while they are needed."""
    return list(scene.encoding.get("chunk_caches", ()))


def _in_dask_chunks(scene: xr.Dataset, chunks: Mapping[str, int] | None) -> xr.Dataset:
    """The scene with its variables as Dask arrays; as it is where no chunks are wanted.

    All have the chunks in which the first spectral quantity is stored, of very thin ones several
    together.
    """
    if chunks is None:
        return scene
    source = source_of(scene[spectral_quantities(scene)[0]])
    stored = next(source.storage((0,)), None) if source is not None else None
    sizes = {"y": stored.lines, "x": stored.pixels} if stored is not None else {}
    sizes = {
        dim: size * -(-scene.sizes[dim] // (size * MOST_CHUNKS)) for dim, size in sizes.items()
    }
    return scene.chunk(sizes | dict(chunks))


def check_reader(choice: ReaderChoice) -> None:
    """Refuse what is neither ``auto`` nor in READERS, and options that the reader does not have.

    Raises:
        ConfigError: there is no such reader, or no such option.
    """
    if choice.format not in ("auto", *READERS) and choice.format not in added_readers():
        raise ConfigError(
            f"unknown reader {choice.format!r}; known are auto, {', '.join(_known())}. "
            "Correct reader.format."
        )
    if choice.format != "auto":
        _make(choice.format, choice.options)


@functools.cache
def added_readers() -> dict[str, ReaderType]:
    """The readers that other packages add; those of READERS come first.

    Raises:
        ConfigError: one of them cannot be imported.
    """
    found: dict[str, ReaderType] = {}
    for entry in importlib.metadata.entry_points(group=ENTRY_POINTS):
        try:
            found[entry.name] = entry.load()
        except Exception as error:
            raise ConfigError(
                f"reader {entry.name} ({entry.value}) of another package cannot be imported "
                f"({error}). Mend or remove that package."
            ) from error
    return found


def _known() -> Iterator[str]:
    """In the order in which they are asked; other packages are looked for when it is their turn."""
    yield from READERS
    yield from (name for name in added_readers() if name not in READERS)


def _make(name: str, options: Mapping[str, Any]) -> Reader:
    """A reader with its options bound.

    Raises:
        ConfigError: it has no such options.
    """
    reader = READERS[name] if name in READERS else added_readers()[name]
    try:
        return reader(reader.Options.model_validate(dict(options)))
    except ValidationError as error:
        complaints = "; ".join(complaints_of(error, reader.Options))
        raise ConfigError(f"reader.options of {name}: {complaints}") from None


def _check_format(path: Path, name: str, options: Mapping[str, Any]) -> None:
    content = describe_content(path)
    if not _make(name, options).recognises(path):
        hint = "name a preset or give a mapping in its options" if name == "cf_netcdf" else ""
        raise SceneError(
            f"the file is not of this format: it is {content}. Correct reader.format, "
            f"{hint or 'or set it to auto'}."
        )


def _recognise(path: Path) -> str:
    content = describe_content(path)  # raises where the container itself is broken
    for name in _known():
        if _make(name, {}).recognises(path):
            return name
    raise UnknownFormatError(
        f"{path}: no reader recognises this file: it is {content}. Known formats are "
        f"{', '.join(_known())}. Give a file of one of them, or describe a netCDF file with "
        "reader: {format: cf_netcdf, options: {mapping: ...}}."
    )
