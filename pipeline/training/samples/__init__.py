"""From tables of samples to scaled arrays: columns, usable rows, splits, ranges."""
