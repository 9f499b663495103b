"""Makes foreign text harmless for terminals and log files.

A file may contain any character in its attributes and in its name. Some characters move the cursor,
change colours, reverse the direction of text, or begin a new line that looks like another message.
"""

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Control characters, invisible signs of format and direction, halves of surrogate pairs, and
# separators of lines and paragraphs.
_NOT_SHOWN = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
# The formulas that ocpipe writes at axes.
_POWER_OF_TEN = re.compile(r"\$[^$]{0,12}10\^\{-?\d+\}\$")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def printable(text: str) -> str:
    r"""Return a text on one line, with characters that must not reach a terminal as escapes.

    ESC becomes ``\x1b``, a line break becomes ``\n``, and a byte of a file name that is not UTF-8
    becomes ``\xe9``. All other characters stay, so the text of most files does not change.
    """
    if text.isprintable():
        return text
    return "".join(_shown(sign) for sign in text)


def printable_lines(text: str) -> str:
    """Return a text of several lines, with each line made printable; the line breaks remain.

    This is only for text whose line breaks were written by ocpipe.
    """
    return "\n".join(printable(line) for line in text.split("\n"))


def plain_texts(figure: "Figure") -> None:
    """Let a figure show its texts as they are; a dollar sign in a name does not begin a formula."""
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        said = text.get_text()
        if "$" in said and not _POWER_OF_TEN.fullmatch(said):
            text.set_parse_math(False)
        if not said.isprintable():
            text.set_text(printable_lines(said))


def _shown(sign: str) -> str:
    if unicodedata.category(sign) not in _NOT_SHOWN:
        return sign
    code = ord(sign)
    if 0xDC80 <= code <= 0xDCFF:  # how Python keeps a byte that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    if sign in _SHORT:
        return _SHORT[sign]
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
