"""JSON schemas of YAML files, for editors that check and complete what a user types.

A schema has the keys, types, limits and descriptions of the model. The models look some names up in
tables (masks, sensors, algorithms ...). This module adds these names to the schema.
"""

import ast
import inspect
import itertools
import json
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from pipeline.algorithms import ALGORITHMS
from pipeline.algorithms.catalogue import PREFIX
from pipeline.config import DEFAULT_MASKS, mask_presets
from pipeline.config.naming import FIELDS, TIME_FIELDS
from pipeline.config.science import FACTS
from pipeline.config.tuning import Dimension
from pipeline.facts.sensors import sensors
from pipeline.facts.shipped import shipped_configs
from pipeline.networks.activations import ACTIVATIONS
from pipeline.networks.after import AFTER
from pipeline.networks.transforms import TRANSFORMS
from pipeline.networks.variable import SCALINGS
from pipeline.readers import READERS, added_readers
from pipeline.scene.scene import SPECTRAL
from pipeline.training.recipe import trainable_activations
from pipeline.yaml_files.kinds import KINDS

Json = dict[str, Any]
DIALECT = "http://json-schema.org/draft-07/schema#"
"""The version of JSON Schema that most editors know."""
FOLDER = "schemas"
"""Folder below ``configs`` with the shipped schemas."""

_BRACES = r"\{\{|\}\}"
# Keys of pydantic that JSON Schema does not have, and titles that only repeat the key.
_DROPPED = ("title", "gt", "discriminator")


def schema_path(kind: str) -> Path:
    """Return the path of the shipped schema of a kind."""
    return shipped_configs() / FOLDER / f"{kind}.json"


def schema_text(kind: str) -> str:
    """Return the schema of a kind of YAML file as JSON text; ``kind`` is a key of ``KINDS``."""
    return json.dumps(schema_of(kind), indent=1, ensure_ascii=False) + "\n"


def schema_of(kind: str) -> Json:
    """Return the schema of a kind of YAML file; ``kind`` is a key of ``KINDS``."""
    made = _generated(KINDS[kind].model)
    head = {"$schema": DIALECT, "title": f"ocpipe: {KINDS[kind].words}"}
    if kind in {"run", "matchup"}:
        made["$defs"] |= _with_reader_options(made["$defs"]["ReaderChoice"])
    whole: Json = head | _plain(made)
    return whole


def _generated(model: Any) -> Json:
    made: Json = TypeAdapter(model).json_schema(schema_generator=_Generator, by_alias=True)
    return made


class _Generator(GenerateJsonSchema):
    """Adds the rules of a model's validators to the schema of the model."""

    def model_schema(self, schema: Any) -> Json:
        """Return the schema of a model."""
        return _completed(super().model_schema(schema), schema["cls"])

    def dataclass_schema(self, schema: Any) -> Json:
        """Return the schema of a dataclass, which takes no unknown key."""
        made = _completed(super().dataclass_schema(schema), schema["cls"])
        return {**made, "additionalProperties": False}

    def str_schema(self, schema: Any) -> Json:
        """Return the schema of a text; a class may have a number as its name."""
        made = super().str_schema(schema)
        if schema.get("coerce_numbers_to_str"):
            return {"anyOf": [made, {"type": "number"}]}
        return made


def _completed(made: Json, cls: type) -> Json:
    texts = _field_texts(cls)
    for name, entry in made.get("properties", {}).items():
        names = _names_of(cls, name)
        made["properties"][name] = entry if names is None else _restricted(entry, names)
        if name in texts:
            made["properties"][name]["description"] = texts[name]
    made |= _rules_of(cls)
    short = _short_forms(cls, made)
    if not short:
        return made
    description = {"description": made["description"]} if "description" in made else {}
    return {"anyOf": [made, *short], **description}


def _field_texts(cls: type) -> dict[str, str]:
    """Return the texts below the fields of a class and of its bases, by field."""
    texts: dict[str, str] = {}
    for each in reversed(cls.__mro__):
        if each.__module__.startswith("pipeline."):
            texts |= _own_texts(each)
    return texts


def _own_texts(cls: type) -> dict[str, str]:
    try:
        written = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
    except (OSError, TypeError):  # installed without sources
        return {}
    body = written.body if isinstance(written, ast.ClassDef) else []
    found = {}
    for field, after in itertools.pairwise(body):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
            and isinstance(after.value.value, str)
        ):
            found[field.target.id] = " ".join(after.value.value.split())
    return found


def _one_of(*names: str) -> Json:
    return {"enum": list(names)}


def _sensor_names() -> Json:
    """Names of sensors; as in ``find_sensor``, case and punctuation do not matter."""
    patterns = []
    for name in sensors():
        letters = [f"[{c.upper()}{c.lower()}]" if c.isalpha() else c for c in name if c.isalnum()]
        patterns.append("[^A-Za-z0-9]*".join(letters))
    return {"anyOf": [_one_of(*sensors()), {"pattern": f"^({'|'.join(patterns)})$"}]}


def _network_file() -> Json:
    algorithms = "|".join(map(re.escape, ALGORITHMS))
    file = rf"(?!{PREFIX})([^{{}}]|\{{sensor\}}|{_BRACES})+"
    return {"type": "string", "pattern": f"^({file}|{PREFIX}({algorithms}))$"}


def _product_name() -> Json:
    fields = "|".join(FIELDS)
    times = "|".join(TIME_FIELDS)
    field = rf"\{{({fields})\}}|\{{({times}):[^{{}}]+\}}"
    return {"type": "string", "pattern": rf"^([^{{}}]|{field}|{_BRACES})+\.nc$"}


# Class and field -> the schema of the texts that the field takes.
_NAMES: dict[tuple[str, str], Callable[[], Json]] = {
    ("MaskRules", "preset"): lambda: _one_of(DEFAULT_MASKS, *mask_presets()),
    ("ReaderChoice", "format"): lambda: _one_of("auto", *READERS, *added_readers()),
    ("Science", "sensor"): _sensor_names,
    ("Recipe", "sensors"): _sensor_names,
    ("Recipe", "baselines"): lambda: _one_of(*ALGORITHMS),
    ("RuleBaseline", "algorithms"): lambda: _one_of(*ALGORITHMS),
    ("NetworkChoice", "file"): _network_file,
    ("Execution", "product"): _product_name,
    ("VariableConfig", "transform"): lambda: _one_of(*TRANSFORMS),
    ("VariableConfig", "scaling"): lambda: _one_of(*SCALINGS),
    ("Architecture", "activation"): lambda: _one_of(*trainable_activations()),
    ("Space", "activation"): lambda: _one_of(*trainable_activations()),
    ("DescribedVariable", "transform"): lambda: _one_of(*TRANSFORMS),
    ("RangedVariable", "scaling"): lambda: _one_of(*SCALINGS),
    ("DescribedLayer", "activation"): lambda: _one_of(*ACTIVATIONS),
    ("FileDescription", "activations"): lambda: _one_of(*ACTIVATIONS),
    ("NetworkDescription", "after"): lambda: _one_of(*AFTER),
    ("MatchupConfig", "preset"): lambda: _one_of(*(f.stem for f in KINDS["matchup"].files)),
    ("FileMapping", "masks"): lambda: _one_of(*mask_presets()),
    ("FileMapping", "masks_of_sensor"): lambda: _one_of(*mask_presets()),
    ("SpectralVariables", "quantity"): lambda: _one_of(*SPECTRAL),
    ("SpectralVariables", "stored_as"): lambda: _one_of(*SPECTRAL),
}

# Class -> the rules of its validators about several keys.
_RULES: dict[str, Json] = {
    "Science": {"properties": {"metadata": {"propertyNames": {"not": {"enum": sorted(FACTS)}}}}},
    "SamplesConfig": {"oneOf": [{"required": ["targets"]}, {"required": ["classes"]}]},
    "ClassesConfig": {"oneOf": [{"required": ["column"]}, {"required": ["rules"]}]},
    "FileDescription": {"oneOf": [{"required": ["weights"]}, {"required": ["layers"]}]},
    "ReaderChoice": {"dependencies": {"options": ["format"]}},
    "MatchupConfig": {"properties": {"window": {"not": {"multipleOf": 2}}}},
}
_NUMBER: Json = {"type": "number"}
# Keys of a mapping whose value may also stand alone, in place of the mapping.
_ONE_OR_SEVERAL = ("sensor", "time_coverage_start", "time_coverage_end")


def _names_of(cls: type, field: str) -> Json | None:
    for each in cls.__mro__:
        if (each.__name__, field) in _NAMES:
            return _NAMES[each.__name__, field]()
    return None


def _rules_of(cls: type) -> Json:
    rules = _RULES.get(cls.__name__)
    return {"allOf": [rules]} if rules else {}


def _short_forms(cls: type, made: Json) -> list[Json]:
    """Return the schemas of what may stand in place of a section; change sections inside it."""
    if issubclass(cls, Dimension):
        return [_NUMBER, {"type": "array", "items": _NUMBER, "minItems": 1}]
    if cls.__name__ == "FileConfig":
        return [{"type": "string"}]
    if cls.__name__ == "FileMapping":
        for name in _ONE_OR_SEVERAL:
            entry = made["properties"][name]
            made["properties"][name] = {"anyOf": [entry, entry["items"], {"type": "null"}]}
    if cls.__name__ == "Space":
        entry = made["properties"]["activation"]
        entry["anyOf"].append(_one_of(*trainable_activations()))
    return []


def _restricted(entry: Any, names: Json) -> Any:
    """Replace every text in a schema by the names that are accepted."""
    if isinstance(entry, list):
        return [_restricted(each, names) for each in entry]
    if not isinstance(entry, dict):
        return entry
    if entry.get("type") == "string":
        kept = {key: value for key, value in entry.items() if key in ("default", "description")}
        return {**names, **kept}
    return {
        key: _restricted(value, names) if key not in ("default", "enum") else value
        for key, value in entry.items()
    }


def _with_reader_options(choice: Json) -> Json:
    """Return the options of each reader as definitions, and bind them to the names of readers."""
    found: Json = {}
    conditions = []
    for name, reader in {**added_readers(), **READERS}.items():
        made = _generated(reader.Options)
        found |= made.pop("$defs", {})
        found[reader.Options.__name__] = made
        conditions.append(
            {
                "if": {"properties": {"format": {"const": name}}, "required": ["format"]},
                "then": {"properties": {"options": {"$ref": f"#/$defs/{reader.Options.__name__}"}}},
            }
        )
    choice["allOf"] = [*choice.get("allOf", []), *conditions]
    return found


def _plain(entry: Any, *, names_keys: bool = False) -> Any:
    """Return a schema in the dialect: lists of fixed length, and no keys of pydantic."""
    if isinstance(entry, list):
        return [_plain(each) for each in entry]
    if not isinstance(entry, Mapping):
        return entry
    if names_keys:  # the keys are those of a file, and may be called title
        return {key: _plain(value) for key, value in entry.items()}
    return dict(_plain_items(entry))


def _plain_items(entry: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in entry.items():
        if key in _DROPPED:
            continue
        if key == "prefixItems":
            yield "items", _plain(value)
        elif key in ("default", "enum", "const", "required"):
            yield key, value
        else:
            yield key, _plain(value, names_keys=key in ("properties", "$defs", "patternProperties"))
    if "patternProperties" in entry and "additionalProperties" not in entry:
        yield "additionalProperties", False
