"""Small networks in OC-SMART's self-describing layout, written with h5py for tests."""

import json
from pathlib import Path

import h5py
import numpy as np

BANDS = (412, 443, 488)


def write_network(
    path: Path,
    *,
    kernels: list[np.ndarray] | None = None,
    biases: list[np.ndarray] | None = None,
    norm_in: np.ndarray | None = None,
    norm_out: np.ndarray | None = None,
    transform: str = "log10",
    output_transform: str = "log10",
    outputs: tuple[str, ...] = ("aph", "adg"),
    bands: tuple[int, ...] = BANDS,
    sensors: tuple[str, ...] = ("MODIS-Aqua",),
    seed: int = 0,
) -> Path:
    """A 3-5-2 tanh network of random weights unless given; kernels are (inputs, units)."""
    drawn = np.random.default_rng(seed)
    n_in, n_out = len(bands), len(outputs)
    if kernels is None:
        kernels = [drawn.normal(0, 0.8, (n_in, 5)), drawn.normal(0, 0.3, (5, n_out))]
    if biases is None:
        biases = [drawn.normal(0, 0.3, kernel.shape[1]) for kernel in kernels]
    sizes = [kernels[0].shape[0], *(kernel.shape[1] for kernel in kernels)]
    described = {
        "schema": 1,
        "name": path.stem,
        "sensors": list(sensors),
        "inputs": [
            {"quantity": "Rrs", "wavelength_nm": nm, "units": "sr-1", "transform": transform}
            for nm in bands
        ],
        "outputs": [
            {
                "quantity": quantity,
                "wavelength_nm": 443,
                "units": "m-1",
                "transform": output_transform,
            }
            for quantity in outputs
        ],
        "activations": ["tanh"] * (len(kernels) - 1) + ["linear"],
    }
    with h5py.File(path, "w") as file:
        file["Layers"] = np.array(sizes, dtype=np.int8 if max(sizes) < 128 else np.int16)
        file["Norm_in"] = np.tile([-4.0, -1.3], (n_in, 1)) if norm_in is None else norm_in
        file["Norm_out"] = np.tile([-3.0, 1.0], (n_out, 1)) if norm_out is None else norm_out
        for k, (kernel, bias) in enumerate(zip(kernels, biases, strict=True), start=1):
            file[f"Weights/Layer{k}"] = kernel.T
            file[f"Bias/Layer{k}"] = bias[:, np.newaxis]
        file.attrs["ocpipe_description"] = json.dumps(described)
    return path


def write_passthrough(path: Path) -> Path:
    """A linear network whose one output is its first input: pixel values come out unchanged."""
    return write_network(
        path,
        kernels=[np.eye(3, 1)],
        biases=[np.zeros(1)],
        norm_in=np.tile([0.0, 1.0], (3, 1)),
        norm_out=np.array([[0.0, 1.0]]),
        transform="none",
        output_transform="none",
        outputs=("aph",),
    )
