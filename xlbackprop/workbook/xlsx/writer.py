"""The writer: openpyxl's own, extended so that every formula carries its value and the same input gives the same bytes.

openpyxl writes the styles, names, charts, drawings and everything else around the rows, which come from `rows.py`.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import IO
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from openpyxl.packaging.extended import ExtendedProperties
from openpyxl.packaging.manifest import Override
from openpyxl.packaging.relationship import Relationship, RelationshipList, get_rels_path
from openpyxl.styles.stylesheet import write_stylesheet
from openpyxl.utils.indexed_list import IndexedList
from openpyxl.workbook._writer import WorkbookWriter
from openpyxl.workbook.workbook import Workbook
from openpyxl.worksheet._writer import WorksheetWriter
from openpyxl.worksheet.related import Related
from openpyxl.worksheet.worksheet import Worksheet
from openpyxl.writer.excel import ExcelWriter
from openpyxl.writer.theme import theme_xml
from openpyxl.xml.constants import (
    ARC_APP,
    ARC_CORE,
    ARC_CUSTOM,
    ARC_STYLE,
    ARC_THEME,
    ARC_WORKBOOK,
    CPROPS_TYPE,
    PKG_REL_NS,
    REL_NS,
    SHEET_MAIN_NS,
)

from xlbackprop.ground.files import atomic_write
from xlbackprop.ground.progress import Listener, nobody
from xlbackprop.workbook.xlsx.charts import written
from xlbackprop.workbook.xlsx.drawing import Drawing
from xlbackprop.workbook.xlsx.rows import SheetContent, columns_of, rows_of
from xlbackprop.workbook.xlsx.spelling import DECLARATION, Element, complete, part, piece, relative

_FIRST_ZIP_DAY = (1980, 1, 1, 0, 0, 0)
_COMPRESSION = 3
"""Two fifths of the time of zlib's own choice, 6, for a file larger by a twelfth; 4 is slower and hardly smaller."""
_LONGEST_CELL = 150
"""Characters of a cell that shares its formula, amply estimated: tags, address, style and value."""


def save(workbook: Workbook, contents: Mapping[str, SheetContent], path: Path, listener: Listener = nobody) -> None:
    """Write a workbook, with `contents` by sheet title, beside `path` first and into place when it is complete.

    Raises:
        UserError: the file cannot be written or is open in a spreadsheet program; what was there is untouched.
    """
    with atomic_write(path) as temporary, ZipFile(temporary, "w", ZIP_DEFLATED) as archive:
        _Writer(workbook, archive, contents, listener).save()


class _Writer(ExcelWriter):
    """openpyxl's writer of whole files, with our rows, our drawings and our spelling."""

    def __init__(
        self, workbook: Workbook, archive: ZipFile, contents: Mapping[str, SheetContent], listener: Listener
    ) -> None:
        super().__init__(workbook, archive)
        self._contents = contents
        self._listener = listener

    def write_data(self) -> None:
        """Write every part of the file."""
        workbook = self.workbook
        self._put(ARC_APP, part(ExtendedProperties().to_tree()))
        self._put(ARC_CORE, part(workbook.properties.to_tree()))
        self._put(ARC_THEME, theme_xml)
        if workbook.custom_doc_props.props:
            self._put(ARC_CUSTOM, part(workbook.custom_doc_props.to_tree()))
            self.manifest.Override.append(Override(f"/{ARC_CUSTOM}", CPROPS_TYPE))
        self._write_worksheets()
        for chart in self._charts:
            self._put(chart.path, written(chart))
            self.manifest.append(chart)
        self._put(ARC_STYLE, _styles(workbook))
        self._write_book()
        self.manifest.append(workbook)
        self._put(self.manifest.path, part(self.manifest.to_tree()))

    def _write_book(self) -> None:
        book = WorkbookWriter(self.workbook)
        book.write_properties()
        book.write_worksheets()
        book.write_names()
        book.write_views()
        self._put(ARC_WORKBOOK, part(book.package.to_tree()))
        self._relate(
            f"/{ARC_WORKBOOK}", [*book.rels, _relationship("styles", ARC_STYLE), _relationship("theme", ARC_THEME)]
        )
        properties = [
            Relationship(Type=f"{PKG_REL_NS}/metadata/core-properties", Target=f"/{ARC_CORE}"),
            _relationship("extended-properties", ARC_APP),
        ]
        if self.workbook.custom_doc_props.props:
            properties.append(_relationship("custom-properties", ARC_CUSTOM))
        self._relate("/", [_relationship("officeDocument", ARC_WORKBOOK), *properties])

    def _write_worksheets(self) -> None:
        for number, ws in enumerate(self.workbook.worksheets, 1):
            ws._id = number
            self.write_worksheet(ws)
            if ws._drawing:
                self._write_drawing(ws._drawing)
                ws._rels.get(ws._drawing.relationship).Target = ws._drawing.path
            for table in ws._tables.values():
                self._tables.append(table)
                table.id = len(self._tables)
                self._put(table.path, part(complete(table).to_tree()))
                self.manifest.append(table)
                ws._rels.get(table._rel_id).Target = table.path
            self._relate(ws.path, ws._rels)

    def _write_drawing(self, drawing: Drawing) -> None:
        self._drawings.append(drawing)
        drawing._id = len(self._drawings)
        for chart in drawing.charts:
            self._charts.append(chart)
            chart._id = len(self._charts)
        self._put(drawing.path, drawing.written())
        self._relate(drawing.path, drawing._rels)
        self.manifest.append(drawing)

    def write_worksheet(self, ws: Worksheet) -> None:
        """Write one sheet."""
        content = self._contents[ws.title]
        ws._drawing = content.drawing
        ws._drawing.charts = ws._charts
        shell = _Shell(ws, content)
        shell.write()
        ws._rels = shell._rels
        with self._archive.open(_entry(ws.path), "w", force_zip64=_may_pass_two_gigabytes(content)) as stream:
            stream.write(f"{_SHEET_OPENS}{''.join(shell.top)}<sheetData>".encode())
            _write_behind(stream, rows_of(ws.title, content, self._listener))
            stream.write(f"</sheetData>{''.join(shell.tail)}</worksheet>".encode())
        self.manifest.append(ws)

    def _relate(self, path: str, relationships: Iterable[Relationship]) -> None:
        """Write what the part with a path refers to, if anything."""
        listed = RelationshipList()
        for each in relationships:
            listed.append(each)  # which numbers those that have no number yet
        if listed:
            self._put(get_rels_path(path), part(relative(listed, path).to_tree()))

    def _put(self, path: str, xml: str) -> None:
        self._archive.writestr(_entry(path), xml)


class _Shell(WorksheetWriter):
    """openpyxl's writer of one sheet, leaving out the rows: what comes before them, and what after."""

    def __init__(self, ws: Worksheet, content: SheetContent) -> None:
        self.top: list[str] = []
        self.tail: list[str] = []
        self._growing = self.top
        super().__init__(ws, BytesIO())
        self._content = content

    def get_stream(self) -> Generator[None, Element | None, None]:
        while True:
            element = yield
            if element is not None:
                self._growing.append(piece(element))

    def write_dimensions(self) -> None:
        pass  # optional, and openpyxl cannot know the block's size

    def write_cols(self) -> None:
        self.top.append(columns_of(self._content.columns))

    def write_rows(self) -> None:
        self.ws._hyperlinks.extend(self._content.links)
        self._growing = self.tail

    def write_drawings(self) -> None:
        """Write what stands between the page setup and the tables."""
        numerals = self._content.numerals()
        if numerals:
            mark = f'<ignoredError sqref="{" ".join(numerals)}" numberStoredAsText="1"/>'
            self.tail.append(f"<ignoredErrors>{mark}</ignoredErrors>")
        if self._content.drawing:
            relationship = Relationship(type="drawing", Target="")
            self._rels.append(relationship)
            reference = Related()
            reference.id = self._content.drawing.relationship = relationship.id
            self.xf.send(reference.to_tree("drawing"))


_SHEET_OPENS = f'{DECLARATION}<worksheet xmlns="{SHEET_MAIN_NS}" xmlns:r="{REL_NS}">'


def _styles(workbook: Workbook) -> str:
    """The part of the styles: openpyxl's, with the looks of cells as text, in a tenth of the time."""
    looks = workbook._cell_styles
    alignments, protections = (
        [piece(each.to_tree()) for each in parts] for parts in (workbook._alignments, workbook._protections)
    )
    told = []
    for look in looks:
        inside = ""
        said = f'numFmtId="{look.numFmtId}" fontId="{look.fontId}" fillId="{look.fillId}" borderId="{look.borderId}"'
        if look.alignmentId:
            said, inside = f'{said} applyAlignment="1"', alignments[look.alignmentId]
        if look.protectionId:
            said, inside = f'{said} applyProtection="1"', inside + protections[look.protectionId]
        said = f'{said} pivotButton="{look.pivotButton}" quotePrefix="{look.quotePrefix}" xfId="{look.xfId}"'
        told.append(f"<xf {said}>{inside}</xf>" if inside else f"<xf {said}/>")
    workbook._cell_styles = IndexedList()
    try:
        before, _, after = part(write_stylesheet(workbook)).partition(_NO_LOOKS)
    finally:
        workbook._cell_styles = looks
    return f'{before}<cellXfs count="{len(told)}">{"".join(told)}</cellXfs>{after}'


_NO_LOOKS = '<cellXfs count="0"/>'


def _relationship(kind: str, target: str) -> Relationship:
    return Relationship(type=kind, Target=f"/{target}")


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


def _entry(path: str) -> ZipInfo:
    """The entry of a part in the file, which carries no time of writing."""
    entry = ZipInfo(path.removeprefix("/"), date_time=_FIRST_ZIP_DAY)
    entry.compress_type = ZIP_DEFLATED
    entry._compresslevel = _COMPRESSION  # type: ignore[attr-defined]  # zipfile takes a level with names only
    entry.external_attr = 0o600 << 16
    return entry


def _may_pass_two_gigabytes(content: SheetContent) -> bool:
    """Whether a sheet needs the large kind of zip entry, which some readers refuse, so that no other has it."""
    cells = sum(len(block.rows) * len(block.columns) for block in content.blocks)
    return cells * _LONGEST_CELL > 1 << 30
