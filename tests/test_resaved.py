"""Workbooks that another program has saved: `check` says of them what it says of the original."""

from __future__ import annotations

import re
import subprocess
import zipfile
from collections.abc import Callable, Sequence
from functools import cache
from html import escape
from itertools import product
from pathlib import Path
from typing import NamedTuple

import openpyxl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests import installed, judges
from tests.anatomy import parts
from tests.books import build
from tests.cases import thorough_but
from tests.reports import check
from xlbackprop import load
from xlbackprop.derivation.equations import derive
from xlbackprop.network.embedded import from_workbook, to_cells, to_properties
from xlbackprop.network.names import derivative
from xlbackprop.network.templates import names
from xlbackprop.walkthrough.arrangement import arrange

TEMPLATES = ("classic", "mazur-biases", "and-or")
WITH_ALL_SHEETS = ("classic", "xor")
"""The others have the sheets that a walkthrough is judged by: every further sheet is as dear to save and to read."""
CUSTOM = "docProps/custom.xml"
ITERATIONS = 8
"""A few more than the row with the mistake."""


def rewritten(path: Path, folder: Path, change: Callable[[str, str], str | None]) -> Path:
    """A copy in which every part is what a change makes of its name and text; None leaves it out."""
    copy = folder / "resaved.xlsx"
    with zipfile.ZipFile(copy, "w") as archive:
        for name, text in parts(path).items():
            changed = change(name, text)
            if changed is not None:
                archive.writestr(name, changed)
    return copy


def like_sheetjs(path: Path, folder: Path) -> Path:
    """Quotation marks of the properties spelled as characters that XML has not."""

    def spelled(match: re.Match[str]) -> str:
        return f"<vt:lpwstr>{match[1].replace(chr(34), '_x0022_')}</vt:lpwstr>"

    def change(name: str, text: str) -> str:
        return re.sub("<vt:lpwstr>(.*?)</vt:lpwstr>", spelled, text) if name == CUSTOM else text

    return rewritten(path, folder, change)


def like_gnumeric(path: Path, folder: Path) -> Path:
    """Properties printed prettily, and without the spaces at which they were cut."""

    def change(name: str, text: str) -> str:
        if name != CUSTOM:
            return text
        return text.replace("<vt:lpwstr>", "\n    <vt:lpwstr>\n  ").replace("</vt:lpwstr>", "\n  </vt:lpwstr>\n  ")

    return rewritten(path, folder, change)


def like_google(path: Path, folder: Path) -> Path:
    """Ten digits of every value; no properties, no names."""

    def change(name: str, text: str) -> str | None:
        if name.startswith("docProps/"):
            return None
        if name in ("_rels/.rels", "[Content_Types].xml"):
            return re.sub(r'<(Relationship|Override) [^>]*"/?docProps/[^>]*/>', "", text)
        if name == "xl/workbook.xml":
            return re.sub("<definedNames>.*?</definedNames>", "", text)
        return re.sub("<v>(-?[0-9.e+-]+)</v>", lambda match: f"<v>{float(match[1]):.10g}</v>", text)

    return rewritten(path, folder, change)


def by_openpyxl(path: Path, folder: Path) -> Path:
    openpyxl.load_workbook(path).save(folder / "resaved.xlsx")
    return folder / "resaved.xlsx"


def by_gnumeric(paths: Sequence[Path], folder: Path) -> list[Path]:
    copies = [folder / path.name for path in paths]
    for path, copy in zip(paths, copies, strict=True):
        command = [installed.program("ssconvert"), "--export-type=Gnumeric_Excel:xlsx2", str(path), str(copy)]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
    return copies


def by_libreoffice(paths: Sequence[Path], folder: Path) -> list[Path]:
    return installed.convert(paths, folder / "xlsx", "xlsx")


def by_libreoffice_as_ods(paths: Sequence[Path], folder: Path) -> list[Path]:
    return installed.convert(installed.convert(paths, folder / "ods", "ods"), folder / "xlsx", "xlsx")


LIKE_A_PROGRAM = (like_sheetjs, like_gnumeric, like_google)
BY_A_PROGRAM = (by_gnumeric, by_libreoffice, by_libreoffice_as_ods)


@cache
def said(path: Path) -> tuple[str, str, list[tuple[str, tuple[str, ...], str]]]:
    """What `check` says of a workbook, but for its notes."""
    report = check(path)
    return report.status, report.message, [(each.kind, each.cells, each.message) for each in report.findings]


class Books(NamedTuple):
    """A walkthrough, and the same with a mistake in one cell."""

    right: Path
    wrong: Path


@cache
def books(template: str, folder: Path) -> Books:
    sheets = None if template in WITH_ALL_SHEETS else ["start-here", "walkthrough"]
    right = build(load(template, iterations=ITERATIONS), folder / f"{template}.xlsx", sheets=sheets)
    return Books(right, with_a_mistake(template, right, folder / f"{template}-wrong.xlsx"))


def with_a_mistake(template: str, path: Path, target: Path) -> Path:
    """A copy whose fourth row has half as much again of the first gradient, before any program calculated it."""
    definition = load(template, iterations=ITERATIONS)
    table = arrange(derive(definition), definition.iterations, "compact").table
    gradient = derivative(definition.names.total_loss, definition.names.weights[0][0][0])
    column, row = table.cell(gradient).removesuffix(str(table.first_row)), table.first_row + 3
    formula = escape(table.formula(gradient).format(row=row, above=row - 1))

    def change(name: str, text: str) -> str:
        cell = rf'(<c r="{column}{row}" s="\d+">)<f [^>]*/>'
        return re.sub(cell, rf"\g<1><f>1.5*({formula})</f>", text) if name == "xl/worksheets/sheet2.xml" else text

    return judges.without_values(rewritten(path, path.parent, change)).rename(target)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("books")


@pytest.mark.parametrize("template", thorough_but(names(), "classic"))
def test_what_is_said_of_the_originals(template: str, folder: Path) -> None:
    """Else the tests below compare nothing."""
    right, wrong = map(said, books(template, folder))
    is_judged = right[0] == "ok"
    assert is_judged or "batches of several samples" in right[1]
    assert wrong[0] == ("mistakes" if is_judged else right[0])
    assert len(wrong[2]) == is_judged


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("resave", "template"), [*product(LIKE_A_PROGRAM[:2], names()[::2]), *product(LIKE_A_PROGRAM[2:], names())]
)
def test_a_resaved_workbook_is_judged_like_the_original(
    resave: Callable[[Path, Path], Path], template: str, folder: Path, tmp_path: Path
) -> None:
    """The right or the wrong one: every way has both among the templates."""
    original = books(template, folder)[(names().index(template) // 2 + LIKE_A_PROGRAM.index(resave)) % 2]
    assert said(resave(original, tmp_path)) == said(original)


@pytest.mark.thorough
@pytest.mark.parametrize("template", TEMPLATES)
def test_a_workbook_that_openpyxl_saved_is_judged_like_the_original(
    template: str, folder: Path, tmp_path: Path
) -> None:
    original = books(template, folder)[template == TEMPLATES[0]]
    assert said(by_openpyxl(original, tmp_path)) == said(original)


@pytest.mark.slow
@pytest.mark.parametrize("resave", BY_A_PROGRAM)
def test_workbooks_that_a_program_saved_are_judged_like_the_originals(
    resave: Callable[[Sequence[Path], Path], Sequence[Path]], folder: Path, tmp_path: Path
) -> None:
    templates = TEMPLATES[resave is by_libreoffice_as_ods :]  # without the sheets that are dear to save three times
    originals = [books(template, folder)[template == templates[0]] for template in templates]
    assert [*map(said, resave(originals, tmp_path))] == [*map(said, originals)]


TEACHES = st.text(st.sampled_from(' _x0041\\"é'), max_size=198)


@pytest.mark.thorough
@example(teaches=" " * 198)
@given(teaches=TEACHES)
def test_no_character_is_lost_on_the_way(teaches: str) -> None:
    definition = replace(load(), teaches=f"x{teaches}x")
    properties = to_properties(definition)
    pretty = {name: f"\n    {piece.strip()}\n  " for name, piece in properties.items()}
    spelled = {name: piece.replace('"', "_x0022_") for name, piece in properties.items()}
    cells = [text.strip() for text in to_cells(definition)]
    for found in (from_workbook(pretty, ()), from_workbook(spelled, ()), from_workbook({}, reversed(cells))):
        assert found == definition
