"""The sheet Gradient check: what it tells, and whether its limit for rounding is one."""

from __future__ import annotations

import math
import re
from pathlib import Path

import openpyxl
import pytest
from msgspec.structs import replace

from tests import judges, sheets
from tests.books import build, opened
from tests.judges import Cells
from xlbackprop import Definition, load, train
from xlbackprop.derivation.equations import derive
from xlbackprop.workbook.sheets import gradient_check
from xlbackprop.workbook.sheets.gradient_check import Layout

TITLE = "Gradient check"


def filled(folder: Path, definition: Definition, **beginnings: float) -> Cells:
    """The values that the sheet carries when it begins with other numbers than its own."""
    with sheets.beginning(gradient_check, **beginnings):
        return sheets.filled(folder, definition, "gradient-check")


def number(cells: Cells, address: str) -> float:
    value = cells[TITLE, address]
    assert isinstance(value, int | float)
    return value


@pytest.mark.parametrize("iteration", [0, 1, 67])
@pytest.mark.parametrize("template", ["classic", "mazur"])
def test_every_gradient_agrees(template: str, iteration: int, tmp_path: Path) -> None:
    definition = load(template)
    cells = filled(tmp_path, definition, CHECKED_ITERATION=iteration)
    places = Layout(derive(definition).learned)
    trace = train(definition)
    for name, row in zip(places.weights, places.rows, strict=True):
        assert cells[TITLE, f"A{row}"] == name
        assert number(cells, f"C{row}") == trace[f"∂E/∂{name}"][iteration]
        assert number(cells, f"F{row}") == pytest.approx(number(cells, f"C{row}"), rel=1e-6)
        assert cells[TITLE, f"I{row}"] == "✓ agree"
    assert cells[TITLE, "A8"] == "✓ All 8 gradients of the chain rule agree with the measurement."


def test_too_large_and_too_small_pushes_are_told_apart(tmp_path: Path) -> None:
    coarse = filled(tmp_path, load(), EPSILON=0.1)
    assert coarse[TITLE, "I15"] == "✗ differ"
    assert coarse[TITLE, "A8"] == "✗ Some differ: ε is too large, or a formula is wrong."
    fine = filled(tmp_path, load(), EPSILON=1e-12)
    assert fine[TITLE, "I15"] == "? lost in rounding"
    assert fine[TITLE, "A8"] == "? Some are lost in rounding: ε is too small."


def test_the_originals_slip_would_be_noticed(tmp_path: Path) -> None:
    build(load(), tmp_path / "book.xlsx", sheets=["gradient-check"])
    book = openpyxl.load_workbook(tmp_path / "book.xlsx")
    book["Walkthrough"]["Z33"] = book["Walkthrough"]["Z33"].value.replace("*L33*(1-L33)", "*J33*(1-J33)")
    book.save(tmp_path / "slip.xlsx")
    judged = judges.ironcalc_judge(tmp_path / "slip.xlsx", {})
    assert judged[TITLE, "I13"] == "✗ differ"
    assert judged[TITLE, "I14"] == "✓ agree"


def test_the_error_falls_and_rises_again(tmp_path: Path) -> None:
    cells = filled(tmp_path, load())
    errors = [number(cells, f"C{row}") for row in Layout(derive(load()).learned).epsilon_rows]
    best = errors.index(min(errors))
    assert 3 <= best <= 8
    assert errors[0] > 1e3 * errors[best]
    assert errors[-1] > 1e3 * errors[best]


@pytest.mark.parametrize("template", ["classic", "mazur"])
def test_rounding_stays_under_its_limit_and_the_limit_is_no_blank_cheque(template: str, tmp_path: Path) -> None:
    definition = load(template)
    cells = filled(tmp_path, definition, EPSILON=1e-10)
    places = Layout(derive(definition).learned)
    for row in places.rows:
        weight, gradient, plus, minus = (number(cells, f"{column}{row}") for column in "BCDE")
        reasoned = 4e-15 * (math.sqrt(plus + minus) + plus + minus + abs(weight * gradient)) / 1e-10
        assert number(cells, f"H{row}") == pytest.approx(reasoned)
        assert abs(number(cells, f"F{row}") - gradient) < reasoned < 1e-4


def test_the_measurement_uses_no_gradient(tmp_path: Path) -> None:
    filled(tmp_path, load())
    formulas = judges.formula_cells(tmp_path / "book.xlsx")
    table = opened(tmp_path / "book.xlsx", "Walkthrough")["Walkthrough"]
    gradients = {cell.column_letter for cell in table[32] if str(cell.value).startswith("∂")}
    places = Layout(derive(load()).learned)
    working = {
        cell: text for (sheet, cell), text in formulas.items() if sheet == TITLE and _row(cell) > places.working_row
    }
    assert len(working) > 500
    for cell, text in working.items():
        assert not set(re.findall(r"Walkthrough!\$([A-Z]+)", text)) & gradients, cell
        assert not re.search(r"\$?C\$?1[1-8]\b", text), cell


def _row(cell: str) -> int:
    return int(re.sub(r"\D", "", cell))


def test_a_network_that_learns_its_biases_checks_them(tmp_path: Path) -> None:
    cells = filled(tmp_path, replace(load("mazur"), train_biases=True))
    names = [cells[TITLE, f"A{row}"] for row in range(11, 21)]
    assert names == ["w1", "w2", "w3", "w4", "b1", "w5", "w6", "w7", "w8", "b2"]
    assert cells[TITLE, "A8"] == "✓ All 10 gradients of the chain rule agree with the measurement."


def test_it_fits_a_laptop_and_its_charts_are_told(tmp_path: Path) -> None:
    filled(tmp_path, load("mazur"))
    sheets.assert_fits_a_laptop(tmp_path, TITLE)
    sheets.assert_charts_are_told(tmp_path, TITLE, 1)
