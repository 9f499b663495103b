"""Apply published algorithms and thresholds to samples, for comparison with a network."""

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
from pipeline.training.samples.variables import nearest_variable


def baseline_outputs(
    names: Sequence[str],
    sensor: str,
    inputs: tuple[Variable, ...],
    outputs: tuple[Variable, ...],
    x: Array,
    tolerance_nm: float,
) -> dict[str, Array]:
    """Return a dictionary from the name of each algorithm to the outputs of the algorithm.

    Args:
        names: names of algorithms.
        sensor: sensor whose coefficients are used.
        inputs: variables in the columns of ``x``.
        outputs: variables in the columns of each result; NaN where an algorithm has no value.
        x: physical values of the inputs, with shape (n, inputs).
        tolerance_nm: largest allowed difference between a computed and a wanted wavelength.

    Raises:
        ConfigError: an algorithm needs a band that is no input, or it computes none of the outputs.
    """
    found = {}
    for name in names:
        bound, values = _apply(f"baselines: {name}", name, sensor, inputs, x)
        places = [nearest_variable(one, bound.outputs, tolerance_nm) for one in outputs]
        if all(place is None for place in places):
            raise ConfigError(
                f"baselines: {name} has the outputs {', '.join(v.name for v in bound.outputs)}, "
                f"but the network has {', '.join(v.name for v in outputs)}. Remove "
                f"{name} from baselines."
            )
        lacking = np.full(len(x), np.nan)
        columns = [lacking if place is None else values[:, place] for place in places]
        found[name] = np.stack(columns, axis=1)
    return found


def baseline_classes(
    baselines: Mapping[str, RuleBaseline],
    sensor: str,
    inputs: tuple[Variable, ...],
    classes: Sequence[str],
    x: Array,
) -> dict[str, npt.NDArray[np.int64]]:
    """Return the class of each row (n,) for each baseline; the class is -1 where no rule is true.

    ``classes`` are class names in the order of their numbers. The other arguments are as in
    :func:`baseline_outputs`.

    Raises:
        ConfigError: the bands of an algorithm are missing, or a rule uses an unknown name or class.
    """
    found = {}
    for name, baseline in baselines.items():
        key = f"class_baselines.{name}"
        columns = {variable.name: x[:, place] for place, variable in enumerate(inputs)}
        for one in baseline.algorithms:
            bound, values = _apply(f"{key}: {one}", one, sensor, inputs, x)
            columns |= {v.name: values[:, place] for place, v in enumerate(bound.outputs)}
        findings = Findings()
        named = (*baseline.rules, baseline.otherwise)
        unknown = sorted(one for one in named if one and one not in classes)
        if unknown:
            findings.complain(
                f"{key}: found the classes {', '.join(unknown)}, expected {', '.join(classes)}"
            )
        table = Table(Path("inputs"), "", columns, {}, np.arange(len(x)))
        texts = classes_by_rules(table, baseline.rules, baseline.otherwise, findings, key)
        findings.raise_complaints()
        numbers = {text: place for place, text in enumerate(classes)}
        found[name] = np.array([numbers.get(text, -1) for text in texts.tolist()], dtype=np.int64)
    return found


def _apply(
    where: str, name: str, sensor: str, inputs: tuple[Variable, ...], x: Array
) -> tuple[Retrieval, Array]:
    """Return the named algorithm, and its outputs (n, outputs) for ``x``."""
    bands = {v.wavelength_nm: i for i, v in enumerate(inputs) if v.quantity == "Rrs"}
    try:
        known = [nm for nm in bands if nm is not None]
        bound = algorithm(name, sensor=sensor, wavelengths_nm=known)
    except NetworkError as error:
        raise ConfigError(f"{where}: {error}") from None
    return bound, bound.predict(x[:, [bands[variable.wavelength_nm] for variable in bound.inputs]])
