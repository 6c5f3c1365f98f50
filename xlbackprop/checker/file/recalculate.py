"""Recalculation: what the formulas of a file really give, by a spreadsheet engine in a process of its own."""

from __future__ import annotations

import atexit
import json
import re
import subprocess
import tempfile
import zipfile
from array import array
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from pathlib import Path
from subprocess import Popen
from xml.sax.saxutils import quoteattr

import numpy as np
from msgspec import Struct

from xlbackprop.checker import memory
from xlbackprop.checker.file.book import Book, main_part, read, relationships
from xlbackprop.checker.file.cell_writer import write_cells
from xlbackprop.checker.file.cells import Block, Blocks, Sheet
from xlbackprop.checker.file.container import Container, UnreadableError
from xlbackprop.checker.file.ironcalc_process import MEGABYTES
from xlbackprop.checker.file.values import SheetValues, Values
from xlbackprop.engine import Array
from xlbackprop.ground import libreoffice
from xlbackprop.ground.errors import UserError
from xlbackprop.ground.grid import Coordinates
from xlbackprop.ground.programs import end, start_python
from xlbackprop.ground.watch import Watch

TIME_LIMIT = 6.0
"""Seconds for the embedded engine, from when it is asked; the largest hand-made workbooks take 0.1."""
LIBREOFFICE_TIME_LIMIT = 120.0
LIBREOFFICE_MEGABYTES = 4096
_MOST_FORMULAS_TO_GO_ON = 20_000
"""A process that has recalculated more is not used again, so that every file finds as much memory as the first."""

_KEPT = {"sharedStrings", "styles", "theme", "sheetMetadata"}
"""What a recalculation needs beside the sheets."""
_NOT_KNOWN = frozenset(["#VALUE!", "#NAME?", "#N/IMPL!", "#ERROR!"])
"""What IronCalc gives for what it cannot calculate, such as SUMPRODUCT(A1:A3,LN(B1:B3)): a number that another program
has stored is taken in its place."""
_OVERRIDE = re.compile(rb"<(?:\w+:)?Override\b[^<>]*\bPartName=[\"']/([^\"']*)[\"'][^<>]*/>")
_ROOT = re.compile(rb"<((?:[\w.-]+:)?)worksheet\b[^<>]*>")
_TABLE_PARTS = re.compile(rb"<((?:[\w.-]+:)?)tableParts\b[^<>]*>.*?</\1tableParts\s*>", re.DOTALL)
_SPACE = "http://schemas.openxmlformats.org"
_EMPTY_SHEET = f'<worksheet xmlns="{_SPACE}/spreadsheetml/2006/main"><sheetData/></worksheet>'
_VALUE = re.compile(rb"(</f>|<f [^<>]*/>)\s*<v>[^<]*</v>")


class Recalculated(Struct, frozen=True):
    """The values of formula cells; why there are none, when there are none."""

    values: Values
    problem: str = ""


_idle: list[Popen[bytes]] = []
"""Processes that wait for another file."""


class Engine:
    """IronCalc in a process of its own, started early so that it is ready when the cells are known."""

    def __init__(self) -> None:
        self._process = _idle.pop() if _idle else _start()
        self._places: list[tuple[Sheet, list[Coordinates]]] = []
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._watch: Watch | None = None

    def ask(self, book: Book, sheets: Sequence[Sheet]) -> None:
        """Begin to recalculate some sheets of a workbook, which read no others, without anything around them."""
        self._places = [
            (sheet, [place for place, cell in sheet.content.alone.items() if cell.formula is not None])
            for sheet in sheets
        ]
        self._folder = tempfile.TemporaryDirectory(prefix="xlbackprop-")
        copy = Path(self._folder.name) / "sheets.xlsx"
        _write_sheets(book, sheets, copy)
        if self._process is None or self._process.stdin is None:
            return
        self._watch = Watch(self._process, TIME_LIMIT)
        wanted = {
            sheet.name: (
                len(places),
                [(block.first, len(block.numbers), _calculated(block)) for block in sheet.content.blocks],
            )
            for sheet, places in self._places
        }
        try:
            self._process.stdin.write(json.dumps({"path": str(copy), "sheets": wanted}).encode() + b"\n")
            for _, places in self._places:
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
            return Recalculated(Values(), f"the recalculation took more than {TIME_LIMIT:g} seconds and was stopped")
        return Recalculated(Values(), f"IronCalc could not recalculate this file with {MEGABYTES} MB of memory")

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
        found = {}
        for sheet, places in self._places:
            line = stream.readline()
            if not line.endswith(b"\n"):
                return None
            head = json.loads(line)
            packed = stream.read(8 * head["known"])
            if len(packed) < 8 * head["known"]:
                return None
            others = {int(index): value for index, value in head["others"].items()}
            found[sheet.name] = _sheet_values(sheet, places, np.frombuffer(packed), others)
        return Values(found)


def _sheet_values(
    sheet: Sheet, places: Sequence[Coordinates], numbers: Array, others: Mapping[int, str | None]
) -> SheetValues:
    """The values of one sheet, of which there are none where it was not found.

    Args:
        sheet: the sheet.
        places: the formula cells outside blocks.
        numbers: what these give, and then those in blocks, row by row.
        others: the values that are no numbers, by their place among all.
    """
    alone: dict[Coordinates, float | str] = dict(zip(places, numbers.tolist(), strict=False))
    ends = [len(places)]
    blocks = list(sheet.content.blocks) if len(numbers) else []
    by_block = {}
    for block in blocks:
        calculated = _calculated(block)
        ends.append(ends[-1] + len(block.numbers) * len(calculated))
        whole = np.full(block.numbers.shape, np.nan)
        whole[:, [block.places[column] for column in calculated]] = numbers[ends[-2] : ends[-1]].reshape(
            len(block.numbers), len(calculated)
        )
        by_block[block.first] = whole
    for index, value in others.items():
        if index < len(places):
            place = places[index]
        else:
            which = bisect_right(ends, index) - 1
            block = blocks[which]
            calculated = _calculated(block)
            row, column = divmod(index - ends[which], len(calculated))
            place = (block.first + row, calculated[column])
            by_block[block.first][row, block.places[place[1]]] = np.nan
        if value is None or (value in _NOT_KNOWN and isinstance(sheet.cells[place].value, float)):
            alone.pop(place, None)
        else:
            alone[place] = value
    return SheetValues(alone, Blocks(blocks), by_block)


def _calculated(block: Block) -> list[int]:
    """The columns of a block that hold formulas."""
    return [column for column, place in block.places.items() if block.formulas[place] is not None]


@atexit.register
def _end_idle() -> None:
    while _idle:
        end(_idle.pop())


def _start() -> Popen[bytes] | None:
    try:
        return start_python(Path(__file__).with_name("ironcalc_process.py"))
    except OSError:
        return None


def require_libreoffice() -> str:
    """The path of LibreOffice's program.

    Raises:
        UserError: it is not installed.
    """
    words = "--engine libreoffice: LibreOffice (soffice) is not installed; leave the option out to use IronCalc"
    return libreoffice.require(words)


def with_libreoffice(book: Book, sheets: Sequence[Sheet]) -> Recalculated:
    """The values of some sheets, which read no others, by LibreOffice.

    Raises:
        UserError: it is not installed, cannot open the file, or takes too long.
    """
    program = require_libreoffice()
    with tempfile.TemporaryDirectory(prefix="xlbackprop-") as folder, memory.lifted(LIBREOFFICE_MEGABYTES):
        scratch = Path(folder)
        stripped = scratch / "in.xlsx"
        _write_sheets(book, sheets, stripped, with_values=False)
        try:
            done = libreoffice.convert(program, stripped, "xlsx", scratch / "out", seconds=LIBREOFFICE_TIME_LIMIT)
            done.check_returncode()
            result = read(scratch / "out" / "in.xlsx")
        except subprocess.TimeoutExpired as error:
            took = f"LibreOffice took more than {LIBREOFFICE_TIME_LIMIT:g} seconds to recalculate {book.path}"
            raise UserError(f"--engine libreoffice: {took} and was stopped") from error
        except (OSError, subprocess.SubprocessError, UnreadableError) as error:
            raise UserError(f"--engine libreoffice: LibreOffice could not recalculate {book.path}") from error
    values: dict[str, SheetValues] = {}
    for sheet in sheets:
        other = result.by_name.get(sheet.name)
        given = {} if other is None else {place: cell.value for place, cell in other.cells.items()}
        formulas = (place for place, cell in sheet.cells.items() if cell.formula is not None)
        values[sheet.name] = SheetValues(
            {place: value for place in formulas if (value := given.get(place)) is not None}
        )
    return Recalculated(Values(values))


def _write_sheets(book: Book, sheets: Sequence[Sheet], target: Path, *, with_values: bool = True) -> None:
    """A copy with the rows of some sheets and nothing around them that an engine could stumble over, or swell by.

    The other sheets are empty. LibreOffice would show stored values and calculate nothing.
    """
    if book.container.kind != "xlsx":
        return write_cells(sheets, target, with_values=with_values)
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
            pieces = _rows_of(data, with_tables=bool(parts[part])) if part in wanted else [memoryview(data)]
            with copy.open(part, "w") as stream:
                for piece in pieces:
                    stream.write(
                        piece if with_values or part not in wanted else _VALUE.sub(lambda match: match[1], piece)
                    )


def _related(container: Container, part: str, kinds: set[str]) -> set[str]:
    return {target for kind, target in relationships(container, part).values() if kind in kinds}


def _write_relationships(copy: zipfile.ZipFile, container: Container, part: str, targets: set[str]) -> None:
    """The relationships of a part to those parts that are kept."""
    lines = [
        f'<Relationship Id={quoteattr(name)} Type="{_SPACE}/officeDocument/2006/relationships/{kind}"'
        f" Target={quoteattr(f'/{target}')}/>"
        for name, (kind, target) in relationships(container, part).items()
        if target in targets
    ]
    folder, _, name = part.rpartition("/")
    text = f'<Relationships xmlns="{_SPACE}/package/2006/relationships">{"".join(lines)}</Relationships>'
    copy.writestr(f"{folder}/_rels/{name}.rels".lstrip("/"), text)


def _rows_of(data: bytes, *, with_tables: bool) -> list[memoryview]:
    """A sheet's part with its rows alone, and with what says which tables stand on it, piece by piece."""
    whole = memoryview(data)
    root = _ROOT.search(data)
    first, last = data.find(b"sheetData"), data.rfind(b"sheetData")
    if root is None or first < 0:
        return [whole]
    rows = whole[data.rfind(b"<", 0, first) : data.find(b">", last) + 1]
    tables = _TABLE_PARTS.search(data, last) if with_tables else None
    end = (tables[0] if tables else b"") + b"</" + root[1] + b"worksheet>"
    return [whole[: root.end()], rows, memoryview(end)]
