"""Everything about the computer: reads files, runs threads, and finds cores and free memory."""
