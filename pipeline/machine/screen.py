"""Displays an object as a few rows of text at a prompt, or as a small table in a notebook."""

import html
import textwrap
from collections.abc import Iterator

from pipeline.machine.printable import printable

WIDTH = 100
LABEL = 12


class Shown:
    """Base class whose ``repr`` and ``_repr_html_`` show a few rows that fit on a screen."""

    def _heading(self) -> str:
        """The first line."""
        raise NotImplementedError

    def _rows(self) -> Iterator[tuple[str, str]]:
        """Label and text of each row, in order; rows without text are left out."""
        raise NotImplementedError

    def __repr__(self) -> str:
        lines = [f"<{type(self).__name__} {printable(self._heading())}>"]
        for label, text in self._rows():
            start = f"  {printable(label):<{LABEL}}"
            one_line = printable(" ".join(text.split()))
            width = max(WIDTH - len(start), LABEL)  # a label that comes from a file may be long
            wrapped = textwrap.wrap(one_line, width, max_lines=3, placeholder=" ...")
            for number, part in enumerate(wrapped):
                lines.append((start if number == 0 else " " * len(start)) + part)
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        name, heading = type(self).__name__, html.escape(self._heading())
        cells = "".join(
            f"<tr><th style='text-align:left'>{html.escape(label)}</th>"
            f"<td style='text-align:left'>{html.escape(text)}</td></tr>"
            for label, text in self._rows()
            if text
        )
        return f"<div><strong>{name}</strong> {heading}<table>{cells}</table></div>"
