"""The whole training on a lesson sheet: a working block for each of several runs that differ in how they learn."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from msgspec import Struct

from xlbackprop.derivation import Derivation, Role, Setting
from xlbackprop.engine import Array
from xlbackprop.ground.grid import address
from xlbackprop.network import ITERATION, LEARNING_RATE, WALKTHROUGH
from xlbackprop.symbols import number_from
from xlbackprop.walkthrough import Lesson
from xlbackprop.workbook.panels.entry import Entry
from xlbackprop.workbook.panels.working import Working, forward_columns, put_columns
from xlbackprop.workbook.xlsx import theme
from xlbackprop.workbook.xlsx.page import Page

MOST_COMPARED_ITERATIONS = 1000
"""More rows than this, once for every run, make a file that no classroom opens, and curves that look no different."""


class Run(Struct, frozen=True):
    """One training: where it stands, and what comes out."""

    working: Working
    values: Mapping[str, Array]
    """Each of shape (iterations,)."""


def put_order(page: Page, lesson: Lesson, header_row: int, iterations: int) -> tuple[dict[str, str], int]:
    """Put down what all runs share, column by column from A: the iteration and, with many samples, the sample.

    Returns:
        The address of each of these quantities, with `{row}` in it, and the first column that is still free.
    """
    page.text(f"A{header_row}", ITERATION, theme.COLUMN_HEAD)
    page.formula(f"A{header_row + 1}", "0", 0, theme.COUNTED)
    if iterations > 1:
        page.block(header_row + 2, 1, [page.column(theme.COUNTED, "A{above}+1", np.arange(1.0, iterations))])
    places = {ITERATION: "$A{row}"}
    derivation = lesson.derivation
    order = derivation.of_role(Role.ORDER)
    shared = [*order, *derivation.sampled] if derivation.samples > 1 else []
    contents = {
        name: (number_from(lesson.table.range(name), "$A{row}+1"), lesson.trace[name][:iterations]) for name in shared
    }
    places |= put_columns(page, derivation, header_row, 2, contents)
    if shared:
        first, last = address(header_row + 1, 2 + len(order)), address(header_row + iterations, 1 + len(shared))
        page.show_extreme_numbers(f"{first}:{last}")
    return places, 2 + len(shared)


def run_columns(derivation: Derivation) -> tuple[str, ...]:
    """The columns of a run: what its formulas need, and no more than they need to stay short."""
    carried = [name for name in derivation.carried if derivation[name].role is not Role.ORDER]
    memory = derivation.of_role(Role.MEMORY)
    rest = [*memory, *(name for name in carried if name not in memory)]
    forward = forward_columns(derivation, derivation.deltas)
    loss = [derivation.names.total_loss] if derivation.samples == 1 else []  # of one of several it says little
    return (*derivation.learned, *forward, *derivation.deltas, *loss, *rest)


def put_setting(page: Page, cell: str, setting: Setting) -> Entry:
    """Put down a number that the training is set by, for the reader to change within its limits."""
    page.number(cell, setting.value)
    title = f"Learning rate {LEARNING_RATE}" if setting.name == LEARNING_RATE else setting.name
    entry = Entry(cell, title, setting.least, setting.most)
    entry.limit(page)
    return entry


def setting_references(lesson: Lesson) -> dict[str, str]:
    """The settings where the Walkthrough has them."""
    return {name: f"{WALKTHROUGH}!{lesson.table.setting_cell(name)}" for name in lesson.derivation.settings}


def put_run(page: Page, lesson: Lesson, run: Run) -> None:
    """Put down a run: its first row from the Walkthrough, the others each from the row above."""
    working, derivation = run.working, run.working.derivation
    learned = derivation.learned
    working.header(page)

    def formulas(*, first: bool) -> dict[str, str]:
        return {name: working.calculation(name, first=first) for name in working.columns if name not in learned}

    later = formulas(first=False)
    first = formulas(first=True) if derivation.olds else later
    begun = {name: lesson.table.reference(name) for name in learned}
    updated = {name: working.update(name) for name in learned}
    working.block(page, first | begun, run.values, slice(0, 1))
    working.block(page, later | updated, run.values, slice(1, None))
