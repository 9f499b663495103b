"""Times as files write them -> instants in UTC. No other package of ocpipe parses times."""
