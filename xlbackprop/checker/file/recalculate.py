"""Recalculation: what the formulas of a file really give, by a spreadsheet engine in a process of its own."""

from __future__ import annotations

import atexit
import json
import re
import subprocess
import tempfile
import zipfile
from array import array
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from subprocess import Popen
from typing import Any

from msgspec import Struct

from xlbackprop.checker import memory
from xlbackprop.checker.file.book import Book, main_part, read, relationships
from xlbackprop.checker.file.cells import Sheet
from xlbackprop.checker.file.container import Container, UnreadableError
from xlbackprop.checker.file.formula import Position
from xlbackprop.checker.file.ironcalc_process import MEGABYTES
from xlbackprop.errors import UserError
from xlbackprop.grid import Coordinates
from xlbackprop.programs import Watch, convert, end, require_libreoffice, start_python

TIME_LIMIT = 6.0
"""Seconds for the embedded engine, from when it is asked; the largest hand-made workbooks take 0.1."""
LIBREOFFICE_TIME_LIMIT = 120.0
LIBREOFFICE_MEGABYTES = 4096
_MOST_FORMULAS_TO_GO_ON = 20_000
"""A process that has recalculated more is not used again, so that every file finds as much memory as the first."""

_KEPT = {"sharedStrings", "styles", "theme", "sheetMetadata"}
"""What a recalculation needs beside the sheets."""
_OVERRIDE = re.compile(rb"<(?:\w+:)?Override\b[^<>]*\bPartName=[\"']/([^\"']*)[\"'][^<>]*/>")
_ROOT = re.compile(rb"<((?:[\w.-]+:)?)worksheet\b[^<>]*>")
_TABLE_PARTS = re.compile(rb"<((?:[\w.-]+:)?)tableParts\b[^<>]*>.*?</\1tableParts\s*>", re.DOTALL)
_SPACE = "http://schemas.openxmlformats.org"
_EMPTY_SHEET = f'<worksheet xmlns="{_SPACE}/spreadsheetml/2006/main"><sheetData/></worksheet>'
_VALUE = re.compile(rb"(</f>|<f [^<>]*/>)\s*<v>[^<]*</v>")


class Values(Mapping[Position, float | str]):
    """Values by their position, kept sheet by sheet: with as many as a training has, they share what they can."""

    def __init__(self, by_sheet: Mapping[str, Mapping[Coordinates, float | str]]) -> None:
        self._by_sheet = by_sheet

    def __getitem__(self, position: Position) -> float | str:
        return self._by_sheet[position[0]][position[1:]]

    def get(self, position: Position, default: Any = None) -> Any:
        """The value in a cell; asked for every cell of a training, and most often known."""
        values = self._by_sheet.get(position[0])
        return default if values is None else values.get(position[1:], default)

    def __contains__(self, position: object) -> bool:
        return isinstance(position, tuple) and position[1:] in self._by_sheet.get(position[0], {})

    def __iter__(self) -> Iterator[Position]:
        return ((name, *place) for name, values in self._by_sheet.items() for place in values)

    def __len__(self) -> int:
        return sum(map(len, self._by_sheet.values()))


class Recalculated(Struct, frozen=True):
    """The values of formula cells; why there are none, when there are none."""

    values: Mapping[Position, float | str]
    problem: str = ""


_idle: list[Popen[bytes]] = []
"""Processes that wait for another file."""


class Engine:
    """IronCalc in a process of its own, started early so that it is ready when the cells are known."""

    def __init__(self) -> None:
        self._process = _idle.pop() if _idle else _start()
        self._places: dict[str, list[Coordinates]] = {}
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._watch: Watch | None = None

    def ask(self, book: Book, sheets: Sequence[Sheet]) -> None:
        """Begin to recalculate some sheets of a workbook, which read no others, without anything around them."""
        self._places = {
            sheet.name: [place for place, cell in sheet.cells.items() if cell.formula is not None] for sheet in sheets
        }
        self._folder = tempfile.TemporaryDirectory(prefix="xlbackprop-")
        copy = Path(self._folder.name) / "sheets.xlsx"
        _write_sheets(book, sheets, copy)
        if self._process is None or self._process.stdin is None:
            return
        self._watch = Watch(self._process, TIME_LIMIT)
        counts = {name: len(places) for name, places in self._places.items()}
        try:
            self._process.stdin.write(json.dumps({"path": str(copy), "sheets": counts}).encode() + b"\n")
            for places in self._places.values():
                self._process.stdin.write(array("I", [each for place in places for each in place]).tobytes())
            self._process.stdin.flush()
        except OSError:
            pass  # it has ended; the missing answer tells

    def answer(self) -> Recalculated:
        """The values, waited for no longer than the time limit."""
        values = self._received()
        late = self._stop_watch()
        if values is not None:
            if not late and len(values) <= _MOST_FORMULAS_TO_GO_ON and self._process is not None:
                _idle.append(self._process)
                self._process = None
            return Recalculated(values)
        if late:
            return Recalculated({}, f"the recalculation took more than {TIME_LIMIT:g} seconds and was stopped")
        return Recalculated({}, f"IronCalc could not recalculate this file with {MEGABYTES} MB of memory")

    def stop(self) -> None:
        """End the process, whatever it is doing, unless it waits for another file."""
        if self._watch is None and self._process is not None:
            _idle.append(self._process)
            self._process = None
        self._stop_watch()
        if self._process is not None:
            end(self._process)
            self._process = None
        if self._folder is not None:
            self._folder.cleanup()

    def _stop_watch(self) -> bool:
        """Whether the process was too late."""
        if self._watch is None:
            return False
        self._watch.stop()
        return self._watch.is_late

    def _received(self) -> Values | None:
        """The values of the process's answer; None when it could not read the file."""
        if self._process is None or self._process.stdout is None:
            return None
        stream = self._process.stdout
        found: dict[str, dict[Coordinates, float | str]] = {}
        for name, places in self._places.items():
            line = stream.readline()
            if not line:
                return None
            head = json.loads(line)
            packed = stream.read(8 * head["known"])
            if len(packed) < 8 * head["known"]:
                return None
            values: dict[Coordinates, float | str] = dict(zip(places, array("d", packed), strict=False))
            found[name] = values
            for index, other in head["others"].items():
                if other is None:
                    del values[places[int(index)]]
                else:
                    values[places[int(index)]] = other
        return Values(found)


@atexit.register
def _end_idle() -> None:
    while _idle:
        end(_idle.pop())


def _start() -> Popen[bytes] | None:
    try:
        return start_python(Path(__file__).with_name("ironcalc_process.py"))
    except OSError:
        return None


def with_libreoffice(book: Book, sheets: Sequence[Sheet]) -> Recalculated:
    """The values of some sheets, which read no others, by LibreOffice.

    Raises:
        UserError: it is not installed, or cannot open the file.
    """
    program = require_libreoffice("--engine libreoffice", "leave the option out to use IronCalc")
    with tempfile.TemporaryDirectory(prefix="xlbackprop-") as folder, memory.lifted(LIBREOFFICE_MEGABYTES):
        scratch = Path(folder)
        stripped = scratch / "in.xlsx"
        _write_sheets(book, sheets, stripped, with_values=False)
        try:
            convert(program, stripped, "xlsx", scratch / "out", seconds=LIBREOFFICE_TIME_LIMIT).check_returncode()
            result = read(scratch / "out" / "in.xlsx")
        except (OSError, subprocess.SubprocessError, UnreadableError) as error:
            raise UserError(f"--engine libreoffice: LibreOffice could not recalculate {book.path}") from error
    values: dict[Position, float | str] = {}
    for sheet in sheets:
        other = result.by_name.get(sheet.name)
        for place, cell in sheet.cells.items():
            found = other.cells.get(place) if other is not None and cell.formula is not None else None
            if found is not None and found.value is not None:
                values[sheet.name, *place] = found.value
    return Recalculated(values)


def _write_sheets(book: Book, sheets: Sequence[Sheet], target: Path, *, with_values: bool = True) -> None:
    """A copy with the rows of some sheets and nothing around them that an engine could stumble over, or swell by.

    The other sheets are empty. LibreOffice would show stored values and calculate nothing.
    """
    container, main = book.container, main_part(book.container)
    wanted, every = {sheet.part for sheet in sheets}, {sheet.part for sheet in book.sheets}
    parts = {"": {main}, main: every | _related(container, main, _KEPT)}
    parts |= {part: _related(container, part, {"table"}) for part in wanted}
    kept = set().union(*parts.values()) & container.names
    with zipfile.ZipFile(target, "w") as copy:
        types = container.read("[Content_Types].xml")
        known = _OVERRIDE.sub(lambda match: match[0] if match[1].decode("utf-8", "replace") in kept else b"", types)
        copy.writestr("[Content_Types].xml", known)
        for source, targets in parts.items():
            _write_relationships(copy, container, source, targets & kept)
        for part in sorted(kept):
            if part in every - wanted:
                copy.writestr(part, _EMPTY_SHEET)
                continue
            data = container.read(part)
            if part in wanted:
                data = _rows_of(data, with_tables=bool(parts[part]))
                if not with_values:
                    data = _VALUE.sub(rb"\1", data)
            copy.writestr(part, data)


def _related(container: Container, part: str, kinds: set[str]) -> set[str]:
    return {target for kind, target in relationships(container, part).values() if kind in kinds}


def _write_relationships(copy: zipfile.ZipFile, container: Container, part: str, targets: set[str]) -> None:
    """The relationships of a part to those parts that are kept."""
    lines = [
        f'<Relationship Id="{_escaped(name)}" Type="{_SPACE}/officeDocument/2006/relationships/{kind}"'
        f' Target="/{_escaped(target)}"/>'
        for name, (kind, target) in relationships(container, part).items()
        if target in targets
    ]
    folder, _, name = part.rpartition("/")
    text = f'<Relationships xmlns="{_SPACE}/package/2006/relationships">{"".join(lines)}</Relationships>'
    copy.writestr(f"{folder}/_rels/{name}.rels".lstrip("/"), text)


def _escaped(text: str) -> str:
    """A text as the value of an attribute."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")


def _rows_of(data: bytes, *, with_tables: bool) -> bytes:
    """A sheet's part with its rows alone, and with what says which tables stand on it."""
    root = _ROOT.search(data)
    first, last = data.find(b"sheetData"), data.rfind(b"sheetData")
    if root is None or first < 0:
        return data
    rows = data[data.rfind(b"<", 0, first) : data.find(b">", last) + 1]
    tables = _TABLE_PARTS.search(data, last) if with_tables else None
    return data[: root.end()] + rows + (tables[0] if tables else b"") + b"</" + root[1] + b"worksheet>"
