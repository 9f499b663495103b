"""Networks to measure with where no real one has the size: seeded weights, realistic ranges."""

import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np


def write_like_aph(path: Path) -> Path:
    """A network of the shape of OC-SMART's SGLI aph (7-100-75-50-25-7, tanh), seeded weights."""
    bands = (380, 412, 443, 490, 530, 565, 672)
    return _write(path, bands, bands, (100, 75, 50, 25), "SGLI")


def write_hyperspectral(
    path: Path, wavelengths: Sequence[float], outputs: int = 128, sensor: str = "OCI"
) -> Path:
    """A tanh network from Rrs in many bands to phytoplankton absorption in many bands.

    Layers of 128 and 128 units between; the file describes itself (docs/networks.md).
    """
    made = np.linspace(400, 700, outputs).round(1).tolist()
    return _write(path, wavelengths, made, (128, 128), sensor)


def write_single(path: Path, seed: int, classes: Sequence[str] = ()) -> Path:
    """A network for aph at 443 nm, 7-100-75-50-25-1; or for classes, 7-50-25 and the classes."""
    bands = (380, 412, 443, 490, 530, 565, 672)
    hidden = (50, 25) if classes else (100, 75, 50, 25)
    return _write(path, bands, (443,), hidden, "SGLI", seed, classes)


def _write(
    path: Path,
    inputs: Sequence[float],
    outputs: Sequence[float],
    hidden: Sequence[int],
    sensor: str,
    seed: int = 0,
    classes: Sequence[str] = (),
) -> Path:
    drawn = np.random.default_rng(seed)
    sizes = [len(inputs), *hidden, len(classes or outputs)]
    description: dict[str, Any] = {
        "schema": 1,
        "name": "bench",
        "sensors": [sensor],
        "inputs": [
            {"quantity": "Rrs", "wavelength_nm": float(nm), "units": "sr-1", "transform": "log10"}
            for nm in inputs
        ],
        "outputs": [
            {"quantity": "aph", "wavelength_nm": float(nm), "units": "m-1", "transform": "log10"}
            for nm in outputs
        ],
        "activations": [*["tanh"] * len(hidden), "linear"],
    }
    if classes:
        del description["outputs"]
        description["classes"] = {"quantity": "water_type", "names": list(classes)}
        description["activations"][-1] = "softmax"
    with h5py.File(path, "w") as file:
        file["Layers"] = np.array(sizes, dtype=np.int16)
        file["Norm_in"] = np.tile([-5.0, -1.0], (sizes[0], 1))
        file["Norm_out"] = np.tile([-3.5, 1.0], (sizes[-1], 1))
        for number, (before, after) in enumerate(itertools.pairwise(sizes), start=1):
            spread = 1 / np.sqrt(before)
            file[f"Weights/Layer{number}"] = drawn.normal(0, spread, (after, before))
            file[f"Bias/Layer{number}"] = drawn.normal(0, 0.1, (after, 1))
        file.attrs["ocpipe_description"] = json.dumps(description)
    return path
