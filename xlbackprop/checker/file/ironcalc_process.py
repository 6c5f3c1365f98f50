"""The process in which IronCalc recalculates files: it reads requests from stdin and answers each on stdout."""

from __future__ import annotations

import json
import os
import sys
from array import array
from pathlib import Path
from typing import IO, Any

MEGABYTES = 160
"""For one file; a table of 30,000 iterations takes it."""


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
        places = {name: array("I", requests.read(8 * count)) for name, count in request["sheets"].items()}
        _answer(ironcalc.load_from_xlsx(request["path"], "en", "UTC", "en"), places, answers)


def _answer(model: Any, places: dict[str, array[int]], answers: IO[bytes]) -> None:
    """Send the values of cells, sheet by sheet: those that are no number by their index, the others in their order."""
    model.evaluate()
    numbers = {sheet["name"]: index for index, sheet in enumerate(model.get_worksheets_properties())}
    for name, cells in places.items():
        count = len(cells) // 2 if name in numbers else 0
        values, others = array("d", bytes(8 * count)), {}
        for index in range(count):
            value = model.get_cell_value(numbers[name], cells[2 * index], cells[2 * index + 1])
            if isinstance(value, int | float):
                values[index] = value
            else:
                others[index] = value
        answers.write(json.dumps({"known": count, "others": others}).encode() + b"\n" + values.tobytes())
    answers.flush()


if __name__ == "__main__":
    main()
