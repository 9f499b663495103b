"""Simulated waters as a sensor sees them, to train networks with."""
