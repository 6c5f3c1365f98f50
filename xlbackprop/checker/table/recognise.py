"""Recognition: where on a sheet an iteration table stands, which line of it holds which quantity, and its shape."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from xlbackprop.checker.file.cells import Block, Cell, Sheet
from xlbackprop.checker.table.labels import is_of_one_output, quantity
from xlbackprop.checker.worlds import Shape, derivation_of
from xlbackprop.engine import Array
from xlbackprop.ground.grid import Coordinates, address
from xlbackprop.network import ITERATION, LEARNING_RATE

_FEWEST_WEIGHTS = 2
_FEWEST_CALCULATED = 3
_LARGEST_GAP = 2
"""Empty rows that people leave inside a table."""
_LARGEST_BREAK = 24
"""Empty rows, or rows of other things, between two trainings under one header."""
_MOST_UNITS = 9
_OTHER_WEIGHT = re.compile(r"[wvuθ]['_ ]?[a-z]{0,3}['_ ]?\d{1,2}(?:[_, ]?[a-z]{0,2}\d)?")


class IterationTable(Struct, dict=True):
    """An iteration table: one line (a column, or a row when it is transposed) a quantity, one step an iteration."""

    sheet: Sheet
    header: int
    steps: tuple[int, ...]
    """The rows of the iterations (or the columns, when transposed)."""
    lines: dict[str, int]
    """The line of every quantity that has one."""
    shape: Shape
    transposed: bool = False
    unknown: dict[int, str] = {}  # msgspec copies the default
    """The lines in between whose label is not known, with the label."""
    relabelled: dict[int, str] = {}  # msgspec copies the default
    """The lines whose label is another's, with what stands there."""
    certain: bool = False
    """Whether the labels are known to mean what they say: in a file of ours, and in a map."""
    are_activations_given: bool = False
    """Whether the activations of its shape are those of the table, and not what is taken where nothing is known."""
    is_loss_given: bool = False
    """The same of the loss."""

    def place(self, name: str, step: int) -> Coordinates:
        """Row and column of a quantity in an iteration, counted from 0."""
        return self.coordinates(self.lines[name], step)

    def coordinates(self, line: int, step: int) -> Coordinates:
        """Row and column of a line in an iteration, counted from 0."""
        return (line, self.steps[step]) if self.transposed else (self.steps[step], line)

    def cell(self, name: str, step: int) -> Cell | None:
        """The cell of a quantity in an iteration; None where it is empty."""
        return self.sheet.cells.get(self.place(name, step))

    def on(self, line: int, step: int) -> Cell | None:
        """The cell of any line in an iteration; None where it is empty."""
        return self.sheet.cells.get(self.coordinates(line, step))

    @cached_property
    def stretches(self) -> tuple[range, ...]:
        """The steps, those together that follow one another and differ in nothing but their numbers."""
        return tuple(stretch for stretch, _ in self._parts)

    @cached_property
    def _parts(self) -> tuple[tuple[range, Block | None], ...]:
        """The same, with the block that they are in."""
        found: list[tuple[range, Block | None]] = []
        step = 0
        while step < len(self.steps):
            block = None if self.transposed else self.sheet.content.blocks.at(self.steps[step])
            stop = step + 1
            while block is not None and stop < len(self.steps) and self.steps[stop] in block.rows:
                stop += 1
            found.append((range(step, stop), block))
            step = stop
        return tuple(found)

    def gathered(
        self, line: int, one: Callable[[Coordinates], float], several: Callable[[Block], Array] = lambda b: b.numbers
    ) -> Array:
        """A number for each cell of a line, one an iteration; nan where a block has none.

        Args:
            line: the line.
            one: the number for a cell.
            several: those for all cells of a block.
        """
        found = np.full(len(self.steps), np.nan)
        for stretch, block in self._parts:
            if block is None:
                found[stretch.start] = one(self.coordinates(line, stretch.start))
            elif line in block.places:
                rows = np.array(self.steps[stretch.start : stretch.stop]) - block.first
                found[stretch.start : stretch.stop] = several(block)[rows, block.places[line]]
        return found

    def numbers(self, line: int) -> Array:
        """The stored numbers of a line, one an iteration; nan where there is none."""
        return self.gathered(line, self._number)

    def digits(self, line: int, step: int) -> str:
        """The text of a number as the file has it; empty where there is none."""
        cell = self.on(line, step)
        return "" if cell is None else cell.digits

    @cached_property
    def _steps_at(self) -> dict[int, int]:
        return {along: step for step, along in enumerate(self.steps)}

    def step_at(self, along: int) -> int | None:
        """Which iteration a row, or a column of a table that is turned, is; None for one of none."""
        return self._steps_at.get(along)

    def _number(self, place: Coordinates) -> float:
        cell = self.sheet.cells.get(place)
        return np.nan if cell is None or cell.number is None else cell.number

    @property
    def range(self) -> str:
        """The range of the table, its header included."""
        lines = self.lines.values()
        above = self.header if self.steps[0] - self.header <= _LARGEST_GAP + 1 else self.steps[0]
        first, last = (min(lines), above), (max(lines), self.steps[-1])
        corners = [(line, step) if self.transposed else (step, line) for line, step in (first, last)]
        return f"{address(*corners[0])}:{address(*corners[1])}"


class Candidate(Struct):
    """A line of labels that may head a table, before the rows below it are looked at."""

    header: int
    lines: dict[str, int]
    unknown: dict[int, str]


def tables(sheet: Sheet, known: Mapping[str, str], shape: Shape | None = None) -> list[IterationTable]:
    """Every iteration table of a sheet, from the top; transposed ones only where there is no other.

    Args:
        sheet: where to look.
        known: labels whose quantity is certain, by their text: those of our own files.
        shape: of the network, where it is certain too.
    """
    for transposed in (False, True):
        found = list(_tables(sheet, known, shape, transposed))
        if found:
            return found
    return []


def mapped(
    sheet: Sheet,
    lines: Mapping[str, int],
    header: int | None,
    *,
    transposed: bool,
    activations: tuple[str, ...],
    loss: str | None,
) -> list[IterationTable]:
    """The table that a reader's map describes, or several; none when there is nothing in its lines.

    Args:
        sheet: where it stands.
        lines: its columns by quantity, or its rows when it is transposed.
        header: the row of the labels, or the column; None where that is to be found.
        transposed: whether an iteration is a column.
        activations: of every layer; empty where they are to be found.
        loss: what is called so; None where it is to be found.
    """
    candidate = Candidate(header or 0, dict(lines), {})
    if header is None:
        wanted = set(lines.values())
        filled: Counter[int] = Counter()
        for place, cell in sheet.cells.items():
            along, line = place[::-1] if transposed else place
            filled[along] += line in wanted and not (isinstance(cell.value, str) and cell.formula is None)
        steps = [step for step, count in filled.items() if 2 * count > len(wanted)]
        candidate.header = min(steps, default=1) - 1
    found = _under(sheet, candidate, None, None, transposed=transposed)
    return [
        replace(
            shaped(table, replace(table.shape, activations=activations, loss=loss or table.shape.loss)),
            certain=True,
            are_activations_given=bool(activations),
            is_loss_given=loss is not None,
        )
        for table in found
    ]


def _tables(sheet: Sheet, known: Mapping[str, str], shape: Shape | None, transposed: bool) -> Iterator[IterationTable]:
    lines: dict[int, dict[int, str]] = {}
    for (row, column), cell in sheet.texts:
        if isinstance(cell.value, str) and not cell.value.startswith("#"):
            step, line = (column, row) if transposed else (row, column)
            lines.setdefault(step, {})[line] = cell.value
    candidates = [candidate for step in sorted(lines) for candidate in _headers(step, lines[step], known)]
    candidates = [candidate for candidate in candidates if _is_walkthrough(candidate.lines, known)]
    largest = max((len(candidate.lines) for candidate in candidates), default=0)
    candidates = [candidate for candidate in candidates if 2 * len(candidate.lines) >= largest]  # no part of a diagram
    for index, candidate in enumerate(candidates):
        later = [
            other.header
            for other in candidates[index + 1 :]
            if other.header > candidate.header and _overlap(other, candidate)
        ]
        for found in _under(sheet, candidate, min(later, default=None), shape, transposed=transposed):
            is_given = shape is not None
            yield replace(found, certain=bool(known), are_activations_given=is_given, is_loss_given=is_given)


def _under(
    sheet: Sheet, candidate: Candidate, end: int | None, shape: Shape | None, *, transposed: bool
) -> list[IterationTable]:
    """The table under a header; more than one where the training begins again without a header of its own."""
    whole = _table(sheet, candidate, end, shape, transposed=transposed)
    if whole is None:
        return []
    starts = [0, *_restarts(whole)]
    pieces = [whole.steps[start:stop] for start, stop in zip(starts, [*starts[1:], len(whole.steps)], strict=True)]
    return [replace(whole, steps=steps) for steps in pieces]


def _restarts(table: IterationTable) -> list[int]:
    """The steps at which the initial weights are typed in once more, though they are calculated elsewhere."""
    weights = [name for name in table.lines if re.fullmatch(r"w\d+", name)]
    first = [cell.number if (cell := table.cell(name, 0)) is not None else None for name in weights]
    later = [stretch for stretch in table.stretches if stretch.stop > 1]
    calculated = any(
        cell is not None and cell.formula is not None
        for stretch in later
        for name in weights
        for cell in [table.cell(name, stretch[-1])]
    )
    found = []
    for stretch in later:
        if all((cell := table.cell(name, stretch[-1])) is not None and cell.formula is None for name in weights):
            for step in range(max(stretch.start, 1), stretch.stop):
                gap = table.steps[step] - table.steps[step - 1] > 1
                cells = [table.cell(name, step) for name in weights] if calculated or gap else []
                if (calculated or gap) and [cell.number for cell in cells if cell is not None] == first:
                    found.append(step)
    return found


def _table(
    sheet: Sheet, candidate: Candidate, end: int | None, shape: Shape | None, *, transposed: bool
) -> IterationTable | None:
    """All rows under a header; None when there are none, or its numbers of units fit no network."""
    steps = _steps(sheet, candidate, end, transposed)
    named = _with_numbered_biases(candidate.lines)
    shape = shape or shape_of(named)
    if not steps or shape is None:
        return None
    if not shape.train_biases and _are_updated(sheet, steps, named, transposed):
        shape = replace(shape, train_biases=True)
    quantities = derivation_of(shape).quantities
    lines = {n: line for n, line in named.items() if n in quantities or n == LEARNING_RATE}
    unknown = dict(candidate.unknown)
    unknown.update({line: n for n, line in named.items() if n not in lines and n != ITERATION})
    for line, name in _weights_in_order(unknown, lines, shape).items():
        lines[name] = line
        del unknown[line]
    return IterationTable(sheet, candidate.header, steps, lines, shape, transposed, unknown)


def shaped(table: IterationTable, shape: Shape) -> IterationTable:
    """A table with other activations or another loss: some of them have links of the chain rule that others lack."""
    before, after = derivation_of(table.shape).quantities, derivation_of(shape).quantities
    named = {line: name for line, text in table.unknown.items() if (name := quantity(text)) is not None}
    lines = {name: line for name, line in table.lines.items() if name in after or name == LEARNING_RATE}
    lines |= {name: line for line, name in named.items() if name in after and name not in before}
    lost = {line: name for name, line in table.lines.items() if name not in lines}
    unknown = {line: text for line, text in table.unknown.items() if line not in lines.values()} | lost
    return replace(table, lines=lines, shape=shape, unknown=unknown)


def renamed(table: IterationTable, names: Mapping[str, int]) -> IterationTable | None:
    """A table whose lines have other names; None when these fit no network."""
    named = _with_numbered_biases(names)
    shape = shape_of(named)
    if shape is None:
        return None
    if len(shape.sizes) == len(table.shape.sizes):
        shape = replace(table.shape, sizes=shape.sizes, bias_counts=shape.bias_counts)
    else:
        table = replace(table, are_activations_given=False)
        shape = replace(shape, train_biases=table.shape.train_biases)
    quantities = derivation_of(shape).quantities
    lines = {name: line for name, line in named.items() if name in quantities or name == LEARNING_RATE}
    return replace(table, lines=lines, shape=shape, unknown={}, relabelled={})


def _with_numbered_biases(lines: Mapping[str, int]) -> dict[str, int]:
    """Biases called after their units (b_h1, b_o2) or layers (b_h, b_o), under their numbers."""
    after_units = sorted((name for name in lines if re.fullmatch(r"b_[ho]\d?", name)), key=lambda name: (name[2], name))
    numbers = {name: f"b{number}" for number, name in enumerate(after_units, 1)}
    return {numbers.get(name, name): line for name, line in lines.items()}


def _are_updated(sheet: Sheet, steps: tuple[int, ...], lines: Mapping[str, int], transposed: bool) -> bool:
    """Whether the biases are calculated from row to row, not only repeated."""
    for name, line in lines.items():
        for step in steps[1:] if re.fullmatch(r"b\d+", name) else ():
            cell = sheet.cells.get((line, step) if transposed else (step, line))
            if cell is not None and cell.formula is not None and len(cell.formula.references) > 1:
                return True
    return False


def _weights_in_order(unknown: Mapping[int, str], lines: Mapping[str, int], shape: Shape) -> dict[int, str]:
    """Weights under other numbers (w11, w12, v11), taken in their order where there are as many as are missing."""
    names = [name for rows in derivation_of(shape).names.weights for row in rows for name in row]
    missing = [name for name in names if name not in lines]
    others = [line for line, text in sorted(unknown.items()) if _OTHER_WEIGHT.fullmatch(text.strip().lower())]
    return dict(zip(others, missing, strict=True)) if len(others) == len(missing) else {}


def _headers(step: int, texts: dict[int, str], known: Mapping[str, str]) -> Iterator[Candidate]:
    """The labels of one row; where most of them begin again, the next table begins."""
    order = sorted(texts)
    names = {line: known.get(texts[line].strip()) or quantity(texts[line]) for line in order}
    counts = Counter(names.values())
    for line in order:
        if counts[names[line]] > 1 and is_of_one_output(texts[line]) and texts[line].strip() not in known:
            names[line] = None
    current: dict[str, int] = {}
    unknown: dict[int, str] = {}
    doubles: dict[int, str] = {}
    for index, line in enumerate(order):
        name = names[line]
        if name is None:
            unknown[line] = texts[line]
        elif name not in current:
            current[name] = line
        else:
            ahead = {names[other] for other in order[index:]} - {None}
            if len(ahead & current.keys()) >= max(_FEWEST_CALCULATED, len(current) // 2):
                yield Candidate(step, _corrected(current, doubles), unknown)
                current, unknown, doubles = {name: line}, {}, {}
            else:
                doubles[line] = name
    if current:
        unknown.update(doubles)
        yield Candidate(step, _corrected(current, doubles), unknown)


def _corrected(lines: dict[str, int], doubles: dict[int, str]) -> dict[str, int]:
    """A label typed twice (∂E/∂w6 for ∂E/∂w7) means the number that is missing beside it."""
    corrected = dict(lines)
    for line, name in doubles.items():
        match = re.fullmatch(r"(.*?)(\d+)", name)
        following = f"{match[1]}{int(match[2]) + 1}" if match else ""
        later = f"{match[1]}{int(match[2]) + 2}" if match else ""
        if following and following not in corrected and lines[name] < line and corrected.get(later, line + 1) > line:
            corrected[following] = line
    return corrected


def _is_walkthrough(lines: Mapping[str, int], known: Mapping[str, str]) -> bool:
    if known:
        return 2 * len(lines.keys() & set(known.values())) > len(known) / 2
    weights = sum(bool(re.fullmatch(r"w\d+", name)) for name in lines)
    return weights >= _FEWEST_WEIGHTS and sum(map(_is_calculated, lines)) >= _FEWEST_CALCULATED


def _is_calculated(name: str) -> bool:
    return bool(re.fullmatch(r"(a_)?[ho]\d(_\d)?|E\d|E_total|∂.*", name))


def _overlap(one: Candidate, other: Candidate) -> bool:
    return bool(set(one.lines.values()) & set(other.lines.values()))


def _steps(sheet: Sheet, candidate: Candidate, end: int | None, transposed: bool) -> tuple[int, ...]:
    """The rows under a header that hold numbers, up to the next header or a real gap."""
    lines = [line for name, line in candidate.lines.items() if name not in {ITERATION, LEARNING_RATE}]
    weights = [line for name, line in candidate.lines.items() if re.fullmatch(r"w\d+", name)]

    def cell(line: int, step: int) -> Cell | None:
        return sheet.cells.get((line, step) if transposed else (step, line))

    steps: list[int] = []
    step, gap = candidate.header + 1, 0
    while gap <= _LARGEST_BREAK and (end is None or step < end):
        block = None if transposed else sheet.content.blocks.at(step)
        if block is not None and steps and steps[-1] == step - 1 >= block.first:  # as the row above
            stop = block.rows.stop if end is None else min(end, block.rows.stop)
            steps += range(step, stop)
            step = stop
            continue
        cells = [cell(line, step) for line in lines]
        filled = sum(c is not None and (c.formula is not None or c.number is not None) for c in cells)
        known = [c for line in weights if (c := cell(line, step)) is not None and not isinstance(c.value, str)]
        enough = filled * 4 >= len(lines) and (bool(known) or filled * 2 >= len(lines))
        if gap > _LARGEST_GAP:  # only a whole row with typed weights begins again after so long
            typed = len(known) == len(weights) and all(c.formula is None for c in known)
            enough = bool(steps) and typed and filled * 2 >= len(lines)
        if enough:
            steps.append(step)
            gap = 0
        else:
            gap += 1
        step += 1
    return tuple(steps)


_COUNTED = re.compile(r"(?:a_(?=[oh]))?([itohE](?=\d$)|[wb])(\d+)")
"""Quantities that are numbered throughout."""


def shape_of(lines: Mapping[str, int]) -> Shape | None:
    """The network that has quantities of these names; None when their numbers fit no network."""
    most = dict.fromkeys("itohEwb", 0)
    for name in lines:
        match = _COUNTED.fullmatch(name)
        if match:
            most[match[1]] = max(most[match[1]], int(match[2]))
    inputs, weights = most["i"], most["w"]
    outputs = max(most["o"], most["E"], most["t"])
    deep = [(int(m[1]), int(m[2])) for name in lines if (m := re.fullmatch(r"(?:a_)?h(\d)_(\d)", name))]
    if deep:
        hidden = [max(u for layer, u in deep if layer == number) for number in sorted({layer for layer, _ in deep})]
    else:
        count = most["h"]
        if not count and inputs and outputs and weights > inputs * outputs and not weights % (inputs + outputs):
            count = weights // (inputs + outputs)  # hidden units of which none is labelled
        hidden = [count] if count else []
    if not outputs:
        outputs = 1 if "E_total" in lines and hidden else 0
    between = sum(a * b for a, b in zip(hidden, [*hidden[1:], outputs], strict=False))
    first = hidden[0] if hidden else outputs
    if not inputs and first and weights > between and not (weights - between) % first:
        inputs = (weights - between) // first
    sizes = (inputs, *hidden, outputs)
    if not all(0 < size <= _MOST_UNITS for size in sizes):
        return None
    biases = {name for name in lines if re.fullmatch(r"b\d+", name)}
    units = sizes[1:]
    if not biases:
        counts = (0,) * len(units)
    elif most["b"] <= len(units):
        counts = (1,) * len(units)
    else:
        counts = units
    trained = any(re.fullmatch(r"∂E/∂b\d+", name) for name in lines)
    return Shape(sizes, counts, trained)
