"""Evaluation of networks from arrays: metrics, tables, pictures and the model card."""
