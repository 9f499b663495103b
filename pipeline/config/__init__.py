"""The configurations that users write in YAML, as typed models; an unknown key is an error.

``science`` decides the content of a product and is recorded in it. ``execution`` decides how and
where the work is done, ``batch`` how many scenes are processed, and ``qc`` which of them are
suspect; these three leave no trace in a product.
"""

from pipeline.config.batch import Batch, DaskCluster, IfExists, QualityControl
from pipeline.config.run import (
    Execution,
    RunConfig,
    as_yaml,
    hash_of,
    load_config,
)
from pipeline.config.samples import (
    ClassesConfig,
    FileConfig,
    SamplesConfig,
    SplitsConfig,
    VariableConfig,
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
from pipeline.config.uncertainty import Correlation, QuantityUncertainty, Uncertainty

__all__ = [
    "Batch",
    "ClassesConfig",
    "Correlation",
    "DaskCluster",
    "Execution",
    "FileConfig",
    "GainMode",
    "IfExists",
    "MaskRules",
    "NetworkChoice",
    "QualityControl",
    "QuantityUncertainty",
    "ReaderChoice",
    "ReaderOptions",
    "RunConfig",
    "SamplesConfig",
    "Science",
    "SplitsConfig",
    "Strict",
    "Uncertainty",
    "VariableConfig",
    "Window",
    "as_yaml",
    "complaints_of",
    "hash_of",
    "load_config",
    "mask_presets",
]
