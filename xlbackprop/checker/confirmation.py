"""Confirmation: what labels make of a table, held to what its formulas calculate."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from xlbackprop.checker.calculation.graph import TEXT
from xlbackprop.checker.calculation.judgement import Mistake
from xlbackprop.checker.calculation.recognition import dependents
from xlbackprop.checker.calculation.telling import Values, findings_of
from xlbackprop.checker.calculation.verdict import CalculationVerdict
from xlbackprop.checker.file.cells import Sheet
from xlbackprop.checker.file.formula import Position
from xlbackprop.checker.judgement.table_judge import Place, Verdict
from xlbackprop.checker.report.findings import Finding, Note
from xlbackprop.checker.table.given_cells import labelled_rates
from xlbackprop.checker.table.recognise import Table
from xlbackprop.grid import cells_of


class Confirmed(Struct, frozen=True):
    """The verdicts on the tables without what the calculation contradicts, and what it adds."""

    verdicts: tuple[Verdict, ...]
    findings: tuple[Finding, ...]
    notes: tuple[Note, ...]


def is_view(calculation: CalculationVerdict | None, table: Table) -> bool:
    """Whether a table with formulas stands beside the sheets that train: it shows what these calculate."""
    if calculation is None or table.certain or not calculation.covered or table.sheet.name in calculation.covered:
        return False
    cells = (table.cell(name, step) for name in table.lines for step in range(min(2, len(table.steps))))
    return any(cell is not None and cell.formula is not None for cell in cells)


def is_excused(calculation: CalculationVerdict | None, table: Table) -> Callable[[Position], bool]:
    """Which cells of a table the calculation shows to be right, or wrong only because one before them is."""
    if calculation is None or table.certain or table.sheet.name not in calculation.covered:
        return lambda position: False
    without_rate = _without_rate(calculation, table.sheet)

    def excused(position: Position) -> bool:
        node = calculation.graph.node(position)
        right = calculation.proven[node] and node not in without_rate
        return node > TEXT and bool(right or calculation.explained[node])

    return excused


def _without_rate(calculation: CalculationVerdict, sheet: Sheet) -> frozenset[int]:
    """The updates of a sheet that read no learning rate, where a cell is labelled as one that no formula reads."""
    graph = calculation.graph
    unread = [place for place in labelled_rates(sheet) if not len(graph.readers(graph.node((sheet.name, *place))))]
    if not unread:
        return frozenset()
    return frozenset(
        int(node)
        for descent in calculation.descents
        for node, rate in zip(calculation.model.targets[descent.members], descent.rates, strict=True)
        if rate <= TEXT and graph.positions[int(node)][0] == sheet.name
    )


def confirmed(verdicts: Sequence[Verdict], calculation: CalculationVerdict | None, recalculated: Values) -> Confirmed:
    """Hold the verdicts on tables to the verdict on the calculation."""
    if calculation is None:
        return Confirmed(tuple(verdicts), (), ())
    kept, notes = [], []
    for verdict in verdicts:
        if verdict.table.certain or verdict.found.sheet not in calculation.covered:
            kept.append(verdict)
            continue
        excused = is_excused(calculation, verdict.table)
        findings = tuple(item for item in verdict.findings if not _is_contradicted(calculation, item, excused))
        dropped = [item[1].quantity for item in verdict.findings if item not in findings]
        if dropped or verdict.doubted:
            notes.append(_label_note(verdict, (*verdict.doubted, *dropped)))
        kept.append(replace(verdict, findings=findings))
    added = tuple(_added(calculation, kept, recalculated))
    return Confirmed(tuple(kept), added, tuple(notes))


def _nodes(calculation: CalculationVerdict, finding: Finding) -> list[int]:
    graph = calculation.graph
    return [graph.node((finding.sheet, *place)) for block in finding.cells for place in cells_of(block)]


def _is_contradicted(
    calculation: CalculationVerdict, item: tuple[Place, Finding], excused: Callable[[Position], bool]
) -> bool:
    """Whether the calculation shows all cells of a finding to be right, or to be none of the calculation."""
    _, finding = item
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


def _label_note(verdict: Verdict, doubted: Sequence[str]) -> Note:
    names = ", ".join(dict.fromkeys(doubted))
    message = (
        f"a label says something else than what its column calculates: by the labels {names} would be mistaken,"
        " by what is calculated from what they are right"
    )
    return Note(verdict.found.sheet, (verdict.found.range,), "label", message)


def _added(calculation: CalculationVerdict, verdicts: Sequence[Verdict], recalculated: Values) -> Iterator[Finding]:
    """The mistakes of the calculation that no table's findings account for."""
    told = [node for verdict in verdicts for _, finding in verdict.findings for node in _nodes(calculation, finding)]
    graph = calculation.graph
    sources = np.unique(np.array([node for node in told if node > TEXT], dtype=np.int64))
    accounted = dependents(calculation.model.evaluation, sources)
    left = [
        mistake
        for mistake in calculation.mistakes
        if not accounted[mistake.node]
        and not accounted[graph.operands(mistake.node)].any()
        and not _is_in_told_step(calculation, verdicts, mistake)
    ]
    yield from findings_of(graph, left, recalculated)


def _is_in_told_step(calculation: CalculationVerdict, verdicts: Sequence[Verdict], mistake: Mistake) -> bool:
    """Whether a table's findings are about the step that a mistake is made in."""
    positions = [calculation.graph.positions[node] for node in (mistake.node, mistake.parameter) if node > TEXT]
    for verdict in verdicts:
        along = 1 if verdict.table.transposed else 0
        told = {place[along] for _, finding in verdict.findings for block in finding.cells for place in cells_of(block)}
        for sheet, *place in positions:
            if sheet == verdict.found.sheet and place[along] in told:
                return True
    return False
