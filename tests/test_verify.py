"""``ocpipe verify``: products of every format pass; whatever was changed is found and named."""

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
    found = verify_product(product, network_dirs=[product.parent], **options)
    return {finding.what: finding for finding in found}


@pytest.mark.parametrize("name", sorted(CASES))
def test_the_product_of_every_format_passes(tmp_path, name):
    """All pixels computed again agree, hashes and attributes are equal; maps keep their axes."""
    case = CASES[name]
    product, _ = made(case, tmp_path)
    found = findings(product, sample=None)
    assert [f for f in found.values() if not f.passed] == []
    assert set(found) == {"checksums", "input", "network", "attributes", "pixels"}
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


def test_what_cannot_be_found_is_a_failure_that_says_where_it_was_looked_for(product, tmp_path):
    """Input and networks are looked for where one says, and beside the product."""
    path, scene = product
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.move(scene, elsewhere)
    alone = next(iter(findings(path).values()))
    assert alone.passed  # checksums need no input
    assert "--scene" in findings(path)["input"].text
    assert findings(path, scenes=[elsewhere])["input"].passed
    assert findings(path, scenes=[elsewhere / scene.name])["pixels"].passed
    without = {f.what: f for f in verify_product(path, scenes=[elsewhere])}
    assert not without["network"].passed


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
