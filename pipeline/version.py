"""The version of this program; products record it."""

__version__ = "0.2.0"
