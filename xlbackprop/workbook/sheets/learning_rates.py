"""The sheet Learning rates: the same training once for each of a row of learning rates, with curves and verdicts."""

from __future__ import annotations

from msgspec.structs import replace

from xlbackprop.engine import train_all
from xlbackprop.ground.grid import absolute, address, column_letter
from xlbackprop.network import LARGEST_NUMBER, LEARNING_RATE
from xlbackprop.symbols import number_from
from xlbackprop.walkthrough import Lesson
from xlbackprop.workbook.panels.comparison import NAME_ROW, NOT_CHOSEN, ROW_LABEL, Compared, Summary
from xlbackprop.workbook.panels.entry import Entry
from xlbackprop.workbook.panels.working import as_joined
from xlbackprop.workbook.xlsx import theme
from xlbackprop.workbook.xlsx.page import Page
from xlbackprop.workbook.xlsx.theme import Look

_LAST_COLUMNS = 4, 9
"""Of the two charts: together they are as wide as a table of eight rates."""


def learning_rates(page: Page, lesson: Lesson) -> None:
    """Fill the sheet; the batched engine gives the values that its formulas have."""
    summary = Summary(page, lesson, "rate", NAME_ROW + 1)
    summary.head("Learning rates: how far should a step go?", "for each rate", f"learning rate {LEARNING_RATE}")
    places, column = summary.begin(" the same formulas for every rate")
    definitions = [
        replace(lesson.definition, iterations=summary.iterations, learning_rate=rate)
        for rate in lesson.definition.learning_rates
    ]
    derivation, width = lesson.derivation, summary.width(lesson.derivation)
    runs, trained, written = list[Compared](), list[float | str](), dict[tuple[str, str], str]()
    for index, (definition, trace) in enumerate(zip(definitions, train_all(definitions), strict=True)):
        rate_used, label = (address(summary.header_row - 1, column + place) for place in (1, 2))
        run = summary.run(
            definition,
            derivation,
            trace,
            places | {LEARNING_RATE: absolute(rate_used)},
            first_column=column,
            name=as_joined(definition.learning_rate),
            column=column_letter(index + 2),
            label=label,
            is_optional=True,
            written=written,
        )
        _rate(page, run, rate_used, definition.learning_rate)
        trained.append(summary.put(run))
        runs.append(run)
        column += width + 1
    first, none = f"Trained first with {LEARNING_RATE} = ", "With none of these rates is the network trained."
    summary.fastest(runs, trained, first, none, number_from)
    summary.charts(runs, f"Loss for each {LEARNING_RATE}", _LAST_COLUMNS)
    page.widths("A", 30)
    page.widths((column_letter(index) for index in range(2, column)), 13)
    summary.handout(max(_LAST_COLUMNS))


def _rate(page: Page, run: Compared, used: str, rate: float) -> None:
    """The reader's rate, and over the working the one that is used."""
    working, cell = run.working, run.name_cell
    page.text(address(working.header_row - 1, working.first_column), f"{LEARNING_RATE} =", ROW_LABEL)
    named = f'IF(ISNUMBER({cell}),{used},"{NOT_CHOSEN}")'
    page.formula(run.label, named, rate, Look(theme.CALCULATION, number_format=theme.PLAIN_FORMAT))
    entry = Entry(cell, f"Learning rate {LEARNING_RATE}", 0, LARGEST_NUMBER)
    page.formula(used, entry.used(0), rate, Look(theme.RESULT))
    page.number(cell, rate)
    entry.limit(page)
