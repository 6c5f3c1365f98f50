"""The annotated copy: wrong cells marked, a comment on each mistake, a summary in front, the rest as it was."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import openpyxl
from openpyxl.comments import Comment
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.workbook.workbook import Workbook
from openpyxl.worksheet.properties import PageSetupProperties

from xlbackprop.checker.file.book import Book, relationships
from xlbackprop.checker.file.container import UnreadableError
from xlbackprop.checker.report.findings import Finding, Report, shortened
from xlbackprop.errors import UserError
from xlbackprop.files import atomic_write

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
_LOST = {
    "ctrlProp": "form controls",
    "slicer": "slicers",
    "threadedComment": "comment threads",
    "oleObject": "embedded objects",
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
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # openpyxl names what it drops one by one; _lost says it in words
        try:
            workbook = openpyxl.load_workbook(book.path, keep_links=False)
        except Exception as error:  # openpyxl raises whatever its many parts raise
            raise UserError(f"--annotate: {book.path} cannot be copied: openpyxl does not read it") from error
        for finding in report.findings:
            _mark(workbook, finding)
        try:
            lost = _lost(book)
        except UnreadableError:
            lost = ("drawings that are damaged",)
        _summary(workbook, report, lost)
        with atomic_write(target) as beside:
            workbook.save(beside)
    return lost


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
    comment = Comment(f"{before}{finding.message}\nIt should be: {finding.expected}", _AUTHOR)
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
        rows.append(
            [
                f"{finding.sheet}!{shortened(finding.cells)}",
                finding.quantity,
                finding.message,
                finding.found,
                finding.expected,
            ]
        )
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


def _lost(book: Book) -> tuple[str, ...]:
    """What openpyxl does not carry over."""
    lost: dict[str, None] = {}
    for sheet in book.sheets:
        for kind, part in relationships(book.container, sheet.part).values():
            if kind == "drawing" and part in book.container.names:
                tree = book.container.tree(part)
                shapes = len(tree.all("sp")) + len(tree.all("cxnSp")) + len(tree.all("grpSp"))
                if shapes:
                    lost[f"{shapes} shapes with their text in the drawing on {sheet.name}"] = None
            elif _LOST.get(kind):
                lost[f"{_LOST[kind]} on {sheet.name}"] = None
    if any("externalLink" in name for name in book.container.names):
        lost["links to other workbooks"] = None
    if any(name.endswith("vbaProject.bin") for name in book.container.names):
        lost["macros"] = None
    if book.formulas:
        lost["the stored values of formulas, until a spreadsheet program opens the copy and calculates them"] = None
    return tuple(lost)
