"""The sections of docs/networks_from.md, followed as they stand.

A section's Python is run where its framework is installed; elsewhere, the files that it made once
(``docs_SECTION_FILE`` in ``onnx_files`` and ``array_files``, see make.py and make_docs.py) are put
in its place.
"""

import importlib.util
import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.cli import main

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "networks_from.md"
MADE = [Path(__file__).resolve().parent / name for name in ("onnx_files", "array_files")]
SECTIONS = dict(
    part.split("\n", 1) for part in DOCUMENT.read_text(encoding="utf-8").split("\n## ")[1:]
)
SLOW = ("Keras 3", "Keras weights", "TensorFlow by tf2onnx")


def blocks_of(section):
    return re.findall(r"```(\w+)\n(.*?)```", SECTIONS[section], re.DOTALL)


def slug(section):
    return section.lower().replace(" ", "_").replace("-", "_")


def is_installed(program):
    names = re.findall(r"^(?:import|from) (\w+)", program, re.MULTILINE)
    return all(importlib.util.find_spec(name) is not None for name in names)


def check_console(block):
    """Each command ends well and prints the lines below it, in order; ``...`` stands for any."""
    for command, shown in re.findall(r"^\$ ocpipe (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE):
        result = CliRunner().invoke(main, command.split())
        assert result.exit_code == 0, result.output
        lines = iter(result.output.splitlines())
        for line in shown.splitlines():
            assert line == "..." or any(line == each.rstrip() for each in lines), (
                f"{command} does not print {line!r}:\n{result.output}"
            )


@pytest.mark.parametrize(
    "section",
    [pytest.param(s, marks=pytest.mark.tensorflow if s in SLOW else ()) for s in SECTIONS],
)
def test_a_section_can_be_followed(section, tmp_path, monkeypatch):
    """Its programs run, its YAMLs fit what they made, and the commands print what is shown."""
    monkeypatch.chdir(tmp_path)
    blocks = blocks_of(section)
    programs = "".join(text for kind, text in blocks if kind == "python")
    can_run = bool(programs) and is_installed(programs)
    made = [file for folder in MADE for file in folder.glob(f"docs_{slug(section)}_*")]
    for file in made:
        if not can_run:
            shutil.copy(file, tmp_path / file.name.removeprefix(f"docs_{slug(section)}_"))
    names = {}
    for kind, text in blocks:
        if kind == "python" and can_run:
            exec(text, names)  # noqa: S102 - the document is ours
        elif kind == "yaml":
            (tmp_path / re.match(r"# (\S+)\n", text)[1]).write_text(text)
        elif kind == "console":
            check_console(text)


@pytest.mark.quick
def test_the_table_leads_to_every_section():
    """By its anchor."""
    table = DOCUMENT.read_text(encoding="utf-8").split("\n## ")[0]
    anchors = {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in SECTIONS}
    assert set(re.findall(r"\]\(#([\w-]+)\)", table)) == anchors
