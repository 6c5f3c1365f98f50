"""Calculates a workbook with `formulas`, a spreadsheet engine in Python; prints what each cell comes to.

Run as `python -W ignore tests/formulas_engine.py FILE`, in a process of its own: it warns and reports as it goes.
"""

from __future__ import annotations

import json
import sys

import formulas
import numpy as np


def main(path: str) -> None:
    """Print the address, such as `'[book.xlsx]SHEET'!A1`, and the value of every single cell."""
    model = formulas.ExcelModel().loads(path).finish(circular=False)
    cells = {str(place): cell for place, cell in model.calculate().items() if hasattr(cell, "value")}
    found = {place: np.ravel(np.asarray(cell.value)) for place, cell in cells.items()}
    json.dump({place: _plain(values[0]) for place, values in found.items() if len(values) == 1}, sys.stdout)


def _plain(value: object) -> float | str | bool:
    match value:
        case bool() | np.bool_():
            return bool(value)
        case int() | float() | np.number():
            return float(value)
        case _:
            return str(value)


if __name__ == "__main__":
    main(sys.argv[1])
