"""Match-ups with products: results of networks beside in-situ values, without a scene's bands."""

import netCDF4
import numpy as np
import pytest
from click.testing import CliRunner
from matchup_miniature import place, scene, table
from small_network import write_network

import pipeline
from pipeline.cli import main
from pipeline.tables import read_table

PLACES = [place(5, 6), place(12, 20), place(20, 9), place(35, 35)]  # the last in the cloud


def call(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def product(tmp_path_factory):
    """Two outputs of a network on the miniature of the match-up tests."""
    folder = tmp_path_factory.mktemp("product")
    kernels = [np.array([[0.4, -0.6, 0.2], [0.5, 0.3, -0.7]]), np.full((3, 2), 0.4)]
    write_network(
        folder / "net.h5",
        bands=(443, 555),
        kernels=kernels,
        outputs=("aph", "adg"),
        sensors=("MODIS-Aqua",),
    )
    config = {
        "name": "iop",
        "science": {
            "networks": [{"name": "net", "file": "net.h5"}],
            "masks": {"flags": ["CLDICE"]},
            "engine": "numpy",
        },
        "execution": {"output": str(folder), "network_dirs": [str(folder)]},
    }
    return pipeline.process_scene(scene(folder), config)


def test_windows_hold_the_results(product, tmp_path):
    """Every result has a column with its units; values are the filtered means of the windows."""
    points, out = table(tmp_path, PLACES), tmp_path / "m.csv"
    done = call("matchup", points, product, "-o", out)
    assert done.exit_code == 0, done.output
    found = read_table(out)
    assert found.columns["point"].size == 3
    with netCDF4.Dataset(product) as file:
        for name in ("aph_443", "adg_443"):
            values = np.ma.filled(file[name][...].astype(float), np.nan)
            assert found.units[name] == "m-1"
            for row, (line, pixel) in enumerate(((5, 6), (12, 20), (20, 9))):
                window = values[line - 2 : line + 3, pixel - 2 : pixel + 3]
                kept = np.abs(window - window.mean()) <= 1.5 * window.std(ddof=1)
                expected = window[kept].mean()
                assert found.columns[name][row] == pytest.approx(expected, rel=1e-5)


def test_chosen_results_only(product, tmp_path):
    """With ``plain``; a name that the product lacks is an error with its names."""
    points, out = table(tmp_path, PLACES), tmp_path / "m.csv"
    config = tmp_path / "m.yaml"
    config.write_text("plain: [adg_443]\n")
    assert call("matchup", points, product, "-c", config, "-o", out).exit_code == 0
    names = set(read_table(out).columns)
    assert "adg_443" in names
    assert "aph_443" not in names
    config.write_text("plain: [chl]\n")
    done = call("matchup", points, product, "-c", config, "-o", tmp_path / "n.csv")
    assert done.exit_code != 0
    assert "the product has none of chl; it has" in done.output
