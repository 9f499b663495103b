"""The worked example of docs/algorithms.md, run as it stands."""

import re
from pathlib import Path

from pipeline.algorithms import ALGORITHMS

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "algorithms.md"


def test_every_shown_result_is_what_the_statement_before_it_gives():
    """A comment below a line holds its value."""
    (program,) = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    names, shown = {}, 0
    lines = program.splitlines()
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if following.startswith("# "):
            assert following == f"# {eval(line, names)!r}"  # noqa: S307
            shown += 1
        elif not line.startswith("#"):
            exec(line, names)  # noqa: S102 - the document is ours
    assert shown == 2


def test_the_table_has_every_algorithm():
    """The table has one row for each algorithm."""
    text = DOCUMENT.read_text(encoding="utf-8")
    assert [name for name in ALGORITHMS if f"| `{name}` | `" not in text] == []
