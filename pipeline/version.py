"""Name and version of this program, and the version of its numbers; products record them."""

SOFTWARE = "ocpipe"

__version__ = "0.3.0"

NUMBERS_VERSION = 1
"""This number rises only if a new version may compute other numbers from the same input, networks
and configuration. Then a batch processes its scenes again. Versions up to 0.2.0 did not record this
number; for them, it is 1.
"""
