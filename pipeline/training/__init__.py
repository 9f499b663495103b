"""From samples to a network: prepare the samples, fit the network, evaluate it."""
