"""Finds the tables of points: one file, or all files of a folder, a pattern or a list."""

import glob
from pathlib import Path

from pipeline.errors import ConfigError
from pipeline.files.contents import read_text


def point_files(said: Path | str) -> list[Path]:
    """Return the files that a path, a folder, a pattern or an ``@list`` names, sorted by path.

    Raises:
        ConfigError: there is no such file.
    """
    text = str(said)
    path = Path(said)
    if path.is_file():
        return [path]
    if path.is_dir():
        found = [file for file in path.iterdir() if file.is_file() and file.name[0] != "."]
    elif text.startswith("@"):
        found = _listed(Path(text[1:]))
    else:
        found = [Path(file) for file in glob.glob(text, recursive=True) if Path(file).is_file()]  # noqa: PTH207 - a pattern may be absolute
    if not found:
        raise ConfigError(
            f"{text}: no such file. Expected a file, a folder with files, a pattern that fits "
            "files, or an @list. Correct POINTS."
        )
    return sorted(found)


def _listed(path: Path) -> list[Path]:
    try:
        lines = read_text(path).splitlines()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}). Correct POINTS.") from None
    return [Path(line.strip()) for line in lines if line.strip() and not line.startswith("#")]
