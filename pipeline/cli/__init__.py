"""The command ``ocpipe``. It parses its arguments and calls the library.

Heavy libraries are imported only when a command needs them.
"""

import click

from pipeline.cli.batch import batch
from pipeline.cli.completion import complete, completion
from pipeline.cli.doctor import doctor
from pipeline.cli.examples import add_examples
from pipeline.cli.init import init
from pipeline.cli.list import list_
from pipeline.cli.look import check, inspect, quicklook, verify
from pipeline.cli.matchup import matchup
from pipeline.cli.prove import diff, mask, rerun
from pipeline.cli.refusals import Commands
from pipeline.cli.retention import forget, prune
from pipeline.cli.run import run
from pipeline.cli.schema import schema
from pipeline.cli.simulate import simulate
from pipeline.cli.status import status
from pipeline.cli.train import evaluate, export, finetune, train
from pipeline.cli.tune import tune
from pipeline.version import __version__

CONTEXT = {"help_option_names": ["-h", "--help"], "show_default": True, "max_content_width": 100}

EXIT_CODES = """\b
Exit codes (docs/batch.md says what a scheduler should do):
  0        done
  1        a scene or a file failed, or products differ
  2        wrong use or wrong configuration
  3        verify: some checks were not possible; status --check: unknown
  66       batch: no input names a scene
  69       batch: the Dask cluster does not answer
  71       the machine refuses open files, processes or temporary space
  73       batch: the output folder, its disk or the ledger cannot be used
  75       batch: interrupted; the next call continues
  128 + n  stopped by signal n
"""


@click.group(cls=Commands, context_settings=CONTEXT, epilog=EXIT_CODES)
@click.version_option(__version__, prog_name="ocpipe")
def main() -> None:
    """Apply neural networks to whole ocean-colour scenes; each product records how it was made."""


for command in (
    run, batch, status, forget, prune, inspect, verify, rerun, diff, mask, check, quicklook,
    matchup, simulate, train, tune, finetune, evaluate, export,
    init, list_, schema, doctor, completion,
):  # fmt: skip
    complete(command)
    add_examples(command)
    main.add_command(command)
