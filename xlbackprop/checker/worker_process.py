"""The process in which files are checked: it reads one request a line from stdin and answers each on stdout."""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

_FIT_FOR_ANOTHER = 200
"""Megabytes that a process may have taken and still check the next file with as much room as the first."""


def main() -> None:
    """Answer requests until there are no more; the last answer to each says `done`."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # nothing else that prints can answer
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("OPENPYXL_LXML", "False")
    # installed for one user or into a folder of its own, the package is found beside this script, looked at last
    sys.path.append(str(Path(__file__).parents[2]))
    _import_own_package()
    import msgspec

    from xlbackprop.checker import checking, memory, workers  # noqa: F401  # loaded before any file is timed
    from xlbackprop.checker.workers import Answer
    from xlbackprop.ground import programs

    def say(answer: Answer) -> None:
        answers.write(msgspec.json.encode(answer) + b"\n")
        answers.flush()

    programs.remain_in_group()
    memory.limit(workers.MEGABYTES)
    gc.collect()
    gc.freeze()
    gc.disable()  # reading makes millions of small things and no circles
    say(Answer(done=True))
    for line in sys.stdin.buffer:
        fit = _answer(json.loads(line), say) and memory.peak() < _FIT_FOR_ANOTHER
        say(Answer(done=True, fit=fit))
        if not fit:
            return
        gc.collect()


def _import_own_package() -> None:
    """Import the package that this script belongs to: another of its name may be installed besides."""
    name, folder = "xlbackprop", Path(__file__).parents[1]
    spec = spec_from_file_location(name, folder / "__init__.py") if folder.name == name else None
    if spec is not None and spec.loader is not None:
        sys.modules[name] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])


def _answer(request: dict[str, Any], say: Callable[[Any], None]) -> bool:
    """Check one file and say what was found; whether the process is as good as new after it."""
    import msgspec
    from msgspec.structs import replace

    from xlbackprop.checker.checking import checked
    from xlbackprop.checker.table.column_map import Map
    from xlbackprop.checker.workers import Answer
    from xlbackprop.ground.errors import message_of

    try:
        table_map = None if request["table_map"] is None else msgspec.convert(request["table_map"], Map)
        found = checked(
            Path(request["path"]),
            engine=request["engine"],
            table_map=table_map,
            read=lambda formulas: say(Answer(formulas=formulas)),
        )
        say(Answer(report=replace(found.report, file="")))  # its name is the parent's affair, and may be no text
        if request["copy"] is not None and found.book is not None:
            from xlbackprop.checker.report.annotated_copy import annotate

            say(Answer(lost=annotate(found.book, found.report, Path(request["copy"]))))
    except MemoryError:
        say(Answer(out_of_memory=True))
        return False
    except Exception as error:
        say(Answer(problem=message_of(error)))
        return False
    return True


if __name__ == "__main__":
    main()
