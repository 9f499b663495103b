"""What a user gets when something is wrong: an exit code, one message, and nothing left behind.

Each command is a process with files of its own for stdout and stderr, so that what a library prints
past Python is seen as well.
"""

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import netCDF4
import numpy as np
import pytest
import warm_commands
from click.testing import CliRunner
from faults import KNOWS_FAULTS, Gate
from warm_commands import OCPIPE

from pipeline.cli import main

LOG_LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (?P<level>\w+) (?P<message>.*)")
NOISE = ("Traceback", "HDF5-DIAG", "Exception ignored", "error in file", "core dumped")
SCENE_FAILED, WRONG_USE = 1, 2

NETWORKS = "networks: [{name: iops, file: demo_iops.h5}]"
CONFIG = f"""\
name: demo
science:
  {NETWORKS}
"""


# Commands as processes


@dataclass(frozen=True)
class Outcome:
    """What a process left: its exit code (negative for a signal) and what it printed."""

    code: int
    stdout: str
    stderr: str

    def messages(self, level: str) -> list[str]:
        """The messages of a level; what does not start as a message continues the one before."""
        found: list[tuple[str, list[str]]] = []
        for line in self.stderr.splitlines():
            match = LOG_LINE.fullmatch(line)
            if match:
                found.append((match["level"], [match["message"]]))
            else:
                assert found, f"{line!r} is no message"
                found[-1][1].append(line)
        return ["\n".join(lines) for found_level, lines in found if found_level == level]


def environment(**changes: str) -> dict[str, str]:
    """That of the tests, without what would change what a command does."""
    kept = {
        k: v for k, v in os.environ.items() if k not in ("OCPIPE_NETWORKS", "SOURCE_DATE_EPOCH")
    }
    return kept | changes


def shell(*arguments: object) -> Outcome:
    """The command as a shell starts it."""
    done = subprocess.run(
        [str(OCPIPE), *map(str, arguments)],
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


Run = Callable[..., Outcome]


@pytest.fixture(scope="module")
def ocpipe(tmp_path_factory) -> Run:
    """Run a command in a folder of its own; the files that it writes may be limited in size."""
    here = tmp_path_factory.mktemp("here")

    def run(
        *arguments: object,
        env: Mapping[str, str] | None = None,
        largest_file: int | None = None,
    ) -> Outcome:
        done = warm_commands.scenes.run(
            *arguments, env=environment(**(env or {})), cwd=here, largest_file=largest_file
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return run


def without_dates(text: str) -> str:
    return re.sub(r"(?m)^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ", "", text)


@pytest.mark.parametrize("arguments", [["run", "no.nc", "-c", "demo"], ["run", "no.nc"]])
def test_commands_run_as_from_a_shell(ocpipe, arguments):
    """The fork prints and returns what the installed command does."""
    expected, found = shell(*arguments), ocpipe(*arguments)
    assert expected.code == found.code
    assert expected.stdout == found.stdout
    assert without_dates(expected.stderr) == without_dates(found.stderr)


# What every failure must keep


def fingerprint(*paths: Path) -> dict[Path, str | None]:
    """The hash of each file, also of all files in folders."""
    files = [f for path in paths for f in ([*path.rglob("*")] if path.is_dir() else [path])]
    return {f: hashlib.sha256(f.read_bytes()).hexdigest() for f in files if f.is_file()}


def names_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def assert_one_message(outcome: Outcome, code: int, error: str, *words: str) -> str:
    """The exit code, and exactly one message of level error with all of the words."""
    assert [noise for noise in NOISE if noise in outcome.stderr] == []
    assert code == outcome.code
    (message,) = outcome.messages("error")
    assert message.startswith(f"{error}: ")
    assert [word for word in words if word not in message] == []
    assert outcome.stdout == ""
    return message


@pytest.fixture
def refused(ocpipe, sample_scene, sample_networks, tmp_path):
    """Run one scene, which must fail so; inputs stay as they are and nothing is left behind."""
    out = tmp_path / "out"

    def run(code: int, error: str, words: tuple[str, ...], **given: Any) -> str:
        scenes = given.pop("scenes", (given.pop("scene", sample_scene),))
        networks, config = given.pop("networks", sample_networks), given.pop("config", "demo")
        before = fingerprint(*scenes, networks)
        outcome = ocpipe(
            "run",
            *scenes,
            "-c",
            config,
            "--networks",
            networks,
            "-o",
            out,
            *given.pop("options", ("--engine", "numpy")),
            **given,
        )
        message = assert_one_message(outcome, code, error, *words)
        assert before == fingerprint(*scenes, networks)
        assert names_in(out) == []
        return message

    return run


# Scenes


def damaged(file: Path, dataset: str, *, at: str) -> bytes:
    """The bytes of an HDF5 file with some overwritten: in a dataset's first chunk or its header."""
    with h5py.File(file) as opened:
        if at == "header":
            position = h5py.h5o.get_info(opened[dataset].id).addr + 12
        else:
            chunk = opened[dataset].id.get_chunk_info(0)
            position = chunk.byte_offset + chunk.size // 2
    content = bytearray(file.read_bytes())
    content[position : position + 16] = b"\xff" * 16
    return bytes(content)


def other_netcdf(path: Path, kind: str, *groups: str) -> None:
    with netCDF4.Dataset(path, "w", format=kind) as file:
        file.createDimension("time", 3)
        file.createVariable("temperature", "f4", ("time",))[:] = 1
        for group in groups:
            file.createGroup(group)


FETCH = "etch it again"
KNOWN = "nown formats"
CUT = ("cannot be opened", "cut short", FETCH)
UNREADABLE = ("cannot be read to its end", "damaged", FETCH)

# What is wrong -> how to make it from a good scene, the class of the error, words of the message.
SCENES: dict[str, tuple[Callable[[Path, Path], object], str, tuple[str, ...]]] = {
    "no file": (lambda _, __: None, "SceneError", ("no such file", "Check the path")),
    "text": (
        lambda bad, _: bad.write_text("Not the file you are looking for.\n"),
        "UnknownFormatError",
        ("no reader recognises", "a text file", KNOWN),
    ),
    "empty": (lambda bad, _: bad.write_bytes(b""), "DamagedError", ("is empty", FETCH)),
    "only 7 bytes": (
        lambda bad, good: bad.write_bytes(good.read_bytes()[:7]),
        "UnknownFormatError",
        ("no reader recognises", "89 48 44 46", KNOWN),
    ),
    "only 1 kB": (lambda bad, good: bad.write_bytes(good.read_bytes()[:1000]), "DamagedError", CUT),
    "half": (
        lambda bad, good: bad.write_bytes(good.read_bytes()[: good.stat().st_size // 2]),
        "DamagedError",
        CUT,
    ),
    "without the last 10 kB": (
        lambda bad, good: bad.write_bytes(good.read_bytes()[:-10_000]),
        "DamagedError",
        CUT,
    ),
    "damaged pixels": (
        lambda bad, good: bad.write_bytes(damaged(good, "geophysical_data/Rrs_443", at="chunk")),
        "DamagedError",
        UNREADABLE,
    ),
    "damaged positions": (
        lambda bad, good: bad.write_bytes(damaged(good, "navigation_data/latitude", at="chunk")),
        "DamagedError",
        UNREADABLE,
    ),
    "damaged header of a band": (
        lambda bad, good: bad.write_bytes(damaged(good, "geophysical_data/Rrs_443", at="header")),
        "DamagedError",
        (FETCH,),
    ),
    "damaged header of the root": (
        lambda bad, good: bad.write_bytes(damaged(good, "/", at="header")),
        "DamagedError",
        (FETCH,),
    ),
    "another netCDF-4": (
        lambda bad, _: other_netcdf(bad, "NETCDF4"),
        "UnknownFormatError",
        ("no reader recognises", "temperature", KNOWN),
    ),
    "another netCDF-3": (
        lambda bad, _: other_netcdf(bad, "NETCDF3_CLASSIC"),
        "UnknownFormatError",
        ("no reader recognises", "netCDF-3", KNOWN),
    ),
    "the groups of Level-2 without variables": (
        lambda bad, _: other_netcdf(bad, "NETCDF4", "geophysical_data", "navigation_data"),
        "SceneError",
        ("no Rrs_<wavelength>", "obpg_l2", "Level-2 scene with reflectances"),
    ),
}


@pytest.mark.parametrize("wrong", SCENES)
def test_scene_that_cannot_be_used(refused, sample_scene, tmp_path, wrong):
    """The message names the file, what it is instead of a scene, and what to do."""
    make, error, words = SCENES[wrong]
    make(tmp_path / "bad.nc", sample_scene)
    refused(SCENE_FAILED, error, ("bad.nc", *words), scene=tmp_path / "bad.nc")


def test_a_folder_without_scenes(refused, tmp_path):
    """A folder stands for the scenes in it, whatever its name is."""
    (tmp_path / "bad.nc").mkdir()
    refused(WRONG_USE, "NoSceneError", ("bad.nc", "no scene was found"), scene=tmp_path / "bad.nc")


@pytest.mark.parametrize("wrong", ["text", "empty", "half", "another netCDF-4"])
def test_scene_of_another_format_than_named(refused, sample_scene, tmp_path, wrong):
    """With reader.format given, too, one line says what is wrong and what to do."""
    SCENES[wrong][0](tmp_path / "bad.nc", sample_scene)
    config = write_config(tmp_path, CONFIG + "  reader: {format: obpg_l2}\n")
    given = {"scene": tmp_path / "bad.nc", "config": config}
    error = "DamagedError" if wrong in ("empty", "half") else "SceneError"
    message = refused(SCENE_FAILED, error, ("bad.nc",), **given)
    assert len(message.splitlines()) == 1
    assert FETCH in message or "reader.format" in message


@pytest.fixture(scope="module")
def product(ocpipe, sample_scene, sample_networks, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("product")
    done = ocpipe(
        *("run", sample_scene, "-c", "demo", "--networks", sample_networks),
        *("--engine", "numpy", "-o", folder),
    )
    assert done.code == 0, done.stderr
    return next(folder.iterdir())


def test_product_given_as_a_scene(refused, product):
    """A product opens as a scene, but it has no reflectances for the networks."""
    words = (product.name, "iops (demo_iops.h5) needs Rrs_412: the scene has no Rrs")
    refused(SCENE_FAILED, "SceneError", words, scene=product)


def test_one_broken_scene_costs_the_others_nothing(ocpipe, sample_scene, sample_networks, tmp_path):
    """Of three scenes the middle one fails: two products, one error, exit code 1."""
    scenes = [tmp_path / f"{name}.nc" for name in ("first", "broken", "last")]
    for scene in scenes:
        shutil.copy(sample_scene, scene)
    os.truncate(scenes[1], 100_000)
    before, out = fingerprint(*scenes), tmp_path / "out"
    outcome = ocpipe(
        *("run", *scenes, "-c", "demo", "--networks", sample_networks),
        *("--engine", "numpy", "-o", out),
    )
    assert outcome.code == SCENE_FAILED
    (message,) = outcome.messages("error")
    assert "broken.nc" in message
    assert names_in(out) == ["first.demo.nc", "last.demo.nc"]
    assert outcome.stdout.splitlines() == [str(out / name) for name in names_in(out)]
    assert "2 of 3 scenes done" in outcome.messages("info")[-1]
    assert before == fingerprint(*scenes)
    for name in names_in(out):
        with netCDF4.Dataset(out / name) as file:
            assert file["aph_443"][:].count() > 0


# Networks


def replaced(name: str, change: Callable[[np.ndarray], Any]) -> Callable[[h5py.File], None]:
    """An edit that puts another array in the place of a dataset."""

    def edit(file: h5py.File) -> None:
        array = change(file[name][...])
        del file[name]
        file[name] = array

    return edit


def with_value(index: tuple[int, ...], value: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(array: np.ndarray) -> np.ndarray:
        array = array.astype(np.float64)
        array[index] = value
        return array

    return change


def described(**changes: Any) -> Callable[[h5py.File], None]:
    """An edit of the JSON by which the file describes itself."""

    def edit(file: h5py.File) -> None:
        description = json.loads(file.attrs["ocpipe_description"]) | changes
        file.attrs["ocpipe_description"] = json.dumps(description)

    return edit


def without(name: str) -> Callable[[h5py.File], None]:
    def edit(file: h5py.File) -> None:
        del file[name]

    return edit


def described_as(text: str) -> Callable[[h5py.File], None]:
    def edit(file: h5py.File) -> None:
        file.attrs["ocpipe_description"] = text

    return edit


# What is wrong -> how a good network is edited, words of the message.
NETWORK_EDITS: dict[str, tuple[Callable[[h5py.File], None], tuple[str, ...]]] = {
    "of another sensor": (
        described(sensors=["SGLI", "VIIRS"]),
        ("trained for SGLI, VIIRS", "scene is from MODIS-Aqua", "Choose a network for this sensor"),
    ),
    "of no sensor": (
        described(sensors=[]),
        ("a sensor that its file does not name", "allow_other_sensor: true"),
    ),
    "a bias is missing": (without("Bias/Layer2"), ("dataset Bias/Layer2 is missing", FETCH)),
    "a kernel is missing": (without("Weights/Layer3"), ("Weights/Layer3 is missing", FETCH)),
    "a range is missing": (without("Norm_in"), ("dataset Norm_in is missing", FETCH)),
    "a weight is NaN": (
        replaced("Weights/Layer2", with_value((0, 0), np.nan)),
        ("Weights/Layer2", "not finite", FETCH),
    ),
    "a bias is infinite": (
        replaced("Bias/Layer1", with_value((3, 0), np.inf)),
        ("Bias/Layer1", "not finite", FETCH),
    ),
    "a kernel is transposed": (
        replaced("Weights/Layer1", np.transpose),
        ("Weights/Layer1", "has shape (8, 24)", "expected (24, 8)", "damaged"),
    ),
    "a range is empty": (
        replaced("Norm_in", with_value((2, 0), 7.0)),
        ("Norm_in row 2 (Rrs_488)", "[7, ", "expected minimum < maximum"),
    ),
    "a range is NaN": (
        replaced("Norm_out", with_value((0, 1), np.nan)),
        ("Norm_out row 0 (aph_443)", "nan", "expected minimum < maximum"),
    ),
    "a range too few": (
        replaced("Norm_out", lambda ranges: ranges[:2]),
        ("Norm_out has shape (2, 2)", "expected (3, 2)"),
    ),
    "a size is NaN": (
        replaced("Layers", with_value((1,), np.nan)),
        ("Layers is", "nan", "positive"),
    ),
    "other weights than described": (
        replaced("Weights/Layer2", with_value((0, 0), 0.1)),
        ("golden spectrum", "the file expects", "fetch the file again"),
    ),
    "golden spectra of another shape": (
        described(golden={"inputs": [[0.01] * 4] * 2, "outputs": [[1.0] * 3] * 2}),
        ("golden.inputs must have one or more rows of 8 numbers", "3 numbers"),
    ),
    "no golden spectra where there should be": (
        described(golden={"inputs": [], "outputs": []}),
        ("golden.inputs must have one or more rows",),
    ),
    "a description that is no JSON": (described_as("{"), ("ocpipe_description", "Invalid JSON")),
    "an unknown activation": (
        described(activations=["tanh", "swish", "linear"]),
        ("Layer2", "unknown activation 'swish'", "expected one of linear, tanh"),
    ),
    "inputs in another unit than the scene's": (
        described(
            inputs=[
                {"quantity": "Rrs", "wavelength_nm": nm, "units": "1", "transform": "log10"}
                for nm in (412, 443, 488, 531, 547, 667, 678, 748)
            ]
        ),
        ("Rrs_412", "sr-1"),
    ),
}


@pytest.fixture
def networks(sample_networks, tmp_path) -> Path:
    """A folder with a copy of the demonstration network."""
    return Path(shutil.copytree(sample_networks, tmp_path / "networks"))


@pytest.mark.parametrize("wrong", NETWORK_EDITS)
def test_network_that_does_not_fit_or_is_damaged(refused, networks, wrong):
    """The message names the scene, the network, the part of it and what was expected."""
    edit, words = NETWORK_EDITS[wrong]
    with h5py.File(networks / "demo_iops.h5", "r+") as file:
        edit(file)
    refused(SCENE_FAILED, "NetworkError", ("demo_iops.h5", *words), networks=networks)


# What is wrong -> the bytes instead of the good ones, words of the message.
NETWORK_FILES: dict[str, tuple[Callable[[bytes], bytes], tuple[str, ...]]] = {
    "half": (lambda good: good[: len(good) // 2], ("cannot be opened", FETCH)),
    "without the last byte": (lambda good: good[:-1], ("cannot be opened", FETCH)),
    "empty": (lambda _: b"", ("no known network format", "ocsmart_h5")),
    "text": (lambda _: b"weights: none\n", ("no known network format", "Norm_in")),
    "a damaged list of members": (lambda good: good.replace(b"SNOD", b"DONS"), (FETCH,)),
}


@pytest.mark.parametrize("wrong", NETWORK_FILES)
def test_network_file_that_cannot_be_read(refused, networks, wrong):
    """The message names the file and says to fetch it again, or what a network looks like."""
    change, words = NETWORK_FILES[wrong]
    file = networks / "demo_iops.h5"
    file.write_bytes(change(file.read_bytes()))
    refused(SCENE_FAILED, "NetworkError", ("demo_iops.h5", *words), networks=networks)


def test_no_network_found(refused, tmp_path):
    """The message says where it was looked for and how to name a folder."""
    (tmp_path / "empty").mkdir()
    words = (
        "no network demo_iops.h5",
        f"searched '{tmp_path}/empty'",
        "--networks",
        "--products",
    )
    refused(SCENE_FAILED, "NetworkError", words, networks=tmp_path / "empty")


def test_real_network_of_another_sensor(refused, modis_scene, ocsmart, tmp_path):
    """SGLI's network is refused on a MODIS scene, under its own name and under MODIS's."""
    config = write_config(
        tmp_path, "name: demo\nscience: {networks: [{name: aph, file: SGLI_aphNN.h5}]}\n"
    )
    words = ("SGLI_aphNN.h5 was trained for SGLI", "scene is from MODIS-Aqua", "allow_other_sensor")
    given = {"scene": modis_scene, "networks": ocsmart, "config": config}
    refused(SCENE_FAILED, "NetworkError", words, **given)
    (tmp_path / "renamed").mkdir()
    shutil.copy(ocsmart / "SGLI_aphNN.h5", tmp_path / "renamed" / "MODIS-Aqua_aphNN.h5")
    config.write_text(config.read_text().replace("SGLI", "MODIS-Aqua"))
    given |= {"networks": tmp_path / "renamed"}
    words = ("MODIS-Aqua_aphNN.h5: the wavelengths", "are not known", "another sensor")
    refused(SCENE_FAILED, "NetworkError", words, **given)


# Configuration


def write_config(folder: Path, text: str | bytes) -> Path:
    path = folder / "run.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


# What is wrong -> the text of the configuration, words of the message.
CONFIGS: dict[str, tuple[str | bytes, tuple[str, ...]]] = {
    "misspelt section": (
        CONFIG + "exection: {threads: 1}\n",
        ("exection: unknown key", "did you mean 'execution'?"),
    ),
    "misspelt key": (
        CONFIG + "  masks: {flgas: [LAND]}\n",
        ("science.masks.flgas: unknown key", "did you mean 'flags'?"),
    ),
    "misspelt key of a network": (
        CONFIG.replace("file: demo_iops.h5", "file: demo_iops.h5, alow_other_sensor: true"),
        ("science.networks.0.alow_other_sensor: unknown key", "'allow_other_sensor'?"),
    ),
    "unknown key unlike any": (
        CONFIG + "  output: {colour: blue}\n",
        ("science.output.colour: unknown key", "chunk, compression_level, source_flags"),
    ),
    "two mistakes": (
        CONFIG + "  output: {chunk: [0, 512], compresion_level: 1}\n",
        ("science.output.chunk.0", "found 0", "did you mean 'compression_level'?"),
    ),
    "missing key": ("name: demo\nscience: {}\n", ("science.networks: missing",)),
    "no networks": ("name: demo\nscience: {networks: []}\n", ("science.networks", "at least 1")),
    "wrong type": (CONFIG + "  bands: {tolerance_nm: near}\n", ("tolerance_nm", "'near'")),
    "network named twice": (
        CONFIG.replace("]", ", {name: iops, file: b.h5}]"),
        ("two networks have the name iops",),
    ),
    "unknown placeholder": (
        CONFIG.replace("demo_iops.h5", '"{sensr}.h5"'),
        ("science.networks.0.file", "the only placeholder is {sensor}", "{sensr}.h5"),
    ),
    "attribute of a placeholder": (
        CONFIG.replace("demo_iops.h5", '"{sensor.name}.h5"'),
        ("science.networks.0.file", "the only placeholder is {sensor}"),
    ),
    "bracket not closed": (CONFIG + "  masks: {flags: [LAND\n", ("not valid YAML", "line 4")),
    "tab": ("name: demo\n\tscience: 1\n", ("not valid YAML", "line 2")),
    "key twice": (CONFIG + f"  {NETWORKS}\n", ("not valid YAML", "'networks'", "twice", "line")),
    "list": ("- name: demo\n", ("found list", "expected a mapping")),
    "nothing": ("", ("expected a mapping of keys to values",)),
    "not UTF-8": (b"name: \xff\xfe\n", ("not valid YAML", "utf-8")),
}


@pytest.mark.parametrize("wrong", CONFIGS)
def test_wrong_configuration(refused, sample_scene, tmp_path, wrong):
    """The message names file and place, before any scene is looked at: once, for two scenes."""
    text, words = CONFIGS[wrong]
    scenes = (sample_scene, tmp_path / "no.nc")
    words = ("run.yaml", *words)
    refused(WRONG_USE, "ConfigError", words, scenes=scenes, config=write_config(tmp_path, text))


def test_one_mistake_in_a_network_gives_one_complaint(refused, tmp_path):
    """A misspelt key is not reported a second time as a list of networks that is too short."""
    config = write_config(tmp_path, CONFIG.replace("name: iops", "name: iops, engin: numpy"))
    message = refused(WRONG_USE, "ConfigError", ("science.networks.0.engin",), config=config)
    assert "at least 1 item" not in message


@pytest.mark.parametrize("name", ["dmo", "folder/demo.yaml", "."])
def test_unknown_configuration(refused, name):
    """A name that is neither a file nor shipped: the shipped ones are listed."""
    words = (f"{name}: no such run configuration", "c2rcc_water, demo, ocsmart_chain, ocsmart_iops")
    refused(WRONG_USE, "ConfigError", words, config=name)


EXPRESSIONS = {
    "call": ("__import__('os').system('true') > 0", "not allowed"),
    "attribute": ("Rrs_443.real > 0", "not allowed"),
    "index": ("Rrs_443[0] > 0", "not allowed"),
    "text": ("Rrs_443 > 'a'", "not allowed"),
    "syntax": ("Rrs_443 >", "not an expression"),
    "no condition": ("Rrs_443 + 1", "not a condition"),
    "no name": ("1 > 0", "uses no variable of the scene"),
    "very deep": ("-" * 5000 + "Rrs_443 > 0", "not an expression"),
}


@pytest.mark.parametrize("wrong", EXPRESSIONS)
def test_expression_that_is_not_allowed(refused, sample_scene, tmp_path, wrong):
    """A mistake of the configuration, whatever the scene: exit code 2, once for two scenes."""
    text, word = EXPRESSIONS[wrong]
    config = write_config(tmp_path, f'{CONFIG}  masks: {{expressions: {{mine: "{text}"}}}}\n')
    second = tmp_path / "second.nc"
    second.symlink_to(sample_scene)
    words = ("masks.expressions.mine", word)
    scenes = (sample_scene, second)
    refused(WRONG_USE, "ConfigError", words, scenes=scenes, config=config)


# What is wrong -> the text of the configuration, words of the message.
CONFIGS_SEEN_WITH_A_SCENE = {
    "unknown sensor": (CONFIG + "  sensor: MODS\n", ("'MODS'", "known are EPIC", "MODIS-Aqua")),
    "unknown reader": (
        CONFIG + "  reader: {format: obgp}\n",
        ("'obgp'", "known readers are auto, obpg_l2"),
    ),
    "two networks with the same outputs": (
        CONFIG.replace("]", ", {name: again, file: demo_iops.h5}]"),
        ("adg_443, aph_443, bbp_547", "a prefix"),
    ),
    "flags of a network that are flags of the scene": (
        CONFIG.replace("name: iops", "name: l2"),
        ("l2_flags",),
    ),
    "flags of a network that are flags of the pixel": (
        CONFIG.replace("name: iops", "name: quality"),
        ("quality_flags",),
    ),
}


@pytest.mark.parametrize("wrong", CONFIGS_SEEN_WITH_A_SCENE)
def test_wrong_configuration_that_shows_with_a_scene(refused, sample_scene, tmp_path, wrong):
    """Still wrong configuration, exit code 2, and one message for two scenes."""
    text, words = CONFIGS_SEEN_WITH_A_SCENE[wrong]
    second = tmp_path / "second.nc"
    second.symlink_to(sample_scene)
    config = write_config(tmp_path, text)
    message = refused(WRONG_USE, "ConfigError", words, scenes=(sample_scene, second), config=config)
    assert "latitude" not in message


def test_source_date_epoch_that_is_no_number(refused):
    """The environment is part of the call: exit code 2."""
    words = ("SOURCE_DATE_EPOCH", "'yesterday'", "seconds since 1970", "unset")
    refused(WRONG_USE, "ConfigError", words, env={"SOURCE_DATE_EPOCH": "yesterday"})


def test_unknown_flag(refused, tmp_path):
    """The scene's flags are listed, and the nearest is proposed."""
    config = write_config(tmp_path, CONFIG + "  masks: {flags: [LAMD]}\n")
    words = ("unknown flag 'LAMD'", "ATMFAIL, LAND, PRODWARN", "Did you mean LAND?")
    message = refused(SCENE_FAILED, "SceneError", words, config=config)
    assert "SPARE" not in message


def test_unknown_name_in_an_expression(refused, tmp_path):
    """The scene's bands and variables are listed."""
    config = write_config(tmp_path, CONFIG + "  masks: {expressions: {dark: solz > 70}}\n")
    words = ("masks.expressions.dark", "unknown name 'solz'", "Rrs_412", "solar_zenith")
    refused(SCENE_FAILED, "SceneError", words, config=config)


# Use


@pytest.mark.parametrize("products", ["aph", "iops,aph", "", ","])
def test_products_that_are_no_networks(refused, products):
    """An unknown name, or none: the networks of the configuration are listed."""
    words = ("--products", "hoose among", "iops")
    options = ("--engine", "numpy", "--products", products)
    refused(WRONG_USE, "ConfigError", words, options=options)


def test_unknown_engine(refused):
    """The known engines are listed."""
    words = ("--engine", "'tensorfow'", "'auto', 'numpy', 'onnxruntime' or 'tensorflow'")
    refused(WRONG_USE, "ConfigError", words, options=("--engine", "tensorfow"))


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["run"], "Missing argument 'FILES | FOLDERS"),
        (["run", "scene.nc"], "Missing option '-c'"),
        (["run", "scene.nc", "-c", "demo", "--threads", "0"], "0 is not in the range"),
        (["run", "scene.nc", "-c", "demo", "--thread", "2"], "Did you mean '--threads'?"),
        (["rum", "scene.nc"], "Did you mean 'run'?"),
    ],
)
def test_wrong_use(ocpipe, arguments, word):
    """Usage and one line of error on stderr, exit code 2."""
    outcome = ocpipe(*arguments)
    assert outcome.code == WRONG_USE
    assert outcome.stderr.startswith("Usage: ocpipe")
    errors = [line for line in outcome.stderr.splitlines() if line.startswith("Error: ")]
    assert [word in line for line in errors] == [True]
    assert outcome.stdout == ""


# Output


def test_output_that_is_a_file(ocpipe, sample_scene, sample_networks, tmp_path):
    """Neither a file nor anything below it can be the output folder; the file is unchanged."""
    occupied = tmp_path / "file"
    occupied.write_text("mine")
    given = ("-c", "demo", "--networks", sample_networks, "--engine", "numpy")
    for folder in (occupied, occupied / "below", occupied / "far" / "below"):
        outcome = ocpipe("run", sample_scene, *given, "-o", folder)
        assert_one_message(outcome, SCENE_FAILED, "OutputError", str(folder), "Choose another")
    assert occupied.read_text() == "mine"


@pytest.fixture
def mounted(tmp_path) -> Iterator[Callable[[str], Path]]:
    """Mount a file system in memory with some options, where that is permitted."""
    folder = tmp_path / "mounted"
    folder.mkdir()
    with contextlib.ExitStack() as undo:

        def mount(options: str) -> Path:
            if shutil.which("mount") is None:
                pytest.skip("there is no command mount")
            command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                reason, _, _ = done.stderr.partition("\n")
                pytest.skip(f"no file system can be mounted here: {reason}")
            undo.callback(subprocess.run, ["umount", folder], check=True)
            return folder

        yield mount


def test_output_on_a_read_only_file_system(ocpipe, sample_scene, sample_networks, mounted):
    """The output is to blame, not the scene."""
    folder = mounted("ro")
    given = ("-c", "demo", "--networks", sample_networks, "--engine", "numpy")
    for output in (folder, folder / "below"):
        outcome = ocpipe("run", sample_scene, *given, "-o", output)
        words = (str(output), "cannot", "hoose another")
        assert_one_message(outcome, SCENE_FAILED, "OutputError", *words)


def without_right_to_write(folder: Path) -> list[str]:
    """What to put before a command so that it may not write there; nothing for most users."""
    for prefix in ([], ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--"]):
        if not prefix or shutil.which(prefix[0]):
            done = subprocess.run([*prefix, "test", "-w", folder], check=False)
            if done.returncode == 1:
                return prefix
    pytest.skip("this user may write anywhere, and cannot do without that right")


def test_output_without_permission(sample_scene, sample_networks, tmp_path):
    """A folder that may not be written to is named."""
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o555)
    given = ("-c", "demo", "--networks", sample_networks, "--engine", "numpy", "-o", folder)
    command = [*without_right_to_write(folder), OCPIPE, "run", sample_scene, *given]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)
    outcome = Outcome(done.returncode, done.stdout, done.stderr)
    words = (str(folder), "Permission denied", "hoose another")
    assert_one_message(outcome, SCENE_FAILED, "WriteError", *words)
    assert names_in(folder) == []


# Room on the disk. The product of the sample scene has more than 1 MB, without compression 4 MB.
FULL = {"at the first byte": 4096, "in the middle": 1_048_576}
UNCOMPRESSED = CONFIG + "  output: {compression_level: 0, chunk: [128, 128]}\n"


@pytest.mark.parametrize("when", [*FULL, "at the end"])
def test_full_disk(ocpipe, sample_scene, sample_networks, product, mounted, tmp_path, when):
    """The message says how much is free; not even a hidden file stays."""
    config = write_config(tmp_path, UNCOMPRESSED) if when in FULL else "demo"
    folder = mounted(f"size={FULL.get(when, product.stat().st_size - 8192)}")
    given = ("-c", config, "--networks", sample_networks, "--engine", "numpy", "-o", folder)
    outcome = ocpipe("run", sample_scene, *given)
    words = (
        str(folder),
        "cannot be written",
        "MB are free",
        "Nothing was left behind",
        "Free some disk space",
    )
    assert_one_message(outcome, SCENE_FAILED, "OutputError", *words)
    assert names_in(folder) == []


@pytest.mark.parametrize("size", [2000, 1_000_000])
def test_files_that_may_not_grow(ocpipe, sample_scene, sample_networks, tmp_path, size):
    """Where a quota ends the writing, the product of an earlier run stays as it was."""
    out = tmp_path / "out"
    out.mkdir()
    earlier = out / f"{sample_scene.stem}.demo.nc"
    earlier.write_text("earlier")
    config = write_config(tmp_path, UNCOMPRESSED)
    given = ("-c", config, "--networks", sample_networks, "--engine", "numpy", "-o", out)
    outcome = ocpipe("run", sample_scene, *given, largest_file=size)
    words = (str(out), "cannot be written", "Nothing was left behind")
    assert_one_message(outcome, SCENE_FAILED, "WriteError", *words)
    assert earlier.read_text() == "earlier"
    assert names_in(out) == [earlier.name]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_ended_by_a_signal(sample_scene, sample_networks, tmp_path, number, code):
    """In the middle of writing: the exit code says so, and the half-written file is gone."""
    out = tmp_path / "out"
    config = write_config(tmp_path, CONFIG + "  output: {chunk: [8, 8]}\n")
    given = ("-c", config, "--networks", sample_networks, "--engine", "numpy", "-o", out)
    gate = Gate(tmp_path / "gate.nc", sample_scene)
    gate.close()
    process = subprocess.Popen(
        [OCPIPE, "run", gate.path, *given],
        env=environment(**KNOWS_FAULTS),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A batch of commands in the background ignores SIGINT, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    )
    try:
        while not gate.is_reached() and process.poll() is None:
            time.sleep(0.01)
        (partial,) = names_in(out)
        assert partial.endswith(".partial")
        process.send_signal(number)
        gate.open()
        printed, errors = process.communicate()
    finally:
        process.kill()
    assert code == process.returncode
    assert names_in(out) == []
    assert printed == ""
    assert [noise for noise in NOISE if noise in errors] == []


# Looking at files


def test_inspect_says_what_is_wrong(ocpipe, sample_scene, networks, product, tmp_path):
    """A missing, an unknown, a cut and a damaged file, be it scene, network or product."""
    text = tmp_path / "text.nc"
    text.write_text("no scene")
    cut = tmp_path / "cut.nc"
    header = tmp_path / "header.nc"
    outcome = ocpipe("inspect", tmp_path / "no.nc")
    assert_one_message(outcome, SCENE_FAILED, "SceneError", "no.nc: no such file", "Check the path")
    assert_one_message(ocpipe("inspect", text), SCENE_FAILED, "UnknownFormatError", "a text file")
    for good in (sample_scene, networks / "demo_iops.h5", product):
        cut.write_bytes(good.read_bytes()[:-100])
        outcome = ocpipe("inspect", cut)
        (message,) = outcome.messages("error")
        assert_one_message(outcome, SCENE_FAILED, message.partition(":")[0], "cut.nc", FETCH)
    header.write_bytes(damaged(sample_scene, "geophysical_data/Rrs_443", at="header"))
    assert_one_message(ocpipe("inspect", header), SCENE_FAILED, "DamagedError", FETCH)


# What is wrong -> arguments after the name of the file, the class of the error, words.
PICTURES: dict[str, tuple[Callable[[Path, Path], object], list[str], str, tuple[str, ...]]] = {
    "no file": (lambda _, __: None, [], "SceneError", ("bad.nc", "o such file")),
    "text": (lambda bad, _: bad.write_text("text"), [], "SceneError", ("bad.nc", "product")),
    "cut": (
        lambda bad, good: bad.write_bytes(good.read_bytes()[:-100]),
        [],
        "SceneError",
        ("bad.nc", "product"),
    ),
    "damaged pixels": (
        lambda bad, good: bad.write_bytes(damaged(good, "aph_443", at="chunk")),
        [],
        "SceneError",
        ("bad.nc", "cannot be read"),
    ),
    "another netCDF": (
        lambda bad, _: other_netcdf(bad, "NETCDF4"),
        [],
        "SceneError",
        ("bad.nc", "is not a product of ocpipe"),
    ),
    "unknown variable": (
        lambda bad, good: shutil.copy(good, bad),
        ["--variables", "aph"],
        "SceneError",
        ("no variable aph", "aph_443, adg_443, bbp_547", "--variables"),
    ),
    "no such folder": (
        lambda bad, good: shutil.copy(good, bad),
        ["-o", "no/folder.png"],
        "WriteError",
        ("no/folder.png", "cannot be written"),
    ),
    "unknown kind of picture": (
        lambda bad, good: shutil.copy(good, bad),
        ["-o", "picture.xyz"],
        "WriteError",
        ("picture.xyz", "png"),
    ),
}


@pytest.mark.parametrize("wrong", PICTURES)
def test_quicklook_says_what_is_wrong(ocpipe, product, tmp_path, wrong):
    """One message, exit code 1, no picture."""
    make, options, error, words = PICTURES[wrong]
    make(tmp_path / "bad.nc", product)
    outcome = ocpipe("quicklook", tmp_path / "bad.nc", *options)
    assert_one_message(outcome, SCENE_FAILED, error, *words)
    assert set(names_in(tmp_path)) <= {"bad.nc"}


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.ETIMEDOUT])
@pytest.mark.parametrize("command", ["run", "batch", "check-config", "train"])
def test_a_disk_that_fails_under_a_configuration_is_no_wrong_use(
    tmp_path, monkeypatch, command, number
):
    """A scheduler would never call again; the same path without a fault is wrong use."""
    config = tmp_path / "mine.yaml"
    config.write_text("name: mine\n")
    before = {
        "run": ["run", "scene.nc", "-c", str(config), "-o", str(tmp_path)],
        "batch": ["batch", str(config), str(tmp_path), "-o", str(tmp_path / "out")],
        "check-config": ["check-config", str(config)],
        "train": ["train", str(config), "-o", str(tmp_path / "out")],
    }[command]
    assert CliRunner().invoke(main, before).exit_code == 2

    def fails(*_, **__):
        raise OSError(number, os.strerror(number), str(config))

    monkeypatch.setattr("pipeline.files.contents.read_bytes", fails)
    done = CliRunner().invoke(main, before)
    assert done.exit_code == 71
    assert errno.errorcode[number] in done.output
