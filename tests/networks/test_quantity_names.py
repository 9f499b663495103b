"""Names of quantities: what OC-SMART calls at is apg, as in optics, and former names still work."""

import json
import logging

import h5py
import netCDF4
import numpy as np
import pytest
from small_network import write_network

import pipeline
from pipeline.facts.quantities import meaning_changed, quantities, renamed, stands_for
from pipeline.facts.sea_water import water_absorption, water_backscattering
from pipeline.networks import load_network

MODIS_RRS = (412, 443, 488, 531, 547, 667, 678, 748)


def ocsmart_file(path):
    """Write a file of OC-SMART's layout that does not describe itself: 8 bands in, 7 out."""
    write_network(path, bands=MODIS_RRS, outputs=("x",) * 7)
    with h5py.File(path, "r+") as file:
        del file.attrs["ocpipe_description"]
    return path


def taking(path, quantity):
    """Write a network that takes a quantity at 443 and 488 nm."""
    write_network(path, bands=(443, 488), outputs=("chlor_a",))
    with h5py.File(path, "r+") as file:
        described = json.loads(file.attrs["ocpipe_description"])
        for one in described["inputs"]:
            one |= {"quantity": quantity, "units": "m-1"}
        file.attrs["ocpipe_description"] = json.dumps(described)
    return path


def settings(folder, *files):
    networks = [{"name": f"n{number}", "file": file} for number, file in enumerate(files)]
    return {
        "name": "test",
        "science": {"networks": networks, "bands": {"tolerance_nm": 1}},
        "execution": {"output": str(folder / "out"), "network_dirs": [str(folder)]},
    }


def test_a_quantity_stands_for_itself_and_for_its_former_name():
    """Only apg has a former name; an empty name stands for nothing."""
    assert stands_for("apg", "apg")
    assert stands_for("ap", "apg")
    assert not stands_for("apg", "ap")
    assert not stands_for("", "aph")
    assert not stands_for("adg", "apg")
    assert renamed("aph", "aph") == ""
    assert "which older versions called ap. Write apg" in renamed("ap", "apg")
    assert [name for name in quantities() if meaning_changed(name)] == ["ap"]


@pytest.mark.parametrize(
    ("kind", "quantity", "own", "meaning"),
    [
        ("apNN", "apg", "apNN, at", "absorption coefficient due to particles and dissolved matter"),
        ("bpNN", "bp", "bpNN, bt", "scattering coefficient due to particles"),
    ],
)
def test_a_product_has_the_optical_name_and_its_record_ocsmarts(
    sample_scene, tmp_path, kind, quantity, own, meaning
):
    """Variables are named as in optics; the record has file and names of the network."""
    file = ocsmart_file(tmp_path / f"MODIS-Aqua_{kind}.h5")
    path = pipeline.process_scene(sample_scene, settings(tmp_path, file.name))
    with netCDF4.Dataset(path) as product:
        found = [name for name in product.variables if name.startswith(f"{quantity}_")]
        assert len(found) == 7
        assert all(product[name].long_name.startswith(f"{meaning} at ") for name in found)
        recorded = product["processing_control/networks/n0"]
        assert recorded.file == file.name
        assert recorded.getncattr("name") == f"MODIS-Aqua_{kind}"
        assert own in recorded.title


def test_pure_water_is_in_neither(ocsmart):
    """The training ranges of OC-SMART's networks begin below the coefficients of pure water."""
    apg = load_network(ocsmart / "MODIS-Aqua_apNN.h5").outputs[5]
    assert (apg.name, apg.physical_range[0]) == ("apg_667", pytest.approx(0.0002, rel=0.1))
    assert apg.physical_range[0] < 0.001 * water_absorption(np.array([667.0]))[0]
    bp = load_network(ocsmart / "SGLI_bpNN.h5").outputs[0]
    assert (bp.name, bp.physical_range[0]) == ("bp_380", pytest.approx(0.0074, rel=0.01))
    assert bp.physical_range[0] < 2 * water_backscattering(np.array([380.0]))[0]


def test_a_chain_with_the_former_name_works_and_warns(sample_scene, tmp_path, caplog):
    """A network that takes ap gets the same numbers as one that takes apg."""
    ocsmart_file(tmp_path / "MODIS-Aqua_apNN.h5")
    taking(tmp_path / "old.h5", "ap")
    taking(tmp_path / "new.h5", "apg")
    values = {}
    for name in ("old", "new"):
        config = settings(tmp_path, "{sensor}_apNN.h5", f"{name}.h5") | {"name": name}
        caplog.clear()
        with caplog.at_level(logging.WARNING, logger="pipeline"):
            path = pipeline.process_scene(sample_scene, config)
        assert caplog.text.count("ap is taken for apg") == (name == "old")
        with netCDF4.Dataset(path) as product:
            values[name] = np.ma.filled(product["chlor_a_443"][...], np.nan)
    assert np.isfinite(values["old"]).any()
    np.testing.assert_array_equal(values["old"], values["new"])


DESCRIBED = """
schema: 1
name: own
sensors: [MODIS-Aqua]
weights: own_weights.h5
activations: [tanh, linear]
inputs:
  - {quantity: Rrs, wavelength_nm: 443, units: sr-1, transform: log10, scaling: minmax}
  - {quantity: Rrs, wavelength_nm: 488, units: sr-1, transform: log10, scaling: minmax}
outputs:
  - {quantity: QUANTITY, wavelength_nm: 443, units: m-1, transform: log10, scaling: minmaxLONG}
"""


@pytest.mark.parametrize(
    ("quantity", "long_name", "warns"),
    [("ap", "", True), ("ap", ", long_name: all but water", False), ("apg", "", False)],
)
def test_a_description_with_an_unclear_name_warns(tmp_path, caplog, quantity, long_name, warns):
    """The name ap meant particles and dissolved matter; a long name says what is meant."""
    write_network(tmp_path / "own_weights.h5", bands=(443, 488), outputs=("x",))
    text = DESCRIBED.replace("QUANTITY", quantity).replace("LONG", long_name)
    (tmp_path / "own.yaml").write_text(text)
    with caplog.at_level(logging.WARNING, logger="pipeline"):
        network = load_network(tmp_path / "own.yaml")
    assert ("in older versions it was" in caplog.text) == warns
    assert network.outputs[0].name == f"{quantity}_443"
