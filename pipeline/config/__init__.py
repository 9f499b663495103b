"""The configurations that users write in YAML, as typed models; an unknown key is an error.

``science`` decides the content of a product and is recorded in it. ``execution`` decides how and
where the work is done, ``batch`` how many scenes are processed, and ``qc`` which of them are
suspect; these three leave no trace in a product.
"""

from pipeline.config.run import RunConfig, as_yaml, hash_of, load_config
from pipeline.config.samples import SamplesConfig, SplitsConfig
from pipeline.config.science import MaskRules, NetworkChoice, ReaderChoice, ReaderOptions
from pipeline.config.strict import complaints_of

__all__ = [
    "MaskRules",
    "NetworkChoice",
    "ReaderChoice",
    "ReaderOptions",
    "RunConfig",
    "SamplesConfig",
    "SplitsConfig",
    "as_yaml",
    "complaints_of",
    "hash_of",
    "load_config",
]
