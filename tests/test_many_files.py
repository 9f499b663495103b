"""Commands on many files: files, folders, patterns, lists and standard input, one exit code."""

import json
import shutil

import pytest
from click.testing import CliRunner
from miniatures.cases import CASES
from test_verify import made, network_for

from pipeline.cli import main
from pipeline.product.search import find_products


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """Three products in folders beside their input, and files that never were products."""
    folder = tmp_path_factory.mktemp("archive")
    product, _ = made(CASES["pace_oci"], folder)
    for name in ("2024/a.nc", "2024/05/b.nc", "2024/.hidden.nc", ".git/c.nc"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(product, folder / name)
    (folder / "2024" / "readme.txt").write_text("no product")
    (folder / "2024" / "classic.nc").write_bytes(b"CDF\x01" + bytes(28))
    return folder, product


def call(*arguments, stdin=None):
    done = CliRunner().invoke(main, [str(each) for each in arguments], input=stdin)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


def verify(archive, *inputs, **how):
    folder = archive[0]
    return call("verify", *inputs, "--networks", folder, "--scene", folder, "--sample", 9, **how)


def verified(done):
    return [line for line in done.stdout.splitlines() if line.endswith(": verified")]


@pytest.mark.quick
def test_a_folder_stands_for_the_products_in_it(archive):
    """At any depth, but not hidden ones; scenes, classic netCDF files and texts are left out."""
    folder, product = archive
    found = [path.relative_to(folder).as_posix() for path in find_products([str(folder)])]
    assert found == [product.name, "2024/a.nc", "2024/05/b.nc"]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda data: data[:0], "damaged.nc: this file is empty"),
        (lambda data: data[: len(data) // 2], "damaged.nc: this file is cut short or damaged"),
        (lambda data: bytes(len(data)), "damaged.nc: this file is cut short or damaged"),
    ],
    ids=["empty", "cut short", "zeros"],
)
def test_a_damaged_product_is_not_left_out(archive, tmp_path, damage, words):
    """It does not look like a product any more, but an archive with it is not verified."""
    _, product = archive
    shutil.copy(product, tmp_path / "whole.nc")
    (tmp_path / "damaged.nc").write_bytes(damage(product.read_bytes()))
    done = verify(archive, tmp_path, "--workers", 1)
    assert done.exit_code == 1
    assert words in done.stderr
    assert "1 of 2 products verified" in done.stderr


@pytest.mark.parametrize("workers", [1, 2])
def test_products_are_named_in_every_way(archive, tmp_path, workers):
    """Each once, in the order of the inputs, with one or several workers."""
    folder, product = archive
    (tmp_path / "list").write_text(f"# b\n{folder}/2024/05/b.nc\n")
    inputs = (f"@{tmp_path}/list", f"{folder}/2024/a*.nc", "-", folder / "2024")
    done = verify(archive, *inputs, "--workers", workers, stdin=f"{product}\n")
    assert done.exit_code == 0
    assert verified(done) == [f"{name}: verified" for name in ("b.nc", "a.nc", product.name)]
    assert "3 of 3 products verified" in done.stderr


@pytest.mark.parametrize("workers", [1, 2])
def test_one_bad_product_gives_exit_code_1(archive, tmp_path, workers):
    """The others are verified; JSON has a line for each file."""
    folder, product = archive
    (tmp_path / "no.nc").write_bytes(b"")
    files = (product, tmp_path / "no.nc", tmp_path / "missing.nc", folder / "2024" / "a.nc")
    done = verify(archive, *files, "--json", "--workers", workers)
    facts = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.exit_code == 1
    assert [each["passed"] for each in facts] == [True, False, False, True]
    assert [each["file"] for each in facts] == [str(path) for path in files]
    assert "this file is empty" in facts[1]["error"]
    assert "no such file" in facts[2]["error"]
    assert [each["what"] for each in facts[0]["findings"]] == [
        "checksums", "record", "input", "network", "attributes", "pixels",
    ]  # fmt: skip


@pytest.mark.parametrize("command", ["verify", "rerun", "quicklook"])
@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        (["FOLDER/nothing*.nc"], "no path matches"),
        (["FOLDER/other/*.nc"], "there is no folder"),
        (["FOLDER/empty"], "has no product of ocpipe"),
        (["@FOLDER/list"], "contains no paths"),
        (["@FOLDER/none"], "cannot read the list"),
        ([""], "a variable of the shell"),
        (["s3://bucket/a.nc"], "files on this machine only"),
    ],
)
def test_inputs_that_name_nothing_are_wrong_use(tmp_path, command, inputs, words):
    """Exit code 2, and nothing ends silently."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "list").write_text("# nothing\n")
    done = call(command, *(each.replace("FOLDER", str(tmp_path)) for each in inputs))
    assert done.exit_code == 2
    assert words in done.stderr


def test_inspect_describes_all_files_of_a_folder(tmp_path):
    """Scenes, products and networks; JSON has the same facts."""
    made(CASES["pace_oci"], tmp_path)
    done = call("inspect", tmp_path)
    assert done.exit_code == 0
    starts = {line.split()[0] for line in done.stdout.splitlines() if line}
    assert {"scene", "product", "network"} <= starts
    found = call("inspect", tmp_path, "--json", "--workers", 1).stdout.splitlines()
    facts = [json.loads(line)["facts"] for line in found]
    assert len(facts) == 3
    (scene,) = (each for each in facts if "scene" in each)
    assert scene["size"] == ["21 lines x 26 pixels"]
    (product,) = (each for each in facts if "product" in each)
    assert product["made by"][0].startswith("ocpipe")


def test_pictures_of_several_products(archive, tmp_path):
    """Beside the products, or in a folder; not two of one name."""
    folder = archive[0]
    (tmp_path / "out").mkdir()
    products = [folder / "2024" / "a.nc", folder / "2024" / "05" / "b.nc"]
    done = call("quicklook", *products, "-o", tmp_path / "out")
    assert done.exit_code == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "b.png"]
    done = call("quicklook", *products, "-o", tmp_path / "missing")
    assert done.exit_code == 2
    assert "expected a folder that exists" in done.stderr
    (tmp_path / "other").mkdir()
    shutil.copy(products[0], tmp_path / "other" / "a.nc")
    done = call("quicklook", products[0], tmp_path / "other" / "a.nc", "-o", tmp_path / "out")
    assert done.exit_code == 2
    assert "same picture" in done.stderr


@pytest.mark.parametrize("workers", [1, 2])
def test_run_takes_folders_and_lists(tmp_path, workers):
    """In a folder, products are no scenes; a broken scene does not stop the others."""
    (tmp_path / "in" / "deep").mkdir(parents=True)
    case = CASES["pace_oci"]
    written = case.written(tmp_path / "in")
    network_for(case, tmp_path)
    shutil.copy(written.path, tmp_path / "in" / "deep" / "second.nc")
    (tmp_path / "in" / "third.nc").write_bytes(b"broken")
    config = tmp_path / "test.yaml"
    network = f"{{name: net, file: {tmp_path}/net.h5}}"
    config.write_text(f"name: test\nscience: {{engine: numpy, networks: [{network}]}}\n")
    options = ("-c", config, "-o", tmp_path / "in", "--workers", workers, "--json")
    done = call("run", tmp_path / "in", *options)
    facts = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.exit_code == 1
    assert sorted(each["passed"] for each in facts) == [False, True, True]
    assert "2 of 3 scenes done" in done.stderr
    (tmp_path / "list").write_text(f"{tmp_path}/in/deep\n{written.path}\n")
    again = call("run", f"@{tmp_path}/list", *options)
    assert again.exit_code == 0
    assert len(again.stdout.splitlines()) == 2


def test_run_without_scenes_is_wrong_use(tmp_path):
    """An empty folder is a mistake here, because nobody calls again."""
    done = call("run", tmp_path, "-c", "demo")
    assert done.exit_code == 2
    assert "no scene was found" in done.stderr
