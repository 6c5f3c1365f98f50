"""The sheet Start here: it names what there is, in the network's own notation, and links to it."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from tests.books import build, opened
from tests.cases import thorough_but
from tests.networks import deep
from xlbackprop import Definition, load
from xlbackprop.network.templates import names
from xlbackprop.workbook.sheets.registry import SHEETS, Sheet

TITLE = "Start here"


def texts(definition: Definition, path: Path, sheets: list[str] | None = None) -> list[str]:
    """Every text of the sheet."""
    sheet = opened(build(definition, path, sheets=sheets), TITLE)[TITLE]
    return [str(cell.value) for row in sheet.iter_rows() for cell in row if cell.value is not None]


def test_only_the_sheets_that_are_there(tmp_path: Path) -> None:
    assert "Your turn" in texts(load(), tmp_path / "all.xlsx")
    some = texts(load(), tmp_path / "some.xlsx", ["start-here", "step-by-step"])
    assert {"Walkthrough", "Step by step"} <= set(some)
    assert "Your turn" not in some


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.name)
def test_a_sheet_has_the_title_of_its_entry(sheet: Sheet) -> None:
    function = sheet.name.replace("-", "_")
    module = import_module(f"xlbackprop.workbook.sheets.{function}")
    assert getattr(module, "TITLE", sheet.title) == sheet.title
    assert callable(getattr(module, function))


def test_every_sheet_has_a_purpose() -> None:
    read_me = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    for sheet in SHEETS:
        assert len(sheet.purpose) > 20
        assert f"\n| {sheet.title} | " in read_me


@pytest.mark.parametrize(
    ("definition", "symbols"),
    [
        (load("classic"), ["i1", "t1", "w1", "h1", "ah1", "ao1", "E1", "Etotal", "∂E/∂w1", "η", "σ(x)"]),
        pytest.param(load("mazur"), ["b1", "neth1", "outh1", "outo1", "Eo1"], marks=pytest.mark.thorough),
        (load("iris-mini"), ["epoch", "in batch", "batch size", "update", "∂Ē/∂w1"]),
        pytest.param(deep(), ["h1,1", "ah1,1", "ao1"], marks=pytest.mark.thorough),
    ],
    ids=["classic", "mazur", "iris-mini", "deep"],
)
def test_the_notation_is_the_networks_own(definition: Definition, symbols: list[str], tmp_path: Path) -> None:
    assert set(symbols) <= set(texts(definition, tmp_path / "book.xlsx", ["start-here"]))


@pytest.mark.parametrize("template", thorough_but(names(), "classic"))
def test_no_text_runs_into_the_next_column(template: str, tmp_path: Path) -> None:
    """In DejaVu Sans a letter takes 0.8 of a unit of a column's width on average."""
    sheets = [sheet.name for sheet in SHEETS if sheet.title in ("Start here", "Predictions")]
    sheet = opened(build(load(template, iterations=30), tmp_path / "book.xlsx", sheets=sheets), TITLE)[TITLE]
    purposes = [each.purpose for each in SHEETS]
    for letter, more in (("B", purposes), ("E", [])):
        longest = max([*(str(cell.value) for cell in sheet[letter] if cell.value), *more], key=len)
        assert len(longest) * 0.8 <= sheet.column_dimensions[letter].width, longest


@pytest.mark.thorough
def test_it_is_short(tmp_path: Path) -> None:
    sheet = opened(build(load("mazur"), tmp_path / "book.xlsx"), TITLE)[TITLE]
    points = sum(sheet.row_dimensions[row].height or 15 for row in range(1, sheet.max_row + 1))
    assert points * 96 / 72 <= 768 - 180  # a screen less the program's own bars


def test_it_opens_first(tmp_path: Path) -> None:
    book = opened(build(load(), tmp_path / "book.xlsx"), TITLE)
    assert book.active.title == book.sheetnames[0] == TITLE
    assert [sheet.title for sheet in book if sheet.sheet_view.tabSelected] == [TITLE]
