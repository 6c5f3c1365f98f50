"""The workbook: what a file of ours holds before any program has recalculated it, and how it is written."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest
from msgspec.structs import replace
from openpyxl.worksheet.worksheet import Worksheet
from openxml_audit import OpenXmlValidator

from tests.judges import carried, formula_cells, stored
from xlbackprop import UserError, build, load, train
from xlbackprop.derivation.equations import derive
from xlbackprop.network.templates import names
from xlbackprop.walkthrough.arrangement import arrange
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
    return openpyxl.load_workbook(classic)["Walkthrough"]


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


@pytest.mark.parametrize("template", names())
def test_every_formula_carries_a_value(template: str, tmp_path: Path) -> None:
    path = build(load(template, iterations=ITERATIONS), tmp_path / "book.xlsx")
    assert carried(path).keys() == formula_cells(path).keys()


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
    assert shown == {f"={letter}33" for letter in "ABCDEFGHIJKLMNOPQRSTUVW"}


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


def test_the_chart_shows_every_iteration_and_its_axes(classic: Path) -> None:
    (chart,) = openpyxl.load_workbook(classic)["Walkthrough"]._charts
    loss = train(load())["E_total"]
    series = chart.series[0]
    assert series.val.numRef.f == "Walkthrough!$W$33:$W$100"
    assert [float(point.v) for point in series.val.numRef.numCache.pt] == pytest.approx(loss, rel=1e-15)
    assert [float(point.v) for point in series.cat.numRef.numCache.pt] == list(range(68))
    for axis, title in ((chart.x_axis, "iteration"), (chart.y_axis, "E_total")):
        assert axis.delete is False
        assert axis.title.tx.rich.p[0].r[0].t == title
    with zipfile.ZipFile(classic) as archive:
        assert 'descr="Line chart of the loss' in archive.read("xl/drawings/drawing1.xml").decode()


def test_the_learning_rate_is_held_to_its_range(sheet: Worksheet) -> None:
    (validation,) = sheet.data_validations.dataValidation
    assert str(validation.sqref) == "G31"
    assert validation.showErrorMessage


def test_the_file_recalculates_when_it_is_opened(sheet: Worksheet) -> None:
    assert sheet.parent.calculation.fullCalcOnLoad


@pytest.mark.parametrize(
    ("template", "columns"), [("mazur", "full"), *((template, "compact") for template in VALIDATED)]
)
def test_parts_are_valid_against_the_schema(template: str, columns: str, tmp_path: Path) -> None:
    path = build(load(template, iterations=ITERATIONS), tmp_path / "book.xlsx", columns=columns)
    found = OpenXmlValidator(max_errors=0).validate(path).errors
    # openpyxl writes a font's name before its weight, and texts beside their cells; every Excel has read both for years
    known = ("Unexpected element 'b' found", "Unexpected element 'i' found", "Unexpected element 'color' found")
    unknown = [
        (error.part_uri, error.description)
        for error in found
        if not (error.part_uri == "/xl/styles.xml" and error.description in known)
        and "inlineStr" not in error.description
    ]
    assert unknown == []


def test_mazur_has_its_bias_columns_and_its_note(tmp_path: Path) -> None:
    sheet = openpyxl.load_workbook(build(load("mazur"), tmp_path / "mazur.xlsx"))["Walkthrough"]
    header = [cell.value for cell in sheet[32]]
    assert header[8] == "b1"
    assert "b2" in header
    assert sheet[f"I{34}"].value == "=I$33", "a fixed bias stays what it is"
    assert any("0.291027924" in str(cell.value) for (cell,) in sheet["A26:A31"])


def test_the_same_input_gives_the_same_bytes(classic: Path, tmp_path: Path) -> None:
    assert build(load(), tmp_path / "again.xlsx").read_bytes() == classic.read_bytes()


@pytest.mark.parametrize("text", ["=1+1", "+cmd|' /C calc'!A0", "-2", "@SUM(A1)", '=HYPERLINK("x")'])
def test_nobodys_text_becomes_a_formula(text: str, tmp_path: Path) -> None:
    path = build(replace(load(), title=text), tmp_path / "book.xlsx")
    cell = openpyxl.load_workbook(path)["Walkthrough"]["A1"]
    assert (cell.value, cell.data_type, cell.quotePrefix) == (text, "s", True)


def test_a_text_with_markup_stays_what_it_is(tmp_path: Path) -> None:
    title = 'A & B <c> "d" \u2014 \u2202'
    path = build(replace(load(), title=title), tmp_path / "book.xlsx")
    assert openpyxl.load_workbook(path)["Walkthrough"]["A1"].value == title


def test_a_single_iteration(tmp_path: Path) -> None:
    sheet = openpyxl.load_workbook(build(load(iterations=1), tmp_path / "book.xlsx"))["Walkthrough"]
    assert sheet.max_row == 33


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "book.xlsx"
    path.write_text("what was there")

    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writer, "rows_of", full_disk)
    with pytest.raises(UserError, match="No space left on device"):
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
