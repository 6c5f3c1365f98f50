"""Workbooks that another program has saved: `check` says of them what it says of the original."""

from __future__ import annotations

import re
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests import judges
from tests.anatomy import parts
from xlbackprop import build, check, load
from xlbackprop.network.embedded import from_workbook, to_cells, to_properties

TEMPLATES = ("classic", "mazur-biases", "and-or")
CUSTOM = "docProps/custom.xml"


def rewritten(path: Path, folder: Path, change: Callable[[str, str], str | None]) -> Path:
    """A copy in which every part is what a change makes of its name and text; None leaves it out."""
    copy = folder / "resaved.xlsx"
    with zipfile.ZipFile(copy, "w", zipfile.ZIP_DEFLATED) as archive:
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


def by_gnumeric(path: Path, folder: Path) -> Path:
    command = [
        judges.installed("ssconvert"),
        "--export-type=Gnumeric_Excel:xlsx2",
        str(path),
        str(folder / "resaved.xlsx"),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return folder / "resaved.xlsx"


def by_libreoffice(path: Path, folder: Path) -> Path:
    return _through_libreoffice(path, folder, "xlsx")


def by_libreoffice_as_ods(path: Path, folder: Path) -> Path:
    return _through_libreoffice(_through_libreoffice(path, folder, "ods"), folder, "xlsx")


def _through_libreoffice(path: Path, folder: Path, form: str) -> Path:
    target = folder / form
    profile = f"-env:UserInstallation={(folder / 'profile').as_uri()}"
    command = [
        judges.installed("soffice"),
        profile,
        "--headless",
        "--convert-to",
        form,
        "--outdir",
        str(target),
        str(path),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=240)
    return target / f"{path.stem}.{form}"


IN_PYTHON = (like_sheetjs, like_gnumeric, like_google, by_openpyxl)
PROGRAMS = (by_gnumeric, by_libreoffice, by_libreoffice_as_ods)


def said(path: Path) -> tuple[str, str, list[tuple[str, tuple[str, ...], str]]]:
    """What `check` says of a workbook, but for its notes."""
    report = check(path)
    return report.status, report.message, [(each.kind, each.cells, each.message) for each in report.findings]


@pytest.fixture(scope="module", params=TEMPLATES)
def original(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(load(request.param, iterations=12), tmp_path_factory.mktemp("original") / "book.xlsx")


@pytest.mark.thorough
@pytest.mark.parametrize("resave", IN_PYTHON)
def test_a_resaved_workbook_is_judged_like_the_original(
    resave: Callable[[Path, Path], Path], original: Path, tmp_path: Path
) -> None:
    assert said(original)[0] == "ok"
    assert said(resave(original, tmp_path)) == said(original)


@pytest.mark.slow
@pytest.mark.parametrize("resave", PROGRAMS)
def test_a_workbook_that_a_program_saved_is_judged_like_the_original(
    resave: Callable[[Path, Path], Path], original: Path, tmp_path: Path
) -> None:
    assert said(resave(original, tmp_path)) == said(original)


@pytest.mark.thorough
@pytest.mark.parametrize("resave", IN_PYTHON)
def test_a_mistake_is_the_same_mistake_after_saving(resave: Callable[[Path, Path], Path], tmp_path: Path) -> None:
    right = build(load(iterations=12), tmp_path / "book.xlsx", sheets=["walkthrough"])
    book = openpyxl.load_workbook(right)
    book["Walkthrough"]["Z36"] = "=((R36-A36)*R36*(1-R36)*N36+(T36-B36)*T36*(1-T36)*P36)*J36*(1-J36)*C36"
    wrong = tmp_path / "wrong.xlsx"
    book.save(wrong)
    assert said(wrong)[0] == "mistakes"
    (tmp_path / "again").mkdir()
    assert said(resave(wrong, tmp_path / "again")) == said(wrong)


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
