"""The shipped recipes for archives of in-situ data, on miniatures of the archives.

The archives cannot be had here: the miniatures are written from the published descriptions, see
archive_files.py.
"""

import shutil
from pathlib import Path
from typing import Any

import archive_files
import numpy as np
import pytest
from sample_tables import RRS, columns, write

from pipeline.config import SamplesConfig
from pipeline.config.strict import find_shipped
from pipeline.config.training import TrainingConfig
from pipeline.errors import ConfigError
from pipeline.training.evaluate import data_files
from pipeline.training.recipe import load_recipe
from pipeline.training.samples.samples import SampleSet, load_samples

SHIPPED = Path(__file__).parents[2] / "configs" / "training"


def shipped(name: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> SampleSet:
    """Load the samples of a shipped recipe; nomad.txt.gz is in the current folder."""
    monkeypatch.chdir(path.parent)
    recipe = load_recipe(SHIPPED / f"{name}.yaml", TrainingConfig)
    return load_samples(recipe.samples.reading((path,)))


def test_gloria(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spectra get their laboratory values and flags from two other files, in another order."""
    samples = shipped("gloria_olci", archive_files.gloria(tmp_path), monkeypatch)
    # Every tenth row is flagged; a missing flag is none.
    kept = [row for row in range(40) if row % 10 != 9]
    assert samples.rows.tolist() == [row + 2 for row in kept]
    assert [one.name for one in samples.targets] == ["chlor_a", "tsm", "ag_440", "secchi"]
    np.testing.assert_allclose(samples.y[:, 0], [0.5 + 0.5 * row for row in kept])
    expected = [np.nan if row % 3 == 0 else 2 + row for row in kept]
    np.testing.assert_allclose(samples.y[:, 1], expected)
    spectra = [archive_files.spectrum([443, 560], 0.5 + 0.5 * row) for row in kept]
    np.testing.assert_allclose(samples.x[:, [1, 4]], spectra, rtol=1e-5)
    assert samples.groups is not None
    assert samples.groups.tolist() == [f"DS_{row % 8}" for row in kept]
    names = ["GLORIA_Rrs.csv", "GLORIA_meta_and_lab.csv", "GLORIA_qc_flags.csv"]
    assert [file.name for file in data_files(samples.sources)] == names


def test_valente_without_nomad(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows whose source is NOMAD, and a station of NOMAD under another source, are left out."""
    samples = shipped("valente_olci", archive_files.valente(tmp_path), monkeypatch)
    # Row 3 has neither chlorophyll nor absorption; row 12 is the station of NOMAD.
    kept = [row for row in range(40) if row % 5 and row not in (3, 12)]
    first = len(archive_files.PANGAEA_HEAD) + 2
    assert samples.rows.tolist() == [row + first for row in kept]
    np.testing.assert_allclose(samples.y[:, 0], [0.05 * 1.2**row for row in kept], rtol=1e-5)
    assert np.isnan(samples.y[:, 1]).tolist() == [bool(row % 2) for row in kept]
    assert {one.units for one in samples.inputs} == {"sr-1"}
    assert samples.groups is not None
    assert samples.groups[0] == "seabass cruise_1"
    assert samples.sources[0]["licence"].startswith("Creative Commons Attribution 4.0")
    assert any("1 rows at most 5 km and 1 days" in note for note in samples.notes)


def test_casey_without_nomad(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No column says which rows NOMAD has, so place and date say it."""
    samples = shipped("casey_aph", archive_files.casey(tmp_path), monkeypatch)
    kept = [row for row in range(40) if row % 3 and row != 13]
    assert samples.rows.tolist() == [row + 2 for row in kept]
    expected = [archive_files.aph_443(0.05 * 1.2**row) + 1e-4 for row in kept]
    np.testing.assert_allclose(samples.y[:, 0], expected, rtol=1e-4)
    assert any("1 rows at most 5 km and 1 days" in note for note in samples.notes)


@pytest.mark.parametrize("name", [path.stem for path in sorted(SHIPPED.glob("*.yaml"))])
def test_every_shipped_recipe_is_found_by_its_name(name: str) -> None:
    """The command finds a recipe by its name, and the recipe can be read."""
    path = find_shipped(name, "training", "a recipe")
    assert load_recipe(path, TrainingConfig).name == name


def with_join(folder: Path, other: dict[str, list[Any]], **join: Any) -> SamplesConfig:
    """The usual table without chlorophyll, which another table has."""
    table = columns()
    table["station"] = [f"s{row}" for row in range(40)]
    del table["chlor_a"]
    write(folder, other, "laboratory.csv")
    said = {
        "files": [
            {"path": write(folder, table),
             "join": [{"path": "laboratory.csv", "key": "station", **join}]}
        ],
        "inputs": [RRS], "targets": [{"quantity": "chlor_a"}], "missing_targets": "drop",
    }  # fmt: skip
    return SamplesConfig.model_validate(said)


def test_a_row_without_partner_has_missing_values(tmp_path: Path) -> None:
    """Rows are joined by the key, in any order; a row without a partner lacks the target."""
    other = {"station": ["s3", "", "s1"], "chlor_a": [3.0, 9.0, 1.0], "cruise": ["a", "b", "c"]}
    samples = load_samples(with_join(tmp_path, other))
    assert samples.rows.tolist() == [3, 5]
    assert samples.y[:, 0].tolist() == [1, 3]
    notes = " ".join(samples.notes)
    assert "2 of 40 rows have a row in laboratory.csv (station)" in notes
    assert "cruise of laboratory.csv not used, because this file has them too" in notes


@pytest.mark.parametrize(
    ("other", "join", "message"),
    [
        ({"station": ["s1", "s1"], "chlor_a": [1, 2]}, {}, r"'s1' is in lines 2, 3"),
        ({"station": ["t1"], "chlor_a": [1]}, {}, r"no value of column 'station' is in"),
        ({"place": ["s1"], "chlor_a": [1]}, {}, r"laboratory.csv: no column 'station' to join"),
        ({"station": ["s1"], "chlor_a": [1]}, {"path": "absent.csv"}, r"absent.csv: no such file"),
    ],
)
def test_what_cannot_be_joined(
    tmp_path: Path, other: dict[str, list[Any]], join: dict[str, str], message: str
) -> None:
    """A key that is there twice, that no row shares or that a table lacks is an error."""
    with pytest.raises(ConfigError, match=message):
        load_samples(with_join(tmp_path, other, **join))


def test_another_table_of_laboratory_values_is_another_data_set(tmp_path: Path) -> None:
    """The record names the joined file with its hash, so a training is not resumed with another."""
    other: dict[str, list[Any]] = {"station": ["s3", "s1"], "chlor_a": [3.0, 1.0]}
    first = load_samples(with_join(tmp_path, other)).sources[0]
    second = load_samples(with_join(tmp_path, {**other, "chlor_a": [3.0, 2.0]})).sources[0]
    assert first["sha256"] == second["sha256"]
    assert first["joined"] != second["joined"]


def near(folder: Path, **apart: Any) -> SampleSet:
    """Ten rows, 0.01 degrees (1.1 km) apart, one a day; the first is in the other table."""
    table = {name: values[:10] for name, values in columns().items()}
    table["latitude"] = [0.01 * row for row in range(10)]
    table["longitude"] = [179.999] * 9 + [None]
    other = {"lat": [0.0], "lon": [-179.999], "when": ["2020-01-01"]}
    said = {
        "files": [{
            "path": write(folder, table),
            "apart_from": {
                "path": write(folder, other, "other.csv"),
                "columns": {"latitude": "lat", "longitude": "lon", "date": "when"}, **apart,
            },
        }],
        "inputs": [RRS], "targets": [{"quantity": "chlor_a"}],
    }  # fmt: skip
    return load_samples(SamplesConfig.model_validate(said))


def test_rows_near_in_place_and_time_are_left_out(tmp_path: Path) -> None:
    """Both limits hold, also across the antimeridian; a row without a place is left out too."""
    assert near(tmp_path, km=1, days=0).rows.tolist() == [3, 4, 5, 6, 7, 8, 9, 10]
    assert near(tmp_path, km=100, days=0).rows.tolist() == [3, 4, 5, 6, 7, 8, 9, 10]
    assert near(tmp_path, km=2.3, days=9).rows.tolist() == [5, 6, 7, 8, 9, 10]
    assert near(tmp_path, km=100, days=4).rows.tolist() == [7, 8, 9, 10]


def test_a_place_that_is_not_there_is_told(tmp_path: Path) -> None:
    """A table without a column of places is an error that says how to make one."""
    with pytest.raises(ConfigError, match=r"other.csv: samples.files.apart_from: no column 'date'"):
        near(tmp_path, columns={"latitude": "lat", "longitude": "lon"})


def test_the_real_nomad_is_apart_from_itself(real_data: Path, tmp_path: Path) -> None:
    """No row of NOMAD is left of NOMAD."""
    path = shutil.copy(real_data / "matchups/nomad_seabass_v2.a_2008200.txt.gz", tmp_path)
    place = {"latitude": "lat", "longitude": "lon", "date": "year * 10000 + month * 100 + day"}
    said = {
        "files": [{"path": path, "columns": {**place, "Rrs_443": "lw443 / es443"},
                   "units": {"Rrs_443": "sr-1"},
                   "apart_from": {"path": path, "columns": place, "km": 0.001, "days": 0}}],
        "inputs": [{"quantity": "Rrs", "wavelengths_nm": [443]}],
        "targets": [{"quantity": "chlor_a", "column": "chl_a"}], "missing_targets": "drop",
    }  # fmt: skip
    with pytest.raises(ConfigError, match="no row passes"):
        load_samples(SamplesConfig.model_validate(said))
