"""Code that readers, masks and writers share: names, lazy layers, flags, quality bits, blocks."""
