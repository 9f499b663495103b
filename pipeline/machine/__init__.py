"""The computer: cores and memory, threads with ordered results, files as bytes and as YAML."""
