"""An evaluation as files: numbers, pictures, the card. A file appears when it is complete."""

import secrets
from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import OutputError
from pipeline.evaluation.album import History, draw_pictures
from pipeline.evaluation.card import ModelCard, render_card
from pipeline.evaluation.report import Evaluation
from pipeline.evaluation.tables import to_csv, to_json


def write_evaluation(
    folder: Path,
    evaluation: Evaluation,
    *,
    card: ModelCard | None = None,
    history: History | None = None,
    other_parts: Sequence[Evaluation] = (),
) -> tuple[Path, ...]:
    """Write ``metrics.json``, ``metrics.csv``, pictures and, with a card, ``card.html``.

    Nothing of the time or place of writing goes in, so equal evaluations are equal bytes.

    Args:
        folder: made where it is missing; files of the same names are replaced.
        evaluation: of the part that counts, the test part.
        card: what is stated about the network.
        history: how it learned.
        other_parts: evaluations of the training and validation part, for tables.

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
        # Last, so that a card stands beside all it tells of.
        contents["card.html"] = render_card(card, parts, pictures).encode()
    return tuple(replace_file(folder / name, content) for name, content in contents.items())


def replace_file(path: Path, content: bytes) -> Path:
    """Write a file that appears when it is complete; its folder is made where it is missing.

    Raises:
        OutputError: it cannot be written.
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written ({error.strerror or error}). Check that the folder may be "
            "written to and has room."
        ) from error
    finally:
        _remove(partial)
    return path


def _remove(partial: Path) -> None:
    try:
        partial.unlink(missing_ok=True)
    except OSError:
        # The folder cannot be used at all, which the error says already.
        return
