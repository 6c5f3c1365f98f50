"""The sheet Walkthrough: the diagram, the derivation in boxes, the loss chart and the table of all iterations."""

from __future__ import annotations

import math
import textwrap
from itertools import count

import numpy as np

from xlbackprop.derivation import Role
from xlbackprop.engine import Trace
from xlbackprop.ground.grid import address, column_letter, cut
from xlbackprop.network import ITERATION, LARGEST_NUMBER, LEARNING_RATE, WALKTHROUGH, Definition, short_label
from xlbackprop.symbols import few_decimals, few_decimals_formula, short, short_formula
from xlbackprop.walkthrough import (
    COLUMN_WIDTH,
    DATA,
    SCREEN,
    SETTING_COLUMN,
    TOP_ROW,
    Arrangement,
    Arrow,
    Diagram,
    Lesson,
    PlacedBox,
    Table,
)
from xlbackprop.workbook.panels.run import put_setting
from xlbackprop.workbook.panels.working import as_joined
from xlbackprop.workbook.xlsx import charts, theme
from xlbackprop.workbook.xlsx.drawing import Point
from xlbackprop.workbook.xlsx.page import SCREEN_HEIGHT, SCREEN_WIDTH, Page
from xlbackprop.workbook.xlsx.theme import Look

_MOST_NODE_FORMATS = 100
"""Each node that is a number takes a format for its name, of which Excel takes 200 in a file before it "repairs" it;
in larger networks all nodes are texts."""
_NOTE_WIDTH = 115
"""Characters; a longer note is written in longer lines."""
_NOTE_CHARACTERS_A_COLUMN = 15.5
_CHART_COLUMNS, _LEAST_CHART_COLUMNS = 8, 4
_SURELY_SEEN = 14
"""Columns on a screen of 1366 pixels, in whatever font; a chart on it ends there, if it is then wide enough."""
_NEXT_TO_RATE, _SMALL_CHART_COLUMNS = 8, 7
"""The small chart begins right of η, and ends where the columns of a screen of 1366 pixels do."""
_ZOOM = 75
"""Percent, at which a screen shows network, boxes, η and the small chart."""
_FROZEN_ROWS = 3
_LINK_COLUMN = 10
"""The links stand right of the title, which never runs under them."""
_TEACHING_CHARACTERS = 160
"""Of what it teaches, beside what to do, on a screen."""
_FREE_HEIGHT = 30.0
"""Points: four such rows are high enough for a curve."""


def walkthrough(page: Page, lesson: Lesson) -> None:
    """Fill the sheet; the trace gives the values that its formulas have."""
    definition, arrangement, trace = lesson.definition, lesson.arrangement, lesson.trace
    table = arrangement.table
    chart_column = arrangement.chart_column + 1 + _CHART_COLUMNS
    page.widths(map(column_letter, range(1, max(len(table.columns), chart_column) + 1)), COLUMN_WIDTH)
    _headline(page, definition, table)
    _heads_in_sight(page, table)
    put_diagram(page, arrangement.diagram, table, trace, TOP_ROW)
    for box in arrangement.boxes:
        put_box(page, box)
    note_columns = _note(page, definition.note, arrangement)
    _settings(page, lesson)
    _last_loss(page, lesson)
    _table(page, table, trace, definition.target_range)
    _charts(page, lesson, max(_NEXT_TO_RATE, note_columns + 1))
    page.zoom(_zoom(page, arrangement))
    network = arrangement.diagram  # the boxes are arranged for paper on the sheet Handout
    heads = f"{table.header_row}:{table.header_row}"  # for who prints the table as well
    area = f"A{TOP_ROW}:{address(network.last_row, network.last_column)}"
    page.handout(definition.title, area, heads, network.layers)


def _zoom(page: Page, arrangement: Arrangement) -> float:
    """How large network, η and the small chart are seen at once, and the boxes with them if they can be read then."""
    zoom = min(_ZOOM, 100 * SCREEN_HEIGHT / page.top(arrangement.table.settings_row + 2))
    return min(zoom, 100 * SCREEN_WIDTH / (COLUMN_WIDTH * width)) if (width := arrangement.width) <= SCREEN else zoom


def _headline(page: Page, definition: Definition, table: Table) -> None:
    page.headline("A1", definition.title, (_LINK_COLUMN - 1) * COLUMN_WIDTH)
    page.height(1, 24)
    teaches = cut(definition.teaches, _TEACHING_CHARACTERS)
    page.text("A2", f"{teaches}  Change any number in bold blue: everything else follows.")
    words = f"↓ to the table: heads as in row {_FROZEN_ROWS}, iteration 0 in row {table.first_row}"
    page.link(address(1, _LINK_COLUMN), "↑ to the network", WALKTHROUGH, f"A{_FROZEN_ROWS + 1}")
    page.link(address(1, _LINK_COLUMN + 2), words, WALKTHROUGH, f"A{table.header_row}")


def _heads_in_sight(page: Page, table: Table) -> None:
    """Say over the network, where it stays in sight, what stands in the columns of the table far below."""
    for name in table.columns:
        look = Look(theme.LABEL, number_look(table, name).role)
        page.text(f"{table.letter(name)}{_FROZEN_ROWS}", short_label(name), look)
    # where there are several samples, the first column is the number of the iteration
    page.freeze(f"{'A' if table.derivation.samples == 1 else 'B'}{_FROZEN_ROWS + 1}")


def put_diagram(page: Page, picture: Diagram, table: Table, trace: Trace, row: int) -> None:
    """Draw the network with its numbers in the first iteration, and its headings in a row."""
    for title in picture.titles:
        look = Look(theme.HEADING, align=title.align, indent=int(title.align == "left"))
        page.text(address(row, title.column), title.text, look)
    has_formats = len(picture.nodes) <= _MOST_NODE_FORMATS
    style = theme.NODE if page.title == WALKTHROUGH else theme.PRINTED_NODE
    for node in picture.nodes:
        place, role = address(node.row, node.column), table.derivation[node.name].role
        cell = table.cell(node.name) if page.title == WALKTHROUGH else table.reference(node.name)
        value = float(trace[node.name][0])
        if has_formats:
            look = Look(style, role, number_format=_node_format(node.name))
            page.formula(place, few_decimals_formula(cell), few_decimals(value), look)
        else:
            label = f"{short_label(node.name)} = "
            page.formula(place, f'"{label}"&{short_formula(cell)}', label + short(value), Look(style, role))
    for arrow in picture.arrows:
        put_arrow(page, arrow, table)


def _node_format(name: str) -> str:
    """The number format that shows a number with its name; without a part of its own a minus sign comes before both."""
    label = short_label(name)
    return f'"{label} = "{theme.PLAIN_FORMAT};"{label} = −"{theme.PLAIN_FORMAT}'


def put_arrow(page: Page, arrow: Arrow, table: Table) -> None:
    """Draw an arrow in the colour of what it leads to."""
    start, end = arrow.start, arrow.end
    colour = theme.SHADES[table.derivation[end.name].role].dark
    begins = Point(start.row, start.column + 1, down=0.5, right=0.0)
    ends = Point(end.row, end.column, down=0.5, right=0.0)
    if start.column == end.column:
        falls = start.row < end.row
        begins = Point(start.row, start.column, down=float(falls), right=0.5)
        ends = Point(end.row, end.column, down=float(not falls), right=0.5)
    page.drawing.connect(begins, ends, page.cell_size(COLUMN_WIDTH), colour, arrow.description)


def put_box(page: Page, placed: PlacedBox) -> None:
    """Put down a box, its title shaded."""
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


def _note(page: Page, note: str, arrangement: Arrangement) -> int:
    """Put down the note in the rows that are free, and give the number of columns that it takes."""
    rows = arrangement.free_rows
    if not arrangement.shows_the_loss:
        for row in rows:
            page.height(row, _FREE_HEIGHT)
    width = next(width for width in count(_NOTE_WIDTH) if len(textwrap.wrap(note, width)) <= len(rows))
    lines = textwrap.wrap(note, width)
    for row, line in zip(rows, lines, strict=False):
        page.text(f"A{row}", line, Look(theme.NOTE))
    return math.ceil(max(map(len, lines), default=0) / _NOTE_CHARACTERS_A_COLUMN)


def _settings(page: Page, lesson: Lesson) -> None:
    """The learning rate, over it the other numbers that the training is set by."""
    table, rates = lesson.table, ", ".join(map(as_joined, lesson.rates_to_try))
    for name, setting in table.derivation.settings.items():
        cell = table.setting_cell(name).replace("$", "")
        row = cell.removeprefix(SETTING_COLUMN)
        page.text(f"F{row}", f"{name} =", Look(theme.HEADING, align="right"))
        put_setting(page, cell, setting)
        hint = f"the learning rate: try {rates}" if name == LEARNING_RATE else setting.sentence
        page.text(f"H{row}", f"← {hint}")
    page.name("eta", table.learning_rate_cell)


def _last_loss(page: Page, lesson: Lesson) -> None:
    row, table = lesson.table.settings_row, lesson.table
    last = table.curve_losses.rpartition(":")[2].replace("$", "")
    if table.derivation.samples == 1:
        words, cell = f"loss in the last row, {last}:", last
    else:
        epochs = lesson.curve_places[-1]
        after = "1 epoch" if epochs == 1 else f"{epochs:g} epochs"
        words, cell = f"loss of all {table.derivation.samples} samples after {after}:", f"{DATA}!{last}"
    page.text(f"M{row}", words, Look(theme.HEADING, align="right"))
    value = float(lesson.curve_losses[-1])
    page.formula(f"N{row}", cell, value, Look(theme.RESULT, number_format=theme.VALUE_FORMAT))
    page.show_extreme_numbers(f"N{row}")


def _table(page: Page, table: Table, trace: Trace, target_range: tuple[float, float]) -> None:
    columns, given = [], {}
    for name in table.columns:
        values = np.arange(float(table.iterations)) if name == ITERATION else trace[name]
        value = float(values[0])
        look = number_look(table, name)
        page.text(f"{table.letter(name)}{table.header_row}", short_label(name), Look(theme.LABEL, look.role))
        formula = table.first_formula(name)
        if formula is None:
            page.number(table.cell(name), value, Look(theme.INPUT, number_format=theme.VALUE_FORMAT))
            given[name] = table.cell(name)
        else:
            page.formula(table.cell(name), formula.format(row=table.first_row), value, look)
        columns.append(page.column(look, table.formula(name), values[1:]))
    targets = [cell for name, cell in given.items() if table.derivation[name].role is Role.TARGET]
    others = [cell for cell in given.values() if cell not in targets]
    for cells, (low, high) in ((others, (-LARGEST_NUMBER, LARGEST_NUMBER)), (targets, target_range)):
        if cells:
            page.limit(" ".join(cells), "The first row", low, high)
    if table.iterations > 1:
        page.block(table.first_row + 1, 1, columns)
    _name_columns(page, table)
    numbers = [name for name in table.quantities if table.derivation[name].role is not Role.ORDER]
    first, last = table.cell(numbers[0]), table.cell(numbers[-1], table.iterations - 1)
    page.show_extreme_numbers(f"{first}:{last}")


def _name_columns(page: Page, table: Table) -> None:
    """Make the cells a table in Excel's sense: it shows the headers as column letters to who scrolls past them."""
    cells = f"A{table.header_row}:{column_letter(len(table.columns))}{table.last_row}"
    page.table("iterations", cells, [short_label(name) for name in table.columns])


def number_look(table: Table, name: str) -> Look:
    """How a number of the table looks."""
    role = Role.ORDER if name == ITERATION else table.derivation[name].role
    if role is Role.ORDER:
        return Look(theme.CALCULATION, role, theme.COUNT_FORMAT)
    style = theme.RESULT if name == table.derivation.names.total_loss else theme.CALCULATION
    return Look(style, role, theme.VALUE_FORMAT)


def _charts(page: Page, lesson: Lesson, column: int) -> None:
    """The loss, large, and small beside η where the large one is out of sight, so that effect follows cause at once."""
    arrangement, rows = lesson.arrangement, lesson.arrangement.free_rows
    large_column = arrangement.chart_column + 1
    last_column = large_column + _CHART_COLUMNS
    if arrangement.shows_the_loss:
        last_column = min(last_column, max(_SURELY_SEEN, large_column + _LEAST_CHART_COLUMNS))
    large = (arrangement.chart_row, large_column, arrangement.chart_last_row, last_column)
    put_loss_chart(page, lesson, large)
    if not arrangement.shows_the_loss:
        put_loss_chart(page, lesson, (rows[0], column, rows[-1], column + _SMALL_CHART_COLUMNS - 1), small=True)


def put_loss_chart(page: Page, lesson: Lesson, place: tuple[int, int, int, int], *, small: bool = False) -> None:
    """The loss curve over some cells: the row and the column of the first one, then of the last one."""
    table = lesson.table
    total, several = table.derivation.names.total_loss, table.derivation.samples > 1
    loss = "mean loss of all samples" if several else total
    curve = charts.Curve(
        (f"{WALKTHROUGH}!${table.letter(total)}${table.header_row}", short_label(total)),
        (table.curve_places, lesson.curve_places),
        (table.curve_losses, lesson.curve_losses.tolist()),
        theme.SHADES[Role.LOSS].dark,
    )
    title = "Loss of all samples" if several else "Loss"
    named = f"{title} by {table.curve_unit}" if small else title
    chart = charts.curve_chart(named, table.curve_unit, loss, [curve], small=small)
    page.drawing.chart(chart, place, f"Line chart of the loss over the {table.curve_unit}s: {loss}")
