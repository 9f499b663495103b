"""Why a finished scene is pending again. The ledger stores these texts."""

# The scene is outdated. If several of these reasons apply, the first one is stored.
CONFIGURATION = "the configuration changed"
NUMBERS = "the version changed, and its numbers may differ"
NETWORK = "a network changed"
VERSION = "the version changed"
OUTDATED = (CONFIGURATION, NUMBERS, NETWORK, VERSION)

# Its product was removed or changed after it was written.
MISSING = "the product is missing"
CUT = "the product was cut short or is damaged"
CHANGED = "the product was changed or is damaged"
NOT_WHOLE = (MISSING, CUT, CHANGED)

MOVED = "the product now has another path"
INPUT = "the input changed"

AGAIN = (*OUTDATED, *NOT_WHOLE, MOVED, INPUT)
