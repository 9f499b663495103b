"""Write the folder of a search: tables and a picture of trials, and the best trial's recipe."""

import math
from pathlib import Path

from pipeline.config.tuning import Space, TuningConfig
from pipeline.evaluation.columns import Column, aligned, csv_text, keyed, table
from pipeline.evaluation.pictures import png
from pipeline.evaluation.pictures.trials import TrialPoint, trials_picture
from pipeline.training.folder import write_folder, yaml_text
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
    """Return a text table of the ``shown`` best trials; the best trial comes first."""
    ordered = sorted(tuned.trials, key=lambda trial: (trial.loss, trial.number))
    columns: list[Column[Trial]] = [
        Column("trial", lambda t: t.number),
        Column("loss", lambda t: "diverged" if t.objective is None else f"{t.objective:.4g}"),
        Column("epochs", lambda t: t.epochs),
        Column("best epoch", lambda t: _short(t.best_epoch)),
        Column("continues", lambda t: _short(t.continues)),
    ]
    columns += [
        Column(name, lambda t, name=name: _short(t.values.get(name)))  # type: ignore[misc]
        for name in _names(tuned)
    ]
    rest = len(ordered) - shown
    more = f"\n... and {rest} worse trials" if rest > 0 else ""
    best = f"best: trial {tuned.best.number} of {len(ordered)}, {_method(tuned)}"
    return f"{aligned(table(columns, ordered[:shown]))}{more}\n{best}\n"


def _short(value: Value | None) -> str:
    if value is None:
        return ""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def trials_csv(tuned: TuningResult) -> str:
    """Return a CSV text with one line per trial, ordered by number; values have all digits."""
    own = ("objective", "epochs", "best_epoch", "continues")
    rows = [
        {"trial": t.number, **{name: getattr(t, name) for name in own}, **t.values}
        for t in tuned.trials
    ]
    return csv_text([keyed(name) for name in ("trial", *own, *_names(tuned))], rows)


def best_yaml(tuned: TuningResult) -> str:
    """Return the recipe of the best trial as YAML, with comments on its origin."""
    best = tuned.best
    divisions = f", mean of {tuned.folds} divisions" if tuned.folds > 1 else ""
    values = ", ".join(f"{name} {_short(value)}" for name, value in best.values.items())
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
    """Return all hyperparameters in the order of the space; layers are in order of their number."""
    order = list(Space.model_fields)

    def place(name: str) -> tuple[int, int]:
        kind, _, number = name.rpartition("_")
        return (order.index(kind), int(number)) if number.isdigit() else (order.index(name), 0)

    return sorted({name for trial in tuned.trials for name in trial.values}, key=place)
