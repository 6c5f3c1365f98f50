"""Stored numbers: cells without formulas, judged on their own row's numbers to the digits these were stored with."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from xlbackprop.checker.file.formula import Node, Position
from xlbackprop.checker.judgement.right_formula import RightFormulas
from xlbackprop.checker.judgement.row_values import RowValues, is_off, shifted
from xlbackprop.checker.judgement.slip import Agreement, Scene, Slip, Tries
from xlbackprop.checker.judgement.slip_search import NEGATIVE, Budget
from xlbackprop.checker.judgement.slips import name_value_slip
from xlbackprop.checker.report.findings import Note
from xlbackprop.checker.table.given_cells import labelled_rates
from xlbackprop.checker.table.meaning import Meaning
from xlbackprop.checker.table.trees import Trees
from xlbackprop.checker.table.weight_numbering import other_numberings
from xlbackprop.derivation import Role
from xlbackprop.engine import Array
from xlbackprop.ground.grid import ranges
from xlbackprop.network import LEARNING_RATE

_HALF = 0.5
_SMALLEST = 1e-15
_SAME_RATE = 1e-6
_MOST_CONSEQUENCES = 40
"""Wrong numbers among which one is looked for that the others follow from."""


class StoredNumbers:
    """The numbers of one table that no formula gives."""

    def __init__(
        self,
        trees: Trees,
        replacement: RightFormulas,
        meaning: Meaning,
        numbers: RowValues,
        known: Mapping[Position, float],
        rate: float | None,
        budget: Budget,
        others: Sequence[RightFormulas] = (),
    ) -> None:
        self._others = others
        """What else the table may be: a number that one of them gives is not wrong."""
        self._trees = trees
        self._table = trees.table
        self._replacement = replacement
        self._meaning = meaning
        self._numbers = numbers
        self._known = known
        self._budget = budget
        derivation = meaning.derivation
        labels = [replacement.label(own) for own in derivation.quantities]
        self.calculated = tuple(
            label
            for label in labels
            if label in trees.core and (derivation[meaning.own(label)].expression is not None or self.is_learned(label))
        )
        self.helpers = tuple(
            label
            for label, line in self._table.lines.items()
            if label not in trees.core
            and derivation[meaning.own(label)].expression is not None
            and not any(True for _ in trees.keys_along(line))
            and np.isfinite(numbers.of(label)).any()
        )
        """Labelled links of the chain rule that hold numbers alone."""
        self.rate = self._rate_shown() if rate is None else rate
        self._expected: dict[str, tuple[Array, Array]] = {}
        self._whole_rows: set[int] = set()

    def is_learned(self, name: str) -> bool:
        """Whether a quantity is a weight or bias that is updated from row to row."""
        return self._meaning.derivation[self._meaning.own(name.removeprefix(NEGATIVE))].update is not None

    def expected(self, name: str) -> tuple[Array, Array]:
        """What a quantity should be in every row by the row's own numbers, and how exactly that is known."""
        if name not in self._expected:
            tree = self._replacement.tree(name)
            self._expected[name] = self._numbers.expected(tree, self._known, self.rate)
        return self._expected[name]

    def slips(self) -> Iterator[tuple[str, list[int], Slip]]:
        """The wrong numbers, by quantity: the rows and the likely mistake."""
        rows = len(self._table.steps)
        pasted: dict[str, list[int]] = {}
        wrong: dict[str, list[int]] = {}
        for name in (*self.calculated, *self.helpers):
            start = 1 if self.is_learned(name) else 0
            plain, unfollowed = [], []
            formulas = 0
            line = self._table.lines[name]
            for stretch, key in self._trees.keys_along(line):
                steps = [step for step in stretch if step >= start]
                formulas += len(steps)
                if not self._trees.is_followed(key):
                    unfollowed += steps
            for stretch in self._table.stretches:
                cell = self._table.on(line, stretch.start)
                if cell is not None and cell.formula is None and cell.number is not None:
                    plain += [step for step in stretch if step >= start]
            if not plain and not unfollowed:
                continue
            differs = self._is_off(name)
            wrong[name] = [step for step in [*plain, *unfollowed] if differs[step]]
            if formulas >= _HALF * (rows - start):
                pasted[name] = plain
        self._whole_rows = self._rows_without_formulas(pasted)
        wrong = self._without_consequences(wrong)
        for name in (*self.calculated, *self.helpers):
            alone = [step for step in pasted.get(name, ()) if step not in self._whole_rows]
            rest = [step for step in wrong.get(name, ()) if step not in alone]
            if alone:
                right_too = not set(alone) & set(wrong.get(name, ()))
                words = "is a pasted number in a column of formulas" + ("" if right_too else ", and not the right one")
                yield name, alone, Slip("pasted_value", words)
            if rest:
                slip = self._slip(name, rest)
                yield name, self._with_undecided(name, rest, slip), slip

    def _is_off(self, name: str) -> NDArray[np.bool_]:
        """Where a quantity is nothing that its row gives: neither by the columns that its definition uses, nor by
        the links of the chain rule that are shown, nor by what those columns should hold."""
        right, doubt = self.expected(name)
        off = is_off(self._numbers, name, right, doubt)
        if name in self.helpers and 2 * off.sum() > len(off):
            negative = is_off(self._numbers, name, -right, doubt)
            off = negative if 2 * negative.sum() <= len(off) else off  # t − a in place of a − t
        for formulas in (self._replacement, *self._others):
            for further, is_deep in (((), False), (self.helpers, False), ((), True)):
                if off.any():
                    tree = formulas.tree(name, further=further, is_deep=is_deep)
                    off &= is_off(self._numbers, name, *self._numbers.expected(tree, self._known, self.rate))
        return off

    def _without_consequences(self, wrong: dict[str, list[int]]) -> dict[str, list[int]]:
        """The wrong numbers without those that are right once an earlier one is."""
        cells = {(step, name) for name, steps in wrong.items() for step in steps}
        turns = {name: turn for turn, name in enumerate((*self.calculated, *self.helpers))}
        alone = {name for name, steps in wrong.items() if 4 * len(steps) <= len(self._table.steps)}
        if not 1 < len(cells) <= _MOST_CONSEQUENCES:
            return wrong
        values = dict(self._numbers.values)
        for step, name in sorted(cells, key=lambda cell: (cell[0], turns[cell[1]])):
            if name not in alone or (step, name) not in cells:
                continue
            before = self._numbers.of(name)
            mended = before.copy()
            mended[step] = self.expected(name)[0][step]
            self._numbers.values[name] = mended
            self._expected.clear()
            left = {(at, other) for other in wrong for at in np.flatnonzero(self._is_off(other)).tolist()}
            if left < cells - {(step, name)}:
                cells = left | {(step, name)}
            else:
                self._numbers.values[name] = before
        self._numbers.values.update(values)
        self._expected.clear()
        return {name: [step for step in steps if (step, name) in cells] for name, steps in wrong.items()}

    def _with_undecided(self, name: str, steps: list[int], slip: Slip) -> list[int]:
        """All rows of a column, when a named slip accounts for those too whose digits are too few to decide."""
        every = [step for step in range(len(self._table.steps)) if np.isfinite(self.expected(name)[0][step])]
        cells = [self._table.cell(name, step) for step in every]
        alike = all(cell is not None and cell.formula is None for cell in cells)
        if slip.kind in {"wrong_value", "not_updated"} or not alike or 2 * len(steps) <= len(every):
            return steps
        return every if self._slip(name, every) == slip else steps

    def notes(self) -> Iterator[Note]:
        """What is worth saying about numbers that are no mistake."""
        if self._whole_rows:
            cells = [self._table.place(name, step) for name in self.calculated for step in self._whole_rows]
            message = "rows hold pasted numbers, where the rows around them have formulas"
            yield Note(self._table.sheet.name, ranges(cells), "pasted_rows", message)
        for name in (name for name in self._table.lines if name in self._trees.core):
            given = self._meaning.derivation.quantities.get(self._meaning.own(name))
            if given is not None and given.role in (Role.INPUT, Role.TARGET) and name not in self._trees.constant:
                numbers = self._numbers.of(name)
                steps = [step for step in range(1, len(numbers)) if numbers[step] != numbers[step - 1]]
                cells = [self._table.place(name, step) for step in steps if np.isfinite(numbers[step])]
                by = np.diff(numbers)[[step - 1 for step in steps]]
                if len(steps) > 1 and np.ptp(by) <= _SAME_RATE * abs(by[0]):  # else every row is another sample
                    message = f"{name} changes from row to row; was it filled down as a series by mistake?"
                    yield Note(self._table.sheet.name, ranges(cells), "changing_input", message)

    def _rows_without_formulas(self, pasted: Mapping[str, list[int]]) -> set[int]:
        counts = Counter(step for steps in pasted.values() for step in steps)
        return {step for step in counts if 2 * counts[step] > len(self.calculated)}

    def _slip(self, name: str, steps: list[int]) -> Slip:
        found = self._numbers.of(name)
        learned = self.is_learned(name)
        if learned and all(found[step] == found[step - 1] for step in steps):
            return Slip("not_updated", "is the same as in the row above: it is not updated")
        right, doubt = self.expected(name)
        tolerance = (2 * (doubt + self._numbers.doubts[name]) + _SMALLEST)[steps]
        candidates = {
            (label, distance): shifted(self._numbers.of(label), distance)[steps]
            for distance in ((-1, 0) if learned else (0,))
            for own in self._meaning.derivation.quantities
            if (label := self._replacement.label(own)) in self._numbers.values
        }

        def leaf(node: Node) -> Array | float | None:
            match node:
                case ("q", "η", _):
                    return self.rate
                case ("q", label, distance) if label in self._numbers.values:
                    return shifted(self._numbers.of(label), distance)[steps]
                case ("x", position):
                    return self._known.get(position)
                case _:
                    return None

        def near(one: Array, other: Array) -> Agreement:
            with np.errstate(all="ignore"):
                return np.asarray((np.abs(one - other) <= tolerance).all(axis=-1))

        tries = Tries(self._budget.most)
        scene = Scene(name, leaf, candidates, (len(steps),), near, tries)
        slip = name_value_slip(scene, self._replacement.tree(name), found[steps], right[steps])
        self._budget.spend(tries.spent)
        return slip or Slip("wrong_value", "is not what its own row gives")

    def _rate_shown(self) -> float | None:
        """The learning rate that the numbers themselves show, to the digits that are certain."""
        estimates: list[tuple[float, float]] = []
        for name in self.calculated:
            gradient = f"∂E/∂{name}"
            if not self.is_learned(name) or gradient not in self._numbers.values:
                continue
            weight, doubt = self._numbers.of(name), self._numbers.doubts[name]
            slope, unsure = self._numbers.of(gradient)[:-1], self._numbers.doubts[gradient][:-1]
            with np.errstate(all="ignore"):
                rates = (weight[:-1] - weight[1:]) / slope
                errors = (doubt[:-1] + doubt[1:] + _SMALLEST + np.abs(rates) * unsure) / np.abs(slope)
            estimates += [
                (error, rate)
                for rate, error in zip(rates.tolist(), errors.tolist(), strict=True)
                if np.isfinite(rate) and np.isfinite(error)
            ]
        if not estimates:
            return None
        best = sorted(estimates)[: max(1, len(estimates) // 2)]
        rate = float(np.median([rate for _, rate in best]))
        error = 2 * min((e for e, r in best if abs(r - rate) <= e + 1e-9 * abs(rate)), default=0.0) + 1e-6 * abs(rate)
        for candidate in [
            *labelled_rates(self._table.sheet).values(),
            float(f"{rate:.2g}"),
            float(f"{rate:.3g}"),
            float(f"{rate:.4g}"),
        ]:
            if abs(candidate - rate) <= error:
                return candidate
        return rate


def renumbered_by_values(trees: Trees, meaning: Meaning, numbers: RowValues) -> Meaning:
    """The numbering of the weights under which fewest of the stored numbers are wrong."""
    best, fewest = meaning, -1
    for numbering in other_numberings(meaning):
        trial = replace(meaning, numbering=numbering)
        replacement = RightFormulas(trees, trial)
        wrong = 0
        for own, quantity in trial.derivation.quantities.items():
            label = replacement.label(own)
            if quantity.expression is None or label not in trees.core or not re.search(r"[howE]", label):
                continue
            right, doubt = numbers.expected(replacement.tree(label), {})
            wrong += int(is_off(numbers, label, right, doubt).sum())
        if fewest < 0 or wrong < fewest:
            best, fewest = trial, wrong
    return best


def with_proven_rate(trees: Trees, meaning: Meaning, numbers: RowValues) -> Meaning:
    """The learning rate that pasted updates prove, where a list of several stands under its label."""
    sheet = trees.table.sheet
    labelled = next((place for place, name in meaning.cells.items() if name == LEARNING_RATE), None)
    if labelled is None or labelled[0] != sheet.name:
        return meaning
    proven = StoredNumbers(trees, RightFormulas(trees, meaning), meaning, numbers, {}, None, Budget()).rate
    if proven is None:
        return meaning
    _, row, column = labelled
    while (cell := sheet.cells.get((row, column))) is not None and cell.number is not None:
        if abs(cell.number - proven) <= _SAME_RATE * abs(proven):
            return replace(meaning, cells=_moved(meaning.cells, labelled, (sheet.name, row, column)))
        row += 1
    if row == labelled[1] + 1:
        return meaning  # one number, no list: it says what was meant
    return replace(meaning, cells=_moved(meaning.cells, labelled, None))


def _moved(cells: Mapping[Position, str], old: Position, new: Position | None) -> dict[Position, str]:
    others = {place: name for place, name in cells.items() if place != old}
    return others if new is None else others | {new: LEARNING_RATE}
