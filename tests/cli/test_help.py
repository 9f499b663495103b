"""The help of every command: examples that can be called, and the options that all have."""

import logging
import shlex

import click
import pytest
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.cli.examples import EXAMPLES

CALLS = [(name, call) for name, entries in EXAMPLES.items() for _, call in entries]


def parsed(name, words):
    """The arguments of a command; its options for help are made once, as ocpipe makes them."""
    parent = click.Context(main, info_name="ocpipe", **main.context_settings)
    return main.commands[name].make_context(name, words, parent=parent)


@pytest.mark.quick
def test_every_command_has_examples():
    """A new command needs examples; examples of no command are wrong."""
    assert set(EXAMPLES) == set(main.commands)


@pytest.mark.parametrize(("name", "call"), CALLS)
def test_an_example_can_be_called(name, call):
    """All its options exist and take their values."""
    words = shlex.split(call)
    if words[0] == "eval":  # the call stands in the quotes
        words = shlex.split(words[1].removeprefix("$(").removesuffix(")"))
    assert words[:2] == ["ocpipe", name]
    parsed(name, words[2:])


@pytest.mark.parametrize("name", main.commands)
def test_help_shows_the_examples_as_they_are(name):
    """Lines are not wrapped, so that they can be copied."""
    text = CliRunner().invoke(main, [name, "--help"]).output
    for what, call in EXAMPLES[name]:
        assert f"  {call}\n" in text
        assert f"      {what}\n" in text


@pytest.mark.parametrize("name", main.commands)
@pytest.mark.parametrize(
    ("options", "level"),
    [
        ([], "info"),
        (["-v"], "debug"),
        (["-q"], "warning"),
        (["-qq"], "error"),
        (["-q", "-q", "-q"], "error"),
        (["--verbose"], "debug"),
        (["-q", "--log-level", "info"], "info"),
        (["--log-level", "error", "-v"], "error"),
    ],
)
def test_every_command_takes_v_and_q(name, options, level):
    """--log-level has priority, because it says more."""
    _, call = EXAMPLES[name][0]
    words = ["ocpipe", name, "bash"] if name == "completion" else shlex.split(call)
    assert parsed(name, [*words[2:], *options]).params["log_level"] == level


def test_less_is_said_with_q(tmp_path):
    """Results are still printed."""
    loud = CliRunner().invoke(main, ["check-config", "demo"])
    quiet = CliRunner().invoke(main, ["check-config", "demo", "-q"])
    assert "without mistakes" in loud.stderr
    assert quiet.stderr == ""
    assert quiet.stdout == loud.stdout
    assert logging.getLogger("pipeline").level == logging.WARNING


def test_no_option_is_explained_twice():
    """No command has two options of the same name."""
    for name, command in main.commands.items():
        flags = [flag for p in command.params if isinstance(p, click.Option) for flag in p.opts]
        assert len(flags) == len(set(flags)), name
