"""The sheet Loss surface: how the loss depends on two weights the reader picks, and the path that training takes."""

from __future__ import annotations

from bisect import bisect_right

import numpy as np
from msgspec import Struct

from xlbackprop.derivation import Role
from xlbackprop.engine import Array
from xlbackprop.ground.grid import absolute, address, column_letter, column_range
from xlbackprop.network import ITERATION, LARGEST_NUMBER, Names
from xlbackprop.symbols import number_from, short, short_formula, text_from
from xlbackprop.walkthrough import Lesson
from xlbackprop.workbook.panels.entry import Entry
from xlbackprop.workbook.panels.loss_grid import STEPS, put_losses
from xlbackprop.workbook.panels.verdict import CLEARLY
from xlbackprop.workbook.panels.working import put_choices, put_given, row_index
from xlbackprop.workbook.xlsx import charts, theme
from xlbackprop.workbook.xlsx.page import Page
from xlbackprop.workbook.xlsx.styles import boxed, highlight
from xlbackprop.workbook.xlsx.theme import Look

MOST_PATH_ITERATIONS = 100
"""The path shows no more of the training than this."""

_HALF = STEPS // 2
_GRID_ROW, _GRID_COLUMN = 4, 2
_ACROSS_ROW = _GRID_ROW + STEPS
"""The row of the values across, under the grid."""
_LAST_GRID_COLUMN = _GRID_COLUMN + STEPS - 1
_ACROSS_CELLS = f"{address(_ACROSS_ROW, _GRID_COLUMN)}:{address(_ACROSS_ROW, _LAST_GRID_COLUMN)}"

_SIDE_COLUMN = _LAST_GRID_COLUMN + 2
_CHOICE_ROWS = (_GRID_ROW + 1, _GRID_ROW + 2)
_OTHERS_ROW = _GRID_ROW + 3
_NOTE_ROW = _OTHERS_ROW + 2
_SCALE_ROW = _NOTE_ROW + 3
_CHART_ROW = _SCALE_ROW + 2
_LAST_SIDE_COLUMN = _SIDE_COLUMN + 3

_WORKING_COLUMN = _LAST_SIDE_COLUMN + 2
_GIVEN_ROW, _USED_ROW, _WEIGHTS_ROW, _LEGEND_ROW, _LISTS_ROW = 3, 6, 9, 14, 16
_FIRST_ROW = _LISTS_ROW + 1
_POINTS_COLUMN = _WORKING_COLUMN + 5
"""The columns of the points follow those of the path, with one left empty between them."""

_ROOM = 1.25
"""The grid reaches this much further than the path."""
_SMALLEST_REACH = 1e-9
_SMALLEST_OWN_REACH = 0.01
"""A path that hardly moves is no reason to look at rounding errors."""
_NUDGE = 1e-6
"""A path exactly between two points of the grid belongs to the upper one, whichever way it is rounded."""
_TWICE, _EMPTY = "Pick two different weights.", "Centre, reach empty: follow the path."
_DOWNHILL, _LOWER = "training walks downhill", "training ends lower than it began"
_HIGHER, _UNMOVED = "training ends higher than it began", "training leaves the loss as it was, to six digits"
_NO_UPDATE = "the loss before any update"
"""Of one iteration there is no loss with updated weights to compare."""
_SUBTITLE = (
    "The loss for every pair of two weights, all others as at one iteration."
    " Dark: a large loss; in a box: training passes here."
)
_SUBTITLE_OF_A_CURVE = "The loss for every value of the only weight, and the way that training takes along it."
_FLAT = 1.01
"""A map whose largest loss is not this many times the smallest one is flat."""
_FULL_CONTRAST = 1.2
"""Only a map whose largest loss is this many times the smallest one has the darkest colour."""
_PALE, _MIDDLE, _DARK = "FFFFFF", "FBDCD5", "E8937F"
_PATH, _LOSS_COLOUR = (theme.SHADES[role].dark for role in (Role.WEIGHT, Role.LOSS))
_AXIS_FORMAT, _LARGEST_ON_AXIS = "0.000", 1000.0
_LOSS_FORMAT = "[<0.0001]0E+0;[<10]0.0000;0E+0"
"""Six characters at the most, for the narrow cells of the grid."""
_LOSS = Look(theme.SURFACE, number_format=_LOSS_FORMAT)
_WEIGHT = Look(theme.CALCULATION, Role.WEIGHT, theme.VALUE_FORMAT)


class _Axis(Struct, frozen=True):
    """One direction of the grid in numbers, and the absolute addresses of those that are used."""

    weight: str
    path: Array
    """The weight in every iteration shown, shape (iterations,)."""
    centre: float
    reach: float
    """How far the grid goes to each side."""
    name_cell: str
    table_column_cell: str
    """The number of the weight's column in the table of the Walkthrough."""
    centre_cell: str
    reach_cell: str

    def label(self, page: Page) -> charts.Label:
        """The name of the weight, and where it stands."""
        return page.place(self.name_cell), self.weight

    @property
    def values(self) -> Array:
        """The weight at every point of the grid, from low to high, shape (STEPS,)."""
        return np.array([self.centre + self.reach * (step / _HALF) for step in _OFFSETS])

    def value_formula(self, step: int) -> str:
        return f"{self.centre_cell}+{self.reach_cell}*{_OFFSETS[step] / _HALF:g}"

    @property
    def steps(self) -> Array:
        """The nearest point of the grid to every point of the path, counted from the low end."""
        return np.floor((self.path - self.centre) / self.reach * _HALF + _TO_STEPS)

    def step_formula(self, cell: str) -> str:
        return f"INT(({cell}-{self.centre_cell})/{self.reach_cell}*{_HALF}+{_TO_STEPS})"


_OFFSETS = range(-_HALF, _HALF + 1)
_TO_STEPS = _HALF + 0.5 + _NUDGE


def input_cells(direction: int) -> tuple[str, str, str]:
    """Where the reader picks the weight, the centre and the reach: of direction 0, across, or 1, upwards."""
    weight, centre, reach = (address(_CHOICE_ROWS[direction], _SIDE_COLUMN + column) for column in (1, 2, 3))
    return weight, centre, reach


def _extent(direction: int) -> tuple[Entry, Entry]:
    """What part of a direction the reader wants to see: the centre and the reach."""
    _, centre, reach = input_cells(direction)
    return (
        Entry(centre, "Centre", -LARGEST_NUMBER, LARGEST_NUMBER, is_optional=True),
        Entry(reach, "Reach", _SMALLEST_REACH, LARGEST_NUMBER, is_optional=True),
    )


ITERATION_CELL = address(_OTHERS_ROW, _SIDE_COLUMN + 1)
"""Where the reader picks the iteration from which the other weights are."""


def loss_surface(page: Page, lesson: Lesson) -> None:
    """Fill the sheet; the batched engine gives the values that its formulas have."""
    sheet = _LossSurface(page, lesson)
    sheet.headline()
    sheet.choose()
    sheet.use_choices()
    sheet.path()
    sheet.points()
    if sheet.has_one_weight:
        sheet.curve()
    else:
        sheet.grid()
        sheet.end()
        sheet.chart()
    sheet.scale()
    page.widths("A", 7)
    page.widths(map(column_letter, range(_GRID_COLUMN, _LAST_GRID_COLUMN + 1)), 4.5)
    page.widths([column_letter(_LAST_GRID_COLUMN + 1)], 0.5)
    page.widths(map(column_letter, range(_SIDE_COLUMN, _LAST_SIDE_COLUMN + 1)), 11)
    page.widths(map(column_letter, range(_WORKING_COLUMN, sheet.next_column + 3)), 12)
    page.fit_screen(column_letter(_LAST_SIDE_COLUMN))
    side = f"{address(_GRID_ROW, _SIDE_COLUMN)}:{address(_ACROSS_ROW, _LAST_SIDE_COLUMN)}"
    page.handout(lesson.definition.title, f"A1:{address(_ACROSS_ROW, _LAST_GRID_COLUMN)},{side}")


def varied_weights(names: Names) -> tuple[str, str]:
    """The weights across and upwards as the sheet begins; they lead to different outputs, if there are: a bowl."""
    outputs = names.weights[-1]
    first, last = outputs[0][0], outputs[-1][-1]
    return first, last if last != first else names.weights[0][0][0]


def path_iterations(lesson: Lesson) -> int:
    """How many iterations the path shows; of several samples it ends where an epoch does, whose loss is known."""
    most = min(lesson.table.iterations, MOST_PATH_ITERATIONS)
    if lesson.derivation.samples == 1:
        return most
    made = lesson.table.loss_curve.made
    whole = made[bisect_right(made, most - 1) - 1] + 1
    return whole if whole > most // 2 else most  # else nothing would be left of a path over few or long epochs


def others_from(lesson: Lesson, iterations: int) -> int:
    """The iteration from which the other weights are as the sheet begins.

    Not the first one of several samples: seen from there, a step for one of them may lead up for all.
    """
    return 0 if lesson.derivation.samples == 1 or len(lesson.derivation.learned) == 1 else iterations - 1


def view(path: Array) -> tuple[float, float]:
    """The centre and the reach of the grid as the sheet begins: around a path, shape (iterations,), and a bit more."""
    low, high = float(path.min()), float(path.max())
    return (low + high) / 2, max(_SMALLEST_OWN_REACH, (high - low) * _ROOM / 2)


class _LossSurface:
    """The sheet while it is being filled."""

    def __init__(self, page: Page, lesson: Lesson) -> None:
        self._page, self._lesson, self._table = page, lesson, lesson.table
        self._learned = lesson.derivation.learned
        self.has_one_weight = len(self._learned) == 1
        """Whether there is a curve to see, where others have a surface."""
        self._weights = varied_weights(lesson.derivation.names)
        self._iterations = path_iterations(lesson)
        self._iteration = others_from(lesson, self._iterations)
        last = max(0, self._iterations - 1)
        made = lesson.table.loss_curve.made
        self._last_loss = last if lesson.derivation.samples == 1 else bisect_right(made, last) - 1
        """The number in the loss curve, from 0, of the loss with which the path ends."""

    def headline(self) -> None:
        """What there is to see."""
        page, last_loss = self._page, self._last_loss
        first, last, rises = self._loss_cell(0), self._loss_cell(last_loss), "0"
        if last_loss:
            later, earlier = (self._losses(start, start + last_loss - 1) for start in (1, 0))
            rises = f"SUMPRODUCT(({later}>{earlier}*(1+{CLEARLY:G}))*1)"
        losses = self._lesson.curve_losses[: last_loss + 1]
        higher, lower = f"{last}>{first}*(1+{CLEARLY:G})", f"{last}<{first}*(1-{CLEARLY:G})"
        title = f'IF({higher},"{_HIGHER}",IF({lower},IF({rises}=0,"{_DOWNHILL}","{_LOWER}"),"{_UNMOVED}"))'
        shown = _UNMOVED
        if losses[-1] > losses[0] * (1 + CLEARLY):
            shown = _HIGHER
        elif losses[-1] < losses[0] * (1 - CLEARLY):
            shown = _LOWER if (losses[1:] > losses[:-1] * (1 + CLEARLY)).any() else _DOWNHILL
        if not last_loss:
            title, shown = f'"{_NO_UPDATE}"', _NO_UPDATE
        page.formula("A1", f'"{page.title}: "&{title}', f"{page.title}: {shown}", Look(theme.TITLE))
        page.height(1, 24)
        page.text("A2", _SUBTITLE_OF_A_CURVE if self.has_one_weight else _SUBTITLE)
        words = "Working: the path, taken from the Walkthrough, and one forward pass for every point of the grid"
        page.text(address(1, _WORKING_COLUMN), words, Look(theme.HEADING))

    def _loss_cell(self, point: int) -> str:
        """Where one of the losses of the loss curve stands."""
        sheet, _, cell = self._table.curve_losses.partition(":")[0].rpartition("!")
        _, letter, row = cell.split("$")
        return f"{sheet}!${letter}${int(row) + point}"

    def _losses(self, first: int, last: int) -> str:
        """The range of some of them."""
        return f"{self._loss_cell(first)}:{self._loss_cell(last).rpartition('!')[2]}"

    def choose(self) -> None:
        """The cells in which the reader picks the weights and what part of the surface to see."""
        page, last = self._page, self._table.iterations - 1
        page.heads(_GRID_ROW, _SIDE_COLUMN + 1, ("weight", "centre", "reach"))
        for direction, name in enumerate(self._weights[: len(self._learned)]):
            weight, *_ = input_cells(direction)
            label = ("→ across", "↑ upwards")[direction]
            page.text(address(_CHOICE_ROWS[direction], _SIDE_COLUMN), label, Look(theme.HEADING, align="right"))
            page.choice(weight, name, self._names, "Weight", "One of the weights, please.")
            for entry in _extent(direction):
                page.blank(entry.cell, Look(theme.INPUT))
                entry.limit(page)
        note = address(_OTHERS_ROW + 1, _SIDE_COLUMN)
        if self.has_one_weight:
            page.text(note, _EMPTY, Look(theme.NOTE))
            page.blank(ITERATION_CELL, Look())
            return
        page.text(address(_OTHERS_ROW, _SIDE_COLUMN), "others from", Look(theme.HEADING, align="right"))
        page.number(ITERATION_CELL, self._iteration)
        self._others_from.limit(page)
        page.text(address(_OTHERS_ROW, _SIDE_COLUMN + 2), f"{ITERATION}, 0 to {last}", Look(theme.NOTE))
        same = "=".join(input_cells(direction)[0] for direction in (0, 1))
        sentence = _TWICE if self._weights[0] == self._weights[1] else _EMPTY
        page.formula(note, f'IF({same},"{_TWICE}","{_EMPTY}")', sentence, Look(theme.NOTE))

    @property
    def _others_from(self) -> Entry:
        """The iteration from which the other weights are."""
        return Entry(ITERATION_CELL, ITERATION, 0, self._table.iterations - 1, is_whole=True)

    @property
    def _names(self) -> str:
        """The range in which the names of the weights stand in the working."""
        first, last = (column_letter(_WORKING_COLUMN + place) for place in (1, len(self._learned)))
        return f"${first}${_WEIGHTS_ROW}:${last}${_WEIGHTS_ROW}"

    def use_choices(self) -> None:
        """The reader's choices as they are used: the axes, and the iteration of the other weights."""
        names, table = self._names, self._table
        cells = [absolute(address(_USED_ROW + 1, _WORKING_COLUMN + 1 + column)) for column in range(8)]
        axes = []
        choices: list[tuple[str, str, float | str]] = []
        for direction, name in enumerate(self._weights):
            weight, (centre, reach) = input_cells(direction)[0], _extent(direction)
            values = self._lesson.trace[name][: self._iterations]
            axis = _Axis(name, values, *view(values), *cells[4 * direction : 4 * direction + 4])
            path = self._path_range(direction)
            low, high = f"MIN({path})", f"MAX({path})"
            middle, room = f"({low}+{high})/2", f"MAX({_SMALLEST_OWN_REACH},({high}-{low})*{_ROOM}/2)"
            picked = text_from(names, "1", f"IFERROR(MATCH({weight},{names},0),1)")
            choices += [
                (("across", "upwards")[direction], picked, name),
                ("its column", f"MATCH({axis.name_cell},{table.headers},0)", table.columns.index(name) + 1),
                ("centre", centre.used(middle), axis.centre),
                ("reach", reach.used(room), axis.reach),
            ]
            axes.append(axis)
        choices.append((ITERATION, self._others_from.used(0), self._iteration))
        *_, self._others = put_choices(self._page, choices, _USED_ROW, _WORKING_COLUMN)
        self._across, self._upwards = axes

    def _path_range(self, column: int, start: int = 0, stop: int | None = None) -> str:
        """The weight across (0) or upwards (1) over some of the path, or the points that it visits (2)."""
        last = _LISTS_ROW + (self._iterations if stop is None else stop)
        return column_range(column_letter(_WORKING_COLUMN + 1 + column), _FIRST_ROW + start, last)

    def path(self) -> None:
        """The path, and the number of the grid's point that it visits in every iteration, or −1."""
        page, across, upwards = self._page, self._across, self._upwards
        page.heads(_LISTS_ROW, _WORKING_COLUMN, (ITERATION, "across", "upwards", "point"))
        cells = [f"${column_letter(_WORKING_COLUMN + column)}{{row}}" for column in range(4)]
        area = self._table.area(self._iterations)
        column, row = across.step_formula(cells[1]), upwards.step_formula(cells[2])
        inside = ",".join(f"{step}>=0,{step}<{STEPS}" for step in (column, row))
        formulas = (
            (theme.COUNTED, row_index(_LISTS_ROW, _WORKING_COLUMN)),
            (_WEIGHT, number_from(area, f"{cells[0]}+1", across.table_column_cell)),
            (_WEIGHT, number_from(area, f"{cells[0]}+1", upwards.table_column_cell)),
            (theme.COUNTED, f"IF(AND({inside}),({STEPS - 1}-{row})*{STEPS}+{column},-1)"),
        )
        columns, rows = across.steps, upwards.steps
        within = (columns >= 0) & (columns < STEPS) & (rows >= 0) & (rows < STEPS)
        self._visits = np.where(within, (STEPS - 1 - rows) * STEPS + columns, -1.0)
        values = (np.arange(float(self._iterations)), across.path, upwards.path, self._visits)
        listed = [page.column(*each, value) for each, value in zip(formulas, values, strict=True)]
        page.block(_FIRST_ROW, _WORKING_COLUMN, listed)

    def points(self) -> None:
        """The losses at every point of the grid, row by row from its top left, and which the path visits."""
        page, lesson, across, upwards = self._page, self._lesson, self._across, self._upwards
        references = put_given(page, lesson, _GIVEN_ROW, _WORKING_COLUMN) | self._put_weights()
        number = row_index(_LISTS_ROW, _POINTS_COLUMN)
        grid_columns = [column_letter(column) for column in (_GRID_COLUMN, _LAST_GRID_COLUMN)]
        x_values = "${}${row}:${}${row}".format(*grid_columns, row=_ACROSS_ROW)
        y_values = f"$A${_GRID_ROW}:$A${_ACROSS_ROW - 1}"
        x, y = np.tile(across.values, STEPS), np.repeat(upwards.values[::-1], STEPS)
        upwards_formula = number_from(y_values, f"INT({number}/{STEPS})+1", "1")
        if self.has_one_weight:
            y, upwards_formula = np.zeros_like(y), "0"
        coordinates = [
            page.column(_WEIGHT, number_from(x_values, "1", f"MOD({number},{STEPS})+1"), x),
            page.column(_WEIGHT, upwards_formula, y),
        ]
        page.block(_FIRST_ROW, _POINTS_COLUMN, coordinates)
        page.heads(_LISTS_ROW, _POINTS_COLUMN, ("across", "upwards"))

        changes = {name: np.full(STEPS * STEPS, lesson.trace[name][self._iteration]) for name in self._learned}
        changes |= {upwards.weight: y} | {across.weight: x}
        column, self._losses_there = put_losses(page, lesson, references, changes, _LISTS_ROW, _POINTS_COLUMN + 2)

        visit_column = column_letter(column + 1)
        page.text(f"{visit_column}{_LISTS_ROW}", "visited at", theme.COLUMN_HEAD)
        formula = f"IFERROR(MATCH({number},{self._path_range(2)},0)-1,-1)"
        visited = np.full(STEPS * STEPS, -1.0)
        for moment, point in reversed(list(enumerate(self._visits.astype(int).tolist()))):
            if point >= 0:
                visited[point] = moment
        page.block(_FIRST_ROW, column + 1, [page.column(theme.COUNTED, formula, visited)])
        last = _LISTS_ROW + STEPS * STEPS
        self._losses_range, self._visits_range = (
            column_range(letter, _FIRST_ROW, last) for letter in (column_letter(column), visit_column)
        )
        self.next_column = column + 2

    def _put_weights(self) -> dict[str, str]:
        """Put down which weight is kept and which is varied; give the expression of each weight at a point."""
        page, across, upwards = self._page, self._across, self._upwards
        x, y = (column_letter(_POINTS_COLUMN + column) for column in (0, 1))
        rows = [_WEIGHTS_ROW + 1 + row for row in range(3)]
        for row, text in zip(rows, ("kept:", "across:", "upwards:"), strict=True):
            page.text(address(row, _WORKING_COLUMN), text, Look(theme.TEXT, align="right"))
        expressions = {}
        for column, name in enumerate(self._learned, _WORKING_COLUMN + 1):
            letter = column_letter(column)
            head = f"{letter}${_WEIGHTS_ROW}"
            is_across, is_upwards = f"{head}={across.name_cell}", f"{head}={upwards.name_cell}"
            varied = (name == across.weight, name == upwards.weight != across.weight)
            look = Look(theme.CALCULATION, self._lesson.derivation[name].role, theme.VALUE_FORMAT)
            kept_formula = number_from(self._table.range(name), f"{self._others}+1", "1")
            kept_value = 0.0 if any(varied) else float(self._lesson.trace[name][self._iteration])
            page.text(address(_WEIGHTS_ROW, column), name, Look(theme.LABEL, look.role))
            page.formula(f"{letter}{rows[0]}", f"IF(OR({is_across},{is_upwards}),0,{kept_formula})", kept_value, look)
            page.formula(f"{letter}{rows[1]}", f"IF({is_across},1,0)", int(varied[0]), theme.COUNTED)
            by_upwards = f"IF({is_across},0,IF({is_upwards},1,0))"
            page.formula(f"{letter}{rows[2]}", by_upwards, int(varied[1]), theme.COUNTED)
            kept, by_x, by_y = (f"${letter}${row}" for row in rows)
            expressions[name] = f"({kept}+{by_x}*${x}{{row}}+{by_y}*${y}{{row}})"
        return expressions

    def curve(self) -> None:
        """The losses over the only weight in one row, and a chart of them with the way of the training."""
        page, across, row = self._page, self._across, _ACROSS_ROW - 1
        losses = self._losses_there[:STEPS]
        turned = Look(theme.SURFACE, Role.WEIGHT, _AXIS_FORMAT, turned=True)
        for step in range(STEPS):
            value = float(across.values[step])
            page.formula(address(_ACROSS_ROW, _GRID_COLUMN + step), across.value_formula(step), value, turned)
        page.height(_ACROSS_ROW, 48)
        page.show_extreme_numbers(_ACROSS_CELLS, largest=_LARGEST_ON_AXIS)
        head, name = Look(theme.HEADING, align="center"), across.weight
        page.text(f"A{row}", "loss", head)
        page.formula(f"A{_ACROSS_ROW}", f'{across.name_cell}&" →"', f"{name} →", head)
        columns = [
            page.column(_LOSS, number_from(self._losses_range, str(number), "1"), losses[number - 1 : number])
            for number in range(1, STEPS + 1)
        ]
        page.block(row, _GRID_COLUMN, columns)
        ends = [column_letter(column) for column in (_GRID_COLUMN, _LAST_GRID_COLUMN)]
        self._colour(f"{ends[0]}{row}:{ends[1]}{row}")
        x, y = (page.place(f"${ends[0]}${line}:${ends[1]}${line}") for line in (_ACROSS_ROW, row))
        label = (page.place(f"$A${row}"), "loss")
        curves = [charts.Curve(label, (x, across.values.tolist()), (y, losses.tolist()), _LOSS_COLOUR)]
        if self._lesson.derivation.samples == 1:  # else the way is told from epoch to epoch
            stored = self._lesson.curve_losses[: self._iterations].tolist()
            curves.append(
                charts.Curve(
                    self._legend(0, "training"),
                    (page.place(self._path_range(0)), across.path.tolist()),
                    (self._losses(0, self._iterations - 1), stored),
                    _PATH,
                    marker="circle",
                )
            )
        chart = charts.scatter_chart("The loss over the only weight", across.label(page), "loss", curves)
        words = "Chart of the loss over the only weight, and of the way that training takes along it"
        page.drawing.chart(chart, (_GRID_ROW, 1, row - 1, _LAST_GRID_COLUMN), words)

    def _legend(self, place: int, text: str) -> charts.Label:
        """Put down what a curve is called."""
        cell = address(_LEGEND_ROW, _WORKING_COLUMN + 1 + place)
        self._page.text(cell, text, theme.COLUMN_HEAD)
        return self._page.place(absolute(cell)), text

    def grid(self) -> None:
        """The losses as a picture: across to the right, upwards up, dark where the loss is large."""
        page, across, upwards = self._page, self._across, self._upwards
        axis_look = Look(theme.SURFACE, Role.WEIGHT, _AXIS_FORMAT)
        turned = Look(theme.SURFACE, Role.WEIGHT, _AXIS_FORMAT, turned=True)
        for step in range(STEPS):
            row, column = _ACROSS_ROW - 1 - step, _GRID_COLUMN + step
            page.formula(f"A{row}", upwards.value_formula(step), float(upwards.values[step]), axis_look)
            page.formula(address(_ACROSS_ROW, column), across.value_formula(step), float(across.values[step]), turned)
        page.height(_ACROSS_ROW, 48)
        for cells in (_ACROSS_CELLS, f"A{_GRID_ROW}:A{_ACROSS_ROW - 1}"):
            page.show_extreme_numbers(cells, largest=_LARGEST_ON_AXIS)
        head = Look(theme.HEADING, align="center")
        page.formula(f"A{_GRID_ROW - 1}", f'"↑ "&{upwards.name_cell}', f"↑ {upwards.weight}", head)
        page.formula(f"A{_ACROSS_ROW}", f'{across.name_cell}&" →"', f"{across.weight} →", head)

        above = row_index(_GRID_ROW - 1, _GRID_COLUMN)
        columns = [
            page.column(_LOSS, number_from(self._losses_range, f"{above}*{STEPS}+{number}", "1"), column)
            for number, column in enumerate(self._losses_there.reshape(STEPS, STEPS).T, 1)
        ]
        page.block(_GRID_ROW, _GRID_COLUMN, columns)
        corner = address(_GRID_ROW, _GRID_COLUMN)
        picture = f"{corner}:{address(_ACROSS_ROW - 1, _LAST_GRID_COLUMN)}"
        here = f"{above}*{STEPS}+COLUMN()-COLUMN({absolute(corner)})+1"
        on_path = f"{number_from(self._visits_range, here, '1')}>=0"
        page.format_where(picture, on_path, highlight(border=boxed(theme.EDGE)))
        self._colour(picture)

    def _colour(self, cells: str) -> None:
        """From pale to dark, but for a map that is nearly flat."""
        lowest, middle, highest = (absolute(cell) for cell in SCALE_CELLS)
        ends = (lowest, middle, f"MAX({highest},{_FULL_CONTRAST}*{lowest})")
        self._page.colour_scale((cells, f"{SCALE_CELLS[0]}:{SCALE_CELLS[-1]}"), ends, (_PALE, _MIDDLE, _DARK))

    def scale(self) -> None:
        """What the colours stand for, or that there is nothing to see."""
        page, losses = self._page, self._losses_there
        values: list[float] = np.sort(losses)[[0, len(losses) // 2, -1]].tolist()  # np.median loads masked arrays
        for cell, function, value in zip(SCALE_CELLS, ("MIN", "MEDIAN", "MAX"), values, strict=True):
            page.formula(cell, f"{function}({self._losses_range})", value, _LOSS)
        lowest, _, highest = SCALE_CELLS
        flat, colours = "flat here:", "low to high:"
        words = f'IF({highest}<={_FLAT}*{lowest},"{flat}","{colours}")'
        words_now = flat if values[2] <= _FLAT * values[0] else colours
        page.formula(address(_SCALE_ROW, _SIDE_COLUMN), words, words_now, Look(theme.HEADING, align="right"))

    def end(self) -> None:
        """Why the map has another loss at the end of the path than the training: it is near, other weights moved."""
        page, row, column = self._page, _LEGEND_ROW, _WORKING_COLUMN + 5
        visit = f"{column_letter(_WORKING_COLUMN + 3)}{_LISTS_ROW + self._iterations}"
        last = int(self._visits[-1])
        here = float(self._losses_there[last]) if last >= 0 else -1.0
        there = float(self._lesson.curve_losses[self._last_loss])
        places = [address(row, column + index) for index in range(4)]
        page.heads(row - 1, column, ("loss here", "in the training", "as text", "as text"))
        found = number_from(self._losses_range, f"MAX(0,{visit})+1", "1")
        page.formula(places[0], f"IF({visit}>=0,{found},-1)", here, theme.HELPER)
        page.formula(places[1], self._loss_cell(self._last_loss), there, theme.HELPER)
        for value, place, text in zip((here, there), places[:2], places[2:], strict=True):
            page.formula(text, short_formula(place), short(value), theme.HELPER)
        outside = "The path ends outside the map."
        start, between, end = "The path ends at ", ", the training at ", ":"
        sentence = f'IF({places[0]}<0,"{outside}","{start}"&{places[2]}&"{between}"&{places[3]}&"{end}")'
        sentence_now = outside if here < 0 else f"{start}{short(here)}{between}{short(there)}{end}"
        page.formula(address(_NOTE_ROW, _SIDE_COLUMN), sentence, sentence_now, Look(theme.NOTE))
        place, near = address(_NOTE_ROW + 1, _SIDE_COLUMN), "to the nearest cell."
        if len(self._learned) == len(self._weights):
            page.text(place, f"here {near}", Look(theme.NOTE))
            return
        words = "here the others are as at iteration "
        formula = f'"{words}"&{self._others}&", {near}"'
        page.formula(place, formula, f"{words}{self._iteration}, {near}", Look(theme.NOTE))

    def chart(self) -> None:
        """The path in the plane of the two weights, its start and its end marked, within the edge of the map."""
        page, across, upwards, iterations = self._page, self._across, self._upwards, self._iterations
        parts = (
            ("path", 0, iterations, _PATH, "circle", 4),
            ("start", 0, 1, theme.INK, "square", 10),
            ("end", iterations - 1, iterations, _LOSS_COLOUR, "triangle", 12),
        )
        curves = []
        for index, (name, start, stop, colour, marker, size) in enumerate(parts):
            label = self._legend(index, name)
            x, y = (
                (page.place(self._path_range(place, start, stop)), axis.path[start:stop].tolist())
                for place, axis in enumerate((across, upwards))
            )
            curves.append(charts.Curve(label, x, y, colour, marker=marker, marker_size=size))
        label = self._legend(len(parts), "edge of the map")
        x, y = self._edge(self.next_column + 1)
        curves.append(charts.Curve(label, x, y, theme.FAINT, dash="sysDash"))
        of = "the training" if iterations == self._table.iterations else f"the first {iterations} iterations"
        chart = charts.scatter_chart(f"Path of {of}", across.label(page), upwards.label(page), curves, legend="b")
        words = "Chart of the path that training takes over the two weights, from start to end"
        page.drawing.chart(chart, (_CHART_ROW, _SIDE_COLUMN, _ACROSS_ROW, _LAST_SIDE_COLUMN), words)

    def _edge(self, column: int) -> list[charts.Stored]:
        """Put down the corners of the map, all around; give the ranges and the values of both weights."""
        page, found = self._page, list[charts.Stored]()
        rows = range(_FIRST_ROW, _FIRST_ROW + len(_CORNERS))
        page.heads(_LISTS_ROW, column, ("across", "upwards"))
        for index, axis in enumerate((self._across, self._upwards)):
            letter = column_letter(column + index)
            values = [float(axis.values[corner[index]]) for corner in _CORNERS]
            for row, corner, value in zip(rows, _CORNERS, values, strict=True):
                page.formula(f"{letter}{row}", axis.value_formula(corner[index] % STEPS), value, _WEIGHT)
            found.append((page.place(column_range(letter, rows[0], rows[-1])), values))
        return found


SCALE_CELLS = tuple(address(_SCALE_ROW, _SIDE_COLUMN + column) for column in (1, 2, 3))
"""The lowest, the middle and the highest loss on the map, in its colours."""

_CORNERS = ((0, 0), (-1, 0), (-1, -1), (0, -1), (0, 0))
"""The first and the last point of the grid each way."""
