"""The choice of an iteration: the cell in which the reader makes it, and how a sheet reads that iteration's values."""

from __future__ import annotations

from msgspec import Struct

from xlbackprop.ground.grid import absolute
from xlbackprop.network import WALKTHROUGH
from xlbackprop.symbols import number_from
from xlbackprop.walkthrough import Given, Lesson, Table
from xlbackprop.workbook.panels.entry import Entry
from xlbackprop.workbook.xlsx import theme
from xlbackprop.workbook.xlsx.page import Page
from xlbackprop.workbook.xlsx.theme import Look

_OUT_OF_SIGHT = Look(theme.TEXT, number_format=theme.UNSEEN_FORMAT)


class Choice(Struct, frozen=True):
    """An iteration that was chosen in a cell of the sheet."""

    table: Table
    cell: str
    """The absolute address of the iteration: always a whole number of the table, whatever was typed."""

    @property
    def last(self) -> int:
        """The last iteration of the table."""
        return self.table.iterations - 1

    def value(self, name: str) -> str:
        """The formula, without its equals sign, for a quantity in the iteration chosen."""
        return number_from(self.table.range(name), f"{self.cell}+1")

    def given(self, given: Given) -> str:
        """The formula for a number that the iteration chosen begins with."""
        match given.kind:
            case "setting":
                return f"{WALKTHROUGH}!{self.table.setting_cell(given.name)}"
            case "iteration":
                return self.cell
            case "old":
                before = number_from(self.table.range(given.name), f"MAX(1,{self.cell})")
                return f"IF({self.cell}=0,0,{before})"
            case "quantity":
                return self.value(given.name)


def choose_iteration(page: Page, lesson: Lesson, typed: str, used: str) -> Choice:
    """Put down a cell in which the reader types an iteration, and one that makes a usable number of it."""
    choice, iteration = Choice(lesson.table, absolute(used)), lesson.iteration
    page.number(typed, iteration, Look(theme.INPUT, number_format=theme.PLAIN_FORMAT))
    entry = Entry(typed, "Iteration", 0, choice.last, is_whole=True)
    page.formula(used, entry.used(0), iteration, _OUT_OF_SIGHT)
    entry.limit(page)
    return choice
