"""The version of this program; products record it."""

__version__ = "0.1.0"
