"""(k) Sigma points against draws on real spectra; (l) what ensembles and uncertainty cost."""

import dataclasses
import json
import tempfile
from pathlib import Path
from typing import Any

import inputs
import numpy as np
import numpy.typing as npt
from commands import python
from report import Table, median

from pipeline.networks import Ensemble, Network, load_network
from pipeline.networks.jacobian import jacobian
from pipeline.networks.reading.ensemble_file import write_ensemble
from pipeline.networks.saving import save_network
from pipeline.networks.sigma_points import moved_value, sigma_points
from pipeline.readers import open_scene
from pipeline.scene.scene import wavelengths

Float64 = npt.NDArray[np.float64]
SPECTRA, DRAWS = 300, 20_000
IOPS = ("aph", "adg", "bbp")
MEMBERS, ROUNDS = 10, 3
LAND = 2
OURS = inputs.HERE / "ours.py"


def against_draws() -> Table:
    """Of the real MODIS scene, by OC-SMART's networks."""
    table = Table(
        "(k) Sigma points and derivatives against draws",
        f"{SPECTRA} spectra of the MODIS-Aqua scene of Lake Winnipeg with 8 positive bands, "
        f"{DRAWS:,} draws each with independent normal errors, of which those with a band at or "
        "below zero are not computed (as in a run). Deviation: |stated / drawn - 1| of the "
        "standard deviation of log10, all outputs of the network. Held: share of draws within one "
        "stated deviation of the value.",
        ("noise", "network", "method", "median deviation", "90th percentile", "held",
         "drawn deviation (median)"),
    )  # fmt: skip
    if not (inputs.REAL / "networks" / "ocsmart").is_dir():
        table.note("not measured: the real scene and networks are not there")
        return table
    rows = _spectra()
    for noise, deviations in (
        ("5 %", 0.05 * rows),
        ("1e-4 sr-1", np.full_like(rows, 1e-4)),
        ("3e-4 sr-1", np.full_like(rows, 3e-4)),
    ):
        for name in IOPS:
            network = load_network(inputs.REAL / "networks/ocsmart" / f"MODIS-Aqua_{name}NN.h5")
            drawn = [_drawn(network, *pair) for pair in zip(rows, deviations, strict=True)]
            truth = np.array([y.std(axis=0) for y in drawn])
            value = np.log10(network.reference(rows))
            for method, stated in _methods(network, rows, deviations).items():
                away = np.abs(stated / truth - 1)
                within = [
                    (np.abs(y - v) <= s).mean()
                    for y, v, s in zip(drawn, value, stated, strict=True)
                ]
                table.add(
                    noise, name, method, float(np.median(away)), float(np.percentile(away, 90)),
                    float(np.mean(within)), float(np.median(truth)),
                )  # fmt: skip
    return table


def _spectra() -> Float64:
    network = load_network(inputs.REAL / "networks/ocsmart" / "MODIS-Aqua_aphNN.h5")
    with open_scene(inputs.modis_scene()) as scene:
        centres = wavelengths(scene, "Rrs")
        bands = [int(np.argmin(np.abs(centres - v.wavelength_nm))) for v in network.inputs]
        rrs = scene["Rrs"].isel(Rrs_wavelength=bands).values.astype(np.float64)
        water = (scene["source_flags"].values & LAND) == 0
    rows = np.moveaxis(rrs, 0, -1)[(rrs > 0).all(axis=0) & water]
    chosen: Float64 = rows[np.random.default_rng(0).choice(len(rows), SPECTRA, replace=False)]
    return chosen


def _drawn(network: Network, row: Float64, deviation: Float64) -> Float64:
    noise = np.random.default_rng(1).standard_normal((DRAWS, row.size))
    x = row + deviation * noise
    with np.errstate(all="ignore"):
        made: Float64 = np.log10(network.predict(x[(x > 0).all(axis=1)], "onnxruntime"))
    return made


def _methods(network: Network, rows: Float64, deviations: Float64) -> dict[str, Float64]:
    single, errors = rows.astype(np.float32), deviations.astype(np.float32)
    made = []
    for point in sigma_points(np.eye(rows.shape[1])):
        moved = [
            moved_value(single[:, i], errors[:, i], float(z), is_positive=True)
            for i, z in enumerate(point)
        ]
        made.append(np.log10(network.predict(np.stack(moved, axis=1), "onnxruntime")))
    linear = jacobian(network, rows) * deviations[:, np.newaxis, :]
    return {
        "sigma points": np.std(made, axis=0),
        "derivatives": np.sqrt(np.square(linear).sum(axis=2)),
    }


def cost() -> Table:
    """One network, ten, and with uncertain inputs, on a whole scene."""
    table = Table(
        "(l) Ensembles and uncertainty of inputs on a scene",
        f"{inputs.SIDE} x {inputs.SIDE} pixels, 7 bands, tiles of 256 x 256, 58 % valid; network "
        f"7-100-75-50-25-7, the ensemble {MEMBERS} of that shape. Uncertain inputs: 5 %, so 14 "
        f"points. 2 threads; medians of {ROUNDS} alternating rounds; memory beside the base in MB.",
        ("what", "limit", "seconds", "times one network", "peak - base", "variables"),
    )
    scene = inputs.sgli(inputs.SIDE, (256, 256), "tiles")
    runs = _runs()
    found: dict[tuple[str, str], list[dict[str, float]]] = {}
    for _ in range(ROUNDS):
        for name, config in runs.items():
            for limit in ("512MB",) if name != "sigma points" else ("256MB", "512MB", "2GB"):
                with tempfile.TemporaryDirectory(dir=inputs.DATA) as folder:
                    ran = python(OURS, scene, config, folder, folder, limit, 2)
                found.setdefault((name, limit), []).append(json.loads(ran.output))
    one = median(each["seconds"] for each in found["one network", "512MB"])
    for (name, limit), measured in found.items():
        seconds = median(each["seconds"] for each in measured)
        most = max(each["peak"] - each["base"] for each in measured) / 1e6
        variables = 7 if name == "one network" else 14
        table.add(name, limit, seconds, seconds / one, round(most), variables)
        allowed = float(limit[:-2]) * (1e3 if limit.endswith("GB") else 1)
        if most > allowed:
            table.note(f"OVER the limit: {name}, {limit}")
    return table


def _runs() -> dict[str, Path]:
    network = inputs.aph_network()
    settings: dict[str, tuple[Path, dict[str, Any]]] = {
        "one network": (network, {}),
        f"ensemble of {MEMBERS}": (_ensemble(network), {}),
        "sigma points": (network, {"inputs": {"Rrs": {"relative": 0.05}}}),
        "derivatives": (network, {"inputs": {"Rrs": {"relative": 0.05}}, "method": "jacobian"}),
    }
    made = {}
    for name, (file, uncertainty) in settings.items():
        path = inputs.DATA / f"uncertainty_{name.replace(' ', '_')}.yaml"
        plain = {
            "name": "bench",
            "science": {
                "networks": [{"name": "aph", "file": str(file)}],
                "masks": {"flags": ["CLDICE"]},
                "uncertainty": uncertainty,
            },
        }
        path.write_text(json.dumps(plain))
        made[name] = path
    return made


def _ensemble(file: Path) -> Path:
    """Ten networks like one, with biases a little apart."""
    folder = inputs.DATA / "ensemble"
    folder.mkdir(parents=True, exist_ok=True)
    network = load_network(file)
    members = [_like(network, number) for number in range(MEMBERS)]
    files = [save_network(folder / f"{m.name}.h5", m)[0] for m in members]
    path = folder / "ensemble.yaml"
    write_ensemble(path, Ensemble.of(tuple(members), name="ensemble"), files)
    return path


def _like(network: Network, number: int) -> Network:
    drawn = np.random.default_rng(number)
    layers = tuple(
        dataclasses.replace(each, bias=each.bias + 0.02 * drawn.standard_normal(each.bias.size))
        for each in network.layers
    )
    return dataclasses.replace(network, name=f"member_{number}", layers=layers, golden=None)
