"""The sheet Learning rates: the same training once for each of a row of learning rates, with curves and verdicts."""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from openpyxl.workbook.workbook import Workbook

from xlbackprop.arrangement import address
from xlbackprop.definition import LARGEST_NUMBER
from xlbackprop.engine import Array, train_all
from xlbackprop.layout import column_letter
from xlbackprop.names import ITERATION, LEARNING_RATE, short_label
from xlbackprop.workbook import charts, theme
from xlbackprop.workbook.lesson import Lesson
from xlbackprop.workbook.page import Page
from xlbackprop.workbook.rows import Block, BlockColumn
from xlbackprop.workbook.theme import Look
from xlbackprop.workbook.training import (
    MOST_ITERATIONS,
    Run,
    begin,
    put_run,
    run_columns,
    run_values,
    settings_elsewhere,
)
from xlbackprop.workbook.working import Working, absolute, bounded, given, plain

TITLE = "Learning rates"
THRESHOLD_CELL = "B4"
RATE_ROW = 6
_LOSS_ROW, _FIRST_ROW, _VERDICT_ROW, _FASTEST_ROW = 7, 8, 9, 11
_CHART_ROWS = (13, 30)
_WORKING_ROW = 33
_HEADER_ROW = _WORKING_ROW + 5

_LOWEST_SHOWN = 1e-8
_CLEARLY = 1e-6
"""By what share a loss has to pass the first one to have gone up; rounding is no rise."""
_FLAT = 0.01
"""A loss that changes by a smaller share than this over the last quarter of the iterations is stuck."""
_FIRST = "small at"
_CONVERGED, _FALLING, _RISING, _STUCK = "converged", "still falling", "rising", "stuck"
_UP_FIRST = "went up first, then "
_NEVER = "never"

_CURVES = (
    ("1B5E93", "lgDashDotDot"),
    ("D55E00", "sysDash"),
    ("009E73", "dashDot"),
    ("7B3F73", "lgDash"),
    ("262626", "solid"),
    ("E69F00", "lgDashDot"),
    ("56B4E9", "dash"),
    ("A32A14", "sysDot"),
)
"""Colour (Okabe and Ito's, some of them darker) and dashes of every rate's curve."""


class Choices(Struct, frozen=True):
    """What the reader can choose on the sheet."""

    rates: tuple[float, ...] = (0.1, 0.2, 0.5, 0.8, 1.0, 2.0, 10.0, 1000.0)
    """Eight of them."""
    threshold: float | None = None
    """Below what a loss is small; None for about a tenth of the first loss."""


AS_GENERATED = Choices()


class _Run(Run, frozen=True, kw_only=True):
    """The training at one of the rates."""

    rate: float
    rate_cell: str

    @property
    def column(self) -> str:
        """The letter of its column in the summary."""
        return self.rate_cell.rstrip("0123456789")

    @property
    def first_letter(self) -> str:
        """The column that holds the iteration where the loss is small, and the number of iterations elsewhere."""
        return column_letter(self.working.next_column)


def rate_cell(index: int) -> str:
    """The address of the learning rate number `index`, counted from 0."""
    return address(RATE_ROW, index + 2)


def learning_rates(workbook: Workbook, lesson: Lesson, choices: Choices = AS_GENERATED) -> Page:
    """Fill the sheet; the batched engine gives the values that its formulas have."""
    page = Page(workbook, TITLE)
    iterations = min(lesson.definition.iterations, MOST_ITERATIONS)
    first_loss = float(lesson.trace[lesson.derivation.loss_shown][0])
    threshold = float(f"{max(first_loss / 10, 1e-9):.0e}") if choices.threshold is None else choices.threshold
    _headline(
        page, f"{'the first ' if iterations < lesson.table.iterations else ''}{iterations}", threshold, iterations - 1
    )
    page.text(
        address(_WORKING_ROW, 1),
        "Working: the training behind the curves, block by block the same formulas for every rate",
        Look(theme.HEADING),
    )
    places, column = begin(page, lesson, _HEADER_ROW, iterations)
    places |= settings_elsewhere(lesson) | given(page, lesson, _WORKING_ROW + 1)
    runs = _runs(lesson, choices.rates, iterations, places, column)
    for run in runs:
        _training(page, lesson, run, threshold)
        _outcome(page, run, threshold)
    _fastest(page, runs, threshold)
    _charts(page, runs)
    page.widths("A", 30)
    page.widths((column_letter(index) for index in range(2, runs[-1].working.next_column + 1)), 13)
    page.handout(lesson.definition.title, f"A1:{runs[-1].column}{_CHART_ROWS[1]}")
    return page


def _runs(
    lesson: Lesson, rates: tuple[float, ...], iterations: int, places: dict[str, str], first_column: int
) -> list[_Run]:
    derivation = lesson.derivation
    columns = run_columns(derivation)
    runs = []
    traces = train_all([replace(lesson.definition, iterations=iterations, learning_rate=rate) for rate in rates])
    for index, (rate, trace) in enumerate(zip(rates, traces, strict=True)):
        column = first_column + index * (len(columns) + 2)
        elsewhere = places | {LEARNING_RATE: f"${column_letter(column + 1)}${_HEADER_ROW - 1}"}
        working = Working(derivation, columns, column, _HEADER_ROW, iterations, elsewhere)
        values = run_values(derivation, columns, trace)
        runs.append(_Run(working, values, rate=rate, rate_cell=rate_cell(index)))
    return runs


def _headline(page: Page, iterations: str, threshold: float, last: int) -> None:
    page.text("A1", "Learning rates: how far should a step go?", Look(theme.TITLE))
    page.sheet.row_dimensions[1].height = 24
    page.text(
        "A2",
        f"The same network trained over {iterations} iterations, from the same weights, once for each rate."
        "  Change any number in bold blue; the working stands below the charts.",
    )
    right = Look(theme.HEADING, align="right")
    page.text(f"A{THRESHOLD_CELL[1:]}", "the loss is small below", right)
    page.number(THRESHOLD_CELL, threshold)
    page.limit(
        THRESHOLD_CELL, "Small loss", "From which loss on you would call the network trained.", 0, LARGEST_NUMBER
    )
    page.text(f"A{RATE_ROW}", f"learning rate {LEARNING_RATE}", right)
    page.text(f"A{_LOSS_ROW}", f"loss at iteration {last}", right)
    page.text(f"A{_FIRST_ROW}", "first small at iteration", right)
    page.text(f"A{_VERDICT_ROW}", "what happened", right)
    page.sheet.row_dimensions[_VERDICT_ROW].height = 32


def _training(page: Page, lesson: Lesson, run: _Run, threshold: float) -> None:
    """The working block of one rate: its first row from the Walkthrough, the others each from the row above."""
    working, loss = run.working, run.loss
    name_cell = address(_HEADER_ROW - 1, working.first_column)
    page.text(name_cell, f"{LEARNING_RATE} =", Look(theme.HEADING, align="right"))
    page.formula(
        working.elsewhere[LEARNING_RATE].replace("$", ""),
        bounded(run.rate_cell, 0, LARGEST_NUMBER, 0),
        run.rate,
        Look(theme.RESULT),
    )
    put_run(page, lesson, run)
    page.text(f"{run.first_letter}{_HEADER_ROW}", _FIRST, theme.COLUMN_HEAD)
    count = working.rows
    style = page.style_number(Look(theme.CALCULATION, number_format=theme.COUNT_FORMAT))
    formula = f"IF({working.letter(loss)}{{row}}<{absolute(THRESHOLD_CELL)},$A{{row}},{count})"
    small = np.where(run.losses < threshold, np.arange(float(count)), count)
    page.block(Block(working.first_row, [BlockColumn(style, formula, small)], working.next_column))


def _outcome(page: Page, run: _Run, threshold: float) -> None:
    """The reader's rate and, under it, what the training comes to."""
    working, losses, count = run.working, run.losses, run.working.rows
    page.number(run.rate_cell, run.rate)
    page.limit(run.rate_cell, f"Learning rate {LEARNING_RATE}", "How far each update goes.", 0, LARGEST_NUMBER)
    last = float(losses[-1])
    result = Look(theme.RESULT, working.derivation[run.loss].role, theme.TINY_FORMAT)
    page.formula(f"{run.column}{_LOSS_ROW}", working.cell(run.loss, count - 1), last, result)
    small = f"${run.first_letter}${working.first_row}:${run.first_letter}${working.last_row}"
    first = _first_small(losses, threshold)
    page.formula(
        f"{run.column}{_FIRST_ROW}",
        f'IF(MIN({small})<{count},MIN({small}),"{_NEVER}")',
        _NEVER if first is None else first,
        Look(theme.RESULT, number_format=theme.COUNT_FORMAT, align="right"),
    )
    page.formula(
        f"{run.column}{_VERDICT_ROW}",
        _verdict_formula(run),
        _verdict(losses, threshold),
        Look(theme.CHECK, align="center", wrap=True),
    )


def _first_small(losses: Array, threshold: float) -> int | None:
    small = np.flatnonzero(losses < threshold)
    return int(small[0]) if len(small) else None


def _verdict_formula(run: _Run) -> str:
    working, loss, count = run.working, run.loss, run.working.rows
    first, last, before = (working.cell(loss, row) for row in (0, count - 1, _last_quarter(count)))
    outcome = (
        f'IF({last}<{absolute(THRESHOLD_CELL)},"{_CONVERGED}",IF({last}<{1 - _FLAT:g}*{before},"{_FALLING}",'
        f'IF({last}>{1 + _FLAT:g}*{before},"{_RISING}","{_STUCK}")))'
    )
    return f'IF(MAX({working.range(loss)})>{1 + _CLEARLY:g}*{first},"{_UP_FIRST}","")&{outcome}'


def _verdict(losses: Array, threshold: float) -> str:
    first, last, before = (float(losses[row]) for row in (0, -1, _last_quarter(len(losses))))
    if last < threshold:
        outcome = _CONVERGED
    elif last < (1 - _FLAT) * before:
        outcome = _FALLING
    else:
        outcome = _RISING if last > (1 + _FLAT) * before else _STUCK
    return (_UP_FIRST if max(losses) > (1 + _CLEARLY) * first else "") + outcome


def _last_quarter(count: int) -> int:
    """The row at which the last quarter of the iterations begins."""
    return (count - 1) * 3 // 4


def _fastest(page: Page, runs: list[_Run], threshold: float) -> None:
    firsts = f"{runs[0].column}{_FIRST_ROW}:{runs[-1].column}{_FIRST_ROW}"
    rates = f"{runs[0].rate_cell}:{runs[-1].rate_cell}"
    reached = [(first, run.rate) for run in runs if (first := _first_small(run.losses, threshold)) is not None]
    none, before, between = "None of these rates makes the loss small.", "Small first with η = ", ", at iteration "
    value = none
    if reached:
        first, rate = min(reached, key=lambda pair: pair[0])
        value = f"{before}{plain(rate)}{between}{first}"
    page.formula(
        f"B{_FASTEST_ROW}",
        f'IF(COUNT({firsts})=0,"{none}","{before}"&INDEX({rates},1,MATCH(MIN({firsts}),{firsts},0))'
        f'&"{between}"&MIN({firsts}))',
        value,
        Look(theme.HEADING),
    )


def _charts(page: Page, runs: list[_Run]) -> None:
    working = runs[0].working
    total = short_label(runs[0].loss)
    categories = f"'{TITLE}'!$A${working.first_row}:$A${working.last_row}"
    curves = [
        charts.Curve(
            label_reference=f"'{TITLE}'!${run.column}${RATE_ROW}",
            label=plain(run.rate),
            categories_reference=categories,
            categories=range(working.rows),
            values_reference=f"'{TITLE}'!{run.working.range(run.loss)}",
            values=run.losses.tolist(),
            colour=colour,
            dash=dash,
        )
        for run, (colour, dash) in zip(runs, _CURVES, strict=True)
    ]
    linear = charts.line_chart(f"Loss for each {LEARNING_RATE}", ITERATION, total, curves)
    logarithmic = charts.line_chart(
        "The same on a logarithmic axis",
        ITERATION,
        total,
        curves,
        logarithmic_from=_LOWEST_SHOWN,
    )
    top, bottom = _CHART_ROWS
    for chart, left, right, words in ((linear, 1, 4, "a linear"), (logarithmic, 5, 9, "a logarithmic")):
        charts.place(chart, top, left, bottom, right)
        page.sheet.add_chart(chart)
        page.drawing.describe(chart, f"Line chart of the loss over the iterations for every rate, on {words} axis")
