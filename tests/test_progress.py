"""Progress: long work shows itself in a terminal, short work does not, and nothing is shown elsewhere."""

from __future__ import annotations

import sys
from functools import partialmethod
from io import StringIO
from pathlib import Path
from time import sleep

import pytest
from rich.progress import Progress

from xlbackprop import load, train
from xlbackprop.cli import app
from xlbackprop.ground import progress


class Screen(StringIO):
    """What a reader sees, in a terminal or in a file."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every step is shown, not only what stands when the bar is drawn anew ten times a second."""
    monkeypatch.setattr(progress, "_SECONDS_OF_PATIENCE", 0.0)
    monkeypatch.setattr(Progress, "update", partialmethod(Progress.update, refresh=True))


def screen(monkeypatch: pytest.MonkeyPatch, *, terminal: bool) -> Screen:
    found = Screen(terminal)
    monkeypatch.setattr(sys, "stderr", found)
    monkeypatch.setenv("TERM", "xterm")
    return found


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("terminal", [True, False])
def test_training_shows_a_bar_in_a_terminal_only(terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = screen(monkeypatch, terminal=terminal)
    with progress.bar() as listener:
        train(load(iterations=3000), listener=listener)
    assert ("training" in shown.getvalue()) == terminal
    assert terminal or not shown.getvalue()


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("terminal", [True, False])
def test_what_is_waited_for_is_said_in_a_terminal_only(terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = screen(monkeypatch, terminal=terminal)
    with progress.waiting("printing book.xlsx"):
        sleep(0.3)
    assert ("printing book.xlsx" in shown.getvalue()) == terminal
    assert terminal or not shown.getvalue()


def test_short_work_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = screen(monkeypatch, terminal=True)
    with progress.bar() as listener:
        train(load(), listener=listener)
    with progress.waiting("printing book.xlsx"):
        pass
    assert not shown.getvalue()


@pytest.mark.thorough
@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("build", "-o", "book.xlsx", "--iterations", "3000", "--sheets", "walkthrough"), "writing Walkthrough"),
        (("trace", "--iterations", "3000"), "training"),
        (("check", "book.xlsx"), "checking book.xlsx"),
    ],
)
def test_the_commands_that_may_take_long_show_it(
    arguments: tuple[str, ...], words: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        app(["build", "-o", "book.xlsx"])
    shown = screen(monkeypatch, terminal=True)
    with pytest.raises(SystemExit):
        app(list(arguments))
    assert words in shown.getvalue()
