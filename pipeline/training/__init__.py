"""Samples -> network: what a network is trained on, how it is fitted, and how well it does."""
