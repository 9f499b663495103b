"""Evaluate networks and published algorithms on the samples of a training configuration."""

import importlib.metadata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.config.strict import read_mapping
from pipeline.config.training import FinetuneConfig, Recipe, TrainingConfig
from pipeline.errors import ConfigError
from pipeline.evaluation.card import DataFile, ModelCard, card_of_network
from pipeline.evaluation.class_comparison import modelled_classes
from pipeline.evaluation.files import write_evaluation
from pipeline.evaluation.report import Evaluation, evaluate_arrays, evaluate_classes
from pipeline.evaluation.tables import to_text
from pipeline.networks import Ensemble, Network
from pipeline.training.baselines import baseline_classes, baseline_outputs
from pipeline.training.finetune import with_inputs_of
from pipeline.training.recipe import find_recipe, load_recipe
from pipeline.training.samples.preparation import PreparedSamples, prepare
from pipeline.training.samples.variables import variables_of

LIBRARIES = ("tensorflow", "keras", "numpy")


def evaluate_networks(
    networks: Sequence[Network | Ensemble],
    config: str,
    part: str,
    output: Path | None,
    files: tuple[Path, ...] = (),
) -> str:
    """Evaluate the first network; compare the other networks and published algorithms with it.

    Args:
        networks: networks with the same inputs and outputs.
        config: training or fine-tuning configuration; its samples, splits and baselines are used.
        part: ``train``, ``validation``, ``test`` or ``all``.
        output: folder for pictures, tables and the model card, or None to write no files.
        files: tables of samples that replace the tables of the configuration.

    Returns:
        The tables as text.

    Raises:
        ConfigError: the configuration or the samples are wrong, or the part is empty.
        OutputError: the folder cannot be written to.
    """
    network, *others = networks
    recipe = _recipe(config, network).reading(files)
    prepared = prepare(recipe.samples, recipe.splits)
    _check_fit(networks, recipe, prepared.samples.x.shape[1])
    if part != "all" and not len(getattr(prepared.split, part)):
        raise ConfigError(
            f"the {part} part is empty. Change the key 'splits', or choose another --part."
        )
    evaluation = evaluate_part(network, recipe, prepared, part, others=others)
    if output is not None:
        write_evaluation(output, evaluation, card=model_card(network, recipe, prepared))
    return to_text(evaluation)


def evaluate_part(
    network: Network | Ensemble,
    config: Recipe,
    prepared: PreparedSamples,
    part: str,
    before: Network | None = None,
    others: Sequence[Network | Ensemble] = (),
) -> Evaluation:
    """Evaluate a network on one part of the samples; compare algorithms and other networks with it.

    ``part`` is ``train``, ``validation``, ``test`` or ``all``. The networks ``others`` and the
    network before fine-tuning (``before``) must have the inputs and outputs of ``network``.
    """
    rows = np.arange(len(prepared.samples)) if part == "all" else getattr(prepared.split, part)
    chosen, sensor = prepared.samples.take(rows), config.sensors[0]
    modelled = network.reference(chosen.x)
    if chosen.labels is not None:
        classes = baseline_classes(
            config.class_baselines, sensor, network.inputs, network.classes, chosen.x
        )
        for name, other in _named_apart(before, others, (*classes, network.name)):
            classes[name] = modelled_classes(other.reference(chosen.x))
        return evaluate_classes(
            network.inputs, network.classes, chosen.x, chosen.labels, modelled,
            groups=chosen.groups, baselines=classes, part=part, model=network.name,
        )  # fmt: skip
    baselines = baseline_outputs(
        config.baselines, sensor, network.inputs, network.outputs, chosen.x,
        config.samples.tolerance_nm,
    )  # fmt: skip
    for name, other in _named_apart(before, others, (*baselines, network.name)):
        baselines[name] = other.reference(chosen.x)
    deviation = None
    if isinstance(network, Ensemble):
        deviation = np.asarray(network.predict_with_uncertainty(chosen.x, "numpy")[1])
    return evaluate_arrays(
        network.inputs, network.outputs, chosen.x, chosen.y, modelled,
        groups=chosen.groups, baselines=baselines, part=part, model=network.name,
        deviation=deviation,
    )  # fmt: skip


def model_card(network: Network | Ensemble, config: Recipe, prepared: PreparedSamples) -> ModelCard:
    """Return the model card of a network, with facts about the network and its samples."""
    samples, groups = prepared.samples, ""
    if samples.groups is not None:
        groups = f"{config.samples.group}: {len(set(samples.groups))} groups"
    settings = config.model_dump(
        mode="json", include={"network", "finetune", "fit"}, exclude_none=True
    )
    if config.samples.classes is not None:
        classes = config.samples.classes.model_dump(mode="json", exclude_defaults=True)
        settings = {"classes": classes} | settings
    shown = ("best_epoch", "epochs", "start", "class_weights")
    settings |= {name: value for name, value in network.training.items() if name in shown}
    return card_of_network(
        network,
        files=tuple(data_files(samples.sources)),
        filters=(*((config.samples.filter,) if config.samples.filter else ()), *samples.notes),
        split=f"by {config.splits.by}, seed {config.splits.seed}",
        parts=prepared.split.counts,
        groups=groups,
        settings=settings,
        limits=config.limits,
        software={name: importlib.metadata.version(name) for name in LIBRARIES},
    )


def _named_apart(
    before: Network | None, others: Sequence[Network | Ensemble], taken: Sequence[str]
) -> list[tuple[str, Network | Ensemble]]:
    """Return the networks to compare, each with a unique name."""
    named: list[tuple[str, Network | Ensemble]] = (
        [] if before is None else [(f"{before.name} before", before)]
    )
    for other in others:
        used = (*taken, *(name for name, _ in named))
        numbered = (f"{other.name} ({number})" for number in range(2, len(used) + 3))
        named.append((next(n for n in (other.name, *numbered) if n not in used), other))
    return named


def _recipe(config: str, network: Network | Ensemble) -> Recipe:
    kind = FinetuneConfig if "finetune" in read_mapping(find_recipe(config)) else TrainingConfig
    recipe = load_recipe(config, kind)
    return with_inputs_of(network, recipe) if isinstance(recipe, FinetuneConfig) else recipe


def _check_fit(networks: Sequence[Network | Ensemble], recipe: Recipe, inputs: int) -> None:
    """Refuse networks with other inputs than the samples have.

    Networks with other outputs than the first network has are refused too.
    """
    named = [(choice.quantity, nm) for choice, nm in variables_of(recipe.samples.inputs)]
    first = networks[0]
    for network in networks:
        own = [(v.quantity, v.wavelength_nm) for v in network.inputs]
        if own != named or len(own) != inputs:
            raise ConfigError(
                f"{network.name} takes {', '.join(v.name for v in network.inputs)}, but the "
                "samples have other inputs. Choose the configuration that trained the network."
            )
        if [v.name for v in network.outputs] != [v.name for v in first.outputs]:
            raise ConfigError(
                f"{network.name} has the outputs {', '.join(v.name for v in network.outputs)}, but "
                f"{first.name} has {', '.join(v.name for v in first.outputs)}. Compare networks "
                "with the same outputs."
            )


def data_files(sources: Iterable[Mapping[str, Any]]) -> Iterator[DataFile]:
    """Yield the files of samples, each followed by the files that are joined to it."""
    for source in sources:
        yield DataFile(str(source["name"]), str(source["sha256"]), int(source["rows"]))
        for name, sha256 in source.get("joined", {}).items():
            yield DataFile(str(name), str(sha256))
