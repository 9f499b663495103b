"""``import ocpipe``: the package ``pipeline`` under the name of its distribution and command.

``ocpipe`` and ``ocpipe.readers`` are the same modules as ``pipeline`` and ``pipeline.readers``, not
copies: their classes are the same, whichever name they were imported by.
"""

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

import pipeline


class _SameModules(MetaPathFinder, Loader):
    """Finds ``ocpipe.X`` as ``pipeline.X``."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - as the protocol has it
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        if not fullname.startswith("ocpipe."):
            return None
        return ModuleSpec(fullname, self)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module("pipeline." + spec.name.removeprefix("ocpipe."))
        spec.loader_state = module.__spec__  # the import system replaces it on the way out
        return module

    def exec_module(self, module: ModuleType) -> None:
        alias = module.__spec__
        module.__spec__ = alias.loader_state if alias is not None else None


sys.meta_path.insert(0, _SameModules())
sys.modules[__name__] = pipeline
