"""Text of CSV files is no formula in a spreadsheet, and is the same text when ocpipe reads it."""

import ast
import csv
import io
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pipeline
from pipeline.batch.ledger import LedgerEntry
from pipeline.batch.records import write_failures
from pipeline.evaluation.columns import csv_text, keyed
from pipeline.facts.quantities import Quantity
from pipeline.files.spreadsheet import (
    as_it_was,
    as_text,
    comment_as_it_was,
    comment_line,
    csv_line,
)
from pipeline.tables import read_table
from pipeline.tables.cells import split_cells
from pipeline.tables.writing import SampleTable, write_samples

SIGNS = "=+-@\uff1d\uff0b\uff0d\uff20"
FORMULAS = [
    "=1+1", "+cmd|' /C calc'!A0", "-2+3+cmd|' /C calc'!A0", "@SUM(1)", "=HYPERLINK(\"http://x\")",
    "\uff1dSUM(A1)", "-", "+1 a", "'=1", "''@x", "x;=1+1", "x;\t@y", "a;b;-c", "- 1", "-1_000",
    "'\t=1",
]  # fmt: skip


def runs(cell: str) -> bool:
    """Whether a spreadsheet may take a cell for a formula that holds more than numbers."""
    bare = cell.strip()
    return bare[:1] in SIGNS and not re.fullmatch(r"[\d.,;eE+\-()\[\]\s\"']*|[+-](inf|nan)", bare)


def cells_of(text: str) -> list[str]:
    """All cells that some spreadsheet could see in CSV, by any of the usual separators."""
    found = []
    for mark in (",", ";", "\t"):
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=mark):
            found += row
    return found


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_is_written_as_text_and_read_as_it_was(text):
    """An apostrophe more, or one less."""
    assert as_text(text) != text
    assert [c for c in cells_of(csv_line([text, 1, text])) if runs(c)] == []
    assert as_it_was(as_text(text)) == text
    assert split_cells(csv_line([text, text]), ",") == [text, text]


@pytest.mark.parametrize(
    "text",
    ["-1", "+1.5e-3", "-.5", "-inf", "1-2", "a=b", "x; -3", "'-12", "2024-06-15", "'t Zand", "it's",
     "[-1, -2]", "a@b.c", "", "nan"],
)  # fmt: skip
def test_numbers_and_other_texts_stay(text):
    """Negative numbers above all."""
    assert as_text(text) == text == as_it_was(text)


@pytest.mark.parametrize("text", ["\ta", "\ra", "\t=1", "\r=1"])
def test_a_tab_or_carriage_return_in_front_is_text(text):
    """Programs that drop it would see the sign behind it."""
    assert as_text(text).startswith("'")
    assert as_it_was(as_text(text)) == text


def test_numbers_are_never_text():
    """Whatever type they have."""
    assert csv_line([-1, -2.5, np.float32(-3), True, None]) == "-1,-2.5,-3.0,True,"


@settings(max_examples=300)
@given(st.text(st.sampled_from("=+-@' \t;,\"a1.e\uff1d"), max_size=12))
def test_every_text_comes_back(text):
    """The rule has exactly one inverse, and leaves nothing that runs."""
    assert as_it_was(as_text(text)) == text
    assert comment_as_it_was(comment_line("a", text)) == f"# a: {text}"
    assert [c for c in cells_of(csv_line(["x", text])) if runs(c)] == []
    separators = (",", ";", "\t") if '"' not in text else (",",)
    line = comment_line("a", text)
    for mark in separators:
        assert [c for c in line.split(mark) if runs(c.strip(' "'))] == []


NAMES = ["=1+cmd|' /C calc'!A0", "@x", "-y", "'=z", "plain"]


@pytest.fixture
def table() -> SampleTable:
    columns = {
        **{name: np.array(["=1+1", "-2+3", "a;=1", "", "-5"]) for name in NAMES},
        "number": np.array([-1.5, 2, -3, np.nan, 0]),
        "count": np.array([-1, 2, -3, 4, 5], np.int32),
    }
    said = {"title": 'x\n=1+1,=cmd,"=2";@a', "license": "CC BY, =1+1", "configuration": "[1,-2]"}
    units = {name: Quantity(name, "=1,=2", "a") for name in columns}
    return SampleTable(columns, units, said)


def test_a_table_of_formulas_runs_nothing_and_is_read_as_it_was(tmp_path, table):
    """Headers, cells, units, the licence and other comments; numbers are numbers."""
    path = tmp_path / "a.csv"
    write_samples(path, table)
    assert [c for c in cells_of(path.read_text()) if runs(c)] == []
    assert "# configuration: [1,-2]" in path.read_text()
    assert "-1.5," in path.read_text()
    found = read_table(path)
    assert [*found.columns] == [*table.columns]
    for name in NAMES:
        assert found.columns[name].tolist() == table.columns[name].tolist()
    np.testing.assert_array_equal(found.columns["number"], table.columns["number"])
    assert found.licence == "CC BY, =1+1"
    assert found.units["@x"] == "=1,=2"


@pytest.mark.parametrize("text", [*FORMULAS, "a\r=1+1", "a\n=1+1"])
def test_failures_and_metrics_run_nothing(tmp_path, text):
    """Paths and reasons of scenes; names of models, groups and outputs."""
    entry = LedgerEntry(**{
        name: {"attempts": 1}.get(name, text) for name in LedgerEntry.__dataclass_fields__
    })  # fmt: skip
    write_failures(tmp_path / "failures.csv", {"test": [entry]})
    write_failures(tmp_path / "failures.csv", {"other": [entry]})  # keeps the row of the first
    written = (tmp_path / "failures.csv").read_bytes().decode()
    _, *rows = csv.reader(io.StringIO(written, newline=""))
    assert [row[0] for row in rows] == ["test", "other"]
    assert [as_it_was(cell) for row in rows for cell in row[1:4]] == [text] * 6
    metrics = csv_text([keyed("model"), keyed(text), keyed("n")], [{"model": text, "n": -1}])
    for content in (written, metrics):
        comma = [c for row in csv.reader(io.StringIO(content, newline="")) for c in row]
        assert [c for c in comma if runs(c)] == []


def test_one_module_writes_csv():
    """Otherwise somebody would forget the rule."""
    root = Path(pipeline.__file__).parent
    found = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if re.search(r"csv\.|savetxt|to_csv", path.read_text())
        for node in ast.walk(ast.parse(path.read_text()))
        if (
            isinstance(node, ast.Attribute)
            and ast.unparse(node) in ("csv.writer", "csv.DictWriter", "np.savetxt", "numpy.savetxt")
        )
        or (isinstance(node, ast.Attribute) and node.attr == "to_csv")
    }
    assert found == {"files/spreadsheet.py"}
