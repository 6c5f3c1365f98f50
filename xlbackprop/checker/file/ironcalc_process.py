"""The process in which IronCalc recalculates files: it reads requests from stdin and answers each on stdout."""

from __future__ import annotations

import json
import os
import sys
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

MEGABYTES = 180
"""For one file; a table of 40,000 iterations takes it."""


def main() -> None:
    """Answer requests until there are no more: one line each of JSON and then rows and columns, or numbers, packed."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # the engine prints noise of its own
    # installed for one user or into a folder of its own, it lies beside this package, which is looked at last
    sys.path.append(str(Path(__file__).parents[3]))
    import ironcalc

    from xlbackprop.checker import memory

    memory.limit(MEGABYTES)
    requests = sys.stdin.buffer
    while line := requests.readline():
        request = json.loads(line)
        sheets = {
            name: (array("I", requests.read(8 * count)), blocks) for name, (count, blocks) in request["sheets"].items()
        }
        _answer(ironcalc.load_from_xlsx(request["path"], "en", "UTC", "en"), sheets, answers)


def _answer(model: Any, sheets: dict[str, tuple[array[int], list[Any]]], answers: IO[bytes]) -> None:
    """Send the values of cells, sheet by sheet: those that are no number by their index, the others in their order."""
    model.evaluate()
    numbers = {sheet["name"]: index for index, sheet in enumerate(model.get_worksheets_properties())}
    for name, (places, blocks) in sheets.items():
        values, others = array("d"), {}
        for row, column in _cells(places, blocks) if name in numbers else ():
            value = model.get_cell_value(numbers[name], row, column)
            if isinstance(value, int | float) and value == value:
                values.append(value)
            else:
                others[len(values)] = "#NUM!" if isinstance(value, float) else value
                values.append(0.0)
        answers.write(json.dumps({"known": len(values), "others": others}).encode() + b"\n" + values.tobytes())
    answers.flush()


def _cells(places: array[int], blocks: list[Any]) -> Iterator[tuple[int, int]]:
    """Rows and columns one after the other, and then all those of blocks: so many rows from the first, of columns."""
    yield from zip(places[::2], places[1::2], strict=True)
    for first, count, columns in blocks:
        yield from ((row, column) for row in range(first, first + count) for column in columns)


if __name__ == "__main__":
    main()
