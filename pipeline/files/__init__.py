"""Opens every file that is read, after the same checks; finds why a file cannot be read."""
