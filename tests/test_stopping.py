"""SIGTERM and Ctrl-C end every command with the documented code, whatever it does just then."""

import random
import signal
import subprocess
import sys
import textwrap
import time

import pytest
from moments.trial import COMMANDS, Commands, trial

SIGNALS = (signal.SIGTERM, signal.SIGINT)
# Interpreters start, and commands import, within this time on a machine at rest (seconds).
UNTIL = 1.5


@pytest.fixture(scope="module")
def commands(tmp_path_factory):
    """Four commands that take longer than any moment."""
    return Commands(tmp_path_factory.mktemp("moments"))


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_signal_at_any_moment(commands, tmp_path, command, number):
    """One code, no traceback, nothing half-written, no process left; the moment is chance."""
    moment = random.SystemRandom().uniform(0, UNTIL)
    ended = trial(commands, command, number, moment, tmp_path / "out")
    assert not ended.wrong, ended


def test_two_signals_end_a_batch_at_once(commands, tmp_path):
    """Also one that would settle its scenes first; the exit code stays the same."""
    ended = trial(commands, "batch", signal.SIGTERM, UNTIL, tmp_path / "out", again=True)
    assert not ended.wrong, ended


def test_a_signal_during_help():
    """A command that is over keeps its exit code; one that is not has that of the signal."""
    for moment in (0.1, 0.2, 0.3):
        process = subprocess.Popen(
            [sys.executable, "-c", "from pipeline.command import main; main()", "--help"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        time.sleep(moment)
        process.send_signal(signal.SIGTERM)
        _, stderr = process.communicate()
        assert process.returncode in (0, 143, -signal.SIGTERM)
        assert "Traceback" not in stderr


class Program:
    """A process that listens to signals and then does something."""

    def __init__(self, body: str, code: int | None = None) -> None:
        text = f"""\
import sys
from pipeline import stopping
stopping.listen({code})
stopping.watch(stopping.tell)
def ready():
    print("ready", flush=True)
"""
        self.process = subprocess.Popen(
            [sys.executable, "-c", text + textwrap.dedent(body)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self) -> tuple[int, str]:
        """The exit code and what was written to stderr."""
        _, stderr = self.process.communicate(timeout=60)
        assert "Traceback" not in stderr
        return self.process.returncode, stderr


SWALLOWING = {
    "a finalizer": """
        class Slow:
            def __del__(self):
                ready()
                while True: pass
        Slow()
        """,
    "a clause for all exceptions": """
        ready()
        while True:
            try:
                for _ in range(1000): pass
            except BaseException:
                pass
        """,
    "a callback of a compiled library": """
        import ctypes
        def compare(a, b):
            ready()
            while True: pass
        kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
        numbers = (ctypes.c_int * 2)(2, 1)
        ctypes.CDLL(None).qsort(numbers, 2, 4, kind(compare))
        """,
    "a long call of a library": """
        import ctypes
        ready()
        lock = ctypes.create_string_buffer(256)
        for _ in range(2): ctypes.CDLL(None).pthread_mutex_lock(lock)
        """,
}


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("where", SWALLOWING)
def test_no_place_swallows_a_signal(where, number):
    """An exception of the handler would be dropped there, or come too late."""
    program = Program(SWALLOWING[where])
    program.send(number)
    code, stderr = program.end()
    assert code == 128 + number
    assert f"stopped by {number.name}; no half-written file is left" in stderr


def test_a_half_written_file_is_removed(tmp_path):
    """The one in work, not one that is complete."""
    for name in ("complete", "half"):
        (tmp_path / name).write_text("content")
    program = Program(f"""
        import time
        with stopping.half_written({str(tmp_path / "complete")!r}): pass
        with stopping.half_written({str(tmp_path / "half")!r}):
            ready()
            time.sleep(600)
        """)
    program.send(signal.SIGTERM)
    assert program.end()[0] == 143
    assert [path.name for path in tmp_path.iterdir()] == ["complete"]


ASKED = """
    import ctypes, time
    lock = ctypes.create_string_buffer(256)
    stopping.LONG_PATIENCE = 1.0
    stopping.ask_first(lambda: print("asked", flush=True))
    ready()
    {}
    """


@pytest.mark.parametrize(
    "does", ["time.sleep(600)", "for _ in range(2): ctypes.CDLL(None).pthread_mutex_lock(lock)"]
)
def test_the_second_signal_ends_at_once(does):
    """What is asked to end by itself may take its time, unless it is asked again."""
    program = Program(ASKED.replace("stopping.LONG_PATIENCE = 1.0", "").format(does), 75)
    program.send(signal.SIGTERM)
    time.sleep(0.5)
    assert program.process.poll() is None
    program.send(signal.SIGINT)
    code, stderr = program.end()
    assert code == 75
    assert "stopped by SIGINT; call again" in stderr


def test_what_does_not_end_by_itself_is_ended():
    """After some time, which is long enough for work that does."""
    program = Program(ASKED.format("while True: time.sleep(600)"), 75)
    program.send(signal.SIGTERM)
    assert program.end()[0] == 75


def test_work_that_is_over_keeps_its_code():
    """However long the interpreter takes to end."""
    program = Program("""
        import atexit, time
        atexit.register(time.sleep, 600)
        atexit.register(ready)
        stopping.over(0)
        """)
    program.send(signal.SIGTERM)
    code, stderr = program.end()
    assert (code, stderr) == (0, "")


def test_the_library_does_not_listen():
    """Signals of a program that imports it are its own."""
    text = "import signal, pipeline.cli; print(signal.getsignal(signal.SIGTERM).name)"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert done.stdout == "SIG_DFL\n"


def test_little_is_imported_before_signals_are_listened_to():
    """What takes long to import comes after; the interpreter imports some modules by itself."""
    text = """
import os, re, sys
before = set(sys.modules)
import pipeline.command
print(*sorted(set(sys.modules) - before))
"""
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    own = {"pipeline", "pipeline.command", "pipeline.stopping", "pipeline.version"}
    few = {"atexit", "importlib", "importlib._bootstrap", "importlib._bootstrap_external",
           "warnings", "_warnings", "signal", "select"}  # fmt: skip
    assert set(done.stdout.split()) - few == own


def test_the_end_does_not_wait_for_a_terminal(tmp_path):
    """A pipe that nobody empties is full; two signals end the program all the same."""
    program = Program("""
        import os, time
        os.set_blocking(2, False)
        try:
            while True: os.write(2, b"x" * 4096)
        except BlockingIOError:
            os.set_blocking(2, True)
        ready()
        time.sleep(600)
        """)
    program.send(signal.SIGTERM)
    time.sleep(0.2)
    program.send(signal.SIGTERM)
    assert program.process.wait(60) == 128 + signal.SIGTERM


def test_a_program_without_stderr(tmp_path):
    """Some programs are started so; messages then go nowhere."""
    text = "import os; os.close(2); from pipeline import stopping; stopping.listen(); print('ok')"
    done = subprocess.run([sys.executable, "-c", text], stdout=subprocess.PIPE, check=True)
    assert done.stdout == b"ok\n"


def test_the_code_stays_where_no_thread_can_be_started():
    """The machine refuses threads, which the command has found before and says by its code."""
    program = Program("""
        import threading
        def refuse(self):
            raise RuntimeError("can't start new thread")
        threading.Thread.start = refuse
        stopping.over(71)
        ready()
        sys.exit(71)
        """)
    assert program.end()[0] == 71


def test_ctrl_c_that_a_shell_ignores_stays_ignored():
    """A job in the background of a script does not hear the Ctrl-C of the foreground."""
    text = """
import signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
from pipeline import stopping
stopping.listen(75)
stopping.ask_first(lambda: None)
print(signal.getsignal(signal.SIGINT).name, callable(signal.getsignal(signal.SIGTERM)))
"""
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert done.stdout == "SIG_IGN True\n"
