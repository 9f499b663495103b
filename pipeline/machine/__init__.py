"""The computer itself: runs threads, finds cores and free memory, and shows results on screen."""
