"""Programs that a machine may have: further engines as judges of every formula, and libraries that read our files.

Each is optional, as PyTorch is; `make judges` installs those that pip and npm have, and runs these tests.
"""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.utils.cell import get_column_letter

from tests import judges
from tests.anatomy import parts
from tests.judges import Cells
from tests.networks import WIDE, named
from tests.test_judges import WITHOUT_CHOICES, assert_agree
from xlbackprop import build, load
from xlbackprop.derivation.equations import derive
from xlbackprop.network.templates import names

HERE = Path(__file__).parent
ITERATIONS = 4
PACKAGES = Path(sys.prefix) / "lib" / "node_modules"
"""Those of Node.js, in the environment that the tests run in."""


def optional(name: str, is_there: bool) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not is_there, reason=f"{name} is an optional judge, see `make judges`")


def needs(*packages: str) -> pytest.MarkDecorator:
    """Marks a test as one that needs Node.js and some of its packages."""
    there = shutil.which("node") is not None and all((PACKAGES / package).is_dir() for package in packages)
    return optional(" and ".join(packages), there)


needs_formulas = optional("formulas", find_spec("formulas") is not None)
JAVASCRIPT = ("exceljs", "xlsx", "luckyexcel")
BOOKS = (*names(), *WIDE)
every_book = pytest.mark.parametrize("name", BOOKS)


@cache
def book(name: str, folder: Path) -> Path:
    return build(named(name, ITERATIONS), folder / f"{name}.xlsx")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("books")


@pytest.fixture(scope="module")
def read_by_openxlsx(folder: Path) -> Mapping[str, Mapping[tuple[str, str], object]]:
    """What R's openxlsx reads in every book, all in one start of it."""
    r = shutil.which("Rscript")
    if r is None or subprocess.run([r, "-e", "find.package('openxlsx')"], capture_output=True).returncode:
        pytest.skip("openxlsx is an optional judge: apt-get install r-cran-openxlsx")
    command = [r, str(HERE / "readers.R"), *(str(book(name, folder)) for name in BOOKS)]
    found = {name: dict[tuple[str, str], object]() for name in BOOKS}
    for line in subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines():
        path, title, row, column, value = html.unescape(line).split("\t")
        found[Path(path).stem][title, f"{get_column_letter(int(column))}{row}"] = value
    return found


def _said(command: list[str], given: str = "") -> Any:
    environment = {**os.environ, "NODE_PATH": str(PACKAGES)}
    done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=1800, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def hyperformula(path: Path) -> Cells:
    """Calculate with HyperFormula, but for what follows from a text by FIXED, which it has not.

    It is given its own spellings: `1e-9`, and FLOOR.MATH for INT, which it rounds towards zero.
    """
    workbook = openpyxl.load_workbook(path)
    sheets = {
        sheet.title: [[_as_typed(cell) for cell in row] for row in sheet.iter_rows(1, min_col=1)] for sheet in workbook
    }
    meant = {name: each.attr_text for name, each in workbook.defined_names.items()} | {"FALSE": "FALSE()"}
    expressions = [{"name": name, "expression": f"={text}"} for name, text in meant.items()]
    given = json.dumps({"sheets": sheets, "names": expressions, "without": ["FIXED"]})
    values = _said(["node", str(HERE / "hyperformula.js")], given)
    return {(title, f"{get_column_letter(column + 1)}{row + 1}"): value for title, row, column, value in values}


def _as_typed(cell: Any) -> Any:
    match cell.data_type:
        case "f":
            return re.sub(r"\bINT\(", "FLOOR.MATH(", re.sub(r"(\d)E([-+]?\d)", r"\1e\2", str(cell.value)))
        case "s":
            return f"'{cell.value}"
        case _:
            return cell.value


@needs("hyperformula")
@pytest.mark.slow
@every_book
def test_hyperformula_agrees(name: str, folder: Path) -> None:
    path = book(name, folder)
    carried, actual = judges.carried(path), hyperformula(path)
    assert len(actual) > 0.8 * len(carried)
    expected = {cell: carried[cell] for cell in actual}
    allowed = judges.allowances(derive(named(name, ITERATIONS)).learned, carried) if _is_measured(carried) else {}
    assert_agree(actual, expected, name, allowed)


@pytest.mark.slow
@every_book
@pytest.mark.parametrize("library", [pytest.param(each, marks=needs(each, "xlsx")) for each in JAVASCRIPT])
def test_a_library_of_javascript_reads_every_formula_and_its_value(library: str, name: str, folder: Path) -> None:
    path = book(name, folder)
    found = _said(["node", str(HERE / "readers.js"), library, str(path)])
    values = {(title, address): value[0] if value else None for title, address, *value in found}
    assert_read(values, judges.carried(path))


@pytest.mark.slow
@every_book
def test_openxlsx_reads_every_formula_and_its_value(
    name: str, read_by_openxlsx: Mapping[str, Mapping[tuple[str, str], object]], folder: Path
) -> None:
    assert_read(read_by_openxlsx[name], judges.carried(book(name, folder)))


def assert_read(values: Mapping[tuple[str, str], object], carried: Cells) -> None:
    """Each formula's value to the last digit, of whatever type the library makes it."""
    assert {cell: _as_read(values.get(cell)) for cell in carried} == {
        cell: _as_read(value) for cell, value in carried.items()
    }


def _as_read(value: object) -> object:
    """Libraries give numbers as texts, too, and an empty text as nothing."""
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return "" if value in (None, "NA") else value


def formulas(path: Path) -> Cells:
    """Calculate with `formulas`, which spells titles in capitals."""
    stripped = judges.without_values(path)
    found = _said([sys.executable, "-W", "ignore", str(HERE / "formulas_engine.py"), str(stripped)])
    return {
        (title, address): found.get(f"'[{path.name}]{title.upper()}'!{address}")
        for title, address in judges.calculated(path)
    }


@needs_formulas
@pytest.mark.slow
@every_book
def test_formulas_agrees(name: str, tmp_path: Path) -> None:
    """On all sheets in one walkthrough: it takes some milliseconds for each of thousands of formulas."""
    sheets = None if name == "classic" else ["walkthrough"] if name in WIDE else WITHOUT_CHOICES
    definition = named(name, ITERATIONS)
    path = build(definition, tmp_path / "book.xlsx", sheets=sheets)
    carried = judges.carried(path)
    allowed = judges.allowances(derive(definition).learned, carried) if sheets is None else {}
    assert_agree(formulas(path), carried, name, allowed)


@pytest.mark.slow
@pytest.mark.parametrize(
    "engine", [pytest.param(hyperformula, marks=needs("hyperformula")), pytest.param(formulas, marks=needs_formulas)]
)
def test_a_wrong_formula_is_noticed(engine: Callable[[Path], Cells], tmp_path: Path) -> None:
    path = build(load(iterations=2), tmp_path / "book.xlsx", sheets=["walkthrough"])
    expected = judges.carried(path)
    text = parts(path)
    sheet = next(name for name in text if "L33*(1-L33)" in text[name])
    with zipfile.ZipFile(path, "w") as archive:
        for name, each in text.items():
            archive.writestr(name, each.replace("L33*(1-L33)", "J33*(1-J33)") if name == sheet else each)
    actual = engine(path)
    with pytest.raises(AssertionError, match="Z33"):
        assert_agree(actual, {cell: expected[cell] for cell in actual}, "the original's slip")


def _is_measured(cells: Cells) -> bool:
    return any(title == "Gradient check" for title, _ in cells)
