"""Whoever changes a product is found out: by verify, rerun or diff, and in the right words."""

import shutil

import pytest
from click.testing import CliRunner
from miniatures.cases import CASES
from proof.tampering import KINDS
from test_verify import made

from pipeline.cli import main

MASKS = {
    "flags": ["CLDICE"],
    "expressions": {"bright": "Rrs_443 > 0.021"},
    "dilate": {"bright": 1},
}


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A product of a PACE miniature, in a window, beside its input and its network."""
    folder = tmp_path_factory.mktemp("made")
    return made(CASES["pace_oci"], folder, window={"lines": (3, 19)}, masks=MASKS)[0]


@pytest.fixture
def copy(original, tmp_path):
    """A copy of the product, to be changed."""
    return shutil.copytree(original.parent, tmp_path / "copy") / original.name


def said(command, *arguments):
    """What a command says on stdout and stderr, and its exit code."""
    done = CliRunner().invoke(main, [command, *map(str, arguments)])
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done.output, done.exit_code


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_tampering_is_found(original, copy, kind):
    """Each command names what was changed; every kind is found by at least two of them."""
    tamper, *expected = KINDS[kind]
    tamper(copy)
    networks = ("--networks", copy.parent)
    outputs = (
        said("verify", copy, "--all", *networks),
        said("rerun", copy, *networks),
        said("diff", original, copy),
    )
    for words, (output, code) in zip(expected, outputs, strict=True):
        assert code == (0 if words is None else 1), output
        assert words is None or words in output
    assert sum(code == 1 for _, code in outputs) >= 1


def test_what_was_not_changed_is_not_accused(original):
    """By no command."""
    networks = ("--networks", original.parent)
    assert said("verify", original, "--all", *networks)[1] == 0
    assert said("rerun", original, *networks)[1] == 0
    output, code = said("diff", original, original)
    assert (output, code) == ("no difference\n", 0)


def test_there_are_at_least_twenty_kinds():
    """As many as were asked for."""
    assert len(KINDS) >= 20
