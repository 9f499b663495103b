"""Networks on the samples of a training configuration, as a text and as a folder of reports."""

from collections.abc import Sequence
from pathlib import Path

from pipeline.config.strict import read_mapping
from pipeline.config.training import FinetuneConfig, Recipe, TrainingConfig
from pipeline.errors import ConfigError
from pipeline.evaluation.files import write_evaluation
from pipeline.evaluation.tables import to_text
from pipeline.networks import Ensemble, Network
from pipeline.training.finetune import with_inputs_of
from pipeline.training.recipe import find_recipe, load_recipe
from pipeline.training.results import evaluate_part, model_card
from pipeline.training.samples.preparation import prepare


def evaluate_networks(
    networks: Sequence[Network | Ensemble],
    config: str,
    part: str,
    output: Path | None,
    files: tuple[Path, ...] = (),
) -> str:
    """The first network on a part of the samples, beside the others and published algorithms.

    Args:
        networks: of the same inputs and outputs.
        config: of training or fine-tuning; its samples, splits and baselines are used.
        part: ``train``, ``validation``, ``test`` or ``all``.
        output: folder for pictures, tables and model card; None for the text alone.
        files: of samples, in place of those of the configuration.

    Raises:
        ConfigError: what is wrong with configuration or samples, or the part is empty.
        OutputError: the folder cannot be written to.
    """
    network, *others = networks
    recipe = _recipe(config, network).reading(files)
    prepared = prepare(recipe.samples, recipe.splits)
    _check_fit(networks, recipe, prepared.samples.x.shape[1])
    if part != "all" and not len(getattr(prepared.split, part)):
        raise ConfigError(f"the {part} part is empty; see splits, or choose another with --part.")
    evaluation = evaluate_part(network, recipe, prepared, part, others=others)
    if output is not None:
        write_evaluation(output, evaluation, card=model_card(network, recipe, prepared))
    return to_text(evaluation)


def _recipe(config: str, network: Network | Ensemble) -> Recipe:
    kind = FinetuneConfig if "finetune" in read_mapping(find_recipe(config)) else TrainingConfig
    recipe = load_recipe(config, kind)
    return with_inputs_of(network, recipe) if isinstance(recipe, FinetuneConfig) else recipe


def _check_fit(networks: Sequence[Network | Ensemble], recipe: Recipe, inputs: int) -> None:
    named = [
        (variable.quantity, nm)
        for variable in recipe.samples.inputs
        for nm in (variable.wavelengths_nm or (None,))
    ]
    first = networks[0]
    for network in networks:
        own = [(v.quantity, v.wavelength_nm) for v in network.inputs]
        if own != named or len(own) != inputs:
            raise ConfigError(
                f"{network.name} takes {', '.join(v.name for v in network.inputs)}; the samples "
                "have other inputs. Choose the configuration that it was trained with."
            )
        if [v.name for v in network.outputs] != [v.name for v in first.outputs]:
            raise ConfigError(
                f"{network.name} makes {', '.join(v.name for v in network.outputs)}, and "
                f"{first.name} {', '.join(v.name for v in first.outputs)}. Compare networks of the "
                "same outputs."
            )
