"""Programs that are started: nothing that lies beside the reader's files is run, and nothing is left running."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from itertools import product
from pathlib import Path

import pytest

from tests import handmade
from xlbackprop.ground import programs

MODULES = [
    "json",
    "ironcalc",
    "numpy",
    "openpyxl",
    "msgspec",
    "typer",
    "click",
    "rich",
    "typing",
    "tomllib",
    "zipfile",
    "re",
    "pathlib",
    "subprocess",
    "tempfile",
    "sitecustomize",
    "usercustomize",
    "resource",
    "zlib",
    "random",
    "decimal",
    "ast",
    "copy",
    "errno",
    "signal",
    "selectors",
]
PROGRAMS = ("soffice", "libreoffice", "pdftoppm", "python", "python3", "xlbackprop")
WAYS = {
    "the command": [str(Path(sys.prefix) / "bin" / "xlbackprop")],
    "the module": [sys.executable, "-m", "xlbackprop"],
    "Python": [sys.executable, "-P", "-c", "from xlbackprop.__main__ import main; main()"],
}
COMMANDS = {
    "build": ["build", "classic", "--iterations", "3", "-o", "out.xlsx"],
    "new": ["new", "mine.toml"],
    "templates": ["templates"],
    "trace": ["trace"],
    "explain": ["explain", "dE/dw1"],
    "check": ["check", "hand-in.xlsx", "--json"],
    "annotate": ["check", "hand-in.xlsx", "--annotate", "marked.xlsx"],
    "help": ["--help"],
}
OFFICE = {
    "check with LibreOffice": ["check", "hand-in.xlsx", "--json", "--engine", "libreoffice"],
    "render": ["render", "hand-in.xlsx", "--format", "png"],
}


@pytest.fixture
def traps(tmp_path: Path) -> Path:
    """A folder with a hand-in and, around it, code under every name that ours might ask for."""
    handmade.write(tmp_path / "hand-in.xlsx")
    report = f"import os; os.open({str(tmp_path / 'RUN')!r}, os.O_CREAT); raise SystemExit('a trap was run')\n"
    for name in MODULES:
        (tmp_path / f"{name}.py").write_text(report)
    for name in PROGRAMS:
        (tmp_path / name).write_text(f"#!/bin/sh\ntouch '{tmp_path / 'RUN'}'\n")
        (tmp_path / name).chmod(0o755)
    return tmp_path


def _run(folder: Path, way: str, arguments: list[str]) -> subprocess.CompletedProcess[str]:
    search = os.pathsep.join(["", ".", os.environ["PATH"]])  # both mean the current folder
    environment = os.environ | {"PATH": search, "NO_COLOR": "1"}
    return subprocess.run(
        [*WAYS[way], *arguments], cwd=folder, env=environment, capture_output=True, encoding="utf-8", timeout=240
    )


def _assert_nothing_was_run(folder: Path, done: subprocess.CompletedProcess[str]) -> None:
    assert not (folder / "RUN").exists()
    assert done.returncode == 0, done.stderr
    if "--json" in done.args:
        kinds = [note["kind"] for note in json.loads(done.stdout)[0]["notes"]]
        assert "not_recalculated" not in kinds


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("way", "command"),
    [*product(["the module"], COMMANDS), *product(["the command", "Python"], ["build", "check", "annotate"])],
)
def test_no_command_runs_what_lies_beside_the_hand_in(traps: Path, way: str, command: str) -> None:
    if way != "the module":  # Python itself takes the package of that name from the current folder
        (traps / "xlbackprop").unlink()
        (traps / "xlbackprop").mkdir()
        shutil.copy(traps / "json.py", traps / "xlbackprop" / "__init__.py")
    _assert_nothing_was_run(traps, _run(traps, way, COMMANDS[command]))


@pytest.mark.slow
@pytest.mark.parametrize("command", OFFICE)
def test_the_reader_s_libreoffice_is_not_one_that_lies_beside_the_hand_in(traps: Path, command: str) -> None:
    _assert_nothing_was_run(traps, _run(traps, "the command", OFFICE[command]))


def test_a_program_of_the_current_folder_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "soffice").write_text("#!/bin/sh\n")
    (tmp_path / "soffice").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", os.pathsep.join(["", "."]))
    assert programs.find(["soffice", "./soffice"]) is None
    assert programs.find([str(tmp_path / "soffice")]) == str(tmp_path / "soffice")


@pytest.mark.skipif(os.name != "posix", reason="process groups")
def test_a_program_that_takes_too_long_is_ended_with_what_it_started(tmp_path: Path) -> None:
    sleeper = tmp_path / "sleeper"
    sleeper.write_text(f"#!/bin/sh\nsleep 60 &\necho $! > '{tmp_path / 'pid'}'\nwait\n")
    sleeper.chmod(0o755)
    with pytest.raises(subprocess.TimeoutExpired):
        programs.run([str(sleeper)], seconds=1, scratch=tmp_path)
    child = int((tmp_path / "pid").read_text())
    for _ in range(50):
        if _ended(child):
            return
        time.sleep(0.1)
    pytest.fail("the program's own child still runs")


@pytest.mark.skipif(os.name != "posix", reason="process groups")
def test_nothing_is_written_any_more_by_what_a_program_had_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Large programs take a while to end: here what was started goes on a little longer than who started it."""

    def kill_late(process: subprocess.Popen[bytes]) -> None:
        process.kill()
        threading.Timer(0.4, kill_group, [process.pid]).start()

    def kill_group(group: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)

    monkeypatch.setattr(programs, "kill", kill_late)
    writer = tmp_path / "writer"
    writer.write_text(f"#!/bin/sh\nmkdir {tmp_path}/written\n(while :; do : > {tmp_path}/written/a; done) & wait\n")
    writer.chmod(0o755)
    with pytest.raises(subprocess.TimeoutExpired):
        programs.run([str(writer)], seconds=0.3, scratch=tmp_path)
    (tmp_path / "written" / "a").unlink(missing_ok=True)
    time.sleep(0.1)
    assert not (tmp_path / "written" / "a").exists()


def _ended(process: int) -> bool:
    """Whether a process is gone, or only waits to be collected."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_temporary_files_of_a_program_lie_in_the_folder_given(tmp_path: Path) -> None:
    done = programs.run(
        [sys.executable, "-c", "import tempfile; print(tempfile.gettempdir())"], seconds=60, scratch=tmp_path
    )
    assert done.stdout.decode().strip() == str(tmp_path)
