"""The files of an evaluation: numbers, pictures and the model card."""

import contextlib
import secrets
from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import OutputError
from pipeline.evaluation.album import draw_pictures
from pipeline.evaluation.card import ModelCard, render_card
from pipeline.evaluation.pictures import History
from pipeline.evaluation.report import Evaluation
from pipeline.evaluation.tables import to_csv, to_json
from pipeline.stopping import half_written


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
        # The card comes last, so that the files it mentions exist before it.
        contents["card.html"] = render_card(card, parts, pictures).encode()
    return tuple(replace_file(folder / name, content) for name, content in contents.items())


def replace_file(path: Path, content: bytes) -> Path:
    """Write a file so that it appears only when complete; a missing folder is created.

    Raises:
        OutputError: the file cannot be written.
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with half_written(partial):
            partial.write_bytes(content)
            partial.replace(path)
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written ({error.strerror or error}). Check that the folder is "
            "writable and has free space."
        ) from error
    finally:
        # If the folder cannot be used at all, the first error already says so.
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
    return path
