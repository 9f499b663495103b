"""Keeps spreadsheet programs from running text of CSV files as formulas.

A spreadsheet runs a cell that begins with ``=``, ``+``, ``-`` or ``@``, even after blanks or tabs.
It may split a row at semicolons or tabs instead of commas. So an apostrophe is written in front of
such text, and spreadsheets then show the text. Numbers are not changed, even if they are negative.
ocpipe removes the apostrophe when it reads a table, so the text is the same again. The rule is
described for users in docs/matchups.md.
"""

import csv
import io
import re
from collections.abc import Iterable
from typing import Any

# The last four signs are the wide forms on Asian keyboards, which spreadsheets also accept.
_SIGNS = r"=+\-@\uff1d\uff0b\uff0d\uff20"
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+|inf|infinity|nan)(?:[eE][+-]?\d+)?"


def _places(separators: str, start: str, signs: str) -> re.Pattern[str]:
    """Match the places where a cell begins with a sign and is not a number.

    Apostrophes at the start are ignored, so a place still matches after an apostrophe was added. A
    cell ends at the same separator at which it begins.
    """
    after = "|".join(
        rf"(?<={mark})(?![\s'\"]*{_NUMBER}[\s\")\]}}]*(?:{mark}|$))" for mark in separators
    )
    return re.compile(rf"(?:{start}{after})(?P<marks>'*)(?=[\s'\"]*[{signs}])", re.IGNORECASE)


_NUMBERS = rf"[\s'\"]*{_NUMBER}(?:\s*[;\t]\s*{_NUMBER})*\s*$"
_IN_CELL = _places(";\t", rf"^(?!{_NUMBERS})|", rf"{_SIGNS}\t\r")
_IN_COMMENT = _places(",;\t", "", _SIGNS)


def as_text(cell: str) -> str:
    """Return the text of a cell so that a spreadsheet does not run it."""
    return _IN_CELL.sub(r"'\g<marks>", cell)


def as_it_was(cell: str) -> str:
    """Return the text from which ``as_text`` made a cell."""
    if "'" not in cell:
        return cell
    return _IN_CELL.sub(lambda match: match["marks"][1:], cell)


def comment_line(name: str, text: object) -> str:
    """Return the line ``# name: text``; a spreadsheet may split the line into cells."""
    return _IN_COMMENT.sub(r"'\g<marks>", " ".join(f"# {name}: {text}".splitlines()))


def comment_as_it_was(line: str) -> str:
    """Return the comment line without the apostrophes of ``comment_line``."""
    return _IN_COMMENT.sub(lambda match: match["marks"][1:], line) if "'" in line else line


def csv_line(cells: Iterable[Any]) -> str:
    """Return values as a line of CSV without a line end; text is protected, numbers stay."""
    line = io.StringIO()
    values = [as_text(cell) if isinstance(cell, str) else cell for cell in cells]
    # With this line end, the writer quotes cells that contain either of its two characters.
    csv.writer(line, lineterminator="\r\n").writerow(values)
    return line.getvalue().removesuffix("\r\n")


def csv_rows(text: str) -> list[list[str]]:
    """Return the cells of lines that ``csv_line`` made; no rows if the text is not such a table."""
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error:
        return []
    return [[as_it_was(cell) for cell in row] for row in rows]
