"""Many scenes: a ledger of what is done, workers that survive, and a runner between them."""
