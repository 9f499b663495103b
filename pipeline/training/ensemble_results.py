"""The folder of an ensemble: its networks, the file that joins them, what was held out."""

from dataclasses import replace
from pathlib import Path

from pipeline.config.training import Recipe
from pipeline.errors import OutputError
from pipeline.evaluation.files import write_evaluation
from pipeline.evaluation.report import Evaluation
from pipeline.networks import load_retrieval
from pipeline.networks.reading.ensemble_file import write_ensemble
from pipeline.networks.saving import save_network
from pipeline.training.ensemble import TrainedEnsemble
from pipeline.training.fitting.history import write_history
from pipeline.training.results import (
    evaluate_part,
    measured,
    model_card,
    run_config,
    write_split,
    write_yaml,
)

MEMBERS = "members"


def write_ensemble_results(folder: Path, config: Recipe, trained: TrainedEnsemble) -> list[Path]:
    """Save the networks, the ensemble, its evaluation on what was held out, and its model card.

    Args:
        folder: where all of it goes; files of the same names are replaced.
        config: by which it was trained.
        trained: what came of it.

    Returns:
        The files of the networks, the ensemble's last.

    Raises:
        OutputError: the folder cannot be written to.
    """
    ensemble, split = trained.ensemble, trained.prepared.split
    parts = [part for part in ("train", "test") if len(getattr(split, part))]
    evaluations: list[Evaluation] = [
        evaluate_part(ensemble, config, trained.prepared, part) for part in parts
    ]
    record = ensemble.training | {"metrics": measured(evaluations)}
    ensemble = replace(ensemble, training=record)
    try:
        (folder / MEMBERS).mkdir(parents=True, exist_ok=True)
        files = [
            save_network(
                folder / MEMBERS / f"{member.network.name}.{config.save[0]}", member.network
            )[0]
            for member in trained.members
        ]
        for file, member in zip(files, trained.members, strict=True):
            write_history(file.with_name(f"{file.stem}_history.csv"), member.fitted.history)
        path = folder / f"{config.name}.yaml"
        write_ensemble(path, ensemble, files)
        write_split(folder / "split.csv", trained.prepared)
        write_yaml(folder / "training.yaml", config.model_dump(mode="json"))
        write_yaml(folder / "run.yaml", run_config(ensemble, path))
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be written to ({error.strerror or error}). Free space, or choose "
            "another output folder."
        ) from error
    *others, last = evaluations
    as_used = load_retrieval(path)  # golden spectra checked
    card = model_card(as_used, config, trained.prepared)
    write_evaluation(folder, last, card=card, other_parts=others)
    return [*files, path]
