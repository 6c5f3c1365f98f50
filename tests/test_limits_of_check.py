"""The limits of the checker: whatever a file holds, it gets one clear message, soon and without much memory."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import openpyxl
import pytest
from openpyxl.utils import get_column_letter

import xlbackprop
from tests import handmade, reports
from tests.test_check_files import SLIP, _with_part
from tests.test_cli import run, run_here
from xlbackprop.checker import workers
from xlbackprop.checker.calculation import forward, verdict
from xlbackprop.checker.calculation.changed_step import Change, ChangedStep
from xlbackprop.checker.calculation.step import Step
from xlbackprop.checker.file import recalculate
from xlbackprop.checker.file.book import read
from xlbackprop.checker.file.formula import leaves
from xlbackprop.checker.judgement import slip_search
from xlbackprop.checker.report import annotated_copy
from xlbackprop.checker.table.recognise import tables
from xlbackprop.checker.table.trees import MOST_LEAVES, Trees
from xlbackprop.checker.workers import Outcome, Request, checked_by_workers
from xlbackprop.ground import programs
from xlbackprop.ground.errors import UserError

POSIX = pytest.mark.skipif(os.name != "posix", reason="devices, limits and signals of POSIX")


def outcomes_of(*requests: Request) -> list[Outcome]:
    with checked_by_workers(requests) as outcomes:
        found = dict(outcomes)
    return [found[number] for number in range(len(requests))]


def message_of(path: Path) -> str:
    (outcome,) = outcomes_of(Request(path, "ironcalc"))
    assert outcome.report.status in ("unreadable", "not_recognised"), outcome.report
    return outcome.report.message


@pytest.fixture
def right(tmp_path: Path) -> Path:
    return handmade.write(tmp_path / "right.xlsx")


# what is read at all


@pytest.mark.thorough
@POSIX
@pytest.mark.parametrize("option", ["FILE", "--map", "build", "samples", "render"])
@pytest.mark.parametrize("kind", ["device", "endless device", "pipe", "socket", "folder"])
def test_only_files_are_read(
    kind: str,
    option: str,
    right: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "given.toml"
    match kind:
        case "device":
            path = Path("/dev/null")
        case "endless device":
            path = Path("/dev/zero")
        case "pipe":
            os.mkfifo(path)
        case "socket":
            monkeypatch.chdir(tmp_path)
            with socket.socket(socket.AF_UNIX) as bound:
                bound.bind("given.toml")
        case "folder":
            path.mkdir()
    (tmp_path / "mine.toml").write_text(f'samples = "{path}"\n[[layers]]\nunits = 1\n')
    commands = {
        "FILE": ["check", str(path)],
        "--map": ["check", str(right), "--map", str(path)],
        "build": ["build", str(path)],
        "samples": ["build", "mine.toml"],
        "render": ["render", str(path)],
    }
    code, said = run_here(*commands[option], cwd=tmp_path, monkeypatch=monkeypatch, capsys=capsys)
    assert code == 2
    assert path.name in said.replace(" ", "")
    assert ("this is a folder" if kind == "folder" else "only files are read") in said


@pytest.mark.parametrize(
    ("name", "option"), [("large.toml", "build"), ("large.csv", "samples"), ("large.xlsx", "FILE")]
)
def test_a_file_that_is_too_large_is_refused_by_its_name(
    name: str, option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with (tmp_path / name).open("wb") as stream:
        stream.truncate(1 << 30)
    (tmp_path / "mine.toml").write_text(f'samples = "{name}"\n[[layers]]\nunits = 1\n')
    commands = {"FILE": ["check", name], "build": ["build", name], "samples": ["build", "mine.toml"]}
    code, said = run_here(*commands[option], cwd=tmp_path, monkeypatch=monkeypatch, capsys=capsys)
    assert code == 2
    assert name in said
    assert "1,024.0 MB; the largest that is read has" in said


# one message and exit code 2


DEEP = "[" * 900 + "]" * 900
STRANGE_DEFINITIONS = {
    "nested deep": f"inputs = {DEEP}",
    "inline tables nested deep": "a = " + "{a=" * 900 + "1" + "}" * 900,
    "a number of 5,000 digits": "learning_rate = " + "9" * 5000,
    "a date that is none": "a = 2020-13-45",
    "half": "inputs = [",
    "no text": "\udcff\udcfe",
    "a zero character": 'samples = "a\\u0000b"\n[[layers]]\nunits = 1',
    "a long name": f'samples = "{"n" * 5000}"\n[[layers]]\nunits = 1',
}


@pytest.mark.parametrize(
    "command", [["build", "mine.toml"], ["trace", "mine.toml"], ["check", "x.xlsx", "--map", "mine.toml"]]
)
@pytest.mark.parametrize("kind", STRANGE_DEFINITIONS)
def test_a_strange_definition_is_one_message(
    kind: str, command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.toml").write_bytes(STRANGE_DEFINITIONS[kind].encode("utf-8", "surrogateescape"))
    code, said = run_here(*command, cwd=tmp_path, monkeypatch=monkeypatch, capsys=capsys)
    assert code == 2
    assert "mine.toml" in said


@pytest.mark.thorough
@POSIX
@pytest.mark.parametrize("length", [243, 255, 5000])
@pytest.mark.parametrize(
    "command",
    [
        ["build", "classic", "--iterations", "2", "-o", "{}.xlsx"],
        ["new", "{}.toml"],
        ["build", "{}.toml"],
        ["render", "{}.xlsx"],
        ["check", "{}.xlsx"],
        ["check", "right.xlsx", "--annotate", "{}.xlsx"],
        ["check", "right.xlsx", "--map", "{}.toml"],
    ],
    ids=" ".join,
)
def test_a_long_name_is_taken_or_refused_in_one_message(
    command: list[str], length: int, right: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [each.replace("{}", "n" * (length - 5)) for each in command]
    code, said = run_here(*words, cwd=right.parent, monkeypatch=monkeypatch, capsys=capsys)
    assert code in (0, 2)
    assert said


@POSIX
@pytest.mark.skipif(getattr(os, "geteuid", lambda: 0)() == 0, reason="root enters every folder")
@pytest.mark.parametrize(
    "command",
    [["build", "shut/mine.toml"], ["check", "shut/a.xlsx"], ["new", "shut/a.toml"], ["render", "shut/a.xlsx"]],
)
def test_a_folder_that_cannot_be_entered_is_one_message(command: list[str], tmp_path: Path) -> None:
    (tmp_path / "shut").mkdir(mode=0o600)
    done = run(*command, cwd=tmp_path)
    assert done.returncode == 2
    assert "ermission denied" in done.stdout + done.stderr or "protected" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.thorough
@POSIX
def test_names_that_are_no_text_lose_no_report(right: Path, tmp_path: Path) -> None:
    wrong = handmade.write(tmp_path / "wrong.xlsx", SLIP)
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/na\xefve.xlsx")
    Path(odd).write_bytes(right.read_bytes())
    done = run("check", odd, str(wrong), "--json", cwd=tmp_path)
    reports = json.loads(done.stdout)
    assert [report["status"] for report in reports] == ["ok", "mistakes"]
    assert reports[0]["file"].endswith("/na\\xefve.xlsx")
    assert "na\\xefve.xlsx" in run("check", odd, str(wrong), cwd=tmp_path).stdout.replace("\n", "")


CANNOT_START = {
    "no program": lambda *_: (_ for _ in ()).throw(PermissionError(13, "Permission denied")),
    "ended at once": lambda *_: subprocess.Popen(
        [sys.executable, "-c", ""], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ),
}


@pytest.mark.parametrize("why", CANNOT_START)
def test_a_process_that_cannot_be_started_is_told(why: str, right: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "start_python", CANNOT_START[why])
    found = outcomes_of(Request(right, "ironcalc"), Request(right, "ironcalc"))
    reason = "Permission denied" if why == "no program" else "it ended at once"
    assert {each.report.message for each in found} == {f"the process that checks files cannot be started ({reason})"}


@pytest.mark.thorough
@POSIX
def test_a_folder_that_is_gone_is_one_message(right: Path, tmp_path: Path) -> None:
    """The folder that a terminal stands in may be taken away meanwhile."""
    (tmp_path / "gone").mkdir()
    words = " ".join([sys.executable, "-m", "xlbackprop"])
    commands = ["check ../right.xlsx", f"check {right}", "build", "new a.toml", "build b.toml", "trace --iteration 1"]
    script = "rmdir ../gone; " + "; ".join(f"{words} {command}; echo code $?" for command in commands)
    done = subprocess.run(
        ["sh", "-c", script], cwd=tmp_path / "gone", capture_output=True, encoding="utf-8", timeout=60
    )
    assert re.findall(r"code (\d+)", done.stdout) == ["2", "0", "2", "2", "2", "0"]
    assert "Traceback" not in done.stderr
    assert "xlbackprop itself" not in done.stdout + done.stderr
    assert (done.stdout + done.stderr).count("the folder that this runs in is no longer there") == 3


def test_a_mistake_of_our_own_is_the_one_file_s_affair(
    right: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file on which the checker breaks, planted into the worker by a module that it loads."""
    breaking = tmp_path / "breaking.py"
    script = Path(workers.__file__).with_name("worker_process.py").read_text(encoding="utf-8")
    broken = script.replace(
        "found = checked(",
        'if "odd" in request["path"]:\n            raise KeyError("planted")\n        found = checked(',
    ).replace("Path(__file__).parents[2]", repr(str(Path(workers.__file__).parents[2])))
    assert broken.count("planted") == 1
    breaking.write_text(broken, encoding="utf-8")
    start = programs.start_python
    monkeypatch.setattr(programs, "start_python", lambda _, scratch: start(breaking, scratch))
    odd = handmade.write(tmp_path / "odd.xlsx")
    found = outcomes_of(*(Request(path, "ironcalc") for path in (right, odd, right)))
    assert [outcome.report.status for outcome in found] == ["ok", "unreadable", "ok"]
    assert "KeyError: 'planted'" in found[1].report.message


@pytest.mark.thorough
def test_files_are_judged_by_the_package_that_was_called(right: Path, tmp_path: Path) -> None:
    """A copy of it that is found first is not the one that is installed."""
    package = Path(xlbackprop.__file__).parent
    shutil.copytree(package, tmp_path / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    summary = tmp_path / package.name / "checker" / "summary.py"
    text = summary.read_text(encoding="utf-8")
    assert "no mistake in" in text
    summary.write_text(text.replace("no mistake in", "nothing wrong in"), encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-m", "xlbackprop", "check", str(right)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8", timeout=60)
    assert "nothing wrong in" in done.stdout


# time and memory


def _above(rows: str) -> Callable[[bytes], bytes]:
    """A change of a hand-made sheet: more rows above its table."""
    return lambda data: data.replace(b"<sheetData>", f"<sheetData>{rows}".encode(), 1)


def _text_cells(*texts: str) -> str:
    rows = (
        f'<row r="{row}"><c r="A{row}" t="inlineStr"><is><t>{text}</t></is></c></row>'
        for row, text in enumerate(texts, 1)
    )
    return "".join(rows)


SHEET = "xl/worksheets/sheet1.xml"
LONG_TEXTS = [
    "-" * 32767,
    "E" * 32767,
    "a_" * 16000,
    "(" * 32767,
    "d" * 32767 + "/",
    "w1*" * 10000,
    "[" * 30000,
    "1." * 16000,
]


@pytest.mark.thorough
@pytest.mark.parametrize("text", LONG_TEXTS, ids=lambda text: text[:3])
def test_a_long_text_takes_no_time(text: str, right: Path) -> None:
    path = _with_part(right, SHEET, _above(_text_cells(*(text[:-index] for index in range(1, 20)))))
    start = time.process_time()
    reports.check(path)
    assert time.process_time() - start < 3


LONG_FORMULAS = ["'" * 32000, '"' * 31999, "A" * 32767, "A1+" * 20000, "(" * 32767, "A" * 8000, "a." * 4000, '"' * 7999]


@pytest.mark.thorough
@pytest.mark.parametrize("formula", LONG_FORMULAS, ids=lambda formula: f"{formula[:2]} {len(formula)}")
def test_a_long_formula_takes_no_time(formula: str, right: Path) -> None:
    escaped = formula.replace('"', "&quot;")
    rows = "".join(f'<row r="{row}"><c r="A{row}"><f>{row}+{escaped}</f><v>1</v></c></row>' for row in range(1, 20))
    path = _with_part(right, SHEET, _above(rows))
    start = time.process_time()
    reports.check(path)
    assert time.process_time() - start < 3


@pytest.mark.thorough
def test_the_search_for_slips_has_one_budget_for_all_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    searches = []

    def search(*arguments: object) -> tuple[None, int]:
        searches.append(arguments)
        return None, 10

    monkeypatch.setattr(slip_search, "_FILE", 15)
    monkeypatch.setattr(slip_search, "_named", search)
    workbook = openpyxl.Workbook()
    for index in range(3):
        strange: handmade.Changes = {"∂E/∂w1": f"=[h1]^{index + 2}-[o2]", "∂E/∂w6": f"=[h2]/[o1]+{index}"}
        path = handmade.write(tmp_path / "tables.xlsx", strange, sheet=f"Table {index}", book=workbook)
    report = reports.check(path)
    assert [finding.quantity for finding in report.findings] == ["∂E/∂w6", "∂E/∂w1"] * 3
    assert {finding.kind for finding in report.findings} == {"wrong_formula"}
    assert len(searches) == 2


@pytest.mark.thorough
def test_the_search_for_a_wrong_forward_pass_has_an_end(
    right: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def calculated(most: int) -> int:
        cells = []

        class Counted(ChangedStep):
            def __init__(self, step: Step, changes: Sequence[Change]) -> None:
                cells.extend(step.nodes * len(changes))
                super().__init__(step, changes)

        monkeypatch.setattr(verdict, "_MOST_TRIALS", most)
        monkeypatch.setattr(forward, "ChangedStep", Counted)
        found = verdict.judge_calculation(read(path))
        assert found is not None
        assert found.mistakes
        return len(cells)

    path = handmade.write(tmp_path / "wrong.xlsx", {"h2": "=[w3]*[i1]+[w3]*[i1]*[i2]"})
    assert calculated(10_000) > calculated(1_000) > 0
    assert calculated(1_000) < 1_000


def test_helpers_that_double_one_another_are_not_written_out(tmp_path: Path) -> None:
    """Twenty helper columns, each of which reads the one before twice: written out, a million leaves a cell."""
    columns = [get_column_letter(index) for index in range(40, 60)]
    helpers: dict[str, handmade.Change] = {f"{columns[0]}{row}": f"=J{row}" for row in range(33, 45)}
    for before, own in pairwise(columns):
        helpers |= {f"{own}{row}": f"=({before}{row}+{before}{row})/2" for row in range(33, 45)}
    path = handmade.write(tmp_path / "doubling.xlsx", {"∂E/∂w5": f"={handmade.FORMULAS['∂E/∂w5']}"}, extra=helpers)
    workbook = openpyxl.load_workbook(path)
    for row in range(33, 45):
        cell = workbook["Sheet1"][f"{handmade.LETTERS['∂E/∂w5']}{row}"]
        cell.value = cell.value.replace(f"J{row}", f"{columns[-1]}{row}")
    workbook.save(path)
    book = read(path)
    (table,) = tables(book.sheets[0], {})
    trees = Trees(book, table)
    key = trees.typical["∂E/∂w5"]
    assert sum(1 for _ in leaves(trees.written_out(key, {}))) <= MOST_LEAVES
    assert trees.problem(key) == "helper cells that read one another too often"


@pytest.mark.thorough
def test_sheets_that_are_one_part_and_very_many_sheets_are_refused(right: Path) -> None:
    def doubled(data: bytes) -> bytes:
        return re.sub(rb"<sheets>(.*)</sheets>", rb"<sheets>\1\1</sheets>", data)

    def many(data: bytes) -> bytes:
        return re.sub(rb"<sheets>(.*)</sheets>", lambda match: b"<sheets>" + match[1] * 20_000 + b"</sheets>", data)

    assert "one and the same" in message_of(_with_part(right, "xl/workbook.xml", doubled))
    workbook = openpyxl.Workbook()
    for name in ("Table 1", "Table 2"):
        two = handmade.write(right.with_name("two.xlsx"), sheet=name, book=workbook)
    same = _with_part(two, "xl/workbook.xml", lambda data: data.replace(b"Table 2", b"TABLE 1"))
    assert "two of its sheets are called “Table 1”" in message_of(same)
    assert "20,000 sheets" in message_of(_with_part(right, "xl/workbook.xml", many))


def test_a_map_without_a_quantity_of_the_table_is_refused(right: Path, tmp_path: Path) -> None:
    (tmp_path / "map.toml").write_text('eta = "G"\n')
    done = run("check", str(right), "--map", "map.toml", cwd=tmp_path)
    assert (done.returncode, "no columns of a table" in done.stderr) == (2, True)


@pytest.fixture
def slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Plants code into the worker that is run before a file whose name begins with `odd`."""
    start = programs.start_python

    def plant(code: str) -> None:
        script = Path(workers.__file__).with_name("worker_process.py").read_text(encoding="utf-8")
        planted = f'if "odd" in request["path"]:\n            {code}\n        found = checked('
        changed = script.replace("found = checked(", planted)
        changed = changed.replace("Path(__file__).parents[2]", repr(str(Path(workers.__file__).parents[2])))
        (tmp_path / "changed.py").write_text(changed, encoding="utf-8")
        monkeypatch.setattr(programs, "start_python", lambda _, scratch: start(tmp_path / "changed.py", scratch))

    return plant


KEEPS = dict.fromkeys(["while True: pass", "import time; time.sleep(600)"], "took more than 2 seconds and was stopped")
ODD = {
    "import os; os._exit(7)": "broke the process",
    "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)": "broke the process",
    "import os; os.write(1, b'{\"done\":true}\\n'); os._exit(0)": "broke the process",
    "raise RecursionError": "too deep",
}
IN_MEMORY = {"held = bytearray(700 << 20)": "needs more than 320 MB", "held = [[] for _ in range(1 << 27)]": "320 MB"}
ENDS = [*ODD, *(IN_MEMORY if sys.platform == "linux" else ())]


@pytest.mark.skipif(sys.platform != "linux", reason="the limit on memory")
def test_check_from_python_has_the_same_limits(slow: Callable[[str], None], tmp_path: Path) -> None:
    slow("held = bytearray(700 << 20)")
    odd = handmade.write(tmp_path / "odd.xlsx")
    report = xlbackprop.check(odd)
    assert (report.file, report.status) == (str(odd), "unreadable")
    assert "needs more than 320 MB" in report.message


def test_an_engine_that_ends_in_the_middle_of_its_answer_is_none(right: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import sys; sys.stdin.readline(); sys.stdout.write('{\\'known\\': 1, \\'oth')"
    command = [sys.executable, "-c", code]
    monkeypatch.setattr(recalculate, "_idle", [])
    monkeypatch.setattr(recalculate, "_start", lambda: subprocess.Popen(command, stdin=-1, stdout=-1))
    report = reports.check(right)
    assert report.status == "ok"
    assert [note.kind for note in report.notes if note.kind == "not_recalculated"] == ["not_recalculated"]


def test_the_limits_on_memory_come_to_what_is_promised() -> None:
    promised = f"| memory | {workers.MEGABYTES} MB, and {recalculate.MEGABYTES} MB for what recalculates it |"
    assert promised in (Path(__file__).parents[1] / "docs" / "check.md").read_text(encoding="utf-8")
    assert workers.MEGABYTES + recalculate.MEGABYTES <= 500


@POSIX
@pytest.mark.thorough
@pytest.mark.parametrize("codes", [ENDS, *([code] for code in KEEPS)])
def test_files_that_end_or_keep_their_worker_cost_nobody_else_a_report(
    codes: list[str], slow: Callable[[str], None], right: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "SECONDS", 2.0 if codes[0] in KEEPS else 60.0)
    monkeypatch.setattr(workers, "_FILES_A_WORKER", len(codes) + 2)  # one worker for all
    planted = {f"odd{number}.xlsx": code for number, code in enumerate(codes)}
    slow(f"exec({planted!r}[os.path.basename(request['path'])])")
    odd = [handmade.write(tmp_path / name) for name in planted]
    start = time.monotonic()
    first, *found, last = outcomes_of(*(Request(path, "ironcalc") for path in (right, *odd, right)))
    assert (first.report.status, last.report.status) == ("ok", "ok")
    for code, outcome in zip(codes, found, strict=True):
        assert outcome.report.status == "unreadable"
        assert (KEEPS | ODD | IN_MEMORY)[code] in outcome.report.message
    assert time.monotonic() - start < 120
    assert threading.active_count() == 1


@POSIX
def test_nothing_is_left_of_workers_that_are_stopped(
    slow: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    pid = tmp_path / "pid"
    child = "import subprocess; subprocess.Popen(['sleep', '600'])"
    slow(f"{child}; import os; open({str(pid)!r}, 'w').write(str(os.getpgid(0))); import time; time.sleep(600)")
    odd = handmade.write(tmp_path / "odd.xlsx")
    with checked_by_workers([Request(odd, "ironcalc")] * 8):
        while not pid.exists() or not pid.read_text():
            time.sleep(0.05)
    group = int(pid.read_text())
    for _ in range(50):
        if not _alive(group):
            break
        time.sleep(0.1)
    assert not _alive(group)
    assert list((tmp_path / "tmp").iterdir()) == []


def _alive(group: int) -> bool:
    listed = subprocess.run(["ps", "-eo", "pgid=,stat="], capture_output=True, text=True, check=True).stdout
    return any(line.split()[0] == str(group) and "Z" not in line.split()[1] for line in listed.splitlines())


@pytest.mark.thorough
def test_many_files_are_reported_in_their_order(right: Path, tmp_path: Path) -> None:
    wrong = handmade.write(tmp_path / "wrong.xlsx", SLIP)
    (tmp_path / "none.xlsx").write_bytes(b"")
    files = [right, wrong, tmp_path / "none.xlsx"] * 4
    done = run("check", "--json", *map(str, files), cwd=tmp_path)
    reports = json.loads(done.stdout)
    assert [report["file"] for report in reports] == [str(path) for path in files]
    assert [report["status"] for report in reports] == ["ok", "mistakes", "unreadable"] * 4
    assert not any(note["kind"] == "not_recalculated" for report in reports for note in report["notes"])


# the reading


CELLS = [
    '<c r="A1"><v>0.10000000000000001</v></c>',
    '<c r="B1" s="3"><v>1E-3</v></c>',
    '<c r="C1"><v>1_000</v></c>',
    '<c r="D1" t="b"><v>1</v></c>',
    '<c r="E1" t="str"><f>"a"&amp;"&lt;"</f><v>a&lt;</v></c>',
    '<c r="F1" t="inlineStr"><is><t xml:space="preserve"> t &amp; &#8706; </t></is></c>',
    '<c r="G1" t="inlineStr"><is><r><t>r</t></r><r><t>ich</t></r></is></c>',
    '<c r="H1"><f t="shared" ref="H1:H3" si="0">A1*2</f><v>0.2</v></c>',
    '<c r="H2"><f t="shared" si="0"/><v>0.4</v></c>',
    '<c r="H3"><f si="0" t="shared"></f><v>0.6</v></c>',
    '<c r="I1"><f aca="false">SUM(A1:B1)</f><v/></c>',
    '<c r="J1" t="e"><f>1/0</f><v>#DIV/0!</v></c>',
    '<c r="K1" t="array"><v>nan</v></c>',
    '<c r="R1"><v>1E309</v></c>',
    '<c r="S1"><v>-inf</v></c>',
    '<c r="L1"/>',
    "<c><v>3</v></c>",
    "<c r='N1'><v>4</v></c>",
    '<c r="O1"><f t="array" ref="O1:P1">A1:B1*2</f><v>1</v></c>',
    '<c r="Q1" t="str"><f>"é∂"</f><v>é∂</v></c>',
]
"""Cells as programs write them, by one pattern or by none."""


@pytest.mark.parametrize("chosen", [CELLS, *([each] for each in CELLS)], ids=lambda chosen: chosen[0][:40])
def test_cells_are_read_alike_by_their_pattern_and_as_any_xml(chosen: list[str], right: Path) -> None:
    """A comment in a part has all of it read as XML."""

    def cells(around: str) -> list[tuple[object, ...]]:
        added = _above(f'<row r="1">{around}{"".join(chosen)}</row>')
        sheet = read(_with_part(right, SHEET, added)).sheets[0]
        return [
            (place, repr(cell.value), cell.digits, cell.formula.written(*place) if cell.formula else None)
            for place, cell in sheet.cells.items()
        ]

    assert cells("") == cells("<!-- -->")
    assert not {"inf", "-inf", "nan"} & {value for _, value, *_ in cells("")}
    assert len(cells("")) > 300


@pytest.mark.parametrize("broken", ['<c r="A1"><v>\x01</v></c>', '<c r="A1"><v>&none;</v></c>', '<c r="A1"><v>1</c>'])
def test_what_is_no_xml_is_refused_by_either_way(broken: str, right: Path) -> None:
    path = _with_part(right, SHEET, _above(f'<row r="1">{broken}</row>'))
    assert reports.check(path).status == "unreadable"


# the recalculation


READ_BY_FIRST = {
    "B1+1": ["First"],
    "'The second'!A1": ["First", "The second", "Third"],
    "SUM('The second'!A1:A2)": ["First", "The second", "Third"],
    "third+1": ["First", "Third"],
    "nowhere!A1+unknown": ["First"],
    'INDIRECT("Third!A1")': ["First", "The second", "Third", "Fourth"],
    "SUM(Third:Fourth!A1)": ["First", "The second", "Third", "Fourth"],
}


@pytest.mark.parametrize("formula", READ_BY_FIRST)
def test_sheets_are_recalculated_with_all_that_they_read(formula: str, tmp_path: Path) -> None:
    workbook = openpyxl.Workbook()
    workbook.remove(workbook.active)
    for name in ("First", "The second", "Third", "Fourth"):
        workbook.create_sheet(name)["A1"] = 3
    workbook["First"]["A1"] = f"={formula}"
    workbook["The second"]["A1"], workbook["The second"]["A2"] = "=A2*Third!A1", 7
    workbook.defined_names["third"] = openpyxl.workbook.defined_name.DefinedName("third", attr_text="Third!$A$1")
    workbook.save(tmp_path / "book.xlsx")
    book = read(tmp_path / "book.xlsx")
    values = []
    for sheets in (book.with_all_they_read(book.sheets[:1]), book.sheets):
        engine = recalculate.Engine()
        engine.ask(book, sheets)
        values.append(engine.answer().values["First", 1, 1])
        engine.stop()
        if not values[1:]:
            assert [sheet.name for sheet in sheets] == READ_BY_FIRST[formula]
    assert values[0] == values[1]


def test_the_recalculation_sees_the_rows_and_nothing_around_them(right: Path, tmp_path: Path) -> None:
    rule = '<cfRule type="expression" priority="1"><formula>A1</formula></cfRule>'
    around = f'<conditionalFormatting sqref="A1:XFD1048576">{rule}</conditionalFormatting>'

    def surrounded(data: bytes) -> bytes:
        return data.replace(b"</sheetData>", b"</sheetData>" + around.encode(), 1)

    book = read(_with_part(right, SHEET, surrounded))
    recalculate._write_sheets(book, book.sheets, tmp_path / "copy.xlsx")
    with zipfile.ZipFile(tmp_path / "copy.xlsx") as copy:
        assert b"conditionalFormatting" not in copy.read(SHEET)
        assert b"sheetData" in copy.read(SHEET)


def test_libreoffice_is_given_no_stored_value(right: Path, tmp_path: Path) -> None:
    """It would show them and calculate nothing."""
    stored = _with_part(right, SHEET, lambda data: re.sub(rb"</f>\s*(<v\s*/>|<v></v>)", b"</f><v>99</v>", data))
    book = read(stored)
    assert book.container.read(SHEET).count(b"<v>99</v>") > 100
    recalculate._write_sheets(book, book.sheets, tmp_path / "copy.xlsx", with_values=False)
    with zipfile.ZipFile(tmp_path / "copy.xlsx") as copy:
        assert b"<v>99</v>" not in copy.read(SHEET)
        assert b"<v>0.5</v>" in copy.read(SHEET)


def test_tables_with_names_are_recalculated(right: Path) -> None:
    workbook = openpyxl.load_workbook(right)
    ws = workbook["Sheet1"]
    ws["AH1"], ws["AH2"], ws["AH3"] = "n", 2, 3
    ws.add_table(openpyxl.worksheet.table.Table(displayName="Numbers", ref="AH1:AH3"))
    ws["AJ1"] = "=SUM(Numbers[n])"
    workbook.save(right)
    engine = recalculate.Engine()
    book = read(right)
    engine.ask(book, book.sheets)
    values = engine.answer().values
    engine.stop()
    assert values["Sheet1", 1, 36] == 5.0


@pytest.mark.thorough
@POSIX
@pytest.mark.parametrize("in_worker", [False, True], ids=["from Python", "in a worker"])
def test_a_libreoffice_that_hangs_is_ended_with_all_that_it_started(
    in_worker: bool, slow: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program in the place of LibreOffice, which starts another one as LibreOffice does, and waits for it."""
    (tmp_path / "programs").mkdir()
    office = tmp_path / "programs" / "soffice"
    office.write_text(f"#!/bin/sh\nsleep 600 & echo $$ $! > {tmp_path / 'started'}\nwait\n")
    office.chmod(0o755)
    monkeypatch.setenv("PATH", f"{office.parent}{os.pathsep}{os.environ['PATH']}")
    odd = handmade.write(tmp_path / "odd.xlsx")
    if in_worker:
        slow("from xlbackprop.checker.file import recalculate; recalculate.LIBREOFFICE_TIME_LIMIT = 0.5")
        (outcome,) = outcomes_of(Request(odd, "libreoffice"))
        message = outcome.report.message
    else:
        monkeypatch.setattr(recalculate, "LIBREOFFICE_TIME_LIMIT", 0.5)
        with pytest.raises(UserError) as raised:
            reports.check(odd, engine="libreoffice")
        message = str(raised.value)
    assert message == (
        f"--engine libreoffice: LibreOffice took more than 0.5 seconds to recalculate {odd} and was stopped"
    )
    started = (tmp_path / "started").read_text().split()
    assert len(started) == 2
    limit = time.monotonic() + 5  # a process that is killed ends when its turn comes
    while set(started) & _running() and time.monotonic() < limit:
        time.sleep(0.05)
    assert not set(started) & _running()


def _running() -> set[str]:
    listed = subprocess.run(["ps", "-eo", "pid=,stat="], capture_output=True, text=True, check=True).stdout
    return {line.split()[0] for line in listed.splitlines() if "Z" not in line.split()[1]}


# the annotated copy


@pytest.mark.thorough
def test_a_merge_over_everything_is_no_copy_and_the_report_is_kept(tmp_path: Path) -> None:
    wrong = handmade.write(tmp_path / "wrong.xlsx", SLIP)
    merged = b'</sheetData><mergeCells count="1"><mergeCell ref="A1:XFD1048576"/></mergeCells>'
    path = _with_part(wrong, SHEET, lambda data: data.replace(b"</sheetData>", merged))
    done = run("check", str(path), "--annotate", "copy.xlsx", cwd=tmp_path)
    assert done.returncode == 2
    assert "1 mistake in 12 cells" in done.stdout
    assert "17,179,869,184 cells are merged" in done.stderr
    assert not (tmp_path / "copy.xlsx").exists()


@pytest.mark.thorough
def test_the_copy_keeps_rich_text(tmp_path: Path) -> None:
    path = handmade.write(tmp_path / "rich.xlsx", SLIP)
    bold = openpyxl.cell.text.InlineFont(b=True)
    rich = openpyxl.cell.rich_text.CellRichText("a ", openpyxl.cell.rich_text.TextBlock(bold, "bold"), " word")
    workbook = openpyxl.load_workbook(path)
    workbook["Sheet1"]["A3"] = rich
    workbook.save(path)
    assert run("check", str(path), "--annotate", "copy.xlsx", cwd=tmp_path).returncode == 1
    found = openpyxl.load_workbook(tmp_path / "copy.xlsx", rich_text=True)["Sheet1"]["A3"].value
    assert found == rich


DRAWN = {
    "a picture": ("<xdr:pic/>", "1 picture on Sheet1"),
    "pictures": ("<xdr:pic/><xdr:pic/>", "2 pictures on Sheet1"),
    "a shape": ("<xdr:sp/>", "1 shape"),
    "a diagram": ("<xdr:graphicFrame/>", "1 chart or diagram on Sheet1"),
    "something newer": ("<mc:AlternateContent/>", "what newer programs have drawn on Sheet1"),
}
RELATED = {
    "image": "a picture behind the cells on Sheet1",
    "slicer": "slicers on Sheet1",
    "threadedComment": "comment threads on Sheet1",
    "unheardOf": "what another program has added (unheardOf) on Sheet1",
}


def _related(path: Path, kind: str, part: str, content: str) -> Path:
    """A workbook whose first sheet has one more part."""
    target = path.with_name("related.xlsx")
    space = "http://schemas.openxmlformats.org"
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as copy:
        for entry in source.namelist():
            copy.writestr(entry, source.read(entry))
        copy.writestr(part, content)
        copy.writestr(
            "xl/worksheets/_rels/sheet1.xml.rels",
            f'<Relationships xmlns="{space}/package/2006/relationships"><Relationship Id="rId1" '
            f'Type="{space}/officeDocument/2006/relationships/{kind}" Target="/{part}"/></Relationships>',
        )
    return target


@pytest.mark.parametrize("case", [*DRAWN, *RELATED, "extLst"])
def test_the_copy_says_what_it_has_lost(case: str, right: Path) -> None:
    if case in DRAWN:
        inner, words = DRAWN[case]
        anchor = f"<xdr:oneCellAnchor>{inner}</xdr:oneCellAnchor>"
        spaces = 'xmlns:xdr="http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing" xmlns:mc="x"'
        path = _related(right, "drawing", "xl/drawings/drawing1.xml", f"<xdr:wsDr {spaces}>{anchor}</xdr:wsDr>")
    elif case in RELATED:
        path, words = _related(right, case, "xl/other/other1.xml", "<a/>"), RELATED[case]
    else:
        path = _with_part(right, SHEET, lambda data: data.replace(b"</worksheet>", b"<extLst/></worksheet>"))
        words = "what newer programs add to a sheet"
    book = read(path)
    lost = annotated_copy._lost(book, openpyxl.load_workbook(right))
    assert any(words in each for each in lost), lost
