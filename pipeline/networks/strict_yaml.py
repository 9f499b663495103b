"""YAML as plain data: nothing written twice, no references, no dates, nothing but JSON's types."""

import json
from pathlib import Path
from typing import Any

import yaml

from pipeline.errors import NetworkError

MOST_BYTES = 16 * 2**20


class _StrictLoader(yaml.SafeLoader):
    """A date stays text; a key that appears twice, or an alias, is an error."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - as the base class has it
        first: [entry for entry in entries if entry[0] != "tag:yaml.org,2002:timestamp"]
        for first, entries in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            # A few aliases of aliases fill any memory.
            line = self.peek_event().start_mark.line + 1  # type: ignore[no-untyped-call]
            raise yaml.YAMLError(f"an alias (line {line}); write it out")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                line = key.start_mark.line + 1
                raise yaml.YAMLError(f"key {key.value!r} appears twice (line {line})")
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else id(key))
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> Any:
    """The content of a YAML file.

    Raises:
        NetworkError: it is not YAML, or more than plain data.
    """
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise NetworkError(f"{path.name}: {size:,} bytes, at most {MOST_BYTES:,} are read.")
    try:
        return yaml.load(path.read_text(encoding="utf-8"), _StrictLoader)  # noqa: S506
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        text = " ".join(str(error).split())
        raise NetworkError(f"{path.name}: not YAML that can be read: {text}.") from None


def as_json(data: Any, file_name: str) -> str:
    """The same as JSON text, so that one schema judges both.

    Raises:
        NetworkError: a value is none that JSON has.
    """
    try:
        return json.dumps(data, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise NetworkError(
            f"{file_name}: {error}. Write finite numbers, texts, lists and mappings only."
        ) from None
