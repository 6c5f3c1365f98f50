"""The sheet Walkthrough: the diagram, the derivation in boxes, the loss chart and the table of all iterations."""

from __future__ import annotations

import textwrap

import numpy as np
from openpyxl.workbook.defined_name import DefinedName
from openpyxl.workbook.workbook import Workbook
from openpyxl.worksheet.table import Table as SheetTable
from openpyxl.worksheet.table import TableColumn

from xlbackprop.derivation import Role
from xlbackprop.engine import Trace
from xlbackprop.grid import address, column_letter
from xlbackprop.network import ITERATION, LEARNING_RATE, Definition, short_label
from xlbackprop.walkthrough import (
    COLUMN_WIDTH,
    SETTING_COLUMN,
    TOP_ROW,
    WALKTHROUGH,
    Arrangement,
    Arrow,
    Diagram,
    Lesson,
    PlacedBox,
    Table,
)
from xlbackprop.workbook.panels.run import put_setting
from xlbackprop.workbook.xlsx import charts, theme
from xlbackprop.workbook.xlsx.drawing import Point
from xlbackprop.workbook.xlsx.page import Page
from xlbackprop.workbook.xlsx.rows import Block, BlockColumn
from xlbackprop.workbook.xlsx.theme import Look

_NOTE_WIDTH = 190
_CHART_COLUMNS = 8


def walkthrough(workbook: Workbook, lesson: Lesson) -> Page:
    """Fill the sheet; the trace gives the values that its formulas have."""
    definition, arrangement, trace = lesson.definition, lesson.arrangement, lesson.trace
    page = Page(workbook, WALKTHROUGH)
    table = arrangement.table
    page.widths((column_letter(index) for index in range(1, len(table.columns) + 1)), COLUMN_WIDTH)
    _headline(page, definition, table)
    _diagram(page, arrangement.diagram, table, trace)
    for box in arrangement.boxes:
        _box(page, box)
    _note(page, definition.note, arrangement.note_row)
    _settings(page, workbook, table)
    _last_loss(page, table, trace)
    _table(page, table, trace)
    _chart(page, arrangement, trace)
    page.print_setup(definition.title, f"{table.header_row}:{table.header_row}")
    return page


def _headline(page: Page, definition: Definition, table: Table) -> None:
    page.text("A1", definition.title, Look(theme.TITLE))
    page.sheet.row_dimensions[1].height = 24
    page.text("A2", f"{definition.teaches}  Change any number in bold blue: everything else follows.")
    page.link("A3", f"↓ to the table, row {table.header_row}", WALKTHROUGH, f"A{table.header_row}")
    page.link(f"A{table.header_row - 1}", "↑ to the network", WALKTHROUGH, "A1")


def _diagram(page: Page, picture: Diagram, table: Table, trace: Trace) -> None:
    for title in picture.titles:
        look = Look(theme.HEADING, align=title.align, indent=int(title.align == "left"))
        page.text(address(TOP_ROW, title.column), title.text, look)
    for node in picture.nodes:
        look = Look(theme.NODE, table.derivation[node.name].role, number_format=_node_format(node.name))
        value = float(trace[node.name][0])
        page.formula(address(node.row, node.column), table.cell(node.name), value, look)
    for arrow in picture.arrows:
        _arrow(page, arrow, table)


def _node_format(name: str) -> str:
    """The number format that shows a number with its name; without a part of its own a minus sign comes before both."""
    label = short_label(name)
    return f'"{label} = "0.0###;"{label} = −"0.0###'


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
    rows = range(placed.row, placed.last_row + 1)
    columns = range(placed.column, placed.last_column + 1)
    for row, line in zip(rows, (placed.box.title, *placed.box.lines), strict=True):
        for column in columns:
            sides = {"l": column == columns[0], "r": column == columns[-1], "t": row == rows[0], "b": row == rows[-1]}
            edges = "".join(side for side, there in sides.items() if there)
            style = theme.HEADING if row == rows[0] else theme.TEXT
            look = Look(style, align="left", indent=int(column == columns[0]), edges=edges, shaded=row == rows[0])
            if column == columns[0]:
                page.text(address(row, column), line, look)
            else:
                page.blank(address(row, column), look)


def _note(page: Page, note: str, row: int) -> None:
    for index, line in enumerate(textwrap.wrap(note, _NOTE_WIDTH)):
        page.text(f"A{row + index}", line, Look(theme.NOTE))


def _settings(page: Page, workbook: Workbook, table: Table) -> None:
    """The learning rate just above the table, over it the other numbers that the training is set by."""
    for name, setting in table.derivation.settings.items():
        cell = table.setting_cell(name).replace("$", "")
        row = cell.removeprefix(SETTING_COLUMN)
        page.text(f"F{row}", f"{name} =", Look(theme.HEADING, align="right"))
        put_setting(page, cell, setting)
        hint = "the learning rate: try 0.1, 2, 1000" if name == LEARNING_RATE else setting.sentence
        page.text(f"H{row}", f"← {hint}")
    workbook.defined_names["eta"] = DefinedName("eta", attr_text=f"{WALKTHROUGH}!{table.learning_rate_cell}")


def _last_loss(page: Page, table: Table, trace: Trace) -> None:
    row, shown = table.header_row - 1, table.derivation.loss_shown
    cell = table.cell(shown, table.iterations - 1)
    page.text(f"M{row}", f"loss in the last row, {cell}:", Look(theme.HEADING, align="right"))
    page.formula(f"N{row}", cell, float(trace[shown][-1]), Look(theme.RESULT, number_format=theme.VALUE_FORMAT))


def _table(page: Page, table: Table, trace: Trace) -> None:
    columns = []
    for name in table.columns:
        values = np.arange(float(table.iterations)) if name == ITERATION else trace[name]
        value = float(values[0])
        look = _number_look(table, name)
        page.text(f"{table.letter(name)}{table.header_row}", short_label(name), Look(theme.LABEL, look.role))
        formula = table.first_formula(name)
        if formula is None:
            page.number(table.cell(name), value, Look(theme.INPUT, number_format=theme.VALUE_FORMAT))
        else:
            page.formula(table.cell(name), formula.format(row=table.first_row), value, look)
        columns.append(BlockColumn(page.style_number(look), table.formula(name), values[1:]))
    if table.iterations > 1:
        page.block(Block(table.first_row + 1, columns))
    _name_columns(page, table)
    page.show_tiny_numbers(f"A{table.first_row}:{column_letter(len(table.quantities))}{table.last_row}")


def _name_columns(page: Page, table: Table) -> None:
    """Make the cells a table in Excel's sense: it shows the headers as column letters to who scrolls past them."""
    cells = f"A{table.header_row}:{column_letter(len(table.columns))}{table.last_row}"
    columns = [TableColumn(id=index, name=short_label(name)) for index, name in enumerate(table.columns, 1)]
    page.sheet.add_table(SheetTable(displayName="iterations", ref=cells, tableColumns=columns))


def _number_look(table: Table, name: str) -> Look:
    role = Role.ORDER if name == ITERATION else table.derivation[name].role
    if role is Role.ORDER:
        return Look(theme.CALCULATION, role, theme.COUNT_FORMAT)
    style = theme.RESULT if name == table.derivation.loss_shown else theme.CALCULATION
    return Look(style, role, theme.VALUE_FORMAT)


def _chart(page: Page, arrangement: Arrangement, trace: Trace) -> None:
    table = arrangement.table
    total = table.derivation.loss_shown
    chart = charts.line_chart(
        "Loss",
        ITERATION,
        total,
        [
            charts.Curve(
                label_reference=f"{WALKTHROUGH}!${table.letter(total)}${table.header_row}",
                label=short_label(total),
                categories_reference=table.range(ITERATION),
                categories=range(table.iterations),
                values_reference=table.range(total),
                values=trace[total].tolist(),
                colour=theme.SHADES[Role.LOSS].dark,
            )
        ],
    )
    column = arrangement.chart_column + 1
    charts.place(chart, arrangement.chart_row, column, arrangement.chart_last_row, column + _CHART_COLUMNS)
    page.sheet.add_chart(chart)
    page.drawing.describe(chart, f"Line chart of the loss {total} over the iterations of the table below")
