"""The sheet Data: the samples that the network learns from, and what it says to each of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from xlbackprop.derivation import Role
from xlbackprop.engine import evaluate
from xlbackprop.ground.grid import absolute, address, column_letter
from xlbackprop.network import EPOCH, LARGEST_NUMBER, ORDER, SAMPLE
from xlbackprop.symbols import number_from
from xlbackprop.walkthrough import DATA, FIRST_SAMPLE_ROW, Lesson, curve_column
from xlbackprop.workbook.panels.all_samples import pass_columns, put_points, put_samples
from xlbackprop.workbook.panels.working import Working, forward_columns
from xlbackprop.workbook.xlsx import theme
from xlbackprop.workbook.xlsx.page import Page
from xlbackprop.workbook.xlsx.theme import Look

_HEADER_ROW = FIRST_SAMPLE_ROW - 1
EPOCH_CELL = "C3"
_WIDTH, _GAP = 10.0, 3.0
_LOSS = "loss of all samples"
_NEARNESS = "0.0001"
"""Added to an epoch, so that a part of one is found by as many of its digits as a cell shows."""


def data(page: Page, lesson: Lesson) -> None:
    """Fill the sheet; the engine gives the values that its formulas have."""
    page.text("A1", "Data: what the network learns from, and what it says", Look(theme.TITLE))
    page.height(1, 24)
    page.text("A2", "Retype any number in bold blue: the training on the Walkthrough reads its samples from here.")
    _samples(page, lesson)
    _order(page, lesson)
    answering = _choose(page, lesson)
    shown, last = _answers(page, lesson, answering)
    page.widths((column_letter(index) for index in range(1, last + 1)), _WIDTH)
    column = curve_column(lesson.derivation)
    page.widths(map(column_letter, (column - 1, column + 2)), _GAP)
    page.freeze(f"B{FIRST_SAMPLE_ROW}")
    page.fit_screen(shown)


def _choose(page: Page, lesson: Lesson) -> str:
    """Put down the epochs and the cell in which the reader picks one; give the formula of its number, from 1 on."""
    epochs, table = lesson.table.loss_curve.epochs, lesson.table
    column = curve_column(lesson.derivation)
    page.text(address(_HEADER_ROW, column), EPOCH, Look(theme.LABEL, Role.ORDER))
    page.text(address(_HEADER_ROW, column + 1), _LOSS, Look(theme.LABEL, Role.LOSS, wrap=True))
    page.height(_HEADER_ROW, 32)
    look = Look(theme.CALCULATION, Role.ORDER)
    for row, (made, epoch) in enumerate(zip(table.loss_curve.made, epochs, strict=True), FIRST_SAMPLE_ROW):
        page.formula(address(row, column), f"{made}/{table.derivation.samples}", epoch, look)
    page.text("B3", EPOCH, Look(theme.HEADING, align="right", indent=1))
    page.number(EPOCH_CELL, epochs[-1])
    page.limit(EPOCH_CELL, "Epoch", 0, epochs[-1])
    page.text("D3", f"← the epoch whose weights answer, 0 to {epochs[-1]:g}")
    places = table.curve_places.removeprefix(f"{DATA}!")
    usable = f"IF(ISNUMBER({absolute(EPOCH_CELL)}),MAX(0,{absolute(EPOCH_CELL)}),{epochs[-1]:.15G})"
    return f"MATCH({usable}+{_NEARNESS},{places},1)"


def _samples(page: Page, lesson: Lesson) -> None:
    """Put down the samples."""
    derivation, samples = lesson.derivation, lesson.definition.samples
    page.text(f"A{_HEADER_ROW}", "sample", Look(theme.LABEL, Role.ORDER))
    for index, name in enumerate(derivation.sampled, 2):
        page.text(address(_HEADER_ROW, index), name, Look(theme.LABEL, derivation[name].role))
    counted = Look(theme.CALCULATION, Role.ORDER, theme.COUNT_FORMAT)
    for row, sample in enumerate(samples, FIRST_SAMPLE_ROW):
        page.formula(f"A{row}", f"ROW()-{_HEADER_ROW}", row - _HEADER_ROW, counted)
        for index, value in enumerate((*sample.inputs, *sample.targets), 2):
            page.number(address(row, index), value)
    last_row, targets = FIRST_SAMPLE_ROW + len(samples) - 1, 2 + len(samples[0].inputs)
    inputs = f"B{FIRST_SAMPLE_ROW}:{address(last_row, targets - 1)}"
    page.limit(inputs, "Sample", -LARGEST_NUMBER, LARGEST_NUMBER)
    outputs = f"{address(FIRST_SAMPLE_ROW, targets)}:{address(last_row, 1 + len(derivation.sampled))}"
    page.limit(outputs, "Target", *lesson.definition.target_range)


def _order(page: Page, lesson: Lesson) -> None:
    """Put down the order of the samples where it is shuffled."""
    if lesson.definition.order == "given":
        return
    column = 3 + len(lesson.derivation.sampled)
    order = lesson.trace[SAMPLE]
    page.text(address(_HEADER_ROW, column), ORDER, Look(theme.LABEL, Role.ORDER))
    look = Look(theme.INPUT, number_format=theme.COUNT_FORMAT)
    page.block(FIRST_SAMPLE_ROW, column, [page.column(look, None, order)])
    cells = f"{address(FIRST_SAMPLE_ROW, column)}:{address(_HEADER_ROW + len(order), column)}"
    page.limit(cells, "Order", 1, len(lesson.definition.samples), whole=True)


def _answers(page: Page, lesson: Lesson, answering: str) -> tuple[str, int]:
    """Put down what the network says to every sample, and the weights with which it does.

    Returns:
        the last column of the answers, and the last one of the working beside them.
    """
    derivation, names, curve = lesson.derivation, lesson.derivation.names, lesson.table.loss_curve
    column = curve_column(derivation) + 3
    columns = (*forward_columns(derivation, names.losses), *names.losses, names.total_loss)
    weights_column = column + len(columns) + 2
    references = {name: f"${column_letter(index)}{{row}}" for index, name in enumerate(derivation.sampled, 2)}
    parameters = (*derivation.learned, *derivation.fixed)
    last_point = FIRST_SAMPLE_ROW + len(curve.made) - 1
    page.text(address(1, weights_column), "Working: the weights from epoch to epoch", Look(theme.HEADING))
    page.text(address(3, weights_column - 1), "they answer with:", Look(theme.TEXT, align="right"))
    changes = {}
    for index, name in enumerate(parameters, weights_column):
        role, cell, letter = derivation[name].role, address(3, index), column_letter(index)
        page.text(address(2, index), name, Look(theme.LABEL, role))
        formula, value = lesson.table.reference(name), float(lesson.trace[name][0])
        if name in derivation.learned:
            formula = number_from(f"{letter}${FIRST_SAMPLE_ROW}:{letter}${last_point}", answering)
            value = float(curve.weights(lesson.trace, name)[-1])
            changes[name] = np.full(derivation.samples, value)
        page.formula(cell, formula, value, Look(theme.CALCULATION, role, theme.VALUE_FORMAT))
        references[name] = absolute(cell)
    working = Working(derivation, columns, column, _HEADER_ROW, derivation.samples, references)
    values = evaluate(lesson.definition, changes, np.arange(derivation.samples))
    working.put(page, values)
    total = names.total_loss
    mean = address(3, column + len(columns) - 1)
    page.text(address(3, column + len(columns) - 2), "mean loss", Look(theme.HEADING, align="right"))
    look = Look(theme.RESULT, Role.LOSS, theme.VALUE_FORMAT)
    page.formula(mean, f"AVERAGE({working.range(total)})", float(values[total].mean()), look)
    page.show_extreme_numbers(f"{working.cell(columns[0])}:{working.cell(total, derivation.samples - 1)}")
    last_row = max(working.last_row, last_point)
    area = f"A1:{working.letter(total)}{last_row}"
    page.print_setup(lesson.definition.title, area, f"{_HEADER_ROW}:{_HEADER_ROW}")
    forward_column = weights_column + len(parameters) + 1
    given = {name: references[name] for name in derivation.fixed}
    return working.letter(total), _curve(page, lesson, weights_column, forward_column, given)


def _curve(page: Page, lesson: Lesson, weights_column: int, forward_column: int, references: Mapping[str, str]) -> int:
    """Put down the loss of all samples from epoch to epoch, and the working behind it; give its last column."""
    derivation, table, curve = lesson.derivation, lesson.table, lesson.table.loss_curve
    words = "Working: every sample passed through the network after every epoch"
    page.text(address(1, forward_column), words, Look(theme.HEADING))
    forward = put_samples(page, lesson, curve, _HEADER_ROW, forward_column)
    made = f"ROUND(${column_letter(curve_column(derivation))}{{row}}*{curve.samples},0)"
    learned = {
        name: (number_from(table.range(name), f"{made}+1"), table.last_update(name), curve.weights(lesson.trace, name))
        for name in derivation.learned
    }
    put_points(
        page,
        lesson.definition,
        derivation,
        forward,
        FIRST_SAMPLE_ROW,
        weights_column,
        learned,
        references,
        loss_column=curve_column(derivation) + 1,
        forward_column=forward.next_column,
    )
    return forward.next_column + len(pass_columns(derivation))
