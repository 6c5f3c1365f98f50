"""The terminal: the one place where text is printed, shown as it is and never obeyed, whoever wrote it."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TextIO

from xlbackprop.ground.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console


class OutputEndedError(Exception):
    """Nobody reads the output any more, as where `| head` has seen enough."""


_OBEYED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters, but for tabs and ends of lines
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # what turns the direction of the text after it
    "\u2028\u2029\ud800-\udfff]"  # other ends of lines; halves of characters, which no terminal can take
)
_LEAST_WIDTH = 20
"""Columns; a terminal that has fewer, or says so, as some say 0, breaks lines by itself."""
_BYTE_OF_A_NAME = range(0xDC80, 0xDD00)
"""What Python puts for a byte of a file name that is no UTF-8."""


def safe(text: object) -> str:
    """A text in which everything that a terminal would obey is written out, such as `\\x1b`; ends of lines stay."""
    return _OBEYED.sub(_written_out, str(text))


def safe_line(text: object) -> str:
    """The same on one line: a text that comes from a file cannot add lines of its own."""
    return safe(text).replace("\n", "\\n").replace("\t", " ")


def safe_json(text: str) -> str:
    """JSON that says the same and holds nothing that a terminal would obey."""
    return _OBEYED.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def say(text: str, *, end: str = "\n") -> None:
    """Print a text for the reader.

    Raises:
        OutputEndedError: nobody reads it.
    """
    _print(safe(text) + end)


def say_json(text: str) -> None:
    """Print JSON for another program.

    Raises:
        OutputEndedError: nobody reads it.
    """
    _print(safe_json(text) + "\n")


def complain(text: str) -> None:
    """Print a message about what went wrong."""
    say_to_stderr(f"xlbackprop: {text}\n")


def say_to_stderr(text: str) -> None:
    """Print a text where messages go, if it can be printed."""
    with suppress(OSError):
        sys.stderr.write(safe(text))
        sys.stderr.flush()


def console(*, stderr: bool = False) -> Console:
    """A console for tables and progress whose texts are shown as they are."""
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

    class Safe(Console):
        def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
            for segment in super().render(renderable, options):
                yield segment if segment.control else Segment(safe(segment.text), segment.style)

        def on_broken_pipe(self) -> NoReturn:
            raise OutputEndedError

    made = Safe(stderr=stderr, markup=False, emoji=False, highlight=False)
    made.width = max(made.width, _LEAST_WIDTH)
    return made


def prepare() -> None:
    """Make the standard streams fit for every text, on a terminal of any language.

    Raises:
        UserError: there is no standard output.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    if sys.stderr is None:
        sys.stderr = _nowhere()
    if sys.stdout is None:
        sys.stdout = _nowhere()
        raise UserError("the standard output is closed; there is nowhere to print to")


def flush() -> None:
    """Print what is still waiting.

    Raises:
        OutputEndedError: nobody reads it.
        OSError: it cannot be printed.
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise OutputEndedError from None


def give_up_printing() -> None:
    """Print nothing more: the output has ended or is full, and Python would try it once more at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(nowhere, stream.fileno())


def _print(text: str) -> None:
    try:
        sys.stdout.write(text)
    except BrokenPipeError:
        raise OutputEndedError from None


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8", errors="backslashreplace")


def _written_out(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code in _BYTE_OF_A_NAME:
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
