"""How a product gets to its place: which, whether it may, and under which name meanwhile.

None of it leaves a trace in the product but the date it bears.
"""

import contextlib
import datetime
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.config import IfExists, RunConfig
from pipeline.config.naming import NameTemplate
from pipeline.errors import ConfigError, OutputError, ProductExistsError, WriteError
from pipeline.machine.resources import in_words


@dataclass(frozen=True)
class Delivery:
    """Of one product."""

    folder: Path
    """Where products go."""
    template: NameTemplate
    config_name: str
    makes_folder: bool = True
    """Whether the folder is made; a batch's must be there, for one that vanished was unmounted."""
    if_exists: IfExists = "overwrite"
    owned: Path | None = None
    """A product that may be replaced in any case: an earlier one of this scene."""
    spare: int | None = None
    """Bytes that must be free beside the product's own; None for no check."""
    lease: str = ""
    """Part of the temporary name, by which a batch knows what a dead process has left."""
    first_seen: int | None = None
    """Seconds since 1970, the date that the product bears; None for now."""
    announce: Callable[[Path], None] = lambda _: None
    """Told the path before anything is written there; may refuse."""

    @classmethod
    def of(cls, config: RunConfig, **how: Any) -> "Delivery":
        """As a configuration says, and otherwise as given."""
        execution = config.execution
        return cls(execution.output, NameTemplate(execution.product), config.name, **how)

    def check(self, source: Path) -> None:
        """Refuse a product in the folder of its scene, which would change that scene.

        Raises:
            WriteError: it would be there.
        """
        folder = self.folder.resolve()
        if source.is_dir() and folder.is_relative_to(source.resolve()):
            raise WriteError(
                f"{self.folder} is inside the scene's own folder {source.name}. Choose another "
                "output folder."
            )

    def target(self, source: Path, scene: Mapping[str, Any]) -> Path:
        """The path of the product.

        Args:
            source: the file of the scene.
            scene: the scene's attributes.

        Raises:
            SceneError: the scene does not say what the name needs.
            ProductExistsError: there is a file already, which stays.
            WriteError: there is a file already, and that is an error.
        """
        target = self.folder / self.template.fill(named(source), self.config_name, scene)
        if self.if_exists != "overwrite" and target != self.owned and target.exists():
            if self.if_exists == "skip":
                raise ProductExistsError(f"{target} is there already; it was kept.")
            raise WriteError(
                f"{target} is there already. Move it away, or choose --if-exists overwrite or skip."
            )
        self.announce(target)
        return target

    def prepare(self, target: Path, nbytes: int) -> None:
        """Make the folder, and see that there is room for about so many bytes.

        Raises:
            OutputError: the folder cannot be made, or the disk is full.
        """
        if self.makes_folder:
            make_folder(self.folder)
        else:
            check_folder(self.folder)
        if target.parent != self.folder:
            make_folder(target.parent)
        if self.spare is not None:
            check_space(target.parent, nbytes + self.spare)


def check_folder(folder: Path) -> None:
    """See that a folder that was there still is.

    Raises:
        OutputError: it is not.
    """
    if not folder.is_dir():
        raise OutputError(
            f"{folder}: the output folder is not there any more. Mount it or bring it back, then "
            "start the batch again."
        )


def check_space(folder: Path, nbytes: int) -> None:
    """See that so many bytes are free.

    Raises:
        OutputError: they are not, or the folder cannot be reached.
    """
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise OutputError(f"{folder}: cannot be reached ({error.strerror}).") from error
    if free < nbytes:
        raise OutputError(
            f"{folder}: {in_words(free)} are free, about {in_words(nbytes)} are needed. Free "
            "space, or choose another output folder."
        )


def check_writable(folder: Path, spare: int) -> None:
    """See that files can be made in the output folder, and that there is some room.

    Raises:
        OutputError: they cannot be made.
    """
    check_space(folder, spare)
    probe = folder / f".ocpipe-probe-{os.getpid()}-{threading.get_ident()}"
    try:
        with probe.open("wb") as file:
            file.write(b"\0" * 4096)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise OutputError(
            f"{folder}: no file can be made there ({error.strerror}). Choose another output folder."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            probe.unlink()


def make_folder(folder: Path) -> None:
    """Make a folder for products, with those above it.

    Raises:
        OutputError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise OutputError(
            f"{folder} is a file, not a folder. Choose another output folder."
        ) from None
    except OSError as error:
        raise OutputError(
            f"{folder}: the output folder cannot be made: {error.strerror}. Choose another one."
        ) from error


def product_path(source: Path, config: RunConfig) -> Path | None:
    """Where the product of a scene goes; None where only the scene can tell."""
    template = NameTemplate(config.execution.product)
    if template.needs_scene:
        return None
    return config.execution.output / template.fill(named(source), config.name)


def check_distinct(sources: Iterable[str | Path], config: RunConfig) -> None:
    """Refuse scenes whose products would have the same name, before any work.

    Raises:
        ConfigError: two scenes have the same file name.
    """
    first: dict[Path, Path] = {}
    for source in map(Path, sources):
        target = product_path(source, config)
        if target is None:
            return
        other = first.setdefault(target, source)
        if other is not source:
            raise ConfigError(
                f"{other} and {source} would both become {target.name}. Run them separately, into "
                "different output folders, or name products by folder, too "
                "(execution.product: '{parent}/{stem}.{name}.nc')."
            )


def named(source: str | Path) -> Path:
    """The path of a scene with its name, also where it was given as ``.``."""
    path = Path(source)
    has_name = path.name not in ("", "..")
    return path if has_name else Path(os.path.abspath(path))  # noqa: PTH100 - links keep their name


def creation_time(first_seen: int | None = None) -> datetime.datetime:
    """SOURCE_DATE_EPOCH where it is set, so that a run can be repeated to the byte, else now.

    Args:
        first_seen: instead of now, in seconds since 1970: a batch states when it first saw a scene,
            so that a scene that is done again after a failure becomes the same file.

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
            f"SOURCE_DATE_EPOCH is {epoch!r}, expected seconds since 1970. Correct or unset it."
        ) from None
