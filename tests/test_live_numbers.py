"""Numbers as text: printed by Python and written live by a spreadsheet, they have to be the same."""

from collections.abc import Callable
from pathlib import Path

import formualizer
import ironcalc
import openpyxl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests import judges
from xlbackprop.ground.grid import address
from xlbackprop.symbols.expression import Call, Exponential, Function, Number, Symbol
from xlbackprop.symbols.live_numbers import (
    LiveNumbers,
    bracketed_formula,
    exponent_formula,
    few_decimals_formula,
    held_formula,
    result_formula,
    short_formula,
)
from xlbackprop.symbols.mathematics import Numbers, bracketed, few_decimals, result, short

TRICKY = [0.0, 0.0275, -0.5, 0.06175, 0.06174999999999999, 1.00005, 9.9996e-6, 9.99949e-6, 0.00099996, 0.001, -4.386e-4]
TRICKY += [9.9999499e-5, 9.99995e-5, 99999.4999, 999995.0, 1e-280, 1.23455, -0.000100005]
TRICKY += [999999.99999, 1e6, -1.5e12, 1e20, 0.1 + 0.2, 123456.12345, 1e-15, 100.0, 99.9999999, -3.02, 0.2004, 1 / 3]
X, Y = Symbol("x"), Symbol("y")
SIGMOID = Function("σ", lambda x: 1 / (1 + Exponential(-x)))
EXPRESSIONS = (X * (1 - Y), X - Y * X, (Y - X) ** 2 * Number(0.5), Call(SIGMOID, X), X + Y + X * Y, X)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.506874566764534, "0.50687"),
        (0.15, "0.15"),
        (-1.0, "−1"),
        (0.0, "0"),
        (-0.0, "0"),
        (0.000351776, "0.00035178"),
        (0.0000351776, "3.5178E-05"),
        (0.0617449999999999, "0.061745"),
        (0.999996, "1"),
        (123456.0, "123460"),
        (2.5e7, "2.5E+07"),
        (-1.2345678e-20, "−1.2346E-20"),
    ],
)
def test_short_numbers(value: float, text: str) -> None:
    assert short(value) == text


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ((0.25, 0.5), ("0.25 · (1 − 0.5)", "0.25 − 0.5 · 0.25", "(0.5 − 0.25)² · ½", "1/(1 + exp(−0.25))")),
        (
            (-0.25, -2),
            ("(−0.25) · (1 − (−2))", "−0.25 − (−2) · (−0.25)", "(−2 − (−0.25))² · ½", "1/(1 + exp(−(−0.25)))"),
        ),
    ],
)
def test_negative_numbers_take_brackets_after_an_operator(values: tuple[float, float], texts: tuple[str, ...]) -> None:
    numbers = Numbers(lambda symbol: dict(zip("xy", values, strict=True))[symbol.name])
    assert tuple(numbers.read(expression) for expression in EXPRESSIONS[:4]) == texts


Sheet = Callable[[list[float], Path], tuple[Path, dict[tuple[int, int], str]]]
"""Makes a sheet of numbers; gives the texts that its formulas have, by row and column."""


def _sheet(values: list[float], folder: Path) -> tuple[Path, dict[tuple[int, int], str]]:
    """A sheet with every number, its text, that in brackets, and the expressions of it and the number below."""
    book = openpyxl.Workbook()
    sheet = book.active
    expected = {}
    for row, value in enumerate(values, 1):
        below = row % len(values) + 1
        formulas = [short_formula(f"A{row}"), bracketed_formula(f"B{row}"), *_formulas({"x": row, "y": below})]
        texts = [short(value), bracketed(short(value)), *_printed({"x": value, "y": values[below - 1]})]
        sheet.cell(row, 1, value)
        for column, (formula, text) in enumerate(zip(formulas, texts, strict=True), 2):
            sheet.cell(row, column, f"={formula}")
            expected[row, column] = text
    path = folder / "live.xlsx"
    book.save(path)
    return path, expected


def _formulas(rows: dict[str, int]) -> list[str]:
    live = LiveNumbers(
        lambda symbol: f"B{rows[symbol.name]}",
        lambda symbol: f"C{rows[symbol.name]}",
        lambda symbol: f"A{rows[symbol.name]}",
    )
    return [live.formula(expression) for expression in EXPRESSIONS]


def _printed(values: dict[str, float]) -> list[str]:
    numbers = Numbers(lambda symbol: values[symbol.name])
    return [numbers.read(expression) for expression in EXPRESSIONS]


ROUGHS = (0.0, 1e-8, 4e-6, -4e-5, 3e-4, 0.02, -0.6, 1.0)
"""How far a calculation with rounded numbers may lie from the value, as a share of it."""


def _results(values: list[float], folder: Path) -> tuple[Path, dict[tuple[int, int], str]]:
    """A sheet with every number, what it is for a calculation that is somewhat off, and the text of the result."""
    book = openpyxl.Workbook()
    sheet = book.active
    expected = {}
    row = 0
    for value in values:
        for share in ROUGHS:
            row += 1
            rough = value * (1 + share)
            sheet.cell(row, 1, value)
            sheet.cell(row, 2, rough)
            formulas = (
                exponent_formula(f"A{row}"),
                held_formula(f"A{row}", f"B{row}", f"C{row}"),
                result_formula(f"A{row}", f"B{row}", f"D{row}", f"C{row}"),
            )
            for column, formula in enumerate(formulas, 3):
                sheet.cell(row, column, f"={formula}")
            expected[row, 5] = result(value, rough)
    path = folder / "results.xlsx"
    book.save(path)
    return path, expected


def _of_pictures(values: list[float], folder: Path) -> tuple[Path, dict[tuple[int, int], str]]:
    """A sheet with every number, what a picture shows of it, and the text of that."""
    book = openpyxl.Workbook()
    sheet = book.active
    for row, value in enumerate(values, 1):
        formulas = few_decimals_formula(f"A{row}"), short_formula(f"B{row}")
        for column, content in enumerate((value, *(f"={formula}" for formula in formulas)), 1):
            sheet.cell(row, column, content)
    path = folder / "pictures.xlsx"
    book.save(path)
    return path, {(row, 3): short(few_decimals(value)) for row, value in enumerate(values, 1)}


@given(st.floats(1e-299, 1e12), st.sampled_from([1, -1]))
def test_a_picture_rounds_no_number_away(size: float, sign: int) -> None:
    off = abs(few_decimals(sign * size) - sign * size)
    assert off <= 0.00501 * size
    assert off <= 0.501e-4 + 1e-10 * size


@pytest.mark.thorough
@pytest.mark.parametrize("sheet_of", [_sheet, _results, _of_pictures])
@settings(max_examples=20, deadline=None)
@given(values=st.lists(st.floats(-1e9, 1e9).filter(lambda x: x == 0 or abs(x) > 1e-11), min_size=2, max_size=15))
@example(values=TRICKY)
def test_live_texts_are_the_printed_ones(
    tmp_path_factory: pytest.TempPathFactory, sheet_of: Sheet, values: list[float]
) -> None:
    path, expected = sheet_of(values, tmp_path_factory.mktemp("live"))
    model = ironcalc.load_from_xlsx(str(path), "en", "UTC", "en")
    model.evaluate()
    book = formualizer.load_workbook(str(path))
    book.evaluate_all()
    for (row, column), text in expected.items():
        assert model.get_cell_value(0, row, column) == text
        assert (book.get_value("Sheet", row, column) or "") == text


@pytest.mark.slow
@pytest.mark.parametrize("program", [judges.libreoffice, judges.gnumeric])
def test_live_texts_in_programs(program, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    sheets = [
        _sheet(TRICKY + [round(0.0137 * n - 0.7, n % 6) for n in range(100)], tmp_path),
        _results(TRICKY, tmp_path),
        _of_pictures([value for value in TRICKY if value != 0.06174999999999999], tmp_path),
    ]
    (tmp_path / "judged").mkdir()
    found = program([path for path, _ in sheets], tmp_path / "judged")
    for (path, expected), actual in zip(sheets, found, strict=True):
        texts = {place: actual.get(("Sheet", address(*place))) for place in expected}
        assert {place: "" if text is None else str(text) for place, text in texts.items()} == expected, path.name
