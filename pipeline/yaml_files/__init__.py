"""The kinds of YAML files: the model of each kind, its JSON schema, and how a file is checked."""
