"""Products -> files: one format per module."""
