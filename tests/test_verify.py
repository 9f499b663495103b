"""``ocpipe verify``: products of every format pass; whatever was changed is found and named."""

import errno
import json
import os
import shutil

import h5py
import netCDF4
import numpy as np
import pytest
from click.testing import CliRunner
from miniatures.cases import CASES
from small_network import write_network

import pipeline
from pipeline.cli import main
from pipeline.errors import SceneError
from pipeline.verify import verify_product


def network_for(case, folder):
    """Two bands of the format, tanh, log10 inputs and outputs."""
    bands = tuple(case.named_as.get(nm, nm) for nm in case.bands[:2])
    kernels = [np.array([[0.4, -0.6, 0.2], [0.5, 0.3, -0.7]]), np.array([[0.5], [-0.4], [0.3]])]
    return write_network(
        folder / "net.h5",
        bands=bands,
        kernels=kernels,
        outputs=("aph",),
        sensors=(case.sensor or "MODIS-Aqua",),
    )


def made(case, folder, **science):
    """A product of a miniature, beside its input and its network."""
    written = case.written(folder)
    network_for(case, folder)
    choice = {"name": "net", "file": "net.h5", "allow_other_sensor": True}
    config = {
        "name": "test",
        "science": {
            "reader": case.choice.model_dump(),
            "networks": [choice],
            "engine": "numpy",
            "output": {"chunk": [8, 8]},
            **science,
        },
        "execution": {"output": str(folder), "network_dirs": [str(folder)]},
    }
    return pipeline.process_scene(written.path, config), written.path


def findings(product, **options):
    """What verify says, by subject; the product's folder holds its networks."""
    found = verify_product(product, **{"network_dirs": [product.parent], **options})
    return {finding.what: finding for finding in found}


@pytest.mark.quick
@pytest.mark.parametrize("name", sorted(CASES))
def test_the_product_of_every_format_passes(tmp_path, name):
    """All pixels computed again agree, hashes and attributes are equal; maps keep their axes."""
    case = CASES[name]
    product, _ = made(case, tmp_path)
    found = findings(product, sample=None)
    assert [f for f in found.values() if not f.passed] == []
    assert set(found) == {"checksums", "record", "input", "network", "attributes", "pixels"}
    with netCDF4.Dataset(product) as file:
        assert ("spatial_ref" in file.variables) == case.is_map


@pytest.fixture
def product(tmp_path):
    """Of a PACE miniature, in a window, with masks, one of them grown."""
    bright = {"bright": "Rrs_443 > 0.021"}
    masks = {"flags": ["CLDICE"], "expressions": bright, "dilate": {"bright": 1}}
    return made(CASES["pace_oci"], tmp_path, window={"lines": (3, 19)}, masks=masks)


def test_windows_and_grown_masks_pass(product):
    """The recorded configuration is enough to repeat the run."""
    found = findings(product[0], sample=None)
    assert [f for f in found.values() if not f.passed] == []


def change(path, variable, change_values):
    """Change stored numbers in place, as an editor of files would."""
    with h5py.File(path, "r+") as file:
        values = file[variable][...]
        change_values(values)
        file[variable][...] = values


def computed_pixel(path):
    with netCDF4.Dataset(path) as file:
        return tuple(np.argwhere(~np.ma.getmaskarray(file["aph_443"][:]))[0])


@pytest.mark.quick
@pytest.mark.parametrize("variable", ["aph_443", "net_flags", "quality_flags", "l2_flags"])
def test_one_changed_number_is_found(product, variable):
    """By its checksum, and by computing the pixel again."""
    path, _ = product
    line, pixel = computed_pixel(path)

    def more(values):
        values[line, pixel] = values[line, pixel] * 1.5 if values.dtype.kind == "f" else 4

    change(path, variable, more)
    found = findings(path, sample=None)
    assert not found["checksums"].passed
    assert variable in found["checksums"].text
    assert not found["pixels"].passed
    assert f"{variable} at line {line}, pixel {pixel}" in found["pixels"].text
    assert found["input"].passed


def test_a_tiny_change_is_found_by_its_checksum(product):
    """Where it is too small for the tolerance of the reference."""
    path, _ = product
    place = computed_pixel(path)

    def nudge(values):
        values[place] = np.nextafter(values[place], np.float32(np.inf))

    change(path, "aph_443", nudge)
    found = findings(path, sample=10)
    assert not found["checksums"].passed
    assert found["pixels"].passed


@pytest.mark.parametrize(
    ("place", "name", "value"),
    [
        ("/", "title", "something else"),
        ("/", "geospatial_lat_min", 12.0),
        ("aph_443", "units", "cm-1"),
        ("quality_flags", "flag_meanings", "a b c d e f"),
        ("processing_control/networks/net", "licence", "none at all"),
        ("processing_control/masks", "masked_CLDICE", "nothing"),
    ],
)
def test_one_changed_attribute_is_found(product, place, name, value):
    """Of the file, of a variable, of the provenance; it is named."""
    path, _ = product
    with netCDF4.Dataset(path, "a") as file:
        target = file if place == "/" else file[place]
        target.setncattr(name, value)
    found = findings(path)
    assert not found["attributes"].passed
    assert name in found["attributes"].text
    assert found["checksums"].passed
    assert found["pixels"].passed


def test_an_added_attribute_and_a_changed_count_are_found(product):
    """Nothing may be added, and counts are counted again."""
    path, _ = product
    with netCDF4.Dataset(path, "a") as file:
        file.setncattr("colour", "blue")
        counts = file["processing_control/flag_percentages/quality_flags_count"]
        counts[0] = counts[0] + 1
    text = findings(path)["attributes"].text
    assert "colour" in text
    assert "quality_flags_count" in text


def test_another_network_is_found(product):
    """One changed byte of its weights: the hash differs, and the message says both."""
    path, _ = product
    network = path.parent / "net.h5"
    with h5py.File(network, "r+") as file:
        file["Bias/Layer1"][0] += 1e-12
    found = findings(path)
    assert not found["network"].passed
    assert "net.h5 is not the file the product was made with" in found["network"].text


def test_another_input_is_found(product):
    """One changed byte anywhere in it."""
    path, scene = product
    content = bytearray(scene.read_bytes())
    content[-1] ^= 1
    scene.write_bytes(content)
    found = findings(path)
    assert not found["input"].passed
    assert "is not the file the product was made from" in found["input"].text
    assert "pixels" not in found


def test_a_changed_file_in_a_folder_is_found(tmp_path):
    """The hash of a folder covers every file in it."""
    path, folder = made(CASES["olci_wfr"], tmp_path)
    with (folder / "xfdumanifest.xml").open("a") as manifest:
        manifest.write("<!-- changed -->")
    assert not findings(path)["input"].passed


def test_what_cannot_be_found_is_not_checked_and_says_where_it_was_looked_for(product, tmp_path):
    """Input and networks are looked for where one says, and beside the product."""
    path, scene = product
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.move(scene, elsewhere)
    alone = next(iter(findings(path).values()))
    assert alone.passed  # checksums need no input
    missing = findings(path)["input"]
    assert missing.word == "not checked"
    assert "--scene" in missing.text
    assert f"'{path.parent}'" in missing.text
    assert findings(path, scenes=[elsewhere])["input"].passed
    assert findings(path, scenes=[elsewhere / scene.name])["pixels"].passed
    assert {f.what: f for f in verify_product(path, scenes=[elsewhere])}["network"].passed
    shutil.move(path.parent / "net.h5", elsewhere / "other.h5")
    without = {f.what: f for f in verify_product(path, scenes=[elsewhere])}
    assert "net.h5 not found" in without["network"].text
    assert without["network"].word == "not checked"
    assert "pixels" not in without


def test_the_command_says_the_result_by_its_exit_code(product):
    """0 and 'verified', 1 and 'NOT verified', 1 for what is no product."""
    path, scene = product
    run = CliRunner().invoke
    options = ["verify", str(path), "--networks", str(path.parent), "--sample", "50"]
    good = run(main, options)
    assert good.exit_code == 0
    assert good.stdout.endswith(f"{path.name}: verified\n")
    with netCDF4.Dataset(path, "a") as file:
        file.setncattr("title", "something else")
    bad = run(main, options)
    assert bad.exit_code == 1
    assert "NOT verified" in bad.stdout
    assert run(main, ["verify", str(scene)]).exit_code == 1


def test_what_is_right_but_not_checked_has_its_own_exit_code(product):
    """3: nobody takes a product without its input for verified, nor for wrong."""
    path, scene = product
    scene.unlink()
    result = CliRunner().invoke(main, ["verify", str(path), "--networks", str(path.parent)])
    assert result.exit_code == 3
    assert "not checked  input" in result.stdout
    assert "nothing is wrong, but not verified without input; only checked: checksums, record" in (
        result.stdout
    )
    with netCDF4.Dataset(path, "a") as file:
        file["processing_control"].setncattr("key", "0" * 64)
    assert CliRunner().invoke(main, ["verify", str(path)]).exit_code == 1


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("", "software_version"),
        ("inputs/scene", "sha256"),
        ("networks/net", "fingerprint"),
        ("networks/net", "gains"),
    ],
)
def test_a_changed_record_does_not_fit_its_key(copy, place, name):
    """Even if neither the input nor a network is at hand."""
    path, scene = copy
    scene.unlink()
    (path.parent / "net.h5").unlink()
    record(path, place, **{name: "other"})
    found = {f.what: f for f in verify_product(path)}
    assert found["record"].word == "FAILED"
    assert "was changed after the product was written" in found["record"].text


def test_most_of_the_sample_has_values(product):
    """A product that is nearly empty is not verified by its fill values."""
    path, _ = product
    with netCDF4.Dataset(path) as file:
        valued = int(np.ma.count(file["aph_443"][:]))
    text = findings(path, sample=50)["pixels"].text
    assert f"({min(40, valued)} with values)" in text


def test_values_off_by_a_factor_are_found_in_a_small_sample(product):
    """Even where checksums were made to fit: pixels are computed again."""
    path, _ = product

    def double(values):
        values[values > -32767] *= 1.01

    change(path, "aph_443", double)
    assert not findings(path, sample=20)["pixels"].passed


def test_another_fill_value_and_a_foreign_variable_are_found(product):
    """The fill value decides what is a number; nothing may be added."""
    path, _ = product
    with h5py.File(path, "r+") as file:
        file["aph_443"].attrs["_FillValue"] = np.array([0.5], np.float32)
    with netCDF4.Dataset(path, "a") as file:
        file.createVariable("foreign", "f4", ("x",))
    text = findings(path)["attributes"].text
    assert "aph_443: _FillValue" in text
    assert "foreign" in text


def test_odd_attributes_of_the_input_neither_stop_a_run_nor_a_verification(tmp_path):
    """NaN, half precision, complex numbers, odd names, NUL inside: carried as far as can be."""
    case = CASES["pace_oci"]
    written = case.written(tmp_path)
    with h5py.File(written.path, "r+") as file:
        file.attrs["nothing"] = np.float32("nan")
        file.attrs["half"] = np.float16(0.5)
        file.attrs["complex"] = np.complex64(1 + 2j)
        file.attrs["a name "] = "text"
        file.attrs["cut"] = np.bytes_(b"abc\0def")
    network_for(case, tmp_path)
    config = {
        "name": "test",
        "science": {"networks": [{"name": "net", "file": "net.h5"}], "engine": "numpy"},
        "execution": {"output": str(tmp_path), "network_dirs": [str(tmp_path)]},
    }
    found = findings(pipeline.process_scene(written.path, config), sample=20)
    assert [f for f in found.values() if not f.passed] == []


def test_a_product_of_another_layout_is_refused(product):
    """By inspect and verify alike, saying what its record lacks."""
    path, _ = product
    with h5py.File(path, "r+") as file:
        del file["processing_control/checksums"]
    for command in ("verify", "inspect"):
        result = CliRunner().invoke(main, [command, str(path)])
        assert result.exit_code == 1
        assert result.exception is None or isinstance(result.exception, SystemExit)
    with pytest.raises(SceneError, match="lacks group processing_control/checksums"):
        next(verify_product(path))


def test_networks_are_told_apart_by_their_hash(product, tmp_path):
    """Another file of the same name in the first folder does not hide the right one."""
    path, _ = product
    other = tmp_path / "others"
    other.mkdir()
    write_network(other / "net.h5", seed=9)
    found = {f.what: f for f in verify_product(path, network_dirs=[other, path.parent])}
    assert found["network"].passed
    assert found["pixels"].passed


# Products that somebody changed, so that they lead elsewhere

CANARY = "the text of another file"


@pytest.fixture(scope="module")
def made_once(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    return made(CASES["pace_oci"], folder, window={"lines": (3, 19)})


@pytest.fixture
def copy(made_once, tmp_path):
    """A product beside its input and its network, to be changed."""
    folder = tmp_path / "copy"
    shutil.copytree(made_once[0].parent, folder)
    return tuple(folder / path.name for path in made_once)


@pytest.fixture
def opened(monkeypatch):
    """The files that verify hashes or reads as networks."""
    from pipeline.verify import sources

    seen = []
    for name in ("sha256_of", "load_retrieval"):
        original = getattr(sources, name)
        monkeypatch.setattr(
            sources, name, lambda path, original=original: seen.append(path) or original(path)
        )
    return seen


def record(path, place, **attributes):
    with h5py.File(path, "r+") as file:
        file[f"processing_control/{place}"].attrs.update(attributes)


def reconfigure(path, change):
    with h5py.File(path, "r+") as file:
        attributes = file["processing_control/input_parameters"].attrs
        configuration = json.loads(attributes["configuration"])
        change(configuration)
        attributes["configuration"] = json.dumps(configuration)


@pytest.fixture
def canary(tmp_path):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    path = folder / "canary.h5"
    path.write_text(f"{CANARY}\n" * 9)
    return path


@pytest.mark.parametrize(
    "file", ["CANARY", "../canary.h5", "elsewhere/canary.h5", ".", "..", "", "a/..", "x" * 300]
)
@pytest.mark.parametrize("of", ["inputs/scene", "networks/net"])
def test_only_the_name_of_a_recorded_file_is_used(copy, canary, opened, of, file):
    """A path would let a product choose which file is read."""
    path, scene = copy
    record(path, of, file=file.replace("CANARY", str(canary)))
    found = findings(path, scenes=[canary.parent, scene])
    assert not found["input" if "scene" in of else "network"].passed
    assert not {canary, canary.parent, path.parent} & {p.resolve() for p in opened}
    assert all(CANARY not in finding.text for finding in found.values())
    assert "pixels" not in found


def test_a_file_that_a_product_names_is_not_quoted(copy, canary):
    """Even if it lies where networks are looked for."""
    path, _ = copy
    record(path, "networks/net", file=canary.name, sha256=f"\x1b{CANARY}")
    reconfigure(path, lambda c: c["science"]["networks"][0].update(file=canary.name))
    found = {f.what: f for f in verify_product(path, network_dirs=[canary.parent])}
    assert canary.name in found["network"].text
    assert CANARY not in found["network"].text


def test_a_named_pipe_is_no_input(copy, opened):
    """Reading it would never end."""
    path, scene = copy
    scene.unlink()
    os.mkfifo(scene)
    os.mkfifo(path.parent / "other.h5")
    record(path, "networks/net", file="other.h5")
    found = findings(path)
    assert not found["input"].passed
    assert opened == []


def first_network(**changes):
    return lambda configuration: configuration["science"]["networks"][0].update(changes)


@pytest.mark.parametrize(
    "change",
    [
        first_network(file="/etc/passwd"),
        first_network(file="../net.h5"),
        first_network(name="other"),
        first_network(if_possible=True),
        first_network(file=["net.h5"]),
        lambda c: c["science"]["output"].update(chunk=[0, 8]),
        lambda c: c["science"]["output"].update(chunk=["8", f"\x1b{CANARY}"]),
        lambda c: c["science"]["output"].update(chunk=None),
        lambda c: c["science"].update(networks=[]),
        lambda c: c["science"].update(masks={"dilate": {"x": 10**9}}),
        lambda c: c.update(execution={"network_dirs": ["/"]}),
        lambda c: c.update(batch={"inputs": ["/"]}),
        lambda c: c.clear(),
    ],
)
def test_a_configuration_that_no_product_records_is_not_used(copy, opened, change):
    """Its types, its limits, and that it leads to no file."""
    path, _ = copy
    reconfigure(path, change)
    found = findings(path)
    assert not found["run"].passed
    assert "recorded configuration" in found["run"].text
    assert CANARY not in found["run"].text
    assert opened == []


@pytest.mark.parametrize(("most", "limit"), [("MOST_PIXELS_OF_BLOCK", 63), ("MOST_BLOCKS", 1)])
def test_blocks_are_bounded(copy, monkeypatch, most, limit):
    """In pixels and in number; both numbers are in the message."""
    from pipeline.product import recorded

    monkeypatch.setattr(recorded, most, limit)
    text = findings(copy[0])["run"].text
    assert f"expected at most {limit}" in text


@pytest.mark.parametrize(
    ("variable", "attribute"), [("quality_flags", "flag_masks"), ("net_flags", "flag_meanings")]
)
def test_a_record_that_does_not_fit_is_an_error_without_its_text(copy, variable, attribute):
    """Whatever fails with it."""
    path, _ = copy
    with h5py.File(path, "r+") as file:
        file[variable].attrs[attribute] = CANARY
    try:
        found = findings(path)
        assert not all(finding.passed for finding in found.values())
        texts = [finding.text for finding in found.values()]
    except SceneError as error:
        texts = [str(error)]
    assert all(CANARY not in text for text in texts)


@pytest.mark.parametrize("where", ["the scene's bytes", "the scene's pixels"])
def test_a_scene_that_cannot_be_read_is_not_the_fault_of_the_product(copy, monkeypatch, where):
    """Its permissions or its disk are the reason, and the finding says so."""
    from pipeline.verify import sources

    path, scene = copy
    refused = PermissionError(errno.EACCES, "Permission denied", str(scene))

    def refuse(*_):
        raise refused

    if where == "the scene's bytes":
        monkeypatch.setattr(sources, "sha256_of", refuse)
    else:
        monkeypatch.setattr("pipeline.verify.check_pixels", refuse)
    found = findings(path, scenes=[scene])["input" if "bytes" in where else "run"]
    assert not found.passed
    assert "you have no permission to read it" in found.text
    assert "product" not in found.text


def test_a_broken_network_before_the_right_one(copy, tmp_path):
    """The one with the recorded hash is used, wherever it lies."""
    path, scene = copy
    (name,) = (p.name for p in path.parent.glob("*.h5"))
    (tmp_path / "first").mkdir()
    (tmp_path / "first" / name).write_bytes(b"no network")
    found = findings(path, scenes=[scene], network_dirs=[tmp_path / "first", path.parent])
    assert found["network"].passed
    assert found["pixels"].passed
