"""Write the folder of a training, a capacity study or a search."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from pipeline.errors import OutputError
from pipeline.files.replacing import replace_file
from pipeline.machine.refusal import said_of


def write_folder(folder: Path, contents: Mapping[str, str | bytes]) -> None:
    """Write one file for each name in ``contents``; a file appears only when it is complete.

    Raises:
        OutputError: a file cannot be written.
    """
    for name, content in contents.items():
        replace_file(folder / name, content.encode() if isinstance(content, str) else content)


def forget(folder: Path) -> None:
    """Remove the folder or file of an earlier call; if it is a link, remove only the link.

    Raises:
        OutputError: it cannot be removed.
    """
    try:
        if folder.is_dir() and not folder.is_symlink():
            shutil.rmtree(folder)
        else:
            folder.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be removed ({said_of(error)}). Remove it, or choose another output "
            "folder."
        ) from error


def yaml_text(data: Mapping[str, Any]) -> str:
    """Return plain data as YAML text; the keys keep their order."""
    text: str = yaml.safe_dump(dict(data), sort_keys=False, allow_unicode=True)
    return text
