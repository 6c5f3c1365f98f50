"""Own numbers: whether the cells of a training give the numbers that their formulas were proven with."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Sequence
from functools import cached_property

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from xlbackprop.checker.calculation.circles import turning_cells
from xlbackprop.checker.calculation.graph import BLANK, TEXT, TEXTS, Graph
from xlbackprop.checker.calculation.model import Flags, Mistake
from xlbackprop.checker.calculation.names import cells_of_sheets, label
from xlbackprop.checker.calculation.program import number_for
from xlbackprop.checker.calculation.threads import is_in_a_step
from xlbackprop.checker.calculation.verdict import CalculationVerdict, Training
from xlbackprop.checker.file.formula import Node, Position, UnsupportedError, parts, with_parts
from xlbackprop.checker.file.values import Values
from xlbackprop.checker.judgement.numberless import CIRCLE, is_error_of, without_number
from xlbackprop.checker.report.findings import Finding
from xlbackprop.engine import Array
from xlbackprop.ground.grid import Coordinates, cells_of

_RELATIVE, _ABSOLUTE = 1e-6, 1e-9
_ROUNDED_AWAY = 0.1
"""Relative; three decimals of a small gradient are less."""
_NOTHING = 1e-14
"""What is left of numbers that cancel; some programs take it for 0, as in a comparison with a threshold."""
_BESIDE = ((1, 0), (0, 1))
_HALVES = (0.5 + 1e-6, 0.5 - 1e-6)
"""What is added before the decimals are cut off: a number halfway between two goes either way."""
_NO_NUMBER, _EMPTY = "gives no number", "is read, but empty"
_ODD = {"typed": "is a typed number among formulas", "other": "is built otherwise than the cells on both sides of it"}
_RUN_OUT = ("#NUM!", "#DIV/0!", "#VALUE!", CIRCLE)
"""What formulas give that are numbers with other numbers, or for other cells."""
_LIKE_A_NUMBER = re.compile(r"\s*[-+−]?[\d.,'\s]*\d[\d.,'\s]*%?\s*")


class OwnNumbers(Struct, frozen=True):
    """What keeps trainings from being called right."""

    findings: tuple[Finding, ...] = ()
    doubts: tuple[str, ...] = ()
    """The cells that could not be compared with a number, in words."""
    unsound: frozenset[str] = frozenset()
    """The sheets with such cells, and with cells that give no number: what else would be wrong there is not known."""
    spoilt: frozenset[Position] = frozenset()
    """The cells that give no number since mistakes that are told of come before them."""


def own_numbers(
    verdict: CalculationVerdict,
    recalculated: Values,
    reported: Container[tuple[str, Coordinates]],
    findings: Iterable[Finding] = (),
) -> OwnNumbers:
    """Hold every cell of the trainings, and all that these are calculated from, to its own recalculated number.

    Args:
        verdict: the trainings.
        recalculated: what the formulas give.
        reported: cells that are spoken of elsewhere, by sheet and place.
        findings: what is told of such cells.
    """
    graph = verdict.graph
    numbers = _Numbers(graph, recalculated)
    mended = [graph.node((one.sheet, *place)) for one in findings if one.expected for place in _places(one)]
    spoilt = numbers.spoilt_by(verdict.mistakes, mended)
    lacks: dict[tuple[str, str, int], dict[Position, None]] = defaultdict(dict)
    doubts: dict[str, dict[Position, None]] = defaultdict(dict)
    for node in numbers.formulas_between(verdict):
        for what, where in numbers.gaps(node):
            if (where[0], where[1:]) in reported or graph.node(where) in spoilt:
                continue
            if what not in _ODD:
                lacks[what, where[0], numbers.formula_at(where)][where] = None
            elif not verdict.model.feeds[graph.node(where)]:
                doubts[_ODD[what]][where] = None
    used = [node for node in numbers.used(verdict) if node not in spoilt]
    turning = turning_cells(graph, numbers.circles) if not numbers.circles.isdisjoint(used) else []
    for where in (graph.positions[node] for node in turning):
        lacks[CIRCLE, where[0], numbers.formula_at(where)][where] = None
    mistaken = {*mended, *(mistake.node for mistake in verdict.mistakes if mistake.formula)}
    told = {mistake.node for mistake in verdict.mistakes}
    for kind in {int(graph.kind_of[node]) for node in turning}:
        mistaken.update(graph.kinds[kind].cells.tolist())
    for node in used:
        position = graph.positions[node]
        found = [lack for lack in numbers.lacks(node) if (lack[1][0], lack[1][1:]) not in reported]
        if node in mistaken:
            found = [(what, where) for what, where in found if what != "empty" or numbers.is_in_line(where)]
        for what, where in found:
            lacks[what, where[0], numbers.formula_at(where)][where] = None
        is_reported = (position[0], position[1:]) in reported
        for words, where in () if found or node in mistaken else numbers.doubts(node):
            if words == _NO_NUMBER and node in told:
                continue
            if not is_reported or words == _EMPTY:
                doubts[words][where] = None
        if verdict.model.feeds[node] and numbers.is_rounded_away(node):
            doubts["is rounded so far that it is another number"][position] = None
        if numbers.is_rounded_alone(node):
            doubts["is rounded, unlike the cells on both sides of it"][position] = None
    for position in numbers.typed_among_formulas(verdict):
        if (position[0], position[1:]) not in reported:
            doubts[_ODD["typed"]][position] = None
    for position in numbers.missing_among_formulas(verdict):
        if (position[0], position[1:]) not in reported:
            doubts["is missing among formulas"][position] = None
    if lacks or len(doubts) > 1:
        doubts.pop(_NO_NUMBER, None)
    unsound = {where[0] for places in (*lacks.values(), *doubts.values()) for where in places}
    lacking = []
    for (what, sheet, _), places in lacks.items():
        cells = sorted(where[1:] for where in places)
        name = label(graph, graph.node((sheet, *cells[0])))
        lacking.append(without_number(graph.book.by_name[sheet], name, what, cells, recalculated))
    worded = tuple(f"{cells_of_sheets(places)} {words}" for words, places in doubts.items())
    return OwnNumbers(tuple(lacking), worded, frozenset(unsound), frozenset(graph.positions[node] for node in spoilt))


class _Numbers:
    """What the formulas of a workbook give, beside what they should give with the numbers that they read."""

    def __init__(self, graph: Graph, recalculated: Values) -> None:
        self.graph = graph
        self._recalculated = recalculated
        self.seen: Array = graph.numbers.copy()
        for node in (node for node, formula in enumerate(graph.formulas) if formula is not None):
            value = self.value(node)
            is_text = isinstance(value, str) and value[:1] != "#"
            self.seen[node] = value if isinstance(value, float) else number_for(str(value)) if is_text else np.nan
        self.seen[BLANK], self.seen[TEXT] = 0.0, np.nan
        self.problems = dict(graph.problems)
        self.given: Array = np.full((graph.size, len(_HALVES) + 1), np.nan)
        self._unrounded: Array = np.full(graph.size, np.nan)
        for kind in graph.kinds:
            operands = self.seen[kind.operands][:, :, None]
            try:
                with np.errstate(all="ignore"):
                    cleared = np.where(np.abs(operands) < _NOTHING, 0.0, operands)
                    self.given[kind.cells, -1] = kind.program.value(cleared, kind.operands > TEXT)[:, 0]
                    for index, half in enumerate(_HALVES):
                        program = replace(kind.program, tree=_rounding(kind.program.tree, half))
                        self.given[kind.cells, index] = program.value(operands, kind.operands > TEXT)[:, 0]
                    if "ROUND" in kind.formula.functions:
                        self._unrounded[kind.cells] = kind.program.value(operands, kind.operands > TEXT)[:, 0]
            except UnsupportedError as error:
                self.problems.update(dict.fromkeys(kind.cells.tolist(), str(error)))

    def value(self, node: int) -> float | str | None:
        """What a cell gives."""
        found = self._recalculated.get(self.graph.positions[node])
        return self.graph.cell(node).value if found is None else found

    def spoilt_by(self, mistakes: Sequence[Mistake], mended: Iterable[int]) -> set[int]:
        """The cells without a number among wrong ones of which some have one, or of which it is known what belongs
        there, and what is calculated from these.

        Args:
            mistakes: those of the calculation.
            mended: further cells of which it is known what belongs there.
        """
        kind_of = self.graph.kind_of
        mended = {*mended, *(mistake.node for mistake in mistakes if mistake.formula)}
        with_number = {int(kind_of[one.node]) for one in mistakes if isinstance(self.value(one.node), float)} - {-1}
        after_others = self._after([one.node for one in mistakes if int(kind_of[one.node]) in with_number])
        return {
            *(node for node in self._after(node for node in mended if node > TEXT) if self.value(node) in _RUN_OUT),
            *(node for node in after_others if self.value(node) in _RUN_OUT and node not in self.circles),
        }

    def _after(self, nodes: Iterable[int]) -> set[int]:
        """Some cells, and all that are calculated from them."""
        ahead = list(nodes)
        seen = set(ahead)
        while ahead:
            left = [node for node in self.graph.readers(ahead.pop()).tolist() if node not in seen]
            seen.update(left)
            ahead += left
        return seen

    def formula_at(self, position: Position) -> int:
        """What tells the formula in a cell from others; 0 where there is none."""
        formula = self.graph.formulas[self.graph.node(position)]
        return 0 if formula is None else id(formula)

    def used(self, verdict: CalculationVerdict) -> list[int]:
        """The formula cells that trainings are calculated from, and those beside these that lack a number."""
        ahead = [node for training in verdict.trainings for node in training.cells]
        ahead += verdict.loose.tolist()
        judged = set(ahead)
        in_circles = np.flatnonzero(verdict.model.evaluation.order.level < 0).tolist()
        for node in (*self.problems, *in_circles):
            is_inside = self._is_inside(self.graph.positions[node], verdict.trainings)
            if is_inside or not judged.isdisjoint(self._read(node)):
                ahead.append(node)
        for kind in self.graph.kinds:
            for node in kind.cells[(kind.operands == BLANK).any(axis=1)].tolist():
                if any(self._is_inside(where, verdict.trainings) for where in self._empty(node)):
                    ahead.append(node)
        seen: set[int] = set()
        while ahead:
            node = ahead.pop()
            if node not in seen and self.graph.is_formula(node) and not self._is_given(node, verdict.model.depends):
                seen.add(node)
                ahead += () if self._is_shown_alone(node) else self._read(node)
        return sorted(seen)

    def formulas_between(self, verdict: CalculationVerdict) -> Iterator[int]:
        """The formula cells between those that depend on what is trained, on the sheets where that is."""
        graph = self.graph
        sheets = {training.sheet for training in verdict.trainings}
        rows: dict[str, list[int]] = defaultdict(list)
        columns: dict[str, list[int]] = defaultdict(list)
        for node in np.flatnonzero(verdict.model.depends).tolist():
            sheet, row, column = graph.positions[node]
            if sheet in sheets and graph.is_formula(node):
                rows[sheet].append(row)
                columns[sheet].append(column)
        ends = {sheet: (min(rows[sheet]), max(rows[sheet]), min(columns[sheet]), max(columns[sheet])) for sheet in rows}
        for node, (sheet, row, column) in enumerate(graph.positions):
            if sheet in ends and graph.is_formula(node):
                top, bottom, left, right = ends[sheet]
                if top <= row <= bottom and left <= column <= right:
                    yield node

    def gaps(self, node: int) -> Iterator[tuple[str, Position]]:
        """Where a formula makes an error value, and what stands between two cells with the same formula in a range that
        it reads: `text`, nothing (`empty`), a `typed` number or an `other` formula."""
        formula, kind = self.graph.formulas[node], self.graph.kind(node)
        is_meant = formula is not None and formula.functions > {"NA"}
        for what, where in () if is_meant else self.lacks(node):
            if where == self.graph.positions[node]:
                yield what, where
        for slot in () if kind is None else kind.program.slots:
            if slot.is_range:
                yield from self._gaps(self.graph.operands(node)[slot.start : slot.start + slot.size].tolist())

    def _gaps(self, nodes: Sequence[int]) -> Iterator[tuple[str, Position]]:
        positions = {index: self.graph.positions[node] for index, node in enumerate(nodes) if node > TEXT}
        counts = Counter(self.formula_at(where) for where in positions.values())
        formula, number = max(counts.items(), key=lambda item: item[1], default=(0, 0))
        if not formula or number < 2 or 2 * number <= len(nodes):
            return
        usual = [index for index, where in positions.items() if self.formula_at(where) == formula]
        first, last = usual[0], usual[-1]
        start, end = positions[first], positions[last]
        down, across = (end[1] - start[1]) // (last - first), (end[2] - start[2]) // (last - first)
        for index in range(first + 1, last):
            where = (start[0], start[1] + (index - first) * down, start[2] + (index - first) * across)
            node = nodes[index]
            if self.graph.node(where) == node and index not in usual:
                is_typed = node > TEXT and not self.graph.is_formula(node)
                yield "typed" if is_typed else {BLANK: "empty", TEXT: "text"}.get(node, "other"), where

    def _is_given(self, node: int, depends: Flags) -> bool:
        """Whether a cell is a number that no parameter changes, and is taken as given: its formula is not followed."""
        if node not in self.problems or not isinstance(self.value(node), float):
            return False
        return self.graph.is_constant(node, depends)

    def _is_inside(self, position: Position, trainings: Iterable[Training]) -> bool:
        sheet, row, column = position
        return any(
            sheet == training.sheet
            and training.first[0] <= row <= training.last[0]
            and training.first[1] <= column <= training.last[1]
            for training in trainings
        )

    def typed_among_formulas(self, verdict: CalculationVerdict) -> Iterator[Position]:
        """Numbers between two cells with one formula that trainings are not calculated from."""
        graph, model = self.graph, verdict.model
        for node in range(TEXT + 1, graph.cells):
            if graph.is_formula(node) or model.depends[node] or model.feeds[node]:
                continue
            above, below = next(_sides(graph.positions[node]))
            formula = self.formula_at(above)
            if (
                formula
                and formula == self.formula_at(below)
                and self._is_inside(graph.positions[node], verdict.trainings)
            ):
                yield graph.positions[node]

    def missing_among_formulas(self, verdict: CalculationVerdict) -> Iterator[Position]:
        """Single cells without a number in lines of one formula along the steps, beside which other formulas stand.

        A row of totals between two epochs is no step that lacks them.
        """
        moves = verdict.model.threads.usual_moves
        for node, (sheet, row, column) in enumerate(self.graph.positions):
            formula = self.formula_at((sheet, row, column)) if node > TEXT and sheet in moves else 0
            if not formula:
                continue
            down, across = (1, 0) if moves[sheet][1] else (0, 1)
            gap, *others = ((sheet, row + step * down, column + step * across) for step in (1, 2, -1, 3))
            if self.graph.node(gap) <= TEXT and self._is_inside(gap, verdict.trainings):
                beyond, before, after = map(self.formula_at, others)
                flanks = ((sheet, gap[1] + step * across, gap[2] + step * down) for step in (1, -1))
                is_between = formula == beyond and formula in (before, after) and any(map(self.formula_at, flanks))
                if is_between and is_in_a_step(self.graph, gap, (sheet, row, column)):
                    yield gap

    def _read(self, node: int) -> list[int]:
        if self.graph.kind_of[node] >= 0:
            return list(dict.fromkeys(self.graph.operands(node).tolist()))
        return list(dict.fromkeys(self.graph.node(where) for where in self._positions_read(node)))

    def _positions_read(self, node: int) -> list[Position]:
        """The cells that a formula names, those of ranges that can be followed among them."""
        formula = self.graph.formulas[node]
        assert formula is not None
        named = [reference.at(*self.graph.positions[node]) for reference in formula.references]
        return [*named, *(self.graph.positions[other] for other in self.graph.operands(node).tolist() if other > TEXT)]

    def lacks(self, node: int) -> Iterator[tuple[str, Position]]:
        """Where a formula, or what it reads, gives no number: an error value, `text` or `empty`, and the cell."""
        value = self.value(node)
        if (
            isinstance(value, float)
            and self.graph.kind_of[node] >= 0
            and self.graph.operands(node).min(initial=2) > TEXT
        ):
            return  # of nearly all cells
        read = self._positions_read(node)
        is_error = isinstance(value, str) and value.startswith("#")
        texts = [where for where in read if self._is_text_for_a_number(where, is_error)]
        yield from (("text", where) for where in texts)
        yield from (("empty", where) for where in self._empty(node) if self._is_emptied(node, where))
        if not isinstance(value, str) or not is_error or texts:
            return
        if value == CIRCLE or not is_error_of(self.graph.cell(node), value):
            return
        causes = [self.value(other) for other in self._read(node) if other > TEXT]
        if not any(isinstance(cause, str) and cause.startswith("#") for cause in causes):
            yield value, self.graph.positions[node]

    @cached_property
    def circles(self) -> frozenset[int]:
        """The cells that are calculated from themselves, without those that only read, or are read by, such cells."""
        left = {
            node
            for node, formula in enumerate(self.graph.formulas)
            if formula is not None and self.value(node) == CIRCLE
        }
        while True:
            read = {node: left.intersection(self._read(node)) for node in left}
            is_read = set().union(*read.values()) if read else set()
            kept = {node for node in left if read[node] and node in is_read}
            if kept == left:
                return frozenset(left)
            left = kept

    def _is_text_for_a_number(self, position: Position, is_error: bool) -> bool:
        """Whether a cell holds a text that is a number to people, or stands between numbers and beside no other text,
        as labels do; or whether it hands on one, with which what reads it gives an error."""
        node = self.graph.node(position)
        if node > TEXT:
            if not is_error:
                return False
            value, formula = self.value(node), self.graph.formulas[node]
            is_link = formula is not None and formula.tree is not None and formula.tree[0] == "ref"
            return is_link and isinstance(value, str) and bool(value) and not value.startswith("#")
        if node != TEXT:
            return False
        sheet = self.graph.book.by_name[position[0]]
        if _LIKE_A_NUMBER.fullmatch(sheet.text(*position[1:])):
            return True
        around = [[self.graph.node(side) for side in sides] for sides in _sides(position)]
        return any(min(pair) > TEXT and TEXT not in other for pair, other in (around, around[::-1]))

    def _empty(self, node: int) -> list[Position]:
        """The empty cells that a formula names one by one."""
        formula = self.graph.formulas[node]
        kind = self.graph.kind(node)
        if formula is None or kind is None:
            return []
        named = [slot.start for slot in kind.program.slots if not slot.is_range]
        if not (self.graph.operands(node)[named] == BLANK).any():
            return []
        read = (reference.at(*self.graph.positions[node]) for reference in formula.references)
        return [where for where in read if where[0] in self.graph.book.by_name and self.graph.node(where) == BLANK]

    def _is_emptied(self, node: int, position: Position) -> bool:
        """Whether the same formula stands on both sides of an empty cell, or where others of a kind read theirs."""
        if self.is_in_line(position):
            return True
        kind = self.graph.kind(node)
        assert kind is not None
        blank = self.graph.operands(node) == BLANK
        others = kind.operands[(kind.operands[:, blank] != BLANK).all(axis=1)][:, blank]
        calculated = sum(all(self.graph.is_formula(other) for other in row) for row in others.tolist())
        return 2 * calculated > len(kind.cells) and not self._goes_on(node)

    def is_in_line(self, position: Position) -> bool:
        """Whether the same formula stands on both sides of a cell."""
        both = (map(self.formula_at, sides) for sides in _sides(position))
        return any(one and one == other != self.formula_at(position) for one, other in both)

    def _goes_on(self, node: int) -> bool:
        """Whether a kind of formula reads cells of its own kind, as a running mean does that starts from nothing."""
        kind = self.graph.kind(node)
        return kind is not None and bool(np.isin(kind.operands, kind.cells).any())

    def is_rounded_away(self, node: int) -> bool:
        """Whether rounding makes another number of what is judged as if it were not rounded."""
        exact = float(self._unrounded[node])
        return bool(abs(self.given[node] - exact).max() > _ROUNDED_AWAY * abs(exact) + _ABSOLUTE)

    def is_rounded_alone(self, node: int) -> bool:
        """Whether a formula rounds what the same formula on both sides of it does not."""
        formula = self.graph.formulas[node]
        if formula is None or "ROUND" not in formula.functions or not self.is_in_line(self.graph.positions[node]):
            return False
        sides = [
            self.graph.formulas[self.graph.node(side)] for pair in _sides(self.graph.positions[node]) for side in pair
        ]
        return not any(side is not None and "ROUND" in side.functions for side in sides)

    def _is_shown_alone(self, node: int) -> bool:
        """Whether a formula that cannot be followed only shows something to people, or a text is shown in its place."""
        if self.problems.get(node) == TEXTS and isinstance(value := self.value(node), str):
            return not value.startswith("#")
        is_read = bool(len(self.graph.readers(node)))
        return node in self.problems and not is_read and not self.is_in_line(self.graph.positions[node])

    def doubts(self, node: int) -> Iterator[tuple[str, Position]]:
        """Why the number of a cell could not be compared, and the cell; nothing where it is what its formula gives."""
        position = self.graph.positions[node]
        problem = self.problems.get(node)
        if self._is_shown_alone(node):
            return  # it is among what was not judged
        if problem is not None:
            yield f"cannot be followed ({problem or 'an unusual formula'})", position
            return
        empty = self._empty(node)
        if empty and not self._goes_on(node):
            yield from ((_EMPTY, where) for where in empty)
        if any(_is_near(self.seen[node], given) for given in self.given[node].tolist()):
            return
        if not isinstance(self.value(node), float):
            yield _NO_NUMBER, position
        else:
            yield "gives another number than its formula, as it is read here", position


def _places(finding: Finding) -> Iterator[Coordinates]:
    for block in finding.cells:
        yield from cells_of(block)


def _rounding(node: Node, half: float) -> Node:
    """A tree in which ROUND rounds; elsewhere it is read as the number itself, whose derivative it has."""
    if node[0] == "call" and node[1] == "ROUND" and len(node[2]) == 2:
        number, digits = (_rounding(part, half) for part in node[2])
        scale = ("^", ("n", 10.0), digits)
        rounded = ("call", "INT", (("+", ("*", ("call", "ABS", (number,)), scale), ("n", half)),))
        return ("/", ("*", ("call", "SIGN", (number,)), rounded), scale)
    inner = parts(node)
    return with_parts(node, tuple(_rounding(part, half) for part in inner)) if inner else node


def _is_near(one: float, other: float) -> bool:
    return abs(one - other) <= _RELATIVE * max(abs(one), abs(other)) + _ABSOLUTE


def _sides(position: Position) -> Iterator[tuple[Position, Position]]:
    sheet, row, column = position
    for down, across in _BESIDE:
        yield (sheet, row - down, column - across), (sheet, row + down, column + across)


__all__ = ["OwnNumbers", "own_numbers"]
