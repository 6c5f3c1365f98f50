"""The sheet Gradient check: every gradient of the chain rule beside the same gradient measured by a small push."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct

from xlbackprop.derivation import Role
from xlbackprop.engine import Trace, evaluate
from xlbackprop.ground.grid import address, column_letter, column_range
from xlbackprop.network import ITERATION, Names, derivative
from xlbackprop.symbols import number_from, text_from
from xlbackprop.walkthrough import Lesson
from xlbackprop.workbook.panels.entry import Entry
from xlbackprop.workbook.panels.working import Working, put_choices, put_given
from xlbackprop.workbook.xlsx import charts, theme
from xlbackprop.workbook.xlsx.page import Page
from xlbackprop.workbook.xlsx.rows import Value
from xlbackprop.workbook.xlsx.theme import Look

ROUNDING = "rounding adds up to"
ITERATION_CELL, EPSILON_CELL, TOLERANCE_CELL = "B4", "B5", "B6"
_SUMMARY_CELL = "A8"
_HEADER_ROW = 10
_HEADERS = (
    "weight",
    "its value w",
    "∂E/∂w by the chain rule",
    "E(w + ε)",
    "E(w − ε)",
    "∂E/∂w as measured",
    "relative difference",
    ROUNDING,
    "verdict",
)
_EPSILONS = tuple(float(f"1e-{exponent}") for exponent in range(1, 14))
_CHART_COLUMNS = (5, 9)

CHECKED_ITERATION = 0
EPSILON = 1e-4
"""The error of the method falls with ε², that of the rounding grows with 1/ε; here both are small enough."""
TOLERANCE = 1e-6
"""Small enough for the commonest slip of hand-made sheets, which is off by 2.6e-4."""

_SMALLEST_EPSILON = 1e-15
_NO_GRADIENT = 1e-12
"""A gradient smaller than this is as good as 0: a unit that is fully on or off gives exactly 0 in one program and
a rounding error in another."""
_ROUNDINGS = 4e-15
"""How far a loss may be off by rounding, in proportion: about twenty roundings of a double (2⁻⁵³) each way."""
_SMALLEST_ERROR = 1e-16
"""What stands for an error of exactly 0, for which a logarithmic axis has no place."""

_AGREE, _BOTH_ZERO, _LOST, _DIFFER = "✓ agree", "✓ both 0", "? lost in rounding", "✗ differ"
_SOME_DIFFER = "✗ Some differ: ε is too large, or a formula is wrong."
_SOME_LOST = "? Some are lost in rounding: ε is too small."
_TINY = Look(theme.CALCULATION, number_format=theme.TINY_FORMAT)


class Layout(Struct, frozen=True):
    """Where everything stands: one row a weight, under them one row for each ε, and under those the working."""

    weights: tuple[str, ...]

    @property
    def rows(self) -> range:
        """The rows of the weights."""
        return range(_HEADER_ROW + 1, _HEADER_ROW + 1 + len(self.weights))

    @property
    def choice_cell(self) -> str:
        """The cell in which the reader picks the weight for which ε is varied."""
        return f"B{self.rows[-1] + 3}"

    @property
    def epsilon_rows(self) -> range:
        """The rows of the different ε."""
        return range(self.rows[-1] + 6, self.rows[-1] + 6 + len(_EPSILONS))

    @property
    def working_row(self) -> int:
        return self.epsilon_rows[-1] + 3

    def column(self, letter: str) -> str:
        """The absolute range of one column over all weights."""
        return column_range(letter, self.rows[0], self.rows[-1])


class _Measurement(Struct, frozen=True):
    """One gradient measured: the losses with the weight pushed up and down by ε, and what the chain rule says."""

    weight: str
    value: float
    gradient: float
    epsilon: float
    plus: float
    minus: float

    @property
    def measured(self) -> float:
        return (self.plus - self.minus) / (2 * self.epsilon)

    @property
    def error(self) -> float:
        return abs(self.gradient - self.measured)

    @property
    def rounding_limit(self) -> float:
        """How far the measured gradient may be off by rounding alone.

        A rounding error of an output in proportion r changes the loss by |t − a|·r, which is at most √(2E)·r, one of
        the loss itself by E·r, one of the pushed weight by |w·∂E/∂w|·r; the division by 2ε enlarges them all.
        """
        losses = self.plus + self.minus
        return _ROUNDINGS * (math.sqrt(losses) + losses + abs(self.value * self.gradient)) / self.epsilon

    def verdict(self, tolerance: float) -> str:
        """What the comparison comes to; where rounding may exceed the tolerance the measured value decides nothing."""
        if abs(self.gradient) < _NO_GRADIENT:
            return _BOTH_ZERO if abs(self.measured) <= max(self.rounding_limit, _NO_GRADIENT) else _DIFFER
        if self.rounding_limit > tolerance * abs(self.gradient):
            return _LOST
        return _AGREE if self.error <= tolerance * abs(self.gradient) else _DIFFER


def varied_weight(names: Names) -> str:
    """The weight for which ε is varied as the sheet begins: the first of the output layer."""
    return names.weights[-1][0][0]


def gradient_check(page: Page, lesson: Lesson) -> None:
    """Fill the sheet; the engine's forward passes with pushed weights give the values that its formulas have."""
    sheet = _GradientCheck(page, lesson)
    sheet.choose()
    sheet.forward()
    sheet.compare()
    sheet.summary()
    sheet.vary()
    page.widths("A", 15)
    page.widths((column_letter(index) for index in range(2, sheet.working.next_column)), 15)
    page.widths("I", 18)
    page.fit_screen("I")
    varied = int(sheet.layout.choice_cell[1:]) - 1
    page.handout(lesson.definition.title, f"A1:I{sheet.layout.epsilon_rows[-1]}", row_cuts=[varied])


class _GradientCheck:
    """The sheet while it is filled: every weight pushed by the reader's ε, then one of them by ever smaller ones."""

    def __init__(self, page: Page, lesson: Lesson) -> None:
        self._page, self._lesson = page, lesson
        self._names, self.layout = lesson.derivation.names, Layout(lesson.derivation.learned)
        weight = varied_weight(self._names)
        pushes = [(name, EPSILON) for name in self.layout.weights] + [(weight, epsilon) for epsilon in _EPSILONS]
        self._pushed = _pushed(lesson, pushes)
        at, total = lesson.trace.at(CHECKED_ITERATION), self._names.total_loss
        self._measured = [
            _Measurement(name, at[name], at[derivative(total, name)], epsilon, plus, minus)
            for (name, epsilon), (plus, minus) in zip(pushes, self._pushed[total].reshape(-1, 2).tolist(), strict=True)
        ]
        self._own, self._varied = self._measured[: len(self.layout.weights)], self._measured[-len(_EPSILONS) :]

    def choose(self) -> None:
        """Put down what the sheet is about, what the reader chooses, and what is used of it."""
        page, last_iteration = self._page, self._lesson.table.iterations - 1
        page.text("A1", "Gradient check: measure every gradient without calculus", Look(theme.TITLE))
        page.height(1, 24)
        page.text(
            "A2",
            "Push one weight by a small ε up and down and see how the loss answers: (E(w + ε) − E(w − ε)) / 2ε has to"
            " be what the chain rule says.",
        )
        inputs = (
            (ITERATION_CELL, ITERATION, f"which row of the Walkthrough to check, from 0 to {last_iteration}"),
            (EPSILON_CELL, "ε, the push", "try 0.1 and 1E-12: too large is bad, and so is too small"),
            (TOLERANCE_CELL, "agree within", "the relative difference that still counts as agreement"),
        )
        for cell, label, note in inputs:
            page.text(f"A{cell[1:]}", label, Look(theme.HEADING, align="right"))
            page.text(f"C{cell[1:]}", note, theme.PROSE)
        scientific = Look(theme.INPUT, number_format=theme.TINY_FORMAT)
        page.number(ITERATION_CELL, CHECKED_ITERATION)
        page.number(EPSILON_CELL, EPSILON, scientific)
        page.number(TOLERANCE_CELL, TOLERANCE, scientific)
        iteration = Entry(ITERATION_CELL, ITERATION, 0, last_iteration, is_whole=True)
        epsilon, tolerance = Entry(EPSILON_CELL, "ε", _SMALLEST_EPSILON, 1), Entry(TOLERANCE_CELL, "Agreement", 0, 1)
        for entry in (iteration, epsilon, tolerance):
            entry.limit(page)
        place = self.layout.weights.index(self._varied[0].weight) + 1
        place_formula = f"IFERROR(MATCH({self.layout.choice_cell},{self.layout.column('A')},0),1)"
        chosen = [
            (ITERATION, iteration.used(0), CHECKED_ITERATION),
            ("ε", epsilon.used(EPSILON), EPSILON),
            ("tolerance", tolerance.used(TOLERANCE), TOLERANCE),
            ("weight number", place_formula, place),
        ]
        cells = put_choices(page, chosen, self.layout.working_row + 4)
        self._iteration, self._epsilon, self._tolerance, self._weight = cells

    def forward(self) -> None:
        """Put down the working: two forward passes a measurement, with the weight pushed up and pushed down."""
        page, layout, names, row = self._page, self.layout, self._names, self.layout.working_row
        words = "Working: one forward pass a row, with one weight pushed by the step; no gradient is used here"
        page.text(address(row, 1), words, Look(theme.HEADING))
        references = put_given(page, self._lesson, row + 1, iteration_cell=self._iteration, iteration=CHECKED_ITERATION)
        pairs = zip(names.pre_activations, names.activations, strict=True)
        units = [name for rows in pairs for layer in rows for name in layer]
        columns = (*layout.weights, *units, *names.losses, names.total_loss)
        rows = 2 * len(self._measured)
        working = self.working = Working(self._lesson.derivation, columns, 3, row + 7, rows, references)
        page.heads(working.header_row, 1, ("pushed", "step"))
        row = working.first_row
        for index, each in enumerate(self._measured):
            varied = index - len(layout.weights)
            source = f"$A${layout.rows[index]}" if varied < 0 else text_from(layout.column("A"), self._weight, "1")
            size = self._epsilon if varied < 0 else f"$A${layout.epsilon_rows[varied]}"
            for sign, step in (("", each.epsilon), ("-", -each.epsilon)):
                page.formula(f"A{row}", source, each.weight, theme.HELPER)
                page.formula(f"B{row}", sign + size, step, _TINY)
                row += 1
        formulas = {}
        for name, weight_row in zip(layout.weights, layout.rows, strict=True):
            head = f"{working.letter(name)}${working.header_row}"
            formulas[name] = f"$B${weight_row}+IF($A{{row}}={head},$B{{row}},0)"
        working.put(page, self._pushed, formulas)

    def _losses(self, index: int) -> tuple[str, str]:
        """The cells of the losses with the weight of a measurement pushed up and pushed down."""
        total = self._names.total_loss
        return self.working.cell(total, 2 * index), self.working.cell(total, 2 * index + 1)

    def compare(self) -> None:
        """Put down of every weight what the chain rule says, what is measured, and whether they agree."""
        table, chosen, nothing = self._lesson.table, (f"{self._iteration}+1", "1"), f"{_NO_GRADIENT:.0E}"
        for index, (each, row) in enumerate(zip(self._own, self.layout.rows, strict=True)):
            value, gradient, plus, minus, measured, difference, limit, verdict = (
                f"{letter}{row}" for letter in "BCDEFGHI"
            )
            role = self._lesson.derivation[each.weight].role
            self._page.text(f"A{row}", each.weight, Look(theme.LABEL, role))
            weight = number_from(table.range(each.weight), *chosen)
            slope = number_from(table.range(derivative(self._names.total_loss, each.weight)), *chosen)
            allowed, off = f"{self._tolerance}*ABS({gradient})", f"ABS({gradient}-{measured})"
            plus_cell, minus_cell = self._losses(index)
            share = each.error / max(abs(each.gradient), _NO_GRADIENT)
            relative = Look(theme.RESULT, number_format=theme.TINY_FORMAT)
            agrees = (
                f'IF(ABS({gradient})<{nothing},IF(ABS({measured})<=MAX({limit},{nothing}),"{_BOTH_ZERO}","{_DIFFER}"),'
                f'IF({limit}>{allowed},"{_LOST}",IF({off}<={allowed},"{_AGREE}","{_DIFFER}")))'
            )
            contents: list[tuple[str, str, Value, Look]] = [
                (value, weight, each.value, Look(theme.CALCULATION, role, theme.VALUE_FORMAT)),
                (gradient, slope, each.gradient, _GRADIENT),
                (plus, plus_cell, each.plus, _LOSS),
                (minus, minus_cell, each.minus, _LOSS),
                (measured, f"({plus}-{minus})/(2*{self._epsilon})", each.measured, _GRADIENT),
                (difference, f"{off}/MAX(ABS({gradient}),{nothing})", share, relative),
                (limit, _limit_formula(plus, minus, self._epsilon, value, gradient), each.rounding_limit, _TINY),
                (verdict, agrees, each.verdict(TOLERANCE), Look(theme.CHECK, align="center")),
            ]
            for cell, formula, result, look in contents:
                self._page.formula(cell, formula, result, look)

    def summary(self) -> None:
        """Put down the heads of the columns, and over them what the comparison comes to."""
        page, marks = self._page, self.layout.column("I")
        page.heads(_HEADER_ROW, 1, _HEADERS)
        page.height(_HEADER_ROW, 32)
        verdicts = [each.verdict(TOLERANCE) for each in self._own]
        all_agree = f"✓ All {len(verdicts)} gradients of the chain rule agree with the measurement."
        lost = _SOME_LOST if _LOST in verdicts else all_agree
        message = f'IF(SUMPRODUCT(--({marks}="{_LOST}"))>0,"{_SOME_LOST}","{all_agree}")'
        message = f'IF(COUNTIF({marks},"{_DIFFER}")>0,"{_SOME_DIFFER}",{message})'
        page.formula(_SUMMARY_CELL, message, _SOME_DIFFER if _DIFFER in verdicts else lost, Look(theme.HEADING))

    def vary(self) -> None:
        """Put down one weight with ever smaller ε: the error falls with ε², and rises again with the rounding."""
        page, layout = self._page, self.layout
        choice, header = int(layout.choice_cell[1:]), layout.epsilon_rows[0] - 1
        page.text(address(choice - 1, 1), "How small should ε be?", Look(theme.HEADING))
        page.text(f"A{choice}", "measure", Look(theme.HEADING, align="right"))
        weight, weights = self._varied[0].weight, layout.column("A")
        page.choice(layout.choice_cell, weight, weights, "Weight", "One of the weights above, please.")
        note = "Too large an ε misses the curve of the loss, too small an ε leaves nothing but rounding."
        page.text(f"C{choice}", note, theme.PROSE)
        page.heads(header, 1, ("ε", "∂E/∂w as measured", "error", ROUNDING))
        page.height(header, 32)
        value, gradient = (number_from(layout.column(letter), self._weight, "1") for letter in "BC")
        errors = [max(_SMALLEST_ERROR, each.error) for each in self._varied]
        for index, (each, row) in enumerate(zip(self._varied, layout.epsilon_rows, strict=True)):
            plus, minus = self._losses(len(layout.weights) + index)
            limit = _limit_formula(plus, minus, f"A{row}", value, gradient)
            page.number(f"A{row}", each.epsilon, Look(theme.CALCULATION, number_format=theme.POWER_FORMAT))
            page.formula(f"B{row}", f"({plus}-{minus})/(2*A{row})", each.measured, _GRADIENT)
            page.formula(f"C{row}", f"MAX({_SMALLEST_ERROR:.0E},ABS(B{row}-{gradient}))", errors[index], _TINY)
            page.formula(f"D{row}", limit, each.rounding_limit, _TINY)
        _chart(page, layout, {"error": errors, ROUNDING: [each.rounding_limit for each in self._varied]})


def _pushed(lesson: Lesson, pushes: Sequence[tuple[str, float]]) -> Trace:
    """A forward pass with each weight pushed up and another with it pushed down: rows 0 and 1, 2 and 3 …"""
    changes = {}
    for name in lesson.derivation.learned:
        steps = [sign * step if name == pushed else 0.0 for pushed, step in pushes for sign in (1, -1)]
        changes[name] = lesson.trace[name][CHECKED_ITERATION] + np.array(steps)
    return evaluate(lesson.definition, changes, lesson.sample(CHECKED_ITERATION))


def _limit_formula(plus: str, minus: str, epsilon: str, weight: str, gradient: str) -> str:
    return f"{_ROUNDINGS:.0E}*(SQRT(ABS({plus}+{minus}))+{plus}+{minus}+ABS({weight}*{gradient}))/{epsilon}"


_GRADIENT = Look(theme.CALCULATION, Role.GRADIENT, theme.PRECISE_FORMAT)
_LOSS = Look(theme.CALCULATION, Role.LOSS, "0.0000000000")


def _chart(page: Page, layout: Layout, values: Mapping[str, Sequence[float]]) -> None:
    first, last = layout.epsilon_rows[0], layout.epsilon_rows[-1]
    looks = ((theme.SHADES[Role.GRADIENT].dark, "solid", "circle"), (theme.FAINT, "sysDash", "none"))
    curves = [
        charts.Curve(
            (page.place(f"${letter}${first - 1}"), label),
            (page.place(column_range("A", first, last)), _EPSILONS),
            (page.place(column_range(letter, first, last)), numbers),
            colour,
            dash=dash,
            marker=marker,
        )
        for letter, (label, numbers), (colour, dash, marker) in zip("CD", values.items(), looks, strict=True)
    ]
    title = "Error of the measured gradient"
    chart = charts.curve_chart(title, "ε", "error", curves, logarithmic=True, powers_across=True, legend="b")
    words = "Line chart of the error against ε: it falls with ε, then rises again"
    page.drawing.chart(chart, (first - 1, _CHART_COLUMNS[0], last, _CHART_COLUMNS[1]), words)
