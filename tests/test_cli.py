"""The command line, as a new user tries it."""

from __future__ import annotations

import csv
import io
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import openpyxl
import pytest

from xlbackprop import cli, load, train

IN_A_TERMINAL = {"COLUMNS": "120", "NO_COLOR": "1", "TERM": "dumb"}


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "xlbackprop", *arguments]
    return subprocess.run(
        command, cwd=cwd, env=os.environ | IN_A_TERMINAL, capture_output=True, text=True, encoding="utf-8", timeout=60
    )


def run_here(
    *arguments: str, cwd: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str]:
    """The command line in this process: its exit code and all that it says."""
    monkeypatch.chdir(cwd)
    for name, value in IN_A_TERMINAL.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["xlbackprop", *arguments])
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    monkeypatch.setattr(cli, "_heed_signals", lambda: None)
    with pytest.raises(SystemExit) as ended:
        cli.run()
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    assert "mistake in xlbackprop itself" not in said.err
    return int(ended.value.code or 0), " ".join((said.out + said.err).split())


def test_build_writes_the_classic_by_default(tmp_path: Path) -> None:
    done = run("build", cwd=tmp_path)
    assert done.returncode == 0
    assert (tmp_path / "output" / "classic.xlsx").is_file()
    assert len(done.stdout.splitlines()) == 2
    assert str(Path("output") / "classic.xlsx") in done.stdout


def test_build_options(tmp_path: Path) -> None:
    options = ["-o", "mine.xlsx", "--iterations", "5", "--learning-rate", "0.25", "--columns", "full"]
    assert run("build", "mazur", *options, cwd=tmp_path).returncode == 0
    sheet = openpyxl.load_workbook(tmp_path / "mine.xlsx")["Walkthrough"]
    assert sheet["G31"].value == 0.25
    assert sheet.max_row == 37
    assert "∂out_o1/∂net_o1" in [cell.value for cell in sheet[32]]


def test_build_of_ones_own_definition(tmp_path: Path) -> None:
    text = (
        'title="T"\nteaches="t."\ninputs=[1]\ntargets=[0]\nlearning_rate=1\niterations=2\n[[layers]]\nweights=[[0.5]]\n'
    )
    (tmp_path / "mine.toml").write_text(text)
    assert run("build", "mine.toml", cwd=tmp_path).returncode == 0
    assert (tmp_path / "output" / "mine.xlsx").is_file()


@pytest.mark.thorough
def test_a_sheet_without_room_is_told(tmp_path: Path) -> None:
    layers = "[[layers]]\nunits = 40\n[[layers]]\nunits = 1\n"
    text = f'title="T"\nteaches="t."\ninputs=[1]\ntargets=[0]\nlearning_rate=1\niterations=2\n{layers}'
    (tmp_path / "wide.toml").write_text(text)
    done = run("build", "wide.toml", cwd=tmp_path)
    assert (
        "\nWithout the sheet Matrices: a matrix of it would have 40 rows or columns, and 32 is the most.\n"
        in done.stdout
    )
    assert "Data" not in done.stdout  # one sample has no use for it
    assert "Matrices" not in openpyxl.load_workbook(tmp_path / "output" / "wide.xlsx").sheetnames
    assert "Without" not in run("build", "wide.toml", "--sheets", "walkthrough", cwd=tmp_path).stdout


def test_templates_are_listed(tmp_path: Path) -> None:
    listed = run("templates", cwd=tmp_path)
    assert listed.returncode == 0
    assert "classic" in listed.stdout
    assert "mazur" in listed.stdout


def test_trace_as_json(tmp_path: Path) -> None:
    rows = json.loads(run("trace", "mazur", "--format", "json", "--iteration", "1", cwd=tmp_path).stdout)
    assert rows == [{"iteration": 1, "values": train(load("mazur")).at(1)}]


def test_trace_as_csv(tmp_path: Path) -> None:
    done = run("trace", "--format", "csv", "--iterations", "3", cwd=tmp_path)
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["iteration"] for row in rows] == ["0", "1", "2"]
    assert float(rows[2]["∂E/∂w5"]) == train(load(iterations=3))["∂E/∂w5"][2]


def test_trace_as_a_table(tmp_path: Path) -> None:
    done = run("trace", cwd=tmp_path)
    assert "∂a_o1/∂o1" in done.stdout
    assert "the weighted sum of i1 and i2" in done.stdout


@pytest.mark.parametrize("command", [(), ("build",), ("templates",), ("trace",)])
def test_help(command: tuple[str, ...], tmp_path: Path) -> None:
    done = run(*command, "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert "Usage" in done.stdout


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["build", "--learning-rate", "nan"], "learning_rate: found nan (not a number), expected a number from 0"),
        (["build", "--learning-rate", "inf"], "learning_rate: found an infinite number"),
        (["build", "--learning-rate", "fast"], "'fast' is not a valid float"),
        (["build", "--iterations", "0"], "iterations: found 0, expected a whole number from 1"),
        (["build", "--iterations", "1.5"], "'1.5' is not a valid int"),
        (["build", "clasic"], 'there is no template "clasic"; did you mean "classic"?'),
        (["build", "mine.toml"], "mine.toml: there is no such file"),
        (["build", "wrong.toml"], 'learning_rate: found the text "fast", expected a number from 0'),
        (["build", "-o", "mine.xls"], 'found "mine.xls", expected a file name that ends in .xlsx'),
        (["build", "-o", "wrong.toml/mine.xlsx"], "cannot be written"),
        (["build", "--columns", "all"], "'all' is not one of 'compact', 'full'"),
        (["trace", "--iteration", "68"], "--iteration: found 68, expected a whole number from 0 to 67"),
        (["trace", "--iteration", "-1"], "--iteration: found -1"),
        (["trace", "--format", "xml"], "'xml' is not one of"),
        (["bild"], "No such command 'bild'"),
        (["build", "-o", ""], "found an empty name, expected that of a file or a folder"),
        (["build", "-o", "wrong.toml"], 'found "wrong.toml", expected a file name that ends in .xlsx'),
        (["build", "--sheets", ""], "sheets: found none, expected one or more of start-here"),
        (["new", ""], "found an empty name"),
        (["check", ""], "found an empty name"),
        (["check", "a.xlsx", "--map", ""], "found an empty name"),
        (["check", "a.xlsx", "--annotate", ""], "found an empty name"),
        (["check", "a.xlsx", "b.xlsx", "--annotate", "c.xlsx"], "--annotate: found 2 files, expected one"),
        (["check", "a.xlsx", "--annotate", "a.csv"], '--annotate: found "a.csv", expected a file name that ends in'),
        (["check", "a.xlsx", "--annotate", "wrong.toml/a.xlsx"], "--annotate: wrong.toml/a.xlsx: cannot be written"),
        (["render", ""], "found an empty name"),
        (["render", "a.xlsx", "-o", ""], "found an empty name"),
        ([], "Usage"),
    ],
)
def test_a_mistake_is_one_clear_message_and_exit_code_2(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "wrong.toml").write_text('learning_rate = "fast"\n')
    code, said = run_here(*arguments, cwd=tmp_path, monkeypatch=monkeypatch, capsys=capsys)
    assert code == 2
    assert message in said
    assert [path.name for path in tmp_path.iterdir()] == ["wrong.toml"]


def test_building_loads_neither_pandas_nor_rich(tmp_path: Path) -> None:
    code = "import sys; from xlbackprop import build, load; build(load(), 'a.xlsx'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert not {"pandas", "rich.table", "mpmath"} & set(done.stdout.split())


def test_the_version_is_told(tmp_path: Path) -> None:
    done = run("--version", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"xlbackprop {version('xlbackprop')}\n"


def test_one_iteration_is_one_iteration(tmp_path: Path) -> None:
    assert ", 1 iteration at η" in run("build", "--iterations", "1", "--sheets", "walkthrough", cwd=tmp_path).stdout


@pytest.mark.thorough
def test_every_command_makes_the_folders_that_are_missing(tmp_path: Path) -> None:
    assert run("new", "a/b/mine.toml", cwd=tmp_path).returncode == 0
    assert run("build", "a/b/mine.toml", "-o", "c/d/mine.xlsx", "--iterations", "2", cwd=tmp_path).returncode == 0
    assert run("check", "c/d/mine.xlsx", "--annotate", "e/f/marked.xlsx", cwd=tmp_path).returncode == 0
    files = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*"))
    assert files == ["a/b/mine.toml", "c/d/mine.xlsx", "e/f/marked.xlsx"]


@pytest.mark.thorough
def test_a_definition_with_any_name_can_be_built_by_the_command_that_is_told(tmp_path: Path) -> None:
    done = run("new", "it's $mine.toml", cwd=tmp_path)
    (command,) = [line.removeprefix("Then: ") for line in done.stdout.splitlines() if line.startswith("Then: ")]
    assert f"run:  {command}\n" in (tmp_path / "it's $mine.toml").read_text(encoding="utf-8")
    assert run(*shlex.split(command)[1:], "--iterations", "1", cwd=tmp_path).returncode == 0
    assert (tmp_path / "output" / "it's $mine.xlsx").is_file()


@pytest.mark.thorough
def test_a_copy_is_never_the_file_itself_and_the_report_is_not_lost(tmp_path: Path) -> None:
    assert run("build", "-o", "a.xlsx", "--iterations", "2", cwd=tmp_path).returncode == 0
    before = (tmp_path / "a.xlsx").read_bytes()
    (tmp_path / "link.xlsx").symlink_to("a.xlsx")
    for target in ("a.xlsx", "link.xlsx", "../" + tmp_path.name + "/a.xlsx"):
        done = run("check", "a.xlsx", "--annotate", target, cwd=tmp_path)
        assert done.returncode == 2
        assert "is the file that is checked; choose another name for the copy" in done.stderr
    broken = (
        "import xlbackprop.checker.command as c, errno\ndef fail(*_): raise OSError(errno.ENOSPC, 'full', 'b.xlsx')"
    )
    code = f"{broken}\nc.atomic_write = fail\nimport xlbackprop.__main__ as m\nm.main()"
    command = [sys.executable, "-c", code, "check", "a.xlsx", "--annotate", "b.xlsx"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 2
    assert "a.xlsx" in done.stdout
    assert "b.xlsx" in done.stderr
    assert (tmp_path / "a.xlsx").read_bytes() == before


def test_what_fails_in_the_wake_of_an_interruption_is_no_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    def torn_down(**_: object) -> None:
        try:
            raise KeyboardInterrupt
        finally:
            raise ValueError("a file is still open")

    monkeypatch.setattr(cli, "app", torn_down)
    with pytest.raises(SystemExit) as ended:
        cli.run()
    assert ended.value.code == 130


@pytest.mark.thorough
@pytest.mark.parametrize("sent", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_an_interrupted_build_leaves_nothing_behind(sent: str, tmp_path: Path) -> None:
    # the command as it is, but heeding signals also where the tests run in the background, which ignores them
    heeding = "import signal as s; s.signal(s.SIGINT, s.default_int_handler); s.signal(s.SIGHUP, s.SIG_DFL)"
    code = f"{heeding}; import xlbackprop.__main__ as m; m.main()"
    command = [sys.executable, "-c", code, "build", "--iterations", "60000", "-o", "a/b/long.xlsx"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not list(tmp_path.iterdir()):
        time.sleep(0.01)
    process.send_signal(getattr(signal, sent))
    _, said = process.communicate(timeout=30)
    assert process.returncode == 128 + getattr(signal, sent)
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == []
