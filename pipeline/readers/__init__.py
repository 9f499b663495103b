"""A reader opens files as scenes; each format has one module, and one table lists them all."""

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
from pipeline.errors import DAMAGE, ConfigError, SceneError, UnavailableError, UnknownFormatError
from pipeline.facts.foreign_formats import foreign_format
from pipeline.files.access import why_absent
from pipeline.readers.cf_netcdf import CfNetcdf
from pipeline.readers.container import describe_content, hdf5_members
from pipeline.readers.damage import check_size, failed_to_read, showing_hidden_failures
from pipeline.readers.geotiff import GeoTiff
from pipeline.readers.obpg_l2 import ObpgL2
from pipeline.readers.ocpipe_product import OcpipeProduct
from pipeline.readers.olci_wfr import OlciWfr
from pipeline.readers.sgli_l2 import SgliL2
from pipeline.readers.time_coverage import coverage_of_attributes
from pipeline.readers.travelling import SceneFile, to_travel
from pipeline.scene.lazy import in_dask, lazy_array_of
from pipeline.scene.scene import UNREAD, check_scene, spectral_quantities

log = logging.getLogger(__name__)


class Reader(Protocol):
    """Opens scenes of one format; the options are fixed when the reader is made."""

    def recognises(self, path: Path) -> bool:
        """Whether the file is of this format, judged by its content and never by its name."""
        ...

    def open(self, path: Path) -> xr.Dataset:
        """Open the scene lazily: only metadata is read.

        Raises:
            SceneError: the file is damaged, or lacks something that its format requires.
        """
        ...


class ReaderType(Protocol):
    """A reader class, as listed in READERS."""

    @property
    def Options(self) -> type[ReaderOptions]:  # noqa: N802 - a class
        """Class of the reader's options."""
        ...

    def __call__(self, options: Any) -> Reader:
        """Make a reader; ``options`` is an instance of ``Options``."""
        ...


# The order in which the readers check whether they recognise a file.
READERS: dict[str, ReaderType] = {
    "obpg_l2": ObpgL2,
    "sgli_l2": SgliL2,
    "olci_wfr": OlciWfr,
    "geotiff": GeoTiff,
    "ocpipe_product": OcpipeProduct,
    "cf_netcdf": CfNetcdf,
}

# Other packages add a reader by an entry point of this group; its name is that of the format.
ENTRY_POINTS = "ocpipe.readers"

AUTO = ReaderChoice()

# Largest number of characters of an error message, which may quote a file.
LONGEST_MESSAGE = 1000

# Largest number of Dask chunks along a dimension. Up to this number, one task per storage chunk is
# best.
MOST_CHUNKS = 256


def open_scene(
    path: str | Path,
    reader: "str | ReaderChoice" = AUTO,
    chunks: Mapping[str, int] | None = None,
) -> xr.Dataset:
    """Open a scene lazily, with the names and units of :mod:`pipeline.scene.scene`.

    Args:
        path: the file of the scene, or the folder if a scene of this format is a folder.
        reader: a name in READERS, or a format with options. ``auto`` recognises the format from
            the content.
        chunks: chunk sizes by dimension, to get Dask arrays; ``{}`` uses the chunks of the file.
            Without chunks, variables are read when their values are needed.

    Raises:
        UnknownFormatError: no reader recognises the content.
        SceneError: the file is missing or damaged, or lacks something that its format requires.
        ConfigError: the reader does not exist, or does not have these options.
    """
    path = Path(path)
    choice = ReaderChoice(format=reader) if isinstance(reader, str) else reader
    chosen = check_reader(choice)
    absent = why_absent(path)
    if absent is not None:
        raise SceneError(f"{path}: {absent}.")
    with _errors_naming(path, choice.format):
        name, opener = _recognised(path, choice.format, chosen)
    with _errors_naming(path, name):
        again = ReaderChoice(format=name, options=choice.options)
        file = SceneFile.of(path, again.model_dump_json())
        scene = opener.open(path)
        with contextlib.ExitStack() as on_failure:
            on_failure.callback(scene.close)
            scene.attrs["reader"] = name
            scene.attrs.update(coverage_of_attributes(scene.attrs))
            check_scene(scene)
            check_size(scene.sizes["y"], scene.sizes["x"])
            in_chunks = _in_dask_chunks(to_travel(scene, file), chunks)
            on_failure.pop_all()
        _warn_of_unread(path, scene)
        return in_chunks


@contextlib.contextmanager
def _errors_naming(path: Path, reader: str) -> Iterator[None]:
    """Turn any failure with a file into a one-line error that names the file and the reader."""
    prefix = path.name if reader == "auto" else f"{path.name} ({reader})"
    try:
        with showing_hidden_failures():
            yield
    except (SceneError, ConfigError) as error:
        text = str(error).removeprefix(f"{path}: ").removeprefix(f"{path.name}: ")
        raise type(error)(_printable(f"{prefix}: {text}")) from error
    except MemoryError as error:
        detail = f" ({error})" if str(error) else ""
        raise UnavailableError(
            f"{prefix}: there is not enough memory to open the file{detail}. Check its sizes. If "
            "they are right, free memory or use a computer with more."
        ) from error
    except (*DAMAGE, ArithmeticError) as error:
        log.debug("%s", path, exc_info=True)
        failure = failed_to_read(error)
        raise type(failure)(_printable(f"{prefix}: {failure}")) from error


def _printable(text: str) -> str:
    """Limit the length of a message, and escape control characters that it quotes from a file."""
    shown = "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text
    )
    if len(shown) <= LONGEST_MESSAGE:
        return shown
    half = LONGEST_MESSAGE // 2
    return f"{shown[:half]} ... {shown[-half:]}"


def _warn_of_unread(path: Path, scene: xr.Dataset) -> None:
    """Name the variables that the reader left out, each with the reason."""
    unread = scene.encoding.get(UNREAD, {})
    if unread:
        text = "; ".join(f"{name} is left out ({reason})" for name, reason in unread.items())
        log.warning(
            "%s",
            _printable(
                f"{path.name}: {text}. Masks and networks cannot use these variables; all "
                "other variables are read."
            ),
        )


def _in_dask_chunks(scene: xr.Dataset, chunks: Mapping[str, int] | None) -> xr.Dataset:
    """Return the scene with Dask arrays, or unchanged if no chunks are wanted.

    All variables get the chunk sizes of the first spectral quantity. In a product, they get those
    of the first variable. Very thin chunks are combined.
    """
    if chunks is None:
        return scene
    first = next(iter((*spectral_quantities(scene), *scene.data_vars)))
    layer = lazy_array_of(scene[first])
    stored = next(layer.storage((0,)), None) if layer is not None else None
    sizes = {"y": stored.lines, "x": stored.pixels} if stored is not None else {}
    sizes = {
        dim: size * -(-scene.sizes[dim] // (size * MOST_CHUNKS)) for dim, size in sizes.items()
    }
    return in_dask(scene, sizes | dict(chunks))


def check_reader(choice: ReaderChoice) -> Reader | None:
    """Return the chosen reader with its options bound; None for ``auto``.

    Raises:
        ConfigError: the reader does not exist, or does not have these options.
    """
    name = choice.format
    if name == "auto":
        return None
    if name not in READERS and name not in added_readers():
        raise ConfigError(
            f"unknown reader {name!r}; known readers are auto, {', '.join(_known())}. Correct "
            "reader.format."
        )
    reader = READERS[name] if name in READERS else added_readers()[name]
    try:
        return reader(reader.Options.model_validate(dict(choice.options)))
    except ValidationError as error:
        complaints = "; ".join(complaints_of(error, reader.Options))
        raise ConfigError(f"reader.options of {name}: {complaints}") from None


@functools.cache
def added_readers() -> dict[str, ReaderType]:
    """Return the readers that other packages add. Such a reader never replaces one in READERS."""
    found: dict[str, ReaderType] = {}
    for entry in importlib.metadata.entry_points(group=ENTRY_POINTS):
        try:
            found[entry.name] = entry.load()
        except Exception as error:
            raise ConfigError(
                f"reader {entry.name} ({entry.value}) of another package cannot be imported "
                f"({error}). Fix or remove that package."
            ) from error
    return found


def _known() -> Iterator[str]:
    """Yield the names of all readers in the order of recognition; added readers come last."""
    yield from READERS
    yield from (name for name in added_readers() if name not in READERS)


def _recognised(path: Path, name: str, chosen: Reader | None) -> tuple[str, Reader]:
    """Return the name and the reader object for a file; refuse a wrong or unknown format."""
    content = describe_content(path)  # raises if the container itself is damaged
    if chosen is not None:
        if chosen.recognises(path):
            return name, chosen
        _refuse_foreign(path)
        hint = "or give a preset or a mapping in reader.options" if name == "cf_netcdf" else ""
        raise SceneError(
            f"the file is not of this format; it is {content}. Correct reader.format, "
            f"{hint or 'or set it to auto'}."
        )
    for each in _known():
        reader = check_reader(ReaderChoice(format=each))
        with showing_hidden_failures():
            is_known = reader is not None and reader.recognises(path)
        if reader is not None and is_known:
            return each, reader
    _refuse_foreign(path)
    known = f"it is {content}. Known formats are {', '.join(_known())}. Give a file in one of them"
    if path.is_dir():
        raise UnknownFormatError(
            f"no reader recognises this folder; {known}, or the .SEN3 folder of a Sentinel-3 "
            "product."
        )
    raise UnknownFormatError(
        f"no reader recognises this file; {known}, or describe a netCDF file with reader: "
        "{format: cf_netcdf, options: {mapping: ...}}."
    )


def _refuse_foreign(path: Path) -> None:
    """Refuse a format that ocpipe knows but does not read; the message says what to do."""
    foreign = foreign_format(path, hdf5_members(path))
    if foreign is not None:
        raise UnknownFormatError(str(foreign))
