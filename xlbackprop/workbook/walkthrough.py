"""The sheet Walkthrough: the diagram, the derivation in boxes, the loss chart and the table of all iterations."""

from __future__ import annotations

import textwrap

import numpy as np
from openpyxl.cell.cell import Cell
from openpyxl.formatting.rule import Rule
from openpyxl.styles import Alignment, Border, Font, Side
from openpyxl.styles.differential import DifferentialStyle
from openpyxl.styles.numbers import NumberFormat
from openpyxl.workbook.defined_name import DefinedName
from openpyxl.workbook.workbook import Workbook
from openpyxl.worksheet.datavalidation import DataValidation

from xlbackprop.arrangement import COLUMN_WIDTH, Arrangement, PlacedBox, address
from xlbackprop.definition import LARGEST_NUMBER, Definition
from xlbackprop.derivation import Role
from xlbackprop.diagram import TOP_ROW, Arrow, Diagram, Node
from xlbackprop.engine import Trace
from xlbackprop.layout import LEARNING_RATE_COLUMN, Table, column_letter
from xlbackprop.names import ITERATION, LEARNING_RATE
from xlbackprop.workbook import charts, theme
from xlbackprop.workbook.drawing import Point
from xlbackprop.workbook.page import Page, label, tint
from xlbackprop.workbook.writer import Block, BlockColumn

TITLE = "Walkthrough"
HEADERS = {"E_total": "E_tot"}
"""Column headers that the original sheet writes shorter than its text does."""

_NOTE_WIDTH = 190
_CHART_COLUMNS = 9


def walkthrough(workbook: Workbook, definition: Definition, arrangement: Arrangement, trace: Trace) -> Page:
    """Fill the sheet; the trace gives the values that its formulas have."""
    page = Page(workbook, TITLE)
    table = arrangement.table
    page.widths((column_letter(index) for index in range(1, len(table.columns) + 1)), COLUMN_WIDTH)
    _headline(page, definition)
    _diagram(page, arrangement.diagram, table, trace)
    for box in arrangement.boxes:
        _box(page, box)
    _note(page, definition.note, arrangement.note_row)
    _learning_rate(page, workbook, definition, table, trace)
    _table(page, table, trace)
    _chart(page, arrangement, trace)
    _print_setup(page, definition, table)
    return page


def _headline(page: Page, definition: Definition) -> None:
    page.text("A1", definition.title, theme.TITLE)
    page.sheet.row_dimensions[1].height = 24
    page.text("A2", f"{definition.teaches}  Change any number in bold blue: everything else follows.")


def _diagram(page: Page, picture: Diagram, table: Table, trace: Trace) -> None:
    for title in picture.titles:
        cell = page.text(address(TOP_ROW, title.column), title.text, theme.HEADING)
        cell.alignment = Alignment(horizontal="center")
    for node in picture.nodes:
        _node(page, node, table, trace)
    for arrow in picture.arrows:
        _arrow(page, arrow, table)


def _node(page: Page, node: Node, table: Table, trace: Trace) -> None:
    role = table.derivation[node.name].role
    shade = theme.SHADES[role]
    value = float(trace[node.name][0])
    cell = page.formula(
        address(node.row, node.column), table.cell(node.name), value, number_format=f'"{node.name} = "0.0###'
    )
    tint(cell, role)
    side = Side(style="medium", color=shade.dark)
    cell.border = Border(left=side, right=side, top=side, bottom=side)
    cell.font = Font(name=theme.FONT, size=10, bold=True, color=shade.dark)
    cell.alignment = Alignment(horizontal="center", vertical="center", shrink_to_fit=True)


def _arrow(page: Page, arrow: Arrow, table: Table) -> None:
    start, end = arrow.start, arrow.end
    colour = theme.SHADES[table.derivation[end.name].role].dark
    if start.column == end.column:
        falls = start.row < end.row
        points = (
            Point(start.row, start.column, down=float(falls), right=0.5),
            Point(end.row, end.column, down=float(not falls), right=0.5),
        )
    else:
        points = (
            Point(start.row, start.column + 1, down=0.5, right=0.0),
            Point(end.row, end.column, down=0.5, right=0.0),
        )
    page.drawing.connect(*points, page.cell_size(COLUMN_WIDTH), colour, arrow.description)


def _box(page: Page, placed: PlacedBox) -> None:
    page.text(address(placed.row, placed.column), placed.box.title, theme.HEADING)
    for index, line in enumerate(placed.box.lines, 1):
        page.text(address(placed.row + index, placed.column), line)
    edge = Side(style="thin", color=theme.INK)
    for row in range(placed.row, placed.last_row + 1):
        for column in range(placed.column, placed.last_column + 1):
            cell: Cell = page.sheet.cell(row, column)
            cell.border = Border(
                left=edge if column == placed.column else None,
                right=edge if column == placed.last_column else None,
                top=edge if row == placed.row else None,
                bottom=edge if row == placed.last_row else None,
            )
            if row == placed.row:
                cell.fill = theme.solid("E7E6E6")


def _note(page: Page, note: str, row: int) -> None:
    for index, line in enumerate(textwrap.wrap(note, _NOTE_WIDTH)):
        page.text(f"A{row + index}", line).font = Font(name=theme.FONT, size=10, italic=True, color=theme.INK)


def _learning_rate(page: Page, workbook: Workbook, definition: Definition, table: Table, trace: Trace) -> None:
    cell = table.learning_rate_cell.replace("$", "")
    row = table.header_row - 1
    page.text(f"F{row}", f"{LEARNING_RATE} =", theme.HEADING).alignment = Alignment(horizontal="right")
    page.number(cell, definition.learning_rate)
    page.text(f"H{row}", "← the learning rate: try 0.1, 2, 1000")
    last_loss = table.cell(table.derivation.labels.total_loss, table.iterations - 1)
    text = page.text(f"M{row}", f"loss in the last row, {last_loss}:", theme.HEADING)
    text.alignment = Alignment(horizontal="right")
    value = float(trace.values[-1, trace.names.index(table.derivation.labels.total_loss)])
    page.formula(f"N{row}", last_loss, value, theme.RESULT, theme.VALUE_FORMAT)
    workbook.defined_names["eta"] = DefinedName("eta", attr_text=f"{TITLE}!{table.learning_rate_cell}")
    limits = DataValidation(
        type="decimal", operator="between", formula1="0", formula2=f"{LARGEST_NUMBER:.0f}", allow_blank=False
    )
    limits.promptTitle, limits.prompt = "Learning rate η", "How far each update goes along the gradient."
    limits.errorTitle, limits.error = "Learning rate η", f"A number from 0 to {LARGEST_NUMBER:,.0f}, please."
    limits.add(f"{LEARNING_RATE_COLUMN}{row}")
    page.sheet.add_data_validation(limits)


def _table(page: Page, table: Table, trace: Trace) -> None:
    values = np.column_stack(
        [*(trace[name] for name in table.quantities), np.arange(table.iterations, dtype=np.float64)]
    )
    columns = []
    for index, name in enumerate(table.columns):
        role = Role.TARGET if name == ITERATION else table.derivation[name].role
        label(page.text(f"{table.letter(name)}{table.header_row}", HEADERS.get(name, name)), role)
        first = _first_cell(page, table, name, float(values[0, index]))
        following = page.formula(table.cell(name, 1), "0", 0.0, number_format=first.number_format)
        if role is Role.LOSS and name == table.derivation.labels.total_loss:
            following.style = theme.RESULT
            following.number_format = first.number_format
        columns.append(BlockColumn(page.style_number(tint(following, role)), table.formula(name)))
        del page.sheet._cells[following.row, following.column]
    if table.iterations > 1:
        page.block(Block(table.first_row + 1, columns, values[1:]))
    _show_tiny_numbers(page, table)


def _first_cell(page: Page, table: Table, name: str, value: float) -> Cell:
    cell = table.cell(name)
    if name == ITERATION:
        return tint(page.formula(cell, "0", value, number_format=theme.COUNT_FORMAT), Role.TARGET)
    formula = table.first_formula(name)
    if formula is None:
        return page.number(cell, value, number_format=theme.VALUE_FORMAT)
    quantity = table.derivation[name]
    style = theme.RESULT if name == table.derivation.labels.total_loss else theme.CALCULATION
    formula = formula.format(row=table.first_row)
    return tint(page.formula(cell, formula, value, style, theme.VALUE_FORMAT), quantity.role)


def _show_tiny_numbers(page: Page, table: Table) -> None:
    """Numbers that six decimals would show as zero appear in scientific notation."""
    first = f"A{table.first_row}"
    style = DifferentialStyle(numFmt=NumberFormat(numFmtId=200, formatCode=theme.TINY_FORMAT))
    rule = Rule(type="expression", dxf=style, formula=[f"AND({first}<>0,ABS({first})<0.0001)"])
    last = f"{column_letter(len(table.quantities))}{table.last_row}"
    page.sheet.conditional_formatting.add(f"{first}:{last}", rule)


def _chart(page: Page, arrangement: Arrangement, trace: Trace) -> None:
    table = arrangement.table
    total = table.derivation.labels.total_loss
    chart = charts.line_chart(
        "Loss",
        ITERATION,
        total,
        [
            charts.Curve(
                label_reference=f"{TITLE}!${table.letter(total)}${table.header_row}",
                label=HEADERS.get(total, total),
                categories_reference=f"{TITLE}!{table.range(ITERATION)}",
                categories=range(table.iterations),
                values_reference=f"{TITLE}!{table.range(total)}",
                values=trace[total].tolist(),
                colour=theme.SHADES[Role.LOSS].dark,
            )
        ],
    )
    column = arrangement.chart_column + 1
    charts.place(chart, arrangement.chart_row, column, table.header_row - 2, column + _CHART_COLUMNS)
    page.sheet.add_chart(chart)
    page.drawing.describe(chart, f"Line chart of the loss {total} over the iterations of the table below")


def _print_setup(page: Page, definition: Definition, table: Table) -> None:
    sheet = page.sheet
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.paperSize = sheet.PAPERSIZE_A4
    sheet.page_setup.fitToHeight = 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    sheet.print_title_rows = f"{table.header_row}:{table.header_row}"
    sheet.page_margins.left = sheet.page_margins.right = 0.4
    sheet.oddHeader.left.text = definition.title.replace("&", "&&")
    sheet.oddFooter.center.text = "&P / &N"
