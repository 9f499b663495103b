"""Batches of scenes: a ledger of what is done, workers that survive crashes, and a runner."""
