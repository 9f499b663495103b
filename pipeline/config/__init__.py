"""The run configuration: what YAML may say, typed, with every unknown key an error.

``science`` decides what is in a product and is written into it; ``execution`` decides how and where
the work is done and never leaves a trace in a product.
"""

from pipeline.config.run import (
    Execution,
    RunConfig,
    as_yaml,
    find_config,
    hash_of,
    load_config,
)
from pipeline.config.science import (
    GainMode,
    MaskRules,
    NetworkChoice,
    ReaderChoice,
    ReaderOptions,
    Science,
    Window,
    mask_presets,
)
from pipeline.config.strict import Strict, complaints_of

__all__ = [
    "Execution",
    "GainMode",
    "MaskRules",
    "NetworkChoice",
    "ReaderChoice",
    "ReaderOptions",
    "RunConfig",
    "Science",
    "Strict",
    "Window",
    "as_yaml",
    "complaints_of",
    "find_config",
    "hash_of",
    "load_config",
    "mask_presets",
]
