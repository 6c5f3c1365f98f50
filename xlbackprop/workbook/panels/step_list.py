"""A list that goes through one iteration, one quantity a line, under a header that stays in sight."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from openpyxl.workbook.workbook import Workbook

from xlbackprop.derivation import Role
from xlbackprop.symbols import Mathematics, Typesetter
from xlbackprop.walkthrough import Lesson, moment
from xlbackprop.workbook.panels.iteration_choice import Choice
from xlbackprop.workbook.xlsx import theme
from xlbackprop.workbook.xlsx.page import Page
from xlbackprop.workbook.xlsx.theme import Look

_SECTION = Look(theme.HEADING, shaded=True)


def list_page(workbook: Workbook, title: str, widths: Mapping[str, float]) -> Page:
    """A page with its title, whose columns have these widths in characters."""
    page = Page(workbook, title)
    for letter, width in widths.items():
        page.widths(letter, width)
    page.text("A1", title, Look(theme.TITLE))
    page.heights(1, 1)
    return page


def list_header(page: Page, row: int, letters: Iterable[str], headers: Iterable[str]) -> None:
    """The header of the list, which stays in sight when the reader scrolls."""
    for letter, header in zip(letters, headers, strict=True):
        page.text(f"{letter}{row}", header, Look(theme.LABEL, Role.TARGET))
    page.heights(row, 1)
    page.sheet.freeze_panes = f"A{row + 1}"


class Lines:
    """The lines below the header, put down one under the other; each knows where the earlier ones stand."""

    def __init__(self, page: Page, lesson: Lesson, choice: Choice, header_row: int, letters: Iterable[str]) -> None:
        self.row = header_row
        self._letters = tuple(letters)
        self._page = page
        self._lesson = lesson
        self._derivation = lesson.derivation
        self._choice = choice
        self._moment = moment(lesson.derivation, lesson.trace, lesson.iteration)
        self._values = self._moment.values
        self._typesetter = Typesetter(lesson.derivation.typeset)
        self._mathematics = Mathematics()

    def _heading(self, text: str) -> None:
        """A line that begins a stretch of the calculation."""
        self.row += 1
        for letter in self._letters:
            self._page.blank(f"{letter}{self.row}", _SECTION)
        self._page.text(f"A{self.row}", text, _SECTION)
        self._page.heights(self.row, 1)
