"""The sheet Data: the samples that the network learns from, and what it says to each of them."""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from openpyxl.workbook.workbook import Workbook

from xlbackprop.derivation import Role
from xlbackprop.engine import Array, evaluate
from xlbackprop.grid import absolute, address, column_letter
from xlbackprop.network import ITERATION, LARGEST_NUMBER, ORDER, SAMPLE
from xlbackprop.walkthrough import DATA, FIRST_SAMPLE_ROW, Lesson
from xlbackprop.workbook.panels.iteration_choice import Choice, choose_iteration
from xlbackprop.workbook.panels.working import Working, forward_columns
from xlbackprop.workbook.xlsx import theme
from xlbackprop.workbook.xlsx.page import Page
from xlbackprop.workbook.xlsx.rows import Block, BlockColumn
from xlbackprop.workbook.xlsx.theme import Look

_HEADER_ROW = FIRST_SAMPLE_ROW - 1
ITERATION_CELL = "C3"
_USED_CELL = "D3"
_WIDTH = 12.0


class Choices(Struct, frozen=True):
    """What the reader can choose on the sheet."""

    iteration: int | None = None
    """Whose weights answer; None for the last one."""


AS_GENERATED = Choices()


def data(workbook: Workbook, lesson: Lesson, choices: Choices = AS_GENERATED) -> Page:
    """Fill the sheet; the engine gives the values that its formulas have."""
    page = Page(workbook, DATA)
    iteration = lesson.table.iterations - 1 if choices.iteration is None else choices.iteration
    page.text("A1", "Data: what the network learns from, and what it says", Look(theme.TITLE))
    page.sheet.row_dimensions[1].height = 24
    page.text("A2", "Retype any number in bold blue: the training on the Walkthrough reads its samples from here.")
    page.text("B3", ITERATION, Look(theme.HEADING, align="right", indent=1))
    choice = choose_iteration(page, lesson, ITERATION_CELL, _USED_CELL, iteration)
    page.text("E3", f"← whose weights give the answers, 0 to {choice.last}", Look(theme.TEXT, align="left", indent=1))
    column = _samples(page, lesson) + 1
    column = _order(page, lesson, column)
    last = _answers(page, lesson, choice, column, iteration)
    page.widths((column_letter(index) for index in range(1, last + 1)), _WIDTH)
    page.sheet.freeze_panes = f"B{FIRST_SAMPLE_ROW}"
    page.print_setup(lesson.definition.title, f"{_HEADER_ROW}:{_HEADER_ROW}")
    return page


def _samples(page: Page, lesson: Lesson) -> int:
    """Put down the samples, and give the first column that is free."""
    derivation, samples = lesson.derivation, lesson.definition.samples
    page.text(f"A{_HEADER_ROW}", "sample", Look(theme.LABEL, Role.ORDER))
    for index, name in enumerate(derivation.sampled, 2):
        page.text(address(_HEADER_ROW, index), name, Look(theme.LABEL, derivation[name].role))
    counted = Look(theme.CALCULATION, Role.ORDER, theme.COUNT_FORMAT)
    for row, sample in enumerate(samples, FIRST_SAMPLE_ROW):
        page.formula(f"A{row}", f"ROW()-{_HEADER_ROW}", row - _HEADER_ROW, counted)
        for index, value in enumerate((*sample.inputs, *sample.targets), 2):
            page.number(address(row, index), value)
    last = address(FIRST_SAMPLE_ROW + len(samples) - 1, 1 + len(derivation.sampled))
    words = "A number of one sample; every iteration that takes the sample uses it."
    page.limit(f"B{FIRST_SAMPLE_ROW}:{last}", "Sample", words, -LARGEST_NUMBER, LARGEST_NUMBER)
    return 2 + len(derivation.sampled)


def _order(page: Page, lesson: Lesson, column: int) -> int:
    """Put down the order of the samples where it is shuffled, and give the first column after it."""
    if lesson.definition.order == "given":
        return column
    order = lesson.trace[SAMPLE]
    page.text(address(_HEADER_ROW, column), ORDER, Look(theme.LABEL, Role.ORDER))
    style = page.style_number(Look(theme.INPUT, number_format=theme.COUNT_FORMAT))
    page.block(Block(FIRST_SAMPLE_ROW, [BlockColumn(style, None, order)], column))
    cells = f"{address(FIRST_SAMPLE_ROW, column)}:{address(_HEADER_ROW + len(order), column)}"
    words = "Which sample the iteration takes; drawn by the seed of the definition."
    page.limit(cells, "Order", words, 1, len(lesson.definition.samples), whole=True)
    return column + 2


def _answers(page: Page, lesson: Lesson, choice: Choice, column: int, iteration: int) -> int:
    """Put down what the network says to every sample, and the weights with which it does; give the last column."""
    derivation, labels = lesson.derivation, lesson.derivation.labels
    columns = (*forward_columns(derivation, labels.losses), *labels.losses, labels.total_loss)
    weights_column = column + len(columns) + 1
    elsewhere = {name: f"${column_letter(index)}{{row}}" for index, name in enumerate(derivation.sampled, 2)}
    parameters = (*derivation.learned, *(name for name in derivation.constants if name not in derivation.sampled))
    page.text(address(3, weights_column), "weights:", Look(theme.TEXT, align="right"))
    for index, name in enumerate(parameters, weights_column + 1):
        role, cell = derivation[name].role, address(3, index)
        page.text(address(2, index), name, Look(theme.LABEL, role))
        value = float(lesson.trace[name][iteration])
        page.formula(cell, choice.value(name), value, Look(theme.CALCULATION, role, theme.VALUE_FORMAT))
        elsewhere[name] = absolute(cell)
    count = len(lesson.definition.samples)
    working = Working(derivation, columns, column, _HEADER_ROW, count, elsewhere)
    working.header(page)
    values = _values(lesson, columns, iteration)
    working.block(page, {name: working.calculation(name) for name in columns}, values, slice(None))
    total = labels.total_loss
    mean = address(3, column + len(columns) - 1)
    page.text(address(3, column + len(columns) - 2), "mean loss", Look(theme.HEADING, align="right"))
    look = Look(theme.RESULT, Role.LOSS, theme.VALUE_FORMAT)
    page.formula(mean, f"AVERAGE({working.range(total)})", float(values[total].mean()), look)
    page.show_tiny_numbers(f"{working.cell(columns[0])}:{working.cell(total, count - 1)}")
    page.sheet.print_area = f"A1:{working.cell(total, count - 1)}"
    return weights_column + len(parameters)


def _values(lesson: Lesson, columns: tuple[str, ...], iteration: int) -> dict[str, Array]:
    """The values of the columns for every sample, with the weights of an iteration."""
    samples = np.arange(len(lesson.definition.samples))
    changes = {name: np.full(len(samples), lesson.trace[name][iteration]) for name in lesson.derivation.learned}
    answers = evaluate(lesson.definition, changes, samples)
    return {name: answers[name] for name in columns}
