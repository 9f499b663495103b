"""How true the simulated waters are, on cruises of NOMAD that nobody looked at to choose them.

Run ``python benchmarks/waters.py NOMAD_FILE``. The distributions of ``waters.yaml`` were fitted to
one half of NOMAD's cruises, see :func:`is_for_tuning`; this script judges them with the other half.
"""

import argparse
import hashlib
import itertools
import tempfile
from pathlib import Path

import nomad
import numpy as np
import numpy.typing as npt
from nomad import BANDS, SCALED, Array, Silent, hplc_else_fluorometric

from pipeline.algorithms import algorithm
from pipeline.networks import Network
from pipeline.simulation.simulation import simulate_samples
from pipeline.tables.writing import write_samples
from pipeline.training.samples.samples import SampleSet, load_samples
from pipeline.training.train import train

EDGES = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
SIMULATED, MEMBERS = 100_000, 5


def is_for_tuning(cruise: str) -> bool:
    """Whether the waters were fitted to a cruise: a rule that depends on its name alone."""
    return int(hashlib.sha256(cruise.encode()).hexdigest(), 16) % 2 == 1


def measured(file: Path) -> SampleSet:
    """NOMAD with chlorophyll (HPLC, else fluorometric), aph, adg at 443 nm and bbp at 555 nm."""
    targets = [
        {"quantity": "chlor_a", "column": "chl_a", **SCALED},
        {"quantity": "aph", "wavelengths_nm": [443], **SCALED},
        {"quantity": "adg", "wavelengths_nm": [443], **SCALED},
        {"quantity": "bbp", "wavelengths_nm": [555], **SCALED},
        {"quantity": "fluorometric", "column": "chl", "units": "mg m-3", **SCALED},
    ]
    return hplc_else_fluorometric(load_samples(nomad.tuning(nomad.nomad(file, targets), 1).samples))


def chlorophyll_of_ratio(rrs: Array) -> Array:
    """OC4 version 6."""
    published = algorithm("ocx_v6", sensor="SeaWiFS", wavelengths_nm=BANDS)
    columns = [BANDS.index(round(v.wavelength_nm or 0)) for v in published.inputs]
    return published.predict(rrs[:, columns])[:, 0]


def spectra(columns: dict[str, npt.NDArray[np.float32]]) -> Array:
    """Rrs with shape (n, bands)."""
    return np.stack([columns[f"Rrs_{nm}"] for nm in BANDS], axis=1).astype(np.float64)


def relations() -> None:
    """OC4 over the truth, in bins of chlorophyll."""
    print("| chlorophyll, mg m-3 | waters | OC4 / truth, median | mean |\n|---|---|---|---|")
    columns = simulate_samples(SIMULATED, BANDS, seed=1, noise=0.0).columns
    truth = columns["chlor_a"].astype(np.float64)
    ratio = chlorophyll_of_ratio(spectra(columns)) / truth
    for low, high in itertools.pairwise(EDGES):
        of_bin = np.log10(ratio[(truth >= low) & (truth < high) & np.isfinite(ratio)])
        middle, mean = 10 ** np.median(of_bin), 10 ** np.mean(of_bin)
        print(f"| {low:g} - {high:g} | {of_bin.size} | {middle:.2f} | {mean:.2f} |")


def share_beyond(simulated: Array, observed: Array) -> float:
    """The share of spectra beyond the distance that holds 99 % of the simulated ones."""
    first, other = np.log10(simulated), np.log10(observed)
    away = first - first.mean(axis=0), other - first.mean(axis=0)
    inverse = np.linalg.inv(np.cov(first.T))
    near, far = (np.einsum("ij,jk,ik->i", each, inverse, each) for each in away)
    return float(np.mean(far > np.quantile(near, 0.99)))


def pretrained(members: int) -> tuple[list[Network], Array]:
    """Networks that saw simulated water only, and its spectra."""
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "simulated.nc"
        samples = simulate_samples(SIMULATED, BANDS, seed=1)
        write_samples(table, samples)
        found = [train(nomad.simulation(table, k + 1), Silent()).network for k in range(members)]
    return found, spectra(samples.columns)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--members", type=int, default=MEMBERS)
    options = parser.parse_args()
    relations()
    samples = measured(options.file)
    networks, simulated = pretrained(options.members)
    names = [variable.name for variable in networks[0].outputs]
    tuning = np.array([is_for_tuning(str(cruise)) for cruise in samples.groups])
    for words, rows in (("held out", ~tuning), ("tuned on", tuning)):
        x, y = samples.x[rows], samples.y[rows]
        cruises = len(set(samples.groups[rows]))
        print(f"\n{words}: {rows.sum()} rows, {cruises} cruises; beyond 99 % of the simulation: "
              f"{share_beyond(simulated, x):.1%}")  # fmt: skip
        print("| | rows | RMSE (log10) | MAE | bias | failures |\n|---|---|---|---|---|---|")
        nomad.line("OC4 version 6, chlorophyll", y[:, 0], chlorophyll_of_ratio(x))
        logs = np.mean([np.log10(network.reference(x)) for network in networks], axis=0)
        for column, target in enumerate(samples.targets):
            known = np.isfinite(y[:, column])
            values = 10 ** logs[known, names.index(target.name)]
            nomad.line(f"simulation alone, {target.name}", y[known, column], values)


if __name__ == "__main__":
    main()
