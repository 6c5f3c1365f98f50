"""Which sheets a lesson has: what some of them need, and what is too large for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from itertools import pairwise

from msgspec import Struct
from openpyxl.workbook.workbook import Workbook

from xlbackprop.derivation import Derivation, derive
from xlbackprop.network import OPTIMISERS, Definition
from xlbackprop.walkthrough import Lesson
from xlbackprop.workbook.xlsx.page import Page

MOST_GRADIENTS = 150
MOST_LINES = 2000
MOST_RUN_COLUMNS = 2000
MOST_SURFACE_COLUMNS = 160
MOST_MATRIX_SIDE = 32
"""More rows or columns than this are not taken in at a glance, and the softmax of more outputs has a long formula."""
MOST_MATRIX_CELLS = 10_000


class Reason(Struct, frozen=True):
    """Why a workbook does not have a sheet."""

    words: str
    is_size: bool = False
    """Whether a smaller walkthrough would have it; another one has no use for it."""


def reason_against(name: str, definition: Definition, derivation: Derivation) -> Reason | None:
    """Why a workbook of this walkthrough does not have the sheet; None if it can."""
    reason = _REASONS.get(name)
    return reason(definition, derivation) if reason else None


def _data(definition: Definition, derivation: Derivation) -> Reason | None:
    one = Reason("there is only one sample, and it stands on the Walkthrough")
    return one if derivation.samples == 1 else None


def _lines(definition: Definition, derivation: Derivation) -> Reason | None:
    return _too_many("it would have {} lines", len(derivation.quantities), MOST_LINES)


def _learning_rates(definition: Definition, derivation: Derivation) -> Reason | None:
    from xlbackprop.workbook.panels.run import run_columns

    return _too_many("each training would have {} columns", len(run_columns(derivation)), MOST_RUN_COLUMNS)


def _optimisers(definition: Definition, derivation: Derivation) -> Reason | None:
    from xlbackprop.workbook.panels.run import run_columns

    if not definition.compare:
        return Reason("its definition compares nothing, as it has no [[compare]] sections")
    widest = max(len(run_columns(derive(compared))) for compared in definition.compared)
    return _too_many("one of the trainings would have {} columns", widest, MOST_RUN_COLUMNS)


def _gradient_check(definition: Definition, derivation: Derivation) -> Reason | None:
    return _too_many("it would measure {} gradients", len(derivation.learned), MOST_GRADIENTS)


def _loss_surface(definition: Definition, derivation: Derivation) -> Reason | None:
    from xlbackprop.workbook.sheets.loss_surface import point_columns

    columns = derivation.samples * len(point_columns(derivation))
    return _too_many("every point of it would take {} columns", columns, MOST_SURFACE_COLUMNS)


def _matrices(definition: Definition, derivation: Derivation) -> Reason | None:
    sizes, samples = derivation.labels.sizes, definition.samples_a_batch
    states = len(OPTIMISERS[definition.optimiser.name].states)
    weights = sum(before * units for before, units in pairwise(sizes))
    cells = weights * (6 + states) + 5 * samples * sum(sizes)
    return _too_many(
        "a matrix of it would have {} rows or columns", max(*sizes, samples), MOST_MATRIX_SIDE
    ) or _too_many("its matrices would have about {} cells", cells, MOST_MATRIX_CELLS)


def _too_many(words: str, found: int, most: int) -> Reason | None:
    too_many = Reason(f"{words.format(f'{found:,}')}, and {most:,} is the most", is_size=True)
    return too_many if found > most else None


_REASONS: Mapping[str, Callable[[Definition, Derivation], Reason | None]] = {
    "data": _data,
    "step-by-step": _lines,
    "your-turn": _lines,
    "learning-rates": _learning_rates,
    "matrices": _matrices,
    "optimisers": _optimisers,
    "gradient-check": _gradient_check,
    "loss-surface": _loss_surface,
}


SHEETS = (
    "start-here",
    "walkthrough",
    "data",
    "step-by-step",
    "matrices",
    "learning-rates",
    "optimisers",
    "gradient-check",
    "your-turn",
    "loss-surface",
)
"""The sheets in their order, by the name under which the command line knows them: its title, in small letters.

Each is filled by the function of its name, in the module of its name, which is loaded only when the sheet is made.
"""


def filler_of(name: str) -> Callable[[Workbook, Lesson], Page]:
    name = name.replace("-", "_")
    filler: Callable[[Workbook, Lesson], Page] = getattr(import_module(f"xlbackprop.workbook.sheets.{name}"), name)
    return filler


def name_of(title: str) -> str:
    return "-".join(title.lower().split())


def title_of(name: str) -> str:
    return name.replace("-", " ").capitalize()
