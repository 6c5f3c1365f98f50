"""The pages of a worksheet: one iteration to calculate on paper, with room for it, and the same solved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from msgspec import Struct

from xlbackprop.derivation import Role
from xlbackprop.ground.grid import column_letter
from xlbackprop.network import short_label
from xlbackprop.symbols import Mathematics, Numbers, Symbol, short
from xlbackprop.walkthrough import GIVEN, UPDATE_HEADING, Lesson, givens, moment, on_paper, sections, updates
from xlbackprop.workbook.sheets.walkthrough import put_arrow
from xlbackprop.workbook.sheets.your_turn import exercise_lines
from xlbackprop.workbook.xlsx import theme
from xlbackprop.workbook.xlsx.book import Workbook
from xlbackprop.workbook.xlsx.page import Page
from xlbackprop.workbook.xlsx.theme import Look

_WIDTHS = {"A": 10.0, "B": 30.0, "C": 46.0, "D": 13.0}
"""Characters; together they fit a portrait page of A4 or Letter."""
_LETTER_WIDTH, _WIDEST_SYMBOL = 1.1, 20.0
"""Of a symbol, in the characters of its column, which takes from the room beside it."""
_HEADER_ROW = 4
_ROOM, _GIVEN_HEIGHT = 50, 17.0
"""Points, to calculate in, and of a number that is given."""
_SCALE, _PAGE_HEIGHT = 80, 870
"""Percent, at which the columns fit a portrait page of A4 and of Letter in every font, and the points that then do."""
_BOX = Look(theme.CALCULATION, align="left", indent=1, wrap=True)
_ANSWER = Look(theme.RESULT, align="center")
_TITLE_WIDTH = 1.6
"""Of a letter of a title, in the characters of a column's width."""
_NETWORK_ROW, _DIGITS_IN_A_NODE = 3, 4


class Task(Struct, frozen=True):
    """One number to calculate."""

    name: str
    role: Role
    sentence: str
    mathematics: str
    solution: str
    """The same with the numbers of the iteration, and what they come to."""
    value: float
    is_asked: bool
    """Whether the class is to calculate it; else it stands there."""
    repeats: bool
    """Whether it is another number once more, which would tell that one if it stood there."""


def tasks(lesson: Lesson) -> Iterator[tuple[str, list[Task]]]:
    """What is to be calculated of the chosen iteration, heading by heading."""
    derivation, trace, now = lesson.derivation, lesson.trace, moment(lesson.derivation, lesson.trace, lesson.iteration)
    numbers, mathematics = Numbers(now.value), Mathematics()
    wanted = {question.name: question for question in exercise_lines(derivation)}

    def task(name: str, role: Role, sentence: str, value: float) -> Task:
        question = wanted[name]
        written = numbers.read(question.expression)
        if not isinstance(question.expression, Symbol):
            written += numbers.result(question.expression, value)
        repeats = isinstance(question.expression, Symbol)
        read = mathematics.read(question.expression)
        return Task(name, role, sentence, read, written, value, question.is_asked, repeats)

    for section in sections(derivation):
        names = [name for name in section.names if name in wanted]
        if names:
            quantities = [(name, derivation[name]) for name in names]
            yield section.heading, [task(name, each.role, each.sentence, now.values[name]) for name, each in quantities]
    learned = updates(derivation, trace, lesson.iteration)
    yield UPDATE_HEADING, [task(each.name, each.role, each.sentence, each.value) for each in learned]


def put_worksheet(workbook: Workbook, lesson: Lesson, *, solved: bool) -> list[Page]:
    """Add the pages of a worksheet to a workbook, or those of its answers."""
    return [_network(workbook, lesson, solved=solved), _list(workbook, lesson, solved=solved)]


def _network(workbook: Workbook, lesson: Lesson, *, solved: bool) -> Page:
    """The network, with the numbers that are given, and room for the others or these too."""
    page = Page(workbook, "The network")
    paper = on_paper(lesson.arrangement, _NETWORK_ROW)
    values, given = lesson.trace.at(lesson.iteration), set(lesson.derivation.given)
    _title(page, lesson, sum(paper.widths), solved=solved)
    for title in paper.diagram.titles:
        page.text(f"{column_letter(title.column)}{_NETWORK_ROW}", title.text, Look(theme.HEADING, align=title.align))
    for node in paper.diagram.nodes:
        text = f"{short_label(node.name)} = "
        if solved or node.name in given:
            text += short(values[node.name], _DIGITS_IN_A_NODE)
        look = Look(theme.PRINTED_NODE, lesson.derivation[node.name].role)
        page.text(f"{column_letter(node.column)}{node.row}", text, look)
    for arrow in paper.diagram.arrows:
        put_arrow(page, arrow, lesson.table)
    for column, width in enumerate(paper.widths, 1):
        page.widths([column_letter(column)], width)
    last, taken = paper.diagram.last_column, _TITLE_WIDTH * len(lesson.definition.title)
    while last < len(paper.widths) and sum(paper.widths[:last]) < taken:
        last += 1
    page.handout(lesson.definition.title, f"A1:{column_letter(last)}{paper.diagram.last_row}")
    return page


def _title(page: Page, lesson: Lesson, width: float, *, solved: bool) -> None:
    words = ", the answers" if solved else "   Name: ______________________________   Date: ____________"
    page.headline("A1", lesson.definition.title, width)
    page.height(1, 24)
    page.text("A2", f"Iteration {lesson.iteration}{words}", Look(theme.HEADING))


def _list(workbook: Workbook, lesson: Lesson, *, solved: bool) -> Page:
    """The list of what is given and what is to be calculated."""
    page = Page(workbook, "Answers" if solved else "Worksheet")
    typesetter = lesson.typesetter
    now = moment(lesson.derivation, lesson.trace, lesson.iteration)
    written = {heading: list(each) for heading, each in tasks(lesson)}
    names = [given.label for given in givens(lesson.derivation)]
    names += (task.name for each in written.values() for task in each)
    symbol = min(_WIDEST_SYMBOL, max(_WIDTHS["A"], _LETTER_WIDTH * max(map(len, names))))
    for letter, width in (_WIDTHS | {"A": symbol, "C": _WIDTHS["C"] + _WIDTHS["A"] - symbol}).items():
        page.widths(letter, width)
    _title(page, lesson, sum(_WIDTHS.values()), solved=solved)
    heads = ("symbol", "what it is", "how" if solved else "room to calculate", "result")
    for letter, text in zip(_WIDTHS, heads, strict=True):
        page.text(f"{letter}{_HEADER_ROW}", text, Look(theme.LABEL, Role.TARGET))
    row, beginnings = _HEADER_ROW, list[int]()

    def line(name: str, role: Role, sentence: str, look: Look) -> None:
        nonlocal row
        row += 1
        if row > beginnings[-1] + 1:  # else the page would begin between a heading and what it heads
            beginnings.append(row)
        page.typeset(f"A{row}", typesetter.set(name), Look(theme.SYMBOL, role))
        page.typeset(f"B{row}", typesetter.set(sentence), look)

    def heading(text: str) -> None:
        nonlocal row
        row += 1
        beginnings.append(row)
        page.section(row, tuple(_WIDTHS), text)

    heading(GIVEN)
    for given in givens(lesson.derivation):
        line(given.label, given.role, given.sentence, theme.PROSE)
        page.text(f"D{row}", short(now.value(given.symbol)), _ANSWER)
        page.height(row, _GIVEN_HEIGHT)
    for text, listed in written.items():
        heading(text)
        for task in listed:
            line(task.name, task.role, task.sentence, theme.WRAPPED)
            lines = [page.lines(task.sentence, "B")]
            if solved:
                page.typeset(f"C{row}", typesetter.set(f"{task.mathematics}\n= {task.solution}"), _BOX)
                lines.append(page.lines(task.mathematics, "C") + page.lines(f"= {task.solution}", "C"))
            else:
                words = f"the same as {task.mathematics}" if task.repeats else "worked out for you"
                page.typeset(f"C{row}", typesetter.set("" if task.is_asked else words), _BOX)
            is_shown = solved or not (task.is_asked or task.repeats)
            page.text(f"D{row}", short(task.value) if is_shown else "", _ANSWER)
            page.heights(row, max(lines))
            if task.is_asked and not solved:
                page.height(row, max(_ROOM, max(lines) * 15.0 + 5.0))
    rows = f"{_HEADER_ROW}:{_HEADER_ROW}"
    page.print_setup(lesson.definition.title, f"A1:D{row}", rows, landscape=False).scale = _SCALE
    heights = (*range(_ROOM, _PAGE_HEIGHT, _ROOM), _PAGE_HEIGHT)
    ways = [list(_page_beginnings(page, [*beginnings, row + 1], most)) for most in heights]
    page.frame.breaks += next(way for way in ways if len(way) == len(ways[-1]))  # evenly among the fewest pages
    return page


def _page_beginnings(page: Page, beginnings: Sequence[int], most: float) -> Iterator[int]:
    """Those of the rows with which a page may begin with which one of some points does, under the header once more."""
    top, header = 0.0, page.top(_HEADER_ROW + 1) - page.top(_HEADER_ROW)
    for row, following in pairwise(beginnings):
        if page.top(following) - top > most:
            yield row
            top = page.top(row) - header
