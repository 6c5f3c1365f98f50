"""What a workbook shows, prints and lets a class type: screens and pages that can be read, cells that take numbers."""

from __future__ import annotations

import re
import subprocess
import zipfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from xml.sax.saxutils import unescape

import openpyxl
import pytest
from openpyxl import Workbook
from openpyxl.cell import Cell
from openpyxl.utils import range_boundaries
from openpyxl.worksheet.worksheet import Worksheet

from tests import installed, judges
from tests.books import TemplateBook, build, opened
from tests.cases import thorough_but
from tests.networks import named
from tests.sheets import assert_seen_at_once, width_of
from xlbackprop import load, train
from xlbackprop.network import short_label
from xlbackprop.network.templates import names
from xlbackprop.symbols import few_decimals_formula
from xlbackprop.walkthrough import fit
from xlbackprop.workbook.xlsx import theme

TITLE = "Handout"

PAPERS = {"A4": (841.9, 595.3), "Letter": (792.0, 612.0)}
"""Points, landscape."""
BODY, LEAST = 11.0, 8.0
"""Points of the theme's text, and what can be read at arm's length."""
CAREFUL = 0.98
"""How much smaller LibreOffice prints what takes several pages, where that saves it one."""
WIDE = 7.0
"""Points that a unit of a column's width takes where LibreOffice has to set Calibri in DejaVu Sans."""

EXAMPLE = ("Start here", theme.INPUT)
"""The legend shows what an input looks like; nothing depends on it."""


def areas(sheet: Worksheet) -> list[tuple[int, int, int, int]]:
    """What is printed, page by page or as it falls: first column and row, last column and row."""
    printed = sheet.print_area or sheet.dimensions
    return [range_boundaries(area.rpartition("!")[2].replace("$", "")) for area in printed.split(",")]


DIGIT, BOLD_DIGIT, SIGN = 0.636, 0.696, 0.361
"""Of the size of DejaVu Sans: how wide its digits are, and a hyphen."""


def printed(sheet: Worksheet) -> Iterator[Cell]:
    """The cells that are printed and hold anything."""
    for first, top, last, bottom in areas(sheet):
        yield from (cell for row in sheet.iter_rows(top, bottom, first, last) for cell in row if cell.value is not None)


def shown_size(cell: Cell) -> float:
    """The size of a cell's text in points, less where it shrinks to fit its column."""
    size = float(cell.font.size)
    if not cell.alignment.shrink_to_fit or cell.alignment.textRotation:
        return size
    text = str(cell.value)
    if isinstance(cell.value, float | int):
        name = re.match(r'"(.* = )"', cell.number_format)
        text = f"{name[1]}{cell.value:.6g}" if name else f"{cell.value:.2f}"
    taken = (0.86 if cell.font.bold else 0.78) * len(text) * size / BODY
    return size * min(1.0, width_of(cell.parent, cell.column) / taken)


def sizes(sheet: Worksheet) -> Iterator[float]:
    """How large the smallest text is on each paper, in a wide font."""
    setup, margins = sheet.page_setup, sheet.page_margins
    smallest = min(shown_size(cell) for cell in printed(sheet) if cell.value != "")
    for across, down in PAPERS.values():
        room = across - 72 * (margins.left + margins.right), down - 72 * (margins.top + margins.bottom)
        if not sheet.sheet_properties.pageSetUpPr.fitToPage:
            assert all(WIDE * width * setup.scale <= 100 * room[0] for width in pieces(sheet)), sheet.title
            yield smallest * setup.scale / 100
            continue
        for first, top, last, bottom in areas(sheet):
            scale = room[0] / (WIDE * sum(width_of(sheet, column) for column in range(first, last + 1)))
            if setup.fitToHeight:
                scale = min(scale, room[1] / height(sheet, top, bottom))
            percent = int(100 * min(1.0, scale))
            yield smallest * (percent if setup.fitToHeight else int(percent * CAREFUL)) / 100


def height(sheet: Worksheet, first: int, last: int) -> float:
    """Of some rows, in points."""
    usual = float(sheet.sheet_format.defaultRowHeight)
    return sum(float(sheet.row_dimensions[row].height or usual) for row in range(first, last + 1))


def pieces(sheet: Worksheet) -> Iterator[float]:
    """How wide the pages are that are printed whole; none of a table, which is cut wherever it has to be."""
    for first, _, last, _ in () if sheet.print_title_cols else areas(sheet):
        within = (column for column in cuts(sheet) if first <= column < last)
        for start, end in pairwise([first - 1, *within, last]):
            yield sum(width_of(sheet, column) for column in range(start + 1, end + 1))


def cuts(sheet: Worksheet) -> Iterator[int]:
    """The columns with which such a page ends."""
    yield from (after.id for after in sheet.col_breaks.brk)


def test_all_print_can_be_read(template_book: TemplateBook) -> None:
    for sheet in template_book.values:
        if sheet.sheet_state == "visible":
            assert min(sizes(sheet)) >= LEAST, sheet.title


def test_charts_are_lettered_as_large_as_cells(template_book: TemplateBook) -> None:
    """But those beside η, which are on the screen only."""
    with zipfile.ZipFile(template_book.path) as archive:
        charts = [archive.read(name).decode() for name in archive.namelist() if name.startswith("xl/charts/chart")]
    small = [chart for chart in charts if "<title>" in chart and 'sz="1100"' not in chart]
    assert len(small) <= 1
    assert all("Loss by" in chart or "Loss of all samples by" in chart for chart in small)


def test_no_number_is_too_wide_for_its_column(template_book: TemplateBook) -> None:
    """Six decimals fit, with their sign; what would be too large or too small for them is shown otherwise."""
    for sheet in template_book.values:
        for cell in printed(sheet) if sheet.sheet_state == "visible" else ():
            if cell.number_format != theme.VALUE_FORMAT or not isinstance(cell.value, float):
                continue
            if 1e-4 <= abs(cell.value) < 10 or cell.value == 0:
                digit = BOLD_DIGIT if cell.font.bold else DIGIT
                taken = cell.font.size * (7 * digit + DIGIT / 2 + SIGN * 1.2 * (cell.value < 0)) + 2
                assert taken <= WIDE * width_of(sheet, cell.column), (sheet.title, cell.coordinate, cell.value)


@pytest.mark.thorough
@pytest.mark.parametrize("network", ["2-5-3", "2-2-2-2", "2-2-2-2-2-2"])
def test_print_of_larger_networks_can_be_read(network: str, tmp_path: Path) -> None:
    book = openpyxl.load_workbook(build(named(network, 3), tmp_path / "book.xlsx"), data_only=True)
    for sheet in book:
        if sheet.sheet_state == "visible":
            assert min(sizes(sheet)) >= LEAST, sheet.title


def test_no_text_is_cut_off(template_book: TemplateBook) -> None:
    """In DejaVu Sans a letter takes 0.8 of a unit of a column's width on average, a bold one more."""
    for sheet in template_book.values:
        for first, top, last, bottom in areas(sheet) if sheet.sheet_state == "visible" else ():
            for cell in (cell for row in sheet.iter_rows(top, bottom, first, last) for cell in row):
                look, font = cell.alignment, cell.font
                if not isinstance(cell.value, str) or look.wrap_text or look.horizontal in ("right", "center"):
                    continue
                taken = 0.8 * len(cell.value) * (font.size / BODY) * (1.12 if font.bold else 1)
                free = 0.0
                end = next((end for end in cuts(sheet) if cell.column <= end), last)
                for column in range(cell.column, end + 1):
                    if column > cell.column and sheet.cell(cell.row, column).value not in (None, ""):
                        break
                    free += width_of(sheet, column)
                assert taken <= free, (sheet.title, cell.coordinate, cell.value)


def test_a_text_in_the_middle_or_on_the_right_has_room_in_its_column_or_shrinks(template_book: TemplateBook) -> None:
    for sheet in template_book.values:
        for first, top, last, bottom in areas(sheet) if sheet.sheet_state == "visible" else ():
            for cell in (cell for row in sheet.iter_rows(top, bottom, first, last) for cell in row):
                look, font = cell.alignment, cell.font
                is_there = isinstance(cell.value, str) and look.horizontal in ("right", "center")
                if not is_there or look.wrap_text or look.shrink_to_fit:
                    continue
                sides = (cell.column - 1, cell.column + 1)[: 1 if look.horizontal == "right" else 2]
                if any(side < first or sheet.cell(cell.row, side).value not in (None, "") for side in sides):
                    taken = 0.8 * len(cell.value) * (font.size / BODY) * (1.12 if font.bold else 1) + 1.2 * look.indent
                    assert taken <= width_of(sheet, cell.column), (sheet.title, cell.coordinate, cell.value)


def test_a_screen_shows_all_of_a_sheet_that_a_reader_looks_at(template_book: TemplateBook) -> None:
    for sheet in template_book.values:
        if sheet.sheet_state == "visible" and sheet.title not in ("Walkthrough", TITLE):
            first, _, last, _ = areas(sheet)[0]
            assert_seen_at_once(sheet, first, last)


def test_what_can_be_typed_is_validated_and_all_else_is_protected(template_book: TemplateBook) -> None:
    formulas = set(judges.calculated(template_book.path))
    for sheet in template_book.values:
        protection = sheet.protection
        assert (protection.sheet, protection.password) == (True, None), sheet.title
        assert not any((protection.formatCells, protection.formatColumns, protection.selectLockedCells)), sheet.title
        validated = {
            cell
            for rule in sheet.data_validations.dataValidation
            for area in rule.sqref
            for row in area.rows
            for cell in row
        }
        unlocked = {cell for cell in sheet._cells.values() if not cell.protection.locked}  # and not those between them
        assert all(cell.style == theme.INPUT and (sheet.title, cell.coordinate) not in formulas for cell in unlocked), (
            sheet.title
        )
        typed = {(cell.row, cell.column) for cell in unlocked if (sheet.title, cell.style) != EXAMPLE}
        assert typed == validated, sheet.title
        for rule in sheet.data_validations.dataValidation:
            assert rule.showErrorMessage
            assert len(rule.error) <= 225
            assert len(rule.errorTitle) <= 32
            assert not rule.prompt, "it would cover the labels beside the cell"
            assert rule.type in ("whole", "list") or "decimal mark" in rule.error, rule.error


def test_the_network_with_its_boxes_is_one_page(template_book: TemplateBook) -> None:
    """As is the table of the first iterations, but of the largest: so says the README."""
    sheet = template_book.values[TITLE]
    margins, scale = sheet.page_margins, sheet.page_setup.scale
    for (first, top, last, bottom), small in zip(areas(sheet), (names(), set(names()) - {"iris-mini"}), strict=True):
        for across, down in PAPERS.values():
            width = WIDE * sum(width_of(sheet, column) for column in range(first, last + 1))
            share = scale / 100 if scale else (across - 72 * (margins.left + margins.right)) / width
            fits = share * height(sheet, top, bottom) <= down - 72 * (margins.top + margins.bottom)
            assert fits == (template_book.path.stem in small)


def test_no_line_hides_the_underscore_of_a_node(template_book: TemplateBook) -> None:
    """In DejaVu Sans it ends 0.58 of the size below the middle of a text; half of the line lies over the edge."""
    sheet = template_book.values[TITLE]
    nodes = [cell for cell in printed(sheet) if cell.style == theme.PRINTED_NODE]
    assert nodes
    for cell in nodes:
        assert cell.border.bottom.style == "thin"
        assert height(sheet, cell.row, cell.row) / 2 - 0.58 * cell.font.size >= 0.75, cell.coordinate


@pytest.mark.parametrize("template", thorough_but(names(), "classic", "deep"))
def test_the_handout_has_network_and_boxes_then_the_first_iterations(template: str, tmp_path: Path) -> None:
    definition = load(template)
    path = build(definition, tmp_path / "book.xlsx", sheets=["handout"])
    sheet = opened(path, TITLE)[TITLE]
    (left, top, right, bottom), second = areas(sheet)
    cells = [cell for row in sheet.iter_rows(top, bottom, left, right) for cell in row if cell.value is not None]
    arrangement = fit(definition, "compact")
    nodes = {f"={few_decimals_formula(arrangement.table.reference(node.name))}" for node in arrangement.diagram.nodes}
    assert {str(cell.value) for cell in cells if cell.data_type == "f"} == nodes
    for box in arrangement.boxes:
        first = next(cell for cell in cells if cell.value == box.box.title)
        lines = [str(cell.value) for cell in cells if cell.column == first.column and cell.row > first.row]
        written = "".join(lines).replace(" ", "")
        assert written.startswith("".join(box.box.lines).replace(" ", "")), box.box.title
    left, top, right, bottom = second
    assert [chart.anchor._from.col >= left for chart in sheet._charts] == [True]
    values, trace = judges.stored(path), train(definition)
    rows = {str(sheet.cell(row, left).value): row for row in range(top, bottom + 1) if sheet.cell(row, left).value}
    for name in arrangement.table.quantities:
        row = rows[short_label(name)]
        found = [values[TITLE, sheet.cell(row, left + 1 + iteration).coordinate] for iteration in range(10)]
        assert found == pytest.approx(list(trace[name][:10])), name


@pytest.mark.slow
def test_every_format_shows_whether_a_number_is_negative(tmp_path: Path) -> None:
    formats = {name: unescape(form) for name, form in vars(theme).items() if name.endswith("_FORMAT")}
    del formats["UNSEEN_FORMAT"]
    book = Workbook()
    for row, form in enumerate(formats.values(), 1):
        for column, number in zip("ABCD", (-3e9, -2.5, 2.5, 3e9), strict=True):
            book.active[f"{column}{row}"] = number
            book.active[f"{column}{row}"].number_format = form
            book.active.column_dimensions[column].width = 19
    book.active.page_setup.orientation = "landscape"
    book.save(tmp_path / "formats.xlsx")
    (printed,) = installed.convert([tmp_path / "formats.xlsx"], tmp_path, "pdf")
    text = subprocess.run(["pdftotext", "-layout", printed, "-"], check=True, capture_output=True, text=True).stdout
    lines = [line.split() for line in text.splitlines() if line.strip()]
    for name, shown in zip(formats, lines, strict=True):
        assert [each[0] in "-−" for each in shown] == [True, True, False, False], (name, shown)
