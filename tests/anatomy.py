"""The anatomy of a file: what Excel repairs and other readers stumble over, although the schema allows it."""

from __future__ import annotations

import posixpath
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.etree import ElementTree

from openpyxl.styles.numbers import BUILTIN_FORMATS_REVERSE
from openpyxl.worksheet.cell_range import MultiCellRange

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
FONT = ("b", "i", "strike", "u", "vertAlign", "sz", "color", "name", "family", "charset", "scheme")
BORDER = ["left", "right", "top", "bottom", "diagonal"]
SAYS_STYLE = {"showFirstColumn", "showLastColumn", "showRowStripes", "showColumnStripes"}

MOST_FORMATS = 150
"""Of a file's own number formats; Excel repairs a file that has 200 to 250 of them, depending on its language."""

Parts = Mapping[str, str]
"""The text of every part of a file, by its path."""


def parts(path: Path) -> dict[str, str]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def faults(parts: Parts) -> list[str]:
    """Everything that is wrong with a file, in a word each."""
    look = (_drawings, _relationships, _tables, _styles, _formats)
    content = (_spaces, _numbers, _numerals, _formulas, _ids, _opening)
    return [fault for kind in look + content for fault in kind(parts)]


def _of(parts: Parts, folder: str) -> Iterator[tuple[str, str]]:
    return ((name, text) for name, text in parts.items() if posixpath.dirname(name) == folder)


def _drawings(parts: Parts) -> Iterator[str]:
    for name, text in _of(parts, "xl/drawings"):
        if re.search(r"<(?![?/]|xdr:|a:|c:)", text):
            yield f"{name}: an element without a prefix"
        ids = re.findall(r'<xdr:cNvPr id="(\d+)"', text)
        if len(ids) != len(set(ids)):
            yield f"{name}: two shapes with one number"


def _relationships(parts: Parts) -> Iterator[str]:
    for name, text in parts.items():
        if not name.endswith(".rels"):
            continue
        folder = posixpath.dirname(posixpath.dirname(name))
        ids = re.findall(r' Id="([^"]*)"', text)
        if len(ids) != text.count("<Relationship ") or len(ids) != len(set(ids)):
            yield f"{name}: relationships without a number of their own"
        for target in re.findall(r'Target="([^"]*)"', text):
            if target.startswith("/") or posixpath.normpath(posixpath.join(folder, target)) not in parts:
                yield f"{name}: {target} is not relative, or leads nowhere"


def _tables(parts: Parts) -> Iterator[str]:
    ids: list[str] = []
    for name, text in _of(parts, "xl/tables"):
        table = ElementTree.fromstring(text)
        ids.append(table.attrib["id"])
        style = table.find(f"{MAIN}tableStyleInfo")
        if style is None or not style.attrib.keys() >= SAYS_STYLE:
            yield f"{name}: its style is not said"
        names = [column.attrib["name"] for column in table.iter(f"{MAIN}tableColumn")]
        if len({each.casefold() for each in names}) != len(names):
            yield f"{name}: two columns with one name"
        if _headers(parts, name, table.attrib["ref"]) != names:
            yield f"{name}: the headers are not the names of the columns"
    if len(ids) != len(set(ids)):
        yield "two tables with one number"


def _headers(parts: Parts, table: str, reference: str) -> list[str]:
    """The texts over a table's columns, on the sheet that has it."""
    for name, text in _of(parts, "xl/worksheets/_rels"):
        if f"../tables/{posixpath.basename(table)}" in text:
            sheet = ElementTree.fromstring(parts[f"xl/worksheets/{posixpath.basename(name).removesuffix('.rels')}"])
            first = re.sub("[A-Z:]", " ", reference).split()[0]
            (row,) = (row for row in sheet.iter(f"{MAIN}row") if row.attrib["r"] == first)
            return ["".join(cell.itertext()) for cell in row]
    return []


def _styles(parts: Parts) -> Iterator[str]:
    sheet = ElementTree.fromstring(parts["xl/styles.xml"])
    for border in sheet.iter(f"{MAIN}border"):
        if [side.tag.removeprefix(MAIN) for side in border] != BORDER:
            yield "a border without its five sides"
    for font in sheet.iter(f"{MAIN}font"):
        places = [FONT.index(child.tag.removeprefix(MAIN)) for child in font]
        if places != sorted(places):
            yield "a font in another order"


def _formats(parts: Parts) -> Iterator[str]:
    sheet = ElementTree.fromstring(parts["xl/styles.xml"])
    formats = sheet.find(f"{MAIN}numFmts")
    listed = [] if formats is None else [(each.attrib["numFmtId"], each.attrib["formatCode"]) for each in formats]
    if len(listed) > MOST_FORMATS:
        yield f"{len(listed)} number formats"
    codes = dict(listed)
    if len(codes) != len(listed):
        yield "two number formats with one number"
    for each in sheet.iter(f"{MAIN}numFmt"):
        number, code = each.attrib["numFmtId"], each.attrib["formatCode"]
        if code in BUILTIN_FORMATS_REVERSE and number != str(BUILTIN_FORMATS_REVERSE[code]):
            yield f"{code} is built in"
        if codes.get(number, code) != code:
            yield f"number {number} of a conditional format is another format's"


def _formulas(parts: Parts) -> Iterator[str]:
    for name, text in _of(parts, "xl/worksheets"):
        for formula in re.findall(r'<f t="shared" ref=[^>]*>([^<]*)</f>', text):
            for column, row in re.findall(r"!(\$?)[A-Z]{1,3}(\$?)[0-9]", formula):
                if not (column and row):
                    yield f"{name}: a shared formula refers to another sheet from where it stands: {formula}"
        for formula in re.findall(r"<f[^>]*>([^<]*)</f>", text):
            if re.search(r"[0-9]E[0-9]", formula):
                yield f"{name}: Excel writes the sign of an exponent in {formula}"
            if re.search(r"(?<!\bSUM\()MMULT\(|(?<!\bSUM\()(?<!\bT\()INDEX\(", formula):
                yield f"{name}: Excel would show an @ in {formula}"


def _ids(parts: Parts) -> Iterator[str]:
    for name, text in _of(parts, "xl/worksheets"):
        shared = re.findall(r'<f t="shared" ref=[^>]* si="(\d+)"', text)
        if len(shared) != len(set(shared)):
            yield f"{name}: two shared formulas with one number"
    book = parts["xl/workbook.xml"]
    for what in (r'sheetId="(\d+)"', r'r:id="(\w+)"', r'<sheet name="([^"]*)"', r'<definedName (name="[^"]*"[^>]*)>'):
        found = re.findall(what, book)
        if len(found) != len(set(found)):
            yield f"the workbook has two of one {what}"


def _spaces(parts: Parts) -> Iterator[str]:
    for name, text in _of(parts, "xl/worksheets"):
        for space, content in re.findall(r"<t( xml:space=\"preserve\")?>([^<]*)</t>", text):
            if bool(space) != (content != content.strip()):
                yield f"{name}: xml:space where it is not needed, or not where it is"


def _numbers(parts: Parts) -> Iterator[str]:
    for name, text in _of(parts, "xl/worksheets"):
        for number in re.findall(r"<v>(-0\.0|-?[0-9.]+e-3[0-9]{2})</v>", text):
            if number == "-0.0" or abs(float(number)) < 2.2250738585072014e-308:
                yield f"{name}: {number} is stored"


def _numerals(parts: Parts) -> Iterator[str]:
    """Texts that Excel would mark as numbers in the wrong place, where that is meant."""
    for name, text in _of(parts, "xl/worksheets"):
        numerals = set(re.findall(r'<c r="([A-Z]+\d+)"[^>]*><is><t>-?[0-9.]+(?:E[-+]?\d+)?</t>', text))
        ignored = re.findall('<ignoredError sqref="([^"]*)" numberStoredAsText="1"/>', text)
        if numerals != set(" ".join(ignored).split()):
            yield f"{name}: a green triangle on a number that is meant as a text"


def _opening(parts: Parts) -> Iterator[str]:
    for name, text in _of(parts, "xl/worksheets"):
        changeable = " ".join(re.findall(r'<dataValidation sqref="([^"]*)"', text))
        selected = re.findall('<selection [^>]*activeCell="([^"]*)"', text)
        if selected[-1:] != ["A1"] if not changeable else selected[-1] not in MultiCellRange(changeable):
            yield f"{name}: opens where there is nothing to change"
