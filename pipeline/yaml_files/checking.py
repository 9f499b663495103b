"""Checks a YAML file of any kind, and returns it with all defaults filled in."""

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from pipeline.algorithms.catalogue import check_name
from pipeline.config import load_config
from pipeline.config.matchup import load_matchup_config
from pipeline.config.strict import read_mapping
from pipeline.config.training import FinetuneConfig, Recipe, TrainingConfig
from pipeline.errors import ConfigError
from pipeline.facts.sensors import find_sensor
from pipeline.masks.expression import parse_condition
from pipeline.networks.reading.described_yaml import FileDescription
from pipeline.networks.reading.ensemble_file import EnsembleDescription
from pipeline.networks.reading.schema import Described, read_description
from pipeline.readers import check_reader
from pipeline.run.plan import check_config
from pipeline.tables.evaluation import COLUMNS
from pipeline.tables.expressions import Expression
from pipeline.training.recipe import load_recipe
from pipeline.yaml_files.kinds import KINDS, SHIPPED_FOLDERS, Kind, find_shipped_file, kind_of


def checked(source: str, kind: str | None = None) -> tuple[Kind, str]:
    """Check a YAML file as far as possible without scenes, samples and networks.

    Args:
        source: a path, or the name of a shipped file.
        kind: a key of ``KINDS``; by default, the keys in the file tell its kind.

    Returns:
        The kind of the file, and its content as YAML with all defaults.

    Raises:
        ConfigError: the file cannot be read or is wrong; the message lists all mistakes.
        NetworkError: the same, for the description of a network or an ensemble.
    """
    path, found = _found(source, None if kind is None else KINDS[kind])
    loaded = _LOADERS[found.name](path) if found.name in _LOADERS else _table(path, found)
    data = TypeAdapter(found.model).dump_python(loaded, mode="json", by_alias=True)
    return found, str(yaml.safe_dump(data, sort_keys=False))


def _found(source: str, kind: Kind | None) -> tuple[Path, Kind]:
    path = Path(source)
    is_bare = path.parent == Path() or path.parent.name in SHIPPED_FOLDERS
    if is_bare and not os.path.isfile(path):  # noqa: PTH113 - False for names that are too long
        return find_shipped_file(source, kind)
    return path, kind or kind_of(read_mapping(path))


def _run(path: Path) -> Any:
    loaded = load_config(path)
    check_config(loaded)
    return loaded


def _recipe(kind: type[Recipe]) -> Callable[[Path], Recipe]:
    def load(path: Path) -> Recipe:
        recipe: Recipe = load_recipe(path, kind)
        problems = _problems(_checks_of(recipe))
        if problems:
            listed = "\n".join(f"  {problem}" for problem in problems)
            raise ConfigError(f"{path.name} has these mistakes:\n{listed}")
        return recipe

    return load


def _checks_of(recipe: Recipe) -> Iterable[tuple[str, Callable[[], object]]]:
    """Check names of sensors and algorithms, and expressions, which the model does not check."""
    for sensor in recipe.sensors:
        yield "sensors", lambda sensor=sensor: find_sensor(sensor)  # type: ignore[misc]
    rules = recipe.class_baselines
    named = [*recipe.baselines, *(name for rule in rules.values() for name in rule.algorithms)]
    for name in named:
        yield "baselines", lambda name=name: check_name(name)  # type: ignore[misc]
    for key, text in _expressions(recipe).items():
        yield key, lambda text=text: Expression.parse(text, COLUMNS)  # type: ignore[misc]


def _expressions(recipe: Recipe) -> dict[str, str]:
    samples = recipe.samples
    found = {f"samples.columns.{name}": text for name, text in samples.columns.items()}
    if samples.filter is not None:
        found["samples.filter"] = samples.filter
    for place, file in enumerate(samples.files):
        key = f"samples.files.{place}"
        found |= {f"{key}.columns.{name}": text for name, text in file.columns.items()}
        if file.filter is not None:
            found[f"{key}.filter"] = file.filter
    if samples.classes is not None:
        rules = samples.classes.rules
        found |= {f"samples.classes.rules.{name}": text for name, text in rules.items()}
    for name, baseline in recipe.class_baselines.items():
        found |= {f"class_baselines.{name}.{key}": text for key, text in baseline.rules.items()}
    return found


def _problems(checks: Iterable[tuple[str, Callable[[], object]]]) -> list[str]:
    problems = []
    for key, check in checks:
        try:
            check()
        except ConfigError as error:
            problems.append(f"{key}: {error}")
    return problems


def _matchup(path: Path) -> Any:
    loaded = load_matchup_config(path)
    for name, text in loaded.masks.expressions.items():
        parse_condition(name, text)
    check_reader(loaded.reader)
    return loaded


def _description(model: type[Described]) -> Callable[[Path], Described]:
    return lambda path: read_description(model, path)


_LOADERS: Mapping[str, Callable[[Path], Any]] = {
    "run": _run,
    "training": _recipe(TrainingConfig),
    "finetune": _recipe(FinetuneConfig),
    "matchup": _matchup,
    "network": _description(FileDescription),
    "ensemble": _description(EnsembleDescription),
}


def _table(path: Path, kind: Kind) -> Any:
    try:
        return TypeAdapter(kind.model).validate_python(read_mapping(path))
    except ValidationError as error:
        listed = "\n".join(
            f"  {'.'.join(map(str, entry['loc'])) or 'file'}: "
            f"{str(entry['msg']).removeprefix('Value error, ')}"
            for entry in error.errors()
        )
        raise ConfigError(f"{path.name} is not a valid {kind.words}:\n{listed}") from None
