"""Signals at many moments of a command: which exit codes come out, and what is left behind.

python -m moments --count 50
"""
