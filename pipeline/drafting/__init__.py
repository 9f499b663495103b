"""Drafts a run configuration for a scene, with networks that fit, masks and comments."""
