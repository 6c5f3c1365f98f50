"""A page: one sheet while it is being filled, where every formula is put down together with its value."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

from xlbackprop.engine import Array
from xlbackprop.ground.errors import Problem, at_most
from xlbackprop.ground.grid import (
    LONGEST_HEADER,
    MOST_COLUMNS,
    MOST_ROWS,
    NoRoomError,
    column_letter,
    column_number,
    coordinates,
    cut,
    formula_problem,
    length,
    text_problem,
)
from xlbackprop.symbols import Piece
from xlbackprop.walkthrough import PAPER_WIDTH
from xlbackprop.workbook.xlsx import frame, theme
from xlbackprop.workbook.xlsx.book import Workbook
from xlbackprop.workbook.xlsx.drawing import EMU_A_POINT, CellSize, Drawing
from xlbackprop.workbook.xlsx.frame import Frame, PrintSetup
from xlbackprop.workbook.xlsx.rows import Block, BlockColumn, Calculation, Cell, Column, SheetContent, Style, Value
from xlbackprop.workbook.xlsx.spelling import escaped, in_attribute, literal
from xlbackprop.workbook.xlsx.styles import BUILT_IN_FORMATS, highlight
from xlbackprop.workbook.xlsx.theme import Look

ROW_HEIGHT = 15.0
"""Points."""

ROW_PADDING = 5.0
"""Points, for a row that is to be read one at a time."""

SCREEN_WIDTH, SCREEN_HEIGHT = 127.0, 420.0
"""What a window of 1366 × 768 shows at 100 %: characters, in a font wider than the theme's, and points."""
_SMALLEST_ZOOM = 60
"""Percent; what does not fit a screen even then is scrolled."""
_POWER_FORMAT_NUMBER = 1000
"""Of a format that is not built in, beyond the numbers of those of all cells."""

SMALLEST_SCALE = 73
"""Percent: 11 points of text come to 8."""
_LEAST_PRINT = 8.0
"""Points of the smallest text on paper."""
_WIDEST_PICTURE, _TALLEST_PAGE = 147.0, 680.0
"""Characters and points that fit a landscape page of A4 and of Letter at that scale; where it takes several pages,
LibreOffice prints a sheet up to a fiftieth smaller than it is told, which PAPER_WIDTH leaves room for."""
_TALLEST_OF_SEVERAL = 630.0
"""Points of each of several pages as wide as PAPER_WIDTH: what is as wide is printed larger on A4."""

_CHARACTERS_A_UNIT = 1.05
"""Widths are counted in digits; letters are narrower on average."""
_TITLE_WIDTH = 1.4
"""Of a letter of a title; those of a heading are as wide as digits."""
_FORMULA_SIGNS = ("=", "+", "-", "@")
"""What makes a spreadsheet program take the text that begins with it for a formula, once it has been edited."""

_TEXT = Look()
_INPUT = Look(theme.INPUT)
_LINK = Look(theme.LINK)

DECIMAL_MARK = "Write it with the decimal mark of your program: 0.5 or 0,5."

_EMU_A_PIXEL = 9525


class Page:
    """One sheet of the workbook being made."""

    def __init__(self, workbook: Workbook, title: str) -> None:
        self.title = title
        self.frame = Frame(title, ROW_HEIGHT)
        self.drawing = Drawing()
        self._workbook = workbook
        self._cells: dict[tuple[int, int], Cell] = {}
        self._blocks: list[Block] = []
        self._heights: dict[int, float] = {}
        self._columns: dict[int, Column] = {}
        self._table: tuple[str, str, Sequence[str]] | None = None

    def text(self, address: str, text: str, look: Look = _TEXT) -> None:
        """Put down a text; it stays one whatever it begins with."""
        self._put(address, look, text, quoted=text.startswith(_FORMULA_SIGNS))

    def headline(self, address: str, text: str, width: float) -> None:
        """Put down what a sheet is called, smaller where it is long and cut where it is longer than its room.

        Args:
            width: of its room, in characters.
        """
        style = theme.TITLE if len(text) * _TITLE_WIDTH <= width else theme.HEADING
        self.text(address, cut(text, int(width)), Look(style))

    def typeset(self, address: str, pieces: tuple[Piece, ...], look: Look = _TEXT) -> None:
        """Put down a text with subscripts."""
        self._put(address, look, pieces, quoted=any(piece.text.startswith(_FORMULA_SIGNS) for piece in pieces[:1]))

    def link(self, address: str, text: str, sheet: str, target: str, look: Look = _LINK) -> None:
        """Put down a text that leads to a cell of a sheet of this workbook."""
        self.text(address, text, look)
        self.frame.links.append(frame.link(address, sheet, target))

    def number(self, address: str, value: float, look: Look = _INPUT) -> None:
        """Put down a number that the reader can change."""
        self._put(address, look, value)

    def heads(self, row: int, first_column: int, texts: Iterable[str]) -> None:
        """Put down the headings of columns side by side."""
        for column, text in enumerate(texts, first_column):
            self.text(f"{column_letter(column)}{row}", text, theme.COLUMN_HEAD)

    def section(self, row: int, letters: Sequence[str], text: str) -> None:
        """Put down a heading over some columns, all of them shaded."""
        for letter in letters:
            self.blank(f"{letter}{row}", theme.SECTION)
        self.text(f"{letters[0]}{row}", text, theme.SECTION)

    def formula(self, address: str, formula: str, value: Value, look: Look) -> None:
        """Put down a formula (without its equals sign) and the value it has now."""
        self._require_room(formula_problem(f"the formula in {address}", formula))
        if isinstance(value, str):
            self._require_room(text_problem(f"the result in {address}", value))
        self._put(address, look, Calculation(formula, value))

    def blank(self, address: str, look: Look) -> None:
        """Put down a cell with nothing in it."""
        self._put(address, look, None)

    def column(self, look: Look, formula: str | None, values: Array) -> BlockColumn:
        """A column of a block; see `BlockColumn`."""
        return BlockColumn(self._style(look).number, formula, values)

    def block(self, first_row: int, first_column: int, columns: Sequence[BlockColumn]) -> None:
        """Put down a long run of rows, whose first cell stands in a row and a column."""
        block = Block(first_row, columns, first_column)
        row = block.rows[-1]
        self._require_place(row, first_column + len(columns) - 1)
        for index, column in enumerate(columns, first_column):
            if column.formula is not None:
                formula = column.formula.format(row=row, above=row - 1)
                self._require_room(formula_problem(f"the formula in {column_letter(index)}{row}", formula))
        self._blocks.append(block)

    def limit(
        self,
        address: str,
        title: str,
        low: float,
        high: float,
        *,
        whole: bool = False,
        optional: bool = False,
        refusal: str = "",
    ) -> None:
        """Let cells take only a number from `low` to `high`.

        Nothing is said where one is selected: that would cover the labels beside it.

        Args:
            address: a cell, a range, or several of either with spaces between them.
            title: stands over the refusal.
            refusal: what is said to who types anything else; by default the limits, and the decimal mark.
        """
        kind = "whole " if whole else ""
        mark = "" if whole else f" {DECIMAL_MARK}"
        refusal = refusal or f"A {kind}number from {_spaced(low)} to {_spaced(high)}, please.{mark}"
        bounds = f"{low:.15G}", f"{high:.15G}"
        self._validate(address, kind.strip() or "decimal", bounds, title, refusal, is_optional=optional)

    def choice(self, address: str, text: str, choices: str, title: str, refusal: str) -> None:
        """Put down a text that the reader can exchange for another out of a range of cells."""
        self.text(address, text, _INPUT)
        self._validate(address, "list", [choices], title, refusal)

    def handout(
        self, title: str, area: str, repeated_rows: str = "", cuts: Sequence[int] = (), row_cuts: Sequence[int] = ()
    ) -> None:
        """Print the cells of an area, or of several, each on one landscape page, and nothing else of the sheet.

        Args:
            cuts, row_cuts: the columns and the rows before which another page may begin where one is too small.
        """
        paper = self.print_setup(title, area, repeated_rows)
        paper.pages_down, paper.cuts, paper.row_cuts = 1, cuts, row_cuts

    def place(self, cells: str) -> str:
        """Some cells of this sheet as a chart names them."""
        return f"'{self.title}'!{cells}"

    def widths(self, letters: Iterable[str], width: float) -> None:
        """Set the width of columns, in characters."""
        for letter in letters:
            self._column(letter).width = width

    def hide(self, letters: Iterable[str]) -> None:
        """Hide columns of intermediate results; the reader can show them as usual."""
        for letter in letters:
            self._column(letter).is_hidden = True

    def lines(self, text: str, letter: str) -> int:
        """How many lines a text takes in a column, estimated for a font somewhat wider than the theme's."""
        return math.ceil(len(text) / (self._column(letter).width * _CHARACTERS_A_UNIT))

    def heights(self, row: int, lines: int) -> None:
        """Give a row the height for some lines of text, or leave it higher."""
        self.height(row, max(self._heights.get(row, 0), lines * ROW_HEIGHT + ROW_PADDING))

    def height(self, row: int, points: float) -> None:
        """Give a row a height."""
        self._heights[row] = points

    def show_extreme_numbers(
        self,
        cells: str,
        *,
        largest: float = theme.LARGEST_PLAIN,
        smallest: float = 0.0001,
        shown: str = theme.TINY_FORMAT,
        lit: str = "",
    ) -> None:
        """Let numbers that six decimals would show as zero, or that a column is too narrow for, be scientific.

        Args:
            largest: what is as large as this, or larger, is too large for the columns.
            smallest: what is nearer to 0 than this is too small for them.
            shown: their format.
            lit: a condition under which a number, of whatever size, is lit up.
        """
        first = cells.partition(":")[0]
        number_format = BUILT_IN_FORMATS.get(shown, _POWER_FORMAT_NUMBER), shown
        is_extreme = f"{first}<>0,OR(ABS({first})<{smallest:g},ABS({first})>={largest:g})"
        looks = {is_extreme: highlight(number_format=number_format)}
        if lit:  # in the same cells LibreOffice takes the first that holds, and no other
            fill, edges = theme.LIT_FILL, theme.LIT_BORDER
            both = highlight(number_format=number_format, fill=fill, border=edges)
            looks = {f"{is_extreme},{lit}": both, lit: highlight(fill=fill, border=edges)} | looks
        for condition, look in looks.items():
            self.format_where(cells, f"AND(ISNUMBER({first}),{condition})", look)

    def format_where(self, cells: str, condition: str, look: str) -> None:
        """Let cells have another look, one that `highlight` makes, while a condition holds that names the first."""
        number = self._workbook.styles.highlight(look)
        self.frame.rule(cells, "expression", f' dxfId="{number}"><formula>{escaped(condition)}</formula>')

    def colour_scale(self, ranges: Iterable[str], ends: Sequence[str], colours: Sequence[str]) -> None:
        """Colour cells by their numbers, from a lowest to a highest one over others, each of them a formula."""
        places = "".join(f'<cfvo type="formula" val="{in_attribute(end)}"/>' for end in ends)
        scale = places + "".join(f'<color rgb="00{colour}"/>' for colour in colours)
        for cells in ranges:
            self.frame.rule(cells, "colorScale", f"><colorScale>{scale}</colorScale>")

    def print_setup(self, title: str, area: str = "", repeated_rows: str = "", *, landscape: bool = True) -> PrintSetup:
        """Print on A4 or Letter, as wide as the paper, under the walkthrough's title and over page numbers.

        Args:
            area: the ranges that are printed, with commas between them; none for everything.
            repeated_rows: the rows that every page begins with, such as `32:32`.
        """
        header = f"&L{_header(title, LONGEST_HEADER - len('&L&R&A'))}&R&A"
        self.frame.paper = PrintSetup(header, landscape, area=area, rows=repeated_rows)
        return self.frame.paper

    def cell_size(self, width: float) -> CellSize:
        """The size of a cell in a column of a width in characters and a row of the normal height."""
        return CellSize(round(width * 7 + 5) * _EMU_A_PIXEL, round(self.frame.row_height * EMU_A_POINT))

    def top(self, row: int) -> float:
        """How far down a row begins, in points."""
        return sum(self._heights.get(above, self.frame.row_height) for above in range(1, row))

    def zoom(self, percent: float) -> None:
        """Let the sheet open smaller than life."""
        self.frame.zoom = int(percent)

    def fit_screen(self, last_column: str) -> None:
        """Let the sheet open so small, if need be, that a laptop shows it up to a column, in whatever font."""
        width = self._width(1, column_number(last_column))
        self.zoom(min(100, max(_SMALLEST_ZOOM, 100 * SCREEN_WIDTH / width)))

    def freeze(self, cell: str) -> None:
        """Let the rows above a cell and the columns before it stay in sight."""
        row, column = coordinates(cell)
        self.frame.frozen = row - 1, column - 1

    def name(self, name: str, cell: str) -> None:
        """Give a cell, by its absolute address, a name in the whole workbook."""
        self._workbook.names[name] = f"{self.title}!{cell}"

    def table(self, name: str, cells: str, columns: Sequence[str]) -> None:
        """Make cells a table in Excel's sense, the only one of this sheet: its columns are called as their heads."""
        self._table = name, cells, columns

    def content(self) -> SheetContent:
        """What the writer has to know, which opens where there is something to change."""
        self._keep_print_legible()
        return SheetContent(
            self.frame, self._cells, self.drawing, self._blocks, self._heights, self._columns, self._table
        )

    def _validate(
        self, address: str, kind: str, formulas: Sequence[str], title: str, refusal: str, *, is_optional: bool = False
    ) -> None:
        if not self.frame.limits:  # the sheet is about the first cell that takes only what makes sense in it
            self.frame.selected = coordinates(address.replace(" ", ":").partition(":")[0])
        limit = frame.limit(address, kind, formulas, is_optional=is_optional, title=title, refusal=refusal)
        self.frame.limits.append(limit)

    def _keep_print_legible(self) -> None:
        """Let what would be printed smaller than 8 points take more pages: one down, a table also across."""
        paper = self.frame.paper
        if paper is None:
            return
        areas = [[coordinates(cell) for cell in area.split(":")] for area in paper.area.split(",") if area]
        width = max((self._width(first, last) for (_, first), (_, last) in areas), default=0)
        height = max((self.top(bottom + 1) - self.top(top) for (top, _), (bottom, _) in areas), default=0)
        least = max(SMALLEST_SCALE, math.ceil(100 * _LEAST_PRINT / self._smallest_text(areas)))
        room, scale = SMALLEST_SCALE / least, least
        if len(areas) > 1 and paper.pages_down == 1:  # to fit one page is said of all of them together
            paper.scale = scale = max(least, min(100, int(SMALLEST_SCALE * _WIDEST_PICTURE / width)))
        if height > room * (_TALLEST_PAGE if paper.pages_down == 1 else _TALLEST_OF_SEVERAL):
            paper.pages_down = 0
            for (top, _), (bottom, _) in areas if paper.row_cuts else ():
                rows = (top, *(row for row in paper.row_cuts if top < row <= bottom), bottom + 1)
                self._cut_rows(rows, room * _TALLEST_OF_SEVERAL)
            if len(areas) > 1:  # of these as many as can be are a page each
                paper.scale = scale
        if width <= room * (_WIDEST_PICTURE if paper.pages_down == 1 else PAPER_WIDTH):
            return
        paper.scale = least
        if paper.cuts:
            ((_, (_, last)),) = areas
            self._cut(paper, last, height)
        elif len(areas) == 1:
            paper.columns = "A:A"

    def _cut_rows(self, rows: Sequence[int], most: float) -> None:
        """Let pages of at most some points begin with some of the rows; the last one is the one after the end."""
        start = rows[0]
        for row, following in pairwise(rows):
            if row > start and self.top(following) - self.top(start) > most:
                self.frame.breaks.append(row)
                start = row

    def _smallest_text(self, areas: Sequence[Sequence[tuple[int, int]]]) -> float:
        """The size of the smallest text in some areas, in points."""
        usual = theme.KINDS[theme.TEXT].font.size
        looks = (
            (style.number, theme.KINDS[look.style].font.size) for (look, _), style in self._workbook.cell_styles.items()
        )
        small = {number: size for number, size in looks if size < usual}
        places = [
            (*place, small[cell.style.number])
            for place, cell in self._cells.items()
            if cell.style.number in small and cell.content is not None
        ]
        for block in self._blocks:
            for column, each in enumerate(block.columns, block.first_column):
                if each.style in small:
                    places.append((block.first_row, column, small[each.style]))
        found = [
            size
            for row, column, size in places
            if any(top <= row <= bottom and first <= column <= last for (top, first), (bottom, last) in areas)
        ]
        return min(found, default=usual)

    def _cut(self, paper: PrintSetup, last: int, height: float) -> None:
        """Divide a picture up to a last column evenly among the fewest pages, and print it as large as it fits them."""
        widest = _WIDEST_PICTURE * SMALLEST_SCALE / paper.scale
        pages = [self._pages(paper.cuts, last, width) for width in range(1, int(widest) + 1)]
        breaks = next(each for each in pages if len(each) == len(pages[-1]))
        self.frame.column_breaks += breaks
        taken = max(self._width(first, end - 1) for first, end in pairwise((1, *breaks, last + 1)))
        room = min(_WIDEST_PICTURE / taken, _TALLEST_PAGE / height, 100 / SMALLEST_SCALE)
        paper.scale = max(paper.scale, int(SMALLEST_SCALE * room))

    def _pages(self, cuts: Sequence[int], last: int, most: float) -> list[int]:
        """The columns with which pages begin after the first that are no wider than some characters."""
        begins = [1]
        for start, end in pairwise((*cuts, last + 1)):
            if self._width(begins[-1], end - 1) > most:
                begins.append(start)
        return begins[1:]

    def _width(self, first: int, last: int) -> float:
        """How wide some columns are, in characters, without those that are hidden."""
        columns = (self._columns.get(column, Column()) for column in range(first, last + 1))
        return sum(each.width for each in columns if not each.is_hidden)

    def _column(self, letter: str) -> Column:
        return self._columns.setdefault(column_number(letter), Column())

    def _put(
        self, address: str, look: Look, content: Value | tuple[Piece, ...] | Calculation | None, *, quoted: bool = False
    ) -> None:
        row, column = coordinates(address)
        self._require_place(row, column)
        if isinstance(content, str | tuple):
            text = content if isinstance(content, str) else "".join(piece.text for piece in content)
            self._require_room(text_problem(f"the text in {address}", text))
        self._cells[row, column] = Cell(address, self._style(look, quoted=quoted), content)

    def _require_place(self, row: int, column: int) -> None:
        if row <= MOST_ROWS and column <= MOST_COLUMNS:
            return
        for found, most, what in ((column, MOST_COLUMNS, "columns"), (row, MOST_ROWS, "rows")):
            if found > most:
                self._require_room(Problem(what, f"{found:,}", at_most(found, most, f"the {what} of a sheet")))

    def _require_room(self, problem: Problem | None) -> None:
        if problem is not None:
            raise NoRoomError(self.title, problem)

    def _style(self, look: Look, *, quoted: bool = False) -> Style:
        styles = self._workbook.cell_styles
        style = styles.get((look, quoted))
        if style is None:
            whole = theme.cell_look(look, quoted=quoted)
            number = self._workbook.styles.number(whole, look.style)
            style = styles[look, quoted] = Style(number, whole.font.of_run(""), whole.font.of_run(_LOW))
        return style


_LOW = '<vertAlign val="subscript"/>'


def _header(text: str, most: int) -> str:
    """A text as a page's header has it, where & begins a code, or as much of it as there is room for."""
    for longest in range(len(text), -1, -1):
        written = literal(cut(text, longest) if longest < len(text) else text).replace("&", "&&")
        if length(written) <= most:
            return written
    return ""


def _spaced(number: float) -> str:
    """A number without a comma, which could be taken for a decimal mark."""
    return f"{number:,.15g}".replace(",", "\N{NO-BREAK SPACE}").replace("-", "−")
