"""Rrs -> aph(443) and chlorophyll on NOMAD: simulated water, fine-tuning, and without them.

Run ``python benchmarks/nomad.py NOMAD_FILE``. Five folds by cruise: every row is judged once, by
networks that saw no row of its cruise; epochs are fixed, so nothing is stopped by what is judged.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.algorithms import algorithm
from pipeline.config import SplitsConfig
from pipeline.config.training import FinetuneConfig, TrainingConfig
from pipeline.evaluation.metrics import common_rows, metrics
from pipeline.networks import Network
from pipeline.simulation.simulation import simulate_samples
from pipeline.tables.writing import write_samples
from pipeline.training.finetune import finetune
from pipeline.training.fitting import Epoch
from pipeline.training.recipe import load_recipe
from pipeline.training.samples.preparation import PreparedSamples
from pipeline.training.samples.samples import SampleSet, load_samples
from pipeline.training.samples.splits import Split, make_folds
from pipeline.training.train import train

Array = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]
Plain = list[dict[str, Any]]

BANDS = [411, 443, 489, 510, 555, 665]
OTHERS = [411, 489, 510, 555, 665]
# Backscattering of sea water at 555 nm (m-1), as QAA has it.
WATER_BB_555 = 0.00097
NONE = np.array([], dtype=np.int64)
SCALED = {"transform": "log10", "scaling": "zscore"}
INPUTS = [{"quantity": "Rrs", "wavelengths_nm": BANDS, **SCALED}]
MEMBERS, FOLDS, SIMULATED = 5, 5, 100_000


class Silent:
    """Is told of epochs and says nothing."""

    def epoch(self, epoch: Epoch, epochs: int) -> None:
        """An epoch is done."""


def nomad(file: Path, targets: Plain) -> dict[str, Any]:
    """The samples of NOMAD with such targets, of which some may be missing."""
    columns = {f"Rrs_{nm}": f"lw{nm} / es{nm}" for nm in BANDS}
    columns |= {f"aph_{nm}": f"ap{nm} - ad{nm}" for nm in BANDS}
    columns |= {"adg_443": "ad443 + ag443", "bbp_555": f"bb555 - {WATER_BB_555}"}
    return {
        "files": [str(file)], "columns": columns, "group": "cruise", "inputs": INPUTS,
        "units": {f"Rrs_{nm}": "sr-1" for nm in BANDS} | {f"aph_{nm}": "m-1" for nm in BANDS}
        | {"adg_443": "m-1", "bbp_555": "m-1"},
        "targets": targets, "missing_targets": "mask",
    }  # fmt: skip


def simulation(file: Path, seed: int) -> TrainingConfig:
    """Pre-training on simulated water, six outputs of aph and what goes with them."""
    targets = [{"quantity": "aph", "wavelengths_nm": [443, *OTHERS], **SCALED},
               {"quantity": "adg", "wavelengths_nm": [443], **SCALED},
               {"quantity": "bbp", "wavelengths_nm": [555], **SCALED},
               {"quantity": "chlor_a", **SCALED}]  # fmt: skip
    return load_recipe(
        {
            "name": "simulated", "sensors": ["SeaWiFS"],
            "samples": {"files": [str(file)], "inputs": INPUTS, "targets": targets},
            "splits": {"by": "random", "validation": 0.02, "test": 0, "seed": 1},
            "network": {"hidden": [48, 32, 24, 16], "decorrelate": True},
            "fit": {"epochs": 82, "batch_size": 1024, "early_stopping": None, "seed": seed,
                    "schedule": {"kind": "cosine"}, "optimizer": {"learning_rate": 1e-2}},
        },
        TrainingConfig,
    )  # fmt: skip


def tuning(samples: dict[str, Any], seed: int) -> FinetuneConfig:
    """Fine-tuning on measurements: all layers, full batch, 200 epochs, held to the start."""
    return load_recipe(
        {
            "name": "tuned", "sensors": ["SeaWiFS"], "samples": samples,
            "fit": {"epochs": 200, "batch_size": 100_000, "early_stopping": None, "seed": seed,
                    "loss": "huber", "huber_delta": 0.2, "target_weights": "balanced",
                    "schedule": {"kind": "cosine"}, "optimizer": {"learning_rate": 2e-3}},
            "finetune": {"decorrelate": True, "stages": [{"l2_to_start": 5.6e-4}]},
        },
        FinetuneConfig,
    )  # fmt: skip


def alone(samples: dict[str, Any], seed: int) -> TrainingConfig:
    """A plain network on measurements alone."""
    return load_recipe(
        {
            "name": "alone", "sensors": ["SeaWiFS"], "samples": samples,
            "network": {"hidden": [32, 16]},
            "fit": {"epochs": 400, "batch_size": 100_000, "early_stopping": None, "seed": seed,
                    "optimizer": {"kind": "adamw", "learning_rate": 5e-3, "weight_decay": 1e-4},
                    "schedule": {"kind": "cosine"}},
        },
        TrainingConfig,
    )  # fmt: skip


def without_simulation(samples: dict[str, Any], seed: int) -> TrainingConfig:
    """The network, targets, loss and ensemble of the tuned one, on measurements alone.

    It shows how much of the gain comes from the simulation. A network without a start needs more
    epochs: those of :func:`alone`, and its learning rate.
    """
    return load_recipe(
        {
            "name": "without_simulation", "sensors": ["SeaWiFS"], "samples": samples,
            "network": {"hidden": [48, 32, 24, 16], "decorrelate": True},
            "fit": {"epochs": 400, "batch_size": 100_000, "early_stopping": None, "seed": seed,
                    "loss": "huber", "huber_delta": 0.2, "target_weights": "balanced",
                    "optimizer": {"kind": "adamw", "learning_rate": 5e-3, "weight_decay": 1e-4},
                    "schedule": {"kind": "cosine"}},
        },
        TrainingConfig,
    )  # fmt: skip


def hplc_else_fluorometric(samples: SampleSet) -> SampleSet:
    """Chlorophyll, the first target, by HPLC where it was measured so, else by the last one."""
    hplc, other = samples.y[:, 0], samples.y[:, -1]
    y = samples.y[:, :-1].copy()
    y[:, 0] = np.where(np.isfinite(hplc), hplc, other)
    return replace(samples, y=y, targets=samples.targets[:-1])


def judged(
    samples: SampleSet,
    judged_rows: Rows,
    fold_seed: int,
    fit: Callable[[int, PreparedSamples], Network],
    members: int,
) -> Array:
    """log10 of the first output on every judged row, by an ensemble that did not see its cruise."""
    folds = make_folds(samples.take(judged_rows), SplitsConfig(folds=FOLDS, seed=fold_seed))
    found = np.full(len(samples), np.nan)
    for fold in folds:
        test = judged_rows[fold.test]
        hidden = np.isin(samples.groups, np.unique(samples.groups[test]))
        split = Split(np.flatnonzero(~hidden), NONE, test)
        logs = [
            np.log10(fit(member, PreparedSamples(samples, split)).reference(samples.x[test])[:, 0])
            for member in range(members)
        ]
        found[test] = np.mean(logs, axis=0)
    return found[judged_rows]


def line(name: str, observed: Array, modelled: Array) -> None:
    """A row of the table."""
    m = metrics(observed, modelled)
    numbers = f"{m['rmse']:.4f} | {m['mae']:.3f} | {m['bias']:.3f} | {m.failures:.1%}"
    print(f"| {name} | {m.n} | {numbers} |", flush=True)


def study(
    name: str,
    samples: SampleSet,
    wide: SampleSet,
    baseline: str,
    starts: list[Network],
    fold_seeds: list[int],
    recipe: dict[str, Any],
) -> None:
    """One target: zero shot, alone, fine-tuned, and a published algorithm.

    Fine-tuning takes ``wide``: rows that have any target of the networks it begins with, the judged
    one first.
    """
    rows = np.flatnonzero(np.isfinite(samples.y[:, 0]))
    observed = samples.y[rows, 0]
    print(f"\n{name}: {len(rows)} rows, {len(set(samples.groups[rows]))} cruises")
    print("| | rows | RMSE (log10) | MAE | bias | failures |\n|---|---|---|---|---|---|")
    published = algorithm(baseline, sensor="SeaWiFS", wavelengths_nm=BANDS)
    columns = [BANDS.index(round(v.wavelength_nm)) for v in published.inputs]
    place = next(i for i, v in enumerate(published.outputs)
                 if v.quantity == samples.targets[0].quantity
                 and round(v.wavelength_nm or 443) == 443)  # fmt: skip
    algorithmic = published.predict(samples.x[rows][:, columns])[:, place]
    line(baseline, observed, algorithmic)
    place = [v.name for v in starts[0].outputs].index(samples.targets[0].name)
    zero = [np.log10(start.reference(samples.x[rows])[:, place]) for start in starts]
    line("simulation alone", observed, 10 ** np.mean(zero, axis=0))
    for seed in fold_seeds:
        plain = judged(samples, rows, seed,
                       lambda k, p: train(alone(recipe, k + 1), Silent(), prepared=p).network,
                       3)  # fmt: skip
        line(f"measurements alone, fold seed {seed}", observed, 10**plain)
        with_target = np.flatnonzero(np.isfinite(wide.y[:, 0]))
        scratch = judged(wide, with_target, seed,
                         lambda k, p: train(without_simulation(recipe, k + 1), Silent(),
                                            prepared=p).network, len(starts))  # fmt: skip
        line(f"the tuned recipe without simulation, fold seed {seed}", observed, 10**scratch)
        tuned = judged(wide, with_target, seed,
                       lambda k, p: finetune(starts[k], tuning(recipe, k + 1), Silent(),
                                             prepared=p).network, len(starts))  # fmt: skip
        line(f"simulation, then fine-tuned, fold seed {seed}", observed, 10**tuned)
        both = common_rows(observed, algorithmic, 10**tuned)
        line(f"the same on the rows of {baseline}", observed[both], 10 ** tuned[both])


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--fold-seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--members", type=int, default=MEMBERS)
    options = parser.parse_args()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "simulated.nc"
        write_samples(table, simulate_samples(SIMULATED, BANDS, seed=1))
        starts = [train(simulation(table, k + 1), Silent()).network
                  for k in range(options.members)]  # fmt: skip
    print(f"{options.members} networks pre-trained in {time.monotonic() - begun:.0f} s")
    aph = {"quantity": "aph", "wavelengths_nm": [443, *OTHERS], **SCALED}
    iops = [{"quantity": "adg", "wavelengths_nm": [443], **SCALED},
            {"quantity": "bbp", "wavelengths_nm": [555], **SCALED}]  # fmt: skip
    hplc = {"quantity": "chlor_a", "column": "chl_a", **SCALED}
    other = {"quantity": "fluorometric", "column": "chl", "units": "mg m-3", **SCALED}
    recipe = nomad(options.file, [aph])
    measured = load_samples(tuning(recipe, 1).samples)
    wide = load_samples(tuning(nomad(options.file, [aph, *iops, hplc]), 1).samples)
    study("aph(443)", measured, wide, "qaa_v6", starts, options.fold_seeds, recipe)
    recipe = nomad(options.file, [hplc, other])
    measured = hplc_else_fluorometric(load_samples(tuning(recipe, 1).samples))
    wide = load_samples(tuning(nomad(options.file, [hplc, aph, *iops, other]), 1).samples)
    wide = hplc_else_fluorometric(wide)
    study("chlorophyll", measured, wide, "ocx_v6", starts, options.fold_seeds, recipe)
    print(f"{time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
