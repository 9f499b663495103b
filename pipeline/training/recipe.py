"""Read training configurations; allowed names come from the tables in ``pipeline.networks``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pipeline.config.strict import find_shipped, read_mapping, validated
from pipeline.config.training import FinetuneConfig, Recipe, TrainingConfig
from pipeline.networks.activations import ACTIVATIONS
from pipeline.networks.transforms import TRANSFORMS
from pipeline.networks.variable import SCALINGS

Kind = TypeVar("Kind", bound=Recipe)

_WORDS: dict[type[Recipe], str] = {
    TrainingConfig: "training configuration",
    FinetuneConfig: "fine-tuning configuration",
}


def load_recipe(source: str | Path | Mapping[str, Any], kind: type[Kind]) -> Kind:
    """Return a training configuration from a file, the name of a shipped one, or plain data.

    Raises:
        ConfigError: the file cannot be read, or a key or value is wrong; all errors are listed.
    """
    data = source if isinstance(source, Mapping) else read_mapping(find_recipe(source))
    origin = "configuration" if isinstance(source, Mapping) else Path(source).name
    known = {
        "transform": tuple(TRANSFORMS),
        "scaling": tuple(SCALINGS),
        # Softmax mixes units, so it is for the last layer alone.
        "activation": tuple(n for n, row in ACTIVATIONS.items() if row.derivative is not None),
    }
    return validated(kind, data, origin, _WORDS[kind], known)


def find_recipe(source: str | Path) -> Path:
    """Return the file itself, or the shipped training configuration with that name.

    Raises:
        ConfigError: there is neither such a file nor such a shipped configuration.
    """
    return find_shipped(source, "training", _WORDS[TrainingConfig])
