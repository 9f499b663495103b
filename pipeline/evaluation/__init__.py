"""Evaluate a network on arrays of data: metrics, tables, pictures and the model card."""
