"""Put proposed values of hyperparameters into a recipe."""

from collections.abc import Iterator
from typing import Any

from pipeline.config.training import TrainingConfig
from pipeline.config.tuning import Space
from pipeline.errors import ConfigError
from pipeline.training.tuning.trial import Values

UNITS = "units_"


def check_space(recipe: TrainingConfig, space: Space) -> None:
    """Raise a ConfigError if the recipe does not allow the space."""
    kind = recipe.fit.optimizer.kind
    if space.weight_decay is not None and kind != "adamw":
        raise ConfigError(
            "tune.space.weight_decay: only the optimizer adamw has a weight decay, but "
            f"fit.optimizer.kind is {kind}. Set it to adamw, or vary l2 instead of weight_decay."
        )
    if space.layers is not None and space.activation is None:
        activations = sorted(set(recipe.network.activations))
        if len(activations) > 1:
            raise ConfigError(
                f"network.activation: found {', '.join(activations)}, expected one activation "
                "for all hidden layers, because tune.space varies the number of layers. Set one "
                "activation, or add the key 'activation' to tune.space."
            )


def largest(recipe: TrainingConfig, space: Space) -> Iterator[TrainingConfig]:
    """For early checks, yield recipes of the largest network in a space, one per activation."""
    values: dict[str, Any] = {}
    layers = len(recipe.network.hidden)
    if space.layers is not None:
        values["layers"] = layers = int(space.layers.ends[1])
    if space.units is not None:
        values |= {f"{UNITS}{n}": int(space.units.ends[1]) for n in range(1, layers + 1)}
    if space.activation is None:
        yield with_values(recipe, values)
    for activation in space.activation or ():
        yield with_values(recipe, values | {"activation": activation})


def with_values(recipe: TrainingConfig, values: Values) -> TrainingConfig:
    """Return the recipe with these values of hyperparameters and without its section ``tune``."""
    data = recipe.model_dump(exclude={"tune"})
    network, fit = data["network"], data["fit"]
    hidden = list(recipe.network.hidden)
    if "layers" in values:
        width = hidden[0] if hidden else 32
        hidden = (hidden + [width] * int(values["layers"]))[: int(values["layers"])]
        if len(set(recipe.network.activations)) == 1:
            network["activation"] = recipe.network.activations[0]
    network["hidden"] = [values.get(f"{UNITS}{n}", own) for n, own in enumerate(hidden, start=1)]
    for name in ("activation", "dropout", "l2"):
        network[name] = values.get(name, network[name])
    for name in ("learning_rate", "weight_decay"):
        fit["optimizer"][name] = values.get(name, fit["optimizer"][name])
    fit["batch_size"] = values.get("batch_size", fit["batch_size"])
    return TrainingConfig.model_validate(data)
