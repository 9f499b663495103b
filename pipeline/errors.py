"""What can go wrong for a user, one class per kind.

Every message says what was found, what was expected and what to do; the command line shows it
without a traceback.
"""

from collections.abc import Sequence

# What the HDF5 libraries raise on a damaged file, depending on where the damage is.
DAMAGE = (OSError, RuntimeError, KeyError, ValueError, AttributeError, TypeError, IndexError)


class PipelineError(Exception):
    """Base of every error that is about the user's input and not about this program."""


class ConfigError(PipelineError):
    """The configuration or the call is wrong; nothing was started."""


class DivergedError(ConfigError):
    """Training ran away: its loss is not a finite number any more."""


class SceneError(PipelineError):
    """A scene cannot be read or lacks what the run needs."""


class UnknownFormatError(SceneError):
    """No reader recognises the content of a file."""


class NetworkError(PipelineError):
    """A network file is missing, broken, or made for something else."""


class WriteError(PipelineError):
    """A product could not be written; nothing of it was left behind."""


class OutputError(WriteError):
    """The folder of the products or its disk cannot be used, which concerns every scene."""


class ProductExistsError(PipelineError):
    """There is a product already, and it was to be kept."""


class LedgerError(PipelineError):
    """The ledger of a batch cannot be used."""


def repeated(names: Sequence[str]) -> str:
    """Return the names that occur more than once, as a list for a message."""
    return ", ".join(sorted({name for name in names if names.count(name) > 1}))
