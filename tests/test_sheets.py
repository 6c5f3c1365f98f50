"""The whole workbook: which sheets it has, how they print, and what holds for every formula of it."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import openpyxl
import pytest
from msgspec.structs import replace

from tests import judges
from tests.anatomy import parts
from tests.books import build, opened
from tests.cases import thorough_but
from tests.networks import deep
from tests.sheets import shown
from tests.test_printing import areas, pieces
from xlbackprop import Definition, UserError, load
from xlbackprop.workbook.sheets.registry import SHEETS

SHEETS_OF_ONE_SAMPLE = [sheet.name for sheet in SHEETS if sheet.name not in ("data", "optimisers")]
"""The others are for several samples, and for walkthroughs that compare optimisers."""

TITLES = ["Start here", "Walkthrough", "Step by step", "Your turn"]
PORTABLE = {"ABS", "AND", "COUNT", "COUNTIF", "EXP", "FIXED", "IF", "IFERROR", "INDEX", "INT", "ISNUMBER", "LEFT"}
PORTABLE |= {"LOG10", "MATCH", "MAX", "MIN", "MMULT", "MOD", "OR", "ROUND", "ROW", "SQRT", "SUBSTITUTE", "SUM", "T"}
PORTABLE |= {"AVERAGE", "CHOOSE", "FIND", "MEDIAN", "RIGHT", "SUMIF", "SUMPRODUCT"}
"""Functions that Excel 2010 and later, LibreOffice, Google Sheets and Gnumeric share, and that are not volatile."""

DEFINITIONS = (load("classic"), load("mazur"), deep())
every_definition = pytest.mark.parametrize(
    "definition", thorough_but(DEFINITIONS, DEFINITIONS[0]), ids=lambda each: each.title
)


@pytest.fixture(scope="module")
def classic(tmp_path_factory: pytest.TempPathFactory) -> openpyxl.Workbook:
    """The workbook of the class network, which is only looked at."""
    return openpyxl.load_workbook(build(load(), tmp_path_factory.mktemp("classic") / "book.xlsx"))


def test_all_sheets_in_order(tmp_path: Path) -> None:
    titles = shown(build(load(), tmp_path / "book.xlsx"))
    assert [title for title in titles if title in TITLES] == TITLES
    assert [title.lower().replace(" ", "-") for title in titles] == list(SHEETS_OF_ONE_SAMPLE)


@pytest.mark.parametrize(
    ("asked", "there"),
    [
        (["your-turn"], ["Walkthrough", "Your turn"]),
        (["walkthrough"], ["Walkthrough"]),
        (["Step by step", " START HERE "], ["Start here", "Walkthrough", "Step by step"]),
    ],
)
def test_chosen_sheets(asked: list[str], there: list[str], tmp_path: Path) -> None:
    path = build(load(), tmp_path / "book.xlsx", sheets=asked)
    assert shown(path) == there
    assert not judges.errors(judges.ironcalc_judge(path, {}))


@pytest.mark.thorough
@pytest.mark.parametrize("name", SHEETS_OF_ONE_SAMPLE)
def test_every_sheet_does_without_the_others(name: str, tmp_path: Path) -> None:
    path = build(deep(), tmp_path / "book.xlsx", sheets=[name])
    assert judges.ironcalc_judge(path, {}).keys() == judges.carried(path).keys()
    assert not judges.errors(judges.ironcalc_judge(path, {}))


@pytest.mark.parametrize(
    ("sheets", "message"),
    [(["step-by-stp"], 'there is no sheet "step-by-stp"; did you mean "step-by-step"'), ([], "found none, expected")],
)
def test_no_such_sheet(sheets: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        build(load(), tmp_path / "book.xlsx", sheets=sheets)
    assert not list(tmp_path.iterdir())


def test_no_such_iteration(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="iteration: found 68, expected a whole number from 0 to 67"):
        build(load(), tmp_path / "book.xlsx", iteration=68)


@pytest.mark.thorough
def test_sheets_from_the_command_line(tmp_path: Path) -> None:
    command = shutil.which("xlbackprop", path=sys.prefix + "/bin")
    assert command is not None
    path = tmp_path / "book.xlsx"
    subprocess.run([command, "build", "-o", str(path), "--sheets", "your-turn, Start here"], check=True)
    assert openpyxl.load_workbook(path).sheetnames == ["Start here", "Walkthrough", "Your turn", "Definition"]
    wrong = [command, "build", "-o", str(tmp_path / "other.xlsx"), "--sheets", "walk"]
    result = subprocess.run(wrong, capture_output=True, text=True, encoding="utf-8", check=False)
    assert result.returncode == 2
    assert 'there is no sheet "walk"; did you mean "walkthrough"?' in result.stderr


@pytest.mark.thorough
@every_definition
def test_formulas_are_portable_and_within_the_limits(definition: Definition, tmp_path: Path) -> None:
    for columns in ("compact", "full"):
        for cell, formula in judges.formula_cells(build(definition, tmp_path / "book.xlsx", columns=columns)).items():
            literals = re.findall(r'"([^"]*)"', formula)
            outside = re.sub(r'"[^"]*"', "", formula)
            assert set(re.findall(r"([A-Z][A-Z0-9.]*)\(", outside)) <= PORTABLE, cell
            assert not re.search(r"\de[+-]?\d", outside), cell  # the file format knows 1E-9 only
            assert len(formula) <= 8192, cell
            assert all(len(literal) <= 255 for literal in literals), cell


@every_definition
def test_every_sheet_prints_on_the_width_of_the_paper(definition: Definition, tmp_path: Path) -> None:
    titled = replace(definition, title="Backpropagation & more")
    book = openpyxl.load_workbook(judges.without_cells(build(titled, tmp_path / "book.xlsx")))
    for sheet in (sheet for sheet in book if sheet.sheet_state == "visible"):
        if not sheet.sheet_properties.pageSetUpPr.fitToPage:
            assert sheet.col_breaks.brk or len(areas(sheet)) > 1, sheet.title
            assert all(7 * width * sheet.page_setup.scale / 100 <= 792 - 36 for width in pieces(sheet)), sheet.title
        assert sheet.page_setup.paperSize == 9
        assert sheet.page_setup.orientation == "landscape"
        assert sheet.oddHeader.left.text == "Backpropagation && more"
        assert sheet.oddFooter.center.text == "&P / &N"
        if sheet.title not in ("Start here", "Gradient check", "Predictions") and sheet.page_setup.fitToHeight != 1:
            assert sheet.print_title_rows


@pytest.mark.parametrize("title", ["Start here", "Step by step", "Your turn"])
def test_teaching_sheets_fit_a_screen_of_1366_pixels(title: str, classic: openpyxl.Workbook) -> None:
    sheet = classic[title]
    shown = [dimension for dimension in sheet.column_dimensions.values() if not dimension.hidden]
    pixels = sum(round(dimension.width * 7 + 5) * (dimension.max - dimension.min + 1) for dimension in shown)
    assert pixels <= 1366 - 60  # row numbers and scroll bar


def test_headers_stay_in_sight(classic: openpyxl.Workbook) -> None:
    assert classic["Step by step"].freeze_panes == classic["Your turn"].freeze_panes == "A6"
    assert classic["Walkthrough"].freeze_panes == "A4"
    # there Excel shows the names in place of the column letters, because the cells are a table
    table = classic["Walkthrough"].tables["iterations"]
    assert table.ref == "A32:AF100"
    assert [column.name for column in table.tableColumns] == [cell.value for cell in classic["Walkthrough"][32]]


@pytest.mark.parametrize(
    ("title", "cell", "kind", "most"),
    [
        ("Walkthrough", "G31", "decimal", "1000000"),
        ("Step by step", "D3", "whole", "67"),
        ("Your turn", "C3", "whole", "67"),
    ],
)
def test_choices_are_restricted(title: str, cell: str, kind: str, most: str, classic: openpyxl.Workbook) -> None:
    sheet = classic[title]
    rule = next(rule for rule in sheet.data_validations.dataValidation if cell in rule.sqref)
    assert (rule.type, rule.operator or "between", rule.formula1, rule.formula2) == (kind, "between", "0", most)
    assert rule.showErrorMessage
    assert rule.error


@every_definition
def test_links_lead_to_cells_that_are_there(definition: Definition, tmp_path: Path) -> None:
    path = build(definition, tmp_path / "book.xlsx")
    links = re.findall(r'<hyperlink ref="\w+" location="([^"]*)"', "".join(parts(path).values()))
    assert len(links) >= 8
    values = judges.stored(path)
    for location in links:
        title, _, address = location.rpartition("!")
        assert (title.strip("'"), address) in values, location


def test_title_and_language_of_the_document(tmp_path: Path) -> None:
    properties = opened(build(load("mazur"), tmp_path / "book.xlsx"), "Walkthrough").properties
    assert (properties.title, properties.language) == (load("mazur").title, "en")


@pytest.mark.usefixtures("as_handed_out")
def test_a_workbook_with_all_sheets_is_small(tmp_path: Path) -> None:
    assert build(load("mazur", iterations=100), tmp_path / "book.xlsx").stat().st_size < 1_000_000
    with zipfile.ZipFile(tmp_path / "book.xlsx") as book:
        assert book.testzip() is None


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["regression", "dead-relu", "mazur"])
def test_nothing_stands_there_that_says_nothing(name: str, tmp_path: Path) -> None:
    """No zero with a sign, no "given:" with nothing after it, no second number of the iteration in sight, no jargon."""
    book = openpyxl.load_workbook(build(load(name, iterations=6), tmp_path / "book.xlsx"), data_only=True)
    for sheet in book:
        for row in sheet.iter_rows():
            for cell in row:
                if isinstance(cell.value, float) and cell.value == 0:
                    assert math.copysign(1, cell.value) == 1, (sheet.title, cell.coordinate)
                if cell.value == "given:":
                    assert cell.offset(column=1).value is not None, (sheet.title, cell.coordinate)
                assert "used" not in cell.number_format, (sheet.title, cell.coordinate)
                assert not re.search(r"\bid\(|rounding limit", str(cell.value)), (sheet.title, cell.coordinate)
