"""The sheet Gradient check: every gradient of the chain rule beside the same gradient measured by a small push."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct
from openpyxl.workbook.workbook import Workbook

from xlbackprop.derivation import Role
from xlbackprop.engine import Trace, evaluate
from xlbackprop.ground.grid import address, column_letter
from xlbackprop.network import ITERATION, Names, derivative
from xlbackprop.symbols import number_from, text_from
from xlbackprop.walkthrough import Lesson
from xlbackprop.workbook.panels.working import Working, bounded, given, used
from xlbackprop.workbook.xlsx import charts, theme
from xlbackprop.workbook.xlsx.page import Page
from xlbackprop.workbook.xlsx.rows import Value
from xlbackprop.workbook.xlsx.theme import Look

TITLE = "Gradient check"

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


class Places(Struct, frozen=True):
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
        return f"${letter}${self.rows[0]}:${letter}${self.rows[-1]}"


class _Used(Struct, frozen=True):
    """The absolute addresses of what the reader chose, kept within its bounds."""

    iteration: str
    epsilon: str
    tolerance: str
    weight: str
    """The number of the picked weight, counted from 1."""


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


def gradient_check(workbook: Workbook, lesson: Lesson) -> Page:
    """Fill the sheet; the engine's forward passes with pushed weights give the values that its formulas have."""
    page = Page(workbook, TITLE)
    learned = lesson.derivation.learned
    places = Places(learned)
    weight = varied_weight(lesson.derivation.names)
    pushes = [(name, EPSILON) for name in learned] + [(weight, epsilon) for epsilon in _EPSILONS]
    pushed = _pushed(lesson, pushes, CHECKED_ITERATION)
    measurements = _measurements(lesson, pushes, pushed, CHECKED_ITERATION)
    own, varied = measurements[: len(learned)], measurements[len(learned) :]

    _headline(page, lesson.table.iterations - 1)
    working, cells = _working(page, lesson, places, weight)
    _forward_passes(page, working, places, cells, pushes, pushed)
    for index, measurement in enumerate(own):
        _compare(page, lesson, working, places, cells, index, measurement, TOLERANCE)
    _summary(page, places, [measurement.verdict(TOLERANCE) for measurement in own])
    _vary(page, lesson, working, places, cells, varied)
    page.widths("A", 15)
    page.widths((column_letter(index) for index in range(2, working.next_column)), 15)
    page.widths("I", 18)
    page.handout(lesson.definition.title, f"A1:I{places.epsilon_rows[-1]}")
    return page


def _pushed(lesson: Lesson, pushes: Sequence[tuple[str, float]], iteration: int) -> Trace:
    """A forward pass with each weight pushed up and another with it pushed down: rows 0 and 1, 2 and 3 …"""
    changes = {}
    for name in lesson.derivation.learned:
        steps = [sign * step if name == pushed else 0.0 for pushed, step in pushes for sign in (1, -1)]
        changes[name] = lesson.trace[name][iteration] + np.array(steps)
    return evaluate(lesson.definition, changes, lesson.sample(iteration))


def _measurements(
    lesson: Lesson, pushes: Sequence[tuple[str, float]], pushed: Trace, iteration: int
) -> list[_Measurement]:
    total = lesson.derivation.names.total_loss
    at = lesson.trace.at(iteration)
    losses = pushed[total].reshape(-1, 2).tolist()
    return [
        _Measurement(name, at[name], at[derivative(total, name)], epsilon, plus, minus)
        for (name, epsilon), (plus, minus) in zip(pushes, losses, strict=True)
    ]


def _headline(page: Page, last_iteration: int) -> None:
    page.text("A1", "Gradient check: measure every gradient without calculus", Look(theme.TITLE))
    page.height(1, 24)
    page.text(
        "A2",
        "Push one weight by a small ε up and down and see how the loss answers: (E(w + ε) − E(w − ε)) / 2ε has to be"
        " what the chain rule says.",
    )
    inputs = (
        (ITERATION_CELL, ITERATION, f"which row of the Walkthrough to check, from 0 to {last_iteration}"),
        (EPSILON_CELL, "ε, the push", "try 0.1 and 1E-12: too large is bad, and so is too small"),
        (TOLERANCE_CELL, "agree within", "the relative difference that still counts as agreement"),
    )
    for cell, label, note in inputs:
        page.text(f"A{cell[1:]}", label, Look(theme.HEADING, align="right"))
        page.text(f"C{cell[1:]}", note, Look(theme.NOTE, align="left", indent=1))
    scientific = Look(theme.INPUT, number_format=theme.TINY_FORMAT)
    page.number(ITERATION_CELL, CHECKED_ITERATION)
    page.limit(ITERATION_CELL, ITERATION, 0, last_iteration, whole=True)
    page.number(EPSILON_CELL, EPSILON, scientific)
    page.limit(EPSILON_CELL, "ε", _SMALLEST_EPSILON, 1)
    page.number(TOLERANCE_CELL, TOLERANCE, scientific)
    page.limit(TOLERANCE_CELL, "Agreement", 0, 1)


def _working(page: Page, lesson: Lesson, places: Places, weight: str) -> tuple[Working, _Used]:
    """The top of the working area: given numbers and the reader's choices, and the table that follows them."""
    row = places.working_row
    page.text(
        address(row, 1),
        "Working: one forward pass a row, with one weight pushed by the step; no gradient is used here",
        Look(theme.HEADING),
    )
    cells = used(
        page,
        [
            (ITERATION, f"INT({bounded(ITERATION_CELL, 0, lesson.table.iterations - 1, 0)})", CHECKED_ITERATION),
            ("ε", bounded(EPSILON_CELL, _SMALLEST_EPSILON, 1, EPSILON), EPSILON),
            ("tolerance", bounded(TOLERANCE_CELL, 0, 1, TOLERANCE), TOLERANCE),
            (
                "weight number",
                f"IFERROR(MATCH({places.choice_cell},{places.column('A')},0),1)",
                places.weights.index(weight) + 1,
            ),
        ],
        row + 4,
    )
    references = given(page, lesson, row + 1, iteration_cell=cells[0], iteration=CHECKED_ITERATION)
    names = lesson.derivation.names
    units = [
        name for rows in zip(names.pre_activations, names.activations, strict=True) for layer in rows for name in layer
    ]
    columns = (*places.weights, *units, *names.losses, names.total_loss)
    rows = 2 * (len(places.weights) + len(_EPSILONS))
    return Working(lesson.derivation, columns, 3, row + 7, rows, references), _Used(*cells)


def _forward_passes(
    page: Page, working: Working, places: Places, cells: _Used, pushes: Sequence[tuple[str, float]], pushed: Trace
) -> None:
    page.text(f"A{working.header_row}", "pushed", theme.COLUMN_HEAD)
    page.text(f"B{working.header_row}", "step", theme.COLUMN_HEAD)
    working.header(page)
    row = working.first_row
    for index, (name, epsilon) in enumerate(pushes):
        varied = index - len(places.weights)
        source = f"$A${places.rows[index]}" if varied < 0 else text_from(places.column("A"), cells.weight, "1")
        size = cells.epsilon if varied < 0 else f"$A${places.epsilon_rows[varied]}"
        for sign, step in (("", epsilon), ("-", -epsilon)):
            page.formula(f"A{row}", source, name, Look(theme.CALCULATION))
            page.formula(f"B{row}", sign + size, step, _TINY)
            row += 1
    formulas = {name: working.calculation(name) for name in working.columns if name not in places.weights}
    for name, weight_row in zip(places.weights, places.rows, strict=True):
        head = f"{working.letter(name)}${working.header_row}"
        formulas[name] = f"$B${weight_row}+IF($A{{row}}={head},$B{{row}},0)"
    working.block(page, formulas, {name: pushed[name] for name in working.columns}, slice(None))


def _compare(
    page: Page,
    lesson: Lesson,
    working: Working,
    places: Places,
    cells: _Used,
    index: int,
    each: _Measurement,
    tolerance: float,
) -> None:
    """One weight: what the chain rule says, what is measured, and whether they agree."""
    table, total = lesson.table, lesson.derivation.names.total_loss
    name, row = each.weight, places.rows[index]
    value, gradient, plus, minus, measured, difference, limit, verdict = (f"{letter}{row}" for letter in "BCDEFGHI")
    role = lesson.derivation[name].role
    page.text(f"A{row}", name, Look(theme.LABEL, role))
    chosen = f"{cells.iteration}+1", "1"
    slope = number_from(table.range(derivative(total, name)), *chosen)
    allowed = f"{cells.tolerance}*ABS({gradient})"
    nothing = f"{_NO_GRADIENT:.0E}"
    contents: list[tuple[str, str, Value, Look]] = [
        (value, number_from(table.range(name), *chosen), each.value, Look(theme.CALCULATION, role, theme.VALUE_FORMAT)),
        (gradient, slope, each.gradient, _GRADIENT),
        (plus, working.cell(total, 2 * index), each.plus, _LOSS),
        (minus, working.cell(total, 2 * index + 1), each.minus, _LOSS),
        (measured, f"({plus}-{minus})/(2*{cells.epsilon})", each.measured, _GRADIENT),
        (
            difference,
            f"ABS({gradient}-{measured})/MAX(ABS({gradient}),{nothing})",
            each.error / max(abs(each.gradient), _NO_GRADIENT),
            Look(theme.RESULT, number_format=theme.TINY_FORMAT),
        ),
        (limit, _limit_formula(plus, minus, cells.epsilon, value, gradient), each.rounding_limit, _TINY),
        (
            verdict,
            f'IF(ABS({gradient})<{nothing},IF(ABS({measured})<=MAX({limit},{nothing}),"{_BOTH_ZERO}","{_DIFFER}"),'
            f'IF({limit}>{allowed},"{_LOST}",IF(ABS({gradient}-{measured})<={allowed},"{_AGREE}","{_DIFFER}")))',
            each.verdict(tolerance),
            Look(theme.CHECK, align="center"),
        ),
    ]
    for cell, formula, result, look in contents:
        page.formula(cell, formula, result, look)


_GRADIENT = Look(theme.CALCULATION, Role.GRADIENT, theme.PRECISE_FORMAT)
_LOSS = Look(theme.CALCULATION, Role.LOSS, "0.0000000000")


def _limit_formula(plus: str, minus: str, epsilon: str, weight: str, gradient: str) -> str:
    return f"{_ROUNDINGS:.0E}*(SQRT(ABS({plus}+{minus}))+{plus}+{minus}+ABS({weight}*{gradient}))/{epsilon}"


def _summary(page: Page, places: Places, verdicts: list[str]) -> None:
    for column, header in enumerate(_HEADERS, 1):
        page.text(address(_HEADER_ROW, column), header, theme.COLUMN_HEAD)
    page.height(_HEADER_ROW, 32)
    all_agree = f"✓ All {len(verdicts)} gradients of the chain rule agree with the measurement."
    marks = places.column("I")
    lost = _SOME_LOST if _LOST in verdicts else all_agree
    page.formula(
        _SUMMARY_CELL,
        f'IF(COUNTIF({marks},"{_DIFFER}")>0,"{_SOME_DIFFER}",'
        f'IF(SUMPRODUCT(--({marks}="{_LOST}"))>0,"{_SOME_LOST}","{all_agree}"))',
        _SOME_DIFFER if _DIFFER in verdicts else lost,
        Look(theme.HEADING),
    )


def _vary(
    page: Page, lesson: Lesson, working: Working, places: Places, cells: _Used, varied: Sequence[_Measurement]
) -> None:
    """One weight with ever smaller ε: the error falls with ε², and rises again with the rounding."""
    total = lesson.derivation.names.total_loss
    choice, header = int(places.choice_cell[1:]), places.epsilon_rows[0] - 1
    page.text(address(choice - 1, 1), "How small should ε be?", Look(theme.HEADING))
    page.text(f"A{choice}", "measure", Look(theme.HEADING, align="right"))
    page.choice(places.choice_cell, varied[0].weight, places.column("A"), "Weight", "One of the weights above, please.")
    note = "Too large an ε misses the curve of the loss, too small an ε leaves nothing but rounding."
    page.text(f"C{choice}", note, Look(theme.NOTE, align="left", indent=1))
    for column, text in enumerate(("ε", "∂E/∂w as measured", "error", ROUNDING), 1):
        page.text(address(header, column), text, theme.COLUMN_HEAD)
    page.height(header, 32)
    value, gradient = (number_from(places.column(letter), cells.weight, "1") for letter in "BC")
    errors = [max(_SMALLEST_ERROR, each.error) for each in varied]
    for index, (each, row) in enumerate(zip(varied, places.epsilon_rows, strict=True)):
        plus, minus = (working.cell(total, 2 * (len(places.weights) + index) + below) for below in (0, 1))
        limit = _limit_formula(plus, minus, f"A{row}", value, gradient)
        page.number(f"A{row}", each.epsilon, Look(theme.CALCULATION, number_format=theme.POWER_FORMAT))
        page.formula(f"B{row}", f"({plus}-{minus})/(2*A{row})", each.measured, _GRADIENT)
        page.formula(f"C{row}", f"MAX({_SMALLEST_ERROR:.0E},ABS(B{row}-{gradient}))", errors[index], _TINY)
        page.formula(f"D{row}", limit, each.rounding_limit, _TINY)
    _chart(page, places, {"error": errors, ROUNDING: [each.rounding_limit for each in varied]})


def _chart(page: Page, places: Places, values: Mapping[str, Sequence[float]]) -> None:
    first, last = places.epsilon_rows[0], places.epsilon_rows[-1]
    looks = ((theme.SHADES[Role.GRADIENT].dark, "solid", "circle"), (theme.FAINT, "sysDash", "none"))
    curves = [
        charts.Curve(
            (f"'{TITLE}'!${letter}${first - 1}", label),
            (f"'{TITLE}'!$A${first}:$A${last}", _EPSILONS),
            (f"'{TITLE}'!${letter}${first}:${letter}${last}", numbers),
            colour,
            dash=dash,
            marker=marker,
        )
        for letter, (label, numbers), (colour, dash, marker) in zip("CD", values.items(), looks, strict=True)
    ]
    title = "Error of the measured gradient"
    chart = charts.curve_chart(title, "ε", "error", curves, logarithmic=True, powers_across=True)
    chart.legend.position = "b"
    charts.place(chart, first - 1, _CHART_COLUMNS[0], last, _CHART_COLUMNS[1])
    page.sheet.add_chart(chart)
    page.drawing.describe(chart, "Line chart of the error against ε: it falls with ε, then rises again")
