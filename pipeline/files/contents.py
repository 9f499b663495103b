"""Reads files: their hashes, their sizes and times, and the plain data of YAML files."""

import codecs
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from pipeline.errors import PipelineError

MOST_YAML_BYTES = 16 * 2**20


def sha256_of(source: Path) -> str:
    """Return the SHA-256 of a file's bytes, or of the names and bytes of all files in a folder."""
    if not source.is_dir():
        with source.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    lines = (f"{path.relative_to(source).as_posix()}\0{sha256_of(path)}" for path in _files(source))
    return sha256_of_text("".join(f"{line}\n" for line in lines))


def sha256_of_text(text: str) -> str:
    """Return the SHA-256 of a text in UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()


def sha256_of_listing(files: Mapping[str, Path]) -> str:
    """Return the SHA-256 of the lines that ``sha256sum net.yaml w1.csv ...`` prints.

    Args:
        files: the files by name, in the order of the lines.
    """
    return sha256_of_text("".join(f"{sha256_of(path)}  {name}\n" for name, path in files.items()))


def identity_of(source: Path) -> tuple[int, int]:
    """Return the total size (bytes) and the time of the latest change (ns) of a file or folder."""
    found = [path.stat() for path in (_files(source) if source.is_dir() else [source])]
    return sum(s.st_size for s in found), max((s.st_mtime_ns for s in found), default=0)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def read_text(path: Path) -> str:
    """Return the text of a file without its byte order mark.

    The text is UTF-8, or UTF-16 if the mark says so (PowerShell writes UTF-16). Bytes that are not
    UTF-8 stay as surrogates, because names of files may have such bytes.
    """
    data = path.read_bytes()
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace")
    return data.decode("utf-8-sig", errors="surrogateescape")


def read_yaml(path: Path, error: type[PipelineError]) -> Any:
    """Return the content of a YAML file as plain data; dates remain text.

    Args:
        path: the file.
        error: the class of error to raise.

    Raises:
        PipelineError: the file cannot be read, is too large, is not YAML, or contains an alias or a
            repeated key. This exception has the class ``error``.
    """
    try:
        size = path.stat().st_size
        if size > MOST_YAML_BYTES:
            raise error(
                f"{path.name} has {size:,} bytes, but a YAML file may have at most "
                f"{MOST_YAML_BYTES:,} bytes. Choose another file."
            )
        return yaml.load(path.read_text(encoding="utf-8"), _StrictLoader)  # noqa: S506
    # A text that is not UTF-8 is a ValueError.
    except (yaml.YAMLError, ValueError, RecursionError) as mistake:
        text = " ".join(str(mistake).split())
        raise error(f"{path.name} is not valid YAML: {text}. Correct the file.") from None
    except OSError as mistake:
        raise error(f"{path} cannot be read: {mistake.strerror}. Check the path.") from None


class _StrictLoader(yaml.SafeLoader):
    """YAML's safe loader without dates; it refuses aliases and repeated keys."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - as the base class has it
        first: [entry for entry in entries if entry[0] != "tag:yaml.org,2002:timestamp"]
        for first, entries in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            # A few aliases of aliases can stand for more data than fit into memory.
            line = self.peek_event().start_mark.line + 1  # type: ignore[no-untyped-call]
            raise yaml.YAMLError(f"an alias (line {line}) is not allowed; write out its content")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        lines: dict[str, int] = {}
        for key, _ in node.value:
            # The base class refuses keys that are lists or mappings.
            if isinstance(key, yaml.ScalarNode):
                line = key.start_mark.line + 1
                if key.value in lines:
                    both = f"lines {lines[key.value]} and {line}"
                    raise yaml.YAMLError(f"key {key.value!r} appears twice ({both})")
                lines[key.value] = line
        return super().construct_mapping(node, deep)
