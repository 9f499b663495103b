"""How well a network does: metrics, tables, pictures and a card, from arrays alone."""
