"""ocpipe: neural networks on whole ocean-colour scenes.

Each name is imported when it is first used::

    scene = pipeline.open_scene("AQUA_MODIS.20110910T190602.L2.OC.nc")
    product = pipeline.process_scene("AQUA_MODIS.20110910T190602.L2.OC.nc", "run.yaml")
    network = pipeline.load_network("MODIS-Aqua_aphNN.h5")
    ensemble = pipeline.load_retrieval("ensemble.yaml")  # a network, or several used as one

``import ocpipe`` gives the same package.
"""

import importlib

from pipeline.version import __version__

# The module typing has this constant too, but importing it would more than double the time
# until a command listens to signals.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pipeline.application import apply
    from pipeline.config import load_config
    from pipeline.lazy_product import map_scene
    from pipeline.networks import load_network, load_retrieval
    from pipeline.process import plan_scene, process_scene
    from pipeline.readers import open_scene
    from pipeline.run.plan import make_plan

__all__ = [
    "__version__",
    "apply",
    "load_config",
    "load_network",
    "load_retrieval",
    "make_plan",
    "map_scene",
    "open_scene",
    "plan_scene",
    "process_scene",
]

_HOMES = {
    "apply": "pipeline.application",
    "map_scene": "pipeline.lazy_product",
    "load_config": "pipeline.config",
    "make_plan": "pipeline.run.plan",
    "plan_scene": "pipeline.process",
    "open_scene": "pipeline.readers",
    "process_scene": "pipeline.process",
    "load_network": "pipeline.networks",
    "load_retrieval": "pipeline.networks",
}


def __getattr__(name: str) -> "Any":
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
