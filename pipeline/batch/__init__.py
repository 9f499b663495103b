"""Processes batches of scenes; a ledger records which scenes are done."""
