"""Checks and reads files, computes hashes, and finds why a file is unreadable."""
