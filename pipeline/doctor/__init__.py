"""Checks an installation and its machine: libraries, resources, folders, and all engines."""
