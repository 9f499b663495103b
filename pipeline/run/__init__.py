"""A run: what is decided before a pixel is touched, and what then happens to pixels."""
