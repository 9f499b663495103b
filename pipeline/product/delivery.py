"""Decides where a product is written and whether it may be written there, and its temporary name.

The date is the only part of a delivery that is recorded in the product.
"""

import contextlib
import datetime
import os
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.config import RunConfig
from pipeline.config.batch import IfExists
from pipeline.config.naming import NameTemplate
from pipeline.errors import ConfigError, OutputError, ProductExistsError, SceneError, WriteError
from pipeline.files.access import address_of
from pipeline.machine.refusal import said_of
from pipeline.machine.resources import in_words
from pipeline.stopping import half_written

STORE_ENDINGS = (".zarr",)
# Endings of files. A folder of products must not have such an ending.
FILE_ENDINGS = (
    *STORE_ENDINGS, ".nc", ".nc4", ".cdf", ".h5", ".hdf", ".hdf5", ".he5", ".tif", ".tiff", ".cog",
    ".png", ".jpg", ".csv", ".txt", ".parquet", ".zip", ".tar", ".gz", ".yaml", ".yml", ".json",
    ".dim", ".safe", ".sen3",
)  # fmt: skip


@dataclass(frozen=True)
class Delivery:
    """How one product is written."""

    folder: Path
    """Output folder."""
    template: NameTemplate
    config_name: str
    makes_folder: bool = True
    """True if a missing folder is created; False in a batch, because a disk may be unmounted."""
    if_exists: IfExists = "overwrite"
    owned: Path | None = None
    """Path of an earlier product of this scene; this product may always be replaced."""
    spare: int | None = None
    """Bytes that must stay free after the product is written; None if space is not checked."""
    lease: str = ""
    """Part of the temporary name; a batch uses it to find the files of a dead process."""
    first_seen: int | None = None
    """Date of the product in seconds since 1970; if None, the present time is used."""
    created: datetime.datetime | None = None
    """Date of a product that is made again; with it, no other date is used."""
    announce: Callable[[Path], None] = lambda _: None
    """Called with the path of the product before writing begins; may raise an error."""

    @classmethod
    def of(cls, config: RunConfig, **how: Any) -> "Delivery":
        """Return a delivery; folder and names are from ``config``, other fields from ``how``."""
        execution = config.execution
        return cls(execution.output, NameTemplate(execution.product), config.name, **how)

    @property
    def date(self) -> datetime.datetime:
        """The date of the product.

        Raises:
            ConfigError: SOURCE_DATE_EPOCH is needed, and is not a number of seconds.
        """
        return self.created or creation_time(self.first_seen)

    def check(self, source: Path) -> None:
        """Raise an error if the output cannot be a folder, or is inside the scene's own folder."""
        check_is_folder(self.folder)
        folder = self.folder.resolve()
        if source.is_dir() and folder.is_relative_to(source.resolve()):
            raise WriteError(
                f"{self.folder} is inside the scene's own folder {source.name}. Choose another "
                "output folder."
            )

    def target(self, source: Path, scene: Mapping[str, Any]) -> Path:
        """Return the path of a product; ``scene`` has the attributes of the scene file.

        Raises:
            SceneError: the scene lacks an attribute that is part of the product's name.
            ProductExistsError: the file exists, and the configuration says to keep it.
            WriteError: the file exists, and the configuration says that this is an error; or a link
                leads out of the output folder.
        """
        target = self.folder / self.template.fill(source, self.config_name, scene)
        check_within(self.folder, target)
        if self.if_exists != "overwrite" and target != self.owned and target.exists():
            if self.if_exists == "skip":
                raise ProductExistsError(f"{target} already exists; it was kept.")
            raise WriteError(
                f"{target} already exists. Move it away, or choose --if-exists overwrite or skip."
            )
        self.announce(target)
        return target

    def prepare(self, target: Path, nbytes: int) -> None:
        """Create the folder; raise OutputError if it has no room for about ``nbytes`` bytes."""
        if self.makes_folder:
            make_folder(self.folder)
        else:
            check_folder(self.folder)
        if target.parent != self.folder:
            make_folder(target.parent)
        if self.spare is not None:
            check_space(target.parent, nbytes + self.spare)


def check_within(folder: Path, target: Path) -> None:
    """Raise WriteError if a subfolder in the path of ``target`` is a link that leads out."""
    if target.parent == folder:
        return
    try:
        is_within = target.parent.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):  # links that lead to each other
        is_within = False
    if not is_within:
        raise WriteError(
            f"{target.parent}: a link leads out of the output folder {folder}. Remove the link, or "
            "give the folder to which it leads as the output folder."
        )


def check_is_folder(output: Path) -> None:
    """Raise ConfigError for an output that is the name of a file, a Zarr store or an address."""
    scheme = address_of(output)
    if scheme is not None and not output.is_dir():
        raise ConfigError(
            f"{output}: this is an address ({scheme}), expected a folder on this machine for the "
            "products. Give a folder on this machine, then copy the products to the address."
        )
    ending = output.suffix.lower()
    if ending in FILE_ENDINGS and (ending in STORE_ENDINGS or not output.is_dir()):
        raise ConfigError(
            f"{output}: expected a folder for the products, but {output.suffix} is the ending of a "
            "file. Give a folder; to choose the names of the products in it, set execution.product."
            " If a folder of this name is meant, create it first."
            if ending not in STORE_ENDINGS
            else f"{output}: expected a folder for the products, but {output.suffix} is the ending "
            "of a Zarr store. Products are netCDF files; give another folder."
        )


def check_folder(folder: Path) -> None:
    """Raise OutputError if the output folder no longer exists."""
    if not folder.is_dir():
        raise OutputError(
            f"{folder}: the output folder no longer exists. Mount it or create it, then start the "
            "batch again."
        )


def check_space(folder: Path, nbytes: int, why: str = "are needed") -> None:
    """Raise OutputError if fewer than ``nbytes`` bytes are free or the folder cannot be reached."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        check_folder(folder)
        raise OutputError(
            f"{folder}: the folder cannot be reached ({said_of(error)}). Check its disk."
        ) from error
    if free < nbytes:
        raise OutputError(
            f"{folder}: only {in_words(free)} are free, but about {in_words(nbytes)} {why}. "
            "Free some space, or choose another output folder."
        )


def check_writable(folder: Path, spare: int) -> None:
    """Raise OutputError if files cannot be created or fewer than ``spare`` bytes are free."""
    check_space(folder, spare, "must stay free (batch.min_free_space)")
    # All calls use the same name. So if a file could not be removed, the next call removes it.
    probe = folder / ".ocpipe-probe"
    try:
        if probe.is_symlink():
            probe.unlink()
        with half_written(probe), open(probe, "wb", opener=_no_link) as file:
            file.write(b"\0" * 4096)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot create files there ({said_of(error)}). Make the folder and its disk "
            "writable, or choose another output folder."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            probe.unlink()


def _no_link(path: str, flags: int) -> int:
    """Open a file; raise an OSError if it is a link, or a named pipe without a reader."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)


def make_folder(folder: Path) -> None:
    """Create an output folder and its parents; raise OutputError if that is impossible."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise OutputError(
            f"{folder} is a file, not a folder. Choose another output folder."
        ) from None
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot create the output folder ({said_of(error)}). Choose another one."
        ) from error


def check_distinct(sources: Iterable[str | Path], config: RunConfig) -> None:
    """Raise ConfigError if two products would have the same name.

    Names that depend on attributes in the scene file are not checked.
    """
    template = NameTemplate(config.execution.product)
    if template.needs_scene:
        return
    first: dict[str, Path] = {}
    for source in map(Path, sources):
        try:
            target = template.fill(source, config.name)
        except SceneError:
            continue  # reported when it is this scene's turn
        other = first.setdefault(target, source)
        if other is not source:
            raise ConfigError(
                f"the products of {other} and {source} would both be named {Path(target).name}. "
                "Process the scenes separately with different output folders, or put the folder "
                "into the product name (execution.product: '{parent}/{stem}.{name}.nc')."
            )


def creation_time(first_seen: int | None = None) -> datetime.datetime:
    """Return the date of a product: SOURCE_DATE_EPOCH if set, else ``first_seen``, else now.

    Args:
        first_seen: time (seconds since 1970) at which a batch first saw the scene. With this time,
            a scene that is processed again after a failure gives the same file.

    Raises:
        ConfigError: SOURCE_DATE_EPOCH is not a number of seconds.
    """
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if epoch is None:
        seen = time.time() if first_seen is None else first_seen
        return datetime.datetime.fromtimestamp(seen, datetime.UTC)
    try:
        return datetime.datetime.fromtimestamp(int(epoch), datetime.UTC)
    except (ValueError, OverflowError, OSError):
        raise ConfigError(
            f"SOURCE_DATE_EPOCH is {epoch!r}, expected seconds since 1970. Correct the "
            "variable, or unset it."
        ) from None
