"""ocpipe list: what there is."""

import json

import pytest
from click.testing import CliRunner
from small_network import write_network

from pipeline.algorithms import ALGORITHMS
from pipeline.cli import main
from pipeline.cli.columns import as_cell, in_columns
from pipeline.cli.list import NAMES
from pipeline.config import mask_presets
from pipeline.facts.sensors import sensors
from pipeline.inspection.listing import TOPICS
from pipeline.readers import READERS
from pipeline.readers.mapping import presets


def listed(*arguments):
    result = CliRunner().invoke(main, ["list", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.stdout


def names(topic, *more):
    return [row["name"] for row in json.loads(listed(topic, "--json", *more))]


@pytest.fixture(autouse=True)
def no_other_networks(monkeypatch):
    monkeypatch.delenv("OCPIPE_NETWORKS", raising=False)


@pytest.mark.quick
def test_every_topic_lists_all_of_its_table():
    """The names are those that configurations and options take."""
    assert tuple(TOPICS) == NAMES
    assert names("sensors") == list(sensors())
    assert set(names("formats")) == {*READERS, *presets()}
    assert names("masks") == list(mask_presets())
    assert names("algorithms") == [f"algorithm:{name}" for name in ALGORITHMS]
    assert "demo" in names("configs")
    assert "sgli_iops" in names("recipes")
    assert names("matchups") == ["eumetsat", "nasa"]


@pytest.mark.parametrize("topic", NAMES)
def test_a_table_has_the_names_of_the_json(topic):
    """Each row of the table begins with a name."""
    lines = listed(topic).splitlines()
    found = names(topic)
    assert [line.split()[0] for line in lines[1:]] == found or topic == "networks"


def test_networks_in_folders(tmp_path):
    """A broken file is listed with the reason; members say which ensemble they belong to."""
    write_network(tmp_path / "good.h5", outputs=("aph",))
    (tmp_path / "broken.h5").write_bytes((tmp_path / "good.h5").read_bytes()[:2000])
    (tmp_path / "both.yaml").write_text(
        "{schema: 1, name: both, members: [m1.h5, m2.h5], citation: me}"
    )
    write_network(tmp_path / "m1.h5", seed=1)
    write_network(tmp_path / "m2.h5", seed=2)
    (tmp_path / "notes.txt").write_text("no network")
    rows = json.loads(listed("networks", "--networks", tmp_path, "--json"))
    by_name = {row["name"]: row for row in rows}
    assert list(by_name) == ["both.yaml", "broken.h5", "good.h5", "m1.h5", "m2.h5"]
    assert by_name["good.h5"]["outputs"] == ["aph_443"]
    assert by_name["both.yaml"]["kind"] == "network ensemble"
    assert by_name["m1.h5"]["member_of"] == "both.yaml"
    assert "broken.h5" in by_name["broken.h5"]["problem"]
    assert "problem" in listed("networks", "--networks", tmp_path).splitlines()[0]


def test_no_networks_is_no_error():
    assert "--networks" in listed("networks")


def test_a_missing_folder_is_wrong_use(tmp_path):
    call = ["list", "networks", "--networks", str(tmp_path / "none")]
    assert CliRunner().invoke(main, call).exit_code == 2


def test_columns_are_aligned_and_empty_ones_left_out():
    """Nothing stands behind the last text of a line."""
    rows = [("name", "none", "what"), ("a", "", "first"), ("longer", "", "b")]
    assert in_columns(rows) == ["name    what", "a       first", "longer  b"]
    assert as_cell([1.0, 2.5], 1) == "1 ... (2)"
    assert as_cell({"a": 1}) == "a: 1"
    assert as_cell(None) == ""
