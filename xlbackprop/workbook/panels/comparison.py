"""What trainings side by side come to: the last loss, where it is first small, a verdict in words, and the curves."""

from __future__ import annotations

import numpy as np
from msgspec import Struct

from xlbackprop.grid import absolute, address, column_letter
from xlbackprop.network import ITERATION, LARGEST_NUMBER, short_label
from xlbackprop.walkthrough import Lesson
from xlbackprop.workbook.panels.run import MOST_ITERATIONS, Run
from xlbackprop.workbook.xlsx import charts, theme
from xlbackprop.workbook.xlsx.page import Page
from xlbackprop.workbook.xlsx.rows import Block, BlockColumn
from xlbackprop.workbook.xlsx.theme import Look

THRESHOLD_CELL = "B4"
NAME_ROW = 6

LABEL = Look(theme.HEADING, align="right")
"""What stands before a row of the table."""

_LOWEST_SHOWN = 1e-8
_CLEARLY = 1e-6
"""By what share a loss has to pass the first one to have gone up; rounding is no rise."""
_FLAT = 0.01
"""A loss that changes by a smaller share than this over the last quarter of the iterations is stuck."""
_FIRST = "small at"
_CONVERGED, _FALLING, _RISING, _STUCK = "converged", "still falling", "rising", "stuck"
_UP_FIRST = "went up first, then "
_NEVER = "never"

_CURVES = (
    ("1B5E93", "lgDashDotDot"),
    ("D55E00", "sysDash"),
    ("009E73", "dashDot"),
    ("7B3F73", "lgDash"),
    ("262626", "solid"),
    ("E69F00", "lgDashDot"),
    ("56B4E9", "dash"),
    ("A32A14", "sysDot"),
)
"""Colour (Okabe and Ito's, some of them darker) and dashes of every run's curve."""


class Compared(Run, frozen=True, kw_only=True):
    """A run with a column in the table of what the runs come to."""

    name: str
    """What it is called at the head of its column and beside its curve."""
    column: str
    """The letter of its column."""

    @property
    def name_cell(self) -> str:
        return f"{self.column}{NAME_ROW}"

    @property
    def first_letter(self) -> str:
        """The column that holds the iteration where the loss is small, and the number of iterations elsewhere."""
        return column_letter(self.working.next_column)

    @property
    def whole(self) -> int:
        """The first row whose loss is that of every sample."""
        return min(self.working.derivation.samples, self.working.rows) - 1

    @property
    def last_quarter(self) -> int:
        """The row at which the last quarter of the iterations begins."""
        return max(self.whole, (self.working.rows - 1) * 3 // 4)

    def first_small(self, threshold: float) -> int | None:
        """The first iteration with a loss below the threshold."""
        small = np.flatnonzero(self.losses[self.whole :] < threshold)
        return self.whole + int(small[0]) if len(small) else None

    def verdict(self, threshold: float) -> str:
        """What happened to the loss, in words."""
        losses = self.losses
        first, last, before = (float(losses[row]) for row in (self.whole, -1, self.last_quarter))
        if last < threshold:
            outcome = _CONVERGED
        elif last < (1 - _FLAT) * before:
            outcome = _FALLING
        else:
            outcome = _RISING if last > (1 + _FLAT) * before else _STUCK
        return (_UP_FIRST if max(losses[self.whole :]) > (1 + _CLEARLY) * first else "") + outcome

    def verdict_formula(self) -> str:
        """The formula of the verdict."""
        working, loss = self.working, self.loss
        first, last, before = (working.cell(loss, row) for row in (self.whole, working.rows - 1, self.last_quarter))
        outcome = (
            f'IF({last}<{absolute(THRESHOLD_CELL)},"{_CONVERGED}",IF({last}<{1 - _FLAT:g}*{before},"{_FALLING}",'
            f'IF({last}>{1 + _FLAT:g}*{before},"{_RISING}","{_STUCK}")))'
        )
        losses = working.range(loss, slice(self.whole, None))
        return f'IF(MAX({losses})>{1 + _CLEARLY:g}*{first},"{_UP_FIRST}","")&{outcome}'


class Summary(Struct, frozen=True):
    """The top of a sheet that compares runs: a table with a column for each, and under it two charts."""

    page: Page
    lesson: Lesson
    kind: str
    """What one of the runs is: a rate, an optimiser."""
    loss_row: int
    """The row of the last loss, the first one under what the reader chooses for the runs."""
    chosen_threshold: float | None = None
    """Below what a loss is small; None for about a tenth of the first loss of all samples."""

    @property
    def iterations(self) -> int:
        """How many iterations every run has."""
        return min(self.lesson.definition.iterations, MOST_ITERATIONS)

    @property
    def threshold(self) -> float:
        if self.chosen_threshold is not None:
            return self.chosen_threshold
        derivation = self.lesson.derivation
        first_loss = float(self.lesson.trace[derivation.loss_shown][min(derivation.samples, self.iterations) - 1])
        return float(f"{max(first_loss / 10, 1e-9):.0e}")

    @property
    def working_row(self) -> int:
        """The row of the heading over the working."""
        return self.loss_row + 26

    @property
    def header_row(self) -> int:
        """The row of the working's column heads."""
        return self.working_row + 5

    @property
    def _first_row(self) -> int:
        return self.loss_row + 1

    @property
    def _verdict_row(self) -> int:
        return self.loss_row + 2

    @property
    def _fastest_row(self) -> int:
        return self.loss_row + 4

    @property
    def _chart_rows(self) -> tuple[int, int]:
        return self.loss_row + 6, self.loss_row + 23

    def head(self, title: str, once: str, name: str) -> None:
        """Put down the headline, the threshold and what stands before the rows of the table."""
        page = self.page
        page.text("A1", title, Look(theme.TITLE))
        page.sheet.row_dimensions[1].height = 24
        span = f"{'the first ' if self.iterations < self.lesson.table.iterations else ''}{self.iterations} iterations"
        page.text(
            "A2",
            f"The same network trained over {span}, from the same weights, once {once}."
            "  Change any number in bold blue; the working stands below the charts.",
        )
        page.text(f"A{THRESHOLD_CELL[1:]}", "the loss is small below", LABEL)
        page.number(THRESHOLD_CELL, self.threshold)
        words = "From which loss on you would call the network trained."
        page.limit(THRESHOLD_CELL, "Small loss", words, 0, LARGEST_NUMBER)
        page.text(f"A{NAME_ROW}", name, LABEL)
        page.text(f"A{self.loss_row}", f"loss at iteration {self.iterations - 1}", LABEL)
        page.text(f"A{self._first_row}", "first small at iteration", LABEL)
        page.text(f"A{self._verdict_row}", "what happened", LABEL)
        page.sheet.row_dimensions[self._verdict_row].height = 32

    def put(self, run: Compared) -> None:
        """Put down what a run comes to, and beside its working where its loss is small."""
        page, working, losses, count = self.page, run.working, run.losses, run.working.rows
        page.text(f"{run.first_letter}{working.header_row}", _FIRST, theme.COLUMN_HEAD)
        style = page.style_number(Look(theme.CALCULATION, number_format=theme.COUNT_FORMAT))
        formula = f"IF({working.letter(run.loss)}{{row}}<{absolute(THRESHOLD_CELL)},$A{{row}},{count})"
        small = np.where(losses < self.threshold, np.arange(float(count)), count)
        page.block(Block(working.first_row, [BlockColumn(style, formula, small)], working.next_column))
        result = Look(theme.RESULT, working.derivation[run.loss].role, theme.TINY_FORMAT)
        page.formula(f"{run.column}{self.loss_row}", working.cell(run.loss, count - 1), float(losses[-1]), result)
        places = f"${run.first_letter}${working.first_row + run.whole}:${run.first_letter}${working.last_row}"
        first = run.first_small(self.threshold)
        page.formula(
            f"{run.column}{self._first_row}",
            f'IF(MIN({places})<{count},MIN({places}),"{_NEVER}")',
            _NEVER if first is None else first,
            Look(theme.RESULT, number_format=theme.COUNT_FORMAT, align="right"),
        )
        page.formula(
            f"{run.column}{self._verdict_row}",
            run.verdict_formula(),
            run.verdict(self.threshold),
            Look(theme.CHECK, align="center", wrap=True),
        )

    def fastest(self, runs: list[Compared], before: str, none: str) -> None:
        """Put down which of the runs made the loss small first, or that none did."""
        ends = runs[0].column, runs[-1].column
        firsts, names = (":".join(f"{column}{row}" for column in ends) for row in (self._first_row, NAME_ROW))
        reached = [(first, run.name) for run in runs if (first := run.first_small(self.threshold)) is not None]
        between = ", at iteration "
        value = none
        if reached:
            first, name = min(reached, key=lambda pair: pair[0])
            value = f"{before}{name}{between}{first}"
        self.page.formula(
            f"B{self._fastest_row}",
            f'IF(COUNT({firsts})=0,"{none}","{before}"&INDEX({names},1,MATCH(MIN({firsts}),{firsts},0))'
            f'&"{between}"&MIN({firsts}))',
            value,
            Look(theme.HEADING),
        )

    def charts(self, runs: list[Compared], title: str, columns: tuple[int, int]) -> None:
        """Draw the curves of all runs twice, side by side.

        Args:
            columns: the last columns that the charts cover.
        """
        page, working = self.page, runs[0].working
        sheet = f"'{page.sheet.title}'"
        total = short_label(runs[0].loss)
        curves = [
            charts.Curve(
                label_reference=f"{sheet}!${run.column}${NAME_ROW}",
                label=run.name,
                categories_reference=f"{sheet}!$A${working.first_row}:$A${working.last_row}",
                categories=range(working.rows),
                values_reference=f"{sheet}!{run.working.range(run.loss)}",
                values=run.losses.tolist(),
                colour=colour,
                dash=dash,
            )
            for run, (colour, dash) in zip(runs, _CURVES, strict=False)
        ]
        linear = charts.line_chart(title, ITERATION, total, curves)
        title = "The same on a logarithmic axis"
        logarithmic = charts.line_chart(title, ITERATION, total, curves, logarithmic_from=_LOWEST_SHOWN)
        (top, bottom), (middle, last) = self._chart_rows, columns
        for chart, left, right, axis in (
            (linear, 1, middle, "linear"),
            (logarithmic, middle + 1, last, "logarithmic"),
        ):
            charts.place(chart, top, left, bottom, right)
            page.sheet.add_chart(chart)
            words = f"Line chart of the loss over the iterations for every {self.kind}, on a {axis} axis"
            page.drawing.describe(chart, words)

    def handout(self, last_column: int) -> None:
        """Print the table and the charts, up to a column."""
        self.page.handout(self.lesson.definition.title, f"A1:{address(self._chart_rows[1], last_column)}")
