"""The pictures of an evaluation, each with a name and a caption."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.evaluation import pictures
from pipeline.evaluation.coverage import ratios
from pipeline.evaluation.pictures import History, png
from pipeline.evaluation.report import Evaluation, EvaluationArrays, OutputResult

MOST_CURVES = 3
"""Largest number of outputs in the picture of uncertainty; readers could not distinguish more
curves."""
PANELS = 20
"""Largest number of outputs in one picture; further outputs are in the next picture."""


@dataclass(frozen=True)
class Picture:
    """A PNG with a caption."""

    name: str
    """Name of the file without its ending."""
    kind: str
    """``scatter``, ``residuals`` ..."""
    caption: str
    png: bytes


def draw_pictures(evaluation: Evaluation, history: History | None = None) -> tuple[Picture, ...]:
    """Draw all pictures for which the evaluation has data. The card shows them in this order."""
    drawn: list[Picture] = []
    arrays = evaluation.arrays
    if arrays is not None:
        drawn += _scatters(evaluation, arrays)
    drawn += _comparisons(evaluation)
    drawn += _classes(evaluation)
    if history is not None:
        curves = png(pictures.learning_curves(history))
        drawn.append(Picture("learning_curves", "learning", "Loss by epoch.", curves))
    if arrays is not None:
        drawn += _coverage(evaluation, arrays)
        drawn += _groups(evaluation, arrays)
        drawn += _residuals(evaluation, arrays)
    return tuple(drawn)


def _classes(evaluation: Evaluation) -> Iterator[Picture]:
    result = evaluation.classification
    if result is None:
        return
    caption = (
        f"Observed and modelled classes of the {evaluation.part} part. Colours are shares of the "
        "observed class."
    )
    yield Picture("confusion", "confusion", caption, png(pictures.confusion(result)))
    drawn_from = "groups" if result.by_group else "rows"
    caption = (
        f"Recall and precision of each class, {evaluation.part} part, and models on the rows where "
        f"all models name a class; bars are intervals of a bootstrap over {drawn_from}. See the "
        "table for "
        "the differences between models: they share their rows."
    )
    figure = pictures.class_shares(result, evaluation.class_comparison)
    yield Picture("class_shares", "class_shares", caption, png(figure))
    if result.by_group:
        caption = f"Accuracy by group, {evaluation.part} part, largest groups first."
        yield Picture("class_groups", "class_groups", caption, png(pictures.class_groups(result)))


def _pages(outputs: Sequence[OutputResult]) -> Iterator[tuple[str, slice]]:
    """For each page, yield the end of its file name (such as ``_2``) and the slice of outputs."""
    for start in range(0, len(outputs), PANELS):
        number = f"_{start // PANELS + 1}" if len(outputs) > PANELS else ""
        yield number, slice(start, start + PANELS)


def _scatters(evaluation: Evaluation, arrays: EvaluationArrays) -> Iterator[Picture]:
    for number, page in _pages(evaluation.outputs):
        outputs = evaluation.outputs[page]
        figure = pictures.scatter(
            arrays.observed[:, page],
            arrays.modelled[:, page],
            [one.variable for one in outputs],
            title=f"Modelled against observed, {evaluation.part} part",
            logs=[one.metrics.log for one in outputs],
        )
        caption = (
            f"Modelled against observed values of the {evaluation.part} part. The line is 1:1; "
            "MAE and bias of logarithms are factors, 1 at best."
        )
        yield Picture(f"scatter{number}", "scatter", caption, png(figure))


def _comparisons(evaluation: Evaluation) -> Iterator[Picture]:
    compared = [one for one in evaluation.outputs if one.comparison]
    for number, page in _pages(compared):
        title = f"Models on common rows, {evaluation.part} part"
        figure = pictures.comparison(compared[page], title)
        caption = (
            "Mean absolute error of each model on the rows where all models give a value; bars are "
            "intervals of the bootstrap. See the table for the differences between models: they "
            "share their rows, so a difference may be real although the bars overlap."
        )
        yield Picture(f"comparison{number}", "comparison", caption, png(figure))


def _coverage(evaluation: Evaluation, arrays: EvaluationArrays) -> Iterator[Picture]:
    if arrays.deviation is None:
        return
    results = {
        one.variable.name: ratios(*arrays.column(i), arrays.deviation[:, i], one.metrics.log)
        for i, one in enumerate(evaluation.outputs[:MOST_CURVES])
    }
    caption = (
        f"Stated uncertainty in the {evaluation.part} part. Left: share of the observed values "
        "within intervals around the modelled ones. Right: root mean square error of rows with "
        "similar stated uncertainty, in decades where logarithms are compared. On the lines, "
        "stated and actual values are equal."
    )
    yield Picture("uncertainty", "uncertainty", caption, png(pictures.coverage_picture(results)))


def _groups(evaluation: Evaluation, arrays: EvaluationArrays) -> Iterator[Picture]:
    if arrays.groups is None:
        return
    labels = np.array(arrays.groups)
    for i, one in enumerate(evaluation.outputs):
        figure = pictures.groups_picture(*arrays.column(i), labels, one.variable, one.metrics.log)
        caption = f"{one.variable.name} by group, {evaluation.part} part, largest groups first."
        yield Picture(f"groups_{_plain(one.variable.name)}", "groups", caption, png(figure))


def _residuals(evaluation: Evaluation, arrays: EvaluationArrays) -> Iterator[Picture]:
    if not evaluation.inputs:
        return
    inputs = [one.variable for one in evaluation.inputs]
    for i, one in enumerate(evaluation.outputs):
        figure = pictures.residuals(
            *arrays.column(i), one.variable, arrays.x, inputs, one.metrics.log
        )
        caption = (
            f"Residuals of {one.variable.name} against each input, {evaluation.part} part: "
            "medians and quartiles of bins with equal counts."
        )
        yield Picture(f"residuals_{_plain(one.variable.name)}", "residuals", caption, png(figure))


def _plain(name: str) -> str:
    """Turn the name of a variable into a part of a file name."""
    return re.sub(r"[^\w.-]+", "_", name)
