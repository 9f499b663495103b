"""Strict models for all configurations, and error messages that users understand."""

import difflib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from pipeline.errors import ConfigError
from pipeline.facts.shipped import shipped_configs
from pipeline.files.contents import read_yaml

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
# Entries are sorted, so that the order of keys in a file never changes a product.
SORTED = AfterValidator(lambda entries: dict(sorted(entries.items())))


class Strict(BaseModel):
    """Base class of models that cannot be changed and that accept no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Model = TypeVar("Model", bound=BaseModel)


def validated(
    model: type[Model],
    data: Mapping[str, Any],
    origin: str,
    words: str,
    names: Mapping[str, Sequence[str]] | None = None,
) -> Model:
    """Make a model from plain data, and check the data.

    Args:
        model: the model.
        data: the plain data.
        origin: where the data come from, as a text for messages.
        words: what the data should be, as a text for messages (for example "configuration").
        names: the accepted names for each field that :func:`names_from_tables` checks.

    Raises:
        ConfigError: the data do not fit the model; the message lists all mistakes.
    """
    try:
        return model.model_validate(dict(data), context=names)
    except ValidationError as error:
        complaints = "\n".join(f"  {line}" for line in complaints_of(error, model))
        raise ConfigError(f"{origin} is not a valid {words}:\n{complaints}") from None


def names_from_tables(*fields: str) -> Any:
    """Return a validator for fields whose values must be names in a table outside the model.

    The caller of :func:`validated` gives these names; without names, all values are accepted.
    """

    def check(cls: type[BaseModel], value: Any, info: ValidationInfo) -> Any:  # noqa: ARG001
        known = (info.context or {}).get(info.field_name)
        chosen = value if isinstance(value, tuple) else (value,)
        if known and value is not None and not set(chosen) <= set(known):
            raise ValueError(f"expected one of {', '.join(known)}")
        return value

    return field_validator(*fields)(check)


def find_shipped(source: str | Path, folder: str, words: str) -> Path:
    """Return the path of the file ``source``, or else of the shipped file with this name.

    Args:
        source: a path, or the name of a shipped file, with or without its ending.
        folder: the folder below ``configs`` that contains the shipped files.
        words: what kind of file is expected, as a text for messages.

    Raises:
        ConfigError: neither exists.
    """
    path, shipped = Path(source), shipped_configs() / folder
    if os.path.isfile(path):  # noqa: PTH113 - False, not an error, for names that are too long
        return path
    name = path.stem if path.suffix in {".yaml", ".yml"} else path.name
    candidate = shipped / f"{name}.yaml"
    is_bare = path.parent == Path() or path.parent.name == folder
    if is_bare and os.path.isfile(candidate):  # noqa: PTH113
        return candidate
    names = ", ".join(sorted(file.stem for file in shipped.glob("*.yaml")))
    raise ConfigError(
        f"{source}: no such {words}, and no shipped file has this name. Give a path or one of "
        f"{names}."
    )


def read_mapping(path: Path) -> Mapping[str, Any]:
    """Return the mapping that a YAML file contains.

    Raises:
        ConfigError: the file cannot be read, is not YAML, or does not contain a mapping.
    """
    data = read_yaml(path, ConfigError)
    if not isinstance(data, Mapping):
        raise ConfigError(
            f"{path.name}: found {type(data).__name__}, expected a mapping of keys to values."
        )
    return data


def complaints_of(error: ValidationError, root: type[BaseModel]) -> list[str]:
    """Return one line of text for each mistake, in words that users understand."""
    return [_complaint(entry, root) for entry in _innermost(error.errors())]


def _innermost(entries: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Leave out mistakes that are only a consequence of a mistake in a nested key."""
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
        listed = f"known keys are {', '.join(known)}." if known else "this section has no keys."
        hint = f"did you mean {close[0]!r}?" if close else listed
        return f"{where}: unknown key; {hint}"
    if entry["type"] == "missing":
        return f"{where}: missing key; give it a value."
    message = str(entry["msg"]).removeprefix("Value error, ")
    # The message names a mistake inside a section, so the whole section need not be shown.
    found = "" if isinstance(entry["input"], Mapping) else f" (found {entry['input']!r})"
    return f"{where}: {message}{found}"


def _model_at(location: tuple[Any, ...], root: type[BaseModel]) -> type[BaseModel]:
    """Return the model at a place of the configuration; messages list the keys of the model."""
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
