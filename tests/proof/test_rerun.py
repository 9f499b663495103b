"""A product can be made again from its own record: the same bytes, whatever made it."""

import shutil

import h5py
import netCDF4
import numpy as np
import pytest
from click.testing import CliRunner
from miniatures.cases import CASES
from test_verify import made

from pipeline.cli import main
from pipeline.config import load_config
from pipeline.errors import WriteError
from pipeline.proof import differences, rerun_product
from pipeline.proof.rerun import first_different_byte


def repeated(product, **options):
    """The findings that failed."""
    found = rerun_product(product, **{"network_dirs": [product.parent], **options})
    return [finding for finding in found if not finding.passed]


@pytest.mark.quick
@pytest.mark.parametrize("name", sorted(CASES))
def test_products_of_every_format_are_repeated(tmp_path, name):
    """Byte by byte, and a comparison of the product with itself finds nothing."""
    product, _ = made(CASES[name], tmp_path)
    assert repeated(product) == []
    assert list(differences(product, product)) == []


@pytest.mark.tensorflow
@pytest.mark.parametrize("engine", ["numpy", "onnxruntime", "tensorflow"])
def test_products_of_every_engine_are_repeated(tmp_path, engine):
    """The engine is part of the record."""
    product, _ = made(CASES["polymer"], tmp_path, engine=engine)
    assert repeated(product) == []


@pytest.mark.tensorflow
@pytest.mark.parametrize("engine", ["onnxruntime", "tensorflow"])
def test_engines_agree_within_the_tolerance(tmp_path, engine):
    """Values differ in their last digits, flags are equal, and the engine is named."""
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
    first, _ = made(CASES["polymer"], folders[0])
    second, _ = made(CASES["polymer"], folders[1], engine=engine)
    within = list(differences(first, second, 1e-3))
    assert {each.part for each in within} <= {"attributes", "provenance"}
    assert any("science.engine" in each.where and engine in each.text for each in within)


def test_the_date_of_the_product_comes_before_any_other(tmp_path, monkeypatch):
    """Whatever SOURCE_DATE_EPOCH was when it was made, or is now."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1000000000")
    product, _ = made(CASES["polymer"], tmp_path)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "no number")
    assert repeated(product) == []


def test_the_order_of_options_of_a_reader_changes_no_byte(tmp_path):
    """A record keeps no order of keys."""
    options = {"units": "sr-1", "sensor": "S2A", "wavelengths": [443, 560]}
    backwards = dict(reversed(options.items()))
    network = [{"name": "net", "file": "net.h5"}]
    orders = [
        list(
            load_config(
                {
                    "name": "test",
                    "science": {"reader": {"format": "geotiff", "options": o}, "networks": network},
                }
            ).science.reader.options
        )
        for o in (options, backwards)
    ]
    assert orders[0] == orders[1]


def test_the_new_file_is_kept_on_request(tmp_path):
    """Under the name of the product, and never in its place."""
    product, _ = made(CASES["polymer"], tmp_path)
    assert repeated(product, output=tmp_path / "again") == []
    assert [path.name for path in (tmp_path / "again").iterdir()] == [product.name]
    assert (tmp_path / "again" / product.name).read_bytes() == product.read_bytes()
    with pytest.raises(WriteError, match="would replace the product itself"):
        repeated(product, output=tmp_path)


def test_nothing_is_left_in_the_temporary_folder(tmp_path, monkeypatch):
    """Neither after a repetition nor after a failure."""
    (tmp_path / "made").mkdir()
    (tmp_path / "temporary").mkdir()
    product, scene = made(CASES["polymer"], tmp_path / "made")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    assert repeated(product) == []
    assert list((tmp_path / "temporary").iterdir()) == []
    shutil.rmtree(scene) if scene.is_dir() else scene.unlink()
    (missing,) = repeated(product)
    assert missing.what == "input"
    assert list((tmp_path / "temporary").iterdir()) == []


def test_the_command_repeats_many_products(tmp_path):
    """Of folders, with several workers; one exit code for all."""
    for name in ("polymer", "occci_l3"):
        (tmp_path / name).mkdir()
        made(CASES[name], tmp_path / name)
    networks = [f"--networks={tmp_path / name}" for name in ("polymer", "occci_l3")]
    call = ["rerun", str(tmp_path), *networks, "--workers", "2"]
    done = CliRunner().invoke(main, call)
    assert (done.stdout.count(": repeated\n"), done.exit_code) == (2, 0)
    (product,) = (tmp_path / "polymer").glob("*.test.nc")
    with netCDF4.Dataset(product, "a") as file:
        file.setncattr("title", "something else")
    done = CliRunner().invoke(main, call)
    assert done.exit_code == 1
    assert f"{product.name}: NOT repeated\n" in done.stdout
    assert "only attributes or the record differ" in done.stdout


# Differences


@pytest.fixture
def pair(tmp_path):
    """Two copies of a product, the second to be changed."""
    product, _ = made(CASES["pace_oci"], tmp_path)
    return product, shutil.copy(product, tmp_path / "other.nc")


def change(path, variable, change_values):
    with h5py.File(path, "r+") as file:
        values = file[variable][...]
        change_values(values)
        file[variable][...] = values


def test_the_tolerance_is_relative_and_reaches_no_missing_value(pair):
    """A value that is missing once always differs."""
    first, second = pair

    def nudge(values):
        values[values > -30000] *= np.float32(1.0005)

    change(second, "aph_443", nudge)
    (found,) = differences(first, second)
    assert found.part == "values"
    assert "largest relative difference 0.0005" in found.text
    assert list(differences(first, second, tolerance=1e-3)) == []

    def remove(values):
        values[tuple(np.argwhere(values > -30000)[0])] = -32767

    change(second, "aph_443", remove)
    (found,) = differences(first, second, tolerance=1e-3)
    assert found.text.startswith("1 of 546 numbers differ; 1 have a value only in A")
    assert "no value in B" in found.text


def test_products_of_other_sizes_are_compared_as_far_as_possible(tmp_path):
    """Their record and attributes are; numbers are not."""
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
    first, _ = made(CASES["pace_oci"], folders[0])
    second, _ = made(CASES["pace_oci"], folders[1], window={"lines": (3, 19)})
    found = list(differences(first, second))
    assert ("size", "21 lines x 26 pixels in A, 16 lines x 26 pixels in B") in [
        (each.where, each.text) for each in found
    ]
    assert {each.part for each in found} == {"layout", "attributes", "provenance"}


def test_maps_differ_in_their_coordinates(tmp_path):
    """A coordinate has one dimension, the reference system has none."""
    product, _ = made(CASES["occci_l3"], tmp_path)
    other = shutil.copy(product, tmp_path / "other.nc")

    def move(values):
        values[3] += 1

    change(other, "x", move)
    (found,) = differences(product, other)
    assert (found.part, found.where) == ("values", "x")
    assert "at number 3" in found.text


def test_only_the_chosen_parts_are_compared(pair):
    """As --only says; a wrong part is a mistake in the call."""
    first, second = map(str, pair)
    with netCDF4.Dataset(second, "a") as file:
        file.setncattr("title", "something else")
    run = CliRunner().invoke
    assert run(main, ["diff", first, second]).exit_code == 1
    assert run(main, ["diff", first, second, "--only", "values,flags"]).exit_code == 0
    wrong = run(main, ["diff", first, second, "--only", "value"])
    assert wrong.exit_code == 2
    assert "expected some of layout, values, flags" in wrong.stderr


def test_a_long_text_is_shown_around_its_first_difference(pair):
    """Its start is the same in both products."""
    first, second = pair
    with netCDF4.Dataset(second, "a") as file:
        file.setncattr("history", f"{file.history} and something else")
    (found,) = differences(first, second)
    assert 'and something else" in B' in found.text
    assert len(found.text) < 300


@pytest.mark.parametrize(
    ("a", "b", "place"),
    [
        (b"", b"", None), (b"ab", b"ab", None), (b"ab", b"ac", 1), (b"ab", b"abc", 2),
        (b"", b"a", 0), (b"x" * (1 << 20) + b"a", b"x" * (1 << 20) + b"b", 1 << 20),
    ],
)  # fmt: skip
def test_the_first_byte_that_differs(tmp_path, a, b, place):
    """Counted from 0; the end of a file differs from a byte."""
    (tmp_path / "a").write_bytes(a)
    (tmp_path / "b").write_bytes(b)
    assert first_different_byte(tmp_path / "a", tmp_path / "b") == place
