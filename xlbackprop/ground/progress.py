"""Progress: how long work tells whoever listens how far it has come, and shows in a terminal that it goes on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Timer
from time import monotonic
from typing import TYPE_CHECKING

from xlbackprop.ground.terminal import console, safe_line

if TYPE_CHECKING:
    from rich.progress import Progress
    from rich.status import Status

Listener = Callable[[str, int, int], None]
"""Called with what is being done, how many steps of it are done, and how many there are."""


def nobody(what: str, done: int, of: int) -> None:
    """The listener for work that nobody watches."""


_SECONDS_OF_PATIENCE = 1.0


@contextmanager
def bar() -> Iterator[Listener]:
    """A listener that shows a bar in the terminal when the work takes over a second, and none elsewhere."""
    if not sys.stderr.isatty():
        yield nobody
        return
    start = monotonic()
    shown: list[Progress] = []

    def listener(what: str, done: int, of: int) -> None:
        if not shown:
            if monotonic() - start < _SECONDS_OF_PATIENCE:
                return
            from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

            words = TextColumn("{task.description}", markup=False)
            columns = (words, BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
            shown.append(Progress(*columns, console=console(stderr=True), transient=True))
            shown[0].start()
            shown[0].add_task("")
        (task,) = shown[0].task_ids
        shown[0].update(task, description=safe_line(what), completed=done, total=of)

    try:
        yield listener
    finally:
        for progress in shown:
            progress.stop()


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Shows in the terminal what is going on when it takes over a second, and nothing elsewhere.

    For work that cannot say how far it has come, such as that of another program.
    """
    if not sys.stderr.isatty():
        yield
        return
    shown: list[Status] = []

    def show() -> None:
        from rich.text import Text

        shown.append(console(stderr=True).status(Text(safe_line(what))))
        shown[0].start()

    timer = Timer(_SECONDS_OF_PATIENCE, show)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        for status in shown:
            status.stop()
