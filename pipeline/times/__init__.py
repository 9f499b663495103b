"""Times as files write them -> instants in UTC. No other room parses a time."""
