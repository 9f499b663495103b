"""The notebooks of the documentation run, and what they show is stored with them."""

import os
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parent.parent / "docs" / "notebooks"
NAMES = sorted(path.name for path in FOLDER.glob("*.ipynb"))


def kinds_of(notebook: nbformat.NotebookNode) -> list[list[str]]:
    """For each cell with code, what it shows: texts, tables, pictures; without their content."""
    return [
        sorted({kind for output in cell.outputs for kind in output.get("data", {"text/plain": 0})})
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs(name, monkeypatch):
    """From the first cell to the last, and shows what is stored."""
    commands = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    monkeypatch.setenv("PATH", commands)
    monkeypatch.setenv("PYTHONPATH", str(FOLDER.parent.parent))
    stored = nbformat.read(FOLDER / name, as_version=4)
    notebook = nbformat.read(FOLDER / name, as_version=4)
    place = {"metadata": {"path": str(FOLDER)}}
    NotebookClient(notebook, timeout=900, kernel_name="python3", resources=place).execute()
    assert kinds_of(notebook) == kinds_of(stored)


def test_there_are_three():
    assert len(NAMES) == 3


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_stored_with_its_output(name):
    """As executed from top to bottom, with pictures, and without errors or warnings."""
    notebook = nbformat.read(FOLDER / name, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == [*range(1, len(code) + 1)]
    outputs = [output for cell in code for output in cell.outputs]
    assert all(output.output_type != "error" for output in outputs)
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert not [text for text in (o.get("text", "") for o in outputs) if "Warning" in text]
    assert len((FOLDER / name).read_bytes()) < 800_000
