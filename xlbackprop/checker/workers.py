"""Workers: processes that check files one after the other, each file with a deadline and a memory limit."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from subprocess import Popen
from threading import Event, Thread
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from xlbackprop.checker.report.findings import Report
from xlbackprop.ground import programs
from xlbackprop.ground.errors import UserError, message_of, one_of, shown
from xlbackprop.ground.files import absolute_path
from xlbackprop.ground.watch import Watch

if TYPE_CHECKING:
    from xlbackprop.checker.table.column_map import Map

ENGINES = ("ironcalc", "libreoffice")
"""What recalculates a workbook."""

SECONDS = 10.0
"""For one file, over everything: reading, recognising, recalculating, judging, marking a copy."""
SECONDS_WITH_LIBREOFFICE = 150.0
"""LibreOffice alone may take ten seconds to start."""
MEGABYTES = 320
"""For reading and judging one file, and for marking a copy; with the process that recalculates, 500 altogether."""
_SECONDS_TO_START = 60.0
_CANNOT_START = "the process that checks files cannot be started"
_FILES_A_WORKER = 3
"""A second worker for fewer files takes longer to start than it saves."""


class Answer(Struct, frozen=True, omit_defaults=True):
    """What a worker says while it checks a file, or at the end of that."""

    formulas: int | None = None
    """How many formulas the file has, once that is known."""
    report: Report | None = None
    lost: tuple[str, ...] | None = None
    """The marked copy was written; what could not be kept in it."""
    problem: str | None = None
    out_of_memory: bool = False
    done: bool = False
    fit: bool = True
    """Whether the worker can check another file."""


class Request(Struct, frozen=True):
    """A file to check, and how."""

    path: Path
    engine: str
    table_map: Map | None = None
    copy: Path | None = None
    """Where to write the marked copy."""


class Outcome(Struct, frozen=True):
    """What became of a request."""

    report: Report
    lost: tuple[str, ...] | None = None
    """What the marked copy could not keep; None where there is none."""
    problem: str = ""
    """Why there is no marked copy, though a report."""


def check(path: str | Path, *, engine: str = "ironcalc", map_file: str | Path | None = None) -> Report:
    """Tell whether a backpropagation spreadsheet, ours or anybody's, is right; `docs/check.md` has every field.

    The file is read in a process of its own, within the limits on time and memory. One that cannot be read or is not
    recognised is no error but a report whose status says so.

    Args:
        path: the workbook, `.xlsx` or `.ods`, or numbers as `.csv`.
        engine: what recalculates it, `ironcalc` or `libreoffice`.
        map_file: a TOML file that says which quantity stands in which column, when the labels do not.

    Raises:
        UserError: the map cannot be used, or LibreOffice was asked for and is not there.
    """
    with checked_by_workers(requests([Path(path)], engine, map_file)) as outcomes:
        ((_, outcome),) = outcomes
    return replace(outcome.report, file=str(path))


def requests(
    files: Sequence[Path], engine: str, map_file: str | Path | None, copy: Path | None = None
) -> list[Request]:
    """The requests to check files with the same options.

    Raises:
        UserError: the map cannot be used, there is no such engine, or LibreOffice was asked for and is not there.
    """
    if engine not in ENGINES:
        raise UserError(f"engine: found {shown(engine)}, expected {one_of(ENGINES, engine)}")
    if engine == "libreoffice":
        from xlbackprop.checker.file.recalculate import require_libreoffice

        require_libreoffice()
    table_map = None
    if map_file is not None:
        from xlbackprop.checker.table.column_map import load

        table_map = load(Path(map_file))
    return [Request(path, engine, table_map, copy) for path in files]


@contextmanager
def checked_by_workers(requests: Sequence[Request]) -> Iterator[Iterator[tuple[int, Outcome]]]:
    """What becomes of each request, with its number, in the order in which they end.

    Whatever ends the work early, no process and no temporary file of it remains.
    """
    waiting: SimpleQueue[tuple[int, Request]] = SimpleQueue()
    for numbered in enumerate(requests):
        waiting.put(numbered)
    results: SimpleQueue[tuple[int, Outcome]] = SimpleQueue()
    stopped = Event()
    count = max(1, min(os.cpu_count() or 1, len(requests) // _FILES_A_WORKER))
    with tempfile.TemporaryDirectory(prefix="xlbackprop-", ignore_cleanup_errors=True) as folder:
        workers = [_Worker(Path(folder), stopped) for _ in range(count)]
        threads = [Thread(target=_work, args=(worker, waiting, results), daemon=True) for worker in workers]
        try:
            for thread in threads:
                thread.start()
        except RuntimeError as error:
            raise UserError(f"{_CANNOT_START} ({error})") from error
        try:
            yield (_next(results) for _ in requests)
        finally:
            stopped.set()
            for worker in workers:
                worker.interrupt()
            for thread in threads:
                thread.join()


def _next(results: SimpleQueue[tuple[int, Outcome]]) -> tuple[int, Outcome]:
    while True:
        try:
            return results.get(timeout=0.5)  # Ctrl-C is heard between two waits where it does not end one
        except Empty:
            pass


def _work(
    worker: _Worker, waiting: SimpleQueue[tuple[int, Request]], results: SimpleQueue[tuple[int, Outcome]]
) -> None:
    try:
        while True:
            number, request = waiting.get_nowait()
            results.put((number, _checked(worker, request)))
    except Empty:
        pass
    finally:
        worker.end()


def _checked(worker: _Worker, request: Request) -> Outcome:
    try:
        return worker.check(request)
    except Exception as error:  # whatever it is, somebody waits for the outcome
        worker.end()
        return Outcome(Report("", "unreadable", message_of(error)))


class _Worker:
    """One process at a time, replaced when a file has ended it."""

    def __init__(self, scratch: Path, stopped: Event) -> None:
        self._scratch = scratch
        self._stopped = stopped
        self._process: Popen[bytes] | None = None

    def check(self, request: Request) -> Outcome:
        """Let the process check one file, and end it when it takes too long or breaks."""
        seconds = SECONDS if request.engine == "ironcalc" else SECONDS_WITH_LIBREOFFICE
        said: list[Answer] = []
        late = False
        if self._started():
            said, late = self._ask(request, seconds)
        if not said or not said[-1].done or not said[-1].fit:
            self.end()
        return _outcome(request, said, seconds if late else None)

    def interrupt(self) -> None:
        """End the process from another thread."""
        if self._process is not None:
            programs.kill(self._process)

    def end(self) -> None:
        """End the process, if there is one."""
        if self._process is not None:
            programs.end(self._process)
            self._process = None

    def _started(self) -> bool:
        if self._process is None and not self._stopped.is_set():
            try:
                script = Path(__file__).with_name("worker_process.py")
                self._process = programs.start_python(script, self._scratch)
            except OSError as error:
                raise UserError(f"{_CANNOT_START} ({error.strerror})") from error
            said: list[Answer] = []
            if not self._stopped.is_set():
                said, _ = self._heard(_SECONDS_TO_START)
            if not said:
                self.end()
                raise UserError(f"{_CANNOT_START} (it ended at once)")
        return self._process is not None and not self._stopped.is_set()

    def _ask(self, request: Request, seconds: float) -> tuple[list[Answer], bool]:
        assert self._process is not None
        assert self._process.stdin is not None
        words = {
            "path": str(absolute_path(request.path)),
            "engine": request.engine,
            "table_map": msgspec.to_builtins(request.table_map),
            "copy": None if request.copy is None else str(request.copy),
        }
        try:
            self._process.stdin.write(json.dumps(words).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            pass  # it has ended; the missing answer tells
        return self._heard(seconds)

    def _heard(self, seconds: float) -> tuple[list[Answer], bool]:
        """The answers until the last, waited for no longer than so; whether the time was over before it."""
        process = self._process
        assert process is not None
        assert process.stdout is not None
        watch = Watch(process, seconds)
        said: list[Answer] = []
        try:
            for line in process.stdout:
                said.append(msgspec.json.decode(line, type=Answer))
                if said[-1].done:
                    break
        except msgspec.DecodeError:
            pass  # cut off in the middle
        finally:
            watch.stop()
        return said, watch.is_late


def _outcome(request: Request, said: Sequence[Answer], seconds: float | None) -> Outcome:
    """What a worker's answers come to; `seconds` is how long it took when it was stopped."""
    report = next((answer.report for answer in said if answer.report is not None), None)
    lost = next((answer.lost for answer in said if answer.lost is not None), None)
    formulas = next((answer.formulas for answer in said if answer.formulas is not None), None)
    size = "" if formulas is None else f" ({formulas:,} formulas)"
    done = any(answer.done for answer in said)
    problem = next((answer.problem for answer in said if answer.problem is not None), "")
    if seconds is not None and not done:
        problem = f"this took more than {seconds:g} seconds and was stopped{size}"
    elif any(answer.out_of_memory for answer in said):
        problem = f"this needs more than {MEGABYTES} MB of memory and was stopped{size}"
    elif not done:
        problem = f"this broke the process that does it{size}"
    if report is None:
        return Outcome(Report("", "unreadable", problem))
    return Outcome(report, lost, problem)
