"""The command ``ocpipe``: parse, load the configuration, one library call, exit code.

Exit codes: 0 done, 1 a scene failed, 2 wrong use or configuration, 75 a batch was interrupted,
128 + n stopped by signal n. Nothing heavy is imported before a command needs it.
"""

import click

from pipeline.cli.batch import batch, status
from pipeline.cli.look import check, inspect, quicklook, verify
from pipeline.cli.matchup import matchup
from pipeline.cli.run import run
from pipeline.cli.simulate import simulate
from pipeline.cli.train import evaluate, export, finetune, train
from pipeline.cli.tune import tune
from pipeline.version import __version__

CONTEXT = {"help_option_names": ["-h", "--help"], "show_default": True, "max_content_width": 100}


@click.group(context_settings=CONTEXT)
@click.version_option(__version__, prog_name="ocpipe")
def main() -> None:
    """Whole ocean-colour scenes through neural networks, with products that say how they were made.

    Exit codes: 0 done, 1 a scene failed, 2 wrong use or configuration, 75 a batch was interrupted,
    128 + n stopped by signal n.
    """


for command in (
    run, batch, status, inspect, verify, check, quicklook,
    matchup, simulate, train, tune, finetune, evaluate, export,
):  # fmt: skip
    main.add_command(command)
