"""The model card: one HTML file about a network, its training data and its evaluation."""

import base64
import functools
import itertools
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
from pipeline.evaluation.columns import Column, TextTable, table
from pipeline.evaluation.formatting import DASH, number, range_text
from pipeline.evaluation.metrics import largest_first
from pipeline.evaluation.pictures.style import pretty_units
from pipeline.evaluation.report import Evaluation, OutputResult
from pipeline.evaluation.tables import (
    comparison_rows,
    coverage_rows,
    input_rows,
    interval_warning,
    metric_columns,
    outside_sentence,
)
from pipeline.networks.description import Network
from pipeline.networks.ensemble import Ensemble
from pipeline.networks.variable import Variable
from pipeline.version import __version__

if TYPE_CHECKING:
    from jinja2 import Template

MOST_OF_A_KIND = 8
"""Largest number of pictures of one kind on a card; more pictures are only in separate files."""
MOST_GROUPS = 30
"""Largest number of groups in a table."""
OUTPUTS_ACROSS = 6
"""Largest number of outputs side by side in a table of groups."""
NOT_STATED = "Not stated."


@dataclass(frozen=True)
class DataFile:
    """A file with training samples."""

    name: str
    sha256: str
    rows: int | None = None


@dataclass(frozen=True)
class ModelCard:
    """Statements about a network; the measured numbers are in the evaluations."""

    name: str
    title: str
    inputs: tuple[Variable, ...]
    outputs: tuple[Variable, ...]
    description: str = ""
    sensors: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    shape_text: str = ""
    """Number of units in each layer: ``7-100-75-50-25-7``."""
    activations: tuple[str, ...] = ()
    """Activation of each layer."""
    weights: int | None = None
    """Number of weights, biases included."""
    sha256: str = ""
    """SHA-256 of the network file."""
    files: tuple[DataFile, ...] = ()
    filters: tuple[str, ...] = ()
    """Statements about rows that were left out."""
    split: str = ""
    """How the samples were split into parts."""
    parts: Mapping[str, int] = field(default_factory=dict)
    """Number of rows of each part."""
    groups: str = ""
    """The column by which the rows were grouped, and the number of groups."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Settings of the training; a setting may itself be a mapping."""
    intended_use: str = ""
    limits: str = ""
    licence: str = ""
    citation: str = ""
    software: Mapping[str, str] = field(default_factory=dict)
    """Version of each library."""
    ocpipe_version: str = __version__


def card_of_network(network: Network | Ensemble, **stated: Any) -> ModelCard:
    """Return a card with the statements in a network file, and with further statements."""
    parts = network.members if isinstance(network, Ensemble) else (network,)
    same = ("name", "title", "inputs", "outputs", "sensors", "classes", "shape_text", "sha256")
    known = {name: getattr(network, name) for name in (*same, "licence", "citation")}
    known["activations"] = tuple(layer.activation for layer in parts[0].layers)
    known["weights"] = sum(
        layer.kernel.size + layer.bias.size for part in parts for layer in part.layers
    )
    return ModelCard(**(known | stated))


def render_card(
    card: ModelCard, evaluations: Sequence[Evaluation] = (), pictures: Sequence[Picture] = ()
) -> str:
    """Return the card as a single HTML file that loads no other file.

    Args:
        card: statements about the network.
        evaluations: the evaluation of each part, in the order of the card. The tables of groups,
            inputs and models show only the last part, which is the test part.
        pictures: pictures to embed, in this order.
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
        coverage=coverage_rows(last) if last else None,
        comparison=comparison_rows(last) if last else None,
        classifications=list(_classifications(evaluations)),
        class_comparison=class_model_rows(last) if last and last.classification else None,
        groups=list(_group_tables(last)) if last else [],
        warning=interval_warning(last) if last else "",
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
    """Yield texts such as ``3 x tanh`` and ``linear``; successive equal layers share one text."""
    for name, equal in itertools.groupby(names):
        count = len(list(equal))
        yield name if count == 1 else f"{count} x {name}"


def _variables(variables: Sequence[Variable]) -> TextTable:
    columns: Sequence[Column[Variable]] = (
        Column("name", lambda one: one.name),
        Column("meaning", lambda one: one.long_name or DASH),
        Column("units", lambda one: pretty_units(one.units)),
        Column("transform", lambda one: one.transform_name),
        Column("training range", lambda one: range_text(*one.physical_range)),
    )
    return table(columns, variables)


def _flat(settings: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Yield names and values of nested settings; a name looks like ``optimizer.learning_rate``."""
    for name, value in settings.items():
        full = f"{above}.{name}" if above else str(name)
        if isinstance(value, Mapping):
            yield from _flat(value, full)
        else:
            plain = isinstance(value, (list, tuple))
            yield full, ", ".join(map(str, value)) if plain else str(value)


def _metrics(evaluations: Sequence[Evaluation]) -> TextTable | None:
    """Return the metrics of all outputs as a table with one row for each output and part."""
    pairs = [(evaluation.part, one) for evaluation in evaluations for one in evaluation.outputs]
    order = list(dict.fromkeys(one.variable.name for _, one in pairs))
    columns: list[Column[tuple[str, OutputResult]]] = [
        Column("output", lambda pair: pair[1].variable.name),
        Column("part", lambda pair: pair[0]),
        Column("compared", lambda pair: _compared(pair[1])),
        *(column.within(lambda pair: pair[1].metrics) for column in metric_columns()),
    ]
    pairs.sort(key=lambda pair: order.index(pair[1].variable.name))
    return table(columns, pairs) if pairs else None


def _compared(output: OutputResult) -> str:
    return "log10" if output.metrics.log else pretty_units(output.variable.units)


def _classifications(evaluations: Sequence[Evaluation]) -> Iterator[tuple[str, str, TextTable]]:
    """For each part, yield its name, a sentence about it, and its table of classes."""
    for one in evaluations:
        if one.classification is not None:
            sentence = classification_sentence(one.classification)
            yield one.part, sentence, class_rows(one.classification)


def _group_tables(evaluation: Evaluation) -> Iterator[TextTable]:
    """Yield tables with a row for each group: metrics of classes, or mean absolute errors."""
    if evaluation.classification is not None:
        by_class = class_group_rows(evaluation.classification, MOST_GROUPS)
        if by_class is not None:
            yield by_class
    outputs = [one for one in evaluation.outputs if one.by_group]
    if not outputs:
        return
    rows = {name: sum(one.by_group[name].n for one in outputs) for name in outputs[0].by_group}
    for start in range(0, len(outputs), OUTPUTS_ACROSS):
        across = outputs[start : start + OUTPUTS_ACROSS]
        columns = [Column[str]("group", lambda name: name), *(_group_column(one) for one in across)]
        yield table(columns, largest_first(rows)[:MOST_GROUPS])


def _group_column(output: OutputResult) -> Column[str]:
    """Return a column with the mean absolute error of an output in each group."""

    def cell(name: str) -> str:
        numbers = output.by_group[name]
        mae = numbers["mae"]
        return f"{number(mae)} (n={numbers.n:,})" if math.isfinite(mae) else DASH

    return Column(output.variable.name, cell)


def _few_of_each_kind(pictures: Sequence[Picture]) -> Iterator[Picture]:
    seen: dict[str, int] = {}
    for one in pictures:
        seen[one.kind] = seen.get(one.kind, 0) + 1
        if seen[one.kind] <= MOST_OF_A_KIND:
            yield one
