"""The run configuration: what YAML may say, and what a product remembers of it."""

import copy
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import yaml
from pydantic import ValidationError

from pipeline.config import RunConfig, as_yaml, hash_of, load_config
from pipeline.config.strict import find_shipped
from pipeline.errors import ConfigError
from pipeline.facts.shipped import shipped_configs
from pipeline.masks import make_rules

pytestmark = pytest.mark.quick

SHIPPED = sorted((shipped_configs() / "runs").glob("*.yaml"))
SMALL = {"name": "small", "science": {"networks": [{"name": "aph", "file": "aph.h5"}]}}
FULL = {
    "name": "full",
    "title": "Everything set",
    "science": {
        "reader": {"format": "obpg_l2"},
        "sensor": "MODIS-Aqua",
        "bands": {"tolerance_nm": 2.5},
        "masks": {
            "flags": ["LAND", "CLDICE"],
            "keep_flags": ["WATER"],
            "expressions": {"low_sun": "solar_zenith > 70", "bright": "Rrs_667 > 0.01"},
            "values": ["negative", "zero"],
        },
        "networks": [
            {"name": "aph", "file": "/home/somebody/networks/{sensor}_aphNN.h5"},
            {"name": "adg", "file": "../adg.h5", "allow_other_sensor": True},
            {"name": "bbp", "file": "bbp.h5"},
        ],
        "engine": "numpy",
        "output": {"chunk": [128, 64], "compression_level": 1, "source_flags": False},
        "metadata": {"creator_name": "Somebody", "institution": "Sömewhere"},
    },
    "execution": {
        "output": "/scratch/somebody/products",
        "network_dirs": ["/scratch/somebody/networks"],
        "threads": 3,
    },
}


def changed(place, value, base=SMALL):
    """A copy of a configuration with one value put at a place such as ``science.bands.x``."""
    data = copy.deepcopy(base)
    *parents, last = (int(part) if part.isdigit() else part for part in place.split("."))
    entry = data
    for part in parents:
        entry = entry.setdefault(part, {}) if isinstance(entry, dict) else entry[part]
    entry[last] = value
    return data


def complaints(data):
    """What is complained about, line by line, without the first line."""
    with pytest.raises(ConfigError) as caught:
        load_config(data)
    return [line.strip() for line in str(caught.value).splitlines()[1:]]


def written(folder, text, name="run.yaml"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


# Shipped configurations


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_configuration_loads(path):
    """By its path and by its name, and it is called what its file is called."""
    config = load_config(path)
    assert path.stem == config.name
    assert config == load_config(path.stem)
    assert config.title
    assert config.science.networks


def test_there_are_shipped_configurations():
    """The list above is not empty because a folder moved."""
    assert {"demo", "ocsmart_iops"} <= {path.stem for path in SHIPPED}


@pytest.mark.parametrize("data", [SMALL, FULL], ids=["small", "full"])
def test_as_yaml_loads_as_the_same_configuration(data, tmp_path):
    """What check-config prints can be used as a configuration, defaults filled in."""
    config = load_config(data)
    text = as_yaml(config)
    assert config == load_config(written(tmp_path, text))
    assert {"tolerance_nm", "engine", "threads", "compression_level"} <= set(
        text.replace(":", " ").split()
    )


def test_defaults_are_the_documented_ones():
    """3 nm, no masks, chunks by the number of variables: what holds when nothing is said."""
    science = load_config(SMALL).science
    assert science.bands.tolerance_nm == 3.0
    assert science.masks.model_dump() == {
        "preset": None, "flags": (), "flags_if_present": (), "keep_flags": (), "expressions": {},
        "values": (), "results": (), "dilate": {},
    }  # fmt: skip
    assert science.output.chunk is None
    assert science.engine == "auto"
    assert not science.networks[0].allow_other_sensor


# Mistakes


@pytest.mark.parametrize(
    ("place", "close"),
    [
        ("scince", "science"),
        ("science.network", "networks"),
        ("science.reader.fromat", "format"),
        ("science.bands.tolerance", "tolerance_nm"),
        ("science.masks.flag", "flags"),
        ("science.output.chunks", "chunk"),
        ("science.networks.0.fiel", "file"),
        ("execution.thread", "threads"),
    ],
)
def test_an_unknown_key_has_its_place_and_a_close_match(place, close):
    """At every level of the configuration."""
    assert f"{place}: unknown key; did you mean {close!r}?" in complaints(changed(place, 1))


def test_an_unknown_key_like_no_other_lists_the_known_ones():
    """Of its own level, not of the whole configuration."""
    found = complaints(changed("science.bands.zzz", 1))
    assert found == ["science.bands.zzz: unknown key; known keys are tolerance_nm."]


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("name", "two words"),
        ("name", "../up"),
        ("name", "new\nline"),
        ("name", ""),
        ("name", None),
        ("science", []),
        ("science.networks", []),
        ("science.networks", {"name": "aph", "file": "aph.h5"}),
        ("science.networks.0.name", "a-b"),
        ("science.networks.0.file", "{platform}.h5"),
        ("science.networks.0.file", "{}.h5"),
        ("science.networks.0.file", "{sensor.h5"),
        ("science.networks.0.file", "{sensor.name}.h5"),
        ("science.networks.0.file", "{sensor[name]}.h5"),
        ("science.networks.0.file", "{sensor.__class__}.h5"),
        ("science.networks.0.file", "{sensor:d}.h5"),
        ("science.networks.0.file", "{sensor:{x}}.h5"),
        ("science.networks.0.file", "{sensor!x}.h5"),
        ("science.bands.tolerance_nm", -1),
        ("science.bands.tolerance_nm", float("nan")),
        ("science.bands.tolerance_nm", float("inf")),
        ("science.masks.flags", "LAND"),
        ("science.masks.flags", [1]),
        ("science.masks.values", ["nan"]),
        ("science.masks.expressions", {"low sun": "solar_zenith > 70"}),
        ("science.masks.expressions", {"low_sun": 70}),
        ("science.masks.expressions", ["solar_zenith > 70"]),
        ("science.engine", "onnx"),
        ("science.output.chunk", [512]),
        ("science.output.chunk", [0, 512]),
        ("science.output.chunk", 512),
        ("science.output.compression_level", 10),
        ("science.metadata", {"2nd": "x"}),
        ("execution.threads", 0),
        ("execution.threads", 1.5),
        ("execution.output", 5),
    ],
)
def test_a_wrong_value_has_its_place(place, value):
    """A complaint begins with where the value stands."""
    assert any(complaint.startswith(place) for complaint in complaints(changed(place, value)))


def test_a_mistake_in_a_network_is_the_only_complaint():
    """Nothing says "0 items" of a list that has one."""
    found = complaints(changed("science.networks.0.fiel", "x"))
    assert found == ["science.networks.0.fiel: unknown key; did you mean 'file'?"]


def test_all_complaints_come_at_once():
    """Nobody has to run the check five times."""
    data = changed("science.masks.flag", ["LAND"])
    data = changed("science.bands.tolerance_nm", -1, data)
    data = changed("science.networks.0", {"name": "aph"}, data)
    data = changed("execution.threads", "many", data)
    del data["name"]
    places = {complaint.split(":")[0] for complaint in complaints(data)}
    assert {
        "name",
        "science.masks.flag",
        "science.bands.tolerance_nm",
        "science.networks.0.file",
        "execution.threads",
    } <= places


def test_a_network_name_used_twice_is_an_error():
    """Their product variables would overwrite each other."""
    networks = [{"name": "aph", "file": "a.h5"}, {"name": "aph", "file": "b.h5"}]
    assert "two networks have the name aph" in complaints(changed("science.networks", networks))[0]


# Files


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "expected a mapping"),
        ("# only a comment\n", "expected a mapping"),
        ("- name: x\n", "found list, expected a mapping"),
        ("ocsmart_iops", "found str, expected a mapping"),
        ("42", "found int, expected a mapping"),
        ("name: [x", "not valid YAML"),
        ("name: x\n\tscience: y\n", "not valid YAML"),
        ("name: a\n---\nname: b\n", "not valid YAML"),
        ("name: \x01\n", "not valid YAML"),
        (b"name: \xff\xfe\n", "not valid YAML"),
        ("n\u00e4me: x".encode("latin-1"), "not valid YAML"),
        ("name: x".encode("utf-16"), "not valid YAML"),
        ("name: !!python/object/apply:os.getcwd []", "not valid YAML"),
        ("? [a, b]\n: c\n", "not valid YAML"),
        ("science: !!int many", "not valid YAML"),
    ],
)
def test_what_is_not_a_configuration_file(text, says, tmp_path):
    """The message names the file and has no traceback."""
    with pytest.raises(ConfigError, match=says) as caught:
        load_config(written(tmp_path, text))
    assert str(caught.value).startswith("run.yaml")


def test_a_date_stays_the_text_that_it_is(tmp_path):
    """YAML alone would make another type of it, which no key takes."""
    path = written(tmp_path, yaml.safe_dump(SMALL) + "title: 2024-05-01\n")
    assert load_config(path).title == "2024-05-01"


def test_a_large_file_is_no_configuration(tmp_path):
    """A scene named by mistake is not read into memory."""
    path = written(tmp_path, "x" * (16 * 2**20 + 1))
    with pytest.raises(ConfigError, match="16,777,217 bytes, expected at most 2,097,152"):
        load_config(path)


@pytest.mark.parametrize(
    ("text", "key", "lines"),
    [
        ("name: a\nscience: {}\nname: b\n", "name", "1 and 3"),
        ("name: a\nscience:\n  masks:\n    flags: [A]\n    flags: [B]\n", "flags", "4 and 5"),
        ("name: a\nscience: {networks: [{name: a, file: b,\n file: c}]}\n", "file", "2 and 3"),
    ],
)
def test_a_key_twice_is_an_error(text, key, lines, tmp_path):
    """YAML itself would silently take the last one, at any depth."""
    with pytest.raises(ConfigError, match=rf"key '{key}' appears twice \(lines {lines}\)"):
        load_config(written(tmp_path, text))


@pytest.mark.parametrize(
    "name", ["ünïcode.yaml", "with blank.yaml", "a'b\"c.yaml", "{sensor}.yaml", "#%&.yml", "run"]
)
def test_a_path_may_have_any_characters(name, tmp_path):
    """The name of the file is the user's business."""
    folder = tmp_path / "földer with blank"
    folder.mkdir()
    path = written(folder, yaml.safe_dump(SMALL), name)
    assert load_config(SMALL) == load_config(path)
    assert load_config(SMALL) == load_config(str(path))


@pytest.mark.parametrize(
    "source", ["demo", "demo.yaml", "runs/demo.yaml", "configs/runs/demo.yaml", Path("demo")]
)
def test_a_shipped_configuration_is_found_by_name(source, tmp_path, monkeypatch):
    """From any folder, as it is called or as its path in the repository."""
    monkeypatch.chdir(tmp_path)
    assert shipped_configs() / "runs" / "demo.yaml" == find_shipped(
        source, "runs", "run configuration"
    )


def test_a_file_beats_a_shipped_configuration_of_its_name(tmp_path, monkeypatch):
    """Who has a demo.yaml means that one."""
    monkeypatch.chdir(tmp_path)
    written(tmp_path, yaml.safe_dump(SMALL), "demo.yaml")
    assert load_config("demo.yaml").name == "small"


@pytest.mark.parametrize("source", ["nothing_like_it", "elsewhere/demo.yaml", ".", "", "x" * 300])
def test_what_cannot_be_found_lists_the_shipped_ones(source, tmp_path, monkeypatch):
    """A path that is wrong never means a shipped configuration by accident."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="c2rcc_water, demo, ocsmart_chain, ocsmart_iops"):
        find_shipped(source, "runs", "run configuration")


# The object


def test_a_configuration_is_frozen():
    """Nothing changes it between the plan and the record in the product."""
    config = load_config(FULL)
    for entry, name in (
        (config, "name"),
        (config.science, "engine"),
        (config.science.masks, "flags"),
        (config.science.networks[0], "file"),
        (config.execution, "threads"),
    ):
        with pytest.raises(ValidationError):
            setattr(entry, name, "changed")
    assert config == load_config(FULL)


def test_one_configuration_leaves_the_next_alone():
    """Defaults are not shared between two of them."""
    load_config(SMALL).science.metadata["institution"] = "mine"
    assert load_config(SMALL).science.metadata == {}


def test_selecting_keeps_the_configurations_order():
    """The order of --products does not matter; everything else stays."""
    config = load_config(FULL)
    chosen = config.selecting(("bbp", "aph"))
    assert [network.name for network in chosen.science.networks] == ["aph", "bbp"]
    assert config.science.masks == chosen.science.masks
    assert config.execution == chosen.execution
    assert len(config.science.networks) == 3


def test_selecting_an_unknown_product_lists_the_known():
    """All unknown names at once."""
    words = r"chl, aod, but the configuration 'full' has only aph, adg, bbp"
    with pytest.raises(ConfigError, match=words):
        load_config(FULL).selecting(("chl", "aph", "aod"))


def test_selecting_nothing_is_an_error():
    """``--products ""`` would make a product of nothing."""
    with pytest.raises(ConfigError):
        load_config(FULL).selecting(())


def test_executing_changes_what_is_given():
    """None keeps what there is, and the science stays."""
    config = load_config(FULL)
    moved = config.executing(output=Path("elsewhere"), network_dirs=None, threads=7)
    assert Path("elsewhere") == moved.execution.output
    assert config.execution.network_dirs == moved.execution.network_dirs
    assert moved.execution.threads == 7
    assert config.science == moved.science
    assert config.execution.threads == 3


@pytest.mark.parametrize("wrong", [{"thread": 3}, {"threads": 0}, {"output": 5}])
def test_executing_checks_as_a_file_is_checked(wrong):
    """An unknown or impossible setting is an error from Python, too."""
    with pytest.raises(ConfigError):
        load_config(SMALL).executing(**wrong)


def test_with_engine():
    """Only the engine changes; one that does not exist is an error."""
    config = load_config(FULL)
    assert load_config(changed("science.engine", "tensorflow", FULL)) == config.with_engine(
        "tensorflow"
    )
    with pytest.raises(ConfigError, match="--engine"):
        config.with_engine("onnx")


# What a product remembers


def test_the_record_is_the_science_without_folders():
    """Networks by their base names, and nothing of how and where the work was done."""
    record = load_config(FULL).science_record()
    assert [network["file"] for network in record["science"]["networks"]] == [
        "{sensor}_aphNN.h5",
        "adg.h5",
        "bbp.h5",
    ]
    assert record["name"] == "full"
    assert record["title"] == "Everything set"
    assert record["science"]["masks"]["flags"] == ["LAND", "CLDICE"]
    text = json.dumps(record)
    for trace in ("execution", "threads", "network_dirs", "somebody/", "scratch", "/home"):
        assert trace not in text


def test_the_record_can_be_run_again():
    """It is plain data, and what was recorded says the same when it is loaded."""
    record = load_config(FULL).science_record()
    assert record == json.loads(json.dumps(record))
    assert record == load_config(record).science_record()


def reversed_keys(data):
    """The same data with the keys of every mapping the other way round."""
    if isinstance(data, dict):
        return {key: reversed_keys(data[key]) for key in reversed(data)}
    return [reversed_keys(entry) for entry in data] if isinstance(data, list) else data


def key_of(data):
    return hash_of(load_config(data).science_record())


def test_the_hash_ignores_the_order_of_keys():
    """Two people who write the same configuration get the same key."""
    other = reversed_keys(FULL)
    assert list(FULL["science"]) == list(reversed(other["science"]))
    assert key_of(FULL) == key_of(other)


def test_equal_hashes_mean_equal_bits():
    """Expressions take their bits by name, whatever the order of the file."""
    scene = xr.Dataset(
        {
            "Rrs": (("Rrs_wavelength", "y", "x"), np.ones((1, 1, 1), np.float32)),
            "solar_zenith": (("y", "x"), np.ones((1, 1), np.float32)),
        },
        coords={"Rrs_wavelength": [667.0]},
    )
    data = changed("science.masks", {"expressions": FULL["science"]["masks"]["expressions"]}, FULL)
    names = []
    for variant in (data, reversed_keys(data)):
        rules = make_rules(load_config(variant).science.masks, scene, (), 3.0)
        names.append([rule.name for rule in rules])
    assert key_of(data) == key_of(reversed_keys(data))
    assert names[0] == names[1]


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("execution.threads", 9),
        ("execution.output", "/elsewhere"),
        ("execution.network_dirs", []),
        ("science.networks.0.file", "/another/folder/{sensor}_aphNN.h5"),
    ],
)
def test_the_hash_ignores_how_and_where(place, value):
    """Threads and folders leave no trace."""
    assert key_of(FULL) == key_of(changed(place, value, FULL))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("name", "other"),
        ("science.sensor", "MODIS-Terra"),
        ("science.bands.tolerance_nm", 3.0),
        ("science.masks.flags", ["CLDICE", "LAND"]),
        ("science.masks.expressions.low_sun", "solar_zenith > 71"),
        ("science.masks.values", ["negative"]),
        ("science.networks.0.file", "{sensor}_apNN.h5"),
        ("science.networks.1.allow_other_sensor", False),
        ("science.engine", "tensorflow"),
        ("science.output.chunk", [64, 128]),
        ("science.output.compression_level", 4),
        ("science.metadata.institution", "Elsewhere"),
    ],
)
def test_the_hash_changes_with_the_science(place, value):
    """Whatever can change a byte of the product."""
    assert key_of(FULL) != key_of(changed(place, value, FULL))


def test_the_hash_is_one_number_for_ever():
    """Keys in products already written stay comparable; no two texts of one record differ."""
    text = b'{"a":{"flag":true,"\\u00fc":"x"},"b":[1,2.5,null]}'
    record = {"b": [1, 2.5, None], "a": {"ü": "x", "flag": True}}
    assert hashlib.sha256(text).hexdigest() == hash_of(record)


def test_a_configuration_object_is_taken_as_it_is():
    """No second validation, no copy."""
    config = load_config(SMALL)
    assert load_config(config) is config
    assert isinstance(config, RunConfig)
