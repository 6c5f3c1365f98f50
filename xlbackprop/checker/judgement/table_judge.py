"""The judgement of a table: every formula in random worlds, every number on its own row, one finding a mistake."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice, product

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from xlbackprop.checker.file.book import Book
from xlbackprop.checker.file.cells import Sheet
from xlbackprop.checker.file.formula import (
    CellFormula,
    FormulaReader,
    Node,
    Position,
    leaves,
    parts,
    value_of,
    with_parts,
)
from xlbackprop.checker.file.values import Values
from xlbackprop.checker.judgement.number_readings import read_by_numbers
from xlbackprop.checker.judgement.right_formula import RightFormulas
from xlbackprop.checker.judgement.row_values import RowValues
from xlbackprop.checker.judgement.slip import Slip
from xlbackprop.checker.judgement.slip_search import NEGATIVE, Budget, ReadingContext
from xlbackprop.checker.judgement.stored_numbers import StoredNumbers, renumbered_by_values, with_proven_rate
from xlbackprop.checker.report.findings import Finding, LearningRate, Note, Replacement, TableFound, shortened
from xlbackprop.checker.table.given_cells import labelled_rates
from xlbackprop.checker.table.meaning import Judge, Meaning
from xlbackprop.checker.table.recognise import IterationTable
from xlbackprop.checker.table.trees import Key, Trees
from xlbackprop.checker.worlds import ANOTHER_ROW, close
from xlbackprop.derivation import Role
from xlbackprop.engine import Array
from xlbackprop.ground.grid import Coordinates, address, ranges
from xlbackprop.network import LEARNING_RATE, LOSSES, SOFTMAX, derivative

_FEWEST_FORWARD = 4
"""Columns of the forward pass; with fewer it cannot be told whether a sheet or its reading is wrong."""


_NEAR_E = 1e-5
"""2.71828 is near enough: its effect on an activation is below a millionth."""
_NEARLY = 1e-4
"""What differs by less is the same quantity with a rounded constant."""
_MOST_TYPED, _MOST_READINGS = 12, 256
"""Numbers in a formula, and readings of it in which some of them are given ones."""
_SAME_NUMBER = 1e-6
UNNAMED = frozenset({"wrong_formula", "wrong_value", "other_quantity"})


class Place(Struct, frozen=True):
    """What a mistake is ordered by: the first row it is made in, and the quantity's turn in the calculation."""

    step: int
    turn: int


class Verdict(Struct, frozen=True):
    """All that a table gives: what it is, its mistakes, its notes."""

    found: TableFound
    findings: tuple[tuple[Place, Finding], ...]
    notes: tuple[Note, ...]
    judged: int
    """How many cells there were to judge."""
    declined: str
    """Why the table is none of this walkthrough; empty when it is one."""
    table: IterationTable
    meaning: Meaning
    numbers: RowValues
    given_numbers: Mapping[str, float]
    """The numbers of what stands in cells beside the table, by name."""
    doubted: tuple[str, ...] = ()
    """Labels whose columns calculate something else, and are right all the same."""

    @property
    def known(self) -> set[str]:
        """The quantities that stand somewhere: in the table, elsewhere in the workbook, or typed into formulas."""
        names = {self.meaning.own(name) for name in self.table.lines} | set(self.meaning.cells.values())
        return names | {name for name, _ in self.meaning.literals}

    @property
    def nowhere(self) -> list[str]:
        """The inputs, targets and parameters of what the labels say that stand nowhere."""
        quantities = self.meaning.derivation.quantities
        return [name for name, each in quantities.items() if each.expression is None and name not in self.known]


class Group(Struct):
    """Cells of one line with one mistake; `name` is what the line should hold."""

    line: int
    name: str
    steps: list[int]
    slip: Slip
    formula: CellFormula | None


def judge_table(
    book: Book,
    trees: Trees,
    meaning: Meaning,
    recalculated: Values,
    budget: Budget,
    is_proven: Callable[[Position], bool] = lambda position: False,
) -> Verdict:
    """Judge one table that is understood.

    Args:
        book: the workbook.
        trees: the formulas of the table.
        meaning: what they mean.
        recalculated: what they give.
        budget: what may still be tried in search of slips.
        is_proven: whether the calculation shows a cell to be right, whatever its label says.
    """
    numbers = RowValues(trees.table, recalculated)
    trees, meaning, others = read_by_numbers(book, trees, meaning, numbers)
    if not any(True for name in trees.core for _ in trees.keys_along(trees.table.lines[name])):
        meaning = with_proven_rate(trees, renumbered_by_values(trees, meaning, numbers), numbers)
    return _TableJudge(book, trees, meaning, others, numbers, recalculated, budget, is_proven).verdict()


class _TableJudge:
    def __init__(
        self,
        book: Book,
        trees: Trees,
        meaning: Meaning,
        others: Sequence[Meaning],
        numbers: RowValues,
        recalculated: Values,
        budget: Budget,
        is_proven: Callable[[Position], bool],
    ) -> None:
        self._is_proven = is_proven
        self._doubted: dict[str, None] = {}
        self._book = book
        self._trees = trees
        self._table = trees.table
        self._meaning = meaning
        self._numbers = numbers
        self._recalculated = recalculated
        self._judge = Judge(book, trees, meaning)
        self._right_formulas = RightFormulas(trees, meaning)
        self._setting = ReadingContext(
            meaning.shape, meaning.literals, meaning.changing_samples, tuple(sorted(meaning.numbering.items()))
        )
        self._budget = budget
        self._notes: list[Note] = list(_undecided_note(trees.table, meaning, others))
        self._typed: dict[str, set[str]] = {}
        self._rate_cell, rate = self._learning_rate()
        known = {position: value for position in meaning.cells if (value := self._number_at(position)) is not None}
        self._given_numbers = {meaning.cells[position]: value for position, value in known.items()}
        self._stored = StoredNumbers(
            trees,
            self._right_formulas,
            meaning,
            numbers,
            known,
            rate,
            self._budget,
            [RightFormulas(trees, replace(meaning, shape=other.shape)) for other in others],
        )

        if self._rate_cell is None:
            self._right_formulas.rate = self._stored.rate

    def verdict(self) -> Verdict:
        table = self._table
        rate = LearningRate(self._rate_cell, self._stored.rate)
        found = TableFound(table.sheet.name, table.range, len(table.steps), rate)
        groups = list(self._formula_groups())
        for name, steps, slip in self._stored.slips():
            groups.append(Group(table.lines[name], name, steps, slip, None))
        declined = self._misunderstood(groups)
        if declined:
            return Verdict(found, (), (), 0, declined, table, self._meaning, self._numbers, self._given_numbers)
        together = list(_together(groups))
        apart = [group for group in groups if not any(group in members for members in together)]
        findings = [self._finding([group]) for group in _merged(apart)]
        findings += [self._finding(sorted(members, key=self._first)) for members in together]
        notes = [*self._notes, *self._stored.notes(), *self._numbering_note(), *self._label_note()]
        notes += self._typed_note()
        notes += self._rate_note()
        judged = sum(
            len(stretch) - (self._stored.is_learned(name) and not stretch.start)
            for name in (*self._stored.calculated, *self._stored.helpers)
            if name not in self._doubted
            for stretch in table.stretches
            if (cell := table.cell(name, stretch.start)) is not None
            and (cell.formula is not None or cell.number is not None)
        )
        return Verdict(
            found,
            tuple(findings),
            tuple(notes),
            judged,
            "",
            table,
            self._meaning,
            self._numbers,
            self._given_numbers,
            tuple(self._doubted),
        )

    def _formula_groups(self) -> Iterator[Group]:
        for name in self._stored.calculated:
            yield from self._groups_of(self._table.lines[name], name)
        for line, name in self._meaning.lines.items():
            if name != LEARNING_RATE:
                yield from self._groups_of(line, name)

    def _groups_of(self, line: int, name: str) -> Iterator[Group]:
        """The wrong formulas of one line, by formula."""
        verdicts: dict[Key, Slip | None] = {}
        groups: dict[int, Group] = {}
        steps_of: dict[Key, list[int]] = {}
        for stretch, key in self._trees.keys_along(line):
            steps_of.setdefault(key, []).extend(stretch)
        for stretch, key in self._trees.keys_along(line):
            if self._stored.is_learned(name) and not stretch.start:
                continue
            cell = self._table.on(line, stretch.start)
            assert cell is not None
            formula = cell.formula
            assert formula is not None
            if key not in verdicts:
                verdicts[key] = self._slip_in(name, line, key, formula, steps_of[key])
            slip = verdicts[key]
            if slip is None:
                continue
            group = groups.setdefault(id(formula), Group(line, name, [], slip, formula))
            if len(group.steps) < 2 <= len(group.steps) + len(stretch) and slip.kind != "wrong_formula":
                group.slip = slip  # what a fixed reference does shows from the second row on
            group.steps += stretch
        yield from groups.values()

    def _slip_in(self, name: str, line: int, key: Key, formula: CellFormula, steps: Sequence[int]) -> Slip | None:
        """The slip in a formula; None for one that is right."""
        own = self._meaning.own(name.removeprefix(NEGATIVE))
        right = self._meaning.world.value(NEGATIVE * name.startswith(NEGATIVE) + own, 0)
        if right is None:
            return None
        others = {other: held for other, held in self._meaning.lines.items() if other != line}
        tree = self._plain(self._trees.written_out(key, others))
        found = self._judge.tree_value(self._trees.written_out(key, others))
        if found is not None and close(found, right):
            return None
        if self._is_right_with_typed_numbers(name, self._trees.written_out(key, others), right):
            return None
        if self._is_right_for_one_class(name, self._trees.written_out(key, others)):
            return None
        proofs = steps if self._meaning.shape.has_kinks else steps[:1]  # on one side of a kink much is right
        if all(self._is_proven((self._table.sheet.name, *self._table.coordinates(line, step))) for step in proofs):
            is_usual = 2 * len(steps) > len(self._table.steps)
            if is_usual and (found is None or not np.allclose(found, right, rtol=_NEARLY)):
                self._doubted[name] = None
            return None
        broken = "#REF!" in formula.written(1 << 20, 1 << 13)
        if not broken and not self._trees.is_followed(key):
            self._cannot_follow(formula, key)
            return None  # its value is judged instead
        if broken:
            return Slip("broken_reference", "refers to a cell that was deleted (#REF!)")
        slip = self._budget.name_slip(self._setting, name, tree, self._plain(self._right_formulas.tree(name)))
        if slip.kind == "rounded_constant" and abs(slip.wrong[1] - np.e) < _NEAR_E:
            self._notes.append(Note(self._table.sheet.name, (), slip.kind, f"{name} {slip.words}"))
            return None
        if slip.kind == "wrong_learning_rate" and not _is_fixed(slip.wrong, formula):
            return replace(slip, kind="learning_rate_drift")
        rows = range(self._table.steps[0], self._table.steps[-1] + 1)
        fixed = any(r.row_fixed and r.row in rows for r in formula.references)
        if fixed and slip.wrong[:1] == ("q",) and slip.wrong[2] == ANOTHER_ROW:
            for_ever = "from one and the same row for ever (the $ before its row number)"
            if slip.kind == "wrong_row":
                return replace(slip, kind="fixed_row", words=f"takes {slip.meant} {for_ever}")
            return replace(
                slip, kind="fixed_row", words=f"uses {slip.wrong[1]} where {slip.meant} belongs, and {for_ever}"
            )
        return slip

    def _is_right_with_typed_numbers(self, name: str, tree: Node, right: Array) -> bool:
        """Whether a formula is right once the numbers that are typed into it are the given ones that they equal."""
        places = [leaf[1] for leaf in leaves(tree) if leaf[0] == "n"]
        options = [[None, *(given for given, value in self._given if value == number)] for number in places]
        if len(places) > _MOST_TYPED or not any(len(option) > 1 for option in options):
            return False
        for chosen in islice(product(*options), 1, _MOST_READINGS):
            found = self._judge.tree_value(_with_numbers(tree, iter(chosen)))
            if found is not None and close(found, right):
                self._typed.setdefault(name, {given for given in chosen if given is not None})
                return True
        return False

    def _is_right_for_one_class(self, name: str, tree: Node) -> bool:
        """Whether a formula leaves out what targets of 0 take away: −LN(a_o2) where t2 alone is 1."""
        names = self._meaning.derivation.names
        targets = tuple((own, value) for own, value in self._given if own in names.targets)
        is_class = sorted(value for _, value in targets) == [*[0.0] * (len(names.targets) - 1), 1.0]
        if not is_class or LOSSES[self._meaning.shape.loss].goes_with != SOFTMAX:
            return False
        meaning = replace(self._meaning, literals=self._meaning.literals + targets)
        found = Judge(self._book, self._trees, meaning).tree_value(tree)
        right = meaning.world.value(meaning.own(name), 0)
        if found is None or right is None or not close(found, right):
            return False
        self._typed.setdefault(name, set(names.targets))
        return True

    @cached_property
    def _given(self) -> tuple[tuple[str, float], ...]:
        """The inputs, targets and the learning rate, where they are the same in all rows."""
        found = []
        for label in self._table.lines:
            given = self._meaning.derivation.quantities.get(self._meaning.own(label))
            if given is not None and given.role in (Role.INPUT, Role.TARGET):
                numbers = self._numbers.of(label)
                if len(numbers) and (numbers == numbers[0]).all():
                    found.append((label, float(numbers[0])))
        if self._stored.rate is not None:
            found.append((LEARNING_RATE, self._stored.rate))
        return tuple(found)

    def _typed_note(self) -> Iterator[Note]:
        if self._typed:
            numbers = dict(self._given)
            givens = sorted({given for used in self._typed.values() for given in used})
            shown = ", ".join(f"{numbers[given]:g} for {given}" for given in givens)
            message = (
                f"{_listed(list(self._typed))}: numbers are typed in ({shown}) that stand in cells of the sheet; when"
                " those are changed, these stay as they are"
            )
            yield Note(self._table.sheet.name, (), "typed_number", message)

    def _plain(self, node: Node) -> Node:
        """A tree in which cells and lines whose meaning is known are written as quantities."""
        match node:
            case ("x", position):
                known = self._meaning.cells.get(position)
                if known is None:
                    return ("x", position, self._number_at(position) or 0.0)
                return ("q", self._right_formulas.label(known), 0)
            case ("line", line, distance, _) | ("col", line, distance) if line in self._meaning.lines:
                name = self._meaning.lines[line]
                if name == LEARNING_RATE:
                    return ("q", name, 0)
                leaf = ("q", self._right_formulas.label(name.removeprefix(NEGATIVE)), distance)
                return ("neg", leaf) if name.startswith(NEGATIVE) else leaf
            case _:
                inner = parts(node)
                return with_parts(node, tuple(map(self._plain, inner))) if inner else node

    def _cannot_follow(self, formula: CellFormula, key: Key) -> None:
        problem = formula.problem or self._trees.problem(key)
        message = f"formulas with {problem} cannot be followed; only their values are judged"
        note = Note(self._table.sheet.name, (), "not_followed", message)
        if note not in self._notes:
            self._notes.append(note)

    def _first(self, group: Group) -> tuple[int, int]:
        return min(group.steps), self._turn(group.name)

    def _finding(self, members: list[Group]) -> tuple[Place, Finding]:
        """One finding for a mistake, made in one line or in several at once; the first is shown."""
        group = members[0]
        steps = sorted(set(group.steps))
        place = self._table.coordinates(group.line, steps[0])
        cell = self._table.sheet.cells[place]
        right = self._right(group.name)[steps]
        cells = ranges([self._table.coordinates(member.line, step) for member in members for step in member.steps])
        names = sorted({member.name.removeprefix(NEGATIVE) for member in members}, key=self._turn)
        words = group.slip.words
        if group.slip.kind == "learning_rate_drift":
            rate = self._rate_cell or ""
            words = (
                f"lacks the $ in the reference to the learning rate {rate}, which drifts to other cells when copied:"
                f" {address(*place)} {words}"
            )
        subject = f"{'each of ' * (len(names) > 1)}{_listed(names)} in {shortened(cells)}"
        replacements = tuple(self._replacements(members))
        finding = Finding(
            self._table.sheet.name,
            cells,
            _listed(names),
            group.slip.kind,
            f"={cell.formula.written(*place)}" if cell.formula is not None else _shown(cell.value),
            replacements[0].formula if replacements and replacements[0].cell == address(*place) else "",
            self._value(place),
            float(right[0]) if np.isfinite(right[0]) else None,
            f"{subject} {words}{_how_far(self._numbers.on(group.line)[steps], right)}",
            tuple(names),
            replacements,
        )
        return Place(self._table.steps[steps[0]], self._turn(group.name)), finding

    def _replacements(self, members: Sequence[Group]) -> Iterator[Replacement]:
        """The right formula of every line, where it gives the right number with what the table holds."""
        firsts: dict[int, Group] = {}
        for member in members:
            firsts.setdefault(member.line, member)
        for member in firsts.values():
            step = min(member.steps)
            place = self._table.coordinates(member.line, step)
            key = self._trees.key_at(member.line, step)
            helpers = key is not None and _has_lines(self._trees.tree(key))
            formula = self._right_formulas.formula(member.name, step, helpers=helpers)
            right = float(self._right(member.name)[step])
            given = self._tried(formula)
            if given is None or not np.isfinite(right) or abs(given - right) <= _SAME_NUMBER * abs(right) + 1e-12:
                name = member.name.removeprefix(NEGATIVE)
                yield Replacement(address(*place), name, formula)

    def _tried(self, text: str) -> float | None:
        """What a formula gives with the numbers of the workbook; None where that is not known."""
        formula = FormulaReader().read(text.removeprefix("="), 1, 1)
        if not text.startswith("=") or formula.tree is None:
            return None

        def leaf(node: Node) -> object:
            position = formula.references[node[1]].at(self._table.sheet.name, 1, 1) if node[0] == "ref" else None
            return None if position is None else self._number_at(position)

        value = value_of(formula.tree, leaf, ())
        return None if value is None else float(value)

    def _turn(self, name: str) -> int:
        return list(self._meaning.derivation.quantities).index(self._meaning.own(name.removeprefix(NEGATIVE)))

    def _right(self, name: str) -> Array:
        return self._stored.expected(name)[0]

    def _value(self, place: tuple[int, int]) -> float | str | None:
        recalculated = self._recalculated.get((self._table.sheet.name, *place))
        return self._table.sheet.cells[place].value if recalculated is None else recalculated

    def _number_at(self, position: Position) -> float | None:
        value: float | str | None = self._recalculated.get(position)
        if value is None:
            sheet = self._book.by_name.get(position[0])
            cell = sheet.cells.get(position[1:]) if sheet else None
            value = cell.value if cell is not None else None
        return value if isinstance(value, float) else None

    def _learning_rate(self) -> tuple[str | None, float | None]:
        for position, name in self._meaning.cells.items():
            if name == LEARNING_RATE:
                prefix = "" if position[0] == self._table.sheet.name else f"{position[0]}!"
                return prefix + address(*position[1:]), self._number_at(position)
        line = self._right_formulas.learning_rate_line
        if line is not None:
            place = self._table.coordinates(line, 0)
            return address(*place), self._number_at((self._table.sheet.name, *place))
        return None, dict(self._meaning.literals).get(LEARNING_RATE)

    def _numbering_note(self) -> Iterator[Note]:
        numbering = {label: own for label, own in self._meaning.numbering.items() if label.startswith("w")}
        if numbering:
            derivation = self._meaning.derivation
            words = "; ".join(
                f"{label} is {derivation[numbering[label]].sentence}"
                for label in sorted(numbering, key=lambda label: int(label[1:]))
            )
            message = f"the sheet numbers the weights in its own way, consistently: {words}"
            yield Note(self._table.sheet.name, (self._table.range,), "numbering", message)

    def _misunderstood(self, groups: list[Group]) -> str:
        """Why the labels cannot mean what they seem to: in real sheets the forward pass is hardly ever wrong.

        A mistake that has a name is one all the same, wherever it is.
        """
        forward = [
            name
            for name in self._stored.calculated
            if self._meaning.derivation[self._meaning.own(name)].role in (Role.HIDDEN, Role.OUTPUT)
            and any(self._table.cell(name, step) is not None for step in range(len(self._table.steps)))
        ]
        strange = {
            group.name
            for group in groups
            if group.slip.kind in UNNAMED and 2 * len(group.steps) > len(self._table.steps) and group.name in forward
        }
        if not self._table.certain and len(forward) >= _FEWEST_FORWARD and 2 * len(strange) >= len(forward):
            named = ", ".join(sorted(strange))
            return (
                f"{named} are calculated otherwise than their labels say; a --map FILE that names the columns can tell"
            )
        unknown = [] if self._table.are_activations_given else self._unknown_activations(strange, groups)
        return f"{', '.join(unknown)}: an activation function that check does not know" if unknown else ""

    def _unknown_activations(self, strange: set[str], groups: list[Group]) -> list[str]:
        """The units of a layer that agree in another activation than any that is known, and in its derivative."""
        names, lines = self._meaning.derivation.names, self._table.lines
        wrong = {group.name for group in groups} | self._doubted.keys()
        label = self._right_formulas.label
        for outputs, units, rows in zip(names.activations, names.pre_activations, names.weights, strict=True):
            shown = [output for output in outputs if output in lines]
            after = [
                [name for by in each if (name := label(derivative(names.total_loss, by))) in lines]
                for each in (units, [weight for row in rows for weight in row])
            ]
            slopes = after[0] or after[1]
            if shown and strange.issuperset(shown) and 2 * len(wrong.intersection(slopes)) > len(slopes):
                return shown
        return []

    def _rate_note(self) -> Iterator[Note]:
        """Another learning rate is shown on the sheet than the one that its updates use."""
        shown = labelled_rates(self._table.sheet)
        used = self._stored.rate
        if used is None or len(set(shown.values())) != 1 or used in shown.values():
            return
        (place, value), *_ = shown.items()
        if used in _listed_with(self._table.sheet, place):
            return
        at = f" in {self._rate_cell}" if self._rate_cell else ""
        message = f"{address(*place)} says that the learning rate is {value:g}, but the updates use {used:g}{at}"
        yield Note(self._table.sheet.name, (address(*place),), "other_learning_rate", message)

    def _label_note(self) -> Iterator[Note]:
        for line, name in self._table.relabelled.items():
            place = (line, self._table.header) if self._table.transposed else (self._table.header, line)
            message = (
                f"the label says {self._table.sheet.text(*place)}, but what stands there is {name}; judged as {name}"
            )
            yield Note(self._table.sheet.name, (address(*place),), "label", message)


def _undecided_note(table: IterationTable, meaning: Meaning, others: Sequence[Meaning]) -> Iterator[Note]:
    """Which activations the numbers fit as well."""
    layers = [dict.fromkeys(kinds) for kinds in zip(*(each.shape.layer_activations for each in others), strict=True)]
    for outputs, taken, kinds in zip(
        meaning.derivation.names.activations, meaning.shape.layer_activations, layers, strict=False
    ):
        fit = [kind for kind in kinds if kind != taken]
        if fit:
            message = f"the numbers of {_listed(list(outputs))} fit {_listed(fit)} as well as {taken}"
            yield Note(table.sheet.name, (table.range,), "recognition", message)


def _with_numbers(node: Node, chosen: Iterator[str | None]) -> Node:
    """A tree in which given quantities stand for some of its numbers, from left to right."""
    if node[0] == "n":
        given = next(chosen)
        return node if given is None else ("q", given, 0)
    inner = parts(node)
    return with_parts(node, tuple(_with_numbers(part, chosen) for part in inner)) if inner else node


def _listed_with(sheet: Sheet, place: Coordinates) -> Iterator[float]:
    """The numbers that follow a number without a gap, to the right or below: a list to choose from."""
    for down, across in ((0, 1), (1, 0)):
        row, column = place
        while (cell := sheet.cells.get((row := row + down, column := column + across))) is not None:
            if cell.number is None:
                break
            yield cell.number


def _is_fixed(leaf: Node, formula: CellFormula) -> bool:
    """Whether the reference that stands where η belongs stays the same wherever it is copied."""
    fixed = [reference for reference in formula.references if reference.row_fixed and reference.column_fixed]
    match leaf:
        case ("n", _):
            return True
        case ("x" | "blank", (_, row, column), *_):
            return any((reference.row, reference.column) == (row, column) for reference in fixed)
        case _:
            return bool(fixed)


def _together(groups: list[Group]) -> Iterator[list[Group]]:
    """The mistakes that are made in several lines at once: η that drifts, rows that only repeat the one above."""
    drift = [group for group in groups if group.slip.kind == "learning_rate_drift"]
    if drift:
        yield drift
    repeated: dict[tuple[str, tuple[int, ...]], list[Group]] = {}
    for group in groups:
        about_rate = group.slip.meant == LEARNING_RATE or group.slip.words == f"lacks the factor {LEARNING_RATE}"
        if group.slip.kind == "not_updated" or (about_rate and group.slip.kind != "learning_rate_drift"):
            repeated.setdefault((group.slip.words, tuple(group.steps)), []).append(group)
    yield from (members for members in repeated.values() if len(members) > 1)


def _merged(groups: list[Group]) -> list[Group]:
    """One group for every mistake of a line: the same words make the same mistake."""
    merged: dict[tuple[int, Slip], Group] = {}
    for group in groups:
        known = merged.setdefault((group.line, replace(group.slip, wrong=())), group)
        if known is not group:
            known.steps += group.steps
    return list(merged.values())


def _has_lines(node: Node) -> bool:
    return node[0] == "line" or any(map(_has_lines, parts(node)))


def _how_far(found: Array, right: Array) -> str:
    """How far the numbers are from the right ones, in words."""
    with np.errstate(all="ignore"):
        off = np.abs(found - right) / np.abs(right)
    off = off[np.isfinite(off)]
    if not len(off):
        return ""
    if off.max() < 1e-12:
        return "; with the present numbers it makes no difference, with others it does"
    up_to = "up to " if len(off) > 1 and off.max() > 1.2 * off.min() else ""
    return f"; it is {up_to}{percent(float(off.max()))} off"


def _shown(value: float | str | None) -> str:
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def percent(share: float) -> str:
    """A share in words: `0.026 %`, `120 %`, `32 times its size`."""
    return f"{share:.2g} times its size" if share >= 10 else f"{float(f'{100 * share:.2g}'):g} %"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
