"""In-situ reflectances at the wavelengths of a satellite's bands."""

import logging

import netCDF4
import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from obpg_miniature import counts_of, write_obpg_l2

from pipeline.algorithms import algorithm
from pipeline.cli import main
from pipeline.config.matchup import load_matchup_config
from pipeline.errors import ConfigError
from pipeline.matchup.points import read_points
from pipeline.tables import read_table

BANDS = (412, 443, 490, 510, 555, 670)  # of SeaWiFS, as many instruments at sea have them
CLEAR = (0.0072, 0.0057, 0.0046, 0.0034, 0.0018, 0.00025)
MODIS = [488, 531, 547, 667]
# No result of the quasi-analytical algorithm, and no value at 412 nm.
STRANGE = (0.0001, 0.009, 0.0001, 0.002, 0.02, 0.02)
HOLE = (None, 0.0057, 0.0046, 0.0034, 0.0018, 0.00025)


def points_file(folder, *spectra, names=None):
    """Points at the place and time of the miniature."""
    names = names or [f"Rrs_{nm}" for nm in BANDS]
    lines = [",".join(["station", "latitude", "longitude", "datetime", *names])]
    for number, spectrum in enumerate(spectra):
        shown = ["" if value is None else f"{value:.9g}" for value in spectrum]
        place = f"{10.05 + 0.03 * number},{70.05 + 0.03 * number}"
        lines.append(",".join([f"P{number}", place, "2020-01-02T03:06:35Z", *shown]))
    path = folder / "points.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def configured(folder, **shift):
    path = folder / "matchup.yaml"
    path.write_text(yaml.safe_dump({"preset": "nasa", "points": {"band_shift": shift}}))
    return path


def points_of(folder, file, **shift):
    return read_points(file, load_matchup_config(configured(folder, **shift)).points)


def test_columns_at_other_wavelengths(tmp_path, caplog):
    """Equal to the algorithm; a band that is there stays, and what has no result is told."""
    file = points_file(tmp_path, CLEAR, STRANGE, HOLE)
    with caplog.at_level(logging.WARNING):
        table = points_of(tmp_path, file, to_nm=[443, *MODIS]).table
    one = algorithm("melin_sclep_2015", wavelengths_nm=BANDS, to_nm=MODIS)
    row = [CLEAR[BANDS.index(int(v.wavelength_nm))] for v in one.inputs]
    for nm, expected in zip(MODIS, one.predict([row])[0], strict=True):
        found = table.numbers(f"Rrs_{nm}")
        np.testing.assert_allclose(found[0], expected, rtol=1e-7)
        assert np.isnan(found[1:]).all()
        assert table.units[f"Rrs_{nm}"] == "sr-1"
    np.testing.assert_allclose(table.numbers("Rrs_443"), [0.0057, 0.009, 0.0057])
    assert any("the reflectances of 1 of 3 points could not be computed" in t for t in table.told)


def test_match_ups_have_both(tmp_path):
    """Bands of the satellite beside those of the instrument, and the method as an attribute."""
    counts = {nm: counts_of(np.full((30, 30), 0.005)) for nm in (443, *MODIS)}
    line, pixel = np.mgrid[0:30, 0:30]
    scene = write_obpg_l2(
        tmp_path / "scene.nc", counts, latitude=10 + 0.01 * line, longitude=70 + 0.01 * pixel
    )
    output = tmp_path / "matchups.nc"
    file, config = points_file(tmp_path, CLEAR), configured(tmp_path, to_nm=MODIS)
    arguments = ["matchup", str(file), str(scene), "-o", str(output), "-c", str(config)]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    found = read_table(output, "auto")
    assert {f"Rrs_{nm}" for nm in MODIS} | {f"insitu_Rrs_{nm}" for nm in MODIS} <= set(
        found.columns
    )
    expected = points_of(tmp_path, file, to_nm=MODIS).table.numbers("Rrs_531")
    np.testing.assert_allclose(found.columns["insitu_Rrs_531"], expected, rtol=1e-6)
    with netCDF4.Dataset(output) as stored:
        assert stored.insitu_band_shift.startswith("melin_sclep_2015")
        assert "to 488, 531, 547, 667 nm" in stored.insitu_band_shift


@pytest.mark.parametrize(
    ("to_nm", "names", "words"),
    [
        ([750], None, "points.csv: points.band_shift: melin_sclep_2015 cannot compute Rrs at 750"),
        (MODIS, list("abcdef"), "points.band_shift: no column such as Rrs_443"),
        (MODIS, ["Rrs_412", *"bcdef"], "points.band_shift: melin_sclep_2015 needs 5 different"),
    ],
)
def test_a_table_without_the_bands_is_refused(tmp_path, to_nm, names, words):
    """With what it has."""
    file = points_file(tmp_path, CLEAR, names=names)
    with pytest.raises(ConfigError, match=words):
        points_of(tmp_path, file, to_nm=to_nm)


@pytest.mark.parametrize("shift", [{}, {"to_nm": []}, {"to_nm": [-1]}, {"to_nm": [1], "by": 2}])
def test_a_shift_that_makes_no_sense_is_refused(tmp_path, shift):
    """By the configuration."""
    with pytest.raises(ConfigError, match=r"points\.band_shift"):
        load_matchup_config(configured(tmp_path, **shift))
