"""The workbook: a definition, its derivation and its trace put together into an Excel file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from openpyxl.packaging.core import DocumentProperties
from openpyxl.workbook.workbook import Workbook

from xlbackprop.arrangement import arrange
from xlbackprop.definition import Definition
from xlbackprop.derivation import derive
from xlbackprop.engine import train
from xlbackprop.workbook import theme
from xlbackprop.workbook.lesson import Lesson
from xlbackprop.workbook.page import Page
from xlbackprop.workbook.sheets.gradient_check import gradient_check
from xlbackprop.workbook.sheets.learning_rates import learning_rates
from xlbackprop.workbook.sheets.loss_surface import loss_surface
from xlbackprop.workbook.sheets.walkthrough import walkthrough
from xlbackprop.workbook.writer import save

SHEETS: Mapping[str, Callable[[Workbook, Lesson], Page]] = {
    "walkthrough": walkthrough,
    "learning-rates": learning_rates,
    "gradient-check": gradient_check,
    "loss-surface": loss_surface,
}
"""The sheets in their order, by the name under which the command line knows them."""

_NO_TIME = datetime(2000, 1, 1)
"""The real time of writing would make equal workbooks differ."""


def build(definition: Definition, path: str | Path, *, columns: str = "compact") -> Path:
    """Write the workbook of a walkthrough.

    Args:
        definition: what to compute; see `load`.
        path: the file to write, `.xlsx`; an existing one is replaced only by a complete new one.
        columns: `compact` for the columns of the original sheet, `full` for every link of the chain rule.

    Returns:
        The path written.

    Raises:
        UserError: the file cannot be written.
    """
    path = Path(path)
    workbook = Workbook()
    workbook.remove(workbook.active)
    workbook.properties = _properties(definition)
    workbook.security = None  # openpyxl would write an empty element, which Gnumeric warns of
    workbook.calculation.fullCalcOnLoad = True
    theme.add_styles(workbook)
    arrangement = arrange(derive(definition), definition.iterations, columns)
    lesson = Lesson(definition, arrangement, train(definition))
    pages = [fill(workbook, lesson) for fill in SHEETS.values()]
    save(workbook, {page.sheet.title: page.content() for page in pages}, path)
    return path


def _properties(definition: Definition) -> DocumentProperties:
    return DocumentProperties(
        title=definition.title,
        description=definition.teaches,
        creator="xlbackprop",
        language="en",
        created=_NO_TIME,
        modified=_NO_TIME,
    )
