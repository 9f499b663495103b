"""A product that is masked again is the product that would have been computed with the mask."""

import shutil

import h5py
import netCDF4
import numpy as np
import pytest
from click.testing import CliRunner
from miniatures.cases import CASES
from test_class_map import network, scene_of  # noqa: F401 - a fixture
from test_verify import made

import pipeline
from pipeline.cli import main
from pipeline.config import load_config
from pipeline.errors import ConfigError, SceneError
from pipeline.proof import mask_product, rerun_product
from pipeline.verify import verify_product


def assert_proved(product, folder):
    """Verify finds nothing, and the product can be repeated to the byte."""
    found = [
        *verify_product(product, network_dirs=[folder], sample=None),
        *rerun_product(product, network_dirs=[folder]),
    ]
    assert [finding for finding in found if not finding.passed] == []


def values(path, name):
    with netCDF4.Dataset(path) as file:
        file.set_auto_maskandscale(False)
        return file[name][...]


def median(path):
    found = values(path, aph(path))
    return float(np.median(found[found > -30000]))


def aph(path):
    with netCDF4.Dataset(path) as file:
        return next(name for name in file.variables if name.startswith("aph"))


def with_mask(case, folder, name, where, **science):
    """The product of a run with the mask; its date is that of the other product."""
    masks = {**science.pop("masks", {}), "results": [{"name": name, "where": where}]}
    return made(case, folder, masks=masks, **science)[0]


@pytest.fixture
def dated(monkeypatch):
    """All products have the same date."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")


@pytest.mark.quick
@pytest.mark.parametrize("name", sorted(CASES))
def test_a_masked_product_has_the_bytes_of_a_run_with_the_mask(tmp_path, dated, name):
    """Of every format; it is verified and repeated, too."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    product, _ = made(CASES[name], tmp_path / "a")
    where = f"{aph(product)} > {median(product)!r} or longitude > 179"
    masked = tmp_path / "a" / "masked.nc"
    excluded = mask_product(product, "high", where, masked)
    assert excluded > 0
    run = with_mask(CASES[name], tmp_path / "b", "high", where)
    assert masked.read_bytes() == run.read_bytes()
    assert_proved(masked, tmp_path / "a")


def test_masks_are_applied_in_turn(tmp_path):
    """A second mask judges only the pixels that are left; each has its bit and its line."""
    masks = {"flags": ["CLDICE"]}
    product, _ = made(CASES["pace_oci"], tmp_path, masks=masks)
    first, second = tmp_path / "first.nc", tmp_path / "second.nc"
    limit = median(product)
    count = mask_product(product, "high", f"aph_443 > {limit!r}", first)
    left = mask_product(first, "above", "aph_443 > 0", second)
    quality, before = values(second, "quality_flags"), values(product, "aph_443")
    assert count == np.count_nonzero((quality & (1 << 9)) != 0)
    assert left == np.count_nonzero((quality & (1 << 10)) != 0)
    assert (((quality & (1 << 9)) != 0) == (before > limit)).all()
    assert count + left == np.count_nonzero(before > 0)
    assert (values(second, "aph_443") == -32767).all()
    with netCDF4.Dataset(second) as file:
        control = file["processing_control"]
        assert control.mask_names == "CLDICE,high,above"
        assert control["masks"].masked_high == "results: aph_443"
        assert control["input_parameters"].science_masks_results_above_where == "aph_443 > 0"
        assert file["quality_flags"].flag_meanings.split()[-2:] == ["masked_high", "masked_above"]
    assert_proved(second, tmp_path)


def test_flags_have_names_in_a_condition(tmp_path):
    """Those of the scene and the pixel their own, those of a network with its name in front."""
    product, _ = made(CASES["pace_oci"], tmp_path)
    masked = tmp_path / "masked.nc"
    where = "CLDICE or geolocation_invalid or not net_output_out_of_range and latitude < 0"
    excluded = mask_product(product, "cloud", where, masked)
    cloudy = (values(product, "l2_flags") & flag(product, "l2_flags", "CLDICE")) != 0
    computed = values(product, "aph_443") > -30000
    outside = (
        values(product, "net_flags") & flag(product, "net_flags", "output_out_of_range")
    ) != 0
    south = values(product, "latitude") < 0
    expected = computed & (cloudy | (~outside & south))
    assert excluded == np.count_nonzero(expected) > 0
    assert (values(masked, "net_flags")[expected] == 0).all()
    assert_proved(masked, tmp_path)


def flag(path, variable, name):
    with netCDF4.Dataset(path) as file:
        names = file[variable].flag_meanings.split()
        return np.atleast_1d(file[variable].flag_masks)[names.index(name)]


def test_uncertainties_are_removed_too(tmp_path):
    """Nothing is left on a masked pixel."""
    uncertainty = {"inputs": {"Rrs": {"relative": 0.05}}}
    product, _ = made(CASES["pace_oci"], tmp_path, uncertainty=uncertainty)
    masked = tmp_path / "masked.nc"
    mask_product(product, "high", f"aph_443_unc > 0 and aph_443 > {median(product)!r}", masked)
    missing = values(masked, "aph_443") == -32767
    assert (missing == (values(masked, "aph_443_unc") == -32767)).all()
    assert missing.sum() > (values(product, "aph_443") == -32767).sum()
    assert_proved(masked, tmp_path)


def test_class_maps_are_masked_too(tmp_path, network):  # noqa: F811
    """A class is a number in a condition; 0 means that there is no class, so nothing is judged."""
    spectra = np.array([[0.02, 0.01, 0.001], [0.004, 0.01, 0.005], [0.003, 0.01, 0.02]])
    scene = scene_of(tmp_path, spectra[np.array([[0, 1], [2, 0], [1, 2]])])
    config = {
        "name": "types",
        "science": {
            "networks": [{"name": "types", "file": str(network)}],
            "masks": {"flags": ["LAND"]},
            "engine": "numpy",
        },
        "execution": {"output": str(tmp_path)},
    }
    product, masked = pipeline.process_scene(scene, config), tmp_path / "masked.nc"
    assert mask_product(product, "green", "water_type == 2", masked) == 2
    assert values(masked, "water_type").tolist() == [[1, 0], [3, 1], [0, 0]]
    assert values(masked, "water_type_probability")[0, 1] == -32767
    assert_proved(masked, network.parent)


@pytest.mark.tensorflow
@pytest.mark.parametrize("engine", ["onnxruntime", "tensorflow"])
def test_a_limit_between_two_engines_is_judged_as_the_run_did(tmp_path, engine):
    """The reference has other last digits than the engine, so it may judge otherwise."""
    product, _ = made(CASES["pace_oci"], tmp_path, engine=engine)
    stored = np.sort(np.unique(values(product, "aph_443")))
    masked = tmp_path / "masked.nc"
    for limit in map(float, stored[stored > -30000][::120]):
        mask_product(product, "exact", f"aph_443 >= {limit!r}", masked)
        assert_proved(masked, tmp_path)


@pytest.mark.parametrize(
    ("name", "where", "words"),
    [
        ("new", "xyz > 1", "'xyz' is not in the product; the product has"),
        ("new", "aph_44 > 1", "did you mean aph_443"),
        ("new", "Rrs_443 > 1", "belongs to masks.expressions"),
        ("new", "aph_443", "is not a condition"),
        ("new", "1 > 2", "uses no variable of the product"),
        ("new", "aph_443 >", "is not an expression"),
        ("new", "__import__('os') == latitude", "not allowed"),
        ("new", "CLDICE > 1", "found true or false, expected numbers"),
        ("LAND", "aph_443 > 1", "two mask rules are called LAND"),
        ("no name", "aph_443 > 1", "name"),
    ],
)
def test_a_wrong_condition_is_wrong_use(tmp_path, name, where, words):
    """The message says what the product has; nothing is written."""
    product, _ = made(CASES["pace_oci"], tmp_path, masks={"flags": ["LAND"]})
    with pytest.raises(ConfigError, match=words.replace("(", r"\(")):
        mask_product(product, name, where, tmp_path / "masked.nc")
    assert not (tmp_path / "masked.nc").exists()


def test_a_changed_product_is_not_masked(tmp_path):
    """New checksums would hide the change."""
    product, _ = made(CASES["pace_oci"], tmp_path)
    for number, place in enumerate(("aph_443", "input", "version")):
        copy = shutil.copy(product, tmp_path / f"copy{number}.nc")
        with h5py.File(copy, "r+") as file:
            if place == "aph_443":
                file[place][2, 2] = 9
            elif place == "input":
                file["processing_control/inputs/scene"].attrs["sha256"] = "0" * 64
            else:
                file["processing_control"].attrs["software_version"] = "0.0.1"
        words = {"aph_443": "checksums of aph_443", "input": "its key", "version": "version 0.0.1"}
        with pytest.raises(SceneError, match=words[place]):
            mask_product(copy, "new", "aph_443 > 1", tmp_path / "masked.nc")


def test_products_without_such_masks_record_nothing_of_them():
    """So their keys and the state of batches stay as they were."""
    chosen = {"name": "net", "file": "net.h5"}
    record = load_config({"name": "a", "science": {"networks": [chosen]}}).science_record()
    assert "results" not in record["science"]["masks"]


def test_the_command(tmp_path):
    """Into a file or a folder, or in place of the product; exit codes tell mistakes apart."""
    product, _ = made(CASES["pace_oci"], tmp_path)
    run = CliRunner().invoke
    call = ["mask", str(product), "--where", "aph_443 > 0.3", "--name", "high"]
    for wrong in (call, [*call, "-o", "x.nc", "--in-place"]):
        assert run(main, wrong).exit_code == 2
    (tmp_path / "out").mkdir()
    done = run(main, [*call, "-o", str(tmp_path / "out")])
    assert (done.exit_code, done.stdout) == (0, f"{tmp_path / 'out' / product.name}\n")
    assert "masked_high excludes" in done.stderr
    assert run(main, [*call, "--in-place"]).exit_code == 0
    assert product.read_bytes() == (tmp_path / "out" / product.name).read_bytes()
    again = run(main, [*call, "--in-place"])
    assert again.exit_code == 2
    assert "two mask rules are called high" in again.stderr
    assert_proved(product, tmp_path)
