"""Progress bars: by rich in a terminal, and as a line of HTML in a notebook."""

import contextlib
import html
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from pipeline.machine.printable import printable

if TYPE_CHECKING:
    from rich.progress import Progress


@contextlib.contextmanager
def block_bar(name: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a function that shows how many of all blocks are finished.

    The function draws in the output of a notebook's cell, or on stderr if this is a terminal;
    elsewhere, it does nothing.
    """
    if _in_notebook():
        yield _NotebookBar(name).show
    elif sys.stderr.isatty():
        with moving(name) as move:
            yield lambda done, total: move(completed=done, total=total)
    else:
        yield lambda _done, _total: None


@contextlib.contextmanager
def moving(name: str, *fields: str) -> Iterator[Callable[..., None]]:
    """Yield a function that moves a bar in a terminal; the bar disappears at the end."""
    bar = bars(*fields)
    shown: dict[str, Any] = dict.fromkeys(fields, "")
    task = bar.add_task(printable(name), total=None, **shown)

    def move(**changes: Any) -> None:
        bar.start()  # only now, because earlier imports may write to the terminal directly
        bar.update(task, **changes)

    try:
        yield move
    finally:
        bar.stop()


def bars(*fields: str) -> "Progress":
    """Return bars on stderr for a terminal, with the texts ``fields`` in each row.

    Square brackets in names are not markup. The caller makes names printable.
    """
    from rich import progress
    from rich.console import Console

    return progress.Progress(
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(bar_width=24),
        progress.MofNCompleteColumn(),
        *(progress.TextColumn(f"{{task.fields[{field}]}}", markup=False) for field in fields),
        progress.TimeElapsedColumn(),
        progress.TimeRemainingColumn(compact=True),
        console=Console(stderr=True),
        transient=True,
    )


def _in_notebook() -> bool:
    """Whether the code runs in a notebook's kernel; IPython in a terminal has no kernel."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return getattr(shell, "kernel", None) is not None


class _NotebookBar:
    """A progress bar below a cell of a notebook; it needs no widgets."""

    def __init__(self, name: str) -> None:
        self._name = printable(name)
        self._handle: Any = None

    def show(self, done: int, total: int) -> None:
        """Show that ``done`` of ``total`` blocks are finished."""
        from IPython.display import display

        text = f"{self._name}: {done} of {total} blocks"
        bar = f"<progress value='{done}' max='{total}'></progress> {html.escape(text)}"
        shown = {"text/plain": text, "text/html": bar}
        if self._handle is None:
            self._handle = display(shown, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(shown, raw=True)
