"""The sheet Optimisers: the same training once with each of several optimisers, with their settings and curves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from msgspec.structs import replace

from xlbackprop.derivation import Derivation, derive
from xlbackprop.engine import train
from xlbackprop.ground.grid import address, column_letter
from xlbackprop.network import LEARNING_RATE, OPTIMISERS, SETTINGS
from xlbackprop.symbols import text_from
from xlbackprop.walkthrough import Lesson
from xlbackprop.workbook.panels.comparison import NAME_ROW, Compared, Summary
from xlbackprop.workbook.panels.equal_loss import put_dots
from xlbackprop.workbook.panels.loss_grid import point_columns
from xlbackprop.workbook.panels.paths import put_paths
from xlbackprop.workbook.panels.run import put_setting
from xlbackprop.workbook.panels.working import put_choices
from xlbackprop.workbook.sheets.loss_surface import varied_weights
from xlbackprop.workbook.sheets.registry import MOST_SURFACE_COLUMNS
from xlbackprop.workbook.xlsx import theme
from xlbackprop.workbook.xlsx.charts import Curve
from xlbackprop.workbook.xlsx.page import Page
from xlbackprop.workbook.xlsx.theme import Look

_NONE = "–"
"""Stands where an optimiser does not have the setting."""
_FEWEST_COLUMNS = 6
"""How many columns the charts cover at least."""


def setting_names(runs: Sequence[Derivation]) -> tuple[str, ...]:
    """The settings that the optimiser of any of the runs has, in the order of their rows."""
    had = {name for run in runs for name in run.settings}
    return (LEARNING_RATE, *(setting.symbol for setting in SETTINGS if setting.symbol in had))


def setting_cell(runs: Sequence[Derivation], name: str, index: int) -> str:
    """The address of a setting of the run number `index`, counted from 0."""
    return address(NAME_ROW + 1 + setting_names(runs).index(name), index + 2)


def optimisers(page: Page, lesson: Lesson) -> None:
    """Fill the sheet; the engine gives the values that its formulas have."""
    derivations = [derive(compared) for compared in lesson.definition.compared]
    names = setting_names(derivations)
    has_paths = len(lesson.derivation.learned) > 1
    summary = Summary(page, lesson, "optimiser", NAME_ROW + 1 + len(names), has_paths, verdict_lines=2)
    summary.head("Optimisers: what do they make of a gradient?", "with each optimiser", "optimiser")
    for row, name in enumerate(names, NAME_ROW + 1):
        page.text(f"A{row}", _words(derivations, name), Look(align="right"))
    places, column = summary.begin(", each optimiser with its own update")
    runs, trained = list[Compared](), list[float | str]()
    for index in range(len(derivations)):
        run = _run(summary, derivations, index, places, column)
        trained.append(summary.put(run))
        runs.append(run)
        column += summary.width(derivations[index]) + 1
    none = "With none of these optimisers is the network trained."
    summary.fastest(runs, trained, "Trained first with ", none, text_from)
    last = max(_FEWEST_COLUMNS, 1 + len(runs))
    summary.charts(runs, "Loss with each optimiser", (2, last))
    if summary.has_paths:
        weights, valley = varied_weights(lesson.derivation.names), list[Curve]()
        paths = put_paths(page, runs, weights, summary.header_row, column)
        columns = lesson.derivation.samples * len(point_columns(lesson.derivation))
        # of more weights, the loss depends on more than where a path is
        if len(lesson.derivation.learned) == len(weights) and columns <= MOST_SURFACE_COLUMNS:
            valley = put_dots(page, lesson, places, paths.extents, summary.header_row, paths.next_column)
        summary.paths(paths.curves, weights, last, valley)
    page.widths("A", 52)
    page.widths((column_letter(index) for index in range(2, column)), 13)
    named = {*range(2, last + 1), *(run.working.first_column for run in runs)}
    page.widths(map(column_letter, named), 18)
    summary.handout(last)


def _run(
    summary: Summary, derivations: Sequence[Derivation], index: int, places: dict[str, str], first_column: int
) -> Compared:
    """Put down the name and the settings of a run, over its working those that are used, and train it."""
    page, derivation = summary.page, derivations[index]
    name, column = _names(summary.lesson)[index], column_letter(index + 2)
    page.text(f"{column}{NAME_ROW}", name, theme.COLUMN_HEAD)
    choices = []
    for symbol in setting_names(derivations):
        cell, setting = setting_cell(derivations, symbol, index), derivation.settings.get(symbol)
        if setting is None:
            page.text(cell, _NONE, Look(align="right"))
        else:
            choices.append((symbol, put_setting(page, cell, setting).used(setting.least), setting.value))
    row = summary.header_row - 2
    page.text(address(row, first_column), name, Look(theme.HEADING))
    cells = put_choices(page, choices, row, first_column)
    references = places | {symbol: cell for (symbol, _, _), cell in zip(choices, cells, strict=True)}
    definition = replace(summary.lesson.definition.compared[index], iterations=summary.iterations)
    return summary.run(
        definition, derivation, train(definition), references, first_column=first_column, name=name, column=column
    )


def _names(lesson: Lesson) -> list[str]:
    """What the runs are called: their optimisers, numbered where one of them runs several times."""
    titles = [OPTIMISERS[each.optimiser.name].title for each in lesson.definition.compare]
    runs, names = Counter(titles), []
    for index, title in enumerate(titles):
        names.append(title if runs[title] == 1 else f"{title} {titles[: index + 1].count(title)}")
    return names


def _words(runs: Sequence[Derivation], name: str) -> str:
    """What stands before the row of a setting: its symbol, and in few words what it is."""
    sentence = next(run.settings[name].sentence for run in runs if name in run.settings)
    return f"{name}, {sentence.partition(':')[0]}"
