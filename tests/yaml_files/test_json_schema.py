"""The JSON schemas of YAML files, as an independent validator uses them."""

import functools
import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from pipeline.facts.shipped import shipped_configs
from pipeline.yaml_files.json_schema import schema_of, schema_path, schema_text
from pipeline.yaml_files.kinds import KINDS, kind_of

REPOSITORY = Path(__file__).parents[2]
FOLDERS = ("configs", "examples", "benchmarks")
MADE = REPOSITORY / "benchmarks" / "data"  # by a benchmark
FOUND = (file for folder in FOLDERS for file in (REPOSITORY / folder).rglob("*.yaml"))
SHIPPED = sorted(file for file in FOUND if MADE not in file.parents)
# Products record the hash of these files, so even a comment would change the record.
HASHED = {
    *(shipped_configs() / "algorithms").glob("*.yaml"),
    shipped_configs() / "networks" / "modisnn_lna_14_64_64_3.yaml",
}
LINE = re.compile(r"# yaml-language-server: \$schema=(\S+)\n")


@functools.cache
def validator(kind):
    return jsonschema.Draft7Validator(schema_of(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_a_schema_is_valid_and_shipped_as_it_is_made(kind):
    """The shipped file is what the command writes: ocpipe schema --all configs/schemas."""
    jsonschema.Draft7Validator.check_schema(schema_of(kind))
    assert schema_path(kind).read_text() == schema_text(kind)


def test_no_schema_is_left_over():
    assert {path.stem for path in schema_path("run").parent.iterdir()} == set(KINDS)


@pytest.mark.quick
@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_file_names_its_schema_and_fits_it(path):
    """The schema that the first line names accepts the file, and is that of its kind."""
    text = path.read_text()
    data = yaml.safe_load(text)
    kind = kind_of(data).name
    named = LINE.match(text)
    if path in HASHED:
        assert named is None
    else:
        assert named is not None
        assert (path.parent / named[1]).resolve() == schema_path(kind)
    validator(kind).validate(data)


RUN = {"name": "a", "science": {"networks": [{"name": "iops", "file": "iops.h5"}]}}
TRAINING = {
    "name": "a",
    "sensors": ["SGLI"],
    "samples": {
        "files": ["a.csv"],
        "inputs": [{"quantity": "Rrs", "wavelengths_nm": [412, 443]}],
        "targets": [{"quantity": "chlor_a"}],
    },
}


def changed(data, place, value):
    """A copy of plain data with another value at a place such as ``science.masks``."""
    copy = json.loads(json.dumps(data))
    *sections, key = place.split(".")
    inner = copy
    for section in sections:
        inner = inner[int(section)] if isinstance(inner, list) else inner.setdefault(section, {})
    if value is None:
        del inner[key]
    else:
        inner[key] = value
    return copy


MISTAKES = [
    ("run", RUN, "sciense", {}),
    ("run", RUN, "networks", []),
    ("run", RUN, "science.networks", None),
    ("run", RUN, "science.networks", []),
    ("run", RUN, "name", "my run"),
    ("run", RUN, "science.networks.0.file", None),
    ("run", RUN, "science.networks.0.file", "{sensors}_aphNN.h5"),
    ("run", RUN, "science.networks.0.file", "algorithm:oci2019"),
    ("run", RUN, "science.networks.0.gain", "open"),
    ("run", RUN, "science.networks.0.gains", "ocean"),
    ("run", RUN, "science.networks.0.write", "sometimes"),
    ("run", RUN, "science.masks.preset", "nasa"),
    ("run", RUN, "science.masks.flags", "LAND"),
    ("run", RUN, "science.masks.values", ["nan"]),
    ("run", RUN, "science.masks.dilate", {"CLDICE": 0}),
    ("run", RUN, "science.masks.expressions", {"low sun": "solar_zenith > 70"}),
    ("run", RUN, "science.window.bbox", [10, 50, 12]),
    ("run", RUN, "science.window.lines", ["first", "last"]),
    ("run", RUN, "science.sensor", "MODIS"),
    ("run", RUN, "science.engine", "onnx"),
    ("run", RUN, "science.bands.tolerance_nm", -1),
    ("run", RUN, "science.reader", {"format": "l2gen"}),
    ("run", RUN, "science.reader", {"options": {"units": {"Rrs": "sr-1"}}}),
    ("run", RUN, "science.reader", {"format": "sgli_l2", "options": {"layout": "nwlr"}}),
    ("run", RUN, "science.metadata", {"history": "mine"}),
    ("run", RUN, "execution.product", "{stem}.tif"),
    ("run", RUN, "execution.product", "{scene}.nc"),
    ("run", RUN, "execution.memory_limit", "much"),
    ("run", RUN, "batch.if_exists", "replace"),
    ("run", RUN, "batch.cluster", {"kind": "Slurm"}),
    ("run", RUN, "batch.timeout_s", 0),
    ("run", RUN, "qc.valid_fraction_min", 5),
    ("training", TRAINING, "samples.files", None),
    ("training", TRAINING, "samples.targets", None),
    ("training", TRAINING, "samples.classes", {"column": "type"}),
    ("training", TRAINING, "samples.inputs.0.transform", "log"),
    ("training", TRAINING, "network", {"activation": "softmax"}),
    ("training", TRAINING, "network", {"dropout": 1.0}),
    ("training", TRAINING, "fit", {"optimizer": "adam"}),
    ("training", TRAINING, "baselines", ["oci"]),
    ("training", TRAINING, "splits", {"by": "cruise"}),
    ("training", TRAINING, "tune", {"space": {"units": {"min": "few", "max": 64}}}),
    ("training", TRAINING, "save", ["hdf5"]),
    ("matchup", {}, "preset", "seabass"),
    ("matchup", {}, "window", 4),
    ("matchup", {}, "points", {"lat": "latitude"}),
    ("masks", {}, "flag", ["LAND"]),
    ("mapping", {}, "title", "without spectral"),
]


@pytest.mark.parametrize(("kind", "data", "place", "value"), MISTAKES)
def test_a_typical_mistake_is_rejected(kind, data, place, value):
    """The same file without the mistake is accepted, except where a part is always missing."""
    wrong = changed(data, place, value)
    assert list(validator(kind).iter_errors(wrong)), wrong
    if kind != "mapping":
        validator(kind).validate(data)


@pytest.mark.parametrize(
    ("kind", "data", "place", "value"),
    [
        ("run", RUN, "science.sensor", "modis aqua"),
        ("run", RUN, "science.networks.0.file", "{sensor}_aphNN.h5"),
        ("run", RUN, "science.networks.0.file", "algorithm:oci_2019"),
        ("run", RUN, "execution.product", "{start:%Y/%m/%d}/{stem}.{name}.nc"),
        ("run", RUN, "execution.memory_limit", "2GiB"),
        ("run", RUN, "science.reader", {"format": "sgli_l2", "options": {"qa_layout": "nwlr"}}),
        ("run", RUN, "science.masks", {"preset": "default", "values": ["negative"]}),
        ("training", TRAINING, "samples.files", [{"path": "a.csv", "part": "train"}, "b.csv"]),
        ("training", TRAINING, "network.activation", "relu"),
        ("training", TRAINING, "tune.space", {"units": [8, 16], "dropout": 0.1}),
        ("training", TRAINING, "tune.space", {"activation": "tanh", "l2": {"min": 0, "max": 1}}),
        ("matchup", {}, "preset", "eumetsat"),
    ],
)
def test_what_the_program_accepts_in_short_is_accepted(kind, data, place, value):
    """Short forms and placeholders, which validators of the models accept."""
    validator(kind).validate(changed(data, place, value))


def test_a_schema_says_what_a_key_means():
    """The text below a field of the model is what an editor shows."""
    limit = schema_of("run")["$defs"]["Batch"]["properties"]["timeout_s"]
    assert limit["description"] == "Time limit of a scene in seconds."
    assert limit["default"] == 3600
