"""`check` of OpenDocument spreadsheets and of delimited text: the same verdicts as on the workbook itself."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import openpyxl
import pytest

from tests import handmade
from tests.reports import check
from tests.test_check_layouts import RULES, matrices
from xlbackprop import load
from xlbackprop.checker.file.opendocument import in_our_notation
from xlbackprop.engine import train

_REFERENCE = re.compile(r"(?:('[^']+'|\w+)!)?(\$?[A-Z]{1,3}\$?\d+)(?::(\$?[A-Z]{1,3}\$?\d+))?")
_SPACES = " ".join(
    f'xmlns:{prefix}="urn:oasis:names:tc:opendocument:xmlns:{prefix}:1.0"' for prefix in ("office", "table", "text")
)
MIMETYPE = "application/vnd.oasis.opendocument.spreadsheet"


def opendocument(source: Path, target: Path) -> Path:
    """A workbook as an OpenDocument spreadsheet without a stored value, empty cells and rows as repeated ones."""
    tables = []
    for ws in openpyxl.load_workbook(source):
        rows = []
        for line in ws.iter_rows():
            cells = "".join(_cell(cell.value) for cell in line)
            rows.append(f"<table:table-row>{cells}</table:table-row>")
        rows.append('<table:table-row table:number-rows-repeated="1048000"><table:table-cell/></table:table-row>')
        tables.append(f"<table:table table:name={quoteattr(ws.title)}>{''.join(rows)}</table:table>")
    return zipped(target, "".join(tables))


def _cell(value: object) -> str:
    if value is None:
        return '<table:table-cell table:number-columns-repeated="1"/>'
    if hasattr(value, "ref"):
        (left, top), (right, bottom) = (re.fullmatch(r"([A-Z]+)(\d+)", end).groups() for end in value.ref.split(":"))  # type: ignore[union-attr]
        down, across = int(bottom) - int(top) + 1, ord(right) - ord(left) + 1
        spans = f'table:number-matrix-rows-spanned="{down}" table:number-matrix-columns-spanned="{across}"'
        return f"<table:table-cell table:formula={quoteattr(_formula(value.text))} {spans}/>"  # type: ignore[attr-defined]
    if isinstance(value, str) and value.startswith("="):
        return f"<table:table-cell table:formula={quoteattr(_formula(value))}/>"
    if isinstance(value, str):
        text = f"<text:p>{escape(value)}</text:p>"
        return f'<table:table-cell office:value-type="string">{text}</table:table-cell>'
    return f'<table:table-cell office:value-type="float" office:value="{value}"/>'


def _formula(text: str) -> str:
    def reference(match: re.Match[str]) -> str:
        sheet, first, last = match.groups()
        return f"[{f'${sheet}' if sheet else ''}.{first}{f':.{last}' if last else ''}]"

    return "of:" + _REFERENCE.sub(reference, text.replace(",", ";"))


def zipped(target: Path, tables: str, *, before: str = "", more: str = "") -> Path:
    """An OpenDocument file with this content."""
    body = f"<office:body><office:spreadsheet>{tables}</office:spreadsheet></office:body>"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("mimetype", MIMETYPE)
        file.writestr("META-INF/manifest.xml", f"<manifest>{more}</manifest>")
        content = f"<office:document-content {_SPACES}>{body}</office:document-content>"
        file.writestr("content.xml", f'<?xml version="1.0" encoding="UTF-8"?>{before}{content}')
    return target


WRONG = RULES["P:Q"].partition("*(1-")[0]
BOOKS: dict[str, Callable[[Path], Path]] = {
    "a right class table": lambda path: handmade.write(path, rows=5),
    "a slip": lambda path: handmade.write(path, {"∂E/∂w3": "=([a_o1]-[t1])*[w6]*[a_h1]*(1-[a_h1])*[i1]"}, rows=5),
    "a sheet with a space": lambda path: handmade.write(
        path, {"w1": "=[w1-]+'My sheet'!$G$31*[∂E/∂w1-]"}, sheet="My sheet"
    ),
    "right matrices": matrices,
    "wrong matrices": lambda path: matrices(path, {"P:Q": WRONG}),
}


@pytest.mark.thorough
@pytest.mark.parametrize("name", BOOKS)
def test_an_opendocument_spreadsheet_gets_the_report_of_the_workbook(name: str, tmp_path: Path) -> None:
    source = BOOKS[name](tmp_path / "book.xlsx")
    report, other = check(source), check(opendocument(source, tmp_path / "book.ods"))
    assert (other.status, other.findings, other.judged) == (report.status, report.findings, report.judged)


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        ("of:=SUM([.A1:.B3];2)", "SUM(A1:B3,2)"),
        ("of:=[$Sheet1.A$1]*[$'a b'.$C2]", "Sheet1!A$1*'a b'!$C2"),
        ("of:=[$'it''s; [x]'.A1:.A2]", "'it''s; [x]'!A1:A2"),
        ('of:=IF([.A1]>0;";";"a[.B1]")', 'IF(A1>0,";","a[.B1]")'),
        ("of:=[.#REF!]+1", "#REF!+1"),
        ("msoxl:=A1+B1", "A1+B1"),
        ("of:=COM.MICROSOFT.NORM.S.DIST([.A1];TRUE())", "NORM.S.DIST(A1,TRUE())"),
    ],
)
def test_formulas_of_opendocument_in_our_notation(text: str, ours: str) -> None:
    assert in_our_notation(text) == ours


CELL = '<table:table-cell office:value-type="float" office:value="1"/>'
HOSTILE: dict[str, tuple[str, str, str, str]] = {
    "entities": ("", '<!DOCTYPE a [<!ENTITY b "bb">]>', "", "document type"),
    "a password": ("", "", "<manifest:encryption-data/>", "encrypted"),
    "no sheets": ("", "", "", "no sheet"),
    "more cells than are read": (
        '<table:table table:name="a"><table:table-row table:number-rows-repeated="1048576">'
        + CELL.replace("/>", ' table:number-columns-repeated="16384"/>')
        + "</table:table-row></table:table>",
        "",
        "",
        "more than 3,000,000 cells",
    ),
    "a zip bomb": ('<table:table table:name="a">' + " " * (20 << 20) + "</table:table>", "", "", "zip bomb"),
    "broken XML": ("<table:table>", "", "", "not well-formed"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_opendocument_file_is_refused(what: str, tmp_path: Path) -> None:
    tables, before, more, words = HOSTILE[what]
    report = check(zipped(tmp_path / "hostile.ods", tables, before=before, more=more))
    assert (report.status, words in report.message) == ("unreadable", True), report.message


def test_a_text_document_is_no_spreadsheet(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "text.odt", "w") as file:
        file.writestr("mimetype", "application/vnd.oasis.opendocument.text")
    assert "no spreadsheet" in check(tmp_path / "text.odt").message


def delimited(
    path: Path, delimiter: str, comma: str, encoding: str, changed: tuple[int, str, str] | None = None
) -> Path:
    """The class table as numbers."""
    trace = train(load("classic", iterations=6))
    lines = [delimiter.join(["learning rate", "1"]), "", delimiter.join(handmade.CLASSIC)]
    for row in range(6):
        numbers = {name: f"{float(trace[name][row]):.10g}".replace(".", comma) for name in handmade.CLASSIC}
        if changed is not None and changed[0] == row:
            numbers[changed[1]] = changed[2]
        lines.append(delimiter.join(numbers[name] for name in handmade.CLASSIC))
    path.write_bytes("\r\n".join(lines).encode(encoding))
    return path


@pytest.mark.parametrize(
    ("delimiter", "comma", "encoding"),
    [(",", ".", "utf-8"), (";", ",", "utf-8-sig"), ("\t", ".", "utf-16"), (";", ".", "utf-8"), ("|", ",", "utf-8")],
)
def test_a_text_of_numbers_is_judged_as_pasted_numbers(
    delimiter: str, comma: str, encoding: str, tmp_path: Path
) -> None:
    report = check(delimited(tmp_path / "table.csv", delimiter, comma, encoding))
    assert (report.status, report.findings) == ("ok", ())
    wrong = check(delimited(tmp_path / "wrong.csv", delimiter, comma, encoding, (2, "E_total", "9")))
    assert [finding.cells for finding in wrong.findings] == [("W6",)]


@pytest.mark.parametrize("content", ["", "1e309", "nan", "1_0", "\u0663", "-", "#N/A"])
def test_what_is_no_number_among_pasted_ones_is_told(content: str, tmp_path: Path) -> None:
    wrong = check(delimited(tmp_path / "wrong.csv", ",", ".", "utf-8", (2, "a_h1", content)))
    assert [finding.cells for finding in wrong.findings] == [("J6",)]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"a,b\n\x00\x00", "no iteration table"),
        (b'"never closed', "no iteration table"),
        (b'"' + b"x" * 200_000, "damaged"),
        (b"=A1+B1,=cmd\n1,2\n", "no iteration table"),
        (b"\xff\xfe\x00", "text"),
    ],
)
def test_any_text_gets_an_answer(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "any.csv"
    path.write_bytes(content)
    assert words in check(path).message
