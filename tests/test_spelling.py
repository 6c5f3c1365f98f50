"""The spelling of the file: every reader takes it, and it is the same whatever else is installed or was imported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import openpyxl
import pytest
from msgspec.structs import replace

from tests.anatomy import faults, parts
from xlbackprop import build, load
from xlbackprop.network.templates import names

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
    ("xl/worksheets/sheet2.xml", "<v>0.05</v>", "<v>-0.0</v>"): "-0.0 is stored",
    ("xl/worksheets/sheet2.xml", "<v>0.05</v>", "<v>4e-320</v>"): "4e-320 is stored",
}


@pytest.fixture(scope="module")
def classic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(load(iterations=ITERATIONS), tmp_path_factory.mktemp("classic") / "classic.xlsx")


@pytest.mark.parametrize("template", names())
def test_nothing_is_spelled_as_some_readers_do_not_take_it(template: str, tmp_path: Path) -> None:
    assert faults(parts(build(load(template, iterations=ITERATIONS), tmp_path / "book.xlsx"))) == []


@pytest.mark.parametrize(("place", "fault"), PLANTED.items())
def test_what_they_do_not_take_is_seen(place: tuple[str, str, str], fault: str, classic: Path) -> None:
    part, right, wrong = place
    planted = parts(classic)
    assert right in planted[part]
    planted[part] = planted[part].replace(right, wrong)
    found = faults(planted)
    assert any(fault in each for each in found)


def test_a_text_keeps_the_spaces_around_it(tmp_path: Path) -> None:
    path = build(replace(load(iterations=1), title=" spaced \n"), tmp_path / "book.xlsx", sheets=["walkthrough"])
    assert openpyxl.load_workbook(path)["Walkthrough"]["A1"].value == " spaced \n"


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


@pytest.mark.parametrize("surroundings", SURROUNDINGS)
def test_the_bytes_do_not_depend_on_what_else_is_there(surroundings: str, classic: Path, tmp_path: Path) -> None:
    environment, program = SURROUNDINGS[surroundings]
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=os.environ | environment, check=True)
    assert (tmp_path / "book.xlsx").read_bytes() == classic.read_bytes()
