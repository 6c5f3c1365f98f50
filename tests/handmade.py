"""Hand-made sheets of the walkthrough, as people type them, right or with planted slips: fixtures of the checker."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping, Sequence
from pathlib import Path

import openpyxl
from openpyxl.utils import get_column_letter

HEADER = 32
ROWS = 12
FIRST, LAST = HEADER + 1, HEADER + ROWS

GIVEN: Mapping[str, float] = {
    "t1": 0.01,
    "t2": 0.99,
    "i1": 0.05,
    "i2": 0.1,
    "w1": 0.15,
    "w2": 0.2,
    "w3": 0.25,
    "w4": 0.3,
    "w5": 0.4,
    "w6": 0.45,
    "w7": 0.5,
    "w8": 0.55,
}
_DELTA1 = "([a_o1]-[t1])*[a_o1]*(1-[a_o1])"
_DELTA2 = "([a_o2]-[t2])*[a_o2]*(1-[a_o2])"
_BEFORE1 = f"({_DELTA1}*[w5]+{_DELTA2}*[w7])*[a_h1]*(1-[a_h1])"
_BEFORE2 = f"({_DELTA1}*[w6]+{_DELTA2}*[w8])*[a_h2]*(1-[a_h2])"

FORMULAS: Mapping[str, str] = {
    "h1": "[w1]*[i1]+[w2]*[i2]",
    "h2": "[w3]*[i1]+[w4]*[i2]",
    "a_h1": "1/(1+EXP(-[h1]))",
    "a_h2": "1/(1+EXP(-[h2]))",
    "o1": "[w5]*[a_h1]+[w6]*[a_h2]",
    "o2": "[w7]*[a_h1]+[w8]*[a_h2]",
    "a_o1": "1/(1+EXP(-[o1]))",
    "a_o2": "1/(1+EXP(-[o2]))",
    "E1": "0.5*([t1]-[a_o1])^2",
    "E2": "0.5*([t2]-[a_o2])^2",
    "E_total": "[E1]+[E2]",
    "∂E/∂w1": f"{_BEFORE1}*[i1]",
    "∂E/∂w2": f"{_BEFORE1}*[i2]",
    "∂E/∂w3": f"{_BEFORE2}*[i1]",
    "∂E/∂w4": f"{_BEFORE2}*[i2]",
    "∂E/∂w5": f"{_DELTA1}*[a_h1]",
    "∂E/∂w6": f"{_DELTA1}*[a_h2]",
    "∂E/∂w7": f"{_DELTA2}*[a_h1]",
    "∂E/∂w8": f"{_DELTA2}*[a_h2]",
}
UPDATES: Mapping[str, str] = {f"w{k}": f"[w{k}-]-$G$31*[∂E/∂w{k}-]" for k in range(1, 9)}

CLASSIC = [
    *("t1", "t2", "i1", "i2", "w1", "w2", "w3", "w4", "h1", "a_h1", "h2", "a_h2", "w5", "w6", "w7", "w8"),
    *("o1", "a_o1", "o2", "a_o2", "E1", "E2", "E_total"),
    *(f"∂E/∂w{number}" for number in range(1, 9)),
]
LETTERS = {name: get_column_letter(index) for index, name in enumerate(CLASSIC, 1)}

Change = str | float | None
Changes = Mapping[str | tuple[str, int], Change]
"""What stands in a column from its first formula on, or in one cell of it: a formula (`=` first), a number, nothing."""


def cells(name: str, first: int | None = None, last: int = LAST) -> str:
    """The range of a quantity's formulas: `Z33:Z44`, and from the second row on for a weight."""
    start = first if first is not None else FIRST + (name in UPDATES)
    letter = LETTERS[name]
    return f"{letter}{start}:{letter}{last}" if start != last else f"{letter}{start}"


def plant(path: Path, changes: Changes, sheet: str) -> Path:
    """Plant slips in a workbook whose table is laid out like the class's."""
    workbook = openpyxl.load_workbook(path)
    ws = workbook[sheet]
    for key, content in changes.items():
        name = key if isinstance(key, str) else key[0]
        rows = range(FIRST + (name in UPDATES), LAST + 1) if isinstance(key, str) else [key[1]]
        for row in rows:
            text = (
                _filled(content, row, lambda other, at: f"{LETTERS[other]}{at}", LETTERS)
                if isinstance(content, str)
                else content
            )
            ws[f"{LETTERS[name]}{row}"] = text
    workbook.save(path)
    return path


def _filled(rule: str, row: int, place: Callable[[str, int], str], names: Container[str], header: int = HEADER) -> str:
    """A rule as the formula of a row."""

    def cell(match: re.Match[str]) -> str:
        return place(match[1], row + _ROWS_OFF[match[2]]) if match[1] in names else match[0]

    rule = _QUANTITY.sub(cell, rule)
    return rule.replace("{drift}", str(31 + row - header - 2))


_QUANTITY = re.compile(r"\[([^\[\]]+?)([-+]?)\]")
_ROWS_OFF = {"": 0, "-": -1, "+": 1}


def write(
    path: Path,
    changes: Changes | None = None,
    *,
    columns: Sequence[str] = CLASSIC,
    labels: Mapping[str, str] | None = None,
    formulas: Mapping[str, str] | None = None,
    given: Mapping[str, float] | None = None,
    extra: Mapping[str, Change] | None = None,
    header: int = HEADER,
    rows: int = ROWS,
    left: int = 1,
    rate: float = 0.5,
    sheet: str = "Sheet1",
    transposed: bool = False,
    book: openpyxl.Workbook | None = None,
) -> Path:
    """Write a sheet of the walkthrough.

    Args:
        path: the workbook.
        changes: the planted slips.
        columns: what stands in the columns, left to right; `""` for an empty one.
        labels: other words for the quantities.
        formulas: formulas of further columns, or other ways to write those of the walkthrough: `[h1]` is a quantity of
            the same row, `[w1-]` one of the row above.
        given: other numbers than the class's.
        extra: cells beside the table.
        header: the row of the labels.
        rows: iterations.
        left: the first column.
        rate: the learning rate, in G31 (or as `extra` says).
        sheet: the name of the sheet.
        transposed: a column an iteration in place of a row.
        book: the workbook to add the sheet to.
    """
    changes, labels = changes or {}, labels or {}
    rules = {**FORMULAS, **(formulas or {})}
    numbers = {**GIVEN, **(given or {})}
    workbook = book or openpyxl.Workbook()
    ws = workbook.active if book is None else workbook.create_sheet()
    assert ws is not None
    ws.title = sheet
    places = {name: left + index for index, name in enumerate(columns) if name}

    def place(name: str, row: int) -> str:
        return f"{get_column_letter(row)}{places[name]}" if transposed else f"{get_column_letter(places[name])}{row}"

    for name in places:
        ws[place(name, header)] = labels.get(name, name)
        for row in range(header + 1, header + rows + 1):
            first = row == header + 1
            content: Change
            if name in UPDATES and not first:
                content = "=" + (formulas or {}).get(name, UPDATES[name])
            elif name in rules and name not in UPDATES:
                content = "=" + rules[name]
            else:
                content = numbers.get(name)
            if name in changes and not (first and name in UPDATES):
                content = changes[name]
            content = changes.get((name, row), content)
            ws[place(name, row)] = _filled(content, row, place, places, header) if isinstance(content, str) else content
    if not extra or not any(str(value).startswith(("η", "ɳ")) for value in extra.values()):
        ws["F31"], ws["G31"] = "η =", rate
    for cell, content in (extra or {}).items():
        ws[cell] = content
    workbook.save(path)
    return path
