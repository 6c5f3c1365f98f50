"""The annotated copy: wrong cells marked, a comment on each mistake, a summary in front, the rest as it was."""

from __future__ import annotations

import io
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import openpyxl
from openpyxl.comments import Comment
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.workbook.workbook import Workbook
from openpyxl.worksheet.properties import PageSetupProperties

from xlbackprop.checker.file.book import Book, main_part, relationships
from xlbackprop.checker.file.container import Container, UnreadableError
from xlbackprop.checker.report.findings import Finding, Report, shortened
from xlbackprop.ground.errors import UserError, count
from xlbackprop.ground.files import atomic_write
from xlbackprop.ground.grid import column_number

_MARK = PatternFill("solid", fgColor="FFC7CE")
_LINE = Side("mediumDashed", color="C00000")
_FRAME = Border(left=_LINE, right=_LINE, top=_LINE, bottom=_LINE)
"""Seen on a black-and-white print too."""
_AUTHOR = "xlbackprop check"
_TITLE = "Check"
_COLUMNS = (("cells", 26), ("quantity", 16), ("what is wrong", 60), ("there stands", 44), ("there belongs", 44))
_LINE_HEIGHT = 15
"""Points."""
_TOP = Alignment(vertical="top")
_TOP_WRAPPED = Alignment(vertical="top", wrap_text=True)
_COMMENT_SIZE = (360, 150)
"""Pixels: enough for the words of a mistake."""
_MOST_MERGED = 1_000_000
_MERGED = re.compile(rb"""<(?:\w+:)?mergeCell\b[^<>]*\bref=["']([^"']*)""")
_CORNER = re.compile(r"\$?([A-Za-z]{1,3})\$?(\d{1,7})")

_KEPT = {
    *("officeDocument", "worksheet", "chartsheet", "styles", "theme", "sharedStrings", "calcChain", "sheetMetadata"),
    *("hyperlink", "table", "comments", "vmlDrawing", "drawing", "pivotTable", "pivotCacheDefinition"),
}
"""The kinds of parts that openpyxl carries over, and those whose absence nobody sees."""
_LOST = {
    "control": "form controls",
    "ctrlProp": "form controls",
    "slicer": "slicers",
    "slicerCache": "slicers",
    "timeline": "timelines",
    "threadedComment": "comment threads",
    "person": "the names of those who comment",
    "oleObject": "embedded objects",
    "package": "embedded objects",
    "image": "a picture behind the cells",
    "printerSettings": "the settings of the printer",
    "externalLink": "links to other workbooks",
    "vbaProject": "macros",
    "attachedToolbars": "toolbars",
    "dialogsheet": "a dialogue sheet",
    "macrosheet": "a macro sheet",
    "xlMacrosheet": "a macro sheet",
    "connections": "connections to data elsewhere",
    "queryTable": "connections to data elsewhere",
    "customXml": "hidden data of other programs",
    "customProperty": "hidden data of other programs",
    "damaged": "parts that are damaged",
}
_LOST_ELEMENTS = {
    b"extLst": "what newer programs add to a sheet (sparklines, icons, bars, lists from other sheets)",
    b"customSheetViews": "views that were saved",
    b"legacyDrawingHF": "pictures in the header or footer",
}


def annotate(book: Book, report: Report, target: Path) -> tuple[str, ...]:
    """Write a copy of a workbook with its mistakes marked.

    Args:
        book: the workbook.
        report: what was found in it.
        target: the file to write, `.xlsx`; never the workbook itself.

    Returns:
        What could not be kept, in words.

    Raises:
        UserError: the copy cannot be written.
    """
    if book.container.kind != "xlsx":
        raise UserError(f"{book.path} cannot be copied with its mistakes marked: only an .xlsx workbook can")
    _refuse_large_merges(book)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # openpyxl names what it drops one by one; _lost says it in words
        try:
            workbook = openpyxl.load_workbook(io.BytesIO(book.container.data), keep_links=False, rich_text=True)
        except MemoryError:
            raise
        except Exception as error:  # openpyxl raises whatever its many parts raise
            raise UserError(f"{book.path} cannot be copied: openpyxl does not read it") from error
        lost = _lost(book, workbook)
        for finding in report.findings:
            _mark(workbook, finding)
        _summary(workbook, report, lost)
        with atomic_write(target) as temporary:
            workbook.save(temporary)
    return lost


def _refuse_large_merges(book: Book) -> None:
    """openpyxl makes every cell of a merged range, and there may be 17,000 million of them."""
    for sheet in book.sheets:
        cells = 0
        for reference in _MERGED.findall(book.container.read(sheet.part)):
            corners = [_CORNER.fullmatch(corner) for corner in reference.decode("utf-8", "replace").split(":")]
            (left, top), (right, bottom) = [
                (column_number(corner[1]), int(corner[2])) if corner else (1, 1) for corner in (corners[0], corners[-1])
            ]
            cells += (abs(right - left) + 1) * (abs(bottom - top) + 1)
        if cells > _MOST_MERGED:
            raise UserError(f"{book.path} cannot be copied: {cells:,} cells are merged on its sheet {sheet.name}")


def _mark(workbook: Workbook, finding: Finding) -> None:
    sheet = workbook[finding.sheet]
    for block in finding.cells:
        rows: Any = sheet[block]
        cells = [cell for row in rows for cell in row] if ":" in block else [rows]
        for cell in cells:
            cell.fill = _MARK
            cell.border = _FRAME
    first = sheet[finding.cells[0].partition(":")[0]]
    before = f"{first.comment.text}\n\n" if first.comment else ""
    expected = f"\nIt should be: {finding.expected}" if finding.expected else ""
    comment = Comment(f"{before}{finding.message}{expected}", _AUTHOR)
    comment.width, comment.height = _COMMENT_SIZE
    first.comment = comment


def _summary(workbook: Workbook, report: Report, lost: Sequence[str]) -> None:
    title = _TITLE
    while title in workbook.sheetnames:
        title += "."
    sheet = workbook.create_sheet(title, 0)
    workbook.active = 0
    for other in workbook.worksheets[1:]:
        other.sheet_view.tabSelected = False
    rows: list[list[str]] = [[report.message], [], [name for name, _ in _COLUMNS]]
    for finding in report.findings:
        where = f"{finding.sheet}!{shortened(finding.cells)}"
        rows.append([where, finding.quantity, finding.message, finding.found, finding.expected])
    if report.notes:
        rows += [[], ["notes", "about", "what is worth knowing beside the mistakes"]]
    for note in report.notes:
        where = "!".join(filter(None, (note.sheet, shortened(note.cells))))
        rows.append([where, note.kind.replace("_", " "), note.message])
    if lost:
        rows += [[], ["Not kept in this copy"], *[[each] for each in lost]]
    wrapped = [row for row in rows if len(row) > 2]
    for number, row in enumerate(rows, 1):
        for column, text in enumerate(row, 1):
            cell = sheet.cell(number, column)
            cell.value = text
            cell.data_type = "s"  # nobody's text becomes a formula
            cell.quotePrefix = text.startswith(("=", "+", "-", "@"))
            cell.alignment = _TOP_WRAPPED if row in wrapped else _TOP
        if row in wrapped:
            lines = max(-(-len(text) // width) for text, (_, width) in zip(row, _COLUMNS, strict=False))
            sheet.row_dimensions[number].height = _LINE_HEIGHT * max(1, lines)
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.fitToHeight = 0
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    sheet.merge_cells(start_row=1, end_row=1, start_column=1, end_column=len(_COLUMNS))
    sheet["A1"].alignment = _TOP_WRAPPED
    sheet.row_dimensions[1].height = 42
    for (_, width), letter in zip(_COLUMNS, "ABCDE", strict=True):
        sheet.column_dimensions[letter].width = width
    sheet["A1"].font = Font(bold=True, size=14)
    for cell in sheet[3]:
        cell.font = Font(bold=True)
    for finding, number in zip(report.findings, range(4, 4 + len(report.findings)), strict=True):
        cell = sheet.cell(number, 1)
        address = finding.cells[0].partition(":")[0]
        quoted = finding.sheet.replace("'", "''")
        cell.hyperlink = f"#'{quoted}'!{address}"
        cell.fill, cell.alignment = _MARK, _TOP_WRAPPED


def _lost(book: Book, workbook: Workbook) -> tuple[str, ...]:
    """What openpyxl does not carry over."""
    container = book.container
    lost: dict[str, None] = {}
    calculates = False
    for sheet in book.sheets:
        where = f"on {sheet.name}"
        copied = workbook[sheet.name]
        for kind, part in _related(container, sheet.part):
            if kind == "drawing":
                lost |= dict.fromkeys(f"{what} {where}" for what in _lost_of_drawing(container, part, copied))
            elif kind not in _KEPT:
                lost[f"{_LOST.get(kind, f'what another program has added ({kind})')} {where}"] = None
        content = container.read(sheet.part)
        calculates |= re.search(rb"<(?:\w+:)?f\b", content) is not None
        for tag, what in _LOST_ELEMENTS.items():
            if re.search(rb"<(?:\w+:)?" + tag + rb"\b", content):
                lost[f"{what} {where}"] = None
    for kind, _ in _related(container, main_part(container)):
        if kind not in _KEPT:
            lost[_LOST.get(kind, f"what another program has added ({kind})")] = None
    if calculates:
        lost["the stored values of formulas, until a spreadsheet program opens the copy and calculates them"] = None
    return tuple(lost)


def _related(container: Container, part: str) -> list[tuple[str, str]]:
    try:
        return list(relationships(container, part).values())
    except UnreadableError:
        return [("damaged", "")]


def _lost_of_drawing(container: Container, part: str, copied: Any) -> Iterator[str]:
    """What openpyxl leaves out of a drawing, by what it has found there."""
    try:
        tree = container.tree(part)
    except UnreadableError:
        yield "a drawing that is damaged"
        return
    counts = Counter(element.tag for tag in _DRAWN for element in tree.all(tag))
    if shapes := counts["sp"] + counts["cxnSp"] + counts["grpSp"]:
        yield f"{count(shapes, 'shape')} with their text in the drawing"
    if (pictures := counts["pic"] - len(copied._images)) > 0:
        yield count(pictures, "picture")
    if (charts := counts["graphicFrame"] - len(copied._charts)) > 0:
        yield f"{count(charts, 'chart or diagram', 'charts or diagrams')}"
    if counts["AlternateContent"]:
        yield "what newer programs have drawn"
    charts_of = (chart for kind, chart in _related(container, part) if kind == "chart")
    if any(kind in _LOOKS_OF_A_CHART for chart in charts_of for kind, _ in _related(container, chart)):
        yield "some of the looks of charts"


_DRAWN = ("sp", "cxnSp", "grpSp", "pic", "graphicFrame", "AlternateContent")
_LOOKS_OF_A_CHART = ("chartStyle", "chartColorStyle", "chartUserShapes")
