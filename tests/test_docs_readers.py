"""The worked examples of docs/readers.md, run as they stand."""

import re
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import yaml
from small_network import write_passthrough

import pipeline
from pipeline import readers
from pipeline.config import ReaderChoice
from pipeline.errors import ConfigError
from pipeline.readers.mapping import presets

pytestmark = pytest.mark.quick

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "readers.md"
LINE, PIXEL = np.mgrid[0:5, 0:4].astype(np.float64)


def blocks(language):
    """The fenced blocks of the document in a language."""
    text = DOCUMENT.read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def config(folder, **reader):
    network = {"name": "same", "file": str(write_passthrough(folder / "net.h5"))}
    science = {"networks": [network | {"allow_other_sensor": True}], **reader}
    return {"name": "test", "science": science, "execution": {"output": str(folder / "out")}}


def test_the_reader_of_the_example_processes_a_scene(tmp_path, monkeypatch):
    """Registered by its one line, it is recognised and its pixels come out where they were."""
    monkeypatch.setattr(readers, "READERS", dict(readers.READERS))
    names = {"READERS": readers.READERS}
    example, registration = blocks("python")
    exec(compile(example, "npz_cube.py", "exec"), names)  # noqa: S102 - the document's own code
    exec(registration, names)  # noqa: S102
    rrs = np.stack([0.002 + 1e-4 * LINE + 1e-5 * PIXEL + 1e-6 * band for band in range(3)])
    rrs[0, 1, 2] = np.nan
    scene = tmp_path / "cube.npz"
    np.savez(scene, rrs=rrs, wavelength=np.array([412, 443, 488]), latitude=LINE, longitude=PIXEL)
    product = pipeline.process_scene(scene, config(tmp_path))
    with xr.open_dataset(product) as file:
        np.testing.assert_allclose(file.aph_443, rrs[0], rtol=1e-6)
        assert file.attrs["title"]
    with pytest.raises(ConfigError, match="colour"):
        pipeline.open_scene(scene, ReaderChoice(format="npz_cube", options={"colour": 1}))


def test_the_mapping_of_the_example_reads_such_a_file(tmp_path):
    """rho_w by pi is Rrs, zero is missing, flags have the stated names."""
    options = next(
        yaml.safe_load(block)["science"]["reader"] for block in blocks("yaml") if "RHO_" in block
    )
    rho_w = np.pi * (0.002 + 1e-4 * LINE + 1e-5 * PIXEL)
    with_gap = rho_w.copy()
    with_gap[2, 1] = 0.0
    mask = np.zeros(LINE.shape, np.int16)
    mask[3, 2] = 2
    file = xr.Dataset(
        {
            "RHO_412": (("y", "x"), with_gap),
            "RHO_443": (("y", "x"), rho_w),
            "RHO_488": (("y", "x"), rho_w),
            "lat": (("y", "x"), LINE),
            "lon": (("y", "x"), PIXEL),
            "mask": (("y", "x"), mask),
            "SUN_ZENITH": (("y", "x"), 30 + LINE),
        }
    )
    path = tmp_path / "odd.nc"
    file.to_netcdf(path)
    product = pipeline.process_scene(
        path, config(tmp_path, reader=options, masks={"flags": ["CLOUD"]})
    )
    expected = 0.002 + 1e-4 * LINE + 1e-5 * PIXEL
    expected[2, 1] = expected[3, 2] = np.nan
    with xr.open_dataset(product) as made:
        np.testing.assert_allclose(made.aph_443, expected, rtol=1e-6)


def test_every_format_and_preset_is_documented():
    """The document names all readers and all presets."""
    text = DOCUMENT.read_text(encoding="utf-8")
    assert [name for name in (*readers.READERS, *presets()) if f"`{name}`" not in text] == []
