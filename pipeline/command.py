"""The console script ``ocpipe``: first handles signals, then imports everything else."""

import sys

from pipeline import stopping


def main() -> None:
    """Run a command; a signal at any time ends it with the documented exit code."""
    stopping.listen(stopping.INTERRUPTED if sys.argv[1:2] == ["batch"] else None)
    try:
        from pipeline.cli import main as command

        command()
    except SystemExit as end:
        stopping.over(end.code)
        raise
