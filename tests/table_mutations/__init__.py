"""Tables that any library reads, but whose meaning was moved: units, missing values, times, types.

A mutant is a table of known values, written in an odd way that its format allows. It must be read
with these values, or refused with a message; never with other values. ``python -m table_mutations``
tries many, and a failure names the mutant to try again.
"""
