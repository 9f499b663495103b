"""What the computer gives: cores and memory, threads in order, bytes of files."""
