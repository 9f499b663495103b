"""Published algorithms and thresholds on the inputs of samples, to compare a network with."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.algorithms import algorithm
from pipeline.config.training import RuleBaseline
from pipeline.errors import ConfigError, NetworkError
from pipeline.networks.retrieval import Retrieval
from pipeline.networks.variable import Array, Variable
from pipeline.tables import Table
from pipeline.training.samples.class_rules import classes_by_rules
from pipeline.training.samples.columns import Findings


def baseline_outputs(
    names: Sequence[str],
    sensor: str,
    inputs: tuple[Variable, ...],
    outputs: tuple[Variable, ...],
    x: Array,
    tolerance_nm: float,
) -> dict[str, Array]:
    """What algorithms give for outputs, by their name.

    Args:
        names: of algorithms.
        sensor: whose coefficients are used.
        inputs: what the columns of ``x`` are.
        outputs: what is wanted.
        x: physical values with shape (n, inputs).
        tolerance_nm: how far a wavelength may be from the one asked for.

    Returns:
        Arrays with shape (n, outputs); NaN where an algorithm fails or has no such output.

    Raises:
        ConfigError: an algorithm lacks bands, or has none of the outputs.
    """
    found = {}
    for name in names:
        made, values = _algorithm(f"baselines: {name}", name, sensor, inputs, x)
        found[name] = np.full((len(x), len(outputs)), np.nan)
        pairs = _matched(outputs, made.outputs, tolerance_nm)
        if not pairs:
            raise ConfigError(
                f"baselines: {name} makes {', '.join(v.name for v in made.outputs)}, and the "
                f"network {', '.join(v.name for v in outputs)}. Leave it out."
            )
        for wanted, there in pairs:
            found[name][:, wanted] = values[:, there]
    return found


def baseline_classes(
    baselines: Mapping[str, RuleBaseline],
    sensor: str,
    inputs: tuple[Variable, ...],
    classes: Sequence[str],
    x: Array,
) -> dict[str, npt.NDArray[np.int64]]:
    """The class that thresholds name for each row (n,), -1 for none, by the name of the baseline.

    Args:
        baselines: of a recipe.
        sensor: whose coefficients algorithms use.
        inputs: what the columns of ``x`` are.
        classes: in the order of their numbers.
        x: physical values with shape (n, inputs).

    Raises:
        ConfigError: an algorithm lacks bands, a rule names what is not there, or another class.
    """
    found = {}
    for name, baseline in baselines.items():
        key = f"class_baselines.{name}"
        columns = {variable.name: x[:, place] for place, variable in enumerate(inputs)}
        for one in baseline.algorithms:
            made, values = _algorithm(f"{key}: {one}", one, sensor, inputs, x)
            columns |= {v.name: values[:, place] for place, v in enumerate(made.outputs)}
        named = {*baseline.rules, *([baseline.otherwise] if baseline.otherwise else [])}
        unknown = sorted(named - set(classes))
        findings = Findings()
        if unknown:
            findings.complain(
                f"{key}: {', '.join(unknown)}: no such class; there are {', '.join(classes)}"
            )
        table = Table(Path("inputs"), "", columns, {}, np.arange(len(x)))
        texts = classes_by_rules(table, baseline.rules, baseline.otherwise, findings, key)
        findings.raise_complaints()
        numbers = {text: place for place, text in enumerate(classes)}
        found[name] = np.array([numbers.get(text, -1) for text in texts.tolist()], dtype=np.int64)
    return found


def _algorithm(
    where: str, name: str, sensor: str, inputs: tuple[Variable, ...], x: Array
) -> tuple[Retrieval, Array]:
    """An algorithm bound to the bands among the inputs, and its outputs (n, outputs)."""
    bands = {v.wavelength_nm: i for i, v in enumerate(inputs) if v.quantity == "Rrs"}
    try:
        made = algorithm(name, sensor=sensor, wavelengths_nm=[nm for nm in bands if nm is not None])
    except NetworkError as error:
        raise ConfigError(f"{where}: {error}") from None
    return made, made.predict(x[:, [bands[variable.wavelength_nm] for variable in made.inputs]])


def _matched(
    wanted: tuple[Variable, ...], made: tuple[Variable, ...], tolerance_nm: float
) -> list[tuple[int, int]]:
    """Which output of an algorithm stands for which output that is wanted."""
    pairs = []
    for place, variable in enumerate(wanted):
        distances = {
            i: abs((v.wavelength_nm or 0.0) - (variable.wavelength_nm or 0.0))
            for i, v in enumerate(made)
            if v.quantity == variable.quantity
        }
        nearest = min(distances, key=lambda i: distances[i], default=None)
        if nearest is not None and distances[nearest] <= tolerance_nm:
            pairs.append((place, nearest))
    return pairs
