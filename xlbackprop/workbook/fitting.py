"""Which sheets a lesson has: what some of them need, and what is too large for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise

from xlbackprop.derivation import derive
from xlbackprop.optimisers import OPTIMISERS
from xlbackprop.workbook.lesson import Lesson

MOST_GRADIENTS = 150
MOST_LINES = 2000
MOST_RUN_COLUMNS = 2000
MOST_SURFACE_COLUMNS = 160
MOST_MATRIX_SIDE = 32
"""More rows or columns than this are not taken in at a glance, and the softmax of more outputs has a long formula."""
MOST_MATRIX_CELLS = 10_000


def reason_against(name: str, lesson: Lesson) -> str | None:
    """Why a workbook of this lesson does not have the sheet; None if it can."""
    reason = _REASONS.get(name)
    return reason(lesson) if reason else None


def _data(lesson: Lesson) -> str | None:
    return "there is only one sample, and it stands on the Walkthrough" if lesson.derivation.samples == 1 else None


def _lines(lesson: Lesson) -> str | None:
    return _too_many("it would have {} lines", len(lesson.derivation.quantities), MOST_LINES)


def _learning_rates(lesson: Lesson) -> str | None:
    from xlbackprop.workbook.training import run_columns

    return _too_many("each training would have {} columns", len(run_columns(lesson.derivation)), MOST_RUN_COLUMNS)


def _optimisers(lesson: Lesson) -> str | None:
    from xlbackprop.workbook.training import run_columns

    if not lesson.definition.compare:
        return "its definition compares nothing, as it has no [[compare]] sections"
    widest = max(len(run_columns(derive(compared))) for compared in lesson.definition.compared)
    return _too_many("one of the trainings would have {} columns", widest, MOST_RUN_COLUMNS)


def _gradient_check(lesson: Lesson) -> str | None:
    return _too_many("it would measure {} gradients", len(lesson.derivation.learned), MOST_GRADIENTS)


def _loss_surface(lesson: Lesson) -> str | None:
    activations = sum(map(len, lesson.derivation.labels.activations))
    columns = lesson.derivation.samples * (activations + 1)
    return _too_many("every point of it would take {} columns", columns, MOST_SURFACE_COLUMNS)


def _matrices(lesson: Lesson) -> str | None:
    sizes, samples = lesson.derivation.labels.sizes, lesson.definition.samples_a_batch
    states = len(OPTIMISERS[lesson.definition.optimiser.name].states)
    weights = sum(before * units for before, units in pairwise(sizes))
    cells = weights * (6 + states) + 5 * samples * sum(sizes)
    return _too_many(
        "a matrix of it would have {} rows or columns", max(*sizes, samples), MOST_MATRIX_SIDE
    ) or _too_many("its matrices would have about {} cells", cells, MOST_MATRIX_CELLS)


def _too_many(words: str, found: int, most: int) -> str | None:
    return f"{words.format(f'{found:,}')}, and {most:,} is the most" if found > most else None


_REASONS: Mapping[str, Callable[[Lesson], str | None]] = {
    "data": _data,
    "step-by-step": _lines,
    "your-turn": _lines,
    "learning-rates": _learning_rates,
    "matrices": _matrices,
    "optimisers": _optimisers,
    "gradient-check": _gradient_check,
    "loss-surface": _loss_surface,
}
