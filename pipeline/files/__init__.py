"""Checks files before they are read, reads text and hashes, and finds why a file is unreadable."""
