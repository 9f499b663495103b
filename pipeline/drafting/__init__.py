"""Drafts a run configuration for a scene: networks that fit, masks of the format, and comments."""
