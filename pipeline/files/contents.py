"""Reads files: their hashes, their text, and the plain data of YAML files."""

import codecs
import contextlib
import hashlib
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from pipeline.errors import DAMAGE, ConfigError, PipelineError
from pipeline.files.identity import files_of, sha256_of_folder
from pipeline.files.limits import TEXT_BYTES, YAML_BYTES, YAML_VALUES, Limit
from pipeline.files.regular import memory_in_words, open_regular

# Longer numbers are not used in practice, and PyYAML needs hours for some of them.
LONGEST_NUMBER = 100


def sha256_of(source: Path, error: type[PipelineError] = PipelineError) -> str:
    """Return the SHA-256 of a file's bytes, or of the names and bytes of all files in a folder.

    Raises:
        PipelineError: the source is neither a regular file nor a folder. This exception has the
            class ``error``.
    """
    if not source.is_dir():
        with open_regular(source, error) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    return sha256_of_folder((name, sha256_of(path, error)) for name, path in files_of(source))


def sha256_of_text(text: str) -> str:
    """Return the SHA-256 of a text in UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()


def sha256_of_listing(files: Mapping[str, Path], error: type[PipelineError] = PipelineError) -> str:
    """Return the SHA-256 of the lines that ``sha256sum net.yaml w1.csv ...`` prints.

    Args:
        files: the files by name, in the order of the lines.
        error: the class of error to raise if one of them is not a regular file.
    """
    lines = (f"{sha256_of(path, error)}  {name}\n" for name, path in files.items())
    return sha256_of_text("".join(lines))


def read_bytes(path: Path, limit: Limit, error: type[PipelineError]) -> bytes:
    """Return the bytes of a regular file.

    Args:
        path: the file.
        limit: largest number of bytes that are read.
        error: the class of error to raise.

    Raises:
        PipelineError: the file is not a regular file, or is too large. This exception has the class
            ``error``.
        OSError: the file cannot be read.
    """
    with open_regular(path, error) as file, memory_in_words(path.name, error):
        # A file may grow while it is read, and files in /proc have no size.
        content = file.read(limit.most + 1)
        limit.check(max(len(content), _size(file, len(content))), path.name, error)
        return content


def _size(file: io.BufferedReader, read: int) -> int:
    return os.fstat(file.fileno()).st_size if read else 0


def read_text(
    path: Path, error: type[PipelineError] = ConfigError, limit: Limit = TEXT_BYTES
) -> str:
    """Return the text of a file without its byte order mark.

    The text is UTF-8, or UTF-16 if the mark says so (PowerShell writes UTF-16). Bytes that are not
    UTF-8 stay as surrogates, because names of files may have such bytes. The errors are those of
    :func:`read_bytes`.
    """
    data = read_bytes(path, limit, error)
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
        text = read_bytes(path, YAML_BYTES, error).decode("utf-8")
        _check_values(text, path.name, error)
        loader = _StrictLoader(text)
        loader.path, loader.error, loader.most = path, error, YAML_VALUES.most
        with memory_in_words(path.name, error):
            return loader.get_single_data()
    except OSError as mistake:
        raise error(f"{path} cannot be read: {mistake.strerror}. Check the path.") from None
    except (yaml.YAMLError, ValueError, RecursionError) as mistake:
        found = " ".join(str(mistake).split())
        raise error(f"{path.name} is not valid YAML: {found}. Correct the file.") from None
    # PyYAML raises the other errors for a tag whose text does not fit, such as !!bool 17.
    except (ArithmeticError, *DAMAGE) as mistake:
        found = f"a value does not fit its tag ({type(mistake).__name__}: {mistake})"
        raise error(f"{path.name} is not valid YAML: {found}. Correct the file.") from None


def _check_values(text: str, name: str, error: type[PipelineError]) -> None:
    """Refuse a text with too many values; libyaml counts them fifty times faster than PyYAML."""
    most, count = YAML_VALUES.most, 0
    if len(text) < most or not hasattr(yaml, "CLoader"):
        return
    with contextlib.suppress(yaml.YAMLError):  # PyYAML explains the mistake better
        for event in yaml.parse(text, Loader=yaml.CLoader):
            count += isinstance(event, yaml.NodeEvent)
            if count > most:
                YAML_VALUES.check(count, name, error)


class _StrictLoader(yaml.SafeLoader):
    """YAML's safe loader without dates; it refuses aliases, repeated keys and too many values."""

    path: Path
    error: type[PipelineError]
    most: int
    values = 0

    yaml_implicit_resolvers = {  # noqa: RUF012 - as the base class has it
        first: [entry for entry in entries if entry[0] != "tag:yaml.org,2002:timestamp"]
        for first, entries in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            # A few aliases of aliases can stand for more data than fit into memory.
            line = self.peek_event().start_mark.line + 1  # type: ignore[no-untyped-call]
            raise yaml.YAMLError(f"an alias (line {line}) is not allowed; write out its content")
        self.values += 1
        if self.values > self.most:
            YAML_VALUES.check(self.values, self.path.name, self.error)
        return super().compose_node(parent, index)

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        return super().construct_yaml_int(_short(node))

    def construct_yaml_float(self, node: yaml.ScalarNode) -> float:
        return super().construct_yaml_float(_short(node))

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


def _short(node: yaml.ScalarNode) -> yaml.ScalarNode:
    """Refuse a number that is far too long; YAML reads 1:1:1 ... as a number with base 60."""
    if len(node.value) > LONGEST_NUMBER:
        line = node.start_mark.line + 1
        raise yaml.YAMLError(
            f"the number in line {line} has {len(node.value):,} characters, expected at most "
            f"{LONGEST_NUMBER}"
        )
    return node


_StrictLoader.add_constructor("tag:yaml.org,2002:int", _StrictLoader.construct_yaml_int)
_StrictLoader.add_constructor("tag:yaml.org,2002:float", _StrictLoader.construct_yaml_float)
