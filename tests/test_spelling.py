"""The spelling of the file: every reader takes it, and it is the same whatever else is installed or was imported."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import openpyxl
import pytest

from tests import judges
from tests.anatomy import faults, parts
from tests.books import build
from tests.cases import thorough_but
from tests.networks import WIDE, named, sized
from xlbackprop import load
from xlbackprop.network.loading import parse
from xlbackprop.network.templates import names
from xlbackprop.workbook.xlsx.book import Workbook
from xlbackprop.workbook.xlsx.page import Page
from xlbackprop.workbook.xlsx.writer import save

ITERATIONS = 8

PLANTED = {
    ("xl/drawings/drawing1.xml", "<xdr:from>", "<from>"): "an element without a prefix",
    ("xl/drawings/drawing1.xml", 'id="1002"', 'id="1001"'): "two shapes with one number",
    ("xl/_rels/workbook.xml.rels", '"worksheets/sheet1.xml"', '"/xl/worksheets/sheet1.xml"'): "is not relative",
    ("xl/_rels/workbook.xml.rels", '"styles.xml"', '"nowhere.xml"'): "leads nowhere",
    ("_rels/.rels", ' Id="rId1"', ""): "without a number of their own",
    ("xl/tables/table1.xml", ' showRowStripes="0"', ""): "its style is not said",
    ("xl/tables/table1.xml", 'name="w1"', 'name="T1"'): "two columns with one name",
    ("xl/tables/table1.xml", 'name="w3"', 'name="w_3"'): "the headers are not the names",
    ("xl/styles.xml", "<diagonal/>", ""): "a border without its five sides",
    ("xl/styles.xml", '<b val="1"/><sz val="16"/>', '<sz val="16"/><b val="1"/>'): "a font in another order",
    ("xl/worksheets/sheet2.xml", "<t>inputs</t>", '<t xml:space="preserve">inputs</t>'): "xml:space",
    ("xl/worksheets/sheet2.xml", "<t>inputs</t>", "<t>inputs </t>"): "xml:space",
    ("xl/styles.xml", 'numFmtId="165"', 'numFmtId="164"'): "two number formats with one number",
    ("xl/styles.xml", '<numFmt numFmtId="165"', 152 * '<numFmt numFmtId="9" formatCode="x"/>'): "number formats",
    ("xl/styles.xml", 'numFmtId="11" formatCode="0.00E+00"', 'numFmtId="170" formatCode="0.00E+00"'): "is built in",
    (
        "xl/styles.xml",
        'numFmtId="11" formatCode="0.00E+00"',
        'numFmtId="170" formatCode="0.00E+0"',
    ): "is another format's",
    ("xl/worksheets/sheet2.xml", "$G$31*", "'Your turn'!G31*"): "refers to another sheet from where it stands",
    ("xl/worksheets/", "SUM(MMULT(", "((MMULT("): "Excel would show an @",
    ("xl/worksheets/", "SUM(INDEX(", "((INDEX("): "Excel would show an @",
    ("xl/worksheets/", "T(INDEX(", "((INDEX("): "Excel would show an @",
    ("xl/worksheets/", "1E+15", "1E15"): "Excel writes the sign of an exponent",
    ("xl/worksheets/sheet1.xml", ' numberStoredAsText="1"', ""): "a green triangle",
    ("xl/worksheets/sheet2.xml", 'activeCell="G31"', 'activeCell="A4"'): "opens where there is nothing to change",
    ("xl/worksheets/sheet1.xml", 'activeCell="A1"', 'activeCell="B7"'): "opens where there is nothing to change",
    ("xl/worksheets/sheet2.xml", 'si="1"', 'si="0"'): "two shared formulas with one number",
    ("xl/workbook.xml", 'sheetId="2"', 'sheetId="1"'): "the workbook has two of one",
    ("xl/worksheets/sheet2.xml", "<v>0.05</v>", "<v>-0.0</v>"): "-0.0 is stored",
    ("xl/worksheets/sheet2.xml", "<v>0.05</v>", "<v>4e-320</v>"): "4e-320 is stored",
}


@pytest.fixture(scope="module")
def classic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(load(iterations=ITERATIONS), tmp_path_factory.mktemp("classic") / "classic.xlsx")


@pytest.mark.parametrize("name", thorough_but([*names(), *WIDE], "classic"))
def test_nothing_is_spelled_as_some_readers_do_not_take_it(name: str, tmp_path: Path) -> None:
    assert faults(parts(build(named(name, ITERATIONS), tmp_path / "book.xlsx"))) == []


def test_a_wide_network_has_no_more_formats_than_excel_takes(tmp_path: Path) -> None:
    wide = parse(sized(3, 5, 5, 5, 3), source="wide")
    path = build(wide, tmp_path / "wide.xlsx", sheets=["walkthrough"])
    assert faults(parts(path)) == []
    shown = [value for value in judges.carried(path).values() if isinstance(value, str)]
    assert len([value for value in shown if re.fullmatch(r"(\w+|∂.*) = −?[0-9.]+(e-?[0-9]+)?", value)]) > 100
    recalculated = judges.ironcalc_judge(path, {})
    assert {cell: value for cell, value in recalculated.items() if isinstance(value, str)} == {
        cell: value for cell, value in judges.carried(path).items() if isinstance(value, str)
    }


def test_the_walkthrough_opens_at_the_learning_rate(classic: Path) -> None:
    assert openpyxl.load_workbook(classic)["Walkthrough"].sheet_view.selection[-1].activeCell == "G31"


@pytest.mark.thorough
@pytest.mark.parametrize(("place", "fault"), PLANTED.items())
def test_what_they_do_not_take_is_seen(place: tuple[str, str, str], fault: str, classic: Path) -> None:
    beginning, right, wrong = place
    planted = parts(classic)
    part = next(name for name, text in planted.items() if name.startswith(beginning) and right in text)
    planted[part] = planted[part].replace(right, wrong)
    found = faults(planted)
    assert any(fault in each for each in found)


def test_a_text_keeps_the_spaces_around_it(tmp_path: Path) -> None:
    workbook = Workbook()
    page = Page(workbook, "Sheet")
    page.text("A1", " spaced \n")
    save(workbook, [page.content()], tmp_path / "book.xlsx")
    assert openpyxl.load_workbook(tmp_path / "book.xlsx")["Sheet"]["A1"].value == " spaced \n"


SDK = shutil.which("ooxml-validator", path=f"{Path(sys.prefix) / 'bin'}{os.pathsep}{os.environ['PATH']}")
needs_sdk = pytest.mark.skipif(SDK is None, reason="the Open XML SDK is an optional judge, see `make judges`")


def sdk_finds(path: Path) -> list[object]:
    """What the Open XML SDK, Excel's own reading of the file format, has against a file."""
    answer = subprocess.run([str(SDK), str(path)], capture_output=True, text=True)
    errors: list[object] = json.loads(answer.stdout)["errors"]
    return errors


@needs_sdk
@pytest.mark.slow
@pytest.mark.parametrize("name", [*names(), *WIDE])
def test_the_open_xml_sdk_finds_nothing(name: str, tmp_path: Path) -> None:
    assert sdk_finds(build(named(name, ITERATIONS), tmp_path / "book.xlsx")) == []


@needs_sdk
@pytest.mark.slow
def test_the_open_xml_sdk_finds_what_is_planted(classic: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "planted.xlsx", "w") as archive:
        for name, text in parts(classic).items():
            archive.writestr(name, text.replace("<left/><right/>", "<right/><left/>"))
    assert sdk_finds(tmp_path / "planted.xlsx")


BUILD = "from xlbackprop import build, load; build(load(iterations=8), 'book.xlsx')"
SURROUNDINGS = {
    "lxml is there": ({"OPENPYXL_LXML": "True"}, BUILD),
    "lxml is not there": ({"OPENPYXL_LXML": "False"}, BUILD),
    "openpyxl was imported before": ({}, f"import pandas, openpyxl.chart; {BUILD}"),
    "prefixes were chosen before": (
        {},
        "from xml.etree.ElementTree import register_namespace as register; "
        f"register('draw', 'http://schemas.openxmlformats.org/drawingml/2006/main'); {BUILD}",
    ),
    "hashes fall out otherwise, on an old processor": (
        {"PYTHONHASHSEED": "7", "OPENBLAS_CORETYPE": "Prescott", "OPENBLAS_NUM_THREADS": "3"},
        BUILD,
    ),
}


@pytest.mark.thorough
@pytest.mark.parametrize("surroundings", SURROUNDINGS)
@pytest.mark.usefixtures("as_handed_out")
def test_the_bytes_do_not_depend_on_what_else_is_there(surroundings: str, tmp_path: Path) -> None:
    environment, program = SURROUNDINGS[surroundings]
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=os.environ | environment, check=True)
    own = build(load(iterations=8), tmp_path / "own.xlsx")
    assert (tmp_path / "book.xlsx").read_bytes() == own.read_bytes()
