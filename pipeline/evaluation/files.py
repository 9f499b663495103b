"""The files of an evaluation: numbers, pictures and the model card."""

from collections.abc import Sequence
from pathlib import Path

from pipeline.evaluation.album import draw_pictures
from pipeline.evaluation.card import ModelCard, render_card
from pipeline.evaluation.pictures import History
from pipeline.evaluation.report import Evaluation
from pipeline.evaluation.tables import to_csv, to_json
from pipeline.files.replacing import replace_file


def write_evaluation(
    folder: Path,
    evaluation: Evaluation,
    *,
    card: ModelCard | None = None,
    history: History | None = None,
    other_parts: Sequence[Evaluation] = (),
) -> tuple[Path, ...]:
    """Write ``metrics.json``, ``metrics.csv``, the pictures, and ``card.html`` if a card is given.

    The files contain neither times nor paths, so equal evaluations give equal bytes.

    Args:
        folder: folder for the files, created if missing; files with the same names are replaced.
        evaluation: evaluation of the most important part, usually the test part.
        card: statements about the network.
        history: losses of the training by epoch.
        other_parts: evaluations of the training and validation parts, for the tables.

    Returns:
        The paths of the files.

    Raises:
        OutputError: a file cannot be written.
    """
    parts = (*other_parts, evaluation)
    pictures = draw_pictures(evaluation, history)
    contents = {
        "metrics.json": to_json(parts).encode(),
        "metrics.csv": to_csv(parts).encode(),
        **{f"{one.name}.png": one.png for one in pictures},
    }
    if card is not None:
        # The card is written last, because it mentions the other files.
        contents["card.html"] = render_card(card, parts, pictures).encode()
    return tuple(replace_file(folder / name, content) for name, content in contents.items())
