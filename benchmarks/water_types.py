"""Optical water types on NOMAD: from simulated water, from both, from measurements, by thresholds.

Run ``python benchmarks/water_types.py NOMAD_FILE``. Five folds by cruise: every row is judged once,
by a network that saw no row of its cruise. A row is judged by what absorbed in the water sample.
"""

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.config import SplitsConfig
from pipeline.config.training import TrainingConfig
from pipeline.evaluation.report import Evaluation, evaluate_classes
from pipeline.evaluation.tables import to_text
from pipeline.facts.sensors import find_sensor
from pipeline.simulation.simulation import simulate_samples
from pipeline.tables.writing import write_samples
from pipeline.training.baselines import baseline_classes
from pipeline.training.fitting import Epoch
from pipeline.training.recipe import load_recipe
from pipeline.training.samples.preparation import PreparedSamples
from pipeline.training.samples.samples import SampleSet, load_samples
from pipeline.training.samples.splits import Split, make_folds
from pipeline.training.train import train

Array = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]
SIMULATED, FOLDS = 100_000, 5
NONE = np.array([], dtype=np.int64)


class Silent:
    """Is told of epochs and says nothing."""

    def epoch(self, epoch: Epoch, epochs: int) -> None:
        """An epoch is done."""


def measured_rows(samples: SampleSet) -> Rows:
    """Those that are not simulated."""
    return np.flatnonzero(samples.fixed_parts == "")


def folds(samples: SampleSet, seed: int) -> list[Split]:
    """All simulated rows and most cruises train, the other cruises test; no early stopping."""
    made = make_folds(samples, SplitsConfig(folds=FOLDS, validation=0.1, seed=seed))
    return [
        replace(fold, train=np.sort(np.append(fold.train, fold.validation)), validation=NONE)
        for fold in made
    ]


def by_folds(recipe: TrainingConfig, samples: SampleSet, seed: int, which: str) -> Array:
    """Probabilities (rows, classes) of the measured rows by networks that saw other cruises.

    Args:
        recipe: of training.
        samples: simulated and measured ones.
        seed: of the folds.
        which: ``both``, ``simulated`` or ``measured`` rows train.
    """
    fixed = samples.fixed_parts != ""
    found = np.full((len(samples), len(samples.classes)), np.nan)
    for fold in folds(samples, seed):
        chosen = {"both": fold.train, "simulated": fold.train[fixed[fold.train]],
                  "measured": fold.train[~fixed[fold.train]]}[which]  # fmt: skip
        split = replace(fold, train=chosen)
        if which == "simulated":
            split = replace(split, test=measured_rows(samples))
        network = train(recipe, Silent(), prepared=PreparedSamples(samples, split)).network
        found[split.test] = network.reference(samples.x[split.test])
        if which == "simulated":
            break
    return found[measured_rows(samples)]


def with_fit(recipe: TrainingConfig, **changes: object) -> TrainingConfig:
    """The recipe with other settings of its fit."""
    return recipe.model_copy(update={"fit": recipe.fit.model_copy(update=changes)})


def judged(
    recipe: TrainingConfig, samples: SampleSet, models: dict[str, Array], main: str
) -> Evaluation:
    """The models on the measured rows, beside the thresholds of the recipe."""
    rows = samples.take(measured_rows(samples))
    inputs = PreparedSamples(samples, Split(np.arange(len(samples)), NONE, NONE)).inputs()
    others = baseline_classes(
        recipe.class_baselines, recipe.sensors[0], inputs, samples.classes, rows.x
    )
    others |= {name: found.argmax(axis=1) for name, found in models.items() if name != main}
    return evaluate_classes(
        inputs, samples.classes, rows.x, rows.labels, models[main],
        groups=rows.groups, baselines=others, part="NOMAD", model=main,
    )  # fmt: skip


def confusion(evaluation: Evaluation) -> str:
    """Counts by observed (down) and modelled class (across)."""
    result = evaluation.classification
    names = [one.name for one in result.classes]
    lines = [f"| observed | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for name, counts in zip(names, result.confusion, strict=True):
        lines.append(f"| {name} | {' | '.join(map(str, counts))} |")
    return "\n".join(lines)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--fold-seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    begun = time.monotonic()
    recipe = load_recipe("water_types_nomad", TrainingConfig)
    bands = find_sensor(recipe.sensors[0]).rrs_bands_nm
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "simulated.nc"
        write_samples(table, simulate_samples(SIMULATED, bands, seed=1))
        recipe = recipe.reading((table, options.file))
        samples = load_samples(recipe.samples)
    small = with_fit(recipe, epochs=200, batch_size=64)
    for seed in options.fold_seeds:
        models = {
            "both": by_folds(recipe, samples, seed, "both"),
            "simulation alone": by_folds(recipe, samples, seed, "simulated"),
            "measurements alone": by_folds(small, samples, seed, "measured"),
        }
        for name in list(models)[:2]:
            evaluation = judged(recipe, samples, models, name)
            print(f"fold seed {seed}: {to_text(evaluation)}\n{confusion(evaluation)}\n", flush=True)
    print(f"{time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
