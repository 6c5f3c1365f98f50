"""The graph of a workbook: every formula cell over the cells that it reads, analysed once for each kind of formula."""

from __future__ import annotations

import copy
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import count, islice, product, takewhile
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from xlbackprop.checker.calculation.program import (
    BLANK,
    TEXT,
    Identities,
    Program,
    Slot,
    compared,
    deciding_slots,
    number_for,
    selecting_slots,
)
from xlbackprop.checker.file.book import Book
from xlbackprop.checker.file.cells import Cell
from xlbackprop.checker.file.formula import CellFormula, FormulaReader, Node, Position, Reference

MOST_OPERANDS = 20_000_000
"""Cells that are read by all formulas together; a workbook with more is too large to judge."""
WIDEST_RANGE = 20_000
TEXTS = "a comparison of texts"
"""Why a formula is not followed though its functions are known."""
_MOST_LINKS = 100
_FIRST = 2
_COLUMNS = 1 << 15


class TooLargeError(Exception):
    """A workbook with more formulas than can be judged in time."""


class Kind(Struct, eq=False):
    """One kind of formula: its program, the cells that hold it, and the cells that each of these reads."""

    formula: CellFormula
    program: Program
    cells: Identities
    operands: Identities
    """Of shape (cells, operands)."""


class Run(Struct, frozen=True):
    """Formula cells in a row or column without a gap."""

    kinds: Mapping[int, int]
    """The kind of each, by its row or column."""
    usual: int
    """The kind that most of them have."""
    count: int
    """How many have it."""


def _run(kinds: Mapping[int, int], start: int) -> Run:
    held = {place: kinds[place] for place in takewhile(kinds.__contains__, count(start))}
    return Run(held, *Counter(held.values()).most_common(1)[0])


class Graph:
    """The nodes of a workbook are its cells, numbered; 0 stands for empty cells and 1 for those with text."""

    def __init__(self, book: Book, others: Mapping[Position, CellFormula] = MappingProxyType({})) -> None:
        """The graph of a workbook.

        Args:
            book: the workbook.
            others: other formulas that cells are taken to have.
        """
        self.book = book
        self.positions: list[Position] = [("", 0, 0), ("", 0, 1)]
        self._keys: dict[str, npt.NDArray[np.int64]] = {}
        self._identities: dict[str, Identities] = {}
        numbers: list[float] = [0.0, np.nan]
        formulas: list[CellFormula | None] = [None, None]
        by_formula: dict[tuple[int, str], list[int]] = defaultdict(list)
        known: dict[int, CellFormula] = {}
        for sheet in book.sheets:
            keys, identities = [], []
            for (row, column), cell in sheet.cells.items():
                formula = others.get((sheet.name, row, column), cell.formula) if others else cell.formula
                if formula is None and cell.number is None:
                    keys.append(row * _COLUMNS + column)
                    identities.append(TEXT)
                    continue
                identity = len(self.positions)
                self.positions.append((sheet.name, row, column))
                numbers.append(np.nan if cell.number is None else cell.number)
                formulas.append(formula)
                keys.append(row * _COLUMNS + column)
                identities.append(identity)
                if formula is not None:
                    known[id(formula)] = formula
                    by_formula[id(formula), sheet.name].append(identity)
            order = np.argsort(np.array(keys, dtype=np.int64), kind="stable")
            self._keys[sheet.name] = np.array(keys, dtype=np.int64)[order]
            self._identities[sheet.name] = np.array(identities, dtype=np.int64)[order]
        numbers += self._compared_texts(by_formula, known)
        formulas += [None] * (len(numbers) - len(formulas))
        self.numbers = np.array(numbers)
        """The typed or stored numbers, and those that stand for texts."""
        self.formulas = formulas
        self.size = self.cells = len(formulas)
        """Of the nodes, those after the cells are numbers that no cell holds."""
        self.kinds: list[Kind] = []
        self.problems: dict[int, str] = {}
        """Formula cells that cannot be followed, and why."""
        self._reader = FormulaReader()
        self._operands = 0
        self._readers: tuple[Identities, Identities] | None = None
        self._runs: dict[Position, tuple[list[int], list[Run]]] = {}
        self._lines: dict[tuple[str, int, int], dict[int, int]] | None = None
        self._build(by_formula, known)
        self.kind_of = np.full(self.size, -1, dtype=np.int64)
        self.place_of = np.zeros(self.size, dtype=np.int64)
        for number, kind in enumerate(self.kinds):
            self.kind_of[kind.cells] = number
            self.place_of[kind.cells] = np.arange(len(kind.cells))

    @cached_property
    def _nodes(self) -> dict[str, dict[int, int]]:
        """The same as the arrays by sheet, for one cell at a time."""
        return {
            sheet: dict(zip(keys.tolist(), self._identities[sheet].tolist(), strict=True))
            for sheet, keys in self._keys.items()
        }

    def node(self, position: Position) -> int:
        """The node of a cell."""
        sheet, row, column = position
        nodes = self._nodes.get(sheet)
        return BLANK if nodes is None else nodes.get(row * _COLUMNS + column, BLANK)

    def operands(self, node: int) -> Identities:
        """The cells that a formula cell reads, as often as it names them; none for a number."""
        kind = int(self.kind_of[node])
        return self.kinds[kind].operands[self.place_of[node]] if kind >= 0 else np.zeros(0, dtype=np.int64)

    def kind(self, node: int) -> Kind | None:
        """The kind of a formula cell; None for a number and for what cannot be followed."""
        number = int(self.kind_of[node])
        return self.kinds[number] if number >= 0 else None

    def is_formula(self, node: int) -> bool:
        """Whether a cell holds a formula, followed or not."""
        return self.formulas[node] is not None

    def cell(self, node: int) -> Cell:
        """The cell of a node."""
        sheet, row, column = self.positions[node]
        return self.book.by_name[sheet].cells[row, column]

    def link(self, node: int, stop: Container[int] = ()) -> int:
        """The cell that a cell only repeats, through any number of steps, or one of some; itself where it does not."""
        for _ in range(_MOST_LINKS):
            formula = self.formulas[node]
            if formula is None or formula.tree != ("ref", 0) or node in stop:
                break
            operands = self.operands(node)
            if len(operands) != 1 or operands[0] < _FIRST:
                break
            node = int(operands[0])
        return node

    def readers(self, node: int) -> Identities:
        """The formula cells that read a cell."""
        if self._readers is None:
            targets = [np.repeat(kind.cells, kind.operands.shape[1]) for kind in self.kinds]
            sources = [kind.operands.ravel() for kind in self.kinds]
            source = np.concatenate(sources) if sources else np.zeros(0, dtype=np.int64)
            target = np.concatenate(targets) if targets else np.zeros(0, dtype=np.int64)
            order = np.argsort(source, kind="stable")
            starts = np.searchsorted(source[order], np.arange(self.size + 1))
            self._readers = (target[order], starts)
        found, starts = self._readers
        return found[starts[node] : starts[node + 1]]

    def line(self, sheet: str, row: int, column: int) -> dict[int, int]:
        """The kinds of the formula cells of a row, by column, or of a column, by row; the other number is 0."""
        if self._lines is None:
            self._lines = defaultdict(dict)
            for number, kind in enumerate(self.kinds):
                for node in kind.cells.tolist():
                    name, down, across = self.positions[node]
                    self._lines[name, down, 0][across] = number
                    self._lines[name, 0, across][down] = number
        return self._lines[sheet, row, column]

    def run(self, node: int, *, is_down: bool) -> Run:
        """The formula cells above and below a cell, or on both sides of it, up to the first gap, itself among them."""
        sheet, row, column = self.positions[node]
        line = (sheet, 0, column) if is_down else (sheet, row, 0)
        if line not in self._runs:
            kinds = self.line(*line)
            places = sorted(kinds)
            starts = [place for place in places if place - 1 not in kinds]
            self._runs[line] = starts, [_run(kinds, start) for start in starts]
        starts, runs = self._runs[line]
        return runs[bisect_right(starts, row if is_down else column) - 1]

    def read(self, text: str, node: int) -> tuple[Program, Identities] | None:
        """A formula as if it stood in a cell: how it is calculated, and the cells that it reads; None if it cannot be.

        Args:
            text: the formula, with its equals sign.
            node: the cell.
        """
        sheet, row, column = self.positions[node]
        formula = self._reader.read(text.removeprefix("="), row, column)
        tree = formula.tree
        if tree is None:
            return None
        try:
            place = np.array([row]), np.array([column])
            found = next(self._compiled(formula, tree, sheet, *place), None)
        except _UnknownError:
            return None
        return None if found is None else (_program(tree, found[1]), found[3][0])

    def named(self, node: int) -> Iterator[int]:
        """The cells that a formula names, those of its ranges among them, also where it cannot be followed."""
        formula = self.formulas[node]
        sheet, row, column = self.positions[node]
        first: Position | None = None
        for piece in () if formula is None else formula.pieces:
            if isinstance(piece, str):
                first = first if piece.strip() == ":" else None
                continue
            last = piece.at(sheet, row, column)
            start = last if first is None else first
            first = last
            rows, columns = sorted((start[1], last[1])), sorted((start[2], last[2]))
            area = (
                (down, across) for down in range(rows[0], rows[1] + 1) for across in range(columns[0], columns[1] + 1)
            )
            for down, across in islice(area, WIDEST_RANGE):
                yield self.node((start[0], down, across))

    def is_constant(self, node: int, depends: npt.NDArray[np.bool_]) -> bool:
        """Whether no parameter changes what a cell reads, nor what those on both sides of it do: it would belong there.

        Args:
            node: the cell, whether or not its formula can be followed.
            depends: which cells parameters change.
        """

        def is_changed(other: int) -> bool:
            return bool(depends[list(self.named(other))].any())

        sheet, row, column = self.positions[node]
        sides = (
            [self.node((sheet, row - down, column - across)), self.node((sheet, row + down, column + across))]
            for down, across in ((1, 0), (0, 1))
        )
        return not (is_changed(node) or any(all(map(is_changed, pair)) for pair in sides))

    def filled(self, text: str, start: int, end: int) -> str:
        """A formula as it is when it is filled from one cell into another, with its equals sign; empty for none."""
        if not text:
            return ""
        (_, *here), (_, *there) = self.positions[start], self.positions[end]
        return "=" + self._reader.read(text.removeprefix("="), *here).written(*there)

    def with_numbers(self, positions: Sequence[Position]) -> Graph:
        """The same graph with more numbers, which no cell holds, each at the place of a cell."""
        more, changed = len(positions), copy.copy(self)
        changed.positions, changed.size = [*self.positions, *positions], self.size + more
        changed.numbers = np.concatenate([self.numbers, np.zeros(more)])
        changed.formulas = [*self.formulas, *[None] * more]
        changed.kind_of = np.concatenate([self.kind_of, np.full(more, -1)])
        changed.place_of = np.concatenate([self.place_of, np.zeros(more, dtype=np.int64)])
        changed.forget_readers()
        return changed

    def with_kinds(self, kinds: list[Kind]) -> Graph:
        """The same cells with other kinds of formulas."""
        changed = copy.copy(self)
        changed.kinds = kinds
        changed.kind_of, changed.place_of = np.full(self.size, -1, dtype=np.int64), self.place_of.copy()
        for number, kind in enumerate(kinds):
            changed.kind_of[kind.cells] = number
            changed.place_of[kind.cells] = np.arange(len(kind.cells))
        changed._lines, changed._runs = None, {}
        changed.forget_readers()
        return changed

    def forget_readers(self) -> None:
        """Look up anew which formulas read which cells."""
        self._readers = None

    def _compared_texts(
        self, by_formula: dict[tuple[int, str], list[int]], known: dict[int, CellFormula]
    ) -> Iterator[float]:
        """Make nodes of the cells whose text a formula compares; a number for each."""
        for (number, _), nodes in by_formula.items():
            tree = known[number].tree
            leaves = [one for one, _ in compared(tree) if one[0] in {"ref", "range"}] if tree is not None else []
            for leaf, node in product(leaves, nodes):
                ends = [known[number].references[index].at(*self.positions[node]) for index in leaf[1:]]
                (sheet, top, left), (_, bottom, right) = ends[0], ends[-1]
                if sheet not in self._keys or not 0 <= (bottom - top) * (right - left) < WIDEST_RANGE:
                    continue
                for place in product((sheet,), range(top, bottom + 1), range(left, right + 1)):
                    sheet, row, column = self._shown(place)
                    text = self.book.by_name[sheet].text(row, column)
                    at = np.searchsorted(self._keys[sheet], row * _COLUMNS + column)
                    if text and self._identities[sheet][at] == TEXT:
                        self._identities[sheet][at] = len(self.positions)
                        self.positions.append((sheet, row, column))
                        yield number_for(text)

    def _shown(self, position: Position) -> Position:
        """The cell whose text a cell shows, through a few steps."""
        for _ in range(_MOST_LINKS):
            cell = self.book.by_name[position[0]].content.alone.get(position[1:])
            formula = None if cell is None else cell.formula
            if (
                formula is None
                or formula.tree != ("ref", 0)
                or formula.references[0].at(*position)[0] not in self._keys
            ):
                break
            position = formula.references[0].at(*position)
        return position

    def _build(self, by_formula: dict[tuple[int, str], list[int]], known: dict[int, CellFormula]) -> None:
        groups: dict[tuple[object, ...], list[tuple[Identities, Identities]]] = {}
        programs: dict[tuple[object, ...], tuple[CellFormula, Program]] = {}
        for (number, sheet), nodes in by_formula.items():
            formula = known[number]
            tree = formula.tree
            if tree is None:
                self.problems.update(dict.fromkeys(nodes, formula.problem))
                continue
            cells = np.array(nodes, dtype=np.int64)
            rows = np.array([self.positions[node][1] for node in nodes], dtype=np.int64)
            columns = np.array([self.positions[node][2] for node in nodes], dtype=np.int64)
            is_beyond = np.ones(len(cells), dtype=np.bool_)
            try:
                for key, slots, chosen, operands in self._compiled(formula, tree, sheet, rows, columns):
                    self._operands += operands.size
                    if self._operands > MOST_OPERANDS:
                        raise TooLargeError
                    if key not in programs:
                        program = _program(tree, slots)
                        programs[key] = (formula, program)
                    is_beyond[chosen] = False
                    is_text = programs[key][1].takes_empty_for_text(operands)
                    self.problems.update(dict.fromkeys(cells[chosen[is_text]].tolist(), TEXTS))
                    if not is_text.all():
                        groups.setdefault(key, []).append((cells[chosen[~is_text]], operands[~is_text]))
            except _UnknownError as error:
                self.problems.update(dict.fromkeys(nodes, str(error)))
            else:
                beyond = "a reference beyond the edge of the sheet"
                self.problems.update(dict.fromkeys(cells[is_beyond].tolist(), beyond))
        for key, parts in groups.items():
            formula, program = programs[key]
            cells = np.concatenate([part[0] for part in parts])
            operands = np.concatenate([part[1] for part in parts])
            self.kinds.append(Kind(formula, program, cells, operands))

    def _compiled(
        self, formula: CellFormula, tree: Node, sheet: str, rows: Identities, columns: Identities
    ) -> Iterator[tuple[tuple[object, ...], tuple[Slot, ...], npt.NDArray[np.intp], Identities]]:
        """The cells of one formula on one sheet, grouped by the sizes of the ranges that they read.

        Those are left out whose references lead beyond the edge of the sheet.
        """
        corners = [
            (self._corner(formula, leaf[1], rows, columns), self._corner(formula, leaf[-1], rows, columns))
            if leaf[0] != "name"
            else self._defined(leaf[1], len(rows))
            for leaf in formula.operands
        ]
        heights = [last[0] - first[0] + 1 for (_, first), (_, last) in corners]
        widths = [last[1] - first[1] + 1 for (_, first), (_, last) in corners]
        shapes = np.stack([*heights, *widths], axis=1) if corners else np.zeros((len(rows), 0), dtype=np.int64)
        if corners and bool(((shapes < 1) | (shapes > WIDEST_RANGE)).any()):
            raise _UnknownError("a range that is turned around or very large")
        is_there = np.ones(len(rows), dtype=np.bool_)
        for (_, (row, column)), _ in corners:
            is_there &= (row > 0) & (column > 0)
        every = shapes[is_there]
        for shape in np.unique(every, axis=0) if corners and len(every) > 1 else every[:1]:
            chosen = np.flatnonzero((shapes == shape).all(axis=1) & is_there)
            slots, parts, start = [], [], 0
            for index, (leaf, ((where, first), _)) in enumerate(zip(formula.operands, corners, strict=True)):
                height, width = int(shape[index]), int(shape[index + len(corners)])
                if height * width > WIDEST_RANGE:
                    raise _UnknownError("a very large range")
                down, across = np.divmod(np.arange(height * width), width)
                row = first[0][chosen][:, None] + down[None, :]
                column = first[1][chosen][:, None] + across[None, :]
                parts.append(self._looked_up(sheet if where is None else where, row, column))
                is_range = leaf[0] == "range" or height * width > 1
                slots.append(Slot(start, height, width, is_range))
                start += height * width
            operands = np.concatenate(parts, axis=1) if parts else np.zeros((len(chosen), 0), dtype=np.int64)
            yield (id(formula), *shape.tolist()), tuple(slots), chosen, operands

    def _corner(
        self, formula: CellFormula, index: int, rows: Identities, columns: Identities
    ) -> tuple[str | None, tuple[Identities, Identities]]:
        reference: Reference = formula.references[index]
        if reference.sheet is not None and reference.sheet not in self._keys:
            raise _UnknownError(f"a reference to {reference.sheet}, which is not in the workbook")
        row = np.full_like(rows, reference.row) if reference.row_fixed else rows + reference.row
        column = np.full_like(columns, reference.column) if reference.column_fixed else columns + reference.column
        return reference.sheet, (row, column)

    def _defined(
        self, name: str, count: int
    ) -> tuple[tuple[str | None, tuple[Identities, Identities]], tuple[str | None, tuple[Identities, Identities]]]:
        corners = self.book.named_cells(name)
        if corners is None:
            raise _UnknownError(f"the name {name}")

        def filled(corner: Position) -> tuple[str | None, tuple[Identities, Identities]]:
            sheet, row, column = corner
            if sheet not in self._keys:
                raise _UnknownError(f"a reference to {sheet}, which is not in the workbook")
            return sheet, (np.full(count, row), np.full(count, column))

        return filled(corners[0]), filled(corners[1])

    def _looked_up(self, sheet: str, rows: Identities, columns: Identities) -> Identities:
        keys = self._keys[sheet]
        if not len(keys):
            return np.zeros_like(rows)
        wanted = rows * _COLUMNS + columns
        places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        found = (keys[places] == wanted) & (rows > 0) & (columns > 0)
        return np.where(found, self._identities[sheet][places], BLANK)


class _UnknownError(Exception):
    """A formula that reads what is not there."""


def _program(tree: Node, slots: tuple[Slot, ...]) -> Program:
    numbers = iter(range(len(slots)))
    filled = _with_slots(tree, numbers)
    selecting, deciding = selecting_slots(filled), deciding_slots(filled)
    marked = tuple(
        Slot(slot.start, slot.rows, slot.columns, slot.is_range, index in selecting, index in deciding)
        for index, slot in enumerate(slots)
    )
    width = slots[-1].start + slots[-1].size if slots else 0
    return Program(filled, marked, width)


def _with_slots(node: Node, numbers: Iterator[int]) -> Node:
    if node[0] in {"ref", "range", "name"}:
        return ("slot", next(numbers))
    if node[0] == "call":
        return ("call", node[1], tuple(_with_slots(part, numbers) for part in node[2]))
    if node[0] in {"n", "text"}:
        return node
    return (node[0], *(_with_slots(part, numbers) for part in node[1:]))


def skeleton(graph: Graph, node: int) -> str:
    """The build of a formula, whatever cells it reads."""
    kind = graph.kind(node)
    return "" if kind is None else kind.program.build


def pairs_of_operands(graph: Graph, node: int, other: int) -> list[tuple[int, int]]:
    """What two formulas read at the same places; nothing where they are built otherwise, or read more cells."""
    operands = [graph.operands(one).tolist() for one in (node, other)]
    is_alike = skeleton(graph, node) == skeleton(graph, other) and len(operands[0]) == len(operands[1])
    return list(zip(*operands, strict=True)) if is_alike else []


class Order(Struct, frozen=True):
    """The nodes in the order of calculation."""

    batches: tuple[tuple[int, npt.NDArray[np.intp]], ...]
    """A kind, and which of its cells are calculated together."""
    level: Identities
    """How many cells stand before each node at most; −1 for those in a circle."""


def order_of(graph: Graph, is_cut: npt.NDArray[np.bool_], is_kept: npt.NDArray[np.bool_] | None = None) -> Order:
    """The order of calculation when the cut nodes count as given; of all cells, or of those that are kept."""
    size = graph.size
    sources = [kind.operands.ravel() for kind in graph.kinds]
    targets = [np.repeat(kind.cells, kind.operands.shape[1]) for kind in graph.kinds]
    source = np.concatenate(sources) if sources else np.zeros(0, dtype=np.int64)
    target = np.concatenate(targets) if targets else np.zeros(0, dtype=np.int64)
    is_waiting = graph.kind_of >= 0
    if is_kept is not None:
        is_waiting &= is_kept
    real = is_waiting[source] & ~is_cut[source] & is_waiting[target]
    source, target = source[real], target[real]
    waiting = np.bincount(target, minlength=size)
    by_source = np.argsort(source, kind="stable")
    target = target[by_source]
    starts = np.searchsorted(source[by_source], np.arange(size + 1))
    level = np.full(size, -1, dtype=np.int64)
    level[~is_waiting] = 0
    front = np.flatnonzero(is_waiting & (waiting == 0))
    depth = 0
    while len(front):
        depth += 1
        level[front] = depth
        spans = [target[starts[node] : starts[node + 1]] for node in front if not is_cut[node]]
        if not spans:
            break
        reached = np.concatenate(spans)
        np.subtract.at(waiting, reached, 1)
        candidates = np.unique(reached)
        front = candidates[waiting[candidates] == 0]
    return Order(tuple(_batches(graph, level)), level)


def _batches(graph: Graph, level: Identities) -> Iterator[tuple[int, npt.NDArray[np.intp]]]:
    found: list[tuple[int, int, npt.NDArray[np.intp]]] = []
    for number, kind in enumerate(graph.kinds):
        levels = level[kind.cells]
        by_level = np.argsort(levels, kind="stable")
        values, starts = np.unique(levels[by_level], return_index=True)
        for value, places in zip(values, np.split(by_level, starts[1:]), strict=True):
            if value > 0:
                found.append((int(value), number, places))
    for _, number, places in sorted(found, key=lambda item: item[:2]):
        yield number, places
