"""Meaning: which cell beside a table's own lines is which quantity, how weights are numbered, what helpers hold."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import permutations, product

from msgspec import Struct
from msgspec.structs import replace

from xlbackprop.check.book import Book, Coordinates, Sheet
from xlbackprop.check.formula import Node, Position, parts, value_of, with_parts
from xlbackprop.check.labels import is_learning_rate, quantity
from xlbackprop.check.recognise import Table
from xlbackprop.check.resolve import Key, Trees
from xlbackprop.check.world import WORLDS, Shape, World, close, derivation_of, world
from xlbackprop.derivation import Derivation, Role
from xlbackprop.engine import Array
from xlbackprop.expression import symbols
from xlbackprop.names import LEARNING_RATE, derivative

_LABEL_WEIGHT = 1_000_000
"""A label at the cell decides which one is η, before any number of references."""
_MOST_UNKNOWN = 4
_LONGEST_LABEL = 40


class Meaning(Struct, frozen=True):
    """What the leaves of a table's trees mean."""

    shape: Shape
    cells: Mapping[Position, str]
    """Numbers that stand elsewhere, by cell."""
    lines: Mapping[int, str]
    """Helper lines whose quantity is known; − before the name where the helper holds its negative."""
    numbering: Mapping[str, str]
    """Labels of the sheet whose quantity has another name in the walkthrough's own numbering."""
    literals: tuple[tuple[str, float], ...]
    """Given numbers that are typed into the formulas."""
    changing_samples: bool

    @property
    def derivation(self) -> Derivation:
        return derivation_of(self.shape)

    @property
    def world(self) -> World:
        return world(self.shape, self.literals, self.changing_samples)

    def own(self, label: str) -> str:
        """The walkthrough's own name for what the sheet calls so."""
        return self.numbering.get(label, label)

    def known(self, name: str) -> bool:
        """Whether a given number is found somewhere: in a cell or in the formulas."""
        return name in self.cells.values() or any(name == literal for literal, _ in self.literals)


class Judge:
    """The one question asked of formulas: is this tree that quantity, in every world?"""

    def __init__(self, book: Book, trees: Trees, meaning: Meaning) -> None:
        self.book = book
        self.trees = trees
        self.meaning = meaning
        self._values: dict[Key, Array | None] = {}

    def value(self, key: Key) -> Array | None:
        """The values of a cell's formula in all worlds; None when it cannot be followed."""
        if key not in self._values:
            self._values[key] = self.tree_value(self.trees.written_out(key, self.meaning.lines))
        return self._values[key]

    def tree_value(self, tree: Node) -> Array | None:
        """The values of any tree."""
        return value_of(tree, self.leaf, (WORLDS,))

    def leaf(self, node: Node) -> Array | float | None:
        """The values of a leaf; None (which makes the tree's value None) for what cannot be followed."""
        meaning = self.meaning
        match node:
            case ("q", name, distance):
                return meaning.world.value(meaning.own(name), distance)
            case ("x", position):
                name = meaning.cells.get(position)
                return number(self.book, position) if name is None else meaning.world.value(name, 0)
            case ("line" | "col", line, distance, *_):
                name = meaning.lines.get(line)
                return None if name is None else meaning.world.value(name, 0 if name == LEARNING_RATE else distance)
            case ("blank", _):
                return 0.0
            case _:
                return None

    def right(self, label: str) -> Array | None:
        """The values that what the sheet calls so must have."""
        return self.meaning.world.value(self.meaning.own(label), 0)

    def is_right(self, label: str, key: Key) -> bool:
        """Whether a formula gives the quantity in all worlds."""
        found, right = self.value(key), self.right(label)
        return found is not None and right is not None and close(found, right)


def number(book: Book, position: Position) -> float | None:
    """The number in a cell, as stored."""
    sheet = book.by_name.get(position[0])
    cell = sheet.cells.get(position[1:]) if sheet else None
    return cell.number if cell is not None else None


def leaves(node: Node) -> Iterator[Node]:
    """Every leaf of a tree, left to right."""
    inner = parts(node)
    if not inner and node[0] not in {"call", "list"}:
        yield node
    for part in inner:
        yield from leaves(part)


def understand(book: Book, table: Table) -> tuple[Trees, Meaning]:
    """Find out what everything in a table means.

    The table's shape may gain biases that stand elsewhere, and labels that were exchanged change places.
    """
    if LEARNING_RATE in table.lines and not _is_rate_used(book, table):
        table = replace(table, lines={name: line for name, line in table.lines.items() if name != LEARNING_RATE})
    trees, meaning = _understood(book, table)
    held = {} if table.certain else _exchanged_labels(book, trees, meaning)
    if held:
        lines = table.lines | {label: table.lines[at] for at, label in held.items()}
        relabelled = {table.lines[at]: label for at, label in held.items()}
        other, other_meaning = _understood(book, replace(table, lines=lines, relabelled=relabelled))
        if _right_lines(book, other, other_meaning) > _right_lines(book, trees, meaning):
            return other, other_meaning
    return trees, meaning


def _is_rate_used(book: Book, table: Table) -> bool:
    """Whether updates refer to the column that is labelled as η; without formulas there is no telling, so it is."""
    trees = Trees(book, table)
    updates = [key for name, key in trees.typical.items() if re.fullmatch(r"[wb]\d+", name)]
    used = any(leaf[:2] == ("q", LEARNING_RATE) for key in updates for leaf in leaves(trees.written_out(key, {})))
    return used or not updates


def _exchanged_labels(book: Book, trees: Trees, meaning: Meaning) -> dict[str, str]:
    """The labels whose columns hold one another's quantities: what each column holds, by its label."""
    judge = Judge(book, trees, meaning)
    held: dict[str, str] = {}
    for label, key in trees.typical.items():
        found = judge.value(key)
        if label not in trees.core or found is None or judge.is_right(label, key):
            continue
        for other in trees.core:
            right = judge.right(other)
            if right is not None and close(found, right):
                held[label] = other
    return held if held.keys() == set(held.values()) else {}


def _right_lines(book: Book, trees: Trees, meaning: Meaning) -> set[int]:
    judge = Judge(book, trees, meaning)
    return {trees.table.lines[name] for name, key in trees.typical.items() if judge.is_right(name, key)}


def _understood(book: Book, table: Table) -> tuple[Trees, Meaning]:
    plain = table.shape
    options = [plain]
    if not any(plain.bias_counts) and not table.certain:
        units = len(plain.sizes) - 1
        options += [replace(plain, bias_counts=(1,) * units), replace(plain, bias_counts=plain.sizes[1:])]
    best: tuple[int, Trees, Meaning] | None = None
    for shape in options:
        trial = replace(table, shape=shape)
        trees = Trees(book, trial)
        typical = trees.typical
        meaning = _understand(book, trees, typical, shape)
        judge = Judge(book, trees, meaning)
        forward = [name for name in typical if re.fullmatch(r"(a_)?[ho]\d.*", name)]
        score = sum(judge.is_right(name, typical[name]) for name in forward)
        if best is None or score > best[0]:
            best = (score, trees, meaning)
        if score == len(forward):
            break
    assert best is not None
    return best[1], best[2]


def _understand(book: Book, trees: Trees, typical: Mapping[str, Key], shape: Shape) -> Meaning:
    table = trees.table
    given = [
        name
        for name, quantity_ in derivation_of(shape).quantities.items()
        if quantity_.role in (Role.INPUT, Role.TARGET) and name in trees.core
    ]
    changing = any(name not in trees.constant for name in given)
    meaning = Meaning(shape, {}, {}, {}, (), changing)
    meaning = _learning_rate(book, trees, meaning)
    meaning = _given(book, trees, typical, meaning)
    meaning = _numbering(book, trees, typical, meaning)
    meaning = _learning_rate_in_formulas(book, trees, typical, meaning)
    return _helpers(book, trees, typical, meaning, table)


def _learning_rate(book: Book, trees: Trees, meaning: Meaning) -> Meaning:
    """η is the labelled cell that updates refer to, else the one that most of them do."""
    table = trees.table
    votes: Counter[tuple[str, int | Position]] = Counter()
    seen: dict[Key, set[Node]] = {}
    for name in table.lines:
        if not re.fullmatch(r"[wb]\d+", name) or name not in trees.core:
            continue
        for step in range(1, len(table.steps)):
            key = trees.key(name, step)
            if key is None:
                continue
            if key not in seen:
                seen[key] = set(_deep_leaves(trees, key))
            for leaf in seen[key]:
                if leaf[0] == "x":
                    votes["cell", leaf[1]] += 1
                elif leaf[0] == "col":
                    votes["line", leaf[1]] += 1
                elif leaf[0] == "q" and leaf[1] == LEARNING_RATE:
                    return meaning
    if not votes:
        unused = _unused_learning_rate(book, table)
        return replace(meaning, cells={unused: LEARNING_RATE}) if unused is not None else meaning
    for kind, place in list(votes):
        if kind == "cell" and isinstance(place, tuple):
            texts = neighbours(book.by_name[place[0]], place[1], place[2])
            if any(is_learning_rate(text) for text in texts):
                votes[kind, place] += _LABEL_WEIGHT
            elif quantity(book.by_name[place[0]].text(place[1], place[2] - 1)):
                votes[kind, place] -= _LABEL_WEIGHT
    (kind, place), score = votes.most_common(1)[0]
    if score < -_LABEL_WEIGHT // 2:
        return meaning
    if kind == "line" and isinstance(place, int):
        return replace(meaning, lines={place: LEARNING_RATE})
    return replace(meaning, cells={place: LEARNING_RATE})


def _unused_learning_rate(book: Book, table: Table) -> Position | None:
    """The one cell of the sheet that is labelled as η; no formula refers to it."""
    found = labelled_rates(table.sheet)
    return (table.sheet.name, *next(iter(found))) if len(found) == 1 else None


def labelled_rates(sheet: Sheet) -> dict[Coordinates, float]:
    """The numbers on a sheet that are labelled as the learning rate, by cell."""
    found = {}
    for (row, column), cell in sheet.cells.items():
        if isinstance(cell.value, str) and len(cell.value) < _LONGEST_LABEL and quantity(cell.value) == LEARNING_RATE:
            for place in ((row, column + 1), (row + 1, column)):
                other = sheet.cells.get(place)
                if other is not None and other.number is not None:
                    found[place] = other.number
                    break
    return found


def _deep_leaves(trees: Trees, key: Key) -> Iterator[Node]:
    """The leaves of a cell's tree with every helper written out."""
    yield from leaves(trees.written_out(key, {}))


def neighbours(sheet: Sheet, row: int, column: int) -> list[str]:
    """The texts at a cell: left of it, above, right, below; two cells to the left as well."""
    places = [(row, column - 1), (row - 1, column), (row, column + 1), (row + 1, column), (row, column - 2)]
    return [text for place in places if (text := sheet.text(*place).strip())]


def _given(book: Book, trees: Trees, typical: Mapping[str, Key], meaning: Meaning) -> Meaning:
    """Inputs, targets and biases that have no line: the cells, or the typed numbers, that make the formulas right."""
    derivation = meaning.derivation
    missing = {
        name
        for name, item in derivation.quantities.items()
        if item.expression is None and name not in trees.core and not re.fullmatch(r"w\d+", name)
    }
    for name, key in typical.items():
        expression = derivation[name].expression if name in derivation.quantities else None
        if expression is None or name not in trees.core or not missing:
            continue
        needed = {symbol.name for symbol in symbols(derivation.expanded(name, trees.core))}
        wanted = sorted(item for item in needed & missing if not meaning.known(item))
        if not 0 < len(wanted) <= _MOST_UNKNOWN:
            continue
        tree = trees.written_out(key, meaning.lines)
        found = set(leaves(tree))
        elsewhere = sorted(leaf[1] for leaf in found if leaf[0] == "x" and leaf[1] not in meaning.cells)
        numbers = sorted({leaf[1] for leaf in found if leaf[0] == "n"})
        for chosen in permutations([*elsewhere, *numbers], len(wanted)):
            cells = {place: item for item, place in zip(wanted, chosen, strict=True) if isinstance(place, tuple)}
            typed = tuple(
                (item, float(place)) for item, place in zip(wanted, chosen, strict=True) if isinstance(place, float)
            )
            trial = replace(meaning, cells={**meaning.cells, **cells}, literals=meaning.literals + typed)
            if any(Judge(book, trees, _renumbered(trial, option)).is_right(name, key) for option in (False, True)):
                meaning = trial
                break
    labelled = {}
    for item in sorted(missing):
        if not meaning.known(item):
            position = _labelled_cell(trees, typical, item)
            if position is not None and position not in meaning.cells:
                labelled[position] = item
    return replace(meaning, cells={**meaning.cells, **labelled})


def _renumbered(meaning: Meaning, other: bool) -> Meaning:
    return replace(meaning, numbering=_transposed(meaning, 0)) if other else meaning


def _labelled_cell(trees: Trees, typical: Mapping[str, Key], name: str) -> Position | None:
    """The cell that formulas of the table refer to, and that is labelled as this given number."""
    sheet = trees.table.sheet
    for key in typical.values():
        for leaf in _deep_leaves(trees, key):
            if leaf[0] == "x" and leaf[1][0] == sheet.name:
                texts = neighbours(sheet, leaf[1][1], leaf[1][2])
                if any(quantity(text) == name for text in texts):
                    return leaf[1]  # type: ignore[no-any-return]
    return None


def _numbering(book: Book, trees: Trees, typical: Mapping[str, Key], meaning: Meaning) -> Meaning:
    """The numbering of the weights under which most formulas are right; the walkthrough's own where it is as good."""
    layers = len(meaning.shape.sizes) - 1
    options = [
        ({}, _transposed(meaning, layer), *_derived(book, trees, typical, meaning, layer)) for layer in range(layers)
    ]
    best, best_score = meaning, -1
    tried: list[Mapping[str, str]] = []
    for combination in product(*options):
        numbering = {label: own for part in combination for label, own in part.items()}
        if numbering in tried:
            continue
        tried.append(numbering)
        trial = replace(meaning, numbering=numbering)
        judge = Judge(book, trees, trial)
        score = sum(judge.is_right(name, key) for name, key in typical.items() if name in trees.core)
        if score > best_score:
            best, best_score = trial, score
        if not numbering and score == len(typical):
            break
    return best


def _transposed(meaning: Meaning, layer: int) -> dict[str, str]:
    """The other common numbering of a layer: by source, w2 from the first input to the second unit."""
    rows = meaning.derivation.labels.weights[layer]
    own = [weight for row in rows for weight in row]
    theirs = [row[source] for source in range(len(rows[0])) for row in rows]
    return _with_gradients(dict(zip(own, theirs, strict=True)))


def other_numberings(meaning: Meaning) -> Iterator[dict[str, str]]:
    """The walkthrough's own numbering, then the other common one in each layer, then in all."""
    layers = range(len(meaning.shape.sizes) - 1)
    yield {}
    for layer in layers:
        yield _transposed(meaning, layer)
    yield {label: own for layer in layers for label, own in _transposed(meaning, layer).items()}


def _derived(
    book: Book, trees: Trees, typical: Mapping[str, Key], meaning: Meaning, layer: int
) -> Iterator[dict[str, str]]:
    """The numbering that the weighted sums themselves use, when each weight has one place in them."""
    labels = meaning.derivation.labels
    sources = labels.activations[layer - 1] if layer else labels.inputs
    mapping: dict[str, str] = {}
    judge = Judge(book, trees, meaning)
    for unit, row in zip(labels.pre_activations[layer], labels.weights[layer], strict=True):
        if unit not in typical:
            return
        tree = trees.written_out(typical[unit], meaning.lines)
        base = judge.tree_value(tree)
        for weight in (weight for line in labels.weights[layer] for weight in line):
            leaf = ("q", weight, 0)
            if base is None or leaf not in set(leaves(tree)):
                continue
            raised = judge.tree_value(_replaced(tree, leaf, ("+", leaf, ("n", 1.0))))
            if raised is None:
                continue
            for source, own in zip(sources, row, strict=True):
                right = meaning.world.value(source, 0)
                if right is not None and bool((abs(raised - base - right) < 1e-9).all()):
                    mapping[weight] = own
    if len(mapping) == len(set(mapping.values())) == sum(map(len, labels.weights[layer])):
        yield _with_gradients(mapping)


def _replaced(node: Node, leaf: Node, other: Node) -> Node:
    if node == leaf:
        return other
    inner = parts(node)
    return with_parts(node, tuple(_replaced(part, leaf, other) for part in inner)) if inner else node


def _with_gradients(mapping: dict[str, str]) -> dict[str, str]:
    changed = {label: own for label, own in mapping.items() if label != own}
    return changed | {derivative("E_total", label): derivative("E_total", own) for label, own in changed.items()}


def _learning_rate_in_formulas(book: Book, trees: Trees, typical: Mapping[str, Key], meaning: Meaning) -> Meaning:
    """η as a number typed into the updates: the one that makes most of them right."""
    if LEARNING_RATE in trees.core or LEARNING_RATE in meaning.lines.values():
        return meaning
    rates = [place for place, name in meaning.cells.items() if name == LEARNING_RATE]
    elsewhere = {place: name for place, name in meaning.cells.items() if name != LEARNING_RATE}
    in_cell = number(book, rates[0]) if rates else None
    updates = {name: key for name, key in typical.items() if re.fullmatch(r"[wb]\d+", name) and name in trees.core}
    numbers = Counter(
        leaf[1] for key in updates.values() for leaf in set(_deep_leaves(trees, key)) if leaf[0] == "n" and leaf[1] > 0
    )
    if any(leaf == ("x", place) for key in updates.values() for leaf in _deep_leaves(trees, key) for place in rates):
        return meaning
    best, best_score = meaning, 0
    for value in [number_ for number_, _ in numbers.most_common(_MOST_UNKNOWN)] + [1.0]:
        if in_cell is not None and value != in_cell:
            continue  # the sheet shows one learning rate and uses another
        trial = replace(meaning, cells=elsewhere, literals=(*meaning.literals, (LEARNING_RATE, value)))
        judge = Judge(book, trees, trial)
        score = sum(judge.is_right(name, key) for name, key in updates.items())
        if score > best_score:
            best, best_score = trial, score
    return best


def _helpers(book: Book, trees: Trees, typical: Mapping[str, Key], meaning: Meaning, table: Table) -> Meaning:
    """Name the helper lines: by label, by what their formulas give, else by what the formulas that use them need."""
    core = {name: key for name, key in typical.items() if name in trees.core}
    used = _users(trees, core)
    labelled = {line: name for name, line in table.lines.items() if name not in trees.core and name in typical}
    links = [
        name
        for name, item in meaning.derivation.quantities.items()
        if item.expression is not None and name not in {meaning.own(label) for label in trees.core}
    ]
    named = dict(meaning.lines)
    judge = Judge(book, trees, meaning)
    waiting: dict[int, list[str]] = {}
    for line, name in labelled.items():
        if table.certain or line not in used or judge.is_right(name, typical[name]):
            named[line] = name
        else:
            waiting[line] = [name, "−" + name]
    values = {signed: meaning.world.value(signed, 0) for link in links for signed in (link, "−" + link)}
    for line, key in _typical_lines(trees, used.keys() - named.keys()).items():
        found = judge.value(key)
        for signed, right in values.items():
            free = signed.removeprefix("−") not in _unsigned(named)
            if free and found is not None and right is not None and close(found, right):
                named[line] = signed
                break
    meaning = replace(meaning, lines=named)
    while True:
        judge = Judge(book, trees, meaning)
        before = {name for name, key in core.items() if judge.is_right(name, key)}
        best: tuple[int, Meaning] | None = None
        for line in sorted(used.keys() - meaning.lines.keys(), key=lambda line: -_depth(trees, used, line)):
            for signed in [*waiting.get(line, ()), *values]:
                if signed.removeprefix("−") in _unsigned(meaning.lines):
                    continue
                trial = replace(meaning, lines={**meaning.lines, line: signed})
                attempt = Judge(book, trees, trial)
                after = {name for name in used[line] if attempt.is_right(name, core[name])}
                cured = len(after - before)
                if before & used[line] <= after and cured > (best[0] if best else 0):
                    best = (cured, trial)
        if best is None:
            return meaning
        meaning = best[1]


def _unsigned(lines: Mapping[int, str]) -> set[str]:
    return {name.removeprefix("−") for name in lines.values()}


def _users(trees: Trees, core: Mapping[str, Key]) -> dict[int, set[str]]:
    """The quantities whose formulas use each helper line, directly or through other helpers."""
    users: dict[int, set[str]] = {}
    for name, key in core.items():
        for leaf in _line_leaves(trees, key):
            users.setdefault(leaf[1], set()).add(name)
    return users


def _typical_lines(trees: Trees, lines: Iterable[int]) -> dict[int, Key]:
    """The commonest formula of each line."""
    found = {}
    for line in lines:
        keys = Counter(key for step in range(len(trees.table.steps)) if (key := trees.key_at(line, step)) is not None)
        if keys:
            found[line] = keys.most_common(1)[0][0]
    return found


def _depth(trees: Trees, lines: Iterable[int], line: int) -> int:
    """How many of the helper lines use this one: the mistake is made in the first of a chain."""
    keys = _typical_lines(trees, lines)
    return sum(any(leaf[1] == line for leaf in _line_leaves(trees, key)) for key in keys.values())


def _line_leaves(trees: Trees, key: Key) -> Iterator[Node]:
    """The helper lines that a cell's formula uses, directly or through other helpers."""
    waiting, seen = [key], {key}
    while waiting:
        for leaf in leaves(trees.tree(waiting.pop())):
            if leaf[0] == "line":
                yield leaf
            inner = leaf[3] if leaf[0] == "line" else leaf[1] if leaf[0] == "cell" else None
            if inner is not None and inner not in seen:
                seen.add(inner)
                waiting.append(inner)
