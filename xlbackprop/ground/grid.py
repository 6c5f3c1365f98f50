"""The grid of a spreadsheet: A1 addresses, and how much the file format has room for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache

from xlbackprop.ground.errors import Problem, UserError, at_most

MOST_COLUMNS = 16_384
MOST_ROWS = 1_048_576
MOST_CHARACTERS = 8_192
"""Of a formula, with its equals sign."""
MOST_ARGUMENTS = 255
"""Of a function in a formula."""
LONGEST_TEXT = 32_767
"""Of a cell; lengths of texts are those in UTF-16, as the file format counts them."""
LONGEST_QUOTED_TEXT = 255
"""Within a formula."""
LONGEST_HEADER = 255
"""Of a printed page, with its codes; a footer is as long."""
LONGEST_PROPERTY = 255
"""Of a document."""

_QUOTED = re.compile(r'"([^"]*(?:""[^"]*)*)"')


class NoRoomError(UserError):
    """A sheet that turns out to need more than the file format has.

    Attributes:
        sheet: the title of the sheet.
        problem: what there is too much of, and how much of it there can be.
    """

    def __init__(self, sheet: str, problem: Problem) -> None:
        self.sheet = sheet
        self.problem = problem
        super().__init__(f'no sheet "{sheet}" for this walkthrough, it is too large: {problem}')


def length(text: str) -> int:
    """How long a text is for the file format: a character beyond U+FFFF, such as most emoji, counts twice."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def cut(text: str, most: int) -> str:
    """A text, or its beginning with an ellipsis where it is longer than it may be."""
    if length(text) <= most:
        return text
    while length(text) > most - 1:
        text = text[:-1]
    return f"{text}…"


def text_problem(key: str, text: str) -> Problem | None:
    """What keeps a text from standing in a cell; None if it can stand there."""
    if len(text) * 2 <= LONGEST_TEXT or (found := length(text)) <= LONGEST_TEXT:
        return None
    expected = at_most(found, LONGEST_TEXT, "the characters of a cell")
    return Problem(key, f"{found:,} characters", expected)


def formula_problem(key: str, formula: str) -> Problem | None:
    """What keeps a formula, given without its equals sign, from standing in a cell; None if it can stand there."""
    if 2 * len(formula) < LONGEST_QUOTED_TEXT:  # most of them; each character counts twice at the most
        return None
    characters = 1 + len(formula)
    if characters > MOST_CHARACTERS:
        expected = at_most(characters, MOST_CHARACTERS, "the characters of a formula")
        return Problem(key, f"{characters:,} characters", expected)
    if '"' in formula:
        longest = max(map(length, _QUOTED.findall(formula)), default=0)
        if longest > LONGEST_QUOTED_TEXT:
            expected = at_most(longest, LONGEST_QUOTED_TEXT, "the characters of a text in a formula")
            return Problem(key, f"a text of {longest:,} characters", expected)
    if formula.count(",") >= MOST_ARGUMENTS and (arguments := most_arguments(formula)) > MOST_ARGUMENTS:
        expected = at_most(arguments, MOST_ARGUMENTS, "the arguments of a function")
        return Problem(key, f"{arguments:,} arguments of a function", expected)
    return None


def most_arguments(formula: str) -> int:
    """The largest number of arguments that a function in a formula has."""
    most, open_brackets, in_text = 0, [0], False
    for character in formula:
        if character == '"':
            in_text = not in_text
        elif in_text:
            continue
        elif character == "(":
            open_brackets.append(1)
        elif character == ",":
            open_brackets[-1] += 1
        elif character == ")":
            most = max(most, open_brackets.pop())
    return most


@cache
def column_letter(index: int) -> str:
    """The letters of a column, counted from 1: A, B … Z, AA."""
    letters = ""
    while index > 0:
        index, rest = divmod(index - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def address(row: int, column: int) -> str:
    """The address of a cell from its row and column, both counted from 1."""
    return f"{column_letter(column)}{row}"


def quoted(sheet: str) -> str:
    """A sheet's name as formulas write it."""
    return sheet if re.fullmatch(r"[^\W\d]\w*", sheet) else "'" + sheet.replace("'", "''") + "'"


@lru_cache(maxsize=1 << 15)
def column_number(letters: str) -> int:
    """The number of a column from its letters, counted from 1."""
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - 64
    return number


def absolute(cell: str) -> str:
    """An address with dollar signs: `$B$4`."""
    letters = cell.rstrip("0123456789")
    return f"${letters}${cell[len(letters) :]}"


def column_range(letter: str, first_row: int, last_row: int) -> str:
    """The absolute range of some cells of a column: `$J$40:$J$107`."""
    return f"${letter}${first_row}:${letter}${last_row}"


Coordinates = tuple[int, int]
"""Row and column, counted from 1."""


def coordinates(cell: str) -> Coordinates:
    """The row and the column of an address without dollar signs."""
    letters = cell.rstrip("0123456789")
    return int(cell[len(letters) :]), column_number(letters)


def ranges(cells: list[Coordinates]) -> tuple[str, ...]:
    """The fewest ranges, column by column, that hold exactly these cells; equal neighbours become one block."""
    runs: list[tuple[int, int, int]] = []
    for row, column in sorted(set(cells), key=lambda cell: (cell[1], cell[0])):
        if runs and runs[-1][0] == column and runs[-1][2] == row - 1:
            runs[-1] = (column, runs[-1][1], row)
        else:
            runs.append((column, row, row))
    blocks: dict[tuple[int, int], list[list[int]]] = {}
    for column, top, bottom in runs:
        spans = blocks.setdefault((top, bottom), [])
        if spans and spans[-1][1] == column - 1:
            spans[-1][1] = column
        else:
            spans.append([column, column])
    found = [(top, left, bottom, right) for (top, bottom), spans in blocks.items() for left, right in spans]
    return tuple(
        address(top, left) if (top, left) == (bottom, right) else f"{address(top, left)}:{address(bottom, right)}"
        for top, left, bottom, right in sorted(found, key=lambda block: (block[1], block[0]))
    )


def cells_of(block: str) -> Iterator[Coordinates]:
    """The cells of a range such as `A1:B3`, or of a single address."""
    corners = [re.fullmatch(r"([A-Z]+)(\d+)", corner) for corner in block.split(":")]
    (left, top), (right, bottom) = [(column_number(m[1]), int(m[2])) for m in (corners[0], corners[-1]) if m]
    for column in range(left, right + 1):
        for row in range(top, bottom + 1):
            yield row, column
