"""The workbook: what a file of ours holds before any program has recalculated it, and how it is written."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import openpyxl
import pandas as pd
import pytest
from msgspec.structs import replace
from openpyxl.worksheet.worksheet import Worksheet
from openxml_audit import OpenXmlValidator

from tests import judges
from tests.books import opened
from tests.cases import thorough_but
from tests.judges import calculated, carried, stored
from tests.networks import sized, with_few_samples
from tests.sheets import LAPTOP, WIDEST_CHARACTER, width_of
from xlbackprop import UserError, build, load, train
from xlbackprop.derivation.equations import derive
from xlbackprop.network.loading import parse
from xlbackprop.network.templates import names
from xlbackprop.symbols import few_decimals_formula
from xlbackprop.walkthrough.arrangement import COLUMN_WIDTH, arrange
from xlbackprop.workbook.xlsx import writer

COLUMN_SETS = ("compact", "full")
VALIDATED = ("classic", "xor", "iris-mini", "dead-relu", "optimisers")
"""The templates that between them have every sheet and every kind of cell."""

ITERATIONS = 8
"""Enough for every template: its rows differ in nothing but their numbers."""


@pytest.fixture(scope="module")
def classic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(load(), tmp_path_factory.mktemp("classic") / "classic.xlsx")


@pytest.fixture(scope="module")
def sheet(classic: Path) -> Worksheet:
    return opened(classic, "Walkthrough")["Walkthrough"]


@pytest.mark.parametrize("columns", COLUMN_SETS)
@pytest.mark.parametrize("template", names())
def test_the_table_carries_the_engines_values(template: str, columns: str, tmp_path: Path) -> None:
    definition = load(template, iterations=ITERATIONS)
    trace = train(definition)
    table = arrange(derive(definition), definition.iterations, columns).table
    values = stored(build(definition, tmp_path / "book.xlsx", columns=columns, sheets=["walkthrough"]))
    for name in table.quantities:
        column = [values["Walkthrough", table.cell(name, k)] for k in range(definition.iterations)]
        np.testing.assert_array_equal(np.array(column, dtype=float), trace[name], err_msg=name)


@pytest.mark.parametrize("template", thorough_but(names(), "classic", "and-or"))
def test_every_formula_carries_a_value(template: str, tmp_path: Path) -> None:
    path = build(load(template, iterations=ITERATIONS), tmp_path / "book.xlsx")
    assert carried(path).keys() == set(calculated(path))


def test_pandas_reads_the_numbers(classic: Path) -> None:
    frame = pd.read_excel(classic, sheet_name="Walkthrough", header=31)
    assert list(frame.columns[:5]) == ["t1", "t2", "i1", "i2", "w1"]
    np.testing.assert_array_equal(frame["E_tot"], train(load())["E_total"])
    assert not frame.isna().any().any()


def test_addresses_of_the_original(sheet: Worksheet) -> None:
    header = [cell.value for cell in sheet[32][:31]]
    assert " ".join(map(str, header)) == (
        "t1 t2 i1 i2 w1 w2 w3 w4 h1 a_h1 h2 a_h2 w5 w6 w7 w8 o1 a_o1 o2 a_o2 E1 E2 E_tot "
        "∂E/∂w1 ∂E/∂w2 ∂E/∂w3 ∂E/∂w4 ∂E/∂w5 ∂E/∂w6 ∂E/∂w7 ∂E/∂w8"
    )
    assert sheet["F31"].value == "η ="
    assert sheet["G31"].value == 1
    assert sheet.parent.defined_names["eta"].attr_text == "Walkthrough!$G$31"
    assert sheet.max_row == 100
    for cell, number in {"J4": 1, "M4": 2, "M11": 3, "J16": 4, "C17": 5, "C22": 6}.items():
        assert str(sheet[cell].value).startswith(f"{number}  ")


def test_nothing_is_typed_twice(sheet: Worksheet) -> None:
    numbers = {
        cell.coordinate for row in sheet.iter_rows() for cell in row if cell.data_type == "n" and cell.value is not None
    }
    assert numbers == {*(f"{letter}33" for letter in "ABCDEFGHMNOP"), "G31"}


def test_the_diagram_follows_the_table(sheet: Worksheet) -> None:
    shown = {cell.value for row in sheet["A4:I16"] for cell in row if cell.data_type == "f"}
    assert shown == {f"={few_decimals_formula(f'{letter}33')}" for letter in "ABCDEFGHIJKLMNOPQRSTUVW"}
    assert sheet["I8"].number_format == '"E1 = "General;"E1 = −"General'


def test_the_diagram_is_connected(classic: Path) -> None:
    with zipfile.ZipFile(classic) as archive:
        drawing = archive.read("xl/drawings/drawing1.xml").decode()
    joined = {text.split('"')[0] for text in drawing.split('descr="from ')[1:]}
    assert {"i1 to w1", "i2 to w2", "i1 to w3", "i2 to w4", "a_h1 to w5", "a_h2 to w8", "a_o1 to E1"} <= joined
    ids = [text.split('"')[0] for text in drawing.split('cNvPr id="')[1:]]
    assert len(ids) == len(set(ids))


def test_texts_use_the_names_of_the_table(sheet: Worksheet) -> None:
    texts = " ".join(str(cell.value) for row in sheet["A1:AE31"] for cell in row if cell.data_type == "s")
    assert "a_01" not in texts
    assert "a_02" not in texts


def test_the_charts_show_every_iteration_and_their_axes(classic: Path) -> None:
    large, small = opened(classic, "Walkthrough")["Walkthrough"]._charts
    loss = train(load())["E_total"]
    for chart in (large, small):
        series = chart.series[0]
        assert series.yVal.numRef.f == "Walkthrough!$W$33:$W$100"
        assert [float(point.v) for point in series.yVal.numRef.numCache.pt] == pytest.approx(loss, rel=1e-15)
        assert [float(point.v) for point in series.xVal.numRef.numCache.pt] == list(range(68))
        assert (chart.x_axis.scaling.max - chart.x_axis.scaling.min) / chart.x_axis.majorUnit <= 10
        assert chart.x_axis.delete is chart.y_axis.delete is False
    for axis, title in ((large.x_axis, "iteration"), (large.y_axis, "E_total")):
        assert axis.title.tx.rich.p[0].r[0].t == title
    with zipfile.ZipFile(classic) as archive:
        assert 'descr="Line chart of the loss' in archive.read("xl/drawings/drawing1.xml").decode()


def test_axes_say_large_numbers_by_their_power_of_ten(classic: Path) -> None:
    with zipfile.ZipFile(classic) as archive:
        parts = [archive.read(name).decode() for name in archive.namelist() if "/charts/chart" in name]
    axes = [axis for part in parts for axis in re.findall(r"<valAx>.*?</valAx>", part) if '<delete val="0"/>' in axis]
    assert len(axes) >= 10
    for axis in axes:
        form = "0E+00" if "<logBase" in axis else "[&lt;1000000]General;0.0#E+00"
        assert f'<numFmt formatCode="{form}" sourceLinked="0"/>' in axis


def test_axes_far_below_zero_keep_their_sign(tmp_path: Path) -> None:
    """As LibreOffice shows them: in a format of several parts it keeps the sign only where the first part applies."""
    definition = load("optimisers", iterations=100, learning_rate=2.0)
    with zipfile.ZipFile(build(definition, tmp_path / "book.xlsx", sheets=["loss-surface"])) as archive:
        parts = [archive.read(name).decode() for name in archive.namelist() if "/charts/chart" in name]
    assert sum(part.count('<numFmt formatCode="0.0E+00" sourceLinked="0"/>') for part in parts) == 2


def test_a_curve_of_one_point_is_seen(tmp_path: Path) -> None:
    path = build(load(iterations=1), tmp_path / "book.xlsx", sheets=["walkthrough", "learning-rates", "loss-surface"])
    charts = [chart for sheet in opened(path) for chart in sheet._charts]
    curves = [series for chart in charts for series in chart.series if len(series.yVal.numRef.numCache.pt) == 1]
    assert len(curves) >= 18
    assert {series.marker.symbol for series in curves} == {"circle", "square", "triangle"}


@pytest.mark.parametrize("letters", [20, 80, 150, 200])
def test_what_a_long_walkthrough_is_called_stays_on_the_screen(letters: int, tmp_path: Path) -> None:
    definition = replace(load(iterations=2), title="W" * letters, teaches="Learn it. " * (letters // 10))
    book = opened(build(definition, tmp_path / "book.xlsx", sheets=["start-here", "walkthrough"]))
    for title, last in (("Start here", "E"), ("Walkthrough", "I")):
        sheet = book[title]
        cell = sheet["A1"]
        room = sum(width_of(sheet, column) for column in range(1, openpyxl.utils.column_index_from_string(last) + 1))
        assert len(cell.value) * cell.font.size <= room * 11.5
        assert cell.value in (definition.title, definition.title[: len(cell.value) - 1] + "…")
    assert len(book["Walkthrough"]["A2"].value) < 220
    assert book["Walkthrough"]["J1"].value.startswith("↑")
    assert " ".join(book["Start here"][f"A{row}"].value or "" for row in (2, 3)).split() == definition.teaches.split()


def test_the_small_chart_of_the_class_stands_in_free_rows(sheet: Worksheet) -> None:
    _, small = sheet._charts
    assert (small.anchor._from.row, small.anchor.to.row, small.anchor._from.col) == (26, 30, 7)
    assert 70 <= sheet.sheet_view.zoomScale <= 75


@pytest.mark.parametrize("template", thorough_but(names(), "classic"))
def test_cause_and_effect_stand_on_one_screen(template: str, tmp_path: Path) -> None:
    """The network, η and a chart of the loss, and all of it small enough for a projector."""
    path = build(load(template, iterations=6), tmp_path / "book.xlsx", sheets=["walkthrough"])
    sheet = opened(path, "Walkthrough")["Walkthrough"]
    (row,) = (cell.row for cell in sheet["F"] if cell.value == "η =")
    seen = [chart for chart in sheet._charts if chart.anchor.to.row <= row and chart.anchor.to.col <= 16]
    assert len(seen) == 1
    heights = [sheet.row_dimensions[above].height or 15 for above in range(1, row + 1)]
    scale = sheet.sheet_view.zoomScale
    assert 60 <= scale <= 75
    assert sum(heights) * scale / 100 * 96 / 72 <= 768 - 182  # what the bars of a program take


WIDEST_LETTER = 7.9
"""Pixels, on average over mathematics: 11 points of DejaVu Sans."""


@pytest.mark.parametrize("template", thorough_but(names(), "classic"))
def test_every_line_of_the_boxes_is_read_without_scrolling_sideways(template: str, tmp_path: Path) -> None:
    """In a font as wide as DejaVu Sans, which stands where Calibri is missing; and no box runs into the next."""
    definition = load(template, iterations=6)
    sheet = opened(build(definition, tmp_path / "book.xlsx", sheets=["walkthrough"]), "Walkthrough")["Walkthrough"]
    scale = sheet.sheet_view.zoomScale / 100
    boxes = arrange(derive(definition), 6, "compact").boxes
    for placed in boxes:
        before, own = (
            sum(width_of(sheet, column) for column in columns) * WIDEST_CHARACTER
            for columns in (range(1, placed.column), range(placed.column, placed.last_column + 1))
        )
        longest = max(map(len, placed.box.lines)) * WIDEST_LETTER
        assert longest <= own
        assert (before + longest) * scale <= LAPTOP, placed.box.title


@pytest.mark.parametrize("template", thorough_but(names(), "classic"))
def test_the_heads_of_the_table_stay_in_sight(template: str, tmp_path: Path) -> None:
    path = build(load(template, iterations=6), tmp_path / "book.xlsx", sheets=["walkthrough"])
    sheet = opened(path, "Walkthrough")["Walkthrough"]
    (link,) = (cell.value for cell in sheet[1] if str(cell.value).startswith("↓ to the table"))
    first = int(link.rpartition(" ")[2])
    assert [cell.value for cell in sheet[3]] == [cell.value for cell in sheet[first - 1]]
    assert sheet.freeze_panes in ("A4", "B4")
    (iteration,) = (cell.column for cell in sheet[3] if cell.value == "iteration")
    assert sheet.cell(first, iteration).value == "=0"


def test_the_number_of_the_iteration_is_first_in_sight_where_the_class_does_not_say_where(tmp_path: Path) -> None:
    sheet = opened(build(load("xor"), tmp_path / "book.xlsx", sheets=["walkthrough"]), "Walkthrough")["Walkthrough"]
    (header,) = (cell.row - 1 for cell in sheet["A"] if cell.value == "=0")
    assert [cell.value for cell in sheet[header]][:4] == ["iteration", "sample", "epoch", "in batch"]
    assert sheet.freeze_panes == "B4"


@pytest.mark.parametrize("template", ["classic", "regression", "optimisers", "dead-relu", "xor"])
def test_the_hint_names_rates_that_the_template_compares(template: str, tmp_path: Path) -> None:
    definition = load(template)
    sheet = opened(build(definition, tmp_path / "book.xlsx", sheets=["walkthrough"]), "Walkthrough")["Walkthrough"]
    (hint,) = (
        str(cell.value) for row in sheet for cell in row if str(cell.value).startswith("← the learning rate: try ")
    )
    rates = [float(text) for text in hint.partition(": try ")[2].split(", ")]
    assert len(set(rates)) == 3
    assert set(rates) <= set(definition.learning_rates) - {definition.learning_rate}


@pytest.mark.parametrize("sizes", [(1, 1), (1, 1, 1)])
def test_columns_are_wide_enough_where_the_table_is_narrow(sizes: tuple[int, ...], tmp_path: Path) -> None:
    definition = parse(sized(*sizes), source="narrow")
    sheet = opened(build(definition, tmp_path / "book.xlsx", sheets=["walkthrough"]), "Walkthrough")["Walkthrough"]
    columns = [(each.min, each.max, each.width) for each in sheet.column_dimensions.values()]
    assert len(columns) >= max(20, sheet.max_column, *(chart.anchor.to.col for chart in sheet._charts))
    # each once, none left out
    assert columns == [(number, number, COLUMN_WIDTH) for number in range(1, len(columns) + 1)]


def test_the_learning_rate_is_held_to_its_range(sheet: Worksheet) -> None:
    rules = sheet.data_validations.dataValidation
    (validation,) = (rule for rule in rules if str(rule.sqref) == "G31")
    assert validation.showErrorMessage
    assert any("A33" in rule.sqref for rule in rules)


def test_the_file_recalculates_when_it_is_opened(sheet: Worksheet) -> None:
    assert sheet.parent.calculation.fullCalcOnLoad


def one_of_each_form(path: Path) -> Path:
    """A copy with the first of those cells of a sheet that differ in nothing but their texts and addresses."""

    def change(_: str, xml: str) -> str:
        first: dict[str, str] = {}

        def is_first(cell: str) -> bool:
            return first.setdefault(_TEXT_OR_ADDRESS.sub("", cell), cell) is cell

        def kept(row: re.Match[str]) -> str:
            head, *cells = _CELL_BEGINS.split(row[1])
            return "".join([head, *filter(is_first, cells), "</row>"])

        return _ROW.sub(kept, xml)

    return judges.rewritten(path, "thin", change)


_ROW, _CELL_BEGINS = re.compile(r"(<row .*?)</row>", re.DOTALL), re.compile("(?=<c )")
_TEXT_OR_ADDRESS = re.compile(r'(?<=>)[^<]+| (?:r|si|ref)="[^"]*"')


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("template", "columns"), [*((template, "compact") for template in VALIDATED), ("mazur", "full")]
)
def test_parts_are_valid_against_the_schema(template: str, columns: str, tmp_path: Path) -> None:
    path = build(with_few_samples(load(template, iterations=2), 4), tmp_path / "book.xlsx", columns=columns)
    found = OpenXmlValidator(max_errors=0).validate(one_of_each_form(path)).errors
    # texts stand in their cells, not beside them; every Excel has read that for years
    assert [(error.part_uri, error.description) for error in found if "inlineStr" not in error.description] == []


def test_mazur_has_its_bias_columns_and_its_note(tmp_path: Path) -> None:
    sheet = opened(build(load("mazur"), tmp_path / "mazur.xlsx", sheets=["walkthrough"]), "Walkthrough")["Walkthrough"]
    header = [cell.value for cell in sheet[32]]
    assert header[8] == "b1"
    assert "b2" in header
    assert sheet[f"I{34}"].value == "=I$33", "a fixed bias stays what it is"
    assert any("0.291027924" in str(cell.value) for (cell,) in sheet["A26:A31"])


def test_the_same_input_gives_the_same_bytes(classic: Path, tmp_path: Path) -> None:
    assert build(load(), tmp_path / "again.xlsx").read_bytes() == classic.read_bytes()


@pytest.mark.parametrize("text", ["=1+1", "+cmd|' /C calc'!A0", "-2", "@SUM(A1)", '=HYPERLINK("x")'])
def test_nobodys_text_becomes_a_formula(text: str, tmp_path: Path) -> None:
    path = build(replace(load(iterations=1), title=text), tmp_path / "book.xlsx")
    cell = opened(path, "Walkthrough")["Walkthrough"]["A1"]
    assert (cell.value, cell.data_type, cell.quotePrefix) == (text, "s", True)


def test_a_text_with_markup_stays_what_it_is(tmp_path: Path) -> None:
    title = 'A & B <c> "d" \u2014 \u2202'
    path = build(replace(load(iterations=1), title=title), tmp_path / "book.xlsx")
    assert opened(path, "Walkthrough")["Walkthrough"]["A1"].value == title


def test_a_single_iteration(tmp_path: Path) -> None:
    sheet = opened(build(load(iterations=1), tmp_path / "book.xlsx"), "Walkthrough")["Walkthrough"]
    assert sheet.max_row == 33


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "book.xlsx"
    path.write_text("what was there")

    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writer, "rows_of", full_disk)
    with pytest.raises(UserError, match="the disk is full; what was there is untouched"):
        build(load(), path)
    assert path.read_text() == "what was there"
    assert list(tmp_path.iterdir()) == [path]


def test_a_listener_hears_how_far_the_work_has_come(tmp_path: Path) -> None:
    heard: list[tuple[str, int, int]] = []
    build(load(iterations=2000), tmp_path / "book.xlsx", listener=lambda *step: heard.append(step))
    assert ("training", 0, 2000) in heard
    assert ("training", 1024, 2000) in heard
    written = [(done, of) for what, done, of in heard if what == "writing Walkthrough"]
    assert written == sorted(written)
    assert len(written) > 3
    assert written[-1] == (2032, 2032)


@pytest.mark.parametrize("lock", [".~lock.book.xlsx#", "~$book.xlsx"])
def test_a_file_that_is_open_elsewhere_survives(lock: str, tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    path.write_text("what was there")
    (tmp_path / lock).touch()
    with pytest.raises(UserError, match="is open in a spreadsheet program"):
        build(load(), path)
    assert path.read_text() == "what was there"


def test_a_protected_file_survives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "book.xlsx"
    path.write_text("what was there")
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write everywhere
    with pytest.raises(UserError, match="is protected against writing"):
        build(load(), path)
    assert path.read_text() == "what was there"


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "folder").touch()
    with pytest.raises(UserError, match="cannot be written"):
        build(load(), tmp_path / "folder" / "book.xlsx")


def test_no_entry_is_of_the_large_kind_that_some_readers_refuse(classic: Path) -> None:
    with zipfile.ZipFile(classic) as archive:
        assert not [entry.filename for entry in archive.infolist() if entry.extract_version >= 45]


@pytest.mark.usefixtures("as_handed_out")
def test_what_is_very_large_is_compressed_fast_and_says_the_same(tmp_path: Path) -> None:
    slow = build(load(), tmp_path / "slow.xlsx")
    with patch.object(writer, "_VERY_LARGE", 1 << 18):
        fast = build(load(), tmp_path / "fast.xlsx")
    with zipfile.ZipFile(slow) as usual, zipfile.ZipFile(fast) as other:
        assert [usual.read(name) for name in usual.namelist()] == [other.read(name) for name in other.namelist()]
        parts = list(zip(usual.infolist(), other.infolist(), strict=True))
    changed = {before.file_size for before, after in parts if after.compress_size > before.compress_size}
    assert max(before.file_size for before, _ in parts) in changed
    assert min(changed) > 100_000


ARGUMENTS: list[tuple[dict[str, Any], str]] = [
    ({"path": "mine.toml"}, 'found "{folder}/mine.toml", expected a file name that ends in .xlsx'),
    ({"path": ""}, 'found "{folder}", expected a file name that ends in .xlsx'),
    ({"columns": "wide"}, 'columns: found the text "wide", expected one of "compact", "full"'),
    ({"columns": "ful"}, 'expected one of "compact", "full"; did you mean "full"?'),
    ({"columns": None}, 'columns: found nothing, expected one of "compact", "full"'),
    ({"columns": ["full"]}, "columns: found a list of 1, expected one of"),
    (
        {"sheets": "walkthrough"},
        'sheets: found the text "walkthrough", expected a list of names, such as ["walkthrough"]',
    ),
    ({"sheets": 5}, 'sheets: found 5, expected a list of names, such as ["start-here"]'),
    ({"sheets": []}, "sheets: found none, expected one or more of start-here, walkthrough"),
    ({"sheets": ["your-trun"]}, 'sheets: there is no sheet "your-trun"; did you mean "your-turn"?'),
    ({"sheets": ["walkthrough", 3]}, "sheets: found 3 in it, expected names: start-here, walkthrough"),
    ({"iteration": 68}, "iteration: found 68, expected a whole number from 0 to 67"),
    ({"iteration": -1}, "iteration: found -1, expected a whole number from 0 to 67"),
    ({"iteration": 1.0}, "iteration: found 1.0, expected a whole number from 0 to 67"),
    ({"iteration": True}, "iteration: found true, expected a whole number from 0 to 67"),
    ({"iteration": "1"}, 'iteration: found the text "1", expected a whole number from 0 to 67'),
    ({"definition": "classic"}, 'definition: found the text "classic", expected what load gives'),
    (
        {"definition": replace(load(), title="a" * 201)},
        "title: found a text of 201 characters, expected one line of text",
    ),
    ({"definition": replace(load(), title="a\nb")}, 'title: found the text "a\\nb", expected one line of text'),
    (
        {"definition": replace(load(), learning_rate=1e9)},
        "learning_rate: found 1000000000.0, expected a number from 0 to",
    ),
]


@pytest.mark.parametrize(("change", "message"), ARGUMENTS, ids=[message[:60] for _, message in ARGUMENTS])
def test_an_argument_that_cannot_be_used_is_told_before_any_work(
    change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    (tmp_path / "mine.toml").write_text("mine")
    arguments = {"definition": load(), **change}
    arguments["path"] = tmp_path / arguments.get("path", "a.xlsx")
    with (
        patch("xlbackprop.workbook.build.train", side_effect=AssertionError("trained")),
        pytest.raises(UserError) as told,
    ):
        build(**arguments)
    assert message.replace("{folder}", str(tmp_path)) in str(told.value)
    assert (tmp_path / "mine.toml").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["mine.toml"]


def test_the_numbers_of_numpy_are_numbers(classic: Path, tmp_path: Path) -> None:
    numpy = replace(load(), learning_rate=np.float64(1), iterations=np.int64(68), inputs=np.array([0.05, 0.1]))
    assert build(numpy, tmp_path / "a.xlsx").read_bytes() == classic.read_bytes()
    assert build(load(), tmp_path / "a.xlsx", iteration=np.int64(3)).read_bytes() != classic.read_bytes()
    few = replace(load(), learning_rate=np.float64(1), iterations=np.int64(68))
    np.testing.assert_array_equal(train(few).values, train(load()).values)
