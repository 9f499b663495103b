"""What is measured on: scenes and networks, made once and kept in ``benchmarks/data``.

The network is OC-SMART's SGLI_aphNN.h5 where OCPIPE_NETWORKS or the folder of real test data has
it, else one of the same shape with seeded weights, which costs the same.
"""

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from networks import write_hyperspectral, write_like_aph
from scenes import Fields, write_cube, write_sgli

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
DATA = HERE / "data"
REAL = Path(os.environ.get("OCPIPE_TEST_DATA", ROOT.parent / "shared" / "data"))

SIDE = 3072
WAVELENGTHS = np.linspace(340, 895, 172).round(2)
CONFIG = """name: bench
title: Phytoplankton absorption
science:
  networks:
    - {{name: aph, file: "{network}"}}
  masks:
    flags: [CLDICE]
batch:
  settle: 0
"""


@cache
def _fields() -> Fields:
    return Fields()


def _kept(name: str, make: Callable[[Path], object]) -> Path:
    """A file that is made where it is not there."""
    path = DATA / name
    if not path.exists():
        DATA.mkdir(exist_ok=True)
        partial = path.with_name(f"partial-{name}")
        make(partial)
        partial.rename(path)
    return path


def sgli(side: int, chunk: tuple[int, int], name: str) -> Path:
    """An SGLI scene with 7 bands, latitude, longitude and flags."""
    return _kept(
        f"sgli_{side}_{name}.nc", lambda path: write_sgli(path, side, side, chunk, _fields())
    )


def scene() -> Path:
    """The scene of most comparisons: 3072 x 3072, stored in chunks of 256 whole lines."""
    return sgli(SIDE, (256, SIDE), "lines")


def cube(chunk: tuple[int, int, int], name: str) -> Path:
    """A hyperspectral scene, 1710 x 1272 x 172."""
    return _kept(
        f"oci_{name}.nc",
        lambda path: write_cube(path, 1710, 1272, WAVELENGTHS.tolist(), chunk, Fields(2048)),
    )


def aph_network() -> Path:
    """The network of most comparisons, 7-100-75-50-25-7 tanh."""
    folders = [Path(p) for p in os.environ.get("OCPIPE_NETWORKS", "").split(os.pathsep) if p]
    for folder in (*folders, REAL / "networks" / "ocsmart"):
        if (folder / "SGLI_aphNN.h5").is_file():
            return folder / "SGLI_aphNN.h5"
    return _kept("like_aph.h5", write_like_aph)


def hyperspectral_network() -> Path:
    """150 inputs, 128 outputs."""
    return _kept(
        "hyperspectral.h5", lambda path: write_hyperspectral(path, WAVELENGTHS[:150].tolist())
    )


def config_for(network: Path) -> Path:
    """A run configuration with one network and a cloud mask."""
    path = DATA / f"{network.stem}.yaml"
    DATA.mkdir(exist_ok=True)
    path.write_text(CONFIG.format(network=network))
    return path


def modis_scene() -> Path:
    """The real 500 x 308 scene where it is there, else the sample scene."""
    real = REAL / "scenes" / "AQUA_MODIS.20110910T190602.L2.OC.nc"
    return real if real.is_file() else next((ROOT / "sample_data" / "scenes").glob("*.nc"))
