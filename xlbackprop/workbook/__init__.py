"""The workbook: a definition, its derivation and its trace put together into an Excel file."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from openpyxl.packaging.core import DocumentProperties
from openpyxl.packaging.custom import StringProperty
from openpyxl.workbook.workbook import Workbook

from xlbackprop.arrangement import arrange
from xlbackprop.definition import Definition
from xlbackprop.derivation import derive
from xlbackprop.embedded import to_properties
from xlbackprop.engine import train
from xlbackprop.workbook import theme
from xlbackprop.workbook.walkthrough import walkthrough
from xlbackprop.workbook.writer import save

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
    for name, text in to_properties(definition).items():
        workbook.custom_doc_props.append(StringProperty(name=name, value=text))
    workbook.security = None  # openpyxl would write an empty element, which Gnumeric warns of
    workbook.calculation.fullCalcOnLoad = True
    theme.add_styles(workbook)
    arrangement = arrange(derive(definition), definition.iterations, columns)
    page = walkthrough(workbook, definition, arrangement, train(definition))
    save(workbook, {page.sheet.title: page.content()}, path)
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
