"""The sheet Network: both passes of one iteration as a picture, and the path from one weight to the loss."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property

import numpy as np
from msgspec import Struct

from xlbackprop.derivation import Derivation, Role
from xlbackprop.ground.grid import absolute, address, column_letter, column_range
from xlbackprop.network import ITERATION, LEARNING_RATE, RATE_NOW, SAMPLE, WALKTHROUGH, derivative
from xlbackprop.symbols import (
    Formula,
    Numbers,
    abridged,
    bracketed,
    evaluated,
    number_from,
    rounded,
    short,
    short_formula,
    symbols,
    text_from,
)
from xlbackprop.walkthrough import Lesson, Line, Link, Path, Picture, equation, moment, paths, picture, updated_name
from xlbackprop.workbook.panels import arrows
from xlbackprop.workbook.panels.arrows import Area, Pair, Strength
from xlbackprop.workbook.panels.iteration_choice import choose_iteration
from xlbackprop.workbook.panels.printed_number import PrintedNumber, readings
from xlbackprop.workbook.xlsx import charts, theme
from xlbackprop.workbook.xlsx.page import ROW_HEIGHT, SCREEN_HEIGHT, SCREEN_WIDTH, Page
from xlbackprop.workbook.xlsx.rows import Value
from xlbackprop.workbook.xlsx.theme import Look

ITERATION_CELL, WEIGHT_CELL = "B3", "E3"
TOP_ROW = 6
"""Where the picture begins; over it stand the titles of its columns."""

_FIRST_WIDTH, _NAME_WIDTH, _NUMBER_WIDTH, _LAST_GAP_WIDTH = 9.0, 6.5, 9.8, 8.0
_GAP_WIDTH, _NARROW_GAP_WIDTH = 12.0, 9.0
_WORTH_IT = 1.06
"""How many times larger the picture has to be for gaps in which arrows are crowded."""
_USUAL_WIDTH, _WIDEST = 8.0, 180.0
"""Of a column that nobody has set, and of a window at 100 % in any program, in characters."""
_CHART_ROWS, _CHART_COLUMNS = 10, 4
_ROW_PIXELS = ROW_HEIGHT * 4 / 3
_TEXT_WIDTH = 110.0
"""Of the longest line of text."""
_CHARACTERS = 1.05
"""Of mathematics in one of the width of a column."""
LONGEST = 46
"""Characters of what a slope is; a longer sum leaves out its middle, and what is longer still its end."""
_MOST_IN_A_LINE = 3
"""Factors, with their names and their numbers."""
_LARGEST_SHOWN = 100.0
"""A number beyond this has no room with six decimals and a sign in every font."""
_NOTHING = 1e-12
"""Where the largest number is smaller, its digits are those of rounding, and no arrow is thicker than another."""
_BAR = "|"
"""Stands on both sides of a name in a list of names."""


class Layout(Struct, frozen=True, dict=True):
    """Where everything stands: the picture, the factors below it, and the curve."""

    picture: Picture
    factors: int
    """The most that a gradient has."""
    has_update: bool
    """Whether an update is a plain step, which a line of its own tells."""
    curve_last: bool
    """Whether the curve stands at the bottom, which is narrower, instead of under the total loss."""
    gap_width: float

    @cached_property
    def widths(self) -> dict[int, float]:
        """The widths in characters of the columns, by their number from 1."""
        gaps, names = [gap.column for gap in self.picture.gaps], {line.column for line in self.picture.lines}
        found = {
            column: _NAME_WIDTH if column - 1 in names else _NUMBER_WIDTH for column in range(1, self.last_column + 1)
        }
        found |= dict.fromkeys((gap + 1 for gap in gaps), self.gap_width)
        return found | {1: _FIRST_WIDTH, gaps[-1] + 1: _LAST_GAP_WIDTH}

    @property
    def total_column(self) -> int:
        return self.picture.titles[-1].column + 1

    @property
    def last_column(self) -> int:
        return self.total_column + (1 if self.curve_last else _CHART_COLUMNS - 1)

    @property
    def factors_row(self) -> int:
        """The heading of the factors."""
        return TOP_ROW + max(self.picture.rows, 0 if self.curve_last else _CHART_ROWS + 2) + 1

    @property
    def has_long_product(self) -> bool:
        """Whether names and numbers of the product take a line each."""
        return self.factors > _MOST_IN_A_LINE

    @property
    def update_row(self) -> int:
        """Where the step stands, if it is told."""
        return self.factors_row + 2 + self.has_long_product

    @property
    def factor_rows(self) -> range:
        """The rows of the factors, one each."""
        first = self.update_row + self.has_update
        return range(first, first + self.factors)

    @property
    def last_row(self) -> int:
        return self.factor_rows[-1] + self.curve_last * (_CHART_ROWS + 1)

    @property
    def curve(self) -> tuple[int, int, int, int]:
        """The first and the last row and column of the curve."""
        if self.curve_last:
            return self.last_row - _CHART_ROWS + 1, 1, self.last_row, 7
        return TOP_ROW + 2, self.total_column, self.factors_row - 1, self.last_column

    @property
    def working_column(self) -> int:
        """The first column beside a screen, for what the reader need not see."""
        return self.last_column + 2 + max(0, math.ceil((_WIDEST - sum(self.widths.values())) / _USUAL_WIDTH))

    @property
    def size(self) -> int:
        """Percent of a screen that it takes, in that direction in which it is larger."""
        high = self.last_row * ROW_HEIGHT
        return math.ceil(100 * max(sum(self.widths.values()) / SCREEN_WIDTH, high / SCREEN_HEIGHT))

    @property
    def zoom(self) -> int:
        """Percent, at which all of it is on a screen."""
        return min(100, 10_000 // self.size)

    @property
    def cuts(self) -> list[int]:
        """The columns of cards with which another page of paper may begin, right of all texts."""
        starts = sorted({line.column + 1 for line in self.picture.lines})
        return [start for start in starts if sum(self.widths[column] for column in range(1, start)) >= _TEXT_WIDTH]

    def number_column(self, characters: int) -> int:
        """The first column as wide as a number that leaves a text so much room to its left."""
        room, column = _FIRST_WIDTH, 2
        while (room * _CHARACTERS < characters or self.widths[column] < _NUMBER_WIDTH) and column < self.last_column:
            room += self.widths[column]
            column += 1
        return column


def layout_of(derivation: Derivation) -> Layout:
    """The one of the ways to lay a network out that is larger on a screen."""
    factors = max(len(path.parts) for path in paths(derivation))
    pictures = [picture(derivation.names, side_by_side=each) for each in (False, True)]
    weight = derivation.learned[0]
    plain = {weight, LEARNING_RATE, derivative(derivation.names.total_loss, weight)}
    has_update = {symbol.name for symbol in symbols(derivation.update(weight))} == plain
    roomy, narrow = (
        min(
            (Layout(each, factors, has_update, curve_last, width) for curve_last in (False, True) for each in pictures),
            key=lambda each: each.size,
        )
        for width in (_GAP_WIDTH, _NARROW_GAP_WIDTH)
    )
    return narrow if narrow.zoom > roomy.zoom * _WORTH_IT else roomy


def network(page: Page, lesson: Lesson) -> None:
    """Fill the sheet; the trace gives the values that its formulas have."""
    layout = layout_of(lesson.derivation)
    for column, width in layout.widths.items():
        page.widths(column_letter(column), width)
    page.text("A1", f"{page.title}: forward to the loss, and back to every weight", Look(theme.TITLE))
    page.heights(1, 1)
    page.text(
        "A2",
        "Arrows as thick as |weight| (forward, blue) or |∂E/∂w| (backward, gold).  "
        "Lit up: the way from the chosen weight to the loss.",
    )
    sheet = _Network(page, lesson, layout)
    sheet.slopes()
    sheet.cards()
    sheet.arrows()
    sheet.loss_curve()
    sheet.factors()
    if layout.has_update:
        sheet.update()
    page.zoom(layout.zoom)
    area = f"A1:{column_letter(layout.last_column)}{layout.last_row}"
    page.handout(lesson.definition.title, area, cuts=layout.cuts)


class _Network:
    """The sheet while it is being filled: the reader's choices, and what the rest is made of."""

    def __init__(self, page: Page, lesson: Lesson, layout: Layout) -> None:
        self._page, self._lesson, self._layout = page, lesson, layout
        self._derivation, self._picture = lesson.derivation, layout.picture
        self._total = lesson.derivation.names.total_loss
        self._paths = tuple(paths(lesson.derivation))
        self._path = next(path for path in self._paths if path.weight == lesson.derivation.names.weights[-1][0][0])
        self._values = moment(lesson.derivation, lesson.trace, lesson.iteration).values
        self._typesetter = lesson.typesetter
        self._slopes = [name for name, each in lesson.derivation.quantities.items() if each.derivative_of]
        self._paths_column = layout.working_column
        self._slopes_column = self._paths_column + 8 + layout.factors
        self._sizes_column = self._slopes_column + 5
        self._choose()
        self._put_paths()

    def _put(self, cell: str, formula: str, value: Value) -> None:
        """A cell of the working."""
        self._page.formula(cell.replace("$", ""), formula, value, theme.HELPER)

    def _choose(self) -> None:
        page, lesson, column = self._page, self._lesson, self._paths_column
        page.text(address(1, column), "Working: what the picture and the factors are made of", _HEADING)
        for row, name in ((2, "iteration"), (3, "weight"), (4, "lit up"), (5, "joined by")):
            page.text(address(row, column), name, _HEADING)
        page.text("A3", ITERATION, Look(theme.HEADING, align="right"))
        self._choice = choose_iteration(page, lesson, ITERATION_CELL, address(2, column + 1))
        is_roomy = self._layout.gap_width == _GAP_WIDTH
        page.text("C3", f"← 0 to {self._choice.last}", theme.PROSE if is_roomy else Look())
        page.text("D3", "weight", Look(theme.HEADING, align="right"))
        names = self._listed(0)
        page.choice(WEIGHT_CELL, self._path.weight, names, "Weight", "Pick one: its way to the loss lights up.")
        self._index, self._lit, self._sign = (absolute(address(row, column + 1)) for row in (3, 4, 5))
        index = self._paths.index(self._path) + 1
        self._put(self._index, f"IFERROR(MATCH({WEIGHT_CELL},{names},0),{index})", index)
        self._put(self._lit, text_from(self._listed(1), self._index), self._names_of(self._path))
        self._put(self._sign, text_from(self._listed(2), self._index), _sign(self._path))
        self._rate = f"{WALKTHROUGH}!{lesson.table.learning_rate_cell}"
        formula = f'"{LEARNING_RATE} = "&{short_formula(self._rate)}'
        text = f"{LEARNING_RATE} = {short(lesson.definition.learning_rate)}"
        if RATE_NOW in self._values:
            now = address(5, column + 2)
            self._put(now, self._choice.value(RATE_NOW), self._values[RATE_NOW])
            formula += f'&", now "&{short_formula(now)}'
            text += f", now {short(self._values[RATE_NOW])}"
        page.formula("F3", formula, text, Look(theme.HEADING, align="left", indent=1))
        where = lesson.table.learning_rate_cell.replace("$", "")
        page.link("H3", f"→ change {LEARNING_RATE} on the {WALKTHROUGH}", WALKTHROUGH, where)

    def _put_paths(self) -> None:
        """Everything that is learned, what is lit for it, and the places of its slopes in their list."""
        parts = (f"part {part}" for part in range(1, self._layout.factors + 1))
        heads = ("weight", "lit up", "by", "slope", *parts, "number", "update")
        self._page.heads(TOP_ROW, self._paths_column, heads)
        after = self._paths_column + 4 + self._layout.factors
        for row, path in enumerate(self._paths, TOP_ROW + 1):
            for right, text in enumerate((path.weight, self._names_of(path), _sign(path))):
                self._page.text(address(row, self._paths_column + right), text)
            for right, name in enumerate((path.gradient, *path.parts), 3):
                self._page.number(address(row, self._paths_column + right), self._slopes.index(name) + 1, theme.HELPER)
            for right in range(4 + len(path.parts), 4 + self._layout.factors):
                self._page.number(address(row, self._paths_column + right), 0, theme.HELPER)
            if self._layout.has_update:
                update = self._derivation.update(path.weight)
                self._put(address(row, after), self._choice.value(path.weight), self._values[path.weight])
                self._page.text(address(row, after + 1), equation(updated_name(path.weight), update))

    def _listed(self, right: int) -> str:
        return column_range(column_letter(self._paths_column + right), TOP_ROW + 1, TOP_ROW + len(self._paths))

    def _set(self, name: str) -> str:
        return "".join(piece.text for piece in self._typesetter.set(name))

    def _names_of(self, path: Path) -> str:
        return _BAR + "".join(self._set(name) + _BAR for name in path.lit)

    def _is_lit(self, name: str) -> str:
        """The condition that a name, given as a formula, is on the chosen path."""
        return f'ISNUMBER(FIND("{_BAR}"&{name}&"{_BAR}",{self._lit}))'

    def slopes(self) -> None:
        """The list of the slopes of the backward pass: the number of each, what it is, and why."""
        page, column, table = self._page, self._slopes_column, self._lesson.table
        page.heads(TOP_ROW, column, ("slope", "number", "what it is", "because"))
        self._cells = {line.name: self._cell(line, 1) for line in reversed(self._picture.lines)}
        self._slope_cells = {
            name: absolute(address(row, column + 1)) for row, name in enumerate(self._slopes, TOP_ROW + 1)
        }
        parts = {name for path in self._paths for name in path.parts}
        self._equations = {name: _equation(self._derivation, name) for name in self._slopes if name in parts}
        self._longest = max(map(len, self._equations.values()))
        places = self._cells | self._slope_cells
        formula = Formula(lambda symbol: places[symbol.name])
        for row, name in enumerate(self._slopes, TOP_ROW + 1):
            is_listed = name in table.quantities
            calculated = self._choice.value(name) if is_listed else formula.read(self._derivation.expression(name))
            page.text(address(row, column), name)
            page.formula(address(row, column + 1), calculated, self._values[name], _SLOPE)
            if name in parts:
                page.text(address(row, column + 2), self._equations[name])
            page.text(address(row, column + 3), self._derivation[name].reason)

    def _slope(self, right: int) -> str:
        return column_range(column_letter(self._slopes_column + right), TOP_ROW + 1, TOP_ROW + len(self._slopes))

    def _cell(self, line: Line, right: int) -> str:
        return address(TOP_ROW + line.row, line.column + 1 + right)

    def cards(self) -> None:
        """The units: every quantity with its number and, in the colour of the gradients, the slope of E over it."""
        page = self._page
        for title in self._picture.titles:
            page.text(address(TOP_ROW - 2, title.column + 1), title.text, _HEADING)
        if self._derivation.samples > 1:
            words = f"sample {self._lesson.sample(self._lesson.iteration) + 1}: inputs"
            page.formula(address(TOP_ROW - 2, 1), f'"sample "&{self._choice.value(SAMPLE)}&": inputs"', words, _HEADING)
        for gap in self._picture.gaps[:-1]:
            is_narrow = self._layout.gap_width < _GAP_WIDTH
            arrows_are = ("→", "←") if is_narrow else ("forward →", "← backward")
            for row, text in enumerate(arrows_are, TOP_ROW - 2):
                page.text(address(row, gap.column + 1), text, Look(theme.HEADING, align="center"))
        heads = {line.column: ("value", "∂E/∂…")[: 1 + self._has_slopes(line)] for line in self._picture.lines}
        for column, texts in heads.items():
            for right, text in enumerate(texts, 2):
                page.text(address(TOP_ROW - 1, column + right), text, Look(theme.HEADING, align="right"))
        for line in self._picture.lines:
            role, slope = self._derivation[line.name].role, derivative(self._total, line.name)
            page.typeset(self._cell(line, 0), self._typesetter.set(line.name), Look(theme.SYMBOL, role))
            look = Look(theme.RESULT if line.name == self._total else theme.CALCULATION, role, theme.VALUE_FORMAT)
            page.formula(self._cell(line, 1), self._choice.value(line.name), self._values[line.name], look)
            if slope in self._slope_cells:
                page.formula(self._cell(line, 2), self._slope_cells[slope], self._values[slope], _SLOPE)
        last = address(TOP_ROW + self._picture.rows - 1, self._picture.columns)
        page.show_extreme_numbers(f"B{TOP_ROW}:B{TOP_ROW + self._picture.rows - 1}", largest=_LARGEST_SHOWN)
        # a number's name stands one or two columns to its left
        lit = f"OR({','.join(self._is_lit(f'{letter}{TOP_ROW}') for letter in 'CB')})"
        page.show_extreme_numbers(f"D{TOP_ROW}:{last}", largest=_LARGEST_SHOWN, lit=lit)

    def _has_slopes(self, line: Line) -> bool:
        return line.column not in (0, self._picture.titles[-1].column)

    def arrows(self) -> None:
        """The arrows across every gap, with how thick they are and which are lit."""
        links, column = self._picture.links, self._sizes_column
        self._page.heads(TOP_ROW, column, ("weight", "|w|", "|∂E/∂w|", "forward", "backward", "lit"))
        rows = range(TOP_ROW + 1, TOP_ROW + 1 + len(links))
        sizes = [[abs(self._size(link, side)[1]) for link in links] for side in (0, 1)]
        pairs = {}
        for row, link in zip(rows, links, strict=True):
            self._page.text(address(row, column), link.weight)
            strengths = []
            for side in (0, 1):
                letter = column_letter(column + 1 + side)
                size, strength = f"{letter}{row}", absolute(address(row, column + 3 + side))
                cell, value = self._size(link, side)
                self._put(size, f"ABS({cell})" if cell else "0", abs(value))
                most = f"MAX({letter}${rows[0]}:{letter}${rows[-1]})"
                largest = max(sizes[side])
                thick = abs(value) / largest if largest >= _NOTHING else 0.0
                self._put(strength, f"IF({most}<{_NOTHING:G},0,{size}/{most})", thick)
                strengths.append(Strength(strength, thick))
            name = link.weight or link.source.name
            lit = Strength(absolute(address(row, column + 5)), float(name in self._path.lit))
            condition = self._is_lit(f'"{self._set(name)}"')
            self._put(lit.cell, f"IF({condition},1,0)", lit.value)
            start, end = ((line.row + 0.5) * _ROW_PIXELS for line in (link.source, link.target))
            pairs[link] = Pair(start, end, strengths[0], strengths[1], lit)
        self._put_gaps(pairs)

    def _size(self, link: Link, side: int) -> tuple[str, float]:
        """Where the number stands that makes an arrow thick, forward (0) or backward (1), and the number."""
        if not link.weight:
            return "", 0.0
        slope = derivative(self._total, link.weight)
        if side == 0:
            return self._cells[link.weight], self._values[link.weight]
        return self._slope_cells[slope], self._values[slope]

    def _put_gaps(self, pairs: Mapping[Link, Pair]) -> None:
        column = self._sizes_column + 7
        titles = [title.text for title in self._picture.titles]
        for gap, before, after in zip(self._picture.gaps, titles, titles[1:], strict=False):
            last_row, width = TOP_ROW + self._picture.rows - 1, self._layout.widths[gap.column + 1] * 7 + 5
            area = Area(TOP_ROW, last_row, gap.column + 1, width, self._picture.rows * _ROW_PIXELS)
            described = (
                f"Arrows from the {before} to the {after}, as thick as their weights are large,"
                " and back, as thick as the gradients of these"
            )
            arrows.put_arrows(self._page, area, [pairs[link] for link in gap.links], TOP_ROW, column, described)
            column += arrows.COLUMNS + 1

    def loss_curve(self) -> None:
        """The loss over the training, with a second curve of one point: the iteration chosen."""
        page, lesson, table, layout = self._page, self._lesson, self._lesson.table, self._layout
        several = self._derivation.samples > 1
        unit, column = table.curve_unit, self._paths_column + 3
        loss, title = (self._total, "Loss  ● chosen")
        if several:
            loss, title = "mean loss", "Loss  ● epoch reached"
        name_cell, mark_cell, index_cell = (absolute(address(row, column)) for row in (2, 3, 4))
        x_cell, y_cell = (absolute(address(row, column + 1)) for row in (2, 3))
        places, losses = [float(each) for each in lesson.curve_places], lesson.curve_losses.tolist()
        made = lesson.iteration / self._derivation.samples
        index = int(np.searchsorted(places, made, side="right"))
        here = f"MATCH({self._choice.cell}/{self._derivation.samples},{table.curve_places},1)"
        x, y = places[index - 1], losses[index - 1]
        page.text(name_cell.replace("$", ""), loss)
        self._put(index_cell, here, index)
        self._put(x_cell, number_from(table.curve_places, index_cell), x)
        self._put(y_cell, number_from(table.curve_losses, index_cell), y)
        self._put(mark_cell, f'"{unit} "&{x_cell}', f"{unit} {x:g}")
        sheet, colour = f"{page.title}!", theme.SHADES[Role.LOSS].dark
        mark, point = (sheet + mark_cell, f"{unit} {x:g}"), ((sheet + x_cell, [x]), (sheet + y_cell, [y]))
        curves = [
            charts.Curve((sheet + name_cell, loss), (table.curve_places, places), (table.curve_losses, losses), colour),
            charts.Curve(mark, *point, theme.INK, marker="circle", marker_size=10),
        ]
        chart = charts.curve_chart(title, unit, loss, curves, legend="")
        page.drawing.chart(chart, layout.curve, f"Line chart of the loss over the {unit}s, with the chosen one marked")

    def factors(self) -> None:
        """The gradient of the chosen weight as what it is made of: names, numbers, and one reason each."""
        page, layout, path, column = self._page, self._layout, self._path, self._paths_column
        row, first = layout.factors_row, TOP_ROW + len(self._paths) + 3
        heads = ("place", "number", "power of ten", "digits", "as text", "in brackets", "joined", "name")
        page.heads(first - 1, column, heads)
        self._position(first, 3, path.gradient)
        name, number, reason = (self._found(first, right) for right in (0, 1, 3))
        words = f"Why {path.gradient} is what it is: {self._derivation[path.gradient].reason}"
        page.formula(f"A{row}", f'"Why "&{name}&" is what it is: "&{reason}', words, _HEADING)
        factors = [self._factor(part, first + 1 + part) for part in range(layout.factors)]
        letter, rows = column_letter(layout.number_column(self._longest)), layout.factor_rows
        page.show_extreme_numbers(f"{letter}{rows[0]}:{letter}{rows[-1]}", largest=_LARGEST_SHOWN)
        names, numbers = ("&".join(each) for each in zip(*((each.name, each.text) for each in factors), strict=True))
        names_now, texts = ("".join(each) for each in zip(*(each.texts for each in factors), strict=True))
        gradient = self._values[path.gradient]
        self._gradient = self._printed(first, number, gradient)
        product, added = (
            sign.join(f"IF({each.is_there},{each.number},{neutral})" for each in factors)
            for sign, neutral in (("*", 1), ("+", 0))
        )
        values = [rounded(self._values[name]).value for name in path.parts]
        made = math.prod(values) if path.is_product else sum(values)
        cells = self._result_cells(first + 1 + layout.factors)
        result = self._gradient.put_result(page, cells, f'IF({self._sign}="+",{added},{product})', gradient, made)
        # a number alone is its own result
        are_several = factors[1].is_there if layout.factors > 1 else "FALSE"
        shown_result = result if len(path.parts) > 1 else ""
        line, words = f'{name}&" = "&{names}', f"{path.gradient} = {names_now}"
        put_in, made_of = f'" = "&{numbers}&IF({are_several},{cells[-1]},"")', f" = {texts}{shown_result}"
        if layout.has_long_product:
            page.formula(f"A{row + 1}", line, words, _MATHEMATICS)
            page.formula(f"A{row + 2}", f"{name}&{put_in}", path.gradient + made_of, _MATHEMATICS)
        else:
            page.formula(f"A{row + 1}", f"{line}&{put_in}", words + made_of, _MATHEMATICS)

    def _printed(self, row: int, source: str, value: float) -> PrintedNumber:
        """Put down, in a row of the working, a number and its parts as it is put into a calculation."""
        number = PrintedNumber(*(absolute(address(row, self._paths_column + right)) for right in range(1, 6)))
        self._put(number.value, source, value)
        number.put(self._page, value)
        return number

    def _result_cells(self, row: int) -> list[str]:
        return [absolute(address(row, self._paths_column + right)) for right in range(1, 4)]

    def _factor(self, part: int, helper_row: int) -> _Factor:
        """One of the slopes of the chosen weight, or nothing where it has fewer: what it is, its number, its reason."""
        page, path = self._page, self._path
        slope = path.parts[part] if part < len(path.parts) else ""
        self._position(helper_row, 4 + part, slope)
        position, joined, name = (absolute(address(helper_row, self._paths_column + right)) for right in (0, 6, 7))
        is_there = f"{position}>0"
        row, column = self._layout.factor_rows[part], self._layout.number_column(self._longest)
        cell, because = address(row, column), address(row, column + 1)

        def shown(formula: str, value: Value) -> tuple[str, Value]:
            return f'IF({is_there},{formula},"")', value if slope else ""

        number = self._values.get(slope, 0.0)
        reason = self._derivation[slope].reason if slope else ""
        page.formula(f"A{row}", *shown(self._found(helper_row, 2), self._equations.get(slope, "")), _MATHEMATICS)
        page.formula(cell, *shown(self._found(helper_row, 1), number), _NUMBER)
        room = sum(self._layout.widths[each] for each in range(column + 1, self._layout.last_column + 1)) * _CHARACTERS
        reasons = (self._derivation[each].reason for path in self._paths for each in path.parts[part : part + 1])
        lines = math.ceil(max(map(len, reasons)) / room)
        page.formula(because, *shown(self._found(helper_row, 3), reason), theme.WRAPPED if lines > 1 else theme.PROSE)
        if lines > 1:
            page.frame.merged.append(f"{because}:{address(row, self._layout.last_column)}")
            page.heights(row, lines)
        printed = self._printed(helper_row, f"SUM({cell})", number)
        sign, live_sign, written, live = "", "", rounded(number).text, printed.text
        if part:
            sign, live_sign = f" {_sign(path)} ", f'" "&{self._sign}&" "&'
            written, live = bracketed(written), printed.bracketed
        self._put(joined, *shown(f"{live_sign}{live}", sign + written))
        self._put(name, *shown(f"{live_sign}{self._found(helper_row, 0)}", sign + slope))
        texts = (sign + slope, sign + written) if slope else ("", "")
        return _Factor(is_there, name, joined, printed.put_in, texts)

    def update(self) -> None:
        """The step that the training takes with the gradient of the chosen weight, with its numbers put in."""
        path, first = self._path, TOP_ROW + len(self._paths) + 5 + self._layout.factors
        expression = self._derivation.update(path.weight)
        listed = 4 + self._layout.factors
        sources = {
            path.weight: number_from(self._listed(listed), self._index),
            LEARNING_RATE: self._rate,
            path.gradient: self._gradient.value,
        }
        numbers = {
            name: self._printed(row, source, self._values[name])
            for row, (name, source) in enumerate(sources.items(), first)
        }
        formula, rough, live = readings(lambda symbol: numbers[symbol.name])
        new = self._lesson.trace.after(path.weight, self._lesson.iteration)
        made = evaluated(expression, lambda symbol: rounded(self._values[symbol.name]).value)
        row = first + len(sources)
        cells = self._result_cells(row + 1)
        result = self._printed(row, formula.read(expression), new).put_result(
            self._page, cells, rough.read(expression), new, made
        )
        words = Numbers(lambda symbol: self._values[symbol.name]).read(expression)
        written = f'{text_from(self._listed(listed + 1), self._index)}&" = "&{live.formula(expression)}&{cells[-1]}'
        written_now = f"{equation(updated_name(path.weight), expression)} = {words}{result}"
        self._page.formula(f"A{self._layout.update_row}", written, written_now, _MATHEMATICS)

    def _position(self, row: int, right: int, slope: str) -> None:
        """Put down the place of a slope of the chosen weight in their list, or 0."""
        place = self._slopes.index(slope) + 1 if slope else 0
        self._put(address(row, self._paths_column), number_from(self._listed(right), self._index), place)

    def _found(self, row: int, right: int) -> str:
        """What the list of slopes says of the one whose place stands in a row of the factors."""
        read = number_from if right == 1 else text_from
        return read(self._slope(right), absolute(address(row, self._paths_column)))


class _Factor(Struct, frozen=True):
    """One slope as the calculation with numbers uses it."""

    is_there: str
    """The condition that the chosen weight has it."""
    name: str
    text: str
    """The cells of its name and of its number, each with the sign that joins it to what stands before it."""
    number: str
    """The formula of its number as it is put in."""
    texts: tuple[str, str]
    """Name and number as they are now."""


def _sign(path: Path) -> str:
    return "·" if path.is_product else "+"


def _equation(derivation: Derivation, name: str) -> str:
    """A slope and what it is, with as much of a sum as there is room for."""
    expression = derivation.expression(name)
    ways = (expression, *(abridged(expression, terms) for terms in (3, 2)))
    written = (equation(name, each) for each in ways)
    cut = f"{equation(name, ways[-1])[: LONGEST - 1].rpartition(' ')[0]} …"
    return next((text for text in written if len(text) <= LONGEST), cut)


_HEADING = Look(theme.HEADING)
_MATHEMATICS = Look(theme.MATHEMATICS)
_NUMBER = Look(theme.HEADING, None, theme.VALUE_FORMAT, align="right")
_SLOPE = Look(theme.CALCULATION, Role.GRADIENT, theme.VALUE_FORMAT)
