"""What trainings side by side come to: the last loss, since when it is small, a verdict in words, and the curves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import numpy as np
from msgspec import Struct

from xlbackprop.derivation import Derivation, Role
from xlbackprop.engine import Array, Trace
from xlbackprop.ground.grid import absolute, address, column_letter, column_range
from xlbackprop.network import EPOCH, ITERATION, LARGEST_NUMBER, LOSSES, Definition
from xlbackprop.symbols import Expression, Symbol, number_from
from xlbackprop.walkthrough import Lesson, LossCurve
from xlbackprop.workbook.panels import verdict
from xlbackprop.workbook.panels.all_samples import ForwardPasses, pass_columns, put_points, put_samples
from xlbackprop.workbook.panels.run import (
    MOST_COMPARED_ITERATIONS,
    Run,
    put_order,
    put_run,
    run_columns,
    setting_references,
)
from xlbackprop.workbook.panels.working import Working, put_given, row_index
from xlbackprop.workbook.xlsx import charts, theme
from xlbackprop.workbook.xlsx.charts import Curve
from xlbackprop.workbook.xlsx.page import Page
from xlbackprop.workbook.xlsx.theme import Look

THRESHOLD_CELL = "B4"
NAME_ROW = 6

ROW_LABEL = Look(theme.HEADING, align="right")
"""What stands before a row of the table."""

_SMALL_SINCE, _IN_SIGHT, _ON_POWERS, _WHERE = "small since", "in the chart", "by powers of ten", "drawn at"
_HELPERS = 4
"""How many columns stand beside the losses for the table and the charts."""
_NEVER = "never"
_SMALL_AT_ONCE = "The loss is small before any training."
_NOT_LEARNED = "–"
"""Stands where a loss is small, and the verdict says why that is no success."""
NOT_CHOSEN = "no number"
"""What stands in the place of a verdict, and of a curve's name, where the reader has left no number to train with."""
HIGHEST_SHOWN = 2.0
"""How many times the first loss the linear chart shows; what lies higher runs along its upper edge."""
_LOWEST_POWER, _HIGHEST_POWER = 1e-10, 1e6
"""Between which multiples of the first loss the logarithmic chart shows a curve."""
LEAST_FIRST = 1e-12
"""What stands for a first loss of 0, of which there are no multiples."""
_SINCE, _VERDICT, _FASTEST = 1, 2, 3
"""How many rows below the last loss it says since when a run is trained, what happened, and which was trained first."""
_ROWS_BETWEEN = 3
_PATH_ROWS = 20
"""Low enough for a screen to show the paths with the losses over them."""
_LAST_ROW_OF_A_SCREEN, _LEAST_CHART_ROWS = 25, 9
"""What the axes of the charts are called stands within a screen of 768 pixels, unless the charts got too low."""

CURVES = (
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


def small_loss(lesson: Lesson) -> float:
    """Below what a loss is small, as the sheet begins: about a tenth of the loss before the training."""
    return float(f"{max(float(lesson.curve_losses[0]) / 10, 1e-9):.0e}")


class Losses(Struct, frozen=True):
    """The losses that a run is judged by, one below the other: one an iteration, or of all samples one an epoch."""

    letter: str
    first_row: int
    places_letter: str
    """The column of their iterations or epochs."""
    places: Sequence[float]
    values: Array
    """Shape (points,)."""
    ends_idle: bool = False
    """Whether nothing moves before the last one, because the last batch is not complete."""

    def cell(self, index: int) -> str:
        return f"{self.letter}{self.first_row + index}"

    @property
    def shown(self) -> tuple[Array, Array]:
        """As the linear and the logarithmic chart show them."""
        first = max(LEAST_FIRST, float(self.values[0]))
        low, high = _LOWEST_POWER * first, _HIGHEST_POWER * first
        return np.minimum(HIGHEST_SHOWN * first, self.values), np.maximum(low, np.minimum(high, self.values))

    def range(self, letter: str = "", start: int = 0) -> str:
        """The absolute range of the losses, or of another column beside them, from one of them on."""
        first, last = self.first_row + start, self.first_row + len(self.values) - 1
        return column_range(letter or self.letter, first, last)


class Compared(Run, frozen=True, kw_only=True):
    """A run with a column in the table of what the runs come to."""

    name: str
    """What it is called at the head of its column and beside its curve."""
    column: str
    """The letter of its column."""
    losses: Losses
    helper_column: int
    """The first of the columns beside the losses for what the table and the charts need."""
    label: str = ""
    """The cell of what its curve is called; none for the head of its column."""
    is_optional: bool = False
    """Whether the head of its column is a number of the reader's, without which there is nothing to tell or to draw."""

    def chosen(self, formula: str, otherwise: str) -> str:
        """A formula for as long as the run has what it needs."""
        return f"IF(ISNUMBER({absolute(self.name_cell)}),{formula},{otherwise})" if self.is_optional else formula

    @property
    def name_cell(self) -> str:
        return f"{self.column}{NAME_ROW}"

    @property
    def lately(self) -> int:
        """The loss with which the last quarter of the training begins."""
        return (len(self.losses.values) - 1 - self.losses.ends_idle) * 3 // 4

    def small_since(self, threshold: float) -> Array:
        """Since which of the losses they have stayed small, at every one of them; their number where it is not."""
        count = len(self.losses.values)
        since = np.full(count, float(count))
        for index, loss in enumerate(self.losses.values):
            if loss < threshold:
                since[index] = min(index, since[index - 1]) if index else 0
        return since

    def facts(self, threshold: float) -> dict[Symbol, tuple[str, float]]:
        """What the verdict is about: the formula and the value of each fact."""
        losses, working, start = self.losses, self.working, self.lately
        values, lately = losses.values, losses.values[start:]
        everything, quarter = losses.range(), losses.range(start=start)
        deltas = working.derivation.deltas
        sizes = np.abs([self.values[name] for name in deltas])
        ends = [working.letter(name) for name in (deltas[0], deltas[-1])]

        def largest(rows: slice) -> tuple[str, float]:
            taken = range(working.first_row, working.last_row + 1)[rows]
            slopes = f"${ends[0]}${taken[0]}:${ends[1]}${taken[-1]}"
            return f"MAX(MAX({slopes}),-1*MIN({slopes}))", float(sizes[:, rows].max())

        return {
            verdict.FIRST: (losses.cell(0), float(values[0])),
            verdict.LAST: (losses.cell(len(values) - 1), float(values[-1])),
            verdict.HIGHEST: (f"MAX({everything})", float(values.max())),
            verdict.LOWEST: (f"MIN({everything})", float(values.min())),
            verdict.BEFORE: (losses.cell(start), float(lately[0])),
            verdict.LATELY_HIGHEST: (f"MAX({quarter})", float(lately.max())),
            verdict.LATELY_LOWEST: (f"MIN({quarter})", float(lately.min())),
            verdict.SMALL: (absolute(THRESHOLD_CELL), threshold),
            verdict.FIRST_GRADIENT: largest(slice(self._epoch)),
            verdict.GRADIENT: largest(slice(-self._epoch, None)),
        }

    @property
    def _epoch(self) -> int:
        """How many iterations take every sample once, if there are as many."""
        return min(self.working.derivation.samples, self.working.rows)


class Summary(Struct, frozen=True, dict=True):
    """The top of a sheet that compares runs: a table with a column for each, and under it two charts."""

    page: Page
    lesson: Lesson
    kind: str
    """What one of the runs is: a rate, an optimiser."""
    loss_row: int
    """The row of the last loss, the first one under what the reader chooses for the runs."""
    has_paths: bool = False
    """Whether the paths over two weights are drawn as well."""
    verdict_lines: int = 3
    """How many lines the longest verdict takes in the column of a run."""

    @property
    def iterations(self) -> int:
        """How many iterations every run has."""
        return min(self.lesson.definition.iterations, MOST_COMPARED_ITERATIONS)

    @cached_property
    def threshold(self) -> float:
        return small_loss(self.lesson)

    @property
    def working_row(self) -> int:
        """The row of the heading over the working."""
        return self._last_picture_row + 2

    @property
    def _last_picture_row(self) -> int:
        return self._chart_rows[1] + (_PATH_ROWS if self.has_paths else 0)

    @property
    def header_row(self) -> int:
        """The row of the working's column heads."""
        return self.working_row + 5

    @property
    def samples(self) -> int:
        return self.lesson.derivation.samples

    @property
    def curve(self) -> LossCurve:
        """When the loss of all samples is taken, if there are several."""
        return LossCurve(self.samples, self.iterations)

    @property
    def unit(self) -> str:
        """What the losses are counted in."""
        return self.lesson.table.curve_unit

    @property
    def _points_row(self) -> int:
        """The first row of the points at which all samples are passed."""
        return self.header_row + self.iterations + _ROWS_BETWEEN

    @property
    def _chart_rows(self) -> tuple[int, int]:
        top = self.loss_row + _FASTEST + 1
        return top, max(_LAST_ROW_OF_A_SCREEN, top + _LEAST_CHART_ROWS)

    def head(self, title: str, once: str, name: str) -> None:
        """Put down the headline, the threshold and what stands before the rows of the table."""
        page, several = self.page, self.samples > 1
        page.text("A1", title, Look(theme.TITLE))
        page.height(1, 24)
        length, unit = (self.curve.epochs[-1], "epochs") if several else (self.iterations, "iterations")
        unit = unit if length != 1 else unit[:-1]
        span = f"{'the first ' if self.iterations < self.lesson.table.iterations else ''}{length:g} {unit}"
        page.text(
            "A2",
            f"The same network trained over {span}, from the same weights, once {once}."
            "  Change any number in bold blue; the working stands below the charts.",
        )
        page.text(f"A{THRESHOLD_CELL[1:]}", "the loss is small below", ROW_LABEL)
        page.number(THRESHOLD_CELL, self.threshold)
        page.limit(THRESHOLD_CELL, "Small loss", 0, LARGEST_NUMBER)
        page.text(f"C{THRESHOLD_CELL[1:]}", "← from which loss on you would call the network trained")
        page.text(f"A{NAME_ROW}", name, ROW_LABEL)
        after = f"loss of all after {length:g} epochs" if several else f"loss at iteration {self.iterations - 1}"
        page.text(f"A{self.loss_row}", after, ROW_LABEL)
        page.text(f"A{self.loss_row + _SINCE}", f"trained from {self.unit}", ROW_LABEL)
        page.text(f"A{self.loss_row + _VERDICT}", "what happened", ROW_LABEL)
        page.height(self.loss_row + _VERDICT, 16 * self.verdict_lines)

    def begin(self, words: str) -> tuple[dict[str, str], int]:
        """Put down the heading of the working, and what all runs share.

        Returns:
            The address of everything that is given, with `{row}` in it where it has one a row; the first free column.
        """
        page, row = self.page, self.working_row
        page.text(f"A{row}", f"Working: the training behind the curves, block by block{words}", Look(theme.HEADING))
        places, column = put_order(page, self.lesson, self.header_row, self.iterations)
        return places | setting_references(self.lesson) | put_given(page, self.lesson, row + 1), column

    @cached_property
    def _forward(self) -> ForwardPasses:
        """The samples that all runs pass through their networks at every point."""
        page, first, points = self.page, self._points_row, len(self.curve.made)
        text = "Working: the weights after every epoch, and every sample passed through the network with them"
        page.text(f"A{first - 2}", text, Look(theme.HEADING))
        made = np.array(self.curve.made, float)
        formula = f"MIN({self.iterations},{row_index(first - 1, 1)}*{self.curve.made[1]})"
        columns = [
            page.column(theme.COUNTED, formula, made),
            page.column(theme.HELPER, f"$A{{row}}/{self.samples}", np.array(self.curve.epochs)),
        ]
        page.heads(first - 1, 1, (ITERATION, EPOCH))
        page.block(first, 1, columns)
        return put_samples(page, self.lesson, self.curve, first + points + _ROWS_BETWEEN, 1)

    def width(self, derivation: Derivation) -> int:
        """How many columns a run takes, with what stands under and beside it."""
        own = len(run_columns(derivation)) + (_HELPERS if self.samples == 1 else 0)
        return max(own, len(derivation.learned) + 1 + _HELPERS, len(pass_columns(derivation)))

    def run(
        self,
        definition: Definition,
        derivation: Derivation,
        trace: Trace,
        references: Mapping[str, str],
        *,
        first_column: int,
        name: str,
        column: str,
        label: str = "",
        is_optional: bool = False,
        written: dict[tuple[str, str], str] | None = None,
    ) -> Compared:
        """Put down a training and the losses that it is judged by.

        Args:
            references: the addresses of what is given.
            label, is_optional: see `Compared`.
            written: shared by runs of the same derivation; see `Working`.
        """
        columns = run_columns(derivation)
        place = first_column, self.header_row, self.iterations
        working = Working(derivation, columns, *place, references, {} if written is None else written)
        values = {name: trace[name] for name in columns}
        put_run(self.page, self.lesson, Run(working, values))
        if self.samples == 1:
            total = derivation.names.total_loss
            losses = Losses(working.letter(total), working.first_row, "A", range(self.iterations), values[total])
            helpers = working.next_column
        else:
            losses, helpers = self._all_samples(definition, working, trace)
        self.page.show_extreme_numbers(f"{working.cell(columns[0])}:{working.cell(columns[-1], working.rows - 1)}")
        return Compared(
            working,
            values,
            name=name,
            column=column,
            losses=losses,
            helper_column=helpers,
            label=label,
            is_optional=is_optional,
        )

    def _all_samples(self, definition: Definition, working: Working, trace: Trace) -> tuple[Losses, int]:
        derivation, first = working.derivation, self._points_row
        forward, loss_column = self._forward, working.first_column + len(derivation.learned)
        learned = {
            name: (
                number_from(working.range(name), "$A{row}+1"),
                working.update(name).format(row=working.last_row + 1, above=working.last_row),
                self.curve.weights(trace, name),
            )
            for name in derivation.learned
        }
        fixed = {name: working.references[name] for name in derivation.fixed}
        means = put_points(
            self.page,
            definition,
            derivation,
            forward,
            first,
            working.first_column,
            learned,
            fixed,
            loss_column=loss_column,
            forward_column=working.first_column,
        )
        self.page.text(address(first - 1, loss_column), "loss", theme.COLUMN_HEAD)
        ends_idle = 0 < self.iterations % self.samples < definition.samples_a_batch
        losses = Losses(column_letter(loss_column), first, "B", self.curve.epochs, means, ends_idle)
        return losses, loss_column + 1

    def put(self, run: Compared) -> float | str:
        """Put down what a run comes to, and beside its losses what its curves show.

        Returns:
            Since when it is trained, or what stands there instead.
        """
        page, losses = self.page, run.losses
        since = self._helpers(run)
        trained: float | str = _NOT_LEARNED if since < len(losses.places) else _NEVER
        result = Look(theme.RESULT, Role.LOSS, theme.TINY_FORMAT)
        count = len(losses.values)
        last = run.chosen(losses.cell(count - 1), '""')
        page.formula(f"{run.column}{self.loss_row}", last, float(losses.values[-1]), result)
        facts = run.facts(self.threshold)
        formula = self._verdict_formula.format_map({fact.name: place for fact, (place, _) in facts.items()})
        words = verdict.verdict_of(self._rule, {fact: value for fact, (_, value) in facts.items()})
        verdict_cell = f"{run.column}{self.loss_row + _VERDICT}"
        page.formula(
            verdict_cell, run.chosen(formula, f'"{NOT_CHOSEN}"'), words, Look(theme.CHECK, align="center", wrap=True)
        )
        if words.endswith(verdict.CONVERGED):
            trained = float(losses.places[since])
        last_since = f"{column_letter(run.helper_column)}{losses.first_row + count - 1}"
        places = losses.range(losses.places_letter)
        small_from = (
            f'IF(RIGHT({verdict_cell},{len(verdict.CONVERGED)})="{verdict.CONVERGED}",'
            f"{number_from(places, f'MIN({count},{last_since}+1)')},"
            f'IF({last_since}<{count},"{_NOT_LEARNED}","{_NEVER}"))'
        )
        look = Look(theme.RESULT, align="right")
        page.formula(f"{run.column}{self.loss_row + _SINCE}", run.chosen(small_from, '""'), trained, look)
        return trained

    @cached_property
    def _rule(self) -> Expression:
        definition = self.lesson.definition
        if self.iterations < definition.samples_a_batch or self.iterations == self.samples == 1:
            return Symbol(verdict.TOO_SHORT)
        squared = LOSSES[definition.loss].goes_with is None
        return verdict.rule(saturates=squared, bounded=squared and definition.weight_limit is None)

    @cached_property
    def _verdict_formula(self) -> str:
        return verdict.verdict_formula(self._rule)

    def _helpers(self, run: Compared) -> int:
        """Since when the loss is small, which it gives back, and the losses as the two charts show them."""
        page, losses, count = self.page, run.losses, len(run.losses.values)
        heads = (_SMALL_SINCE, _IN_SIGHT, _ON_POWERS, *([_WHERE] if run.is_optional else []))
        page.heads(losses.first_row - 1, run.helper_column, heads)
        shown = Look(theme.CALCULATION, number_format=theme.TINY_FORMAT)
        loss, letter = f"{losses.letter}{{row}}", column_letter(run.helper_column)
        is_small = f"{loss}<{absolute(THRESHOLD_CELL)}"
        number = row_index(losses.first_row - 1, run.helper_column)
        since = run.small_since(self.threshold)
        first = f"MAX({LEAST_FIRST:G},{absolute(losses.cell(0))})"
        at_once = f"IF({is_small},0,{count})".format(row=losses.first_row)
        page.formula(address(losses.first_row, run.helper_column), at_once, float(since[0]), theme.COUNTED)
        if count > 1:
            formula = f"IF({is_small},MIN({number},{letter}{{above}}),{count})"
            page.block(losses.first_row + 1, run.helper_column, [page.column(theme.COUNTED, formula, since[1:])])
        formulas = (
            f"MIN({HIGHEST_SHOWN:G}*{first},{loss})",
            f"MAX({_LOWEST_POWER:G}*{first},MIN({_HIGHEST_POWER:G}*{first},{loss}))",
        )
        columns = [page.column(shown, *each) for each in zip(formulas, losses.shown, strict=True)]
        if run.is_optional:  # a curve whose points are one is none, and needs no error value
            where = run.chosen(f"${losses.places_letter}{{row}}", "0")
            columns.append(page.column(theme.HELPER, where, np.array(losses.places, float)))
        page.block(losses.first_row, run.helper_column + 1, columns)
        return int(since[-1])

    def fastest(
        self, runs: list[Compared], trained: list[float | str], before: str, none: str, name_from: Callable[..., str]
    ) -> None:
        """Put down which of the runs that have converged made the loss small first, or that none did.

        Nothing is said where the loss is small though none of them converged, or where there is no loss to judge by.

        Args:
            trained: since when each of them is, as `put` gives it.
            name_from: takes the name out of the row of them, `number_from` or `text_from`.
        """
        ends = runs[0].column, runs[-1].column
        firsts, names = (":".join(f"{column}{row}" for column in ends) for row in (self.loss_row + _SINCE, NAME_ROW))
        reached = [(since, run.name) for since, run in zip(trained, runs, strict=True) if isinstance(since, float)]
        between, together = f", from {self.unit} ", " and others"
        value = none if _NEVER in trained else ""
        if reached:
            since, name = min(reached, key=lambda pair: pair[0])
            is_one = sum(other == since for other, _ in reached) == 1
            value = f"{before}{name}{'' if is_one else together}{between}{since:g}" if since else _SMALL_AT_ONCE
        self.page.formula(
            f"B{self.loss_row + _FASTEST}",
            f'IF(COUNT({firsts})=0,IF(COUNTIF({firsts},"{_NEVER}")>0,"{none}",""),'
            f'IF(MIN({firsts})=0,"{_SMALL_AT_ONCE}","{before}"&'
            f"{name_from(names, '1', f'MATCH(MIN({firsts}),{firsts},0)')}"
            f'&IF(COUNTIF({firsts},MIN({firsts}))>1,"{together}","")&"{between}"&MIN({firsts})))',
            value,
            Look(theme.HEADING),
        )

    def charts(self, runs: list[Compared], title: str, columns: tuple[int, int]) -> None:
        """Draw the curves of all runs twice, side by side.

        Args:
            columns: the last columns that the charts cover.
        """
        page = self.page
        titles = (f"{title}, cut off at twice the start", "By powers of ten, to 10⁻¹⁰ of the start")
        loss = "loss of all samples" if self.samples > 1 else "loss"
        (top, bottom), (middle, last) = self._chart_rows, columns
        for index, (text, left, right, axis) in enumerate(
            ((titles[0], 1, middle, "linear"), (titles[1], middle + 1, last, "logarithmic"))
        ):
            curves = [self._curve(run, index, *look) for run, look in zip(runs, CURVES, strict=False)]
            chart = charts.curve_chart(text, self.unit, loss, curves, logarithmic=bool(index))
            words = f"Line chart of the loss over the {self.unit}s for every {self.kind}, on a {axis} axis"
            page.drawing.chart(chart, (top, left, bottom, right), words)

    def paths(
        self, curves: Sequence[Curve], weights: tuple[str, str], last_column: int, valley: Sequence[Curve]
    ) -> None:
        """Draw the way of every run over two of the weights, all from one start, under the other charts.

        Args:
            valley: what lies behind the paths, if anything does: see `put_dots`.
        """
        title = "The paths over two weights, from one start; one that leaves ends at the edge"
        twice = 1 if valley else None  # dots of one kind
        chart = charts.scatter_chart(title, *weights, [*valley, *curves], legend="b", unnamed=twice)
        words = f"Chart of the path of every {self.kind} over the weights {' and '.join(weights)}"
        self.page.drawing.chart(chart, (self._chart_rows[1] + 1, 1, self._last_picture_row, last_column), words)

    def _curve(self, run: Compared, index: int, colour: str, dash: str) -> Curve:
        page, losses = self.page, run.losses
        places = column_letter(run.helper_column + _HELPERS - 1) if run.is_optional else losses.places_letter
        return Curve(
            (page.place(absolute(run.label or run.name_cell)), run.name),
            (page.place(losses.range(places)), losses.places),
            (page.place(losses.range(column_letter(run.helper_column + 1 + index))), losses.shown[index].tolist()),
            colour,
            dash=dash,
        )

    def handout(self, last_column: int) -> None:
        """Show and print the table and the charts, up to a column."""
        self.page.fit_screen(column_letter(last_column))
        self.page.handout(self.lesson.definition.title, f"A1:{address(self._last_picture_row, last_column)}")
        if self.has_paths:  # no page is high enough for all charts, and none is to be cut in two
            self.page.frame.breaks.append(self._chart_rows[1] + 1)
