"""Recalculation: what the formulas of a file really give, by a spreadsheet engine in a process of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from msgspec import Struct

from xlbackprop.check.book import Book, read
from xlbackprop.check.container import UnreadableError
from xlbackprop.check.formula import Position
from xlbackprop.errors import UserError

TIME_LIMIT = 20.0
"""Seconds for the embedded engine; the largest hand-made workbooks take 0.1."""
LIBREOFFICE_TIME_LIMIT = 120.0


class Recalculated(Struct, frozen=True):
    """The values of formula cells; why there are none, when there are none."""

    values: Mapping[Position, float | str]
    problem: str = ""


class Engine:
    """IronCalc in a process of its own, started early so that it is ready when the cells are known."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "xlbackprop.check._ironcalc"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except OSError:
            self._process = None

    def ask(self, book: Book) -> None:
        """Begin to recalculate a workbook whose container was found safe."""
        if self._process is None:
            return
        cells = {
            sheet.name: [place for place, cell in sheet.cells.items() if cell.formula is not None]
            for sheet in book.sheets
        }
        request = json.dumps({"path": str(book.path), "cells": cells}).encode()
        stream: IO[bytes] | None = self._process.stdin
        try:
            if stream is not None:
                stream.write(request)
                stream.close()
                self._process.stdin = None
        except OSError:
            self.stop()

    def answer(self) -> Recalculated:
        """The values, waited for no longer than the time limit."""
        process = self._process
        if process is None:
            return Recalculated({}, "the recalculation could not be started")
        try:
            output, _ = process.communicate(timeout=TIME_LIMIT)
        except subprocess.TimeoutExpired:
            self.stop()
            return Recalculated({}, f"the recalculation took more than {TIME_LIMIT:g} seconds and was stopped")
        _, _, text = output.rpartition(b"\x1e")
        if process.returncode or not text:
            return Recalculated({}, "IronCalc could not recalculate this file")
        answer = json.loads(text)
        values: dict[Position, float | str] = {}
        for sheet, cells in answer.items():
            for row, column, value in cells:
                values[sheet, row, column] = float(value) if isinstance(value, int | float) else value
        return Recalculated(values)

    def stop(self) -> None:
        """End the process, whatever it is doing."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def with_libreoffice(book: Book) -> Recalculated:
    """The values by LibreOffice.

    Raises:
        UserError: it is not installed, or cannot open the file.
    """
    program = shutil.which("soffice") or shutil.which("libreoffice")
    if program is None:
        raise UserError(
            "--engine libreoffice: LibreOffice (soffice) is not installed; leave the option out to use IronCalc"
        )
    with tempfile.TemporaryDirectory() as folder:
        stripped = Path(folder) / "in.xlsx"
        _without_values(book, stripped)
        command = [
            program,
            f"-env:UserInstallation={(Path(folder) / 'profile').as_uri()}",
            "--headless",
            "--convert-to",
            "xlsx",
            "--outdir",
            str(Path(folder) / "out"),
            str(stripped),
        ]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=LIBREOFFICE_TIME_LIMIT)
            result = read(Path(folder) / "out" / "in.xlsx")
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


def _without_values(book: Book, target: Path) -> None:
    """A copy without the values of its formulas: LibreOffice would show those instead of calculating."""
    import re
    import zipfile

    sheets = {sheet.part for sheet in book.sheets}
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as copy:
        for name in sorted(book.container.names):
            if name.endswith("/") or "externalLink" in name:
                continue
            data = book.container.read(name)
            if name in sheets:
                data = re.sub(rb"(</f>|<f [^>]*/>)\s*<v>[^<]*</v>", rb"\1", data)
            copy.writestr(name, data)
