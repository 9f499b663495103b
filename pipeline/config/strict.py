"""What every configuration shares: YAML in which nothing is said twice, and complaints in words."""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.errors import ConfigError


class Strict(BaseModel):
    """Frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _UniqueKeyLoader(yaml.SafeLoader):
    """YAML's safe loader, which also refuses a key that appears twice in one mapping.

    It refuses aliases, too: a few of them can stand for more data than there is memory.
    """

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            line = self.peek_event().start_mark.line + 1  # type: ignore[no-untyped-call]
            raise yaml.YAMLError(f"an alias (*) is not allowed (line {line}); write it out")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        for key_node, _ in node.value:
            if keys.count(key_node.value) > 1:
                line = key_node.start_mark.line + 1
                raise yaml.YAMLError(f"key {key_node.value!r} appears twice (line {line})")
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> Mapping[str, Any]:
    """The mapping in a YAML file.

    Raises:
        ConfigError: the file cannot be read, is not YAML, or says something twice.
    """
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), _UniqueKeyLoader)  # noqa: S506
    # Impossible dates and bad UTF-8 are ValueErrors.
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path.name} is not valid YAML: {error}") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    if not isinstance(data, Mapping):
        raise ConfigError(
            f"{path.name}: found {type(data).__name__}, expected a mapping with name and science."
        )
    return data


def complaints_of(error: ValidationError, root: type[BaseModel]) -> list[str]:
    """What is wrong, one line each, in words for a person."""
    return [_complaint(entry, root) for entry in _innermost(error.errors())]


def _innermost(entries: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Without what only follows from a mistake further inside."""
    places = [entry["loc"] for entry in entries]
    return [
        entry
        for entry in entries
        if not any(
            len(p) > len(entry["loc"]) and p[: len(entry["loc"])] == entry["loc"] for p in places
        )
    ]


def _complaint(entry: Mapping[str, Any], root: type[BaseModel]) -> str:
    location = entry["loc"]
    where = ".".join(str(part) for part in location)
    if entry["type"] == "extra_forbidden":
        known = list(_model_at(location[:-1], root).model_fields)
        close = difflib.get_close_matches(str(location[-1]), known, n=1)
        listed = f"known keys are {', '.join(known)}." if known else "there are none."
        hint = f"did you mean {close[0]!r}?" if close else listed
        return f"{where}: unknown key; {hint}"
    if entry["type"] == "missing":
        return f"{where}: missing; give it a value."
    message = str(entry["msg"]).removeprefix("Value error, ")
    # A mistake inside a part is told by its message, not by showing all of the part.
    found = "" if isinstance(entry["input"], Mapping) else f" (found {entry['input']!r})"
    return f"{where}: {message}{found}"


def _model_at(location: tuple[Any, ...], root: type[BaseModel]) -> type[BaseModel]:
    """The model class at a place of the configuration, to name its keys."""
    model = root
    for part in location:
        if isinstance(part, int):
            continue
        if part not in model.model_fields:
            break
        annotation = model.model_fields[part].annotation
        inner = getattr(annotation, "__args__", (annotation,))[0]
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            break
        model = inner
    return model
