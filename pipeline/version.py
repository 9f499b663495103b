"""Name and version of this program, and the version of its numbers; products record them."""

SOFTWARE = "ocpipe"

__version__ = "0.3.0"

NUMBERS_VERSION = 1
"""Rises only if this version may compute other numbers from the same input, networks and
configuration. Then a batch processes its scenes again. Versions up to 0.2.0 recorded none; it is 1.
"""
