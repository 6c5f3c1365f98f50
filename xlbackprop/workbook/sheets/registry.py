"""The sheets that a workbook can have, one entry each: title, purpose, and what it needs."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from itertools import pairwise

from msgspec import Struct

from xlbackprop.derivation import Derivation, derive
from xlbackprop.network import OPTIMISERS, WALKTHROUGH, Definition
from xlbackprop.walkthrough import DATA, Lesson
from xlbackprop.workbook.xlsx.book import Workbook
from xlbackprop.workbook.xlsx.page import Page

PREDICTIONS_SHEET, OPTIMISERS_SHEET = "Predictions", "Optimisers"
"""The sheets that others speak of."""

MOST_GRADIENTS = 150
MOST_CONNECTIONS = 64
MOST_SCREEN = 165
"""Percent of a window of 1366 × 768; a smaller picture of it cannot be read from the back of a room."""
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


Reasons = Callable[[Definition, Derivation], Reason | None]
"""Why a workbook of a walkthrough does not have a sheet; None if it can."""


class Sheet(Struct, frozen=True):
    """A sheet of the workbook: everything that is said of it in one place.

    It is filled by the function of its name, in the module of its name, which is loaded only when the sheet is made.
    """

    title: str
    purpose: str
    """What it is for, on Start here."""
    reason_against: Reasons = lambda _definition, _derivation: None
    is_read_by_others: bool = False
    """Whether every workbook has it."""

    @property
    def name(self) -> str:
        """What the command line calls it: its title, in small letters."""
        return name_of(self.title)

    def fill(self, workbook: Workbook, lesson: Lesson) -> Page:
        """Add it to a workbook, filled."""
        function = self.name.replace("-", "_")
        filler: Filler = getattr(import_module(f"xlbackprop.workbook.sheets.{function}"), function)
        page = Page(workbook, self.title)
        filler(page, lesson)
        return page


Filler = Callable[[Page, Lesson], None]


def name_of(title: str) -> str:
    """A title as the command line spells it."""
    return "-".join(title.lower().split())


def _data(definition: Definition, derivation: Derivation) -> Reason | None:
    one = Reason("there is only one sample, and it stands on the Walkthrough")
    return one if derivation.samples == 1 else None


def _network(definition: Definition, derivation: Derivation) -> Reason | None:
    from xlbackprop.workbook.sheets.network import layout_of

    connections = sum(before * units for before, units in pairwise(derivation.names.sizes))
    return _too_many("it would have {} pairs of arrows", connections, MOST_CONNECTIONS) or _too_many(
        "its picture would be {} % of a screen wide or high", layout_of(derivation).size, MOST_SCREEN
    )


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
    from xlbackprop.workbook.panels.loss_grid import point_columns

    columns = derivation.samples * len(point_columns(derivation))
    return _too_many("every point of it would take {} columns", columns, MOST_SURFACE_COLUMNS)


def _predictions(definition: Definition, derivation: Derivation) -> Reason | None:
    from xlbackprop.workbook.sheets.predictions import passed_columns

    return _too_many("every point of it would take {} columns", len(passed_columns(derivation)), MOST_SURFACE_COLUMNS)


def _matrices(definition: Definition, derivation: Derivation) -> Reason | None:
    sizes, samples = derivation.names.sizes, definition.samples_a_batch
    states = len(OPTIMISERS[definition.optimiser.name].states)
    weights = sum(before * units for before, units in pairwise(sizes))
    cells = weights * (6 + states) + 5 * samples * sum(sizes)
    return _too_many(
        "a matrix of it would have {} rows or columns", max(*sizes, samples), MOST_MATRIX_SIDE
    ) or _too_many("its matrices would have about {} cells", cells, MOST_MATRIX_CELLS)


def _too_many(words: str, found: int, most: int) -> Reason | None:
    too_many = Reason(f"{words.format(f'{found:,}')}, and {most:,} is the most", is_size=True)
    return too_many if found > most else None


SHEETS = (
    Sheet("Start here", "what this is, what to change first, the notation, links"),
    Sheet(WALKTHROUGH, "the network, its derivation, and a table with one row an iteration", is_read_by_others=True),
    Sheet(DATA, "the samples that the network learns from, and what it says to each of them", _data, True),
    Sheet(PREDICTIONS_SHEET, "what the network says to its samples, and to what lies between them", _predictions),
    Sheet("Network", "both passes of one iteration, drawn, and one weight's way to the loss", _network),
    Sheet("Step by step", "one iteration, line by line, with its numbers put in", _lines),
    Sheet("Matrices", "one iteration as matrices, every product beside and below its factors", _matrices),
    Sheet("Learning rates", "the same network trained at several learning rates side by side", _learning_rates),
    Sheet(OPTIMISERS_SHEET, "the same network trained by several optimisers side by side", _optimisers),
    Sheet("Gradient check", "every gradient compared with the slope of the loss itself", _gradient_check),
    Sheet("Your turn", "one iteration by hand: you type, it says at once what is right", _lines),
    Sheet("Loss surface", "how the loss depends on two of the weights", _loss_surface),
    Sheet("Handout", "for a class, on paper: network and derivation, then the first iterations"),
)
"""The sheets in their order."""
