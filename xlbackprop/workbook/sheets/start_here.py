"""The sheet Start here: what the workbook is, what to change first, its notation, its cells and its other sheets."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from xlbackprop.derivation import Role
from xlbackprop.network import ACTIVATIONS, BATCH_SIZE, EPOCH, IN_BATCH, MEAN_LOSS, UPDATE, derivative
from xlbackprop.symbols import Call, Mathematics, Symbol
from xlbackprop.walkthrough import Lesson
from xlbackprop.workbook.sheets.questions import questions
from xlbackprop.workbook.sheets.registry import SHEETS
from xlbackprop.workbook.xlsx import theme
from xlbackprop.workbook.xlsx.page import Page
from xlbackprop.workbook.xlsx.theme import Look

_WHAT = (
    "A small neural network learns here, with every number in the open. All but a few of them are formulas: change "
    "one in bold blue, and the table, the diagram, the sentences and the charts follow."
)
_WIDTHS = {"A": 12.5, "B": 59.5, "C": 0.5, "D": 10.5, "E": 64.0}
"""Characters."""

_ROW_HEIGHT = 17
"""Points: high enough for the symbols, low enough for one screen."""

_LINE, _TEACHING_LINE = 84, 140
_TOP_ROW = 4
_CELLS = (
    (theme.INPUT, "0.15", "bold blue: yours to change"),
    (theme.CALCULATION, "0.0275", "calculated: follows by itself"),
    (theme.RESULT, "0.0142", "bold: the result to watch"),
    (theme.CHECK, "0 right", "slanted: a check or a verdict"),
)


def start_here(page: Page, lesson: Lesson) -> None:
    """Fill the sheet, with links to those sheets that the workbook has."""
    for letter, width in _WIDTHS.items():
        page.widths(letter, width)
    definition = lesson.definition
    page.headline("A1", definition.title, sum(_WIDTHS.values()))
    page.heights(1, 1)
    for place, words in enumerate(textwrap.wrap(definition.teaches, _TEACHING_LINE), 2):
        page.text(f"A{place}", words)
    row = _prose(page, _TOP_ROW, "What this is", _WHAT)
    row = _questions(page, row + 1, lesson)
    row = _sheets(page, row + 1, lesson.sheets)
    row = max(row, _cells(page, _notation(page, _TOP_ROW, lesson) + 1))
    for line in range(_TOP_ROW, row):
        page.height(line, _ROW_HEIGHT)
    page.fit_screen("E")
    page.handout(definition.title, f"A1:E{row - 1}")


def _prose(page: Page, row: int, heading: str, text: str) -> int:
    page.section(row, "AB", heading)
    for line in textwrap.wrap(text, _LINE):
        row += 1
        page.text(f"A{row}", line)
    return row + 1


def _questions(page: Page, row: int, lesson: Lesson) -> int:
    """What to predict before it is tried, each with a link to its cell."""
    page.section(row, "AB", "Predict, then try")
    for question in questions(lesson):
        row += 1
        page.link(f"A{row}", question.label, question.sheet, question.cell)
        page.text(f"B{row}", question.words)
    return row + 1


def _sheets(page: Page, row: int, titles: tuple[str, ...]) -> int:
    page.section(row, "AB", "The sheets")
    for sheet in SHEETS:
        if sheet.title in titles and sheet.title != page.title:
            row += 1
            page.link(f"A{row}", sheet.title, sheet.title, "A1")
            page.text(f"B{row}", sheet.purpose)
    return row + 1


def _notation(page: Page, row: int, lesson: Lesson) -> int:
    typesetter = lesson.typesetter
    page.section(row, "DE", "The notation")
    for symbol, role, words in _entries(lesson):
        row += 1
        page.typeset(f"D{row}", typesetter.set(symbol), Look(theme.SYMBOL, role))
        page.typeset(f"E{row}", typesetter.set(words), theme.PROSE)
    return row + 1


def _entries(lesson: Lesson) -> Iterator[tuple[str, Role, str]]:
    """One quantity of every kind, as an example of its kind, then η and σ."""
    derivation, names = lesson.derivation, lesson.derivation.names
    examples = [names.inputs[0], names.targets[0], names.weights[0][0][0]]
    examples += [bias for biases in names.biases for bias in biases][:1]
    if len(names.activations) > 1:
        examples += [names.pre_activations[0][0], names.activations[0][0]]
    examples += [names.activations[-1][0], names.losses[0], names.total_loss]
    examples += [derivative(names.total_loss, names.weights[0][0][0])]
    examples += [name for name in (EPOCH, IN_BATCH, BATCH_SIZE, UPDATE) if name in derivation.quantities]
    mean = derivative(MEAN_LOSS, names.weights[0][0][0])
    examples += [mean] if mean in derivation.quantities else []
    for name in examples:
        yield name, derivation[name].role, derivation[name].sentence
    for name in derivation.of_role(Role.MEMORY)[:1]:
        yield name, Role.MEMORY, derivation[name].sentence
    for setting in derivation.settings.values():
        yield setting.name, Role.TARGET, setting.sentence
    for kind in sorted({layer.activation for layer in lesson.definition.layers} & ACTIVATIONS.keys()):
        activation = ACTIVATIONS[kind]
        if isinstance(call := activation.written(Symbol("x")), Call):
            yield Mathematics().read(call), Role.TARGET, f"= {Mathematics().read(call.body)}"


def _cells(page: Page, row: int) -> int:
    page.section(row, "DE", "The cells")
    for style, example, words in _CELLS:
        row += 1
        page.text(f"D{row}", example, Look(style, align="right", indent=1))
        page.text(f"E{row}", words, theme.PROSE)
    row += 1
    page.text(f"D{row}", "Each kind of number has its colour, the same on every sheet: see the symbols above.")
    row += 1
    page.text(f"D{row}", "All else is protected from slips; Review, Unprotect Sheet lifts that (no password).")
    return row + 1
