"""The errors that a user may see, one class per kind.

Every message says what was found, what was expected and what to do. The command line shows messages
without a traceback.
"""

from collections import Counter
from collections.abc import Sequence

# The HDF5 libraries raise one of these for a damaged file; it depends on the kind of damage.
DAMAGE = (OSError, RuntimeError, KeyError, ValueError, AttributeError, TypeError, IndexError)


class PipelineError(Exception):
    """Base class of all errors in the user's input, as opposed to errors in this program."""


class ConfigError(PipelineError):
    """The configuration or the call is wrong; no work was started."""


class NoSceneError(ConfigError):
    """No input of the call names a scene that exists."""


class DivergedError(ConfigError):
    """A training diverged: its loss is no longer a finite number."""


class SceneError(PipelineError):
    """A scene cannot be read, or lacks data that the run uses."""


class UnavailableError(SceneError):
    """A file cannot be read now, but perhaps later: it is locked, or its disk fails."""


class DamagedError(SceneError):
    """A file is damaged or cut short; perhaps another program is still copying it."""


class ChangedError(SceneError):
    """A file was replaced or changed while it was read; the values that were read are discarded."""


class UnknownFormatError(SceneError):
    """No reader recognises the content of a file."""


class NetworkError(PipelineError):
    """A network file is missing, broken, or made for another purpose."""


class WriteError(PipelineError):
    """A product could not be written; no part of the product was left behind."""


class OutputError(WriteError):
    """The folder for products, or its disk, cannot be used, so every scene would fail."""


class ProductExistsError(PipelineError):
    """The product already exists, and the configuration says to keep existing products."""


class MachineError(PipelineError):
    """The machine has no more open files, processes, threads or space, which all scenes need."""


class LedgerError(PipelineError):
    """The ledger of a batch cannot be used."""


def repeated(names: Sequence[str]) -> str:
    """Return the names that occur more than once, as one text with commas."""
    counted = Counter(names)
    return ", ".join(sorted({name for name in names if counted[name] > 1}))
