"""One workbook checked: read, recalculated, recognised, judged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from xlbackprop.checker.calculation.verdict import TooLargeError, judge_calculation
from xlbackprop.checker.confirmation import judged, with_labels
from xlbackprop.checker.file import recalculate
from xlbackprop.checker.file.book import Book, relationships
from xlbackprop.checker.file.book import read as read_book
from xlbackprop.checker.file.container import UnreadableError
from xlbackprop.checker.file.values import Values
from xlbackprop.checker.judgement.slip_search import Budget
from xlbackprop.checker.report.findings import Report
from xlbackprop.checker.summary import summary
from xlbackprop.checker.table.column_map import Map
from xlbackprop.checker.table.recognise import IterationTable, mapped
from xlbackprop.checker.table.recognise import tables as tables_of
from xlbackprop.checker.table.understand import understand
from xlbackprop.checker.worlds import Shape
from xlbackprop.derivation import derive
from xlbackprop.ground.errors import did_you_mean
from xlbackprop.network import (
    CONSTANT,
    GRADIENT_DESCENT,
    WALKTHROUGH,
    WEIGHT_DECAY,
    Definition,
    from_workbook,
    short_label,
)

_MOST_OF_OURS = 15_000
"""Formulas of a walkthrough of ours with batches or another optimiser: five seconds' work."""


class Checked(Struct, frozen=True):
    """A report, and the workbook that it is about where that could be read."""

    report: Report
    book: Book | None


@np.errstate(all="ignore")  # what is not finite is told, or proves nothing: nobody has to be warned of it
def checked(
    path: Path,
    *,
    engine: str = "ironcalc",
    table_map: Map | None = None,
    read: Callable[[int], None] = lambda formulas: None,
) -> Checked:
    """A workbook's report, and what was read of it.

    Args:
        path: the file.
        engine: what recalculates it, `ironcalc` or `libreoffice`.
        table_map: where the quantities stand, when the labels do not say it.
        read: called once the file is read, with the number of its formulas.

    Raises:
        UserError: LibreOffice was asked for and is not there.
    """
    embedded = recalculate.Engine() if engine == "ironcalc" else None
    try:
        book = read_book(path)
        definition = None if table_map is not None else _definition(book)
        beyond = _beyond(definition)
        ours = None if definition is None else book.by_name.get(WALKTHROUGH)
        sheets = book.sheets if ours is None else book.with_all_they_read([ours])
        formulas = sum(sheet.formulas for sheet in sheets)
        if beyond and formulas > _MOST_OF_OURS:
            return Checked(Report(str(path), "not_recognised", beyond), book)
        read(formulas)
        if embedded is not None and formulas:
            embedded.ask(book, sheets)
        wanted = None if table_map is None else table_map.sheet
        if wanted is not None and wanted not in book.by_name:
            missing = f'there is no sheet "{wanted}", which the map names; {did_you_mean(wanted, book.by_name)}'
            return Checked(Report(str(path), "not_recognised", missing), book)
        calculation = None
        if beyond or definition is None:
            calculation = judge_calculation(replace(book, sheets=tuple(sheets)))
        if beyond and calculation is not None:
            ours_alone = tuple(training for training in calculation.trainings if training.sheet == WALKTHROUGH)
            calculation = replace(calculation, trainings=ours_alone)
        found = [] if beyond else _find(book, table_map, definition)
        understood = [understand(book, table) for table in with_labels(calculation, found)]
        if not formulas:
            recalculated = recalculate.Recalculated(Values())
        else:
            recalculated = embedded.answer() if embedded else recalculate.with_libreoffice(book, sheets)
        budget = Budget()
        verdicts = [
            judged(book, trees, meaning, recalculated.values, budget, calculation) for trees, meaning in understood
        ]
        report = summary(path, book, verdicts, calculation, recalculated, budget)
        if beyond and report.status == "not_recognised":
            report = replace(report, message=beyond)
        return Checked(report, book)
    except TooLargeError:
        return Checked(Report(str(path), "not_recognised", f"too large to judge: {book.formulas:,} formulas"), book)
    except UnreadableError as error:
        return Checked(Report(str(path), "unreadable", str(error)), None)
    except RecursionError:
        message = "its formulas refer to one another more deeply than can be followed"
        return Checked(Report(str(path), "unreadable", message), None)
    finally:
        if embedded is not None:
            embedded.stop()


def _find(book: Book, table_map: Map | None, definition: Definition | None) -> list[IterationTable]:
    if table_map is not None:
        wanted = [sheet for sheet in book.sheets if table_map.sheet in (None, sheet.name)]
        return [
            table
            for sheet in wanted
            for table in mapped(
                sheet,
                table_map.columns,
                table_map.header,
                transposed=table_map.layout == "columns",
                activations=table_map.activations,
                loss=table_map.loss,
            )
        ]
    ours = book.by_name.get(WALKTHROUGH)
    if definition is not None and ours is not None:
        return tables_of(ours, _labels(definition), _shape(definition))
    return [table for sheet in book.sheets for table in tables_of(sheet, {})]


def _definition(book: Book) -> Definition | None:
    """The definition that a workbook of ours carries."""
    part = next((part for kind, part in relationships(book.container, "").values() if kind == "custom-properties"), "")
    elements = book.container.tree(part).all("property") if part in book.container.names else ()
    properties = {element.attributes.get("name", ""): element.content() for element in elements}
    texts = (str(cell.value) for sheet in book.sheets for _, cell in sheet.texts)
    return from_workbook(properties, texts)


def _labels(definition: Definition) -> dict[str, str]:
    """The labels of a workbook of ours, with the name that the checker uses for each quantity."""
    classic = derive(replace(definition, notation="classic"))
    return {short_label(own): name for own, name in zip(derive(definition).quantities, classic.quantities, strict=True)}


def _shape(definition: Definition) -> Shape:
    counts = tuple(len(layer.biases) for layer in definition.layers)
    activations = tuple(layer.activation for layer in definition.layers)
    return Shape(definition.names.sizes, counts, definition.train_biases, activations, definition.loss)


def _beyond(definition: Definition | None) -> str:
    """What in a workbook of ours labels cannot judge: updates that need more than the gradient of their own row."""
    if definition is None:
        return ""
    method = definition.optimiser
    reasons = [
        f"the optimiser {method.name}" if method.name != GRADIENT_DESCENT.name else "",
        "weight decay" if method.settings[WEIGHT_DECAY.key] else "",
        "a learning-rate schedule" if definition.schedule.name != CONSTANT.name else "",
        "batches of several samples" if definition.samples_a_batch > 1 else "",
    ]
    named = [reason for reason in reasons if reason]
    return f"this walkthrough trains with {' and '.join(named)}, which check does not judge yet" if named else ""
