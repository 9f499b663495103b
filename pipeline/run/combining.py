"""Binds derived, chosen and blended products to the steps of a run and to the scene."""

from collections.abc import Iterator, Sequence
from graphlib import CycleError, TopologicalSorter

import xarray as xr

from pipeline.config.science import Science
from pipeline.config.together import BetweenLimits, Blend, Choice, Derived
from pipeline.errors import ConfigError
from pipeline.run.binding import Binding, Settings, parsed
from pipeline.run.known import Known
from pipeline.run.step import RetrievalStep
from pipeline.scene.scene import Band, find_layer
from pipeline.tables.expressions import Expression


def check_combinations(science: Science) -> None:
    """Check everything that can be checked without a scene.

    Raises:
        ConfigError: an expression is wrong, or a product depends on itself.
    """
    for name, settings in science.combinations.items():
        for expression in _expressions(name, settings):
            if not expression.names:
                raise ConfigError(
                    f"{name}: {expression.text!r} uses no output, band or variable, so its result "
                    "is the same for all pixels."
                )
    _in_order(science)


def bands_of_combinations(
    science: Science, scene: xr.Dataset, made: Sequence[str], networks: Sequence[str]
) -> tuple[Band, ...]:
    """Return the layers of the scene that the combined products use.

    Args:
        science: the configuration.
        scene: the scene.
        made: names of the product variables of all networks.
        networks: names of the networks.
    """
    others = {*made, *networks, *science.combinations}
    used = [each for product in science.combinations.items() for each in _used(*product)]
    layers = [find_layer(scene, n, science.bands.tolerance_nm) for n in used if n not in others]
    return tuple(dict.fromkeys(layer for layer in layers if layer is not None))


def combined_steps(
    science: Science, scene: xr.Dataset, inputs: Sequence[Band], networks: Sequence[RetrievalStep]
) -> tuple[RetrievalStep, ...]:
    """Return a step for each combined product; a product comes after the products that it uses.

    Args:
        science: the configuration.
        scene: the scene.
        inputs: the layers of the scene at the start of a row.
        networks: the steps of networks and algorithms.

    Raises:
        ConfigError: a name is unknown, or the combined variables have different units.
    """
    check_combinations(science)
    steps = list(networks)
    for name in _in_order(science):
        known = Known(science, scene, tuple(inputs), tuple(steps))
        steps.append(Binding(name, science.combinations[name], known).step())
    return tuple(steps[len(networks) :])


def _expressions(name: str, settings: Settings) -> Iterator[Expression]:
    """Yield the expressions of a product; names such as ``nn14.saturated`` are not changed."""
    match settings:
        case Derived(expression=text):
            yield parsed(name, text)
        case Choice(where=conditions):
            for text in conditions.values():
                yield parsed(name, text)
        case Blend(by=BetweenLimits(index=text)):
            yield parsed(name, text)


def _used(name: str, settings: Settings) -> list[str]:
    """Return all names that a product uses."""
    used = [each for expression in _expressions(name, settings) for each in expression.names]
    match settings:
        case Choice(candidates=candidates):
            used += candidates
        case Blend(by=by, of=of):
            used += [*of.values(), *([by] if isinstance(by, str) else [])]
    return used


def _in_order(science: Science) -> list[str]:
    """Return the names of all combined products; each comes after the products that it uses."""
    combined = science.combinations
    graph = {
        name: sorted({each for each in _used(name, settings) if each in combined})
        for name, settings in combined.items()
    }
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        circle = " uses ".join(reversed(error.args[1]))
        raise ConfigError(f"{circle}: products must not use each other in a circle.") from None
