"""What a network is, what it was made from and how well it does: one HTML file, whole in itself."""

import base64
import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.evaluation.album import Picture
from pipeline.evaluation.class_tables import (
    class_group_rows,
    class_model_rows,
    class_rows,
    classification_sentence,
)
from pipeline.evaluation.formatting import DASH, Table, number, range_text
from pipeline.evaluation.pictures.style import pretty_units
from pipeline.evaluation.report import Evaluation, OutputResult
from pipeline.evaluation.tables import (
    METRIC_HEAD,
    comparison_rows,
    coverage_rows,
    input_rows,
    metric_cells,
    outside_sentence,
)
from pipeline.networks.description import Network
from pipeline.networks.ensemble import Ensemble
from pipeline.networks.variable import Variable
from pipeline.version import __version__

if TYPE_CHECKING:
    from jinja2 import Template

MOST_OF_A_KIND = 8
"""Pictures of one kind (residuals of each output) on a card; the others are files beside it."""
MOST_GROUPS = 30
OUTPUTS_ACROSS = 6
NOT_STATED = "Not stated."


@dataclass(frozen=True)
class DataFile:
    """A file that was trained on."""

    name: str
    sha256: str
    rows: int | None = None


@dataclass(frozen=True)
class ModelCard:
    """What is stated about a network; what was measured comes from evaluations."""

    name: str
    title: str
    inputs: tuple[Variable, ...]
    outputs: tuple[Variable, ...]
    description: str = ""
    sensors: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    shape_text: str = ""
    """``7-100-75-50-25-7``."""
    activations: tuple[str, ...] = ()
    """Of each layer."""
    weights: int | None = None
    """How many numbers were trained, biases included."""
    sha256: str = ""
    """Of the network file."""
    files: tuple[DataFile, ...] = ()
    filters: tuple[str, ...] = ()
    """Which rows were left out, and why."""
    split: str = ""
    """How the parts were made."""
    parts: Mapping[str, int] = field(default_factory=dict)
    """Part -> rows."""
    groups: str = ""
    """What the rows were grouped by, and how many groups that gave."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Of the training; may be nested."""
    intended_use: str = ""
    limits: str = ""
    licence: str = ""
    citation: str = ""
    software: Mapping[str, str] = field(default_factory=dict)
    """Library -> version."""
    ocpipe_version: str = __version__


def card_of_network(network: Network | Ensemble, **stated: Any) -> ModelCard:
    """A card with all that a network says about itself, and what else is stated."""
    parts = network.members if isinstance(network, Ensemble) else (network,)
    known: dict[str, Any] = {
        "name": network.name,
        "title": network.title,
        "inputs": network.inputs,
        "outputs": network.outputs,
        "sensors": network.sensors,
        "classes": network.classes,
        "shape_text": network.shape_text,
        "activations": tuple(layer.activation for layer in parts[0].layers),
        "weights": sum(
            layer.kernel.size + layer.bias.size for part in parts for layer in part.layers
        ),
        "sha256": network.sha256,
        "licence": network.licence,
        "citation": network.citation,
    }
    return ModelCard(**(known | stated))


def render_card(
    card: ModelCard, evaluations: Sequence[Evaluation] = (), pictures: Sequence[Picture] = ()
) -> str:
    """The card as HTML that needs no other file.

    Args:
        card: what is stated.
        evaluations: of one part each, in the order they are shown; groups, inputs and comparison
            are those of the last one, the test part.
        pictures: embedded in this order.
    """
    last = evaluations[-1] if evaluations else None
    shown = list(_few_of_each_kind(pictures))
    return _template().render(
        card=card,
        not_stated=NOT_STATED,
        facts=[(name, value) for name, value in _facts(card) if value],
        variables={"Inputs": _variables(card.inputs), "Outputs": _variables(card.outputs)},
        settings=list(_flat(card.settings)),
        metrics=_metrics(evaluations),
        last=last,
        coverage=coverage_rows(last)
        if last and any(one.coverage for one in last.outputs)
        else None,
        comparison=comparison_rows(last) if last and _compared(last) else None,
        classifications=list(_classifications(evaluations)),
        class_comparison=class_model_rows(last) if last and last.classification else None,
        groups=list(_group_tables(last)) if last else [],
        ranges=(outside_sentence(last), input_rows(last)) if last and last.inputs else None,
        pictures=[(one, base64.b64encode(one.png).decode("ascii")) for one in shown],
        left_out=len(pictures) - len(shown),
    )


@functools.cache
def _template() -> "Template":
    from jinja2 import Environment, StrictUndefined

    text = Path(__file__).with_name("card.html.j2").read_text(encoding="utf-8")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(text)


def _facts(card: ModelCard) -> Iterator[tuple[str, str]]:
    yield "Sensors", ", ".join(card.sensors)
    yield "Shape", card.shape_text
    yield "Activations", ", ".join(_runs(card.activations))
    yield "Weights", "" if card.weights is None else f"{card.weights:,}"
    yield "Classes", ", ".join(card.classes)
    yield "Licence", card.licence
    yield "Made with", f"ocpipe {card.ocpipe_version}"
    yield "SHA-256 of the file", card.sha256


def _runs(names: Sequence[str]) -> Iterator[str]:
    """``3 x tanh, linear`` for equal neighbours."""
    start = 0
    for i in range(1, len(names) + 1):
        if i == len(names) or names[i] != names[start]:
            yield names[start] if i - start == 1 else f"{i - start} x {names[start]}"
            start = i


def _variables(variables: Sequence[Variable]) -> Table:
    rows = [
        [
            one.name,
            one.long_name or DASH,
            pretty_units(one.units),
            one.transform_name,
            range_text(*one.physical_range),
        ]
        for one in variables
    ]
    return ["name", "meaning", "units", "transform", "training range"], rows


def _flat(settings: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Nested settings as ``optimizer.learning_rate``."""
    for name, value in settings.items():
        full = f"{above}.{name}" if above else str(name)
        if isinstance(value, Mapping):
            yield from _flat(value, full)
        else:
            plain = isinstance(value, (list, tuple))
            yield full, ", ".join(map(str, value)) if plain else str(value)


def _metrics(evaluations: Sequence[Evaluation]) -> Table | None:
    """The outputs of all parts, part by part beneath each output."""
    rows = []
    for output in _output_names(evaluations):
        for evaluation in evaluations:
            for one in evaluation.outputs:
                if one.variable.name == output:
                    compared = "log10" if one.metrics.log else pretty_units(one.variable.units)
                    head = [output, evaluation.part, compared]
                    rows.append([*head, *metric_cells(one.metrics)])
    return (["output", "part", "compared", *METRIC_HEAD], rows) if rows else None


def _classifications(evaluations: Sequence[Evaluation]) -> Iterator[tuple[str, str, Table]]:
    """Part, sentence and table of the classes, the last part last."""
    for one in evaluations:
        if one.classification is not None:
            sentence = classification_sentence(one.classification)
            yield one.part, sentence, class_rows(one.classification)


def _output_names(evaluations: Sequence[Evaluation]) -> list[str]:
    names = (one.variable.name for evaluation in evaluations for one in evaluation.outputs)
    return list(dict.fromkeys(names))


def _compared(evaluation: Evaluation) -> bool:
    return any(one.comparison for one in evaluation.outputs)


def _group_tables(evaluation: Evaluation) -> Iterator[Table]:
    """Mean absolute error by group, a few outputs beside each other; of classes the accuracy."""
    if evaluation.classification is not None:
        table = class_group_rows(evaluation.classification, MOST_GROUPS)
        if table is not None:
            yield table
    outputs = [one for one in evaluation.outputs if one.by_group]
    if not outputs:
        return
    names = _largest_groups(outputs)
    for start in range(0, len(outputs), OUTPUTS_ACROSS):
        across = outputs[start : start + OUTPUTS_ACROSS]
        rows = [[name, *(_group_cell(one, name) for one in across)] for name in names]
        yield ["group", *(one.variable.name for one in across)], rows


def _largest_groups(outputs: Sequence[OutputResult]) -> list[str]:
    rows = {name: sum(one.by_group[name].n for one in outputs) for name in outputs[0].by_group}
    order = sorted(rows, key=lambda name: (-rows[name], name))
    return [name for name in order if rows[name]][:MOST_GROUPS]


def _group_cell(output: OutputResult, name: str) -> str:
    numbers = output.by_group[name]
    return f"{number(numbers.mae)} (n={numbers.n:,})" if math.isfinite(numbers.mae) else DASH


def _few_of_each_kind(pictures: Sequence[Picture]) -> Iterator[Picture]:
    seen: dict[str, int] = {}
    for one in pictures:
        seen[one.kind] = seen.get(one.kind, 0) + 1
        if seen[one.kind] <= MOST_OF_A_KIND:
            yield one
