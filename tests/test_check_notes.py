"""Notes that are true: what is written, drawn and charted around a table, read as it is meant."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import openpyxl
import pytest
from openpyxl.cell.rich_text import CellRichText, TextBlock
from openpyxl.cell.text import InlineFont
from openpyxl.chart import LineChart, Reference, Series
from openpyxl.worksheet.worksheet import Worksheet

from tests import handmade
from tests.reports import check

RATE: Mapping[str, handmade.Change] = {"F31": "η =", "G31": 0.5}
PARTS = {
    "p1": "([a_o1]-[t1])*[a_o1]*(1-[a_o1])*[w5]*[a_h1]*(1-[a_h1])*[i1]",
    "p2": "([a_o2]-[t2])*[a_o2]*(1-[a_o2])*[w7]*[a_h1]*(1-[a_h1])*[i1]",
    "∂E/∂w1": "[p1]+[p2]",
}


def notes_of(path: Path) -> list[tuple[str, tuple[str, ...], str]]:
    """The notes of a report without a finding, but for what was recognised."""
    report = check(path)
    assert (report.status, report.findings) == ("ok", ())
    return [(note.kind, note.cells, note.message) for note in report.notes if note.kind != "recognition"]


def raised(text: str, exponent: str) -> CellRichText:
    return CellRichText(text, TextBlock(InlineFont(vertAlign="superscript"), exponent))


WRITTEN: Mapping[str, tuple[object, str]] = {
    "a raised 2": (raised("E1 = 1/2*(t1 - a_o1)", "2"), ""),
    "a raised exponent": (raised("a_o1 = 1/(1 + e", "-o1"), ""),
    "a 2 that is not raised": ("E1 = 1/2*(t1 - a_o1)2", "does not give what it should"),
    "a part of a gradient": ("∂E1/∂w1 = (a_o1-t1)*a_o1*(1-a_o1)*w5*a_h1*(1-a_h1)*i1", ""),
    "a sum of the parts": ("∂E/∂w1 = ∂E1/∂w1 + ∂E2/∂w1", ""),
    "a part that is all of it": ("∂E1/∂w5 = (a_o1-t1)*a_o1*(1-a_o1)*a_h2", "formula for ∂E/∂w5"),
    "several lines": ("h1 = w1*i1 + w2*i2\nh2 = w3*i1 + w4*i2", ""),
    "several lines, the last one wrong": ("h1 = w1*i1 + w2*i2\no1 = w5*a_h1+w6*a_h1", "formula for o1 uses a_h1"),
    "a fraction on one line": ("a_h1 = 1/1+e^-h1", ""),
    "a fraction without brackets": ("a_o1 = e^o1 / 1 + e^o1", "lacks a pair of brackets"),
}


@pytest.mark.thorough
@pytest.mark.parametrize("what", WRITTEN)
def test_what_is_written_is_read_as_it_is_meant(what: str, tmp_path: Path) -> None:
    content, words = WRITTEN[what]
    path = handmade.write(tmp_path / "written.xlsx", rows=4)
    workbook = openpyxl.load_workbook(path)
    ws = workbook.worksheets[0]
    ws["A4"] = (
        content if not isinstance(content, CellRichText) else CellRichText(*content, ")" * ("(1" in str(content)))
    )
    workbook.save(path)
    notes = notes_of(path)
    assert [kind for kind, *_ in notes] == ["written_formula"] * bool(words)
    assert all(words in message for *_, message in notes)


def _chart(change: Callable[[Worksheet, LineChart], None]) -> Callable[[Path], Path]:
    def write(path: Path) -> Path:
        workbook = openpyxl.load_workbook(handmade.write(path))
        ws = workbook.worksheets[0]
        chart = LineChart()
        chart.title = "Loss"
        change(ws, chart)
        ws.add_chart(chart, "AH2")
        workbook.save(path)
        return path

    return write


def _column(ws: Worksheet, chart: LineChart, rows: range) -> None:
    chart.add_data(Reference(ws, min_col=23, min_row=rows[0], max_row=rows[-1]))
    cells = ",".join(f"Sheet1!$W${row}" for row in rows)
    chart.series[0].val.numRef.f = f"({cells})"


def _lines(ws: Worksheet, chart: LineChart, rows: range) -> None:
    for row in rows:
        chart.series.append(Series(Reference(ws, min_col=21, max_col=23, min_row=row, max_row=row)))


CHARTS: Mapping[str, tuple[Callable[[Path], Path], str]] = {
    "all rows": (_chart(lambda ws, chart: _column(ws, chart, range(33, 45))), ""),
    "every fifth row": (_chart(lambda ws, chart: _column(ws, chart, range(33, 45, 5))), ""),
    "every fifth row from the third": (_chart(lambda ws, chart: _column(ws, chart, range(35, 45, 5))), ""),
    "a line a row": (_chart(lambda ws, chart: _lines(ws, chart, range(33, 45))), ""),
    "a line a row, one left out": (_chart(lambda ws, chart: _lines(ws, chart, range(34, 45))), "the first iteration"),
    "the last ones left out": (_chart(lambda ws, chart: _column(ws, chart, range(33, 42))), "the last 3 iterations"),
}


@pytest.mark.thorough
@pytest.mark.parametrize("what", CHARTS)
def test_a_chart_is_one_thing(what: str, tmp_path: Path) -> None:
    write, words = CHARTS[what]
    notes = notes_of(write(tmp_path / "chart.xlsx"))
    assert [kind for kind, *_ in notes] == ["chart_rows"] * bool(words)
    assert all(message.endswith(f"leaves out {words}") for *_, message in notes)


FUNCTIONS = {
    **dict.fromkeys(
        ["COS(1)", "GEOMEAN(1,2)", "NORM.INV(0.5,0,1)", "DEC2HEX(10)", "COUNTIFS(G31,1)", "DATE(2020,1,1)"], ""
    ),
    "POW(2,3)": "POW",
    "_xlfn.XLOOKUP(1,G31,G31)": "XLOOKUP",
}


@pytest.mark.thorough
@pytest.mark.parametrize("formula", FUNCTIONS)
def test_only_a_function_that_some_programs_lack_is_noted(formula: str, tmp_path: Path) -> None:
    path = handmade.write(tmp_path / "function.xlsx", extra={**RATE, "A4": f"={formula}"}, rows=4)
    named = [message.rpartition(" ")[2] for kind, _, message in notes_of(path) if kind == "function"]
    assert named == [name for name in [FUNCTIONS[formula]] if name]


def _given(numbers: list[float]) -> handmade.Changes:
    return {("i1", 33 + index): number for index, number in enumerate(numbers)}


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        (_given([0.1, 0.7, 0.4, 0.1, 0.7]), []),
        (_given([0, 0, 1, 1, 0]), []),
        (_given([1, 2, 3, 4, 5]), ["changing_input"]),
    ],
)
def test_an_input_that_changes_is_another_sample_unless_it_is_a_series(
    changes: handmade.Changes, kinds: list[str], tmp_path: Path
) -> None:
    assert [kind for kind, *_ in notes_of(handmade.write(tmp_path / "samples.xlsx", changes, rows=5))] == kinds


def test_a_list_of_rates_to_choose_from_contradicts_nothing(tmp_path: Path) -> None:
    listed: dict[str, handmade.Change] = {
        "F30": "learning rates",
        "G30": 0.1,
        "H30": 0.2,
        "I30": 0.5,
        "F31": "",
        "G31": 0.5,
    }
    other: dict[str, handmade.Change] = {"F20": "learning rate", "G20": 0.1, "F31": "", "G31": 0.5}
    paths = [handmade.write(tmp_path / f"{len(extra)}.xlsx", extra=extra, rows=4) for extra in (listed, other)]
    assert [[kind for kind, *_ in notes_of(path)] for path in paths] == [[], ["other_learning_rate"]]


def test_the_same_note_on_several_sheets_is_one(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for name in ("first", "second", "third"):
        handmade.write(tmp_path / "s.xlsx", sheet=name, rows=4, extra={**RATE, "A4": "o1 = w5*a_h1+w6*a_h1"}, book=book)
    del book["Sheet"]
    book.save(tmp_path / "s.xlsx")
    ((kind, _, message),) = notes_of(tmp_path / "s.xlsx")
    assert (kind, message.endswith("; the same on second, third")) == ("written_formula", True)


@pytest.mark.parametrize("order", [["p1", "p2", *handmade.CLASSIC], [*handmade.CLASSIC, "p1", "p2"]])
def test_the_parts_of_a_gradient_are_not_the_gradient(order: list[str], tmp_path: Path) -> None:
    labels = {"p1": "∂E1/∂w1", "p2": "∂E2/∂w1"}
    path = handmade.write(tmp_path / "parts.xlsx", columns=order, labels=labels, formulas=PARTS, rows=4)
    assert notes_of(path) == []
