"""The writer: a workbook as a file, with the same bytes for the same workbook."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from xlbackprop.ground.files import atomic_write
from xlbackprop.ground.progress import Listener, nobody
from xlbackprop.workbook.xlsx import frame, package
from xlbackprop.workbook.xlsx.book import Workbook
from xlbackprop.workbook.xlsx.drawing import Drawing
from xlbackprop.workbook.xlsx.rows import SheetContent, columns_of, rows_of
from xlbackprop.workbook.xlsx.spelling import DECLARATION, MAIN, REFERENCES

_FIRST_ZIP_DAY = (1980, 1, 1, 0, 0, 0)
_LEVEL, _FAST_LEVEL, _STRATEGY = 5, 3, zlib.Z_FILTERED
"""Of zlib, for texts full of digits that do not repeat: a file smaller by an eighth than with level 3, in twice the
time; 6 takes longer for next to nothing."""
_LONGEST_CELL = 150
"""Characters of a cell that shares its formula, amply estimated: tags, address, style and value."""
_VERY_LARGE = 1 << 28
"""Characters; a part with more is compressed fast, since zlib would take longer than all else that is done for it."""


def save(workbook: Workbook, contents: Sequence[SheetContent], path: Path, listener: Listener = nobody) -> None:
    """Write a workbook with some sheets beside `path` first and into place when it is complete.

    Raises:
        UserError: the file cannot be written or is open in a spreadsheet program; what was there is untouched.
    """
    with atomic_write(path) as temporary, ZipFile(temporary, "w", ZIP_DEFLATED) as archive:
        _Writer(archive, listener).write(workbook, contents)


class _Writer:
    """Writes the parts of one file."""

    def __init__(self, archive: ZipFile, listener: Listener) -> None:
        self._archive = archive
        self._listener = listener
        self._types: dict[str, str] = {}
        """What each part is, by its path."""

    def write(self, workbook: Workbook, contents: Sequence[SheetContent]) -> None:
        """Write every part of the file."""
        self._put("docProps/app.xml", package.APPLICATION, f"{_OFFICE}.extended-properties")
        self._put("docProps/core.xml", package.core_properties(workbook), "vnd.openxmlformats-package.core-properties")
        if workbook.properties:
            own = package.custom_properties(workbook.properties)
            self._put("docProps/custom.xml", own, f"{_OFFICE}.custom-properties")
        self._put("xl/theme/theme1.xml", package.THEME, f"{_OFFICE}.theme")
        for number, content in enumerate(contents, 1):
            self._write_sheet(number, content)
        self._put("xl/styles.xml", workbook.styles.written(), f"{_OFFICE}.spreadsheetml.styles")
        book = package.book([content.frame for content in contents], workbook.names)
        self._put("xl/workbook.xml", book, f"{_OFFICE}.spreadsheetml.sheet.main")
        sheets = [("worksheet", f"worksheets/sheet{number}.xml") for number, _ in enumerate(contents, 1)]
        self._relate("xl/", "workbook.xml", [*sheets, ("styles", "styles.xml"), ("theme", "theme/theme1.xml")])
        self._relate("", "", package.ROOT[: 4 if workbook.properties else 3])
        self._put("[Content_Types].xml", package.content_types(self._types))

    def _write_sheet(self, number: int, content: SheetContent) -> None:
        name, related, drawing, table = f"sheet{number}.xml", [], "", ""
        if content.drawing:
            related.append(("drawing", f"../{self._write_drawing(content.drawing)}"))
            drawing = f"rId{len(related)}"
        if content.table:
            each = self._number("tables")
            path = f"tables/table{each}.xml"
            self._put(f"xl/{path}", frame.table(each, *content.table), f"{_OFFICE}.spreadsheetml.table")
            related.append(("table", f"../{path}"))
            table = f"rId{len(related)}"
        path = f"xl/worksheets/{name}"
        self._types[path] = f"{_OFFICE}.spreadsheetml.worksheet"
        above = content.frame.above(is_first=number == 1)
        below = content.frame.below(content.numerals(), drawing, table)
        with self._open(path, _most_characters(content)) as stream:
            stream.write(f"{_SHEET_OPENS}{above}{columns_of(content.columns)}<sheetData>".encode())
            _write_behind(stream, rows_of(content, self._listener))
            stream.write(f"</sheetData>{below}</worksheet>".encode())
        self._relate("xl/worksheets/", name, related)

    def _write_drawing(self, drawing: Drawing) -> str:
        """Write a drawing and its charts; give its path within the book."""
        name, charts = f"drawing{self._number('drawings')}.xml", []
        for chart in drawing.charts:
            path = f"charts/chart{self._number('charts')}.xml"
            self._put(f"xl/{path}", chart, f"{_OFFICE}.drawingml.chart")
            charts.append(("chart", f"../{path}"))
        self._put(f"xl/drawings/{name}", drawing.written(), f"{_OFFICE}.drawing")
        self._relate("xl/drawings/", name, charts)
        return f"drawings/{name}"

    def _number(self, folder: str) -> int:
        """The number of the next part in a folder."""
        return 1 + sum(path.startswith(f"xl/{folder}/") for path in self._types)

    def _relate(self, folder: str, name: str, targets: Sequence[tuple[str, str]]) -> None:
        """Write what a part refers to, if anything."""
        if targets:
            self._put(f"{folder}_rels/{name}.rels", package.relationships(targets))

    def _put(self, path: str, xml: str, kind: str = "") -> None:
        if kind:
            self._types[path] = kind
        with self._open(path, len(xml)) as stream:
            stream.write(xml.encode())

    def _open(self, path: str, size: int) -> IO[bytes]:
        """A part of so many characters at most to write to, which carries no time of writing."""
        entry = ZipInfo(path, date_time=_FIRST_ZIP_DAY)
        entry.external_attr = 0o600 << 16
        # the large kind of entry, for what may pass two gigabytes, is refused by some readers, so that no other has it
        stream = self._archive.open(entry, "w", force_zip64=size > 1 << 30)
        level = _FAST_LEVEL if size > _VERY_LARGE else _LEVEL
        # zipfile passes no strategy on, and makes a compressor of its own for what is to be deflated when it is opened
        entry.compress_type = ZIP_DEFLATED
        stream._compressor = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS, strategy=_STRATEGY)  # type: ignore[attr-defined]
        return stream


_OFFICE = "vnd.openxmlformats-officedocument"
_SHEET_OPENS = f'{DECLARATION}<worksheet xmlns="{MAIN}" xmlns:r="{REFERENCES}">'


def _write_behind(stream: IO[bytes], chunks: Iterator[bytes]) -> None:
    """Write all chunks; from the second on, one is compressed while the next is being made, on another core."""
    stream.write(next(chunks, b""))
    following = next(chunks, None)
    if following is None:
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(max_workers=1) as worker:
        writing = worker.submit(stream.write, following)
        for chunk in chunks:
            writing.result()
            writing = worker.submit(stream.write, chunk)
        writing.result()


def _most_characters(content: SheetContent) -> int:
    """How long the XML of a sheet may be, amply estimated."""
    return _LONGEST_CELL * sum(len(block.rows) * len(block.columns) for block in content.blocks)
