"""Simulate waters as a sensor sees them, for training networks."""
