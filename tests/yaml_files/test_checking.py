"""ocpipe check-config and ocpipe schema for every kind of YAML file."""

import json

import pytest
import yaml
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.errors import ConfigError, NetworkError
from pipeline.yaml_files.checking import checked
from pipeline.yaml_files.kinds import CONFIGURATIONS, KINDS, kind_of

FILES = [(kind.name, file) for kind in KINDS.values() for file in kind.files]


@pytest.mark.quick
@pytest.mark.parametrize(("kind", "file"), FILES, ids=[file.stem for _, file in FILES])
def test_every_shipped_file_is_checked_as_its_kind(kind, file):
    """With all defaults filled in, it is still of its kind and without mistakes."""
    found, text = checked(str(file))
    assert found.name == kind
    assert kind_of(yaml.safe_load(text)).name == kind


@pytest.mark.parametrize("name", ["demo", "sgli_iops", "nasa", "nasa_l3", "OCI", "qaa_v6"])
def test_names_of_shipped_files_are_enough(name):
    assert checked(name)[0].name in KINDS


RUN = "{name: a, science: {networks: [{name: n, file: n.h5}]}}"
SAMPLES = "{files: [a.csv], inputs: [{quantity: Rrs}], targets: [{quantity: chlor_a}]}"
TRAINING = f"name: a\nsensors: [SGLI]\nsamples: {SAMPLES}\n"
CLASSES = SAMPLES.replace(
    "targets: [{quantity: chlor_a}]", "classes: {rules: {a: 'Rrs >', b: '1'}}"
)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (RUN, "run"),
        (RUN[:-1] + ", batch: {inputs: [/data]}, qc: {valid_fraction_min: 0.1}}", "run"),
        (TRAINING, "training"),
        (f"{TRAINING}tune: {{trials: 3}}\n", "training"),
        (f"{TRAINING}finetune: {{head: new}}\n", "finetune"),
        ("preset: nasa\nwindow: 3\n", "matchup"),
        ("{schema: 1, name: a, members: [a.h5, b.h5]}", "ensemble"),
        ("flags: [LAND]\n", "masks"),
        ("{Rrs: {units: sr-1, long_name: reflectance}}", "quantities"),
    ],
)
def test_the_kind_is_told_by_the_keys(text, kind, tmp_path):
    (tmp_path / "a.yaml").write_text(text)
    assert checked(str(tmp_path / "a.yaml"))[0].name == kind


MISTAKES = [
    ("name: a\nsciense: {}\n", "did you mean 'science'"),
    (RUN.replace("file", "fiel"), "science.networks.0.fiel"),
    (RUN.replace("n.h5", "algorithm:oci"), "found the algorithm 'oci'"),
    (RUN[:-2] + ", sensor: MODES}}", "unknown sensor 'MODES'"),
    (RUN[:-2] + ", masks: {expressions: {a: 'solar_zenith >'}}}}", "masks.expressions.a"),
    (RUN[:-2] + ", reader: {format: sgli_l2, options: {qa: x}}}}", "reader.options of sgli_l2"),
    (f"{TRAINING}fit: {{epoch: 3}}\n", "did you mean 'epochs'"),
    (f"{TRAINING}baselines: [oci]\n", "baselines: found the algorithm 'oci'"),
    (TRAINING.replace("SGLI", "SGL"), "sensors: unknown sensor 'SGL'"),
    (TRAINING.replace(SAMPLES, CLASSES), "samples.classes.rules.a: 'Rrs >' is not an expression"),
    (TRAINING.replace("chlor_a}", "chlor_a, transform: log}"), "transform"),
    (f"{TRAINING}tune: {{space: {{units: [0]}}}}\n", "units: expected 1 to 8192"),
    (f"{TRAINING}finetune: {{heads: new}}\n", "did you mean 'head'"),
    ("preset: nasa\nwindows: 3\n", "did you mean 'window'"),
    ("preset: nasa\nmasks: {expressions: {a: 'import os'}}\n", "masks.expressions.a"),
    ("{name: X, instruments: [], platforms: [], band_nm: [443]}", "band_nm"),
    ("flags: LAND\nkeep_flags: []\n", "flags: Input should be a valid tuple"),
    ("nothing: known\n", "belong to no kind of file"),
    ("[1, 2]\n", "expected a mapping"),
    ("a: [\n", "a.yaml"),
]


@pytest.mark.parametrize(("text", "expected"), MISTAKES)
def test_mistakes_of_every_kind_are_named(text, expected, tmp_path):
    """The message names the key; the command ends with code 2."""
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as failed:
        checked(str(path))
    assert expected in str(failed.value)
    assert CliRunner().invoke(main, ["check-config", str(path)]).exit_code == 2


def test_the_description_of_a_network(tmp_path):
    """The weights are not needed."""
    path = tmp_path / "net.yaml"
    variable = "{quantity: Rrs, units: sr-1, transform: none, scaling: none"
    text = f"schema: 1\nname: a\nweights: a.h5\nsensors: [SGLI]\ninputs: [{variable}}}]\n"
    path.write_text(f"{text}outputs: [{variable}}}]\n")
    assert checked(str(path))[0].name == "network"
    path.write_text(f"{text}outputs: [{variable}, rage: [1, 2]}}]\n")
    with pytest.raises(NetworkError, match=r"outputs\.0\.rage"):
        checked(str(path))
    assert CliRunner().invoke(main, ["check-config", str(path)]).exit_code == 2


def test_a_kind_can_be_given(tmp_path):
    """Then the file is checked as this kind."""
    path = tmp_path / "a.yaml"
    path.write_text(TRAINING)
    assert checked(str(path), "finetune")[0].name == "finetune"
    with pytest.raises(ConfigError, match="science: missing key"):
        checked(str(path), "run")
    wrong = CliRunner().invoke(main, ["check-config", str(path), "--kind", "recipe"])
    assert wrong.exit_code == 2
    assert "training" in wrong.output


@pytest.mark.parametrize("name", ["no_such", "runs/no_such.yaml"])
def test_a_name_that_is_not_shipped(name):
    """The names of configurations are listed."""
    with pytest.raises(ConfigError, match=r"no such file.*demo.*sgli_iops.*nasa"):
        checked(name)
    with pytest.raises(ConfigError, match="no such configuration of match-ups"):
        checked(name, "matchup")


def test_a_file_of_a_missing_folder(tmp_path):
    with pytest.raises(ConfigError, match=r"a\.yaml"):
        checked(str(tmp_path / "none" / "a.yaml"))


def test_the_command_schema(tmp_path):
    """Prints, lists and writes schemas; a wrong call is refused."""
    printed = CliRunner().invoke(main, ["schema", "run"])
    assert json.loads(printed.stdout)["title"] == "ocpipe: run configuration"
    listed = CliRunner().invoke(main, ["schema"]).stdout
    assert [line.split()[0] for line in listed.splitlines()[1:]] == list(KINDS)
    assert set(CONFIGURATIONS) <= set(KINDS)
    file = tmp_path / "run.json"
    assert CliRunner().invoke(main, ["schema", "run", "-o", str(file)]).exit_code == 0
    assert file.read_text() == printed.stdout
    folder = tmp_path / "all"
    assert CliRunner().invoke(main, ["schema", "--all", str(folder)]).exit_code == 0
    assert {path.stem for path in folder.iterdir()} == set(KINDS)
    for wrong in (["-o", str(file)], ["recipe"]):
        assert CliRunner().invoke(main, ["schema", *wrong]).exit_code == 2
