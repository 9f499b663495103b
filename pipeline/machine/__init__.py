"""The computer: cores and memory, threads in order, bytes and YAML of files."""
