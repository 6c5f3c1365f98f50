"""Which sheets a lesson has: what some of them need, and what is too large for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from xlbackprop.workbook.lesson import Lesson

MOST_GRADIENTS = 150
MOST_LINES = 2000
MOST_RUN_COLUMNS = 2000
MOST_SURFACE_COLUMNS = 160


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


def _gradient_check(lesson: Lesson) -> str | None:
    return _too_many("it would measure {} gradients", len(lesson.derivation.learned), MOST_GRADIENTS)


def _loss_surface(lesson: Lesson) -> str | None:
    activations = sum(map(len, lesson.derivation.labels.activations))
    columns = lesson.derivation.samples * (activations + 1)
    return _too_many("every point of it would take {} columns", columns, MOST_SURFACE_COLUMNS)


def _too_many(words: str, found: int, most: int) -> str | None:
    return f"{words.format(f'{found:,}')}, and {most:,} is the most" if found > most else None


_REASONS: Mapping[str, Callable[[Lesson], str | None]] = {
    "data": _data,
    "step-by-step": _lines,
    "your-turn": _lines,
    "learning-rates": _learning_rates,
    "gradient-check": _gradient_check,
    "loss-surface": _loss_surface,
}
