"""The folder of a training: the network, how it was made, and what the field wants to see of it."""

import csv
import importlib.metadata
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml

from pipeline.config.training import Recipe
from pipeline.errors import OutputError
from pipeline.evaluation.card import DataFile, ModelCard, card_of_network
from pipeline.evaluation.class_comparison import modelled_classes
from pipeline.evaluation.files import write_evaluation
from pipeline.evaluation.pictures import History
from pipeline.evaluation.report import Evaluation, evaluate_arrays, evaluate_classes
from pipeline.evaluation.tables import as_dict
from pipeline.networks import Ensemble, Network, load_network
from pipeline.networks.saving import save_network
from pipeline.networks.variable import Array
from pipeline.training.baselines import baseline_classes, baseline_outputs
from pipeline.training.fitting import FitResult
from pipeline.training.fitting.history import write_history
from pipeline.training.samples.preparation import PreparedSamples
from pipeline.training.train import TrainingResult

Rows = npt.NDArray[np.int64]
PARTS = ("train", "validation", "test")
LIBRARIES = ("tensorflow", "keras", "numpy")


def write_results(folder: Path, config: Recipe, trained: TrainingResult) -> list[Path]:
    """Save the network, its history, its evaluation on what was held out, and its model card.

    Args:
        folder: where all of it goes; files of the same names are replaced.
        config: by which it was trained.
        trained: what came of it.

    Returns:
        The files of the network.

    Raises:
        OutputError: the folder cannot be written to.
    """
    evaluations = [
        evaluate_part(trained.network, config, trained.prepared, part, trained.before)
        for part in PARTS
        if len(getattr(trained.prepared.split, part))
    ]
    record = trained.network.training | {"metrics": measured(evaluations)}
    network = replace(trained.network, training=record)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        saved = [
            file
            for ending in config.save
            for file in save_network(folder / f"{config.name}.{ending}", network)
        ]
        write_history(folder / "history.csv", trained.fitted.history)
        write_split(folder / "split.csv", trained.prepared)
        write_yaml(folder / "training.yaml", config.model_dump(mode="json"))
        if saved[0].suffix != ".onnx":
            write_yaml(folder / "run.yaml", run_config(network, saved[0]))
            network = load_network(saved[0])  # as it will be used, golden spectra checked
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be written to ({error.strerror or error}). Free space, or choose "
            "another output folder."
        ) from error
    *others, last = evaluations
    write_evaluation(
        folder,
        last,
        card=model_card(network, config, trained.prepared),
        history=_curves(trained.fitted, config),
        other_parts=others,
    )
    return saved


def evaluate_part(
    network: Network | Ensemble,
    config: Recipe,
    prepared: PreparedSamples,
    part: str,
    before: Network | None = None,
    others: Sequence[Network | Ensemble] = (),
) -> Evaluation:
    """A network on one part of the samples, beside published algorithms and other networks.

    Args:
        network: what is judged.
        config: says which algorithms it is compared with.
        prepared: samples with their parts.
        part: ``train``, ``validation``, ``test`` or ``all``.
        before: the network before fine-tuning, on the same outputs.
        others: more networks of the same inputs and outputs.
    """
    rows = np.arange(len(prepared.samples)) if part == "all" else getattr(prepared.split, part)
    chosen = prepared.samples.take(rows)
    modelled = network.reference(chosen.x)
    if chosen.labels is not None:
        classes = baseline_classes(
            config.class_baselines, config.sensors[0], network.inputs, network.classes, chosen.x
        )
        for name, other in _named_apart(before, others, (*classes, network.name)):
            classes[name] = modelled_classes(other.reference(chosen.x))
        return evaluate_classes(
            network.inputs, network.classes, chosen.x, chosen.labels, modelled,
            groups=chosen.groups, baselines=classes, part=part, model=network.name,
        )  # fmt: skip
    baselines = baseline_outputs(
        config.baselines, config.sensors[0], network.inputs, network.outputs, chosen.x,
        config.samples.tolerance_nm,
    )  # fmt: skip
    for name, other in _named_apart(before, others, (*baselines, network.name)):
        baselines[name] = other.reference(chosen.x)
    return evaluate_arrays(
        network.inputs, network.outputs, chosen.x, chosen.y, modelled,
        groups=chosen.groups, baselines=baselines, part=part, model=network.name,
        deviation=_deviation(network, chosen.x),
    )  # fmt: skip


def _deviation(network: Network | Ensemble, x: Array) -> Array | None:
    """What an ensemble states of its uncertainty; a network states nothing."""
    if isinstance(network, Ensemble):
        return np.asarray(network.predict_with_uncertainty(x, "numpy")[1])
    return None


def _named_apart(
    before: Network | None, others: Sequence[Network | Ensemble], taken: Sequence[str]
) -> list[tuple[str, Network | Ensemble]]:
    """What a network is compared with, each by a name of its own."""
    named: list[tuple[str, Network | Ensemble]] = (
        [] if before is None else [(f"{before.name} before", before)]
    )
    for other in others:
        named.append((_unused(other.name, (*taken, *(name for name, _ in named))), other))
    return named


def _unused(name: str, taken: Sequence[str]) -> str:
    """The name, with a number where there is one already."""
    tried = (f"{name} ({number})" if number > 1 else name for number in range(1, len(taken) + 2))
    return next(one for one in tried if one not in taken)


def measured(evaluations: Sequence[Evaluation]) -> dict[str, Any]:
    """Metrics of each part, for the record of a network; by group they are in metrics.json."""
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


def model_card(network: Network | Ensemble, config: Recipe, prepared: PreparedSamples) -> ModelCard:
    """What is stated about a network and the samples it was trained with."""
    samples, split = prepared.samples, prepared.split
    parts = {part: len(getattr(split, part)) for part in PARTS}
    groups = ""
    if samples.groups is not None:
        groups = f"{config.samples.group}: {len(set(samples.groups))} groups"
    settings = config.model_dump(
        mode="json", include={"network", "finetune", "fit"}, exclude_none=True
    )
    if config.samples.classes is not None:
        classes = config.samples.classes.model_dump(mode="json", exclude_defaults=True)
        settings = {"classes": classes} | settings
    told = ("best_epoch", "epochs", "start", "class_weights")
    settings |= {name: value for name, value in network.training.items() if name in told}
    return card_of_network(
        network,
        files=tuple(
            DataFile(str(s["name"]), str(s["sha256"]), int(s["rows"])) for s in samples.sources
        ),
        filters=(*((config.samples.filter,) if config.samples.filter else ()), *samples.told),
        split=f"by {config.splits.by}, seed {config.splits.seed}",
        parts=parts,
        groups=groups,
        settings=settings,
        limits=config.limits,
        software={name: importlib.metadata.version(name) for name in LIBRARIES},
    )


def _curves(fitted: FitResult, config: Recipe) -> History:
    validation = [epoch.validation_loss for epoch in fitted.history]
    return History(
        loss=tuple(epoch.loss for epoch in fitted.history),
        validation_loss=tuple(validation) if np.isfinite(validation).all() else (),
        learning_rate=tuple(epoch.learning_rate for epoch in fitted.history),
        best_epoch=fitted.best_epoch,
        loss_name="cross-entropy" if config.samples.classes else config.fit.loss,
    )


def run_config(network: Network | Ensemble, file: Path) -> Mapping[str, Any]:
    """With which ``ocpipe run`` takes the network at once."""
    plain = "".join(c if c.isalnum() else "_" for c in network.name)
    name = plain if plain[0].isalpha() else f"network_{plain}"
    choice = {"name": name, "file": str(file.absolute())}
    return {"name": name, "title": network.title, "science": {"networks": [choice]}}


def write_yaml(path: Path, data: Mapping[str, Any]) -> None:
    """Plain data, in its order."""
    path.write_text(
        yaml.safe_dump(dict(data), sort_keys=False, allow_unicode=True), encoding="utf-8"
    )


def write_split(path: Path, prepared: PreparedSamples) -> None:
    """Which row of which file was in which part."""
    samples = prepared.samples
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("file", "row", "group", "part"))
        for part in PARTS:
            for row in getattr(prepared.split, part):
                group = "" if samples.groups is None else samples.groups[row]
                source = samples.sources[samples.files[row]]["name"]
                writer.writerow((source, samples.rows[row], group, part))
