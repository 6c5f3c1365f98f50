"""The peers: the iteration table of the classic walkthrough, written by other writers, each in a process of its own.

Every one gets the same cells, 31 columns a row with 27 formulas, and the engine's trace where it can store values.
Run as `python benchmarks/peers.py NAME ITERATIONS FILE`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np

from xlbackprop import load, train
from xlbackprop.derivation.equations import derive
from xlbackprop.walkthrough.arrangement import arrange
from xlbackprop.walkthrough.table import Table

Cell = tuple[str | None, float]
"""A formula, with its equals sign, or none for a given number, and the value."""


def rows(iterations: int) -> Iterator[list[Cell]]:
    """The cells of the table, row by row."""
    table, values = _table(iterations)
    templates = [table.formula(name) for name in table.quantities]
    for index, row in enumerate(values.tolist()):
        if index:
            places = {"row": table.first_row + index, "above": table.first_row + index - 1}
            yield [("=" + text.format(**places), value) for text, value in zip(templates, row, strict=True)]
        else:
            yield [(None, value) for value in row]


def xlsxwriter(iterations: int, path: Path, constant_memory: bool = False) -> None:
    import xlsxwriter as library

    book = library.Workbook(path, {"constant_memory": constant_memory})
    sheet = book.add_worksheet()
    for index, row in enumerate(rows(iterations), 32):
        for column, (formula, value) in enumerate(row):
            if formula is None:
                sheet.write_number(index, column, value)
            else:
                sheet.write_formula(index, column, formula, None, value)
    book.close()


def openpyxl_write_only(iterations: int, path: Path) -> None:
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    sheet = book.create_sheet()
    for row in rows(iterations):
        sheet.append([formula or value for formula, value in row])
    book.save(path)


def wolfxl(iterations: int, path: Path) -> None:
    import wolfxl as library

    book = library.Workbook()
    for row in rows(iterations):
        book.active.append([formula or value for formula, value in row])
    book.save(str(path))


def pyexcelerate(iterations: int, path: Path) -> None:
    from pyexcelerate import Workbook

    book = Workbook()
    book.new_sheet("Walkthrough", data=[[formula or value for formula, value in row] for row in rows(iterations)])
    book.save(str(path))


def rustypyxl(iterations: int, path: Path) -> None:
    import rustypyxl as library

    book = library.Workbook()
    book.create_sheet("Walkthrough")
    book.write_rows("Walkthrough", [[formula or value for formula, value in row] for row in rows(iterations)])
    book.save(str(path))


def bare_loop(iterations: int, path: Path, shared: bool = False) -> None:
    """The least that can be done: one template a row, filled and deflated, with nothing around it."""
    table, values = _table(iterations)
    formulas = [
        f'<f t="shared" si="{index}"/>' if shared else f"<f>{table.formula(name)}</f>"
        for index, name in enumerate(table.quantities)
    ]
    cells = [
        f'<c r="{table.letter(name)}{{row}}">{formula}<v>{{}}</v></c>'
        for name, formula in zip(table.quantities, formulas, strict=True)
    ]
    template = f'<row r="{{row}}">{"".join(cells)}</row>'
    with ZipFile(path, "w", ZIP_DEFLATED) as archive, archive.open("sheet.xml", "w") as stream:
        for start in range(0, iterations, 512):
            chunk = values[start : start + 512].tolist()
            first = table.first_row + start
            text = "".join(
                template.format(*map(repr, row), row=index, above=index - 1) for index, row in enumerate(chunk, first)
            )
            stream.write(text.encode())


def trace_alone(iterations: int, path: Path) -> None:
    """What all of them do before they write: the engine's trace."""
    train(load(iterations=iterations))


PEERS: Mapping[str, Callable[[int, Path], None]] = {
    "trace alone": trace_alone,
    "bare loop": bare_loop,
    "bare loop, shared formulas": lambda iterations, path: bare_loop(iterations, path, shared=True),
    "XlsxWriter": xlsxwriter,
    "XlsxWriter, constant memory": lambda iterations, path: xlsxwriter(iterations, path, constant_memory=True),
    "openpyxl, write-only": openpyxl_write_only,
    "wolfxl": wolfxl,
    "PyExcelerate": pyexcelerate,
    "rustypyxl": rustypyxl,
}


def _table(iterations: int) -> tuple[Table, np.ndarray]:
    definition = load(iterations=iterations)
    table = arrange(derive(definition), iterations, "compact").table
    trace = train(definition)
    return table, np.column_stack([trace[name] for name in table.quantities])


if __name__ == "__main__":
    PEERS[sys.argv[1]](int(sys.argv[2]), Path(sys.argv[3]))
