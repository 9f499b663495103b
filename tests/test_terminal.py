"""What a file says reaches a terminal and a log only as text."""

import ast
import json
import logging
import os
import re
import shutil
import sys
import unicodedata
from pathlib import Path

import h5py
import pytest
import warm_commands
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cli import terminal
from pipeline.evaluation.columns import Column, aligned, table
from pipeline.machine import progress_bar
from pipeline.machine.printable import printable, printable_lines
from pipeline.machine.screen import Shown

PIPELINE = Path(terminal.__file__).parent.parent
TERMINAL = Path("cli/terminal.py")
BARS = Path("machine/progress_bar.py")
# Its stderr is a file that its supervisor reads.
CHILD = Path("batch/child.py")
LOG_LINE = "2026-01-01 00:00:00 error all scenes failed"
HOSTILE = f"\x1b[31mred\x9b2J\x7f\u202e\u2066\u2028\u2029\r{LOG_LINE}\n{LOG_LINE}\x07"
FORBIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def forbidden(text: str) -> set[str]:
    """The characters of a text that may change what a terminal shows, except line feeds."""
    return {c for c in text if unicodedata.category(c) in FORBIDDEN and c != "\n"}


def assert_harmless(text: str) -> None:
    """Nothing controls the terminal, and no line looks like one of the log."""
    assert forbidden(text) == set()
    assert [line for line in re.split(r"[\n\r\u2028\u2029]", text) if line == LOG_LINE] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Château d'eau, 海, 10 µm\u00a0²", "Château d'eau, 海, 10 µm\u00a0²"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\x7f\x85\x9b", "\\x7f\\x85\\x9b"),
        ("\u202etxt.exe", "\\u202etxt.exe"),
        ("\u2028\u2029\ufeff", "\\u2028\\u2029\\ufeff"),
        ("mesur\udce9.nc", "mesur\\xe9.nc"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_what_controls_a_terminal_is_shown_as_an_escape(text, expected):
    """And nothing else changes."""
    assert expected == printable(text)


@given(st.text(st.characters()))
def test_no_text_controls_a_terminal(text):
    """Whatever it consists of; the lines of a text stay apart."""
    assert forbidden(printable(text)) == set()
    assert "\n" not in printable(text)
    assert text.count("\n") == printable_lines(text).count("\n")


# One place prints

# Parsing only the files with one of these words saves most of the time.
MAY_PRINT = re.compile(
    r"\b(p?print|s?echo|click|rich|traceback)\b|std(out|err)|os\.write|logging\.[SFbl]"
)


def _prints(node: ast.AST) -> bool:
    """Whether this is a call that writes to a terminal, or sets up something that does."""
    match node:
        case ast.Call(func=ast.Name(id=name)):
            return name in ("print", "echo", "secho", "pprint")
        case ast.Attribute(value=ast.Name(id="click"), attr=name):
            return name in (
                "echo", "secho", "echo_via_pager", "progressbar", "confirm", "prompt", "pause",
                "get_text_stream", "get_binary_stream",
            )  # fmt: skip
        case ast.Attribute(
            value=ast.Attribute(
                value=ast.Name(id="sys"), attr="stdout" | "stderr" | "__stdout__" | "__stderr__"
            ),
            attr=name,
        ):
            return name in ("write", "writelines", "buffer", "reconfigure")
        case ast.Attribute(value=ast.Name(id="logging"), attr=name):
            return name in ("StreamHandler", "FileHandler", "basicConfig", "lastResort")
        case ast.Attribute(value=ast.Name(id="traceback"), attr=name):
            return name in ("print_exc", "print_exception", "print_stack", "print_tb")
        case ast.Call(
            func=ast.Attribute(value=ast.Name(id="os"), attr="write"),
            args=[ast.Constant(value=1 | 2), *_],
        ):
            return True
        case ast.ImportFrom(module=str(module)) if module.split(".")[0] == "rich":
            return module != "rich.progress" or {a.name for a in node.names} != {"TaskID"}
        case ast.ImportFrom(module="click", names=names):
            return any(one.name in ("echo", "secho") for one in names)
        case ast.Import(names=names):
            return any(one.name.split(".")[0] in ("rich", "pprint") for one in names)
    return False


def test_two_modules_print():
    """Otherwise somebody would forget to make foreign text printable."""
    found = {
        path.relative_to(PIPELINE): node.lineno
        for path in PIPELINE.rglob("*.py")
        if re.search(
            r"print|echo|click|rich|std(out|err)|logging|os\.write|traceback", path.read_text()
        )
        for node in ast.walk(ast.parse(path.read_text()))
        if _prints(node)
    }
    assert {TERMINAL, BARS} == set(found) - {CHILD}, found


@pytest.mark.parametrize(
    "code",
    [
        "print(1)", "click.echo(1)", "sys.stdout.write('')", "from click import echo",
        "sys.stderr.buffer.write(b'')", "logging.StreamHandler()", "import rich",
        "from rich.console import Console", "os.write(2, b'')", "traceback.print_exc()",
    ],
)  # fmt: skip
def test_every_way_to_print_is_seen(code):
    """The test above would be worth nothing otherwise."""
    assert any(_prints(node) for node in ast.walk(ast.parse(code)))


# Lines of the log


@pytest.fixture
def logged(monkeypatch, capsys):
    """Log a message as the commands do; return what reaches stderr."""
    before, hook = logging.root.handlers[:], sys.excepthook

    def log(message: str, *arguments: object, **how: object) -> str:
        terminal.start_logging("info")
        logging.getLogger("pipeline").warning(message, *arguments, **how)
        return capsys.readouterr().err

    yield log
    logging.captureWarnings(False)
    logging.root.handlers[:] = before
    sys.excepthook = hook


def test_a_message_is_one_message(logged):
    """Whether the text is an argument, the message, or the error of a traceback."""
    assert_harmless(logged("%s", HOSTILE))
    assert_harmless(logged(HOSTILE.replace("%", "")))
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        text = logged("failed", exc_info=True)
    assert_harmless(text)
    assert "Traceback" in text
    assert len([line for line in text.splitlines() if not line.startswith("  ")]) == 1


def test_lines_that_ocpipe_lays_out_stay_lines(logged):
    """The complaints of a configuration are a list."""
    text = logged("%s", "my.yaml is not valid:\n  science: missing\n  name: missing")
    assert text.splitlines()[1:] == ["  science: missing", "  name: missing"]


def test_a_failure_that_nobody_expects_goes_through_the_log(logged, capsys):
    """The interpreter's own traceback would quote the file as it is."""
    logged("begin")
    try:
        raise RuntimeError(HOSTILE)
    except RuntimeError as error:
        sys.excepthook(RuntimeError, error, error.__traceback__)
    text = capsys.readouterr().err
    assert_harmless(text)
    assert "please report" in text


def test_bars_show_names_as_they_are(monkeypatch):
    """Neither markup of rich nor escape sequences."""
    import io

    from rich.console import Console

    bars = progress_bar.bars("shown")
    out = io.StringIO()
    console = Console(file=out, width=120, force_terminal=True, color_system=None)
    for name in ("[bold red]a[/]", "b[/x].nc", printable(HOSTILE)):
        bars.add_task(name, total=None, shown="[/]")
    console.print(bars.get_renderable())
    assert "[bold red]a[/]" in out.getvalue()
    assert "b[/x].nc" in out.getvalue()
    assert forbidden(out.getvalue()) == set()


def test_tables_of_an_evaluation_keep_their_rows():
    """Names of models, groups and outputs are cells; a line break would begin a row."""
    columns = [Column(HOSTILE, lambda one: one), Column("n", lambda _: 1)]
    text = aligned(table(columns, [HOSTILE, "plain"]))
    assert_harmless(text)
    assert len(text.split("\n")) == 4


def test_objects_at_a_prompt_are_shown_as_text():
    """Their titles and the names of their parts come from files."""

    class Example(Shown):
        def _heading(self) -> str:
            return HOSTILE

        def _rows(self):
            yield HOSTILE, HOSTILE

    assert_harmless(repr(Example()))


def test_stdout_in_ascii_is_no_error(monkeypatch, capsys):
    """Characters that it cannot show are escapes."""
    assert terminal._encodable("é") == "é"
    monkeypatch.setattr(sys, "stdout", type("Ascii", (), {"encoding": "ascii"})())
    assert terminal._encodable("é") == "\\xe9"


# The commands

WINDOW = ("--lines", "0:40", "--pixels", "0:40", "--engine", "numpy")


def with_hostile_attributes(source: Path, path: Path, *names: str) -> Path:
    """A copy of a scene or product whose attributes say harmful things."""
    shutil.copy(source, path)
    with h5py.File(path, "r+") as file:
        for name in ("title", "license", "processing_version", "history", *names):
            file.attrs[name] = HOSTILE
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("hostile")


@pytest.fixture(scope="module")
def hostile_scene(folder, sample_scene) -> Path:
    """Its name is as bad as its attributes."""
    name = f"\x1b[31m\u202e{sample_scene.stem}\n{LOG_LINE}\r.nc"
    return with_hostile_attributes(sample_scene, folder / name, "platform")


@pytest.fixture(scope="module")
def bad_product(folder, sample_scene, sample_networks) -> Path:
    """Made from a scene with bad attributes; the name of the product is bad, but can be written."""
    name = f"\u202e{sample_scene.stem}\u2066.nc"
    scene = with_hostile_attributes(sample_scene, folder / name)
    out = folder / "products"
    run("run", scene, "-c", "demo", "-o", out, "--networks", sample_networks, *WINDOW, cwd=folder)
    (product,) = out.glob("*.nc")
    name = f"\x1b\u202eproduct\n{LOG_LINE}\n.nc"
    return with_hostile_attributes(product, folder / name, "platform", "instrument", "id")


def run(*arguments: object, cwd: Path) -> str:
    kept = {key: value for key, value in os.environ.items() if key != "OCPIPE_NETWORKS"}
    done = warm_commands.scenes.run(*arguments, env=kept, cwd=cwd)
    text = done.stdout + done.stderr
    assert_harmless(text)
    assert "unexpected failure" not in text, text
    return text


@pytest.mark.parametrize(
    "arguments",
    [
        ("inspect", "SCENE"),
        ("run", "SCENE", "-c", "demo", "-o", "out", "--dry-run", *WINDOW),
        ("run", "SCENE", "-c", "demo", "-o", "out", *WINDOW),
        ("run", "SCENE", "no\x1b\n.nc", "-c", "demo", "-o", "out", "--log-level", "debug", *WINDOW),
        ("batch", "demo", "SCENE", "-o", "batch", "--dry-run", *WINDOW),
        ("batch", "demo", "SCENE", "no\x1b\n.nc", "-o", "batch", "--workers", "1", *WINDOW),
        ("status", "batch"),
        ("status", "batch", "--json"),
        ("inspect", "PRODUCT"),
        ("verify", "PRODUCT", "--sample", "10"),
        ("quicklook", "PRODUCT", "--variables", "aph_443"),
        ("quicklook", "PRODUCT", "--variables", "\x1b"),
        ("check-config", "no\x1b\n.yaml"),
        ("-\x1b\n",),
        ("inspect", "-\x1b[31m\n"),
        ("run", "SCENE", "-c", f"\x1b{LOG_LINE}\n{LOG_LINE}"),
    ],
)
def test_no_command_passes_on_what_controls_a_terminal(
    folder, hostile_scene, bad_product, sample_networks, arguments
):
    """Names of files and folders, attributes, rows of the ledger, arguments."""
    files = {"SCENE": hostile_scene, "PRODUCT": bad_product}
    arguments = [files.get(one, one) for one in arguments]
    more = ["--networks", sample_networks] if {"run", "batch"} & set(arguments[:1]) else []
    assert run(*arguments, *more, cwd=folder) != ""


def test_a_configuration_says_no_more(folder, sample_scene):
    """Neither its keys nor its values, nor the mistake of the YAML itself."""
    for content in (f"{json.dumps(HOSTILE)}: 1", f"name: {json.dumps(HOSTILE)}", "a: \x1b[31m"):
        (folder / "bad.yaml").write_text(content)
        run("check-config", "bad.yaml", cwd=folder)
        run("run", sample_scene, "-c", "bad.yaml", cwd=folder)


def test_a_table_says_no_more(folder):
    """Names of columns, units, cells and the licence."""
    bad = HOSTILE.replace("\n", " ").replace("\r", " ").replace("\u2028", " ")
    bad = bad.replace("\u2029", " ")
    path = folder / f"points {printable(bad)[:20]}\x1b.csv"
    path.write_text(f"# license: {bad}\nlatitude [{bad}],longitude,time,{bad}\n1,2,{bad},{bad}\n")
    run("inspect", path, cwd=folder)
    run("matchup", path, folder, "-o", folder / "found.csv", cwd=folder)


def test_json_lines_are_ascii(folder, hostile_scene, sample_networks):
    """A line of JSON escapes what it holds, so its records need no other care."""
    run(
        *("batch", "demo", hostile_scene, "-o", "json", "--log-json", "--networks"),
        *(sample_networks, *WINDOW),
        cwd=folder,
    )
    records = [*(folder / "json").glob("*.json*")]
    assert records
    for record in records:
        assert_harmless(record.read_text())


def test_a_bar_from_python_writes_only_to_terminals(monkeypatch, capsys):
    """In a pipe there is nothing; on a terminal there is the name, made printable."""
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    with progress_bar.block_bar(HOSTILE) as show:
        show(1, 2)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with progress_bar.block_bar("a\nscene.nc") as show:
        show(1, 2)
    assert "a\\nscene.nc" in capsys.readouterr().err


def test_a_bar_in_a_notebook_is_text_and_html(monkeypatch):
    """Which hold what a file is called, never its markup."""
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, **_how: shown.append(data))
    progress_bar._NotebookBar("<b>scene</b>\x1b[1m.nc").show(1, 3)
    assert shown[0]["text/plain"] == "<b>scene</b>\\x1b[1m.nc: 1 of 3 blocks"
    assert "&lt;b&gt;scene&lt;/b&gt;\\x1b[1m.nc" in shown[0]["text/html"]
    assert "<b>" not in shown[0]["text/html"]
