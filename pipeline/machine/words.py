"""Numbers in messages: ``1 scene``, ``2 scenes``."""


def counted(number: int, singular: str, plural: str = "") -> str:
    """Return a number and its noun; by default, the plural ends with s."""
    return f"{number} {singular if number == 1 else plural or f'{singular}s'}"
