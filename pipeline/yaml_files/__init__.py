"""The kinds of YAML files: their models, their JSON schemas, and the check of a file."""
