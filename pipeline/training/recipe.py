"""Read training configurations.

The allowed transforms, scalings and activations are in tables of ``pipeline.networks``.
"""

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
    """Return a training configuration, read from a file, a shipped configuration or plain data.

    Raises:
        ConfigError: the file cannot be read, or a key or value is wrong; all errors are listed.
    """
    data = source if isinstance(source, Mapping) else read_mapping(find_recipe(source))
    origin = "configuration" if isinstance(source, Mapping) else Path(source).name
    known = {
        "transform": tuple(TRANSFORMS),
        "scaling": tuple(SCALINGS),
        "activation": trainable_activations(),
    }
    return validated(kind, data, origin, _WORDS[kind], known)


def trainable_activations() -> tuple[str, ...]:
    """Return the activations that hidden layers may have.

    Softmax is not one of them: it mixes the units of a layer, so only the last layer may use it.
    Other packages may add rows to the table at any time.
    """
    return tuple(name for name, row in ACTIVATIONS.items() if row.derivative is not None)


def find_recipe(source: str | Path) -> Path:
    """Return the path of the file, or of the shipped training configuration with this name.

    Raises:
        ConfigError: no file and no shipped configuration has this name.
    """
    return find_shipped(source, "training", _WORDS[TrainingConfig])
