"""Confirmation: what labels make of a table, held to what its formulas calculate."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Iterator, Sequence

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from xlbackprop.checker.calculation.graph import TEXT
from xlbackprop.checker.calculation.model import Flags, Mistake
from xlbackprop.checker.calculation.recognition import dependents
from xlbackprop.checker.calculation.telling import Values, findings_of
from xlbackprop.checker.calculation.verdict import CalculationVerdict
from xlbackprop.checker.file.book import Book
from xlbackprop.checker.file.formula import Position
from xlbackprop.checker.judgement.slip_search import Budget
from xlbackprop.checker.judgement.table_judge import UNNAMED, Place, Verdict, judge_table
from xlbackprop.checker.report.findings import Finding, Note
from xlbackprop.checker.table.label_doubts import label_doubts
from xlbackprop.checker.table.meaning import Meaning
from xlbackprop.checker.table.recognise import IterationTable
from xlbackprop.checker.table.trees import Trees
from xlbackprop.ground.errors import count
from xlbackprop.ground.grid import cells_of

_UNIT = re.compile(r"(a_)?[ho]\d+(_\d+)?")
_UPDATED = re.compile(r"[wb]\d+")
_FORWARD = re.compile(r"(a_)?[ho]\d+(_\d+)?|E\d+|E_total")


class Confirmed(Struct, frozen=True):
    """The verdicts on the tables without what the calculation contradicts, and what it adds."""

    verdicts: tuple[Verdict, ...]
    findings: tuple[Finding, ...]
    notes: tuple[Note, ...]
    doubts: tuple[str, ...] = ()
    """What cannot be called right."""


def with_labels(calculation: CalculationVerdict | None, tables: Sequence[IterationTable]) -> list[IterationTable]:
    """The tables without those of which labels add nothing to what the calculation says.

    Such a table stands beside the sheets that train and shows what these calculate; it names no unit, so that labels
    can only guess what lies between its weights and its losses; or most of what is labelled as a weight is no parameter
    in any step.
    """
    if calculation is None:
        return list(tables)
    graph, model, covered = calculation.graph, calculation.model, calculation.covered
    learned = {*model.parameters.tolist(), *model.targets.tolist()}

    def is_left_to_it(table: IterationTable) -> bool:
        sheet, steps = table.sheet.name, range(len(table.steps))
        if sheet not in covered:
            cells = (table.cell(name, step) for name in table.lines for step in steps[:2])
            return bool(covered) and any(cell is not None and cell.formula is not None for cell in cells)
        lines = [line for name, line in table.lines.items() if _UPDATED.fullmatch(name)]
        held = [any(graph.node((sheet, *table.coordinates(line, step))) in learned for step in steps) for line in lines]
        return not any(map(_UNIT.fullmatch, table.lines)) or 2 * sum(held) <= len(lines)

    return [table for table in tables if table.certain or not is_left_to_it(table)]


def judged(
    book: Book,
    trees: Trees,
    meaning: Meaning,
    recalculated: Values,
    budget: Budget,
    calculation: CalculationVerdict | None,
) -> Verdict:
    """The verdict on a table, in which nothing is looked for in cells that the calculation shows to be right."""
    excused = _is_excused(calculation, trees.table)
    verdict = judge_table(book, trees, meaning, recalculated, budget, excused)
    if calculation is None or not verdict.findings:
        return verdict
    found = [finding for _, finding in verdict.findings if not _is_contradicted(calculation, finding, excused)]
    doubtful = _steps_without_proof(calculation, trees.table, found)
    if verdict.doubted or not doubtful:
        return verdict
    return judge_table(book, trees, meaning, recalculated, budget, _is_excused(calculation, trees.table, doubtful))


def _is_excused(
    calculation: CalculationVerdict | None, table: IterationTable, doubtful: Container[int] = ()
) -> Callable[[Position], bool]:
    """Which cells of a table the calculation shows to be right, or wrong only because one before them is.

    Args:
        calculation: what the formulas say.
        table: what the labels say.
        doubtful: rows, or columns of a table that is turned, in which nothing is proven.
    """
    if calculation is None or table.certain or table.sheet.name not in calculation.covered:
        return lambda position: False
    if _is_one_of_a_row_unread(calculation, table):
        return lambda position: False
    along = 2 if table.transposed else 1

    def excused(position: Position) -> bool:
        node = calculation.graph.node(position)
        is_right = node > TEXT and bool(calculation.proven[node] or calculation.explained[node])
        return is_right and position[along] not in doubtful

    return excused


def _is_one_of_a_row_unread(calculation: CalculationVerdict, table: IterationTable) -> bool:
    """Whether nothing reads one of the inputs or targets, though all from the first to the last have a line.

    Then another one is read in its place, and what follows from that proves nothing.
    """
    graph = calculation.graph
    for letter in "it":
        names = [f"{letter}{number}" for number in range(1, len(table.lines) + 1) if f"{letter}{number}" in table.lines]
        if not names or names[-1] != f"{letter}{len(names)}" or len(names) != _units_at(table, letter):
            continue
        is_read = []
        for name in names:
            nodes = [graph.node((table.sheet.name, *table.place(name, step))) for step in range(len(table.steps))]
            is_read.append(min(nodes) <= TEXT or any(len(graph.readers(node)) for node in nodes))
        if any(is_read) and not all(is_read):
            return True
    return False


def _units_at(table: IterationTable, letter: str) -> int:
    return table.shape.sizes[0 if letter == "i" else -1]


def confirmed(verdicts: Sequence[Verdict], calculation: CalculationVerdict | None, recalculated: Values) -> Confirmed:
    """Hold the verdicts on tables to the verdict on the calculation."""
    if calculation is None:
        return Confirmed(tuple(verdicts), (), ())
    kept: list[Verdict] = []
    notes: list[Note] = []
    doubts = list(calculation.doubts)
    still: list[Finding] = []
    for verdict in verdicts:
        is_judged = verdict.found.sheet in calculation.covered and not calculation.is_plain
        if not (verdict.table.certain or is_judged) and (unusual := _unusual_updates(calculation, verdict)):
            number = count(len(unusual), "parameter")
            doubts.append(f"{verdict.found.sheet}: {number} updated by another rule than plain gradient descent")
            verdict = replace(verdict, findings=tuple(item for item in verdict.findings if item not in unusual))
        if verdict.table.certain or verdict.found.sheet not in calculation.covered:
            if not verdict.table.certain and len(calculation.model.targets):
                known = tuple(
                    item
                    for item in verdict.findings
                    if not _is_only_unlike_its_label(item[1], verdict.table) and not _needs_what_is_nowhere(item[1])
                )
                if any(_needs_what_is_nowhere(finding) for _, finding in verdict.findings):
                    missing = ", ".join(verdict.nowhere)
                    doubts.append(
                        f"{verdict.found.sheet}: of the network that its labels speak of, {missing} stand nowhere"
                    )
                verdict = replace(verdict, findings=known)
            kept.append(verdict)
            continue
        excused = _is_excused(calculation, verdict.table)
        found = [finding for _, finding in verdict.findings if not _is_contradicted(calculation, finding, excused)]
        doubtful = _steps_without_proof(calculation, verdict.table, found)
        excused = _is_excused(calculation, verdict.table, doubtful)
        own = [item for item in verdict.findings if calculation.is_plain or not _are_updates(calculation, item[1])]
        findings = tuple(item for item in own if not _is_contradicted(calculation, item[1], excused))
        doubted = tuple(name for name in verdict.doubted if calculation.is_plain or not _UPDATED.fullmatch(name))
        is_doubted = bool(doubted) or len(findings) < len(own)
        is_misread = 2 * len(verdict.findings) > len(verdict.table.lines)
        searched = not is_misread and (is_doubted or not findings)
        found_notes = list(_label_notes(calculation.graph.book, verdict, is_doubted)) if searched else []
        notes += found_notes
        if is_misread or (not found_notes and (is_doubted or verdict.nowhere)):
            still += [_without_formula(finding) for _, finding in findings if finding.kind == "not_updated"]
            continue
        if found_notes:
            verdict = replace(verdict, notes=tuple(note for note in verdict.notes if note.kind != "label"))
        kept.append(replace(verdict, findings=findings, doubted=doubted))
    kept = _without_consequences(calculation, kept)
    added = (*still, *_added(calculation, kept, recalculated))
    return Confirmed(tuple(kept), added, tuple(notes), tuple(doubts))


def _without_consequences(calculation: CalculationVerdict, verdicts: Sequence[Verdict]) -> list[Verdict]:
    """The verdicts without findings on what is calculated, within a step, from a mistake on a sheet without labels."""
    graph = calculation.graph
    labelled = {verdict.found.sheet for verdict in verdicts}
    causes = [one.node for one in calculation.mistakes if graph.positions[one.node][0] not in labelled]
    spoilt = dependents(calculation.model.evaluation, np.array(sorted(causes), dtype=np.int64))

    def is_spoilt(finding: Finding) -> bool:
        return all(spoilt[node] or spoilt[graph.operands(node)].any() for node in _nodes(calculation, finding))

    return [
        replace(verdict, findings=tuple(item for item in verdict.findings if not is_spoilt(item[1])))
        for verdict in verdicts
    ]


def _unusual_updates(calculation: CalculationVerdict, verdict: Verdict) -> list[tuple[Place, Finding]]:
    """The findings about updates, where most of these are said to be wrong without a reason: their rule is another."""
    updates = [
        item
        for item in verdict.findings
        if _are_updates(calculation, item[1]) or all(map(_UPDATED.fullmatch, item[1].quantities))
    ]
    nameless = {name for _, finding in updates if finding.kind in UNNAMED for name in finding.quantities}
    lines = [name for name in verdict.table.lines if _UPDATED.fullmatch(name)]
    return updates if 2 * len(nameless) > len(lines) else []


def _are_updates(calculation: CalculationVerdict, finding: Finding) -> bool:
    """Whether a finding is about updates alone: by another rule than plain descent, their labels are as good."""
    return bool(np.isin(_nodes(calculation, finding), calculation.model.targets).all())


def _nodes(calculation: CalculationVerdict, finding: Finding) -> list[int]:
    graph = calculation.graph
    return [graph.node((finding.sheet, *place)) for block in finding.cells for place in cells_of(block)]


def _steps(calculation: CalculationVerdict, table: IterationTable, nodes: Iterable[int]) -> set[int]:
    """The rows, or the columns of a table that is turned, in which cells stand."""
    along = 2 if table.transposed else 1
    return {int(calculation.graph.positions[node][along]) for node in nodes if node > TEXT}


def _is_only_unlike_its_label(finding: Finding, table: IterationTable) -> bool:
    """Whether most of a line of the forward pass is said to be wrong without a reason: with no loss to go by, it may be
    what it is, under a label that is read as another quantity."""
    cells = sum(1 for block in finding.cells for _ in cells_of(block))
    is_forward = all(_FORWARD.fullmatch(name) for name in finding.quantities)
    return finding.kind in UNNAMED and is_forward and 2 * cells > len(table.steps)


def _needs_what_is_nowhere(finding: Finding) -> bool:
    """Whether what belongs in a cell cannot be written there, since something in it stands nowhere in the workbook."""
    return bool(finding.expected) and not finding.expected.startswith("=")


def _steps_without_proof(
    calculation: CalculationVerdict, table: IterationTable, findings: Iterable[Finding]
) -> set[int]:
    """The steps whose forward pass is mistaken: what follows from it as it stands proves no gradient right."""
    nodes = [node for finding in findings for node in _nodes(calculation, finding)]
    adjoints = [descent.adjoint for descent in calculation.descents]
    forward = [node for node in nodes if any(np.nan_to_num(adjoint[node]).any() for adjoint in adjoints)]
    return _steps(calculation, table, forward)


def _after(calculation: CalculationVerdict, findings: Iterable[Finding]) -> Flags:
    """What is calculated, within a step, from the cells of some findings."""
    nodes = {node for finding in findings for node in _nodes(calculation, finding) if node > TEXT}
    return dependents(calculation.model.evaluation, np.array(sorted(nodes), dtype=np.int64))


def _is_contradicted(calculation: CalculationVerdict, finding: Finding, excused: Callable[[Position], bool]) -> bool:
    """Whether the calculation shows all cells of a finding to be right, or to be none of the calculation."""
    graph = calculation.graph
    for node in _nodes(calculation, finding):
        if node <= TEXT or excused(graph.positions[node]):
            continue
        if graph.is_formula(node) or _is_among_formulas(calculation, node):
            return False
    return True


def _is_among_formulas(calculation: CalculationVerdict, node: int) -> bool:
    """Whether the cells above or below a typed number hold formulas."""
    graph = calculation.graph
    sheet, row, column = graph.positions[node]
    return any(graph.is_formula(graph.node((sheet, row + step, column))) for step in (-1, 1))


def _without_formula(finding: Finding) -> Finding:
    """A finding of a table that is misread: what its labels say belongs there is not known to."""
    return replace(finding, expected="", correct_value=None, replacements=())


def _label_notes(book: Book, verdict: Verdict, is_doubted: bool) -> Iterator[Note]:
    """One note for each label in doubt."""
    for doubt in label_doubts(book, verdict.table, verdict.meaning, is_doubted):
        message = f"{doubt.cell} says {doubt.text}; what stands below is used as {doubt.name}"
        yield Note(verdict.found.sheet, (doubt.cell,), "label", message)


def _added(calculation: CalculationVerdict, verdicts: Sequence[Verdict], recalculated: Values) -> Iterator[Finding]:
    """The mistakes of the calculation that no table's findings account for."""
    graph = calculation.graph
    accounted = _after(calculation, (finding for verdict in verdicts for _, finding in verdict.findings))
    left = [
        mistake
        for mistake in calculation.mistakes
        if not accounted[mistake.node]
        and not accounted[graph.operands(mistake.node)].any()
        and not _is_in_reported_step(calculation, verdicts, mistake)
    ]
    yield from findings_of(calculation.model, left, recalculated)


def _is_in_reported_step(calculation: CalculationVerdict, verdicts: Sequence[Verdict], mistake: Mistake) -> bool:
    """Whether a table's findings are about the step that a mistake is made in, or take something from that step."""
    graph = calculation.graph
    for verdict in verdicts:
        cells = [node for _, finding in verdict.findings for node in _nodes(calculation, finding) if node > TEXT]
        read = [operand for node in cells for operand in graph.operands(node).tolist() if operand > TEXT]
        reported = _steps(calculation, verdict.table, [*cells, *read])
        made = [node for node in (mistake.node, mistake.parameter) if node > TEXT]
        here = [node for node in made if graph.positions[node][0] == verdict.found.sheet]
        if reported & _steps(calculation, verdict.table, here):
            return True
    return False
