"""Where outputs go: never through a link that somebody put into their place."""

import ast
import contextlib
import os
import re
import sqlite3
from pathlib import Path

import h5py
import numpy as np
import pytest
from small_network import write_network

import pipeline
from pipeline.batch.ledger.database import Database
from pipeline.batch.records import append_line, write_failures, write_summary
from pipeline.errors import LedgerError, OutputError, WriteError
from pipeline.facts.quantities import Quantity
from pipeline.files.replacing import replace_file
from pipeline.networks import load_network
from pipeline.networks.saving import save_network
from pipeline.product.delivery import check_writable
from pipeline.tables.writing import SampleTable, write_samples
from pipeline.training.fitting.checkpoints import Checkpoints, FitState
from pipeline.training.fitting.history import Epoch
from pipeline.training.folder import forget
from pipeline.training.tuning.journal import open_journal
from pipeline.writers.quicklook import draw_quicklook

CANARY = b"somebody else's file"


@pytest.fixture
def canary(tmp_path) -> Path:
    path = tmp_path / "elsewhere" / "canary"
    path.parent.mkdir()
    path.write_bytes(CANARY)
    return path


@pytest.fixture
def out(tmp_path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def make_product(scene: Path, networks: Path, out: Path) -> Path:
    """A small product."""
    science = {
        "networks": [{"name": "iops", "file": str(networks / "demo_iops.h5")}],
        "window": {"lines": [0, 24], "pixels": [0, 24]},
        "engine": "numpy",
    }
    settings = {"name": "small", "science": science, "execution": {"output": str(out)}}
    return pipeline.process_scene(scene, settings)


@pytest.fixture(scope="module")
def product(tmp_path_factory, sample_scene, sample_networks) -> Path:
    return make_product(sample_scene, sample_networks, tmp_path_factory.mktemp("product"))


def samples() -> SampleTable:
    return SampleTable({"a": np.arange(3.0)}, {"a": Quantity("a", "m", "a")}, {})


def state() -> FitState:
    epoch = Epoch(1, 1, 0.1, 1.0, 1.0, is_best=True)
    return FitState([np.zeros(2)], [np.zeros(2)], [epoch], [np.zeros(2)])


REPLACED = {
    "card.html": lambda path: replace_file(path, b"new"),
    "summary.json": lambda path: write_summary(path, "test", {}),
    "failures.csv": lambda path: write_failures(path, {}),
    "found.csv": lambda path: write_samples(path, samples()),
    "found.nc": lambda path: write_samples(path, samples()),
    "last.npz": lambda path: Checkpoints(path.parent, "key").save(state()),
    "best.npz": lambda path: Checkpoints(path.parent, "key").save(state()),
    "net.h5": lambda path: save_network(path, a_network(path)),
    "net.onnx": lambda path: save_network(path, a_network(path)),
}
APPENDED = {
    "quality.jsonl": lambda path: append_line(path, {}),
    "trials.jsonl": lambda path: open_journal(path.parent, "key").__enter__(),
}


def a_network(path: Path):
    return load_network(write_network(path.with_name("source.h5")))


@pytest.mark.parametrize("dangling", [False, True])
@pytest.mark.parametrize("name", REPLACED)
def test_a_link_is_replaced(out, canary, name, dangling):
    """Also one that leads to no file, and one in the place of a temporary name."""
    if dangling:
        canary.unlink()
    for place in (name, f".{name}.partial"):
        (out / place).symlink_to(canary)
    REPLACED[name](out / name)
    assert [canary.read_bytes()] == [CANARY] if not dangling else not canary.exists()
    assert (out / name).is_file()
    assert not (out / name).is_symlink()
    assert sorted(p.name for p in out.iterdir() if p.name.endswith(".partial")) == [
        f".{name}.partial"
    ]


@pytest.mark.parametrize("name", APPENDED)
def test_nothing_is_appended_through_a_link(out, canary, name):
    """The error says what to do; a named pipe does not block."""
    (out / name).symlink_to(canary)
    with pytest.raises(OutputError, match="is a link"):
        APPENDED[name](out / name)
    assert canary.read_bytes() == CANARY
    (out / name).unlink()
    os.mkfifo(out / name)
    reader = os.open(out / name, os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(OutputError, match="not a regular file"):
        APPENDED[name](out / name)
    os.close(reader)
    with pytest.raises(OutputError):
        APPENDED[name](out / name)


def test_a_picture_replaces_a_link(out, canary, product):
    """As a card or a table does."""
    (out / "a.png").symlink_to(canary)
    draw_quicklook(product, out / "a.png", ("aph_443",))
    assert canary.read_bytes() == CANARY
    assert (out / "a.png").read_bytes().startswith(b"\x89PNG")
    assert [p.name for p in out.iterdir()] == ["a.png"]


def test_a_picture_that_cannot_be_written_keeps_the_earlier_one(out, product, monkeypatch):
    """It was removed together with the failed one."""
    from matplotlib.figure import Figure

    (out / "a.png").write_bytes(b"earlier")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Figure, "savefig", full)
    with pytest.raises(WriteError, match="No space left"):
        draw_quicklook(product, out / "a.png", ("aph_443",))
    assert (out / "a.png").read_bytes() == b"earlier"
    assert [p.name for p in out.iterdir()] == ["a.png"]


def test_a_product_replaces_a_link(out, canary, product, sample_scene, sample_networks):
    """And never writes through it."""
    (out / product.name).symlink_to(canary)
    made = make_product(sample_scene, sample_networks, out)
    assert canary.read_bytes() == CANARY
    assert (out / product.name) == made
    assert not made.is_symlink()


@pytest.mark.parametrize("text", ["$\\frac{$ \x1b[31m\u202e and $^$", "$x" * 30_000])
def test_a_title_is_drawn_as_it_is(out, product, text):
    """Not as a formula; a bad formula ended the command with a traceback."""
    path = out / "titled.nc"
    path.write_bytes(product.read_bytes())
    with h5py.File(path, "r+") as file:
        for name in ("title", "instrument", "product_name"):
            file.attrs[name] = text
        for variable in file.values():
            if variable.attrs.get("long_name") is not None:
                variable.attrs["long_name"] = variable.attrs["units"] = text
    assert draw_quicklook(path, out / "a.png", ("aph_443",)).is_file()


def test_a_probe_of_the_folder_follows_no_link(out, canary):
    """Its name is known before."""
    (out / ".ocpipe-probe").symlink_to(canary)
    check_writable(out, 0)
    assert canary.read_bytes() == CANARY
    assert list(out.iterdir()) == []


def test_a_ledger_is_no_link_and_neither_are_its_side_files(out, canary):
    """SQLite itself follows a link to the database; it refuses links in the place of its logs."""
    path = out / "ledger.sqlite"
    path.symlink_to(canary)
    with pytest.raises(LedgerError, match="is a link"):
        Database.open(path, out)
    path.unlink()
    for ending in ("-wal", "-journal", "-shm"):
        side = out / f"ledger.sqlite{ending}"
        side.symlink_to(canary)
        with contextlib.suppress(LedgerError, sqlite3.Error):
            Database.open(path, out).close()
        side.unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        assert canary.read_bytes() == CANARY


def test_starting_over_removes_no_folder_behind_a_link(out, canary):
    """It ended with a traceback."""
    (out / "checkpoints").symlink_to(canary.parent)
    forget(out / "checkpoints")
    assert canary.read_bytes() == CANARY
    assert list(out.iterdir()) == []


# One place writes

WRITING = ("write_text", "write_bytes", "savefig", "touch", "savez", "symlink_to", "copyfile")
# These write to a temporary name that they are given, or to no file that anybody keeps.
OWN_NAMES = {
    "files/replacing.py",
    "networks/saving/keras_file.py",
    "networks/saving/onnx_file.py",
    "tables/writing.py",
    "batch/child.py",
    "evaluation/pictures/style.py",
    "product/delivery.py",
}


def _writes(node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="os"), attr="open"), args=[path, *_]):
            return ast.unparse(path) != "os.devnull" and any(
                isinstance(n, ast.Attribute) and n.attr in ("O_CREAT", "O_WRONLY", "O_RDWR")
                for n in ast.walk(node)
            )
        case ast.Call(func=ast.Attribute(attr=name)) if name in WRITING:
            return True
        case ast.Call(func=ast.Attribute(attr="open") | ast.Name(id="open"), args=args):
            modes = [a.value for a in args if isinstance(a, ast.Constant)]
            return any(isinstance(m, str) and set(m) & set("wax+") for m in modes if m != "r+b")
    return False


def _within_replacing(tree: ast.AST) -> set[ast.AST]:
    inside: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.With) and "replacing(" in ast.unparse(node.items[0]):
            inside |= {*ast.walk(node)}
    return inside


def test_files_are_written_in_one_place():
    """Every other module writes within ``replacing``, or asks for a descriptor to append to."""
    root = Path(pipeline.__file__).parent
    found = []
    for path in root.rglob("*.py"):
        where, text = path.relative_to(root).as_posix(), path.read_text()
        if where in OWN_NAMES or not re.search(r"open\(|" + "|".join(WRITING), text):
            continue
        tree = ast.parse(text)
        safe = _within_replacing(tree)
        found += [
            f"{where}:{node.lineno}"  # type: ignore[attr-defined]
            for node in ast.walk(tree)
            if _writes(node) and node not in safe
        ]
    assert found == []


@pytest.mark.parametrize(
    "code", ["path.write_text('')", "open(path, 'w')", "path.open('ab')", "figure.savefig(path)",
             "os.open(path, os.O_CREAT)", "np.savez(path)"],
)  # fmt: skip
def test_every_way_to_write_is_seen(code):
    """The test above would be worth nothing otherwise."""
    assert any(_writes(node) for node in ast.walk(ast.parse(code)))
