"""Drafted configurations, for every format and for real scenes, in a run."""

import dataclasses

import h5py
import netCDF4
import pytest
import yaml
from click.testing import CliRunner
from miniatures.cases import CASES
from small_network import write_network
from test_shipped_runs import BANDS

from pipeline.cli import main
from pipeline.config import ReaderChoice, load_config
from pipeline.drafting.draft import Wanted, draft_config
from pipeline.errors import ConfigError, NetworkError
from pipeline.process import plan_scene, process_scene
from pipeline.product.reading import ProductFile

# Scenes without a known sensor, or with bands that no algorithm has coefficients for.
FOR_ALGORITHMS = sorted(name for name in CASES if name != "geotiff_utm")


@pytest.fixture(autouse=True)
def no_other_networks(monkeypatch):
    monkeypatch.delenv("OCPIPE_NETWORKS", raising=False)


def products_of(text, scene, folder):
    """Run a drafted configuration, and return the product's path and its network groups."""
    data = yaml.safe_load(text)
    assert plan_scene(scene, load_config(data)).steps
    data.setdefault("execution", {})["output"] = str(folder / "out")
    path = process_scene(scene, data)
    with ProductFile(path) as product:
        return path, {name: group.attributes["file"] for name, group in product.networks.items()}


@pytest.mark.parametrize("name", FOR_ALGORITHMS)
def test_a_scene_of_every_format_gets_algorithms_and_masks(name, tmp_path):
    """Without networks, the published algorithms that fit are drafted, with the usual masks."""
    case = dataclasses.replace(CASES[name], bands=BANDS[CASES[name].sensor])
    scene = case.written(tmp_path).path
    text = draft_config(Wanted(scene, reader=case.choice))
    _, networks = products_of(text, scene, tmp_path)
    assert set(networks.values()) <= {"oci_2019", "qaa_v6", "ocx_2019"}
    science = yaml.safe_load(text)["science"]
    assert science.get("masks", {}).get("preset") == (None if case.is_map else "default")


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_scene_of_every_format_runs_a_network_of_its_bands(name, tmp_path):
    """A network file that is named is drafted by its whole path; other bands do not matter."""
    case = CASES[name]
    scene = case.written(tmp_path).path
    bands = [case.named_as.get(nm, nm) for nm in case.bands]
    sensors = (case.sensor or "S2A",)
    network = write_network(tmp_path / "net.h5", bands=tuple(bands[:2]), sensors=sensors)
    text = draft_config(Wanted(scene, (str(network),), reader=case.choice))
    path, networks = products_of(text, scene, tmp_path)
    assert networks == {"net": "net.h5"}
    with netCDF4.Dataset(path) as file:
        assert "aph_443" in file.variables


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("scene", "networks", "expected"),
    [
        ("AQUA_MODIS.20110910T190602.L2.OC.nc", "ocsmart", {"adg", "apg", "aph", "bbp", "bp"}),
        ("AQUA_MODIS.20110910T190602.L2.OC.nc", "keras", {"rho_meris"}),
        ("AQUA_MODIS.20110910T190602.L2.OC.nc", "", {"chlor_a", "qaa_v6"}),
        ("PACE_OCI_L2_AOP_V3_1_sample.nc", "", {"chlor_a", "qaa_v6"}),
        ("PACE_OCI_L3M_RRS_sample.nc", "", {"chlor_a", "qaa_v6"}),
        ("S3_OLCI_C2RCC_SNS_2017105095839.nc", "", {"chlor_a", "qaa_v6"}),
    ],
)
def test_a_real_scene_runs(scene, networks, expected, real_data, tmp_path):
    """The names of networks are those of what they make, or their own if they make several."""
    path = real_data / "scenes" / scene
    folders = (real_data / "networks" / networks,) if networks else ()
    text = draft_config(Wanted(path, network_dirs=folders))
    assert set(products_of(text, path, tmp_path)[1]) == expected


@pytest.fixture
def scene(tmp_path):
    case = dataclasses.replace(CASES["polymer"], bands=BANDS["OLCI"])
    return case.written(tmp_path).path


@pytest.mark.quick
def test_networks_for_the_sensor_are_found_in_folders(scene, tmp_path):
    """Others are left out; the reason for those of the sensor stands in a comment."""
    folder = tmp_path / "nets"
    folder.mkdir()
    write_network(folder / "OLCI_a.h5", bands=(443, 560), outputs=("aph",), sensors=("OLCI",))
    write_network(folder / "OLCI_b.h5", bands=(443, 400), outputs=("adg",), sensors=("OLCI",))
    write_network(folder / "modis.h5", bands=(443, 560), outputs=("bbp",))
    (folder / "notes.txt").write_text("nothing")
    text = draft_config(Wanted(scene, network_dirs=(folder,)))
    data = yaml.safe_load(text)
    assert data["science"]["networks"] == [{"name": "aph", "file": "{sensor}_a.h5"}]
    assert data["execution"]["network_dirs"] == [str(folder)]
    assert "#   {sensor}_b.h5:" in text
    assert "modis" not in text


def test_a_network_takes_outputs_of_one_that_is_found_later(scene, tmp_path):
    """The files are sorted by name, but the networks by what they need."""
    folder = tmp_path / "nets"
    folder.mkdir()
    first = write_network(folder / "z.h5", bands=(443, 560), outputs=("Lrc",), sensors=("OLCI",))
    then = write_network(folder / "a.h5", bands=(443,), outputs=("bbp",), sensors=("OLCI",))
    for path, old, new in ((first, '"m-1"', '"sr-1"'), (then, '"Rrs"', '"Lrc"')):
        with h5py.File(path, "a") as file:
            text = file.attrs["ocpipe_description"]
            file.attrs["ocpipe_description"] = text.replace(old, new)
    names = yaml.safe_load(draft_config(Wanted(scene, network_dirs=(folder,))))["science"]
    assert [each["name"] for each in names["networks"]] == ["Lrc", "bbp"]


def test_nothing_fits(tmp_path):
    """The message says why each algorithm does not fit, and what to give."""
    scene = CASES["obpg_olci"].written(tmp_path).path
    with pytest.raises(NetworkError, match=r"no network and no .* fits") as failed:
        draft_config(Wanted(scene))
    assert "algorithm:qaa_v6: " in str(failed.value)
    assert "--network" in str(failed.value)


def test_a_network_for_another_sensor_is_refused_unless_allowed(scene, tmp_path):
    network = write_network(tmp_path / "net.h5", bands=(443, 560))
    wanted = Wanted(scene, (str(network),))
    with pytest.raises(NetworkError, match="was trained for MODIS-Aqua, but"):
        draft_config(wanted)
    text = draft_config(dataclasses.replace(wanted, other_sensor=True))
    assert yaml.safe_load(text)["science"]["networks"][0]["allow_other_sensor"] is True


def test_a_sensor_replaces_that_of_the_scene(tmp_path):
    case = dataclasses.replace(CASES["geotiff_utm"], bands=(443, 492, 560, 665))
    options = {"units": "sr-1", "wavelengths": [443, 492, 560, 665]}
    reader = ReaderChoice(format="geotiff", options=options)
    scene = case.written(tmp_path).path
    text = draft_config(Wanted(scene, reader=reader, sensor="s2a"))
    science = yaml.safe_load(text)["science"]
    assert science["sensor"] == "S2A"
    assert science["reader"] == {"format": "geotiff", "options": options}
    with pytest.raises(ConfigError, match="unknown sensor"):
        draft_config(Wanted(scene, reader=reader, sensor="S9"))


def test_text_from_files_stays_in_its_comment(scene, tmp_path):
    """A title with line breaks, and a name with quotes and braces, are quoted."""
    hostile = scene.rename(scene.with_name('a: {b}\n"name".nc'))
    network = write_network(tmp_path / "x: '\n}.h5", bands=(443, 560), sensors=("OLCI",))
    text = draft_config(Wanted(hostile, (str(network),)))
    assert set(yaml.safe_load(text)) == {"name", "title", "science"}


def test_the_command_writes_a_file_once(scene, tmp_path):
    """The written configuration passes check-config and a dry run; it is never overwritten."""
    path = tmp_path / "drafted.yaml"
    call = ["init", "--scene", str(scene), "-o", str(path)]
    first = CliRunner().invoke(main, call)
    assert first.exit_code == 0, first.output
    for after in (["check-config", str(path)], ["run", str(scene), "-c", str(path), "--dry-run"]):
        assert CliRunner().invoke(main, after).exit_code == 0
    again = CliRunner().invoke(main, call)
    assert again.exit_code == 2
    assert "exists already" in again.output


def test_options_of_the_reader(tmp_path):
    """A scene whose format needs an option is opened with --reader-option."""
    bands = BANDS["SGLI"]
    scene = dataclasses.replace(CASES["sgli_undescribed"], bands=bands).written(tmp_path).path
    call = ["init", "--scene", str(scene)]
    assert CliRunner().invoke(main, call).exit_code == 1
    given = ["--reader", "sgli_l2", "--reader-option", "qa_layout=nwlr"]
    drafted = CliRunner().invoke(main, [*call, *given])
    assert drafted.exit_code == 0, drafted.output
    for wrong in (given[2:], [*given[:2], "--reader-option", "qa_layout"], ["--reader", "sgli"]):
        assert CliRunner().invoke(main, [*call, *wrong]).exit_code == 2
