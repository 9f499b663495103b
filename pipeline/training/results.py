"""Write the results of a training or a capacity study: networks, evaluation, card, recipe."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.config import DEFAULT_MASKS
from pipeline.config.training import Recipe
from pipeline.errors import OutputError
from pipeline.evaluation.capacity_report import capacity_csv, capacity_json, capacity_text
from pipeline.evaluation.columns import Column, csv_text, keyed
from pipeline.evaluation.files import write_evaluation
from pipeline.evaluation.pictures import History, png
from pipeline.evaluation.pictures.capacity import capacity_picture
from pipeline.evaluation.report import Evaluation
from pipeline.evaluation.summary import summary_lines
from pipeline.evaluation.tables import as_dict
from pipeline.networks import Ensemble, Network, load_retrieval
from pipeline.networks.reading.ensemble_file import write_ensemble
from pipeline.networks.saving import save_network
from pipeline.training.ending import why_it_stopped
from pipeline.training.ensemble import TrainedEnsemble
from pipeline.training.evaluate import evaluate_part, model_card
from pipeline.training.fit_network import TrainingResult
from pipeline.training.fitting import Epoch, FitResult
from pipeline.training.folder import write_folder, yaml_text
from pipeline.training.samples.preparation import PreparedSamples
from pipeline.training.samples.splits import PARTS
from pipeline.training.study import StudyResult

MEMBERS = "members"
ERRORS = "errors"
HELD_OUT = "test"
RUN_HEAD = """\
# For ocpipe run and ocpipe batch. The preset "default" is the list of masks that is recommended for
# the format of the scene; docs/configuration.md says how to choose other masks.
"""


@dataclass(frozen=True)
class Results:
    """The results of a training, which are now in its folder."""

    files: tuple[Path, ...]
    """The saved networks; if there is an ensemble, its file is the last."""
    lines: tuple[str, ...]
    """Why the training stopped, and the results on each part, for people."""


def write_results(
    folder: Path, config: Recipe, trained: TrainingResult | TrainedEnsemble
) -> Results:
    """Save a network or an ensemble, with its evaluation on each part and its model card.

    Existing files with the same names are replaced.

    Raises:
        OutputError: the folder cannot be written to.
    """
    prepared, retrieval, before, history = trained.prepared, trained.network, None, None
    parts = [part for part, count in prepared.split.counts.items() if count]
    if isinstance(trained, TrainedEnsemble):
        # Each validation row was a training row of some members.
        parts = [part for part in parts if part != "validation"]
    else:
        before, history = trained.before, _learning_curves(trained.fitted, config)
    evaluations = [evaluate_part(retrieval, config, prepared, part, before) for part in parts]
    record = retrieval.training | {"metrics": metrics_record(evaluations)}
    retrieval = replace(retrieval, training=record)
    files = _save_networks(folder, config, retrieval)
    recipe = yaml_text(config.model_dump(mode="json"))
    contents = {"split.csv": split_csv(prepared), "training.yaml": recipe}
    write_folder(folder, _histories(trained, files) | contents)
    used = files[-1] if isinstance(retrieval, Ensemble) else files[0]
    if used.suffix != ".onnx":
        write_folder(folder, {"run.yaml": run_yaml(retrieval, used)})
        retrieval = load_retrieval(used)  # as users load it; also checks the golden spectra
    *others, last = evaluations
    card = model_card(retrieval, config, prepared)
    write_evaluation(folder, last, card=card, history=history, other_parts=others)
    lines = (*_endings(config, trained), "", *summary_lines(evaluations, HELD_OUT))
    return Results(tuple(files), lines)


def write_study(folder: Path, studied: StudyResult) -> None:
    """Write ``study.txt``, ``study.csv``, ``study.json``, ``study.png`` and ``training.yaml``.

    Raises:
        OutputError: a file cannot be written.
    """
    capacity, recipe = studied.capacity, studied.recipe
    title = f"Capacity study of {recipe.name}, chosen: {capacity.chosen}"
    contents: dict[str, str | bytes] = {
        "study.csv": capacity_csv(capacity),
        "study.json": capacity_json(capacity),
        "study.png": png(capacity_picture(capacity, title)),
        "study.txt": capacity_text(capacity),
        "training.yaml": yaml_text(recipe.model_dump(mode="json")),
    }
    write_folder(folder, contents)


def _save_networks(folder: Path, config: Recipe, retrieval: Network | Ensemble) -> list[Path]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if isinstance(retrieval, Network):
            paths = [folder / f"{config.name}.{ending}" for ending in config.save]
            files = [file for path in paths for file in save_network(path, retrieval)]
        else:
            (folder / MEMBERS).mkdir(exist_ok=True)
            files = [
                save_network(folder / MEMBERS / f"{member.name}.{config.save[0]}", member)[0]
                for member in retrieval.members
            ]
            errors = [
                save_network(folder / ERRORS / f"{network.name}.{config.save[0]}", network)[0]
                for network in retrieval.error_networks
            ]
            path = folder / f"{config.name}.yaml"
            write_ensemble(path, retrieval, files, errors)
            files += [*errors, path]
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be written to ({error.strerror or error}). Free some disk "
            "space, or choose another output folder."
        ) from error
    return files


def _histories(
    trained: TrainingResult | TrainedEnsemble, files: Sequence[Path]
) -> dict[str, str | bytes]:
    """Return a dictionary from file names to CSV texts with the epochs of each network."""
    if isinstance(trained, TrainingResult):
        return {"history.csv": history_csv(trained.fitted.history)}
    return {
        f"{MEMBERS}/{file.stem}_history.csv": history_csv(member.fitted.history)
        for file, member in zip(files, trained.members, strict=False)
    }


def metrics_record(evaluations: Sequence[Evaluation]) -> dict[str, Any]:
    """Return the metrics of each part (not of single groups) for the record of a network."""
    found: dict[str, Any] = {}
    for evaluation in evaluations:
        content = as_dict(evaluation)
        found[evaluation.part] = {
            "rows": content["rows"],
            **{output["name"]: output["metrics"] for output in content["outputs"]},
        }
        if evaluation.classification is not None:
            found[evaluation.part] |= evaluation.classification.overall.metrics
    return found


def _learning_curves(fitted: FitResult, config: Recipe) -> History:
    validation = [epoch.validation_loss for epoch in fitted.history]
    return History(
        loss=tuple(epoch.loss for epoch in fitted.history),
        validation_loss=tuple(validation) if np.isfinite(validation).all() else (),
        learning_rate=tuple(epoch.learning_rate for epoch in fitted.history),
        best_epoch=fitted.best_epoch,
        loss_name="cross-entropy" if config.samples.classes else config.fit.loss,
    )


def _endings(config: Recipe, trained: TrainingResult | TrainedEnsemble) -> Iterator[str]:
    """Yield why each training stopped."""
    if isinstance(trained, TrainingResult):
        yield from why_it_stopped(config, trained.fitted.history)
        return
    for member in trained.members:
        for sentence in why_it_stopped(config, member.fitted.history):
            yield f"{member.network.name}: {sentence}"


def run_yaml(network: Network | Ensemble, file: Path) -> str:
    """Return a configuration with which ``ocpipe run`` applies the network, as YAML text."""
    plain = "".join(c if c.isalnum() else "_" for c in network.name)
    name = plain if plain[0].isalpha() else f"network_{plain}"
    choice = {"name": name, "file": str(file.absolute())}
    science = {"networks": [choice], "masks": {"preset": DEFAULT_MASKS}}
    return RUN_HEAD + yaml_text({"name": name, "title": network.title, "science": science})


def split_csv(prepared: PreparedSamples) -> str:
    """Return a CSV text with the file, row, group and part of each sample."""
    samples, split = prepared.samples, prepared.split
    groups = samples.groups
    columns: list[Column[tuple[str, int]]] = [
        Column("file", lambda one: samples.sources[samples.files[one[1]]]["name"]),
        Column("row", lambda one: samples.rows[one[1]]),
        Column("group", lambda one: "" if groups is None else groups[one[1]]),
        Column("part", lambda one: one[0]),
    ]
    return csv_text(columns, [(part, row) for part in PARTS for row in getattr(split, part)])


def history_csv(history: Sequence[Epoch]) -> str:
    """Return a CSV text with one line per epoch of a fit."""
    columns = [keyed(field.name) for field in fields(Epoch)]
    return csv_text(columns, [asdict(epoch) | {"is_best": int(epoch.is_best)} for epoch in history])
