"""The folder of a search: tables of trials, their picture, and the recipe of the best."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from pipeline.config.tuning import Space
from pipeline.evaluation.columns import Column, aligned, csv_text, table
from pipeline.evaluation.files import replace_file
from pipeline.evaluation.pictures import png
from pipeline.evaluation.pictures.trials import TrialPoint, trials_picture
from pipeline.training.tuning.trial import Trial, Value
from pipeline.training.tuning.tune import TuningResult

SHOWN = 20
BEST = "best.yaml"


def write_tuned(folder: Path, tuned: TuningResult) -> None:
    """``trials.csv``, ``trials.txt``, ``trials.png`` and ``best.yaml``.

    Raises:
        OutputError: a file cannot be written.
    """
    recipe = tuned.recipe
    points = [
        TrialPoint(t.number, _finite(t.objective), t.epochs, dict(t.values), t is tuned.best)
        for t in tuned.trials
    ]
    loss = "cross-entropy" if recipe.samples.classes else recipe.fit.loss
    logarithmic = [
        name
        for name, one in (recipe.tune.space.numeric if recipe.tune else {}).items()
        if one.scale == "log"
    ]
    picture = trials_picture(
        points, _names(tuned), logarithmic, f"validation loss ({loss})",
        title=f"Trials of {recipe.name}: {_method(tuned)}",
    )  # fmt: skip
    for name, content in {
        "trials.csv": trials_csv(tuned),
        "trials.txt": trials_text(tuned, len(tuned.trials)),
        BEST: best_yaml(tuned),
    }.items():
        replace_file(folder / name, content.encode())
    replace_file(folder / "trials.png", png(picture))


def _finite(objective: float | None) -> float:
    return math.nan if objective is None else objective


def trials_text(tuned: TuningResult, shown: int = SHOWN) -> str:
    """The best trials first, so many of them, and what is best."""
    names = _names(tuned)
    ordered = sorted(tuned.trials, key=lambda trial: (trial.loss, trial.number))
    columns: list[Column[Trial]] = [
        Column("trial", lambda trial: trial.number),
        Column("loss", _loss),
        Column("epochs", lambda trial: trial.epochs),
        Column("best epoch", lambda trial: _short(trial.best_epoch)),
        Column("goes on", lambda trial: _short(trial.continues)),
        *(_value(name, _short) for name in _names(tuned)),
    ]
    rest = len(ordered) - shown
    more = f"\n... and {rest} worse ones" if rest > 0 else ""
    return (
        f"{aligned(table(columns, ordered[:shown]))}{more}\n"
        f"best: trial {tuned.best.number} of {len(ordered)}, {_method(tuned)}\n"
    )


def _loss(trial: Trial) -> str:
    return "diverged" if trial.objective is None else f"{trial.objective:.4g}"


def _value(name: str, written: Callable[[Value | None], Any]) -> Column[Trial]:
    return Column(name, lambda trial: written(trial.values.get(name)))


def _short(value: Value | None) -> str:
    if value is None:
        return ""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def trials_csv(tuned: TuningResult) -> str:
    """A line for each trial, in their order, with all digits."""
    names = _names(tuned)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("trial", "objective", "epochs", "best_epoch", "continues", *names))
    for trial in tuned.trials:
        writer.writerow(
            [trial.number, trial.objective, trial.epochs, trial.best_epoch, trial.continues]
            + [trial.values.get(name) for name in names]
        )
    return text.getvalue()


def best_yaml(tuned: TuningResult) -> str:
    """The recipe of the best trial, with where it comes from in front."""
    best = tuned.best
    divisions = f", mean of {tuned.folds} divisions" if tuned.folds > 1 else ""
    values = ", ".join(f"{name} {_short(value)}" for name, value in best.values.items())
    content = tuned.best_recipe.model_dump(mode="json", exclude={"tune"})
    return (
        f"# The best of {len(tuned.trials)} trials of ocpipe tune: {_method(tuned)}.\n"
        f"# Trial {best.number}: {values};\n"
        f"# validation loss {best.objective:.6g}{divisions}, after epoch {best.best_epoch} of "
        f"{best.epochs}. All trials: trials.csv.\n"
        + yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    )


def _method(tuned: TuningResult) -> str:
    config = tuned.recipe.tune
    return "" if config is None else f"{config.method}, seed {config.seed}"


def _names(tuned: TuningResult) -> list[str]:
    """Of all hyperparameters, in the order of the space; units of the first layer first."""
    order = list(Space.model_fields)

    def place(name: str) -> tuple[int, int]:
        kind, _, number = name.rpartition("_")
        return (order.index(kind), int(number)) if number.isdigit() else (order.index(name), 0)

    return sorted({name for trial in tuned.trials for name in trial.values}, key=place)
