"""Evaluate networks and published algorithms on the samples of a training configuration."""

import importlib.metadata
import logging
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
from pipeline.networks.variable import Array, Variable
from pipeline.training.baselines import baseline_classes, baseline_outputs
from pipeline.training.finetune import with_inputs_of
from pipeline.training.recipe import find_recipe, load_recipe
from pipeline.training.samples.preparation import PreparedSamples, prepare
from pipeline.training.samples.variables import nearest_variable, variables_of

log = logging.getLogger(__name__)

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
        networks: networks with the same inputs. Each is compared on the outputs that it shares with
            the first network and with the targets of the samples.
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
    _check_fit(networks, recipe, prepared)
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

    ``part`` is ``train``, ``validation``, ``test`` or ``all``. Outputs that are not targets of the
    samples are left out. The networks ``others`` and the network before fine-tuning (``before``)
    must have the inputs of ``network``. If such a network lacks an output, this output is not
    compared. All
    classifiers must have the same classes.
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
    tolerance_nm, targets = config.samples.tolerance_nm, prepared.samples.targets
    places = _places(targets, network, tolerance_nm)
    kept = [i for i, place in enumerate(places) if place is not None]
    columns = [place for place in places if place is not None]
    outputs = tuple(network.outputs[column] for column in columns)
    # An algorithm may compute a target that is not an output of this network. It is then left out.
    wanted = tuple(
        target if place is None else network.outputs[place]
        for target, place in zip(targets, places, strict=True)
    )
    baselines = {
        name: values[:, kept]
        for name, values in baseline_outputs(
            config.baselines, sensor, network.inputs, wanted, chosen.x, tolerance_nm
        ).items()
    }
    for name, other in _named_apart(before, others, (*baselines, network.name)):
        baselines[name] = _outputs_like(outputs, other, chosen.x, tolerance_nm)
    deviation = None
    if isinstance(network, Ensemble):
        stated = np.asarray(network.predict_with_uncertainty(chosen.x, "numpy")[1])
        deviation = stated[:, columns]
    return evaluate_arrays(
        network.inputs, outputs, chosen.x, chosen.y[:, kept], modelled[:, columns],
        groups=chosen.groups, baselines=baselines, part=part, model=network.name,
        deviation=deviation,
    )  # fmt: skip


def _places(
    wanted: Sequence[Variable], network: Network | Ensemble, tolerance_nm: float
) -> list[int | None]:
    """Return the place of each wanted variable among the outputs of a network."""
    return [nearest_variable(one, network.outputs, tolerance_nm) for one in wanted]


def _outputs_like(
    outputs: Sequence[Variable], other: Network | Ensemble, x: Array, tolerance_nm: float
) -> Array:
    """Return a network's values of these outputs (n, outputs); NaN for outputs that it lacks."""
    values, lacking = other.reference(x), np.full(len(x), np.nan)
    places = _places(outputs, other, tolerance_nm)
    columns = [lacking if place is None else values[:, place] for place in places]
    return np.stack(columns, axis=1)


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


def _check_fit(
    networks: Sequence[Network | Ensemble], recipe: Recipe, prepared: PreparedSamples
) -> None:
    """Refuse networks with other inputs than the samples have, and networks that share no output.

    A message names the outputs of a network that are not compared.
    """
    named = [(choice.quantity, nm) for choice, nm in variables_of(recipe.samples.inputs)]
    for network in networks:
        own = [(v.quantity, v.wavelength_nm) for v in network.inputs]
        if own != named or len(own) != prepared.samples.x.shape[1]:
            raise ConfigError(
                f"{network.name} takes {', '.join(v.name for v in network.inputs)}, but the "
                "samples have other inputs. Choose the configuration that trained the network."
            )
    if prepared.samples.classes or any(network.classes for network in networks):
        _check_classes(networks, prepared)
    else:
        _check_outputs(networks, recipe, prepared)


def _check_classes(networks: Sequence[Network | Ensemble], prepared: PreparedSamples) -> None:
    expected = prepared.samples.classes
    for network in networks:
        if network.classes != expected:
            raise ConfigError(
                f"{network.name} has the classes {', '.join(network.classes) or 'none'}, but the "
                f"samples have {', '.join(expected) or 'none'}. Compare networks with the classes "
                "of the samples."
            )


def data_files(sources: Iterable[Mapping[str, Any]]) -> Iterator[DataFile]:
    """Yield the files of samples, each followed by the files that are joined to it."""
    for source in sources:
        yield DataFile(str(source["name"]), str(source["sha256"]), int(source["rows"]))
        for name, sha256 in source.get("joined", {}).items():
            yield DataFile(str(name), str(sha256))


def _check_outputs(
    networks: Sequence[Network | Ensemble], recipe: Recipe, prepared: PreparedSamples
) -> None:
    first, *others = networks
    targets, tolerance_nm = prepared.samples.targets, recipe.samples.tolerance_nm
    shared = _shared(first, targets, tolerance_nm, "the samples have the targets")
    for other in others:
        _shared(other, shared, tolerance_nm, f"{first.name} has the outputs")


def _shared(
    network: Network | Ensemble, wanted: Sequence[Variable], tolerance_nm: float, others: str
) -> list[Variable]:
    """Return the wanted outputs of a network; refuse a network without any, and other units."""
    places = _places(wanted, network, tolerance_nm)
    shared = [network.outputs[place] for place in places if place is not None]
    if not shared:
        raise ConfigError(
            f"{network.name} has the outputs {', '.join(v.name for v in network.outputs)}, but "
            f"{others} {', '.join(v.name for v in wanted)}. Compare networks that share an output."
        )
    for one, place in zip(wanted, places, strict=True):
        if place is not None and network.outputs[place].units != one.units:
            raise ConfigError(
                f"{network.name} has {network.outputs[place].name} in "
                f"{network.outputs[place].units}, expected {one.units}. Compare networks with the "
                "same units."
            )
    lacking = [one.name for one, place in zip(wanted, places, strict=True) if place is None]
    if lacking:
        log.info("%s does not have %s: not compared", network.name, ", ".join(lacking))
    return shared
