"""The worked example of docs/networks.md, run as it stands."""

import re
from pathlib import Path

import numpy as np
import pytest

from pipeline.networks import load_network

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "networks.md"


@pytest.fixture
def example(tmp_path, monkeypatch):
    """The files of the document, written into a folder of their own; the program is given back."""
    text = DOCUMENT.read_text(encoding="utf-8")
    section = text.split("## How to add a network")[1].split("\n## ")[0]
    blocks = re.findall(r"```(\w+)\n(.*?)```", section, re.DOTALL)
    for kind, block in blocks:
        if kind in ("yaml", "csv"):
            name = re.match(r"# (\S+)\n", block)[1]
            (tmp_path / name).write_text(block)
    monkeypatch.chdir(tmp_path)
    (program,) = [block for kind, block in blocks if kind == "python"]
    return program


def test_the_example_gives_the_result_that_stands_beside_it(example):
    """The statements run, and the last one gives the array in the comment."""
    statements, shown = example.rstrip().rsplit("\n", 1)
    *before, last = statements.splitlines()
    names = {}
    exec("\n".join(before), names)  # noqa: S102 - the document is ours
    found = eval(last, names)  # noqa: S307
    assert shown == f"# {found!r}"


def test_the_example_on_the_other_engine(example):
    """What the document shows does not depend on the engine, but for rounding."""
    network = load_network("chl.yaml")
    x = [[0.004, 0.003], [0.001, 0.006]]
    reference = network.predict(x, "numpy")
    np.testing.assert_allclose(network.predict(x, "tensorflow"), reference, rtol=1e-5)


def test_the_sha256_of_the_example_is_what_the_command_prints(example):
    """The command line in the document, run by a shell."""
    import subprocess

    text = DOCUMENT.read_text(encoding="utf-8")
    command = re.search(r"`(sha256sum chl.yaml [^`]*)`", text)[1]
    printed = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)  # noqa: S602
    assert printed.stdout.split()[0] == load_network("chl.yaml").sha256
