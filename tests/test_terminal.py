"""What reaches the terminal: every text shown, none obeyed; one message and the right code however printing ends."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import xlbackprop
from tests import handmade
from tests.test_cli import run, run_here
from xlbackprop.ground import progress, terminal

OBEYED = [
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x9b31m",
    "a\rb",
    "a\x08b",
    "\x00",
    "\x7f",
    "\u202egnp.xslx",
    "\u2066x\u2069",
    "\u061c",
    "\u2028",
    "\udcff",
    "\ud800",
]
"""Texts that a terminal obeys, or cannot take."""
UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
POSIX = pytest.mark.skipif(os.name != "posix", reason="pipes, devices and signals of POSIX")


@pytest.mark.parametrize("text", OBEYED)
def test_what_a_terminal_would_obey_is_written_out(text: str) -> None:
    assert UNSAFE.search(text)
    shown = terminal.safe(f"[bold]{text}[/] 𝛛E/∂w₁ é")
    assert not UNSAFE.search(shown)
    assert shown.startswith("[bold]")
    assert shown.endswith("[/] 𝛛E/∂w₁ é")
    shown.encode()


@given(st.text(st.characters()))
def test_every_text_can_be_printed_and_json_stays_the_same(text: str) -> None:
    assert not UNSAFE.search(terminal.safe(text))
    assert "\n" not in terminal.safe_line(text)
    written = json.dumps(text, ensure_ascii=False)
    assert json.loads(terminal.safe_json(written)) == text
    assert not UNSAFE.search(terminal.safe_json(written))


def test_bytes_of_a_name_that_is_no_text_are_written_out() -> None:
    assert terminal.safe(b"na\xefve.xlsx".decode("utf-8", "surrogateescape")) == "na\\xefve.xlsx"


@pytest.mark.parametrize("text", OBEYED)
def test_a_bar_shows_what_it_is_told_and_obeys_none_of_it(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(progress, "_SECONDS_OF_PATIENCE", 0.0)
    monkeypatch.setenv("TERM", "xterm")
    with progress.bar() as listener:
        listener(f"[red]{text}", 1, 2)
        listener(f"[red]{text}", 2, 2)
    assert f"[red]{terminal.safe_line(text)}" in screen.getvalue()


def _foreign_files(folder: Path) -> list[str]:
    """Hand-ins whose names, sheets and texts hold what a terminal would obey."""
    names = [f"{index} {text}[red].xlsx" for index, text in enumerate(OBEYED) if text not in ("\x00", "\ud800")]
    for name in names:
        (folder / name).write_bytes(b"no workbook")
    path = handmade.write(
        folder / "slip.xlsx", {"∂E/∂w3": '=[∂E/∂w1]+0*LEN("\x9b31m\u202e[red]")'}, sheet="\u202e\x9b1"
    )
    workbook = openpyxl.load_workbook(path)
    workbook.worksheets[0]["A3"] = "h1 = w1*i1 + w2*i1 \x9b31m\u202e"
    workbook.save(path)
    return [*names, path.name]


@pytest.mark.thorough
@POSIX
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_check_obeys_no_name_no_sheet_and_no_text(options: list[str], tmp_path: Path) -> None:
    names = _foreign_files(tmp_path)
    done = run("check", *names, *options, cwd=tmp_path)
    assert done.returncode == 2
    assert not UNSAFE.search(done.stdout + done.stderr)
    if options:
        reports = json.loads(done.stdout)
        assert len(reports) == len(names)
        assert "\ud800" not in str(reports)
        json.dumps(reports, ensure_ascii=False).encode()
    else:
        assert done.stdout.count("[red].xlsx") == len(names) - 1


@pytest.mark.thorough
@POSIX
@pytest.mark.parametrize("text", [text for text in OBEYED if text not in ("\x00", "\ud800")])
@pytest.mark.parametrize(
    "arguments",
    [
        ["build", "{}.toml"],
        ["build", "classic", "-o", "{}.xls"],
        ["build", "--sheets", "{}"],
        ["{}"],
        ["new", "{}.txt"],
        ["explain", "{}"],
        ["render", "{}.xlsx"],
        ["check", "x.xlsx", "--map", "{}.toml"],
        ["check", "x.xlsx", "--annotate", "{}.pdf"],
        ["trace", "--format", "{}"],
    ],
    ids=" ".join,
)
def test_no_message_obeys_what_was_typed(
    arguments: list[str], text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [each.replace("{}", text) for each in arguments]
    code, said = run_here(*words, cwd=tmp_path, monkeypatch=monkeypatch, capsys=capsys)
    assert code == 2
    assert said
    assert not UNSAFE.search(said)


@pytest.mark.parametrize("columns", ["0", "1", "-3", "x"])
def test_a_narrow_terminal_shows_as_much_as_any(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    shown = terminal.console()
    with shown.capture() as captured:
        shown.print("∂E/∂w1 is 0.5")
    assert captured.get() == "∂E/∂w1 is 0.5\n"


def test_only_the_terminal_prints() -> None:
    """Whoever prints goes through the one place that makes texts safe."""
    house = Path(xlbackprop.__file__).parent
    printing = re.compile(
        r"typer\.echo|(?<![.\w])print\(|rich\.console import Console$|std(?:out|err)\.write", re.MULTILINE
    )
    found = {path.name for path in house.rglob("*.py") if printing.search(path.read_text(encoding="utf-8"))}
    assert found == {"terminal.py"}


# how printing ends


def _shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", command], cwd=folder, capture_output=True, encoding="utf-8", timeout=120, check=False
    )


COMMAND = f"'{sys.executable}' -m xlbackprop"


@pytest.mark.thorough
@POSIX
@pytest.mark.parametrize(
    ("arguments", "fills"),
    [("trace --format csv --iterations 60000", True), ("check book.xlsx", False), ("templates", False)],
)
def test_a_pipe_that_ends_is_no_mistake(arguments: str, fills: bool, tmp_path: Path) -> None:
    handmade.write(tmp_path / "book.xlsx")
    done = _shell(f"set -o pipefail; {COMMAND} {arguments} | (exec <&-; sleep 0.1); echo ${{PIPESTATUS[0]}}", tmp_path)
    assert done.stderr == ""
    assert done.stdout.strip() == "141"
    done = _shell(f"{COMMAND} {arguments} 2>&1 | head -1; echo ${{PIPESTATUS[0]}}", tmp_path)
    assert done.stdout.splitlines()[-1] in (("141",) if fills else ("0", "141"))


@pytest.mark.thorough
@POSIX
@pytest.mark.parametrize("arguments", ["trace --format csv", "check book.xlsx", "check book.xlsx --json", "templates"])
@pytest.mark.parametrize(("where", "words"), [("> /dev/full", "No space left"), (">&-", "closed")])
def test_output_that_cannot_be_written_is_one_message(arguments: str, where: str, words: str, tmp_path: Path) -> None:
    handmade.write(tmp_path / "book.xlsx")
    if where == "> /dev/full" and not Path("/dev/full").exists():
        pytest.skip("no such device here")
    done = _shell(f"{COMMAND} {arguments} {where}", tmp_path)
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert _shell(f"{COMMAND} {arguments} {where} 2>&-", tmp_path).returncode == 2


@pytest.mark.thorough
@POSIX
@pytest.mark.parametrize("wait", [0.02, 0.05, 0.1, 0.2, 0.3, 0.6])
@pytest.mark.parametrize("arguments", [["trace"], ["check", "book.xlsx"]])
def test_ctrl_c_at_any_time_is_no_traceback(arguments: list[str], wait: float, tmp_path: Path) -> None:
    handmade.write(tmp_path / "book.xlsx")
    heeding = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    main = "from xlbackprop.__main__ import main; print(end='x', flush=True); main()"
    process = subprocess.Popen(
        [sys.executable, "-c", f"{heeding}; {main}", *arguments],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    assert process.stdout is not None
    assert process.stdout.read(1) == "x"
    time.sleep(wait)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode in (0, 130, -signal.SIGINT)
    assert said == ""
