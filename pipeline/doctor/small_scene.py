"""A small scene, a small network and their configuration, for a trial of an installation."""

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import yaml

from pipeline.facts.sensors import find_sensor
from pipeline.files.replacing import replace_file
from pipeline.networks import Layer, Network, Variable
from pipeline.networks.saving import save_network

SENSOR = "MODIS-Aqua"
BANDS = find_sensor(SENSOR).rrs_bands_nm
LINES, PIXELS = 48, 64
SCENE, NETWORK, CONFIG = "scene.nc", "trial.h5", "trial.yaml"
_HIDDEN = 16
_CONFIGURATION: dict[str, Any] = {
    "name": "trial",
    "science": {
        "reader": {
            "format": "cf_netcdf",
            "options": {"mapping": {"spectral": [{"quantity": "Rrs", "variables": r"Rrs_(\d+)"}]}},
        },
        "sensor": SENSOR,
        "networks": [
            {"name": "trial", "file": NETWORK},
            {"name": "chl", "file": "algorithm:oci_2019"},
        ],
        "masks": {"expressions": {"north": "latitude > 53.9"}},
    },
}


def write_trial(folder: Path) -> None:
    """Write a scene, a network and their configuration into a folder; always the same numbers.

    Raises:
        OutputError: a file cannot be written.
    """
    _scene().to_netcdf(folder / SCENE, engine="netcdf4")
    save_network(folder / NETWORK, _network())
    replace_file(folder / CONFIG, yaml.safe_dump(_CONFIGURATION).encode())


def _scene() -> xr.Dataset:
    drawn = np.random.default_rng(1)
    level = drawn.uniform(-3.0, -2.0, (LINES, PIXELS))
    latitude, longitude = np.meshgrid(
        np.linspace(54, 53, LINES), np.linspace(6, 8, PIXELS), indexing="ij"
    )
    variables: dict[str, Any] = {
        "latitude": (("y", "x"), latitude, {"units": "degrees_north"}),
        "longitude": (("y", "x"), longitude, {"units": "degrees_east"}),
    }
    for nm in BANDS:
        rrs = 10 ** (level + drawn.uniform(-0.1, 0.1, level.shape)) * (443 / nm)
        variables[f"Rrs_{nm:.0f}"] = (("y", "x"), rrs.astype(np.float32), {"units": "sr-1"})
    return xr.Dataset(variables)


def _network() -> Network:
    drawn = np.random.default_rng(2)
    kernels = [drawn.normal(0, 0.5, (len(BANDS), _HIDDEN)), drawn.normal(0, 0.5, (_HIDDEN, 1))]
    return Network(
        name="trial",
        title="A network of random weights, for a trial of the installation",
        inputs=tuple(_variable("Rrs", nm, "sr-1", (-4.0, -1.0)) for nm in BANDS),
        outputs=(_variable("aph", 443.0, "m-1", (-3.0, 1.0)),),
        layers=(
            Layer(kernels[0], drawn.normal(0, 0.1, _HIDDEN), "tanh"),
            Layer(kernels[1], drawn.normal(0, 0.1, 1), "linear"),
        ),
        sensors=(SENSOR,),
        citation="",
        licence="",
        file_name=NETWORK,
        sha256="",
    )


def _variable(quantity: str, nm: float, units: str, log10_range: tuple[float, float]) -> Variable:
    return Variable(
        quantity=quantity,
        wavelength_nm=nm,
        units=units,
        transform_name="log10",
        minimum=log10_range[0],
        maximum=log10_range[1],
    )
