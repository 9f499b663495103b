"""Ends a command without a traceback, with a special exit code, if the machine caused the error."""

import logging
import sys
from typing import Any

import click

from pipeline.cli.terminal import printable_errors

log = logging.getLogger("pipeline")

# EX_OSERR of <sysexits.h>: the system has no more open files, processes, threads or space.
REFUSED = 71


def exit_if_refused(error: BaseException, about_scene: bool = True) -> None:
    """End the program if the machine is the cause of an error.

    If a disk fails while a scene is read, this is an error of the scene. If it fails elsewhere
    (``about_scene`` is false), for example while a configuration is read, this is an error of the
    machine.
    """
    from pipeline.machine.refusal import refusal, refused_by_machine

    refused = refusal(error) if about_scene else refused_by_machine(error)
    if refused is not None:
        log.error("MachineError: %s", refused)
        sys.exit(REFUSED)


class Commands(click.Group):
    """A group of commands; each reports errors that the machine causes, even during imports.

    Wrong arguments are quoted with escapes, so that they cannot control the terminal.
    """

    def make_context(self, *args: Any, **how: Any) -> click.Context:
        """Parse the arguments before the name of the command."""
        with printable_errors():
            return super().make_context(*args, **how)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        try:
            with printable_errors():
                return super().invoke(ctx)
        except (OSError, RuntimeError, ImportError) as error:
            exit_if_refused(error)
            raise
