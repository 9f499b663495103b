"""Ends the program on SIGTERM or Ctrl-C at any moment, with the documented exit code.

A handler that raises an exception is not enough: finalizers, callbacks of compiled libraries and
``except:`` clauses swallow the exception, and a long call of a library delays it. So the handler
itself
removes the files that are half written, and ends the process. A thread does the same if the main
thread does not return to Python in time. Only commands listen to signals, the library never does.

This module is imported before all others, so it imports almost nothing.
"""

import atexit
import os
import select
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import FrameType
    from typing import NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM)
# EX_TEMPFAIL of <sysexits.h>: calling the command again continues the work.
INTERRUPTED = 75
# Longest time (s) between a signal and the end of a command; the second number is for work that
# ends by itself.
PATIENCE, LONG_PATIENCE = 3.0, 20.0
# Longest time that the interpreter may take to end (s).
LINGER = 10.0


class _Command:
    """What a signal does to the command that this process runs."""

    is_listened_to = False
    code: int | None = None
    """Exit code after a signal, or None for 128 + the number of the signal."""
    heard = 0
    """Number of signals so far."""
    ask: "Callable[[], None] | None" = None
    """Asks the work to end by itself after the first signal."""
    patience = PATIENCE
    is_abrupt = False
    """Whether the process ends without calling the functions that libraries registered for its end.
    """
    is_over = False
    """Whether the work is over, so that a signal no longer changes the exit code."""

    stderr = 2
    """File descriptor for messages; descriptor 2 is redirected while some libraries are imported.
    """

    @staticmethod
    def say(text: str) -> None:
        """Write a message; logging replaces this function."""
        _plainly(text)


_command = _Command()
_half_written: set[str] = set()


class half_written:  # noqa: N801 - used like contextlib's, whose import would cost time
    """In a ``with`` block: if a signal ends the program now, these files are removed."""

    def __init__(self, *paths: "str | Path") -> None:
        self._paths = {str(path) for path in paths}

    def __enter__(self) -> None:
        _half_written.update(self._paths)

    def __exit__(self, *_: object) -> None:
        _half_written.difference_update(self._paths)


def listen(code: int | None = None) -> None:
    """From now on, end at once on a signal.

    Args:
        code: exit code after a signal; by default 128 + the number of the signal.
    """
    _command.is_listened_to, _command.code, _command.stderr = True, code, _stderr()
    for number in SIGNALS:
        # A shell lets its background jobs ignore Ctrl-C.
        if number == signal.SIGTERM or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _on_signal)
    # Python calls the first registered function last, just before it restores the default handlers.
    atexit.register(_deaf)


def _stderr() -> int:
    """Return a new descriptor for messages; if there is no stderr, the messages are discarded."""
    try:
        return os.dup(2)
    except OSError:
        return os.open(os.devnull, os.O_WRONLY)


def watch(say: "Callable[[str], None]") -> None:
    """Start the thread that ends the program if the main thread cannot, and set its ``say``."""
    if not _command.is_listened_to:
        return
    import threading

    _command.say = say  # type: ignore[assignment,method-assign]
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(reading,), name="signals", daemon=True).start()


def ask_first(ask: "Callable[[], None]") -> None:
    """Let the first signal only call ``ask``; the program then has some time to end by itself."""
    if not _command.is_listened_to:
        return
    _command.ask, _command.patience = ask, LONG_PATIENCE


def abruptly() -> None:
    """End the process without cleanup when the work is over, because a library would hang in it."""
    _command.is_abrupt = _command.is_listened_to


def in_fork() -> None:
    """Prepare a fork of the program: only the parent reacts to Ctrl-C and reports it.

    The fork still ends on SIGTERM, and removes its half-written files.
    """
    signal.set_wakeup_fd(-1)  # the parent's thread would read what arrives here
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _command.say = lambda _: None  # type: ignore[assignment,method-assign]
    _command.ask = None


def over(code: object) -> None:
    """Note that the work is over with this exit code; signals no longer change the code."""
    import contextlib
    import threading

    _command.code = code if isinstance(code, int) else int(code is not None)
    _command.is_over = True
    if _command.is_abrupt:
        with contextlib.suppress(OSError, ValueError, AttributeError):  # no program reads it
            sys.stdout.flush()
        os._exit(_command.code)
    # Threads that wait for a machine that does not answer would keep the process for ever.
    timer = threading.Timer(LINGER, os._exit, (_command.code,))
    timer.daemon = True
    # The system may refuse a thread, and this may be why the work is over.
    with contextlib.suppress(RuntimeError):
        timer.start()


def _on_signal(number: int, _: "FrameType | None") -> None:
    _command.heard += 1
    if _command.ask is not None and _command.heard == 1 and not _command.is_over:
        _command.ask()
        return
    _end(number, _command.say)


def _watch(reading: int) -> None:
    """Read the numbers of signals, which arrive here even if the main thread is in a library."""
    poll = select.poll()
    poll.register(reading, select.POLLIN)
    heard: list[int] = []
    while True:
        # From the first signal on, wait only as long as the program may take to end.
        if not poll.poll(1000 * _command.patience if heard else None) and heard:
            _end(heard[0], _plainly)
        heard += [number for number in os.read(reading, 64) if number in SIGNALS]
        if len(heard) > 1:
            # The main thread also ends the program at once, with a message, unless it is in a
            # library.
            poll.poll(200)
            _end(heard[-1], _plainly)


def _end(number: int, say: "Callable[[str], None]") -> "NoReturn":
    """Remove half-written files and end this process now."""
    code = 128 + number if _command.code is None else _command.code
    # This takes no lock: the thread that has the lock might be waiting for this one.
    for path in tuple(_half_written):
        try:
            os.unlink(path)  # noqa: PTH108 - pathlib is not imported yet
        except OSError:
            continue
    try:
        if os.isatty(_command.stderr) and _takes_text(_command.stderr):
            os.write(_command.stderr, b"\r\x1b[2K\x1b[?25h")  # a progress bar hides the cursor
        if not _command.is_over:
            left = "no half-written file is left" if _command.ask is None else "call again"
            say(f"stopped by {signal.Signals(number).name}; {left}")
        if _takes_text(sys.stdout.fileno()):
            sys.stdout.flush()
    except BaseException:  # noqa: BLE001, S110 - the end must not depend on a terminal
        pass
    os._exit(code)


def _plainly(text: str) -> None:
    tell(f"ocpipe: {text}")


def tell(line: str) -> None:
    """Write a line to the descriptor; ``sys.stderr`` may be in the middle of another line.

    Nothing is written if this would block: into a full pipe, or on a stopped terminal.
    """
    if _takes_text(_command.stderr):
        os.write(_command.stderr, f"{line}\n".encode(errors="replace"))


def _takes_text(descriptor: int) -> bool:
    """Return whether a short text can be written now, or in a moment, without waiting."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return bool(poll.poll(200))


def _deaf() -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
