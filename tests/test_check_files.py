"""The checker at the edges: hostile files, the command line, the notes round the table, the annotated copy."""

from __future__ import annotations

import io
import json
import os
import random
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest
from msgspec.structs import replace
from openpyxl.chart import LineChart, Reference
from typer.testing import CliRunner

from tests import handmade, installed, judges
from tests.handmade import CLASSIC, FORMULAS, LETTERS
from tests.reports import check
from tests.test_check import D2, SLIPS, report_of, wrong_cells
from xlbackprop import build, load, train
from xlbackprop.checker.file import recalculate
from xlbackprop.checker.file.values import Values
from xlbackprop.cli import app
from xlbackprop.ground.errors import UserError
from xlbackprop.network.embedded import from_workbook, to_properties

SLIP = SLIPS["the other activation's derivative"][0]


@pytest.fixture
def right(tmp_path: Path) -> Path:
    return handmade.write(tmp_path / "right.xlsx")


def notes_of(path: Path, kind: str) -> list[str]:
    return [note.message for note in report_of(path).notes if note.kind == kind]


# files that are no workbooks, or none to be trusted


def _with_part(path: Path, name: str, change: Callable[[bytes], bytes]) -> Path:
    """A copy of a workbook with one part changed."""
    target = path.with_name("changed.xlsx")
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as copy:
        for entry in source.namelist():
            data = source.read(entry)
            copy.writestr(entry, change(data) if entry == name else data)
    return target


def _zip(**parts: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return stream.getvalue()


OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.xlsx", b"", "empty"),
        ("old.xls", OLE + bytes(600), ".xls"),
        ("locked.xlsx", OLE + bytes(200) + "EncryptedPackage".encode("utf-16-le"), "encrypted"),
        ("sheet.ods", _zip(mimetype=b"application/vnd.oasis.opendocument.spreadsheet"), ".ods"),
        ("table.dat", b"w1,w2\n0.15,0.2\n", ".csv"),
        ("paper.pdf", b"%PDF-1.7 ...", "PDF"),
        ("other.zip", _zip(readme=b"hello"), "not an .xlsx"),
        ("binary.xlsb", _zip(**{"xl/workbook.bin": b""}), ".xlsb"),
        ("noise.xlsx", bytes(range(256)) * 20, "not an .xlsx"),
        ("half.xlsx", b"PK\x03\x04" + bytes(100), "truncated or damaged"),
    ],
)
def test_what_is_no_workbook_gets_one_clear_message(name: str, content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    report = report_of(path)
    assert report.status == "unreadable"
    assert words in report.message
    assert "\n" not in report.message


def test_a_missing_file_and_a_folder_are_told(tmp_path: Path) -> None:
    assert "no such file" in report_of(tmp_path / "none.xlsx").message
    assert "folder" in report_of(tmp_path).message


@pytest.mark.parametrize(
    ("part", "change", "words"),
    [
        ("xl/workbook.xml", lambda data: b"<a>" * 300 + b"</a>" * 300, "nested"),
        ("xl/workbook.xml", lambda data: data[:-20], "not well-formed"),
        ("xl/worksheets/sheet1.xml", lambda data: b'<!DOCTYPE x [<!ENTITY e "e">]>' + data, "document type"),
        ("xl/worksheets/sheet1.xml", lambda data: bytes(100 << 20), "zip bomb"),
    ],
)
def test_dangerous_parts_are_refused(part: str, change: Callable[[bytes], bytes], words: str, right: Path) -> None:
    report = report_of(_with_part(right, part, change))
    assert (report.status, words in report.message) == ("unreadable", True), report.message


def test_a_link_to_a_file_outside_is_not_followed(right: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.xml"
    secret.write_text("<sst/>")

    def outside(data: bytes) -> bytes:
        return data.replace(b"worksheets/sheet1.xml", str(secret).encode())

    assert report_of(_with_part(right, "xl/_rels/workbook.xml.rels", outside)).status == "unreadable"


def test_the_recalculation_has_a_time_limit(right: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def sleeper() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", "import time; time.sleep(600)"]
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=hasattr(os, "killpg")
        )

    monkeypatch.setattr(recalculate, "_idle", [])
    monkeypatch.setattr(recalculate, "_start", sleeper)
    monkeypatch.setattr(recalculate, "TIME_LIMIT", 0.2)
    report = report_of(right)
    assert report.status == "ok"
    assert any("was stopped" in note.message for note in report.notes)


@pytest.mark.thorough
def test_nothing_that_is_broken_at_random_raises(tmp_path: Path) -> None:
    """Fuzzing: bytes of the file, of its unpacked parts, and of the texts in them, changed, cut and doubled."""
    generator = random.Random(7)
    right = handmade.write(tmp_path / "right.xlsx", rows=6)
    whole = right.read_bytes()
    with zipfile.ZipFile(right) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    target = right.with_name("fuzzed.xlsx")
    for turn in range(30):
        name = generator.choice(list(parts))
        match turn % 3:
            case 0:
                target.write_bytes(_broken(whole, generator))
            case 1:
                target.write_bytes(_zip(**{**parts, name: _broken(parts[name], generator)}))
            case 2:
                sheet = "xl/worksheets/sheet1.xml"
                target.write_bytes(_zip(**{**parts, sheet: _with_broken_formulas(parts[sheet], generator)}))
        report = _without_engine(target)
        assert report in {"ok", "mistakes", "not_recognised", "unreadable"}


def _without_engine(path: Path) -> str:
    """The status without the recalculation, which would take most of the time."""

    class Idle:
        def ask(self, book: object, sheets: object) -> None:
            pass

        def answer(self) -> recalculate.Recalculated:
            return recalculate.Recalculated(Values())

        def stop(self) -> None:
            pass

    engine = recalculate.Engine
    recalculate.Engine = Idle  # type: ignore[assignment, misc]
    try:
        return check(path).status
    finally:
        recalculate.Engine = engine  # type: ignore[misc]


def _with_broken_formulas(data: bytes, generator: random.Random) -> bytes:
    """A sheet in whose formulas signs are dropped, doubled and exchanged, so that it is still read."""
    signs = ["", "(", ")", "*", "-", "$", "A1", "SUM(", "^", "%", '"', "#REF!", ":", "!", "'", "1E5", "0", "Z99", ","]

    def spoiled(match: re.Match[str]) -> str:
        text = match[2]
        if generator.random() > 0.02 or not text:
            return match[0]
        place = generator.randrange(len(text))
        return match[1] + text[:place] + generator.choice(signs) + text[place + generator.randrange(2) :]

    return re.sub(r"(<f[^>]*>)([^<]*)", spoiled, data.decode()).encode()


def _broken(data: bytes, generator: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(generator.randint(1, 6)):
        place = generator.randrange(len(changed) or 1)
        match generator.randrange(4):
            case 0:
                changed[place : place + 1] = bytes([generator.randrange(256)])
            case 1:
                del changed[place : place + generator.randint(1, 40)]
            case 2:
                changed[place:place] = changed[place : place + generator.randint(1, 40)]
            case 3:
                changed[place : place + 3] = generator.choice([b"999", b"A1:", b"((", b"$E", b"1E9", b"-(-"])
    return bytes(changed)


@pytest.mark.thorough
@pytest.mark.parametrize(
    "formula",
    [
        "=" + "(" * 500 + "1" + ")" * 500,
        "=" + "1+" * 3000 + "1",
        "=SUM(A1:XFD1048576)",
        "=J33",
        '=INDIRECT("A1")',
        "=[1]Sheet1!A1*2",
        "=Nothing!A1",
        "=LAMBDA(x,x)(1)",
        "=1E999",
        "=A33:A34",
        "={1,2;3,4}",
        "=-+-+-1%%^-2",
    ],
)
def test_strange_formulas_are_judged_or_passed_over(formula: str, tmp_path: Path) -> None:
    report = report_of(handmade.write(tmp_path / "strange.xlsx", {("a_h1", 36): formula}))
    assert report.status in ({"not_recognised"} if "[1]" in formula else {"ok", "mistakes"})
    assert wrong_cells(report) <= {"J36"}


# the command line


def run(*arguments: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["check", *map(str, arguments)])
    if isinstance(result.exception, UserError):
        raise result.exception
    return result.exit_code, result.stdout


@pytest.mark.thorough
def test_exit_codes_tell_right_wrong_and_unknown(right: Path, tmp_path: Path) -> None:
    wrong = handmade.write(tmp_path / "wrong.xlsx", SLIP)
    other = tmp_path / "other.xlsx"
    openpyxl.Workbook().save(other)
    assert run(right)[0] == 0
    assert run(wrong)[0] == 1
    assert run(right, wrong)[0] == 1
    assert run(other)[0] == 2
    assert run(tmp_path / "none.xlsx", wrong)[0] == 2


def test_the_json_has_the_promised_shape(tmp_path: Path) -> None:
    wrong = handmade.write(tmp_path / "wrong.xlsx", SLIP)
    code, text = run(wrong, "--json")
    (report,) = json.loads(text)
    assert code == 1
    assert list(report) == ["file", "status", "message", "tables", "findings", "notes", "judged", "not_judged"]
    eta = {"cell": "G31", "value": 0.5}
    assert report["tables"] == [
        {"sheet": "Sheet1", "range": "A32:AE44", "rows": 12, "learning_rate": eta, "counted": "rows"}
    ]
    (finding,) = report["findings"]
    assert list(finding) == [
        *("sheet", "cells", "quantity", "kind", "found", "expected", "value", "correct_value", "message"),
        *("quantities", "replacements"),
    ]
    assert finding["cells"] == ["Z33:Z44"]
    assert finding["found"].startswith("=((R33-A33)")
    assert finding["expected"] == "=((R33-A33)*R33*(1-R33)*N33+(T33-B33)*T33*(1-T33)*P33)*L33*(1-L33)*C33"
    assert finding["value"] != finding["correct_value"] == pytest.approx(0.000224813462576, rel=1e-9)
    assert all(list(note) == ["sheet", "cells", "kind", "message"] for note in report["notes"])


def test_the_terminal_names_the_cells_and_both_formulas(tmp_path: Path) -> None:
    text = re.sub(r"[\s│]", "", run(handmade.write(tmp_path / "wrong.xlsx", SLIP))[1])
    for word in ("1mistakein12cells", "Z33:Z44", "J33*(1-J33)", "L33*(1-L33)"):
        assert word in text


@pytest.mark.thorough
def test_a_map_settles_what_labels_do_not_say(tmp_path: Path) -> None:
    labels = {name: f"column {index}" for index, name in enumerate(CLASSIC)}
    path = handmade.write(tmp_path / "mapped.xlsx", SLIP, labels=labels)
    without = report_of(path)  # labels name things; that a gradient is wrong shows without them
    assert wrong_cells(without) == {f"Z{row}" for row in range(33, 45)}
    lines = [f'"{name}" = "{LETTERS[name]}"' for name in CLASSIC]
    table = tmp_path / "map.toml"
    table.write_text("\n".join(lines), encoding="utf-8")
    assert run(path, "--map", table)[0] == 1
    assert "Z33:Z44" in run(path, "--map", table, "--json")[1]
    table.write_text("\n".join(['sheet = "Sheet1"', "header = 32", *lines]), encoding="utf-8")
    assert run(path, "--map", table)[0] == 1
    table.write_text("\ufeff" + "\n".join(['sheet = "Sheet1"', *lines]), encoding="utf-8")
    assert run(path, "--map", table)[0] == 1
    table.write_text("\n".join(['sheet = "Sheet2"', *lines]), encoding="utf-8")
    code, said = run(path, "--map", table, "--json")
    assert code == 2
    assert 'there is no sheet \\"Sheet2\\", which the map names; did you mean \\"Sheet1\\"?' in said


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("w1 = ", "TOML"),
        ('nonsense = "A"', "nonsense"),
        ("w1 = 3", "letters"),
        ("", "no columns"),
        ("header = 0", "header"),
        ('h1 = "A"\nH1 = "B"', "H1: found h1 a second time, expected every quantity once"),
        ('"dE/dw1" = "A"\n"∂E/∂w1" = "A"', "found ∂E/∂w1 a second time"),
        ('h1 = "ZZZ"', "h1: found 'ZZZ', expected the letters of a column, XFD is the last"),
        ("learning_rate = 0,5", "a number has a decimal point and no comma"),
        ('activations = "tahn"\n{columns}', "activations: found 'tahn', did you mean \"tanh\"?"),
        ('activations = ["tanh"]\n{columns}', "activations: found 1, expected 2, one for every layer of units"),
        ('activations = ["softmax", "tanh"]\n{columns}', "found softmax before the last layer"),
        ('loss = "binary crossentropy"\n{columns}', 'did you mean "binary cross-entropy"?'),
        ('loss = "mse"\n{columns}', "loss: found 'mse', there is: half squared error"),
        ('loss = "binary cross-entropy"\nactivations = "tanh"\n{columns}', "expected the activation sigmoid there"),
        ('layout = "row"\n{columns}', "layout: found 'row', did you mean \"rows\"?"),
        ('layout = "columns"\nw1 = "A"', "w1: found 'A', expected the number of the row"),
    ],
)
def test_a_map_with_a_mistake_is_told(content: str, words: str, right: Path, tmp_path: Path) -> None:
    table = tmp_path / "map.toml"
    columns = "\n".join(f'{name} = "{letter}"' for name, letter in LETTERS.items() if "∂" not in name)
    table.write_text(content.replace("{columns}", columns), encoding="utf-8")
    with pytest.raises(UserError, match=re.escape(words)):
        run(right, "--map", table)


def test_libreoffice_that_is_missing_is_told(right: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match="soffice"):
        run(right, "--engine", "libreoffice")


@pytest.mark.slow
def test_libreoffice_recalculates_too(tmp_path: Path) -> None:
    installed.program("soffice")
    code, text = run(handmade.write(tmp_path / "wrong.xlsx", SLIP), "--engine", "libreoffice", "--json")
    (finding,) = json.loads(text)[0]["findings"]
    assert (code, finding["cells"]) == (1, ["Z33:Z44"])
    assert finding["value"] != finding["correct_value"] == pytest.approx(0.000224813462576, rel=1e-9)


def test_the_command_does_not_slow_the_others_down() -> None:
    """`build` must not import what only `check` needs."""
    code = "import sys, xlbackprop.cli, xlbackprop.workbook as w; print([m for m in sys.modules if 'checker.' in m])"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "[]"


# files of ours


def test_the_definition_goes_through_the_properties() -> None:
    for template in ("classic", "mazur"):
        definition = load(template)
        properties = to_properties(definition)
        assert all(len(text) <= 255 for text in properties.values())
        found = from_workbook(properties, ())
        assert found is not None
        assert (found.layers, found.inputs, found.notation) == (
            definition.layers,
            definition.inputs,
            definition.notation,
        )
    assert from_workbook({}, ()) is None
    assert from_workbook({"xlbackprop definition 001": "{"}, ["xlbackprop definition 001 {"]) is None


@pytest.mark.thorough
def test_only_the_walkthrough_of_a_workbook_of_ours_is_judged(tmp_path: Path) -> None:
    path = build(load("mazur", iterations=5), tmp_path / "ours.xlsx", columns="full")
    workbook = openpyxl.load_workbook(path)
    for name in ("Your turn", "Step by step"):
        handmade.write(path, SLIP, sheet=name, book=workbook)
    report = report_of(path)
    assert [table.sheet for table in report.tables] == ["Walkthrough"]
    assert report.status == "ok"


# around the table


def _charted(path: Path, first: int, last: int, column: str = "E_total", title: str | None = "Loss") -> Path:
    workbook = openpyxl.load_workbook(path)
    ws = workbook["Sheet1"]
    number = openpyxl.utils.column_index_from_string(LETTERS[column])
    chart = LineChart()
    chart.title = title
    chart.add_data(Reference(ws, min_col=number, min_row=first, max_row=last))
    ws.add_chart(chart, "AH2")
    workbook.save(path)
    return path


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("first", "last", "words"),
    [(33, 44, ""), (34, 44, "the first iteration"), (33, 41, "the last 3 iterations"), (32, 44, "")],
)
def test_a_chart_that_leaves_out_rows_is_noted(first: int, last: int, words: str, right: Path) -> None:
    notes = notes_of(_charted(right, first, last), "chart_rows")
    assert len(notes) == bool(words)
    assert all(note.endswith(f"leaves out {words}") for note in notes)
    assert report_of(right).status == "ok"


def test_a_loss_chart_of_something_else_is_noted(right: Path) -> None:
    assert "plots ∂E/∂w1, not E_total" in notes_of(_charted(right, 33, 44, "∂E/∂w1"), "chart_quantity")[0]


@pytest.mark.parametrize("stale", [False, True])
def test_a_pasted_curve_that_no_longer_holds_is_noted(stale: bool, right: Path) -> None:
    definition = replace(load("classic", iterations=12, learning_rate=2.0), targets=(0.01, 0.99))
    curve = train(definition)["E_total"]
    if stale:
        curve = curve * [1 + 0.01 * step for step in range(12)]
    workbook = openpyxl.load_workbook(right)
    ws = workbook["Sheet1"]
    ws["AH50"] = "LR 2"
    for index, value in enumerate(curve):
        ws.cell(51 + index, 34).value = round(float(value), 8)
    chart = LineChart()
    chart.add_data(Reference(ws, min_col=34, min_row=50, max_row=62), titles_from_data=True)
    ws.add_chart(chart, "AK2")
    workbook.save(right)
    assert len(notes_of(right, "pasted_curve")) == stale


TEXTS_RIGHT = [
    "h1 = w1*i1 + w2·i2",
    "a_h1 = σ(h1) = 1/(1 + exp(-h1))",
    "a_01 = 1/1+e^(-o1)",
    "E1 = ½ * (t1 - a_o1)²",
    "E_total = E1 + E2",
    "∂E_total/∂w5 = ∂(E1 + E2)/∂w5",
    "∂E_t/∂w5 = ∂E1/∂w5 = ∂E1/∂a_o1*∂a_o1/∂o1*∂o1/∂w5",
    "∂E/∂w5 = ∂E1/∂w5 + ∂E2/∂w5",
    "dE/dw8 = (a_02 - t2) * a_o2(1 - a_o2) * a_h2",
    "∂E_total/∂w3 = {(a_o1 - t1)*a_o1*(1 - a_o1)*w6 + (a_o2 - t2)*a_o2*(1 - a_o2)*w8}*a_h2*[1 - a_h2]*i1",
    "∂E/∂w1 = ∂E/∂a_h1 × ∂a_h1/∂h1 × ∂h1/∂w1",
    "w1 = 0.15",
    "w1 = w1 - η*∂E/∂w1",
    "h1 = nothing(that) can be read!",
]
TEXTS_WRONG = {
    "∂E/∂w5 = a_o1 - t1*a_o1*(1-a_o1)*a_h1": "brackets",
    "∂E_total/∂w3 = ((a_01 - t1)*a_o1*(1 - a_o1)*w6 + (a_02 - t2)*a_o2*(1 - a_o2)*w8)*a_h1*(1 - a_h1)*i1": "a_h1",
    "out_o1 = σ(o2)": "a_o2",
    "h2 = w3*i1 + w4*i1": "i1",
    "∂E/∂a_h1 = (a_o1 - t1)*a_o1*(1 - a_o1)*w5": "w7",
}


@pytest.mark.parametrize("drawn", [False, True])
def test_written_formulas_are_read_leniently(drawn: bool, right: Path) -> None:
    workbook = openpyxl.load_workbook(right)
    ws = workbook["Sheet1"]
    texts = [*TEXTS_RIGHT, *TEXTS_WRONG]
    if drawn:
        texts = TEXTS_RIGHT
        ws["A1"], ws["B1"] = "∂E/∂w7 =", f"{D2}*[a_h1]".replace("[", "").replace("]", "")
        ws["A2"], ws["A3"] = "E2", "= 0.5*(t2 - a_o2)^2"
    for row, text in enumerate(texts, 5):
        ws.cell(row, 12).value = text
        ws.cell(row, 12).data_type = "s"
    ws["A3"].data_type = "s"
    workbook.save(right)
    report = report_of(right)
    told = {note.cells[0]: note.message for note in report.notes if note.kind == "written_formula"}
    first = 5 + len(TEXTS_RIGHT)
    assert list(told) == ([] if drawn else [f"L{row}" for row in range(first, first + len(TEXTS_WRONG))])
    assert all(words in message for words, message in zip(TEXTS_WRONG.values(), told.values(), strict=False))
    assert report.status == "ok"


def test_text_in_drawings_is_read(tmp_path: Path) -> None:
    path = _charted(handmade.write(tmp_path / "drawn.xlsx"), 33, 44)
    shape = (
        "<xdr:twoCellAnchor><xdr:sp><xdr:txBody><a:p><a:r><a:t>o1 = w5*a_h1 + </a:t></a:r><a:r><a:t>w6*a_h1</a:t></a:r>"
        "</a:p></xdr:txBody></xdr:sp></xdr:twoCellAnchor></xdr:wsDr>"
    )
    spaces = (
        '<xdr:wsDr xmlns:xdr="http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing"'
        ' xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main">'
    )
    drawn = _with_part(path, "xl/drawings/drawing1.xml", lambda _: (spaces + shape).encode())
    (note,) = notes_of(drawn, "written_formula")
    assert "in a drawing" in note
    assert "uses a_h1 where a_h2 belongs" in note


def test_functions_and_old_values_are_noted(tmp_path: Path) -> None:
    path = handmade.write(tmp_path / "notes.xlsx", {"E1": "=0.5*POW([t1]-[a_o1],2)", ("iteration", 1): None})
    assert "POW" in notes_of(path, "function")[0]
    assert report_of(path).status == "ok"
    ours = build(load("classic", iterations=5), tmp_path / "ours.xlsx")
    stale = judges.planted(ours, "Walkthrough", "U33", 0.5)
    report = report_of(stale)
    assert [note.cells for note in report.notes if note.kind == "stale_value"] == [("U33",)]
    assert report.status == "ok"


@pytest.mark.thorough
def test_a_circle_is_noted(tmp_path: Path) -> None:
    path = handmade.write(tmp_path / "circle.xlsx", {("h1", 35): "=[a_h1]*[i1]+[w2]*[i2]"})
    report = report_of(path)
    assert wrong_cells(report) == {"I35"}
    assert any(note.kind == "circular" for note in report.notes)


@pytest.mark.thorough
def test_an_activation_that_nobody_knows_is_declined(tmp_path: Path) -> None:
    formulas = {name: f"COS([{name[2:]}])" for name in FORMULAS if name.startswith("a_")}
    report = report_of(handmade.write(tmp_path / "cos.xlsx", formulas=formulas))
    assert report.status == "not_recognised"
    assert "a_h1, a_h2, a_o1, a_o2 are calculated otherwise than their labels say" in report.message


def test_a_table_of_parameters_only_is_declined(tmp_path: Path) -> None:
    changes: handmade.Changes = dict.fromkeys(FORMULAS)
    report = report_of(handmade.write(tmp_path / "bare.xlsx", changes, rows=1))
    assert (report.status, "nothing to judge" in report.message) == ("not_recognised", True)


# the annotated copy


@pytest.mark.thorough
def test_the_annotated_copy_marks_and_explains(tmp_path: Path) -> None:
    path = _charted(handmade.write(tmp_path / "wrong.xlsx", SLIP), 33, 44)
    target = tmp_path / "marked.xlsx"
    code, text = run(path, "--annotate", target)
    assert code == 1
    assert "Wrote" in text
    workbook = openpyxl.load_workbook(target)
    summary, sheet = workbook.worksheets
    assert sheet["Z33"].comment is not None
    assert "uses a_h1 where a_h2 belongs" in sheet["Z33"].comment.text
    assert {sheet[f"Z{row}"].fill.fgColor.rgb for row in range(33, 45)} == {"00FFC7CE"}
    assert sheet["Y33"].fill.fill_type is None
    assert sheet["Z33"].value == openpyxl.load_workbook(path)["Sheet1"]["Z33"].value
    assert len(sheet._charts) == 1
    cells = {cell.value: cell for row in summary.iter_rows() for cell in row if cell.value}
    assert "Sheet1!Z33:Z44" in cells
    assert all(cell.data_type != "f" for cell in cells.values())
    assert report_of(target).findings == report_of(path).findings


def test_the_copy_never_replaces_the_file_itself(tmp_path: Path) -> None:
    path = handmade.write(tmp_path / "wrong.xlsx", SLIP)
    before = path.read_bytes()
    with pytest.raises(UserError, match="another name"):
        run(path, "--annotate", path)
    with pytest.raises(UserError, match="xlsx"):
        run(path, "--annotate", tmp_path / "copy.pdf")
    with pytest.raises(UserError, match="expected one"):
        run(path, path, "--annotate", tmp_path / "copy.xlsx")
    assert path.read_bytes() == before


@pytest.mark.thorough
def test_the_copy_says_what_it_could_not_keep(tmp_path: Path) -> None:
    path = build(load("classic", iterations=3), tmp_path / "ours.xlsx")
    text = run(path, "--annotate", tmp_path / "copy.xlsx")[1]
    assert "Not kept in the copy" in text
    assert "shapes" in text
