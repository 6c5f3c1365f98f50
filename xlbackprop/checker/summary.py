"""What was found in a workbook, summed up in one report."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence
from pathlib import Path

from msgspec.structs import replace

from xlbackprop.checker.calculation.names import cells_of_sheets, label
from xlbackprop.checker.calculation.own_numbers import OwnNumbers, own_numbers
from xlbackprop.checker.calculation.verdict import CalculationVerdict, Training, judged_words, not_judged_words
from xlbackprop.checker.confirmation import confirmed
from xlbackprop.checker.file import recalculate
from xlbackprop.checker.file.book import Book
from xlbackprop.checker.file.formula import Position
from xlbackprop.checker.file.values import Values
from xlbackprop.checker.judgement.numberless import (
    CIRCLE,
    empty_given_cells,
    error_cells,
    error_findings,
    is_broken,
    numberless_cells,
    unread_cells,
)
from xlbackprop.checker.judgement.slip_search import Budget
from xlbackprop.checker.judgement.table_judge import Verdict
from xlbackprop.checker.notes.effect import effect
from xlbackprop.checker.notes.surroundings import look_around
from xlbackprop.checker.report.findings import Finding, LearningRate, Note, Report, TableFound, shortened
from xlbackprop.checker.table.readings import words_of
from xlbackprop.ground.errors import count
from xlbackprop.ground.grid import Coordinates, address, cells_of, column_letter, column_number, ranges


def summary(
    path: Path,
    book: Book,
    verdicts: Sequence[Verdict],
    calculation: CalculationVerdict | None,
    recalculated: recalculate.Recalculated,
    budget: Budget,
) -> Report:
    """The report on one workbook, from what its tables and its calculation are."""
    recognised = [verdict for verdict in verdicts if not verdict.declined and verdict.judged]
    held = confirmed(recognised, calculation, recalculated.values)
    ours = list(held.verdicts)
    order = {sheet.name: index for index, sheet in enumerate(book.sheets)}
    placed = [(order[f.sheet], place.step, place.turn, f) for verdict in ours for place, f in verdict.findings]
    numbers = OwnNumbers()
    if calculation is not None:
        in_tables = {(verdict.found.sheet, cell) for verdict in ours for cell in cells_of(verdict.found.range)}
        numbers = own_numbers(calculation, recalculated.values, in_tables, [finding for *_, finding in placed])
    unplaced = [*numbers.findings, *(finding for finding in held.findings if finding.sheet not in numbers.unsound)]
    placed += [(order[f.sheet], next(cells_of(f.cells[0]))[0], 0, f) for f in unplaced]
    reported = {(f.sheet, cell) for *_, f in placed for block in f.cells for cell in cells_of(block)}
    for verdict in ours:
        for finding in numberless_cells(book, verdict.table, recalculated.values):
            held_by = {(finding.sheet, cell) for block in finding.cells for cell in cells_of(block)}
            lacking = recalculated.values.without_number(finding.sheet)
            without = {(sheet, *place) for sheet, place in held_by if place in lacking}
            if not (held_by & reported or (without and without <= numbers.spoilt)):
                placed.append((order[finding.sheet], min(held_by)[1][0], 0, finding))
                reported |= held_by
    if calculation is not None:
        for finding in _errors(book, calculation, recalculated.values, reported):
            placed.append((order[finding.sheet], next(cells_of(finding.cells[0]))[0], 0, finding))
    findings = tuple(_as_it_stands(book, item[3]) for item in sorted(placed, key=lambda item: item[:3]))
    notes = [note for verdict in ours for note in (*_recognition(verdict), *verdict.notes, *effect(verdict))]
    notes += held.notes
    if recalculated.problem:
        notes.append(Note("", (), "not_recalculated", f"{recalculated.problem}; the stored values were used"))
    trainings = [] if calculation is None else _other_trainings(calculation, ours)
    for verdict in verdicts:
        if verdict.declined and (ours or trainings) and not _is_judged(verdict, trainings):
            cells = (verdict.found.range,)
            notes.append(Note(verdict.found.sheet, cells, "declined", f"this table was not judged: {verdict.declined}"))
    notes = list(_once([*notes, *look_around(book, ours, recalculated.values, budget)]))
    found = (
        *(verdict.found for verdict in ours),
        *(_found(calculation, training, recalculated) for training in trainings if calculation is not None),
    )
    notes += _rates(found, calculation)
    judged = _judged(ours, calculation)
    unread = [
        f"{verdict.found.sheet}!{shortened(ranges(unread_places))} gives no number"
        for verdict in ours
        if not (findings or recalculated.problem)
        and (unread_places := unread_cells(verdict.table, recalculated.values))
    ]
    unread += [
        f"{verdict.found.sheet}!{shortened(ranges(empty))} is read, but empty"
        for verdict in ours
        if (empty := empty_given_cells(verdict.table))
    ]
    unjudged = (*unread, *numbers.doubts, *held.doubts, *_not_judged(verdicts, trainings, calculation))
    not_judged = tuple(dict.fromkeys(unjudged))
    doubts = [*unread, *numbers.doubts, *held.doubts, *(() if calculation is None else _loose(calculation, ours))]
    if not (found or findings):
        declined = _declined(book, verdicts, calculation, recalculated.values)
        return Report(str(path), "not_recognised", declined, found, (), tuple(notes), judged, not_judged)
    where = _counted(found)
    if doubts and not findings:
        declined = f"not all could be judged of {where}: {'; '.join(dict.fromkeys(doubts))}"
        return Report(str(path), "not_recognised", declined, found, (), tuple(notes), judged, not_judged)
    if not findings:
        number = sum(verdict.judged for verdict in ours) + sum(len(training.cells) for training in trainings)
        message = f"no mistake in {where}: {number:,} cells judged"
        return Report(str(path), "ok", message, found, findings, tuple(notes), judged, not_judged)
    first = findings[0]
    size = sum(_size(block) for finding in findings for block in finding.cells)
    message = (
        f"{count(len(findings), 'mistake')} in {count(size, 'cell')}{f' of {where}' if found else ''}; the first is in"
        f" {first.sheet}!{first.cells[0].partition(':')[0]}: {first.message}"
    )
    return Report(str(path), "mistakes", message, found, findings, tuple(notes), judged, not_judged)


def _as_it_stands(book: Book, finding: Finding) -> Finding:
    """A finding about a cell of an array formula, with the formula that people see there."""
    first = next(cells_of(finding.cells[0]))
    array = book.by_name[finding.sheet].content.arrays.get(first)
    return finding if array is None else replace(finding, found=array)


def _counted(found: Sequence[TableFound]) -> str:
    """How much was found, in words."""
    tables = [table for table in found if table.counted == "rows"]
    parts = [f"{count(len(tables), 'table')} with {count(sum(one.rows for one in tables), 'row')}"] if tables else []
    if trainings := [training for training in found if training.counted == "steps"]:
        sheets = len({training.sheet for training in trainings})
        steps = count(sum(training.rows for training in trainings), "step")
        parts.append(f"{steps} of training" + (f" on {sheets} sheets" if sheets > 1 else ""))
    return " and ".join(parts)


def _once(notes: Iterable[Note]) -> Iterator[Note]:
    """The notes, one that is the same on several sheets once, with the names of the others."""
    alike: dict[tuple[str, str], list[Note]] = {}
    for note in notes:
        alike.setdefault((note.kind, note.message), []).append(note)
    for first, *rest in alike.values():
        others = [sheet for sheet in dict.fromkeys(note.sheet for note in rest) if sheet != first.sheet]
        if first.kind == "recognition" or not others:
            yield from (first, *rest)
        else:
            yield replace(first, message=f"{first.message}; the same on {', '.join(others)}")


def _rates(found: Iterable[TableFound], calculation: CalculationVerdict | None) -> Iterator[Note]:
    """One note for each learning rate by which nothing is descended; updates that add a gradient have negative ones."""
    is_added = calculation is not None and any(descent.factor < 0 for descent in calculation.descents)
    rates = {(table.learning_rate.cell, table.learning_rate.value): table.sheet for table in found}
    for (cell, value), sheet in rates.items():
        if cell is not None and value is not None and (value == 0 or (value < 0 and not is_added)):
            what = "the updates climb the loss" if value else "nothing moves"
            yield Note(sheet, (cell,), "rate_of_no_descent", f"the learning rate in {cell} is {value:g}: {what}")


def _loose(calculation: CalculationVerdict, verdicts: Sequence[Verdict]) -> Iterator[str]:
    """The updates outside the tables, beside some that were judged, that were not, or that nothing is told of."""
    graph = calculation.graph
    tables = {verdict.found.sheet for verdict in verdicts}
    sheets = Counter(graph.positions[node][0] for node in calculation.loose.tolist())
    labelled = {
        (verdict.found.sheet, *verdict.table.coordinates(line, step))
        for verdict in (() if calculation.descents else verdicts)
        for line in (*verdict.table.lines.values(), *verdict.meaning.lines)
        for step in range(1, len(verdict.table.steps))
    }
    updates = (graph.positions[node] for node in calculation.model.targets.tolist() if not calculation.descents)
    if any(where[0] in tables and where not in labelled for where in updates):
        yield "; ".join(not_judged_words(calculation))
    mistaken = {graph.positions[mistake.node][0] for mistake in calculation.mistakes}
    for sheet, number in sheets.items():
        if sheet not in tables:
            yield f"{sheet}: {count(number, 'update')} by the derivative of no loss that was found"
    for training in _other_trainings(calculation, verdicts):
        if training.right < training.updates and training.sheet not in mistaken:
            number = training.updates - training.right
            yield f"{training.sheet}: {count(number, 'update')} for which no cause was found"


def _errors(
    book: Book, calculation: CalculationVerdict, recalculated: Values, reported: Container[tuple[str, Coordinates]]
) -> Iterator[Finding]:
    """A finding for each formula that updates wait for, and that gives an error of its own."""
    graph = calculation.graph
    trained = {graph.positions[node][0] for node in calculation.model.targets.tolist()}

    def is_wanted(position: Position) -> bool:
        node = graph.node(position)
        if position[0] not in trained or (position[0], position[1:]) in reported:
            return False
        if position[0] not in calculation.covered and recalculated.get(position) == CIRCLE:
            return True
        formula = graph.formulas[node]
        is_certain = position[0] not in calculation.covered or (formula is not None and is_broken(formula))
        return is_certain and bool(calculation.model.feeds[node])

    yield from error_findings(book, is_wanted, lambda position: label(graph, graph.node(position)), recalculated)


def _judged(verdicts: Sequence[Verdict], calculation: CalculationVerdict | None) -> tuple[str, ...]:
    """What was compared with what follows from the mathematics."""
    tables = [
        f"{verdict.found.sheet}!{verdict.found.range}: {count(verdict.judged, 'cell')} of a"
        f" {'-'.join(map(str, verdict.meaning.shape.sizes))} network ({words_of(verdict.meaning.shape)}), each with"
        " what its label says"
        for verdict in verdicts
    ]
    return (*tables, *(() if calculation is None else judged_words(calculation)))


def _not_judged(
    verdicts: Sequence[Verdict], trainings: Sequence[Training], calculation: CalculationVerdict | None
) -> tuple[str, ...]:
    """What was not, and why."""
    declined = [
        f"{verdict.found.sheet}!{verdict.found.range}: {verdict.declined}"
        for verdict in verdicts
        if verdict.declined and not _is_judged(verdict, trainings)
    ]
    return (*declined, *(() if calculation is None else not_judged_words(calculation)))


def _other_trainings(calculation: CalculationVerdict, verdicts: Sequence[Verdict]) -> list[Training]:
    """The trainings on sheets without a table that was recognised by its labels."""
    sheets = {verdict.found.sheet for verdict in verdicts}
    return [training for training in calculation.trainings if training.sheet not in sheets]


def _is_judged(verdict: Verdict, trainings: Sequence[Training]) -> bool:
    return any(training.sheet == verdict.found.sheet for training in trainings)


def _found(calculation: CalculationVerdict, training: Training, recalculated: recalculate.Recalculated) -> TableFound:
    graph = calculation.graph
    rate = LearningRate(None, None)
    if training.rate:
        position = graph.positions[training.rate]
        value = recalculated.values.get(position, graph.cell(training.rate).value)
        prefix = "" if position[0] == training.sheet else f"{position[0]}!"
        rate = LearningRate(prefix + address(*position[1:]), value if isinstance(value, float) else None)
    return TableFound(
        training.sheet, f"{address(*training.first)}:{address(*training.last)}", training.steps, rate, "steps"
    )


def _recognition(verdict: Verdict) -> Iterator[Note]:
    """What was recognised in a table, what not, and how sure that is."""
    table, meaning = verdict.table, verdict.meaning
    sizes = "-".join(map(str, meaning.shape.sizes))
    labelled = count(len(table.lines), "quantity", "quantities")
    words = f"a {sizes} network ({words_of(meaning.shape)}), {labelled} by their labels"

    def letter(line: int) -> str:
        return f"row {line}" if table.transposed else f"column {column_letter(line)}"

    if meaning.cells:
        words += "; elsewhere: " + ", ".join(f"{name} in {_cell(position)}" for position, name in meaning.cells.items())
    if meaning.literals:
        words += "; typed into the formulas: " + ", ".join(f"{name} = {value:g}" for name, value in meaning.literals)
    if meaning.lines:
        words += "; helpers: " + ", ".join(f"{letter(line)} is {name}" for line, name in sorted(meaning.lines.items()))
    unused = [
        f"{letter(line)} (“{text[:20]}”)" for line, text in sorted(table.unknown.items()) if line not in meaning.lines
    ]
    if unused:
        words += "; not recognised: " + ", ".join(unused)
    missing = [name for name in meaning.derivation.names.base if meaning.own(name) not in verdict.known]
    if missing:
        words += "; without a column of their own: " + ", ".join(missing)
    sure = "certain, by the definition in the file or the map" if table.certain else "sure"
    if len(verdict.findings) * 2 > len(table.lines):
        sure = "not sure: most columns differ from what their labels say; a --map FILE would settle it"
    elif verdict.doubted:
        sure = "not sure: some columns calculate something else than their labels say"
    yield Note(table.sheet.name, (table.range,), "recognition", f"recognised {words} ({sure})")


def _cell(position: tuple[str, int, int]) -> str:
    return f"{column_letter(position[2])}{position[1]}"


def _declined(
    book: Book, verdicts: Sequence[Verdict], calculation: CalculationVerdict | None, recalculated: Values
) -> str:
    """What the workbook is, where it is nothing that can be judged."""
    errors = cells_of_sheets(error_cells(book, recalculated))
    without = f"; no number stands in {errors}" if errors else ""
    return _described(book, verdicts, calculation) + without


def _described(book: Book, verdicts: Sequence[Verdict], calculation: CalculationVerdict | None) -> str:
    for verdict in verdicts:
        where = f"{verdict.found.sheet}!{verdict.found.range}"
        if verdict.declined:
            return f"the table in {where} is not this walkthrough: {verdict.declined}"
    for verdict in verdicts:
        where = f"{verdict.found.sheet}!{verdict.found.range}"
        return f"the table in {where} holds parameters only, neither formulas nor results: there is nothing to judge"
    sheets = ", ".join(sheet.name for sheet in book.sheets[:5])
    if calculation is not None and len(calculation.model.targets):
        return f"nothing was judged: {'; '.join(not_judged_words(calculation))}"
    if book.formulas:
        return (
            f"no training was found: {count(book.formulas, 'formula')} on the sheets {sheets}, but none that makes a"
            " new parameter of an old one and its gradient, and no table of this walkthrough; if one stands under other"
            " labels, name its columns in a --map"
        )
    return (
        f"no iteration table of this walkthrough was found (sheets: {sheets}): it would have a row of labels such as"
        " w1, h1, a_h1, E1, ∂E/∂w1 with numbers below; if one stands under other labels, name its columns in a --map"
    )


def _size(cells: str) -> int:
    corners = [re.fullmatch(r"([A-Z]+)(\d+)", corner) for corner in cells.split(":")]
    (left, top), (right, bottom) = [(column_number(m[1]), int(m[2])) for m in (corners[0], corners[-1]) if m]
    return (right - left + 1) * (bottom - top + 1)
