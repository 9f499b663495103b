"""``ocpipe matchup``: tables that train and judge, what it says, and how it fails."""

import errno
import shutil

import netCDF4
import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from matchup_miniature import AT, BANDS, SHAPE, place, scene, table

from pipeline.cli import main
from pipeline.config.matchup import load_matchup_config
from pipeline.config.training import TrainingConfig
from pipeline.machine.refusal import refused_files
from pipeline.matchup.criteria import least_valid
from pipeline.matchup.scene_coverage import SceneCoverage
from pipeline.tables import read_table
from pipeline.training.recipe import load_recipe
from pipeline.training.samples.samples import load_samples


def call(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def places():
    """Good ones, spread so that all spectra differ."""
    return [place(3 + (7 * number) % 24, 3 + number % 34) for number in range(30)]


@pytest.mark.parametrize(
    ("name", "window", "hours", "share_of_20", "share_of_25", "limit"),
    [("nasa", 5, 3, 10, 13, 0.15), ("eumetsat", 5, 1, 11, 13, 0.2)],
)
def test_shipped_protocols(name, window, hours, share_of_20, share_of_25, limit):
    """As published, as far as that could be seen; at least half is not half and one."""
    config = load_matchup_config(name)
    assert (config.window, config.hours, config.uniformity.limit) == (window, hours, limit)
    assert (config.outlier_deviations, config.sensor_zenith_max) == (1.5, 60)
    assert least_valid(20, config) == share_of_20
    assert least_valid(25, config) == share_of_25
    assert config.masks.flags
    assert load_matchup_config({"preset": name, "uniformity": {"limit": 1}}).window == window


@pytest.mark.parametrize("ending", [".csv", ".nc", ".parquet", ".feather"])
def test_every_format_trains(tmp_path, places, ending):
    """The table is a file of samples: bands in sr-1, targets, groups and times as they are."""
    output = tmp_path / f"m{ending}"
    done = call("matchup", table(tmp_path, places), scene(tmp_path), "-o", output)
    assert done.exit_code == 0, done.output
    config = {
        "name": "small",
        "sensors": ["MODIS-Aqua"],
        "samples": {
            "files": [str(output)],
            "inputs": [{"quantity": "Rrs", "wavelengths_nm": list(BANDS)}],
            "targets": [{"quantity": "chlor_a"}],
            "group": "cruise",
            "time": "time",
        },
    }
    samples = load_samples(load_recipe(config, TrainingConfig).samples)
    assert len(samples) == 30
    assert set(samples.groups) == {f"c{n}" for n in range(5)}
    assert (samples.times == np.datetime64(AT.replace(tzinfo=None), "us")).all()
    np.testing.assert_allclose(samples.y[:, 0], 0.1 * np.arange(1, 31))
    pixels = read_table(output).numbers("pixel")
    np.testing.assert_allclose(samples.x[:, 1], 0.005 * (1 + 0.01 * pixels), atol=2e-6)


def test_it_trains_and_judges(tmp_path, places, monkeypatch):
    """``ocpipe train`` and ``ocpipe evaluate`` with match-ups as samples."""
    monkeypatch.chdir(tmp_path)
    done = call("matchup", table(tmp_path, places), scene(tmp_path), "-o", "m.csv")
    assert done.exit_code == 0, done.output
    recipe = {
        "name": "small",
        "sensors": ["MODIS-Aqua"],
        "samples": {
            "files": ["m.csv"],
            "inputs": [{"quantity": "Rrs", "wavelengths_nm": list(BANDS)}],
            "targets": [{"quantity": "chlor_a"}],
            "group": "cruise",
        },
        "splits": {"by": "group"},
        "network": {"hidden": [4]},
        "fit": {"epochs": 2},
    }
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(recipe))
    trained = call("train", "small.yaml", "-o", "trained")
    assert trained.exit_code == 0, trained.output
    judged = call("evaluate", "trained/small.h5", "-c", "small.yaml", "--part", "all")
    assert judged.exit_code == 0, judged.output
    assert "30 rows" in judged.output


@pytest.mark.quick
def test_names_of_both_sides(tmp_path):
    """In-situ columns that are called as those of the scene are told apart."""
    points = table(tmp_path, [place(9, 9)], ",Rrs_442,line,depth", ",0.0042,station7,3")
    done = call("matchup", points, scene(tmp_path), "-o", tmp_path / "m.csv")
    assert done.exit_code == 0, done.output
    read = read_table(tmp_path / "m.csv")
    assert read.numbers("insitu_Rrs_442").tolist() == [0.0042]
    assert read.labels("insitu_line").tolist() == ["station7"]
    assert read.numbers("line").tolist() == [9]
    assert read.numbers("depth").tolist() == [3]
    assert {"Rrs_442", "lat", "lon"} & set(read.columns) == set()
    assert read.units["chlor_a"] == "mg m-3"


def test_points_in_one_pixel(tmp_path):
    """Kept and stated, or one row of their means."""
    near = [place(9, 9), place(9.1, 9.2), place(9, 12)]
    made = table(tmp_path, near), scene(tmp_path), "-o", tmp_path / "m.csv"
    done = call("matchup", *made)
    read = read_table(tmp_path / "m.csv")
    assert read.numbers("points_in_pixel").tolist() == [2, 2, 1]
    assert "2 of them have several points in one pixel" in done.output
    call("matchup", *made, "--average")
    read = read_table(tmp_path / "m.csv")
    assert read.labels("point").tolist() == ["2 3", "4"]
    np.testing.assert_allclose(read.numbers("chlor_a"), [0.15, 0.3])
    np.testing.assert_allclose(read.numbers("longitude"), [20.091, 20.12], atol=1e-6)
    assert read.labels("cruise").tolist() == ["c0 | c1", "c2"]


def test_means_across_the_antimeridian(tmp_path):
    """Two points on both sides of it have their middle there, not at longitude 0."""
    longitude = (180 + 0.02 * (np.arange(SHAPE[1]) - 20) + 180) % 360 - 180
    made = scene(tmp_path, longitude=np.broadcast_to(longitude, SHAPE))
    points = table(tmp_path, [(10.1, 179.996), (10.1, -179.996)])
    call("matchup", points, made, "-o", tmp_path / "m.csv", "--average")
    read = read_table(tmp_path / "m.csv")
    assert read.numbers("pixel").tolist() == [20]
    np.testing.assert_allclose(np.abs(read.numbers("longitude")), [180], atol=1e-9)


def test_what_is_said_of_brdf(tmp_path):
    """Unknown or different corrections are warned of, equal ones are not."""
    points = table(tmp_path, [place(9, 9)])
    path = scene(tmp_path)
    with netCDF4.Dataset(path, "a") as file:
        file.createGroup("processing_control/input_parameters").brdf_opt = "7"
    made = points, path, "-o", tmp_path / "m.csv"
    assert "is f/Q in the scene and unknown in the in-situ data" in call("matchup", *made).output
    said = call("matchup", *made, "--insitu-brdf", "none").output
    assert "in the scene and none in the in-situ data. Correct the scene or the points" in said
    assert "BRDF" not in call("matchup", *made, "--insitu-brdf", "f/Q").output
    read = read_table(tmp_path / "m.csv")
    assert read.labels("brdf_correction").tolist() == ["f/Q"]
    assert read.labels("insitu_brdf_correction").tolist() == ["f/Q"]


def test_a_broken_scene_is_one_message(tmp_path, places):
    """The others go on, the tables are written, the exit code is 1."""
    (tmp_path / "broken.nc").write_bytes(b"\x89HDF\r\n\x1a\nnot more")
    scenes = scene(tmp_path), tmp_path / "broken.nc", tmp_path / "missing.nc"
    done = call("matchup", table(tmp_path, places), *scenes, "-o", tmp_path / "m.csv")
    assert done.exit_code == 1
    assert done.stderr.count(" error ") == 2
    assert "Traceback" not in done.output
    assert "3, 2 could not be used" in done.output
    assert len(read_table(tmp_path / "m.csv")) == 30


def test_a_chunk_that_is_damaged(tmp_path, places):
    """Found only when a window is read: still one message, and no row of that scene."""
    import h5py

    damaged, whole = scene(tmp_path, "damaged.nc"), scene(tmp_path)
    with h5py.File(damaged) as file:
        chunk = file["geophysical_data/Rrs_443"].id.get_chunk_info(0)
    with damaged.open("r+b") as file:
        file.seek(chunk.byte_offset)
        file.write(b"\xff" * (chunk.size // 2))
    done = call("matchup", table(tmp_path, places), damaged, whole, "-o", tmp_path / "m.csv")
    assert done.exit_code == 1
    assert done.stderr.count(" error ") == 1
    assert "damaged.nc: cannot be read (/geophysical_data/Rrs_443" in done.stderr
    assert set(read_table(tmp_path / "m.csv").labels("scene")) == {"scene.nc"}
    assert "damaged.nc" not in (tmp_path / "m_rejected.csv").read_text()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--window", 4], "odd number"),
        (["--hours", -1], "hours"),
        (["--preset", "esa"], "known are eumetsat, nasa"),
        (["--masks", "nasa"], "unknown preset"),
        (["-c", "nowhere.yaml"], "cannot be read"),
        (["-c", "wrong.yaml"], "did you mean 'window'"),
        (["-o", "m.txt"], ".csv"),
        (["-o", "points.csv"], "different files"),
    ],
)
def test_wrong_use(tmp_path, places, monkeypatch, options, words):
    """One message, exit code 2, no table."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wrong.yaml").write_text("windows: 3\n")
    output = [] if "-o" in options else ["-o", "m.csv"]
    done = call("matchup", table(tmp_path, places), scene(tmp_path), *output, *options)
    assert done.exit_code == 2, done.output
    assert words in done.stderr
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("m")]


def test_one_scene_twice_is_refused(tmp_path, places):
    """Rows name their scene, so names must differ."""
    path = scene(tmp_path)
    (tmp_path / "copy").mkdir()
    shutil.copy(path, tmp_path / "copy")
    scenes = path, tmp_path / "copy" / path.name
    done = call("matchup", table(tmp_path, places), *scenes, "-o", tmp_path / "m.csv")
    assert done.exit_code == 2
    assert "scene.nc appears twice" in done.stderr


def test_a_scene_far_away_in_time_is_not_read(tmp_path, monkeypatch):
    """Nor one whose bounds hold no point; each other one is opened once, whatever the points."""
    from pipeline.matchup import in_scene

    late = scene(tmp_path, "late.nc")
    elsewhere = scene(tmp_path, "elsewhere.nc")
    with netCDF4.Dataset(late, "a") as file:
        file.time_coverage_start = file.time_coverage_end = "2021-01-02T03:04:05.000Z"
    with netCDF4.Dataset(elsewhere, "a") as file:
        file.setncatts({"geospatial_lat_min": 40.0, "geospatial_lat_max": 41.0})
        file.setncatts({"geospatial_lon_min": 179.0, "geospatial_lon_max": -179.0})
    opened, searched = [], []

    def counted(function, calls):
        def counting(first, *others):
            calls.append(first)
            return function(first, *others)

        return counting

    monkeypatch.setattr(in_scene, "open_scene", counted(in_scene.open_scene, opened))
    monkeypatch.setattr(in_scene, "nearest_pixels", counted(in_scene.nearest_pixels, searched))
    points = table(tmp_path, [place(9, 9), place(9, 20)])
    done = call("matchup", points, late, elsewhere, scene(tmp_path), "-o", tmp_path / "m.csv")
    assert done.exit_code == 0, done.output
    assert len(opened) == 3
    assert len(searched) == 1
    assert "not listed   4 pairs" in done.output


@pytest.mark.parametrize(
    ("longitude", "inside"),
    [(179.5, True), (-179.5, True), (180.5, True), (178.95, True), (178.5, False), (0.0, False)],
)
def test_bounds_across_the_antimeridian(longitude, inside):
    """With a margin, and longitudes from -180 or from 0."""
    coverage = SceneCoverage(None, None, (-10.0, 10.0, 179.0, -179.0))
    assert coverage.may_hold(np.zeros(1), np.array([longitude]), 10.0).tolist() == [inside]


def test_a_map_with_eumetsats_protocol_but_no_flags(tmp_path):
    """1-D axes; masks can be left out; as many hours as one asks for."""
    from miniatures import occci_l3
    from miniatures.truth import map_of_coordinates

    written = occci_l3.write(tmp_path, map_of_coordinates(30, 30, (412, 443, 560), defects=False))
    points = table(tmp_path, [(written.latitude[9, 11], written.longitude[9, 11])])
    output = tmp_path / "m.csv"
    options = "--preset", "eumetsat", "--masks", "none", "--hours", 100000
    (tmp_path / "c.yaml").write_text("considered: {hours: 200000}\n")
    done = call("matchup", points, written.path, "-o", output, *options, "-c", tmp_path / "c.yaml")
    assert done.exit_code == 0, done.output
    rejected = call("matchup", points, written.path, "-o", tmp_path / "o.csv", "--masks", "none")
    assert rejected.exit_code == 0
    read = read_table(output)
    assert (read.numbers("line")[0], read.numbers("pixel")[0]) == (9, 11)
    expected = written.rrs[443][7:12, 9:14]
    kept = np.abs(expected - expected.mean()) <= 1.5 * expected.std(ddof=1)
    np.testing.assert_allclose(read.numbers("Rrs_443"), [expected[kept].mean()], rtol=1e-6)


@pytest.mark.parametrize("where", ["pipeline.batch.sources.find_scenes", "pipeline.matchup.points"])
def test_what_the_machine_refuses_has_a_code_of_its_own(tmp_path, places, monkeypatch, where):
    """Too few open files are no fault of the call or of a scene."""

    def refuse(*_, **__):
        raise OSError(errno.EMFILE, "Too many open files")

    if where.endswith("points"):
        monkeypatch.setattr("pipeline.matchup.points.read_points", refuse)
    else:
        monkeypatch.setattr(where, refuse)
    done = call("matchup", table(tmp_path, places), scene(tmp_path), "-o", tmp_path / "m.csv")
    assert done.exit_code == 71, done.output
    assert "too many open files" in done.output
    assert not (tmp_path / "m.csv").exists()


def test_a_refusal_that_a_function_puts_into_words(tmp_path, places, monkeypatch):
    """Not only one that comes as an error of the system."""

    def refuse(*_, **__):
        raise refused_files(errno.EMFILE)

    monkeypatch.setattr("pipeline.matchup.find.find_matchups", refuse)
    done = call("matchup", table(tmp_path, places), scene(tmp_path), "-o", tmp_path / "m.csv")
    assert done.exit_code == 71, done.output
