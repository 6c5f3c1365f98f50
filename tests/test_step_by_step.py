"""The sheet Step by step: every quantity has its line, in order, with mathematics, numbers and a sentence."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import openpyxl
import pytest

from tests import judges
from tests.networks import deep
from xlbackprop import Definition, build, load, train
from xlbackprop.derivation.equations import derive
from xlbackprop.workbook.sheets.step_by_step import ITERATION_CELL, TITLE

Line = tuple[object, ...]
ONLY = ["step-by-step"]
DEFINITIONS = (load("classic"), load("mazur"), deep())


def lines(path: Path) -> dict[str, Line]:
    """Mathematics, numbers, value and sentence by symbol, from the values stored in the file."""
    sheet = openpyxl.load_workbook(path, data_only=True)[TITLE]
    rows = sheet.iter_rows(min_row=6, max_col=5, values_only=True)
    return {str(row[0]): row[1:] for row in rows if row[4]}


@pytest.mark.parametrize("columns", ["compact", "full"])
@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda definition: definition.title)
def test_every_quantity_in_the_order_of_the_calculation(definition: Definition, columns: str, tmp_path: Path) -> None:
    derivation, trace = derive(definition), train(definition)
    written = lines(build(definition, tmp_path / "book.xlsx", columns=columns, iteration=1, sheets=ONLY))
    set_names = {name: _set(name) for name in derivation.quantities}
    calculated = [name for name, quantity in derivation.quantities.items() if quantity.expression]
    assert [symbol for symbol in written if symbol in {set_names[name] for name in calculated}] == [
        set_names[name] for name in calculated
    ]
    for name in derivation.quantities:
        mathematics, numbers, value, sentence = written[set_names[name]]
        assert value == pytest.approx(trace[name][1], rel=1e-12), name
        assert mathematics
        assert sentence
        assert bool(numbers) == (name in calculated), name
        if derivation[name].update:
            assert written["new " + set_names[name]][2] == pytest.approx(trace[name][2], rel=1e-12)


def test_the_class_network_by_line(tmp_path: Path) -> None:
    written = lines(build(load(), tmp_path / "book.xlsx", sheets=ONLY))
    assert written["h1"][:2] == ("w1 · i1 + w2 · i2", "0.15 · 0.05 + 0.2 · 0.1")
    assert written["ah1"][:2] == ("σ(h1)", "1/(1 + exp(−0.0275))")
    assert written["E1"][:2] == ("½(t1 − ao1)²", "½(0.5 − 0.6065)²")
    assert written["∂E/∂w1"][:2] == ("∂E/∂h1 · ∂h1/∂w1", "0.0063 · 0.05")
    assert written["new w1"][:2] == ("w1 − η · ∂E/∂w1", "0.15 − 1 · 3.170e−4")
    assert written["new E"][1:] == (
        "from 0.0142 to 0.0134",
        pytest.approx(0.013378, abs=1e-6),
        "Yes: the loss went down.",
    )


@pytest.mark.parametrize(
    ("rate", "iteration", "verdict"),
    [
        (1000, 0, "No: the loss went up."),
        (0, 0, "The loss is the same to twelve decimals."),
        (1, 67, "Yes: the loss went down."),
    ],
)
def test_whether_the_loss_went_down(rate: float, iteration: int, verdict: str, tmp_path: Path) -> None:
    path = build(load(learning_rate=rate), tmp_path / "book.xlsx", iteration=iteration, sheets=ONLY)
    assert lines(path)["new E"][3] == verdict


def test_the_class_follows_another_iteration(tmp_path: Path) -> None:
    path = build(load(), tmp_path / "book.xlsx", sheets=ONLY)
    cells = judges.ironcalc_judge(path, {(TITLE, ITERATION_CELL): 40})
    row = {line: index for index, line in enumerate(_symbols(path), 6)}
    assert cells[TITLE, f"D{row['ah1']}"] == pytest.approx(train(load())["a_h1"][40])
    assert cells[TITLE, f"B{row['w1']}"] == "learned: 40 updates"
    assert cells[TITLE, "E3"] == "← 0 to 67; this is row 73 of the Walkthrough"


def test_symbols_have_subscripts_in_the_cells_own_font(tmp_path: Path) -> None:
    path = build(load(), tmp_path / "book.xlsx", sheets=ONLY)
    row = _symbols(path).index("ah1") + 6
    with zipfile.ZipFile(path) as book:
        xml = book.read("xl/worksheets/sheet2.xml").decode()
    cell = re.search(rf'<c r="A{row}".*?</c>', xml)
    assert cell is not None
    runs = re.findall(r"<r><rPr>(.*?)</rPr><t[^>]*>(.*?)</t></r>", cell.group())
    assert [(text, "subscript" in properties) for properties, text in runs] == [("a", False), ("h1", True)]
    assert all("<b/>" in properties and 'rgb="00FFFFFF"' in properties for properties, _ in runs)


def _symbols(path: Path) -> list[str]:
    sheet = openpyxl.load_workbook(path)[TITLE]
    return [str(cell.value) for cell in sheet["A"][5:]]


def _set(name: str) -> str:
    """A name without the underscores that its subscripts make needless."""
    return re.sub(r"(?<=\d)_(?=\d)", ",", re.sub(r"(?<=[a-zA-Z])_", "", re.sub(r"h(\d)_(\d)", r"h\1,\2", name)))
