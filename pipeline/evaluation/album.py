"""The pictures that go with an evaluation, each with a name and a caption."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pipeline.evaluation.coverage import ratios
from pipeline.evaluation.pictures import (
    class_groups,
    class_shares,
    comparison,
    confusion,
    coverage_picture,
    groups_picture,
    learning_curves,
    png,
    residuals,
    scatter,
)
from pipeline.evaluation.report import Evaluation, Samples

MOST_CURVES = 3
"""Outputs on the picture of uncertainty; more could not be told apart."""
PANELS = 20
"""Outputs on one picture; more are continued on the next."""


@dataclass(frozen=True)
class History:
    """How a network learned."""

    loss: tuple[float, ...]
    """Of the training part after each epoch."""
    validation_loss: tuple[float, ...] = ()
    learning_rate: tuple[float, ...] = ()
    best_epoch: int | None = None
    """The epoch whose weights were kept, from 1."""
    loss_name: str = "loss"


@dataclass(frozen=True)
class Picture:
    """A PNG with what it shows."""

    name: str
    """Of its file, without the ending."""
    kind: str
    """``scatter``, ``residuals`` ..."""
    caption: str
    png: bytes


def draw_pictures(evaluation: Evaluation, history: History | None = None) -> tuple[Picture, ...]:
    """All pictures that the evaluation gives reason for, in the order they are read."""
    pictures = list(_scatters(evaluation))
    pictures += _comparisons(evaluation)
    pictures += _classes(evaluation)
    if history is not None:
        pictures.append(_learning(history))
    if evaluation.samples is not None:
        pictures += _coverage(evaluation, evaluation.samples)
        pictures += _groups(evaluation, evaluation.samples)
        pictures += _residuals(evaluation, evaluation.samples)
    return tuple(pictures)


def _classes(evaluation: Evaluation) -> Iterator[Picture]:
    result = evaluation.classification
    if result is None:
        return
    caption = (
        f"Observed and modelled classes of the {evaluation.part} part. Colours are shares of the "
        "observed class."
    )
    yield Picture("confusion", "confusion", caption, png(confusion(result)))
    drawn_from = "groups" if result.by_group else "rows"
    caption = (
        f"Recall and precision of each class, {evaluation.part} part, and models on the rows where "
        f"all name a class; bars are intervals of a bootstrap over {drawn_from}. Whether a "
        "difference of models is real is in the table: they share their rows."
    )
    figure = class_shares(result, evaluation.class_comparison)
    yield Picture("class_shares", "class_shares", caption, png(figure))
    if result.by_group:
        caption = f"Accuracy by group, {evaluation.part} part, largest groups first."
        yield Picture("class_groups", "class_groups", caption, png(class_groups(result)))


def _scatters(evaluation: Evaluation) -> Iterator[Picture]:
    samples = evaluation.samples
    if samples is None:
        return
    outputs = evaluation.outputs
    for start in range(0, len(outputs), PANELS):
        page = outputs[start : start + PANELS]
        columns = slice(start, start + len(page))
        figure = scatter(
            samples.observed[:, columns],
            samples.modelled[:, columns],
            [one.variable for one in page],
            title=f"Modelled against observed, {evaluation.part} part",
            logs=[one.metrics.log for one in page],
        )
        number = f"_{start // PANELS + 1}" if len(outputs) > PANELS else ""
        caption = (
            f"Modelled against observed values of the {evaluation.part} part. The line is 1:1; "
            "MAE and bias of logarithms are factors, 1 at best."
        )
        yield Picture(f"scatter{number}", "scatter", caption, png(figure))


def _comparisons(evaluation: Evaluation) -> Iterator[Picture]:
    outputs = [one for one in evaluation.outputs if one.comparison]
    for start in range(0, len(outputs), PANELS):
        page = outputs[start : start + PANELS]
        figure = comparison(
            {
                one.variable.name: {model.model: model.interval for model in one.comparison}
                for one in page
            },
            {one.variable.name: one.variable.units for one in page},
            {one.variable.name: one.metrics.log for one in page},
            first=evaluation.model,
            title=f"Models on common rows, {evaluation.part} part",
        )
        number = f"_{start // PANELS + 1}" if len(outputs) > PANELS else ""
        caption = (
            "Mean absolute error of each model on the rows where all give a value; bars are "
            "intervals of the bootstrap. Whether a difference is real is in the table: the models "
            "share their rows, so their bars may overlap all the same."
        )
        yield Picture(f"comparison{number}", "comparison", caption, png(figure))


def _learning(history: History) -> Picture:
    figure = learning_curves(
        history.loss,
        history.validation_loss,
        history.learning_rate,
        history.best_epoch,
        history.loss_name,
    )
    return Picture("learning_curves", "learning", "Loss by epoch.", png(figure))


def _coverage(evaluation: Evaluation, samples: Samples) -> Iterator[Picture]:
    if samples.deviation is None:
        return
    results = {
        one.variable.name: ratios(
            samples.observed[:, i], samples.modelled[:, i], samples.deviation[:, i], one.metrics.log
        )
        for i, one in enumerate(evaluation.outputs[:MOST_CURVES])
    }
    caption = (
        f"Stated uncertainty in the {evaluation.part} part. Left: share of observed values in "
        "intervals around the modelled ones; right: root mean square error of rows for which the "
        "same was stated, in decades where logarithms are compared. Lines are where both are equal."
    )
    yield Picture("uncertainty", "uncertainty", caption, png(coverage_picture(results)))


def _groups(evaluation: Evaluation, samples: Samples) -> Iterator[Picture]:
    if samples.groups is None:
        return
    labels = np.array(samples.groups)
    for i, one in enumerate(evaluation.outputs):
        o, m = samples.observed[:, i], samples.modelled[:, i]
        figure = groups_picture(o, m, labels, one.variable, one.metrics.log)
        caption = f"{one.variable.name} by group, {evaluation.part} part, largest groups first."
        yield Picture(f"groups_{_plain(one.variable.name)}", "groups", caption, png(figure))


def _residuals(evaluation: Evaluation, samples: Samples) -> Iterator[Picture]:
    if not evaluation.inputs:
        return
    inputs = [one.variable for one in evaluation.inputs]
    for i, one in enumerate(evaluation.outputs):
        o, m = samples.observed[:, i], samples.modelled[:, i]
        figure = residuals(o, m, one.variable, samples.x, inputs, one.metrics.log)
        caption = (
            f"What is left over of {one.variable.name} against each input, {evaluation.part} part: "
            "medians and quartiles of bins with equal counts."
        )
        yield Picture(f"residuals_{_plain(one.variable.name)}", "residuals", caption, png(figure))


def _plain(name: str) -> str:
    """The name of a variable as part of the name of a file."""
    return re.sub(r"[^\w.-]+", "_", name)
