"""Many scenes at once in one process: by threads, and by processes forked after opening.

``python -m crowds`` compares every product with the one that was made alone, byte by byte. A crash
of a library ends only the process of one run, which is then counted as wrong.
"""
