"""Faults of the machine, put into commands at work: each operation on the system can be refused."""
