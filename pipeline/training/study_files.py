"""The folder of a capacity study."""

from pathlib import Path

import yaml

from pipeline.evaluation.capacity_report import capacity_csv, capacity_json, capacity_text
from pipeline.evaluation.files import replace_file
from pipeline.evaluation.pictures import png
from pipeline.evaluation.pictures.capacity import capacity_picture
from pipeline.training.study import StudyResult


def write_study(folder: Path, studied: StudyResult) -> None:
    """``study.txt``, ``study.csv``, ``study.json``, ``study.png``, and the recipe that is chosen.

    Raises:
        OutputError: a file cannot be written.
    """
    capacity, recipe = studied.capacity, studied.recipe
    title = f"Capacity study of {recipe.name}, chosen: {capacity.chosen}"
    chosen = yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    for name, content in {
        "study.csv": capacity_csv(capacity).encode(),
        "study.json": capacity_json(capacity).encode(),
        "study.png": png(capacity_picture(capacity, title)),
        "study.txt": capacity_text(capacity).encode(),
        "training.yaml": chosen.encode(),
    }.items():
        replace_file(folder / name, content)
