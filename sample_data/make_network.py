"""Train the demonstration network on simulated water and write it in the OC-SMART file layout.

Run ``python sample_data/make_network.py``; it takes well under a minute and, on one machine,
writes the same bytes every time. The network is for trying the pipeline, not for science: it has
seen nothing but the forward model of ocpipe.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
from imaginary_water import imaginary_water

from pipeline.facts.optical_tables import Array
from pipeline.simulation.bio_optics import REFERENCES, Optics, Water, forward
from pipeline.simulation.optics.absorption import CDOM_SLOPE, NON_ALGAL_SLOPE, marine_cdom_443

BANDS = (412, 443, 488, 531, 547, 667, 678, 748)
WAVELENGTHS = np.array(BANDS, dtype=np.float64)
OUTPUTS = (("aph", 443), ("adg", 443), ("bbp", 547))
LONG_NAMES = {
    "aph": "absorption coefficient due to phytoplankton",
    "adg": "absorption coefficient due to dissolved organic matter and non-algal particles",
    "bbp": "backscattering coefficient due to particles",
}
LAYERS = (len(BANDS), 24, 16, len(OUTPUTS))

# Babin et al. 2003, J. Geophys. Res. 108, 3211: standard deviations around Europe, nm-1.
CDOM_SLOPE_SPREAD = 0.0020
NON_ALGAL_SLOPE_SPREAD = 0.0013

SEED = 20240615
SAMPLES = 60_000
HELD_OUT = 10_000
EPOCHS = 400
BATCH = 500
PEAK_RATE = 4e-3

# Noise of one pixel, sr-1: a share of the signal (calibration, atmospheric correction) and a floor
# that falls with wavelength as the correction error does; our choice, small enough to keep the
# 748 nm band of clear water, about 1e-5 sr-1, usable.
NOISE_SHARE = 0.02
NOISE_FLOOR = np.array([6e-5, 5e-5, 4e-5, 3e-5, 2.5e-5, 1.2e-5, 1.2e-5, 2e-6])
# OBPG files count in steps of 2e-6 sr-1, which clear water at 748 nm shows plainly.
COUNT_STEP = 2e-6

DESTINATION = Path(__file__).parent / "networks" / "demo_iops.h5"


@dataclass(frozen=True)
class Samples:
    """Simulated pixels: log10 Rrs with shape (pixel, 8), log10 of the outputs, shape (pixel, 3)."""

    inputs: Array
    outputs: Array


@dataclass(frozen=True)
class Network:
    """Weights with shape (out, in), biases (out,), [min, max] of both ends with shape (n, 2)."""

    weights: tuple[Array, ...]
    biases: tuple[Array, ...]
    norm_in: Array
    norm_out: Array

    def predict(self, log_rrs: Array) -> Array:
        """log10 of the outputs, with shape (pixel, 3), from log10 Rrs, with shape (pixel, 8)."""
        signal = to_unit(log_rrs, self.norm_in)
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            signal = np.tanh(signal @ weight.T + bias)
        return from_unit(signal @ self.weights[-1].T + self.biases[-1], self.norm_out)


def main() -> None:
    """Simulate, train, measure on what was held out, write."""
    rng = np.random.default_rng(SEED)
    samples = simulate_samples(SAMPLES + HELD_OUT, rng)
    seen = Samples(samples.inputs[:SAMPLES], samples.outputs[:SAMPLES])
    unseen = Samples(samples.inputs[SAMPLES:], samples.outputs[SAMPLES:])
    network = train(seen, rng)
    rmse = root_mean_square_error(network, unseen)
    write_network(DESTINATION, network, describe(network, rmse))
    print(f"{DESTINATION.name}: {DESTINATION.stat().st_size} bytes, held-out RMSE (log10) {rmse}")


def simulate_samples(count: int, rng: np.random.Generator) -> Samples:
    """As many noisy pixels as asked for; those with a band at or below zero are drawn again."""
    inputs, outputs, found = [], [], 0
    while found < count:
        optics = forward(draw_water(count, rng), WAVELENGTHS)
        rrs = add_noise(optics.rrs, rng)
        positive = (rrs > 0.0).all(axis=1)
        inputs.append(np.log10(rrs[positive]))
        outputs.append(np.log10(targets(optics)[positive]))
        found += int(positive.sum())
    return Samples(np.concatenate(inputs)[:count], np.concatenate(outputs)[:count])


def draw_water(count: int, rng: np.random.Generator) -> Water:
    """Clear open ocean to turbid plume: CDOM and minerals from none beyond case 1 to plenty.

    Each is drawn over decades, and what rivers bring only loosely follows chlorophyll, so that no
    combination in the scene is far from a sample; the slopes spread as published.
    """
    chlorophyll = 10.0 ** rng.uniform(-1.7, 1.5, count)
    terrestrial = 10.0 ** rng.uniform(-3.2, -0.2, count) * np.sqrt(chlorophyll)
    mineral = 10.0 ** rng.uniform(-2.7, 1.1, count) * np.sqrt(chlorophyll)
    marine = marine_cdom_443(chlorophyll, newer=0.5) * 10.0 ** rng.normal(0.0, 0.15, count)
    return imaginary_water(
        chlorophyll=chlorophyll,
        cdom_443=marine + terrestrial,
        mineral=mineral,
        aph_factor=10.0 ** rng.normal(0.0, 0.08, count),
        bbp_factor=10.0 ** rng.normal(0.0, 0.08, count),
        cdom_slope=rng.normal(CDOM_SLOPE, CDOM_SLOPE_SPREAD, count),
        non_algal_slope=rng.normal(NON_ALGAL_SLOPE, NON_ALGAL_SLOPE_SPREAD, count),
    )


def add_noise(rrs: Array, rng: np.random.Generator) -> Array:
    """Rrs as a sensor and a 16-bit file would give it, in sr-1, with shape (pixel, band)."""
    noise = np.hypot(NOISE_SHARE * rrs, NOISE_FLOOR) * rng.standard_normal(rrs.shape)
    counted: Array = np.round((rrs + noise) / COUNT_STEP) * COUNT_STEP
    return counted


def targets(optics: Optics) -> Array:
    """The three outputs in m-1, with shape (pixel, 3)."""
    columns = [getattr(optics, name)[..., BANDS.index(band)] for name, band in OUTPUTS]
    return np.stack(columns, axis=-1)


def to_unit(value: Array, norm: Array) -> Array:
    """Map [min, max] of each column to [-1, 1]."""
    return 2.0 * (value - norm[:, 0]) / (norm[:, 1] - norm[:, 0]) - 1.0


def from_unit(value: Array, norm: Array) -> Array:
    """The inverse of to_unit."""
    return (value + 1.0) / 2.0 * (norm[:, 1] - norm[:, 0]) + norm[:, 0]


def ranges(value: Array) -> Array:
    """Minimum and maximum of each column, with shape (column, 2)."""
    return np.stack([value.min(axis=0), value.max(axis=0)], axis=1)


def train(samples: Samples, rng: np.random.Generator) -> Network:
    """Minimise the squared error with Adam (Kingma and Ba 2015) and a cosine learning rate.

    Written out in NumPy: 667 weights need no framework, and the result is the same every time.
    """
    norm_in, norm_out = ranges(samples.inputs), ranges(samples.outputs)
    x, y = to_unit(samples.inputs, norm_in), to_unit(samples.outputs, norm_out)
    parameters = initial_parameters(rng)
    momentum = [np.zeros_like(p) for p in parameters]
    variance = [np.zeros_like(p) for p in parameters]
    steps = EPOCHS * (len(x) // BATCH)
    for step, rows in enumerate(batches(len(x), rng), start=1):
        rate = 0.5 * PEAK_RATE * (1.0 + np.cos(np.pi * step / steps))
        gradients = back_propagate(parameters, x[rows], y[rows])
        for i, gradient in enumerate(gradients):
            momentum[i] += 0.1 * (gradient - momentum[i])
            variance[i] += 0.001 * (gradient**2 - variance[i])
            spread = np.sqrt(variance[i] / (1.0 - 0.999**step)) + 1e-8
            parameters[i] -= rate * momentum[i] / (1.0 - 0.9**step) / spread
    return Network(tuple(parameters[0::2]), tuple(parameters[1::2]), norm_in, norm_out)


def initial_parameters(rng: np.random.Generator) -> list[Array]:
    """Weight, bias, weight, bias, ...; weights after Glorot and Bengio 2010, biases zero."""
    parameters: list[Array] = []
    for n_in, n_out in pairwise(LAYERS):
        limit = np.sqrt(6.0 / (n_in + n_out))
        parameters += [rng.uniform(-limit, limit, (n_out, n_in)), np.zeros(n_out)]
    return parameters


def batches(count: int, rng: np.random.Generator) -> Iterator[npt.NDArray[np.int64]]:
    """Row numbers of each batch, shuffled anew in every epoch."""
    for _ in range(EPOCHS):
        order = rng.permutation(count)
        for start in range(0, count - BATCH + 1, BATCH):
            yield order[start : start + BATCH]


def back_propagate(parameters: list[Array], x: Array, y: Array) -> list[Array]:
    """Gradient of half the mean squared error with respect to each parameter."""
    signals = [x]
    for weight, bias in zip(parameters[0:-2:2], parameters[1:-2:2], strict=True):
        signals.append(np.tanh(signals[-1] @ weight.T + bias))
    error = (signals[-1] @ parameters[-2].T + parameters[-1] - y) / len(x)
    gradients: list[Array] = []
    for layer in range(len(signals) - 1, -1, -1):
        gradients = [error.T @ signals[layer], error.sum(axis=0), *gradients]
        error = (error @ parameters[2 * layer]) * (1.0 - signals[layer] ** 2)
    return gradients


def root_mean_square_error(network: Network, samples: Samples) -> dict[str, float]:
    """Error in log10 units of each output, rounded to what is worth reporting."""
    error = network.predict(samples.inputs) - samples.outputs
    rmse = np.sqrt((error**2).mean(axis=0))
    return {
        f"{name}_{band}": round(float(e), 4) for (name, band), e in zip(OUTPUTS, rmse, strict=True)
    }


def golden_spectra() -> Array:
    """Five noise-free spectra in sr-1, with shape (5, 8): ocean, shelf, bloom, CDOM, plume."""
    water = imaginary_water(
        chlorophyll=np.array([0.08, 0.6, 8.0, 1.5, 3.0]),
        cdom_443=np.array([0.006, 0.03, 0.12, 0.6, 0.5]),
        mineral=np.array([0.005, 0.15, 0.4, 0.8, 20.0]),
    )
    return forward(water, WAVELENGTHS).rrs


def describe(network: Network, rmse: dict[str, float]) -> dict[str, Any]:
    """What the file says of itself, for the attribute ``ocpipe_description``."""
    spectra = golden_spectra()
    answers = 10.0 ** network.predict(np.log10(spectra))
    return {
        "schema": 1,
        "name": "demo_iops",
        "title": "Demonstration network: absorption and backscattering from MODIS-Aqua reflectance",
        "sensors": ["MODIS-Aqua"],
        "inputs": [
            {"quantity": "Rrs", "wavelength_nm": band, "units": "sr-1", "transform": "log10"}
            for band in BANDS
        ],
        "outputs": [
            {
                "quantity": name,
                "wavelength_nm": band,
                "units": "m-1",
                "transform": "log10",
                "long_name": LONG_NAMES[name],
            }
            for name, band in OUTPUTS
        ],
        "activations": ["tanh"] * (len(LAYERS) - 2) + ["linear"],
        "citation": (
            "ocpipe demonstration network, trained on simulated spectra only; for trying the "
            "software, not for science. Forward model: pipeline/simulation/bio_optics.py."
        ),
        "licence": "Apache-2.0",
        "training": {
            "samples": SAMPLES,
            "held_out_samples": HELD_OUT,
            "seed": SEED,
            "model": f"bio-optical forward model with noise; {REFERENCES}",
            "rmse_log10": rmse,
        },
        "golden": {"inputs": spectra.tolist(), "outputs": answers.tolist()},
    }


def write_network(path: Path, network: Network, description: dict[str, Any]) -> None:
    """Write the OC-SMART layout; no times are stored, so equal networks are equal bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file.attrs["ocpipe_description"] = json.dumps(description)
        datasets: dict[str, npt.NDArray[Any]] = {"Layers": np.array(LAYERS, dtype=np.int8)}
        datasets |= {"Norm_in": network.norm_in, "Norm_out": network.norm_out}
        for k, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True), 1):
            datasets |= {f"Weights/Layer{k}": weight, f"Bias/Layer{k}": bias[:, np.newaxis]}
        for name, data in datasets.items():
            file.create_dataset(name, data=data, track_times=False)


if __name__ == "__main__":
    main()
