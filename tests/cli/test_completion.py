"""Completion in the shell: what is offered, and that bash and zsh take it."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

import pipeline
from pipeline.cli import main
from pipeline.cli.completion import ENGINES, READERS, VARIABLE
from pipeline.config.science import Science
from pipeline.facts.sensors import sensors
from pipeline.readers import READERS as KNOWN_READERS
from pipeline.yaml_files.kinds import KINDS

OCPIPE = Path(sys.executable).parent / "ocpipe"


def offered(*words):
    """The values for the last of the words, as the shell gets them."""
    found = ShellComplete(main, {}, "ocpipe", VARIABLE).get_completions(list(words[:-1]), words[-1])
    return [item.value for item in found if item.type == "plain"]


def is_left_to_the_shell(*words):
    items = ShellComplete(main, {}, "ocpipe", VARIABLE).get_completions(list(words[:-1]), words[-1])
    return [item.type for item in items] == ["file"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.quick
def test_names_are_those_of_the_tables():
    """The names are written down because an import of the tables takes too long."""
    assert get_args(Science.model_fields["engine"].annotation) == ENGINES
    assert set(READERS) == {"auto", *KNOWN_READERS}
    assert offered("simulate", "--sensor", "") == sorted(sensors())
    assert set(offered("schema", "")) == set(KINDS)
    assert set(offered("check-config", "--kind", "")) == set(KINDS)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["ru"], ["run"]),
        (["run", "a.nc", "--eng"], ["--engine"]),
        (["run", "a.nc", "--engine", "o"], ["onnxruntime"]),
        (["run", "a.nc", "-c", "ocsmart_"], ["ocsmart_chain", "ocsmart_iops"]),
        (["batch", "publ"], ["published_algorithms"]),
        (["train", "wa"], ["water_types", "water_types_nomad"]),
        (["matchup", "p.csv", "s.nc", "-c", "e"], ["eumetsat"]),
        (["matchup", "p.csv", "s.nc", "--preset", ""], ["eumetsat", "nasa"]),
        (["matchup", "p.csv", "s.nc", "--masks", "nasa"], ["nasa_l3", "nasa_matchup"]),
        (["check-config", "na"], ["nasa"]),
        (["run", "a.nc", "-c", "ocsmart_chain", "--products", "r"], ["rrs"]),
        (["run", "a.nc", "-c", "ocsmart_chain", "--products", "aa,a"], ["aa,aph", "aa,adg"]),
        (["run", "a.nc", "--products", ""], []),
        (["run", "a.nc", "-c", "none", "--products", ""], []),
        (["list", "al"], ["algorithms"]),
        (["status", "--log-level", "w"], ["warning"]),
    ],
)
def test_values_are_offered(words, expected):
    """In the order of the configuration or the alphabet."""
    assert offered(*words) == expected


def test_own_configurations_are_offered(folder):
    """Files that need quotes in a shell are not offered; others are left to the shell."""
    science = "{networks: [{name: mine, file: net.h5}]}"
    (folder / "my.yaml").write_text(f"name: a\nscience: {science}\n")
    (folder / "my own.yaml").write_text("")
    (folder / "my\x1b[31m.yaml").write_text("")
    assert offered("run", "a.nc", "-c", "my") == ["my.yaml"]
    assert offered("run", "a.nc", "-c", "my.yaml", "--products", "") == ["mine"]
    assert is_left_to_the_shell("run", "a.nc", "-c", "./")
    assert is_left_to_the_shell("run", "a.nc", "-c", "zz")
    assert is_left_to_the_shell("run", "sc")


def test_a_completed_option_takes_any_text():
    """A name that is not offered is left to the command, which says what is wrong with it."""
    result = CliRunner().invoke(main, ["run", "a.nc", "-c", "unknown_name"])
    assert result.exit_code == 2
    assert "unknown_name" in result.output


# What each shell does at the tabulator key, with the words so far.
BASH = """
eval "$(ocpipe completion bash)"
COMP_WORDS=(ocpipe run a.nc -c ocsmart_chain --products aa,a) COMP_CWORD=6
_ocpipe_completion ocpipe
printf '%s\\n' "${COMPREPLY[@]}"
complete -p ocpipe
"""
ZSH = """
autoload -Uz compinit && compinit -u -d "$HOME/dump"
eval "$(ocpipe completion zsh)"
words=(ocpipe run a.nc -c ocsmart_chain --products aa,a) CURRENT=7
compadd() { for each in "${(@P)@[-1]}"; do print -r -- "$each"; done }
_describe() { print -r -- "${(@P)@[-1]}"; }
_ocpipe_completion
print -r -- "${_comps[ocpipe]}"
"""


@pytest.mark.parametrize(("shell", "script"), [("bash", BASH), ("zsh", ZSH)])
def test_a_shell_takes_the_script(shell, script, folder):
    """The script defines a function for ocpipe, which asks ocpipe for the values."""
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"there is no {shell} on this machine")
    environment = {"PATH": f"{OCPIPE.parent}:/usr/bin:/bin", "HOME": str(folder)}
    environment["PYTHONPATH"] = str(Path(pipeline.__file__).parents[1])
    call = [program, "-f", "-c", script] if shell == "zsh" else [program, "-c", script]
    done = subprocess.run(call, check=False, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "aa,aph" in done.stdout
    assert "aa,adg" in done.stdout
    assert "_ocpipe_completion" in done.stdout


def test_the_shell_is_that_of_the_user(monkeypatch):
    """Without a known shell, its name must be given."""
    monkeypatch.setenv("SHELL", "/usr/bin/fish")
    assert "fish_complete" in CliRunner().invoke(main, ["completion"]).output
    monkeypatch.setenv("SHELL", "/bin/tcsh")
    result = CliRunner().invoke(main, ["completion"])
    assert result.exit_code == 2
    assert "bash, zsh, fish" in result.output
