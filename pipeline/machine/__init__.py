"""The computer: runs threads and forks, finds cores and memory, shows results on screen."""
