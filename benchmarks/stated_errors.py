"""What an ensemble states of its errors on NOMAD, with and without error networks.

Run ``python benchmarks/stated_errors.py NOMAD_FILE``. Five folds by cruise: each row of aph(443) is
judged by an ensemble (networks, calibration, error networks) that saw no row of its cruise.
"""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from nomad import NONE, SCALED, Silent, alone, nomad

from pipeline.config import SplitsConfig
from pipeline.config.training import EnsembleConfig, TrainingConfig
from pipeline.evaluation.coverage import coverage
from pipeline.networks import Ensemble
from pipeline.training.ensemble import train_ensemble
from pipeline.training.fit_network import TrainingResult
from pipeline.training.samples.preparation import PreparedSamples
from pipeline.training.samples.samples import SampleSet, load_samples
from pipeline.training.samples.splits import Split, make_folds
from pipeline.training.train import train

Array = npt.NDArray[np.float64]

VARIANTS: dict[str, dict[str, Any] | None] = {
    "spread and floor": None,
    "error networks, linear": {},
    "error networks, 8 units": {"hidden": [8]},
}


class Members:
    """Trains members once, and gives the same ones to each variant."""

    def __init__(self) -> None:
        self._made: dict[str, TrainingResult] = {}

    def __call__(
        self, recipe: TrainingConfig, part: PreparedSamples, _: Path | None
    ) -> TrainingResult:
        """Return a member; the name of a recipe identifies it."""
        if recipe.name not in self._made:
            self._made[recipe.name] = train(recipe, Silent(), prepared=part)
        return self._made[recipe.name]


def judged(
    samples: SampleSet, recipe: TrainingConfig, members: int, fold_seed: int
) -> dict[str, tuple[Array, Array]]:
    """Modelled values and stated deviations of all rows (both log10), by name of the variant."""
    found = {name: (np.empty(len(samples)), np.empty(len(samples))) for name in VARIANTS}
    for fold in make_folds(samples, SplitsConfig(folds=5, seed=fold_seed)):
        pool = np.sort(np.concatenate([fold.train, fold.validation]))
        prepared = PreparedSamples(samples, Split(pool, NONE, fold.test))
        made = Members()
        for name, errors in VARIANTS.items():
            given = {"members": members, "folds": 5, "error_networks": errors}
            settings = EnsembleConfig.model_validate(given)
            ensemble: Ensemble = train_ensemble(recipe, settings, prepared, made).network
            values, stated = ensemble.predict_with_uncertainty(samples.x[fold.test], "numpy")
            found[name][0][fold.test] = np.log10(values[:, 0])
            found[name][1][fold.test] = stated[:, 0]
            if errors is None:
                spread = replace(ensemble, calibration=None)
                stated = spread.predict_with_uncertainty(samples.x[fold.test], "numpy")[1]
                alone = found.setdefault("spread alone", tuple(np.empty((2, len(samples)))))
                alone[0][fold.test], alone[1][fold.test] = np.log10(values[:, 0]), stated[:, 0]
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--fold-seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--members", type=int, default=5)
    options = parser.parse_args()
    target = {"quantity": "aph", "wavelengths_nm": [443], **SCALED}
    recipe = alone(nomad(options.file, [target]) | {"missing_targets": "drop"}, 1)
    samples = load_samples(recipe.samples)
    observed = np.log10(samples.y[:, 0])
    for seed in options.fold_seeds:
        for name, (modelled, stated) in judged(samples, recipe, options.members, seed).items():
            error = np.abs(modelled - observed)
            parts = np.array_split(np.argsort(stated, kind="stable"), 5)
            rmse = ", ".join(f"{np.sqrt(np.mean(error[part] ** 2)):.3f}" for part in parts)
            held = coverage(observed, modelled, stated, log=False)
            numbers = [np.sqrt(np.mean(error**2)), np.corrcoef(error, stated)[0, 1]]
            ranks = [np.argsort(np.argsort(each)) for each in (error, stated)]
            numbers += [np.corrcoef(*ranks)[0, 1], held.held_68, held.held_95]
            texts = [f"{number:.3f}" for number in numbers]
            print(f"| {name} | {seed} | {' | '.join(texts)} | {rmse} |", flush=True)


if __name__ == "__main__":
    main()
