"""Products of other versions: numbers are judged, and what only differs by version is a note."""

import h5py
import netCDF4
import numpy as np
import pytest
from click.testing import CliRunner
from miniatures.cases import CASES
from old_products import unpacked_batch, unpacked_products

from pipeline.cli import main
from pipeline.verify import result_of, verify_product

OTHERS = ("algorithm", "masks_and_window", "onnxruntime", "tensorflow")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return unpacked_products(tmp_path_factory.mktemp("old"))


@pytest.fixture
def product(tmp_path):
    """One that may be changed."""
    return next((unpacked_products(tmp_path) / "pace_oci").glob("*.old.nc"))


def findings(product, **options):
    found = verify_product(product, network_dirs=[product.parent], sample=None, **options)
    return {finding.what: finding for finding in found}


def change(product, place, **attributes):
    with netCDF4.Dataset(product, "a") as file:
        (file[place] if place else file).setncatts(attributes)


@pytest.mark.parametrize("name", [*sorted(CASES), *OTHERS])
def test_a_product_of_0_2_0_is_verified(folder, name):
    """Every format and engine; the only differences are notes.

    One is about the version. Where the shipped mapping has more variables today (the azimuths of
    C2RCC), the other one is about the recorded mapping.
    """
    (product,) = (folder / name).glob("*.old.nc")
    found = findings(product)
    assert result_of([*found.values()]).text == "verified"
    mapped = {"attributes"} if name == "c2rcc" else set()
    assert {f.what for f in found.values() if f.word != "ok"} == {"version", *mapped}
    assert all(found[what].text.endswith("scene/: source_mapping") for what in mapped)
    assert "made by version 0.2.0" in found["version"].text
    assert {"checksums", "record", "input", "attributes", "pixels"} < set(found)


def test_words_of_another_version_are_a_note(product):
    """They are named, and the exit code is 0."""
    change(product, "", title="other words")
    change(product, "processing_control/networks/net", added="by a later version")
    found = findings(product)
    assert found["attributes"].word == "note"
    assert "global attributes: title" in found["attributes"].text
    assert "networks/net/: added" in found["attributes"].text
    result = CliRunner().invoke(main, ["verify", str(product), "--networks", str(product.parent)])
    assert result.exit_code == 0
    assert result.stdout.endswith(": verified\n")


@pytest.mark.parametrize(
    ("place", "attributes", "what"),
    [
        ("aph_443", {"units": "cm-1"}, "attributes"),
        ("net_flags", {"flag_meanings": "a b c d e"}, "attributes"),
        ("processing_control/inputs/scene", {"sha256": "0" * 64}, "record"),
        ("processing_control", {"software_version": "0.1.0"}, "record"),
    ],
)
def test_what_gives_numbers_their_meaning_is_judged_in_each_version(
    product, place, attributes, what
):
    """Units, flags and the record are no words."""
    change(product, place, **attributes)
    assert findings(product)[what].word == "FAILED"


def test_changed_values_of_an_old_product_are_found(product):
    """By checksum and by pixel."""
    with h5py.File(product, "r+") as file:
        values = file["aph_443"][...]
        values[values > 0] *= 2
        file["aph_443"][...] = values
    found = findings(product)
    assert found["checksums"].word == "FAILED"
    assert found["pixels"].word == "FAILED"


def test_other_numbers_are_not_judged(product, monkeypatch):
    """If this version may compute other numbers, a difference is neither right nor wrong."""
    monkeypatch.setattr("pipeline.verify.versions.NUMBERS_VERSION", 2)
    assert findings(product)["pixels"].word == "ok"
    assert "1 in the product, 2 here" in findings(product)["version"].text
    from pipeline.verify import pixels

    monkeypatch.setattr(pixels, "_agree", lambda found, *_: np.zeros(found.shape, bool))
    found = findings(product)
    assert found["pixels"].word == "not checked"
    assert "Verify with version 0.2.0" in found["pixels"].text


def test_a_configuration_of_another_version_is_not_checked(product):
    """Nothing is known to be wrong; the record says which version understands it."""
    with h5py.File(product, "r+") as file:
        attributes = file["processing_control/input_parameters"].attrs
        configuration = attributes["configuration"].decode()
        attributes["configuration"] = configuration.replace(
            '"science": {', '"science": {"later": 1, '
        )
    found = findings(product)
    assert found["run"].word == "not checked"
    assert "Use version 0.2.0" in found["run"].text


def test_the_path_of_the_input_comes_from_the_ledger(tmp_path):
    """That of the output folder, and one that is given; a message says what was tried."""
    batch = unpacked_batch(tmp_path)
    command = ["verify", str(batch / "out/S0.old.nc"), "--networks", str(batch)]
    assert CliRunner().invoke(main, command).exit_code == 0
    ledger = (batch / "out/ocpipe-ledger.sqlite").rename(tmp_path / "elsewhere.sqlite")
    assert CliRunner().invoke(main, command).exit_code == 3
    assert CliRunner().invoke(main, [*command, "--ledger", str(ledger)]).exit_code == 0
    (batch / "in").rename(batch / "moved")
    result = CliRunner().invoke(main, [*command, "--ledger", str(ledger)])
    assert result.exit_code == 3
    assert f"and at '{batch}/in/S0.nc' (from the ledger)" in result.stdout


def test_rerun_takes_the_path_of_the_input_from_the_ledger(tmp_path):
    """As verify does; --ledger gives a ledger that is elsewhere."""
    batch = unpacked_batch(tmp_path)
    command = ["rerun", str(batch / "out/S0.old.nc"), "--networks", str(batch)]
    assert "input       S0.nc, sha256 equal" in CliRunner().invoke(main, command).stdout
    ledger = (batch / "out/ocpipe-ledger.sqlite").rename(tmp_path / "elsewhere.sqlite")
    assert "S0.nc not found" in CliRunner().invoke(main, command).stdout
    result = CliRunner().invoke(main, [*command, "--ledger", str(ledger)])
    assert "input       S0.nc, sha256 equal" in result.stdout
