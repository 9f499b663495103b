"""The configurations that users write in YAML, as typed models; an unknown key is an error.

The content of a product depends on the section ``science``, which the product records.
``execution`` says how and where the work is done, ``batch`` says how a batch of scenes is
processed, and ``qc`` says which scenes are suspect; a product does not record these sections.
"""

from pipeline.config.run import RunConfig, as_yaml, hash_of, load_config
from pipeline.config.samples import SamplesConfig, SplitsConfig
from pipeline.config.science import (
    DEFAULT_MASKS,
    MaskRules,
    NetworkChoice,
    ReaderChoice,
    ReaderOptions,
    mask_presets,
)
from pipeline.config.strict import complaints_of

__all__ = [
    "DEFAULT_MASKS",
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
    "mask_presets",
]
