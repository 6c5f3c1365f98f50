"""The command `xlbackprop check`: each file read, recalculated, recognised, judged and reported."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from xlbackprop.check.file import recalculate
from xlbackprop.check.file.book import Book, read, relationships
from xlbackprop.check.file.container import UnreadableError
from xlbackprop.check.file.formula import column_number
from xlbackprop.check.judgement.table_judge import Verdict, judge_table
from xlbackprop.check.notes.effect import effect
from xlbackprop.check.notes.surroundings import look_around
from xlbackprop.check.report.findings import EXIT_CODES, Note, Report
from xlbackprop.check.table.column_map import Map
from xlbackprop.check.table.column_map import load as load_map
from xlbackprop.check.table.recognise import Table, mapped, tables
from xlbackprop.check.table.understand import understand
from xlbackprop.check.worlds import Shape
from xlbackprop.derivation.derive import derive
from xlbackprop.errors import UserError
from xlbackprop.network.definition import CONSTANT, GRADIENT_DESCENT, Definition
from xlbackprop.network.embedded import from_properties
from xlbackprop.network.names import short_label
from xlbackprop.network.optimisers import WEIGHT_DECAY
from xlbackprop.progress import waiting
from xlbackprop.walkthrough.table import column_letter

OUR_SHEET = "Walkthrough"


class Checked(Struct, frozen=True):
    """A report, and the workbook that it is about where that could be read."""

    report: Report
    book: Book | None


def run(files: Sequence[Path], *, as_json: bool, annotate: Path | None, engine: str, map_file: Path | None) -> int:
    """Check files, print the reports and give the exit code.

    Raises:
        UserError: an option cannot be used.
    """
    if annotate is not None and len(files) != 1:
        raise UserError(f"--annotate: found {len(files)} files, expected one")
    table_map = load_map(map_file) if map_file is not None else None
    checked = []
    for path in files:
        with waiting(f"checking {path.name}"):
            checked.append(check(path, engine=engine, table_map=table_map))
    reports = [each.report for each in checked]
    kept = _annotate(checked[0], annotate) if annotate is not None else None
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(reports), indent=2).decode() + "\n")
    else:
        from rich.console import Console

        from xlbackprop.check.report.terminal import show

        show(reports, Console())
        if kept:
            sys.stdout.write(kept + "\n")
    return max(EXIT_CODES[report.status] for report in reports)


def _annotate(checked: Checked, target: Path) -> str:
    """Write the annotated copy; the words that say so."""
    from xlbackprop.check.report.annotated_copy import annotate

    if checked.book is None:
        return ""
    lost = annotate(checked.book, checked.report, target)
    words = f"\nWrote {target}: the workbook with the mistakes marked and a summary in front."
    return words + (f"\nNot kept in the copy: {'; '.join(lost)}." if lost else "")


def check(path: Path, *, engine: str = "ironcalc", table_map: Map | None = None) -> Checked:
    """Check one workbook.

    Args:
        path: the file.
        engine: what recalculates it, `ironcalc` or `libreoffice`.
        table_map: where the quantities stand, when the labels do not say it.

    Raises:
        UserError: LibreOffice was asked for and is not there.
    """
    embedded = recalculate.Engine() if engine == "ironcalc" else None
    try:
        book = read(path)
        if embedded is not None and book.formulas:
            embedded.ask(book)
        beyond = _beyond(_definition(book))
        if beyond and table_map is None:
            return Checked(Report(str(path), "not_recognised", beyond), book)
        understood = [understand(book, table) for table in _find(book, table_map)]
        if not book.formulas:
            recalculated = recalculate.Recalculated({})
        else:
            recalculated = embedded.answer() if embedded is not None else recalculate.with_libreoffice(book)
        verdicts = [judge_table(book, trees, meaning, recalculated.values) for trees, meaning in understood]
        return Checked(_report(path, book, verdicts, recalculated), book)
    except UnreadableError as error:
        return Checked(Report(str(path), "unreadable", str(error)), None)
    except RecursionError:
        message = "its formulas refer to one another more deeply than can be followed"
        return Checked(Report(str(path), "unreadable", message), None)
    finally:
        if embedded is not None:
            embedded.stop()


def _find(book: Book, table_map: Map | None) -> list[Table]:
    if table_map is not None:
        wanted = [sheet for sheet in book.sheets if table_map.sheet in (None, sheet.name)]
        return [table for sheet in wanted for table in mapped(sheet, table_map.columns, table_map.header)]
    definition = _definition(book)
    ours = book.by_name.get(OUR_SHEET)
    if definition is not None and ours is not None:
        return tables(ours, _labels(definition), _shape(definition))
    return [table for sheet in book.sheets for table in tables(sheet, {})]


def _definition(book: Book) -> Definition | None:
    """The definition that a workbook of ours carries."""
    part = next((part for kind, part in relationships(book.container, "").values() if kind == "custom-properties"), "")
    if part not in book.container.names:
        return None
    elements = book.container.tree(part).all("property")
    return from_properties({element.attributes.get("name", ""): element.content() for element in elements})


def _labels(definition: Definition) -> dict[str, str]:
    """The labels of a workbook of ours, with the name that the checker uses for each quantity."""
    classic = derive(replace(definition, notation="classic"))
    return {short_label(own): name for own, name in zip(derive(definition).quantities, classic.quantities, strict=True)}


def _shape(definition: Definition) -> Shape:
    counts = tuple(len(layer.biases) for layer in definition.layers)
    activations = tuple(layer.activation for layer in definition.layers)
    return Shape(definition.names.sizes, counts, definition.train_biases, activations, definition.loss)


def _beyond(definition: Definition | None) -> str:
    """What in a workbook of ours cannot be judged: updates that need more than the gradient of their own row."""
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


def _report(path: Path, book: Book, verdicts: Sequence[Verdict], recalculated: recalculate.Recalculated) -> Report:
    ours = [verdict for verdict in verdicts if not verdict.foreign and verdict.judged]
    order = {sheet.name: index for index, sheet in enumerate(book.sheets)}
    placed = [(order[f.sheet], place.step, place.turn, f) for verdict in ours for place, f in verdict.findings]
    findings = tuple(item[3] for item in sorted(placed, key=lambda item: item[:3]))
    notes = [note for verdict in ours for note in (*_recognition(verdict), *verdict.notes, *effect(verdict))]
    if recalculated.problem:
        notes.append(Note("", (), "not_recalculated", f"{recalculated.problem}; the stored values were used"))
    for verdict in verdicts:
        if verdict.foreign and ours:
            cells = (verdict.found.range,)
            notes.append(Note(verdict.found.sheet, cells, "declined", f"this table was not judged: {verdict.foreign}"))
    notes += look_around(book, ours, recalculated.values)
    found = tuple(verdict.found for verdict in ours)
    if not ours:
        return Report(str(path), "not_recognised", _declined(book, verdicts), found, (), tuple(notes))
    rows = sum(table.rows for table in found)
    where = f"{_count(len(found), 'table')} with {_count(rows, 'row')}"
    if not findings:
        judged = sum(verdict.judged for verdict in ours)
        return Report(str(path), "ok", f"no mistake in {where}: {judged:,} cells judged", found, (), tuple(notes))
    first = findings[0]
    size = sum(_size(block) for finding in findings for block in finding.cells)
    message = (
        f"{_count(len(findings), 'mistake')} in {_count(size, 'cell')} of {where}; the first is in"
        f" {first.sheet}!{first.cells[0].partition(':')[0]}: {first.message}"
    )
    return Report(str(path), "mistakes", message, found, findings, tuple(notes))


def _recognition(verdict: Verdict) -> Iterator[Note]:
    """What was recognised in a table, what not, and how sure that is."""
    table, meaning = verdict.table, verdict.meaning
    sizes = "-".join(map(str, meaning.shape.sizes))
    words = f"a {sizes} network, {_count(len(table.lines), 'quantity', 'quantities')} by their labels"

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
    missing = [name for name in meaning.derivation.labels.base if meaning.own(name) not in _known(verdict)]
    if missing:
        words += "; without a column of their own: " + ", ".join(missing)
    sure = "certain, by the definition in the file or the map" if table.certain else "sure"
    if len(verdict.findings) * 2 > len(table.lines):
        sure = "not sure: most columns differ from what their labels say; a --map FILE would settle it"
    yield Note(table.sheet.name, (table.range,), "recognition", f"recognised {words} ({sure})")


def _known(verdict: Verdict) -> set[str]:
    meaning = verdict.meaning
    names = {meaning.own(name) for name in verdict.table.lines} | set(meaning.cells.values())
    return names | {name for name, _ in meaning.literals}


def _cell(position: tuple[str, int, int]) -> str:
    return f"{column_letter(position[2])}{position[1]}"


def _declined(book: Book, verdicts: Sequence[Verdict]) -> str:
    for verdict in verdicts:
        where = f"{verdict.found.sheet}!{verdict.found.range}"
        if verdict.foreign:
            return f"the table in {where} is not this walkthrough: {verdict.foreign}"
    for verdict in verdicts:
        where = f"{verdict.found.sheet}!{verdict.found.range}"
        return f"the table in {where} holds parameters only, neither formulas nor results: there is nothing to judge"
    sheets = ", ".join(sheet.name for sheet in book.sheets[:5])
    return (
        f"no iteration table of this walkthrough was found (sheets: {sheets}): it would have a row of labels such as"
        " w1, h1, a_h1, E1, ∂E/∂w1 with numbers below; if one stands under other labels, name its columns in a --map"
    )


def _size(cells: str) -> int:
    corners = [re.fullmatch(r"([A-Z]+)(\d+)", corner) for corner in cells.split(":")]
    (left, top), (right, bottom) = [(column_number(m[1]), int(m[2])) for m in (corners[0], corners[-1]) if m]
    return (right - left + 1) * (bottom - top + 1)


def _count(number: int, thing: str, things: str = "") -> str:
    return f"1 {thing}" if number == 1 else f"{number:,} {things or thing + 's'}"
