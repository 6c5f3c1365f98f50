"""The sheet Handout: what a class gets on paper, the network with its derivation and then the first iterations."""

from __future__ import annotations

from xlbackprop.ground.grid import address, column_letter
from xlbackprop.network import ITERATION, WALKTHROUGH, short_label
from xlbackprop.walkthrough import Lesson, on_paper
from xlbackprop.workbook.sheets.walkthrough import number_look, put_box, put_diagram, put_loss_chart
from xlbackprop.workbook.xlsx import theme
from xlbackprop.workbook.xlsx.page import Page
from xlbackprop.workbook.xlsx.theme import Look

MOST_ITERATIONS = 10
"""On paper."""

_TOP_ROW, _ROW_HEIGHT, _LEAST_ROW_HEIGHT = 3, 13.1, 11.4
_NODE_HEIGHT = 14.6
"""Points: the line under a lower row hides the _ of a node's name."""
_TITLE_HEIGHT, _GAP_HEIGHT, _PAGE_HEIGHT = 24.0, 4.0, 690.0
"""Points; so much is a page of A4 or Letter at the scale at which its text is just large enough."""
_NAME_WIDTH, _NUMBER_WIDTH, _CHART_WIDTH, _CHART_COLUMNS, _CHART_ROWS = 10.5, 9.4, 7.5, 5, 20
_LARGEST_SHOWN = 100
"""A number beyond this has no room with six decimals and a sign in every font."""


def handout(page: Page, lesson: Lesson) -> None:
    """Fill the sheet; the trace gives the values that its formulas have."""
    table = lesson.table
    paper = on_paper(lesson.arrangement, _TOP_ROW)
    rows = max(paper.last_row, len(table.quantities) + _TOP_ROW) - _TOP_ROW + 1
    node_rows = {node.row for node in paper.diagram.nodes}
    room = (_PAGE_HEIGHT - _TITLE_HEIGHT - _GAP_HEIGHT - _NODE_HEIGHT * len(node_rows)) / (rows - len(node_rows))
    page.frame.row_height = min(_NODE_HEIGHT, room) if room >= _LEAST_ROW_HEIGHT else _ROW_HEIGHT
    page.text("A1", "The network and its derivation", Look(theme.TITLE))
    put_diagram(page, paper.diagram, table, lesson.trace, _TOP_ROW)
    for box in paper.boxes:
        put_box(page, box)
    for column, width in enumerate(paper.widths, 1):
        page.widths([column_letter(column)], width)
    second = _iterations(page, lesson, len(paper.widths) + 2)
    page.height(1, _TITLE_HEIGHT)
    page.height(2, _GAP_HEIGHT)
    for row in node_rows:
        page.height(row, _NODE_HEIGHT)
    if paper.page_columns < len(paper.widths):
        page.frame.column_breaks.append(paper.page_columns + 1)
    page.fit_screen(column_letter(len(paper.widths)))
    first = f"A1:{address(paper.last_row, len(paper.widths))}"
    heads = f"{_TOP_ROW}:{_TOP_ROW}"  # a table too long for its page goes on under the numbers of its iterations
    page.print_setup(lesson.definition.title, f"{first},{second}", heads).pages_down = 2


def _iterations(page: Page, lesson: Lesson, column: int) -> str:
    """Put down the first iterations, a column each, with the loss curve beside them; give the cells of that page."""
    table = lesson.table
    shown = range(min(MOST_ITERATIONS, table.iterations))
    page.text(address(1, column), "The first iterations, and the loss", Look(theme.TITLE))
    page.widths([column_letter(column)], _NAME_WIDTH)
    names = (ITERATION, *table.quantities)
    for row, name in enumerate(names, _TOP_ROW):
        look = number_look(table, name)
        page.text(address(row, column), short_label(name), Look(theme.LABEL, look.role))
        for iteration in shown:
            value = float(iteration) if name == ITERATION else float(lesson.trace[name][iteration])
            cell = f"{WALKTHROUGH}!{table.cell(name, iteration)}"
            page.formula(address(row, column + 1 + iteration), cell, value, look)
    last_row, last_number = _TOP_ROW + len(names) - 1, column + len(shown)
    page.widths(map(column_letter, range(column + 1, last_number + 1)), _NUMBER_WIDTH)
    numbers = f"{address(_TOP_ROW + 1, column + 1)}:{address(last_row, last_number)}"
    page.show_extreme_numbers(numbers, largest=_LARGEST_SHOWN)
    first, last = last_number + 2, last_number + 1 + _CHART_COLUMNS
    page.widths([column_letter(first - 1)], 1)
    page.widths(map(column_letter, range(first, last + 1)), _CHART_WIDTH)
    put_loss_chart(page, lesson, (_TOP_ROW + 1, first, _TOP_ROW + _CHART_ROWS, last))
    return f"{address(1, column)}:{address(max(last_row, _TOP_ROW + _CHART_ROWS), last)}"
