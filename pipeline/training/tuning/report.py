"""Write the folder of a search: tables of trials, their picture, and the recipe of the best."""

import math
from pathlib import Path

from pipeline.config.tuning import Space, TuningConfig
from pipeline.evaluation.formatting import aligned
from pipeline.evaluation.pictures import png
from pipeline.evaluation.pictures.trials import TrialPoint, trials_picture
from pipeline.training.folder import csv_text, write_folder, yaml_text
from pipeline.training.tuning.trial import Trial, Value
from pipeline.training.tuning.tune import TuningResult

SHOWN = 20
BEST = "best.yaml"


def write_tuned(folder: Path, tuned: TuningResult) -> None:
    """Write ``trials.csv``, ``trials.txt``, ``trials.png`` and ``best.yaml``.

    Raises:
        OutputError: a file cannot be written.
    """
    recipe = tuned.recipe
    points = [
        TrialPoint(
            t.number,
            math.nan if t.objective is None else t.objective,
            t.epochs,
            dict(t.values),
            t is tuned.best,
        )
        for t in tuned.trials
    ]
    loss = "cross-entropy" if recipe.samples.classes else recipe.fit.loss
    dimensions = _config(tuned).space.numeric
    picture = trials_picture(
        points,
        _names(tuned),
        [name for name, one in dimensions.items() if one.scale == "log"],
        f"validation loss ({loss})",
        title=f"Trials of {recipe.name}: {_method(tuned)}",
    )
    contents: dict[str, str | bytes] = {
        "trials.csv": trials_csv(tuned),
        "trials.txt": trials_text(tuned, len(tuned.trials)),
        BEST: best_yaml(tuned),
        "trials.png": png(picture),
    }
    write_folder(folder, contents)


def trials_text(tuned: TuningResult, shown: int = SHOWN) -> str:
    """Return a table of the ``shown`` best trials, the best first."""
    names = _names(tuned)
    ordered = sorted(tuned.trials, key=lambda trial: (trial.loss, trial.number))
    head = ["trial", "loss", "epochs", "best epoch", "continues", *names]
    table = aligned(head, [_cells(trial, names) for trial in ordered[:shown]])
    rest = len(ordered) - shown
    more = f"\n... and {rest} worse trials" if rest > 0 else ""
    return f"{table}{more}\nbest: trial {tuned.best.number} of {len(ordered)}, {_method(tuned)}\n"


def _cells(trial: Trial, names: list[str]) -> list[str]:
    loss = "diverged" if trial.objective is None else f"{trial.objective:.4g}"
    return [
        str(trial.number), loss, str(trial.epochs), _cell(trial.best_epoch),
        _cell(trial.continues), *(_cell(trial.values.get(name)) for name in names),
    ]  # fmt: skip


def _cell(value: Value | None) -> str:
    if value is None:
        return ""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def trials_csv(tuned: TuningResult) -> str:
    """Return a CSV with one line per trial, in order of their numbers, with all digits."""
    names = _names(tuned)
    head = ("trial", "objective", "epochs", "best_epoch", "continues", *names)
    rows = [
        [t.number, t.objective, t.epochs, t.best_epoch, t.continues, *map(t.values.get, names)]
        for t in tuned.trials
    ]
    return csv_text([head, *rows])


def best_yaml(tuned: TuningResult) -> str:
    """Return the recipe of the best trial as YAML, with comments on its origin."""
    best = tuned.best
    divisions = f", mean of {tuned.folds} divisions" if tuned.folds > 1 else ""
    values = ", ".join(f"{name} {_cell(value)}" for name, value in best.values.items())
    return (
        f"# The best of {len(tuned.trials)} trials of ocpipe tune: {_method(tuned)}.\n"
        f"# Trial {best.number}: {values};\n"
        f"# validation loss {best.objective:.6g}{divisions}, after epoch {best.best_epoch} of "
        f"{best.epochs}. All trials: trials.csv.\n"
        + yaml_text(tuned.best_recipe.model_dump(mode="json", exclude={"tune"}))
    )


def _config(tuned: TuningResult) -> TuningConfig:
    return tuned.recipe.tune or TuningConfig()


def _method(tuned: TuningResult) -> str:
    return f"{_config(tuned).method}, seed {_config(tuned).seed}"


def _names(tuned: TuningResult) -> list[str]:
    """Return all hyperparameters in the order of the space, units of the first layer first."""
    order = list(Space.model_fields)

    def place(name: str) -> tuple[int, int]:
        kind, _, number = name.rpartition("_")
        return (order.index(kind), int(number)) if number.isdigit() else (order.index(name), 0)

    return sorted({name for trial in tuned.trials for name in trial.values}, key=place)
