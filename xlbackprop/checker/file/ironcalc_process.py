"""The process in which IronCalc recalculates one file: it reads the request from stdin and answers on stdout."""

from __future__ import annotations

import json
import sys
from pathlib import Path

MEMORY_LIMIT = 4 << 30


def main() -> None:
    """Answer one request; the answer follows a record separator, since the engine prints noise of its own."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    except (ImportError, ValueError, OSError):
        pass  # not on this system; the time limit remains
    # installed for one user or into a folder of its own, it lies beside this package, which is looked at last
    sys.path.append(str(Path(__file__).parents[3]))
    import ironcalc

    request = json.loads(sys.stdin.buffer.read())
    model = ironcalc.load_from_xlsx(request["path"], "en", "UTC", "en")
    model.evaluate()
    numbers = {sheet["name"]: index for index, sheet in enumerate(model.get_worksheets_properties())}
    answer = {
        name: [
            (row, column, value)
            for row, column in cells
            if (value := model.get_cell_value(numbers[name], row, column)) is not None
        ]
        for name, cells in request["cells"].items()
        if name in numbers
    }
    sys.stdout.buffer.write(b"\x1e" + json.dumps(answer).encode())
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
