"""Products that are computed from the outputs of networks: derived, chosen and blended products."""

from pipeline.combined.blend import Blended
from pipeline.combined.choice import Chosen
from pipeline.combined.combination import Combination
from pipeline.combined.derived import Derivation

__all__ = ["Blended", "Chosen", "Combination", "Derivation"]
