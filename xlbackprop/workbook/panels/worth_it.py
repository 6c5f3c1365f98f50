"""Whether an update was worth it: the loss of the same samples before and after it, each of them passed again."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from xlbackprop.derivation import Role
from xlbackprop.engine import Trace, evaluate
from xlbackprop.ground.grid import absolute, address
from xlbackprop.network import BATCH_SIZE, IN_BATCH
from xlbackprop.symbols import DIGITS, short, short_formula
from xlbackprop.walkthrough import Lesson
from xlbackprop.workbook.panels.all_samples import loss_columns
from xlbackprop.workbook.panels.working import Working, put_columns, sampled_contents
from xlbackprop.workbook.xlsx import theme
from xlbackprop.workbook.xlsx.page import Page
from xlbackprop.workbook.xlsx.theme import Look

QUESTION = "Was it worth it? The loss before and after the update"
SAME = "The loss is the same to twelve decimals."
DOWN, UP = "Yes: the loss{of} went down.", "No: the loss{of} went up{though}."
_AS_IT_WAS = f" before and after, to {DIGITS} digits"

SAME_WITHIN = 1e-12
"""Programs differ in the last digits."""
_FIRST_COLUMN = 14
_HEADER_ROW = 5


def put_answer(page: Page, lesson: Lesson, row: int, cells: Mapping[str, str], renamed: Mapping[str, str]) -> None:
    """Put down the answer in a row of the list, and the passes behind it in a working on its right.

    Args:
        cells: the absolute address of the value of every line of the iteration.
        renamed: what everything that is learned is called once it is updated.
    """
    derivation, count = lesson.derivation, lesson.derivation.samples
    before, old = _losses(page, lesson, _FIRST_COLUMN, "before", {name: cells[name] for name in renamed}, cells)
    column = _FIRST_COLUMN + len(loss_columns(derivation)) + len(derivation.sampled) + 1
    updated = {name: cells[new] for name, new in renamed.items()}
    after, new = _losses(page, lesson, column, "after", updated, cells)
    of = f" of all {count} samples" if count > 1 else ""
    page.text(f"B{row}", f"the loss{of}, with the new values", theme.WRAPPED)
    look = Look(theme.RESULT, Role.LOSS, theme.VALUE_FORMAT, align="right")
    page.formula(f"D{row}", f"AVERAGE({after})", new, look)
    page.formula(f"F{row}", short_formula(f"D{row}"), short(new), theme.HELPER)
    page.formula(f"H{row}", f"AVERAGE({before})", old, theme.HELPER)
    page.formula(f"G{row}", short_formula(f"H{row}"), short(old), theme.HELPER)
    moved, stays = f'"from "&G{row}&" to "&F{row}', f'F{row}&"{_AS_IT_WAS}"'
    is_seen = short(new) != short(old)
    shown = f"from {short(old)} to {short(new)}" if is_seen else short(new) + _AS_IT_WAS
    page.formula(f"C{row}", f"IF(F{row}=G{row},{stays},{moved})", shown, theme.WRITTEN)
    formula, words = _verdict(lesson, f"H{row}", f"D{row}", old, new, of, cells)
    page.formula(f"E{row}", formula, words, Look(theme.CHECK, align="left", indent=1, wrap=True))


def _verdict(
    lesson: Lesson, before: str, after: str, old: float, new: float, of: str, cells: Mapping[str, str]
) -> tuple[str, str]:
    """The formula and the words of the answer."""
    count, batch = lesson.derivation.samples, lesson.definition.samples_a_batch
    down = DOWN.format(of=of)
    made_for = "sample alone" if batch == 1 else "batch alone"
    though = f"; the step was made for this {made_for}" if batch < count else ""
    up = UP.format(of=of, though=though)
    formula = f'IF(ABS({after}-{before})<={SAME_WITHIN:G},"{SAME}",IF({after}<{before},"{down}","{up}"))'
    words = SAME if abs(new - old) <= SAME_WITHIN else down if new < old else up
    if batch == 1:
        return formula, words
    place, size = cells[IN_BATCH], cells[BATCH_SIZE]
    seen, whole = (int(lesson.trace[name][lesson.iteration]) for name in (IN_BATCH, BATCH_SIZE))
    start, between, end = "Nothing moves yet: ", " of ", " samples of the batch are seen."
    formula = f'IF({place}<{size},"{start}"&{place}&"{between}"&{size}&"{end}",{formula})'
    return formula, f"{start}{seen}{between}{whole}{end}" if seen < whole else words


def _losses(
    page: Page, lesson: Lesson, column: int, when: str, weights: Mapping[str, str], cells: Mapping[str, str]
) -> tuple[str, float]:
    """Put down every sample passed through the network; give the range of the losses, and their mean."""
    derivation = lesson.derivation
    total, count = derivation.names.total_loss, derivation.samples
    page.text(address(_HEADER_ROW - 1, column), f"Working: {when} the update", Look(theme.HEADING))
    references = dict(weights)
    references |= {name: cells[name] for name in derivation.constants}
    number = f"ROW()-ROW({absolute(address(_HEADER_ROW, column))})"
    samples = sampled_contents(lesson, number, np.arange(count)) if count > 1 else {}
    references |= put_columns(page, derivation, _HEADER_ROW, column, samples)
    names = loss_columns(derivation)
    working = Working(derivation, names, column + len(samples), _HEADER_ROW, count, references)
    values = _values(lesson, when, count)
    working.put(page, values)
    return working.range(total), float(values[total].sum() / count)


def _values(lesson: Lesson, when: str, count: int) -> Trace:
    trace, iteration = lesson.trace, lesson.iteration
    changes = {
        name: np.full(count, trace.after(name, iteration) if when == "after" else trace[name][iteration])
        for name in lesson.derivation.learned
    }
    return evaluate(lesson.definition, changes, np.arange(count))
