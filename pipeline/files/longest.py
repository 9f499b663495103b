"""Cuts texts that are longer than any real attribute or message."""

# Longest attribute (characters, or numbers in an array).
LONGEST_ATTRIBUTE = 2**20
# Space for the mark that states how much is left out.
MARK = 50
# Longest message of a scene in ledgers, logs and tables (characters).
LONGEST_MESSAGE = 4000


def cut(text: str, longest: int = LONGEST_ATTRIBUTE) -> str:
    """Return a text, or its start with a mark that says how many characters are left out.

    With the mark, the text has at most ``longest`` characters, so it is not cut again.
    """
    if len(text) <= longest:
        return text
    kept = longest - MARK
    return f"{text[:kept]} [... {len(text) - kept} characters left out]"


def cut_message(text: str) -> str:
    """Return a message, cut to a length that a person reads; a mark shows the cut."""
    return cut(text, LONGEST_MESSAGE)
