"""Recalculation: what the formulas of a file really give, by a spreadsheet engine in a process of its own."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from xlbackprop.checker.file.book import Book, read
from xlbackprop.checker.file.container import UnreadableError
from xlbackprop.checker.file.formula import Position
from xlbackprop.errors import UserError
from xlbackprop.programs import LIBREOFFICE, convert, end, find, start_python

TIME_LIMIT = 20.0
"""Seconds for the embedded engine; the largest hand-made workbooks take 0.1."""
LIBREOFFICE_TIME_LIMIT = 120.0


_REFERRING = re.compile(rb"<(legacyDrawing|drawing|hyperlink|tablePart)\b[^<>]*/>|</?(hyperlinks|tableParts)\b[^<>]*>")
"""The elements of a sheet that refer to parts around it."""
_AROUND = re.compile(
    rb"<(Relationship|Override)\b[^<>]*(drawing|comment|chart|externalLink|calcChain|printer|docProps)[^<>]*/>"
)
_VALUE = re.compile(rb"(</f>|<f [^<>]*/>)\s*<v>[^<]*</v>")


class Recalculated(Struct, frozen=True):
    """The values of formula cells; why there are none, when there are none."""

    values: Mapping[Position, float | str]
    problem: str = ""


class Engine:
    """IronCalc in a process of its own, started early so that it is ready when the cells are known."""

    def __init__(self) -> None:
        self._process = _start()
        self._book: Book | None = None

    def ask(self, book: Book) -> None:
        """Begin to recalculate a workbook whose container was found safe."""
        self._book = book
        _send(self._process, book, book.path)

    def answer(self) -> Recalculated:
        """The values, waited for no longer than the time limit."""
        assert self._book is not None
        try:
            values = _receive(self._process)
            if values is None:
                # the engine stumbles over some comments and links: once more, with the sheets alone
                with tempfile.TemporaryDirectory() as folder:
                    sheets = Path(folder) / "sheets.xlsx"
                    _write_sheets(self._book, sheets)
                    self._process = _start()
                    _send(self._process, self._book, sheets)
                    values = _receive(self._process)
        except subprocess.TimeoutExpired:
            self.stop()
            return Recalculated({}, f"the recalculation took more than {TIME_LIMIT:g} seconds and was stopped")
        if values is None:
            return Recalculated({}, "IronCalc could not recalculate this file")
        return Recalculated(values)

    def stop(self) -> None:
        """End the process, whatever it is doing."""
        if self._process is not None:
            end(self._process)
            self._process = None


def _start() -> subprocess.Popen[bytes] | None:
    try:
        return start_python(Path(__file__).with_name("ironcalc_process.py"))
    except OSError:
        return None


def _send(process: subprocess.Popen[bytes] | None, book: Book, path: Path) -> None:
    if process is None or process.stdin is None:
        return
    cells = {
        sheet.name: [place for place, cell in sheet.cells.items() if cell.formula is not None] for sheet in book.sheets
    }
    try:
        process.stdin.write(json.dumps({"path": str(path.absolute()), "cells": cells}).encode())
        process.stdin.close()
        process.stdin = None
    except OSError:
        process.stdin = None  # it has ended; the missing answer tells


def _receive(process: subprocess.Popen[bytes] | None) -> dict[Position, float | str] | None:
    """The values of a process's answer; None when it could not read the file."""
    if process is None:
        return None
    output, _ = process.communicate(timeout=TIME_LIMIT)
    _, _, text = output.rpartition(b"\x1e")
    if process.returncode or not text:
        return None
    return {
        (sheet, row, column): float(value) if isinstance(value, int | float) else value
        for sheet, cells in json.loads(text).items()
        for row, column, value in cells
    }


def with_libreoffice(book: Book) -> Recalculated:
    """The values by LibreOffice.

    Raises:
        UserError: it is not installed, or cannot open the file.
    """
    program = find(LIBREOFFICE)
    if program is None:
        raise UserError(
            "--engine libreoffice: LibreOffice (soffice) is not installed; leave the option out to use IronCalc"
        )
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        stripped = scratch / "in.xlsx"
        _write_sheets(book, stripped, with_values=False)
        try:
            convert(program, stripped, "xlsx", scratch / "out", seconds=LIBREOFFICE_TIME_LIMIT).check_returncode()
            result = read(scratch / "out" / "in.xlsx")
        except (OSError, subprocess.SubprocessError, UnreadableError) as error:
            raise UserError(f"--engine libreoffice: LibreOffice could not recalculate {book.path}") from error
    values: dict[Position, float | str] = {}
    for sheet in book.sheets:
        other = result.by_name.get(sheet.name)
        for place, cell in sheet.cells.items():
            found = other.cells.get(place) if other is not None and cell.formula is not None else None
            if found is not None and found.value is not None:
                values[sheet.name, *place] = found.value
    return Recalculated(values)


def _write_sheets(book: Book, target: Path, *, with_values: bool = True) -> None:
    """A copy with the sheets and nothing around them; LibreOffice would show stored values and calculate nothing."""
    sheets = {sheet.part for sheet in book.sheets}
    kept = sheets | {name for name in book.container.names if not name.startswith(("xl/worksheets/", "docProps/"))}
    kept -= {name for name in kept if re.search(r"drawing|comment|media|chart|externalLink|calcChain|printer|/$", name)}
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as copy:
        for name in sorted(kept):
            data = book.container.read(name)
            if name in sheets:
                data = _REFERRING.sub(b"", data)
                if not with_values:
                    data = _VALUE.sub(rb"\1", data)
            elif name.endswith((".rels", "[Content_Types].xml")):
                data = _AROUND.sub(b"", data)
            copy.writestr(name, data)
