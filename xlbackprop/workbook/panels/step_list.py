"""A list that goes through one iteration, one quantity a line, under a header that stays in sight."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from xlbackprop.derivation import Role
from xlbackprop.symbols import Mathematics
from xlbackprop.walkthrough import GIVEN, Given, Lesson, givens, moment
from xlbackprop.workbook.panels.iteration_choice import Choice
from xlbackprop.workbook.xlsx import theme
from xlbackprop.workbook.xlsx.page import ROW_HEIGHT, Page
from xlbackprop.workbook.xlsx.theme import Look

_LEADING_ON = Look(theme.LINK, shaded=True, align="left", indent=1)

MOST_GIVEN = 16
"""Lines; where more is given, what is calculated would begin below the first screen."""

_GIVEN_PADDING = 2.0
"""Points, for the symbols."""

GIVEN_FIRST = "Given"
FURTHER_GIVEN = "Given besides: what the training has made so far, and how it is set"


def prepare_list(page: Page, widths: Mapping[str, float]) -> None:
    """Put down the title of a page, whose columns have these widths in characters."""
    for letter, width in widths.items():
        page.widths(letter, width)
    page.fit_screen(max(widths))
    page.text("A1", page.title, Look(theme.TITLE))
    page.heights(1, 1)


def list_header(page: Page, row: int, letters: Iterable[str], headers: Iterable[str]) -> None:
    """The header of the list, which stays in sight when the reader scrolls."""
    for letter, header in zip(letters, headers, strict=True):
        page.text(f"{letter}{row}", header, Look(theme.LABEL, Role.TARGET))
    page.heights(row, 1)
    page.freeze(f"A{row + 1}")


class Lines:
    """The lines below the header, put down one under the other; each knows where the earlier ones stand."""

    sentence_column: str
    """Where it says what a quantity is."""

    def __init__(self, page: Page, lesson: Lesson, choice: Choice, header_row: int, letters: Iterable[str]) -> None:
        self.row = header_row
        self.last_row = header_row
        """The last row that anything stands in."""
        self._letters = tuple(letters)
        self._page = page
        self._lesson = lesson
        self._derivation = lesson.derivation
        self._choice = choice
        self._moment = moment(lesson.derivation, lesson.trace, lesson.iteration)
        self._values = self._moment.values
        self._typesetter = lesson.typesetter
        self._mathematics = Mathematics()

    def given(self, lines_between: Iterable[int]) -> list[tuple[int, int]]:
        """Put down what is given, and where that is much, all but the sample itself below what is calculated.

        Args:
            lines_between: how many lines every stretch in between has, without its heading.

        Returns:
            the first and the last row of each stretch of it.
        """
        everything = tuple(givens(self._derivation))
        first = everything
        if len(everything) > MOST_GIVEN:
            of_sample = {*self._derivation.sampled, *self._derivation.quantities.keys()} - {*self._derivation.learned}
            first = tuple(each for each in everything if each.kind == "quantity" and each.name in of_sample)
        top = self.row
        self.row += 1 + len(first) + sum(1 + lines for lines in lines_between)
        further = self.row + 1
        if len(first) < len(everything):
            self._heading(FURTHER_GIVEN)
            for each in everything:
                if each not in first:
                    self._put_given(each)
        self.last_row, self.row = self.row, top
        self._heading(GIVEN if first == everything else GIVEN_FIRST)  # beside a link it has a column's room
        if len(first) < len(everything):
            text = f"{len(everything) - len(first)} more numbers are given: from row {further}"
            self._page.link(f"B{self.row}", text, self._page.title, f"A{further}", _LEADING_ON)
        for each in first:
            self._put_given(each)
        stretches = [(top + 2, self.row), (further + 1, self.last_row)]
        return [(start, end) for start, end in stretches if start <= end]

    def _put_given(self, given: Given) -> None:
        """Put down a number in a low row, so that what is calculated begins on the first screen."""
        self._given(given)
        lines = self._page.lines(given.sentence, self.sentence_column)
        self._page.height(self.row, lines * ROW_HEIGHT + _GIVEN_PADDING)

    def _given(self, given: Given) -> None:
        """Put down one number that is given."""
        raise NotImplementedError

    def _heading(self, text: str) -> None:
        """A line that begins a stretch of the calculation."""
        self.row += 1
        self._page.section(self.row, self._letters, text)
        self._page.heights(self.row, 1)
