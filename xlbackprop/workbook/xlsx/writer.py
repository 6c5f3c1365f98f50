"""The writer: openpyxl's own, extended so that every formula carries its value and the same input gives the same bytes.

openpyxl writes the styles, names, charts, drawings and everything else around the rows, which come from `rows.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import IO, Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from openpyxl.packaging.relationship import Relationship
from openpyxl.workbook.workbook import Workbook
from openpyxl.worksheet._writer import WorksheetWriter
from openpyxl.worksheet.related import Related
from openpyxl.worksheet.worksheet import Worksheet
from openpyxl.writer.excel import ExcelWriter
from openpyxl.xml.functions import tostring

from xlbackprop.files import written_beside
from xlbackprop.progress import Listener, nobody
from xlbackprop.workbook.xlsx.charts import unpacked
from xlbackprop.workbook.xlsx.rows import SheetContent, rows_of

_FIRST_ZIP_DAY = (1980, 1, 1, 0, 0, 0)
_COMPRESSION = 3
"""Two fifths of the time of zlib's own choice, 6, for a file larger by a twelfth; 4 is slower and hardly smaller."""
_LONGEST_CELL = 150
"""Characters of a cell that shares its formula, amply reckoned: tags, address, style and value."""


def save(workbook: Workbook, contents: Mapping[str, SheetContent], path: Path, listener: Listener = nobody) -> None:
    """Write a workbook, with `contents` by sheet title, beside `path` first and into place when it is complete.

    Raises:
        UserError: the file cannot be written or is open in a spreadsheet program; what was there is untouched.
    """
    with written_beside(path) as beside, _Archive(beside, "w", ZIP_DEFLATED) as archive:
        _Writer(workbook, archive, contents, listener).save()


class _Archive(ZipFile):
    """A zip file whose entries carry no time of writing."""

    def writestr(self, zinfo_or_arcname: Any, data: Any, *args: Any, **options: Any) -> None:
        super().writestr(_entry(zinfo_or_arcname), data, *args, **options)


class _Writer(ExcelWriter):
    """openpyxl's writer of whole files, with our rows and our drawings."""

    def __init__(
        self, workbook: Workbook, archive: ZipFile, contents: Mapping[str, SheetContent], listener: Listener
    ) -> None:
        super().__init__(workbook, archive)
        self._contents = contents
        self._listener = listener

    def _write_charts(self) -> None:
        for chart in self._charts:
            self._archive.writestr(chart.path[1:], unpacked(tostring(chart._write()).decode()))
            self.manifest.append(chart)

    def write_worksheet(self, ws: Worksheet) -> None:
        content = self._contents[ws.title]
        ws._drawing = content.drawing
        ws._drawing.charts = ws._charts
        ws._drawing.images = ws._images
        shell = _Shell(ws, content)
        shell.write()
        ws._rels = shell._rels
        top, tail = shell.read().split(_Shell.ROWS_GO_HERE.encode())
        with self._archive.open(_entry(ws.path[1:]), "w", force_zip64=_may_pass_two_gigabytes(content)) as stream:
            stream.write(top + b"<sheetData>")
            _write_behind(stream, rows_of(ws, content, self._listener))
            stream.write(b"</sheetData>" + tail)
        self.manifest.append(ws)


class _Shell(WorksheetWriter):
    """openpyxl's writer of one sheet, leaving out the rows."""

    ROWS_GO_HERE = "[rows]"

    def __init__(self, ws: Worksheet, content: SheetContent) -> None:
        super().__init__(ws, BytesIO())
        self._content = content

    def write_dimensions(self) -> None:
        pass  # optional, and openpyxl cannot know the block's size

    def write_rows(self) -> None:
        self.ws._hyperlinks.extend(self._content.links)
        stream = self.xf.send(True)
        stream.write(self.ROWS_GO_HERE)
        self.xf.send(None)

    def write_drawings(self) -> None:
        if self._content.drawing:
            relationship = Relationship(type="drawing", Target="")
            self._rels.append(relationship)
            reference = Related()
            reference.id = relationship.id
            self.xf.send(reference.to_tree("drawing"))


def _write_behind(stream: IO[bytes], chunks: Iterator[str]) -> None:
    """Write all chunks; from the second on, one is compressed while the next is being made, on another core."""
    stream.write(next(chunks, "").encode())
    following = next(chunks, None)
    if following is None:
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(max_workers=1) as worker:
        writing = worker.submit(stream.write, following.encode())
        for chunk in chunks:
            writing.result()
            writing = worker.submit(stream.write, chunk.encode())
        writing.result()


def _entry(name: str) -> ZipInfo:
    entry = ZipInfo(name, date_time=_FIRST_ZIP_DAY)
    entry.compress_type = ZIP_DEFLATED
    entry._compresslevel = _COMPRESSION  # type: ignore[attr-defined]  # zipfile takes a level with names only
    entry.external_attr = 0o600 << 16
    return entry


def _may_pass_two_gigabytes(content: SheetContent) -> bool:
    """Whether a sheet needs the large kind of zip entry, which some readers refuse, so that no other has it."""
    cells = sum(len(block.rows) * len(block.columns) for block in content.blocks)
    return cells * _LONGEST_CELL > 1 << 30
