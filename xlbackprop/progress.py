"""Progress: how long work tells whoever listens how far it has come."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

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
            from rich.console import Console
            from rich.progress import Progress

            shown.append(Progress(console=Console(stderr=True), transient=True))
            shown[0].start()
            shown[0].add_task(what)
        (task,) = shown[0].task_ids
        shown[0].update(task, description=what, completed=done, total=of)

    try:
        yield listener
    finally:
        for progress in shown:
            progress.stop()
