"""The writer: openpyxl's own, extended so that every formula carries its value and the same input gives the same bytes.

openpyxl writes the styles, names, charts, drawings and everything else around the rows; the rows are written here.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import numpy as np
from msgspec import Struct
from openpyxl.cell.cell import Cell
from openpyxl.packaging.relationship import Relationship
from openpyxl.workbook.workbook import Workbook
from openpyxl.worksheet._writer import WorksheetWriter
from openpyxl.worksheet.related import Related
from openpyxl.worksheet.worksheet import Worksheet
from openpyxl.writer.excel import ExcelWriter
from openpyxl.xml.functions import tostring

from xlbackprop.engine import Array
from xlbackprop.errors import UserError
from xlbackprop.layout import column_letter
from xlbackprop.workbook.charts import unpacked
from xlbackprop.workbook.drawing import Drawing

Value = float | str | bool

_FIRST_ZIP_DAY = (1980, 1, 1, 0, 0, 0)
_ROWS_A_CHUNK = 512
_COMPRESSION = 1
"""A third of the time of zlib's own choice, 6, for a file larger by a fifth."""
_CELL_OVERHEAD = 100
"""Characters of a cell beside its formula, amply reckoned: tags, address, style, value and row numbers."""


class BlockColumn(Struct, frozen=True):
    """One column of a block: the style number and the formula of its cells, with `{row}` and `{above}` in it."""

    style: int
    formula: str


class Block(Struct, frozen=True):
    """Rows that differ in their row numbers and values only; single cells may stand beside them, not among them."""

    first_row: int
    columns: Sequence[BlockColumn]
    values: Array
    """Shape (rows, columns)."""
    first_column: int = 1

    @property
    def rows(self) -> range:
        """The numbers of the rows that it takes."""
        return range(self.first_row, self.first_row + len(self.values))


class SheetContent(Struct, frozen=True):
    """What openpyxl does not hold of a sheet: the values of its formulas, its blocks of rows and its shapes."""

    cached: Mapping[tuple[int, int], Value]
    """The value of every formula cell, by row and column."""
    drawing: Drawing
    blocks: Sequence[Block] = ()


def save(workbook: Workbook, contents: Mapping[str, SheetContent], path: Path) -> None:
    """Write a workbook, with `contents` by sheet title, beside `path` first and into place when it is complete.

    Raises:
        UserError: the file cannot be written or is open in a spreadsheet program; what was there is untouched.
    """
    _refuse_open_file(path)
    beside = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, beside = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=".tmp", dir=path.parent)
        os.chmod(beside, 0o666 & ~_umask())
        with os.fdopen(handle, "w+b") as stream, _Archive(stream, "w", ZIP_DEFLATED) as archive:
            _Writer(workbook, archive, contents).save()
        os.replace(beside, path)
    except OSError as error:
        raise UserError(
            f"{path}: cannot be written ({error.strerror}); is it open, or its folder protected?"
        ) from error
    finally:
        if beside and os.path.exists(beside):
            os.remove(beside)


class _Archive(ZipFile):
    """A zip file whose entries carry no time of writing."""

    def writestr(self, zinfo_or_arcname: Any, data: Any, *args: Any, **options: Any) -> None:
        super().writestr(_entry(zinfo_or_arcname), data, *args, **options)


class _Writer(ExcelWriter):
    """openpyxl's writer of whole files, with our rows and our drawings."""

    def __init__(self, workbook: Workbook, archive: ZipFile, contents: Mapping[str, SheetContent]) -> None:
        super().__init__(workbook, archive)
        self._contents = contents

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
            for chunk in _rows(ws, content):
                stream.write(chunk.encode())
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
        for _, cell in sorted(self.ws._cells.items()):
            if cell.hyperlink:
                self.ws._hyperlinks.append(cell.hyperlink)
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


def _rows(ws: Worksheet, content: SheetContent) -> Iterator[str]:
    """The rows of a sheet as XML, many at a time: in each row its single cells and the cells of the blocks there."""
    singles: dict[int, list[Cell]] = {row: [] for row in ws.row_dimensions}
    for (row, _), cell in sorted(ws._cells.items()):
        singles.setdefault(row, []).append(cell)
    blocks = [(block.rows, block.first_column, _block_cells(block)) for block in content.blocks]
    rows = sorted(singles.keys() | {row for block_rows, *_ in blocks for row in block_rows})
    for start in range(0, len(rows), _ROWS_A_CHUNK):
        chunk = []
        for row in rows[start : start + _ROWS_A_CHUNK]:
            pieces = [(cell.column, _cell(cell, content.cached)) for cell in singles.get(row, ())]
            pieces += [(column, next(cells)) for block_rows, column, cells in blocks if row in block_rows]
            chunk.append(_row(ws, row, "".join(piece for _, piece in sorted(pieces))))
        yield "".join(chunk)


def _row(ws: Worksheet, row: int, cells: str) -> str:
    dimension = ws.row_dimensions.get(row)
    attributes = "".join(f' {key}="{value}"' for key, value in dict(dimension or {}).items() if key != "r")
    return f'<row r="{row}"{attributes}>{cells}</row>'


def _cell(cell: Cell, cached: Mapping[tuple[int, int], Value]) -> str:
    start = f'<c r="{cell.coordinate}" s="{cell.style_id}"'
    value = cell.value
    if value is None:
        return f"{start}/>"
    if cell.data_type == "f":
        kind, result = _typed(cached[cell.row, cell.column])
        return f"{start}{kind}><f>{_xml(str(value)[1:])}</f><v>{result}</v></c>"
    if cell.data_type == "s":
        return f'{start} t="inlineStr"><is><t xml:space="preserve">{_xml(str(value))}</t></is></c>'
    kind, result = _typed(value)
    return f"{start}{kind}><v>{result}</v></c>"


def _block_cells(block: Block) -> Iterator[str]:
    """The cells of a block, row by row, from one template that is filled with row numbers and values."""
    template = "".join(
        f'<c r="{column_letter(index)}{{row}}" s="{column.style}"><f>{_literal(column.formula)}</f><v>%r</v></c>'
        for index, column in enumerate(block.columns, block.first_column)
    )
    for start in range(0, len(block.values), _ROWS_A_CHUNK):
        rows = block.values[start : start + _ROWS_A_CHUNK].tolist()
        for row, values in enumerate(rows, block.first_row + start):
            # str.replace and % take two thirds of the time of str.format
            yield template.replace("{row}", str(row)).replace("{above}", str(row - 1)) % tuple(values)


def _literal(formula: str) -> str:
    return _xml(formula).replace("%", "%%")


def _xml(text: str) -> str:
    return escape(text, quote=False)


def _typed(value: Value) -> tuple[str, str]:
    """The type attribute and the text of a value."""
    match value:
        case bool():
            return ' t="b"', str(int(value))
        case str():
            return ' t="str"', _xml(value)
        case _ if not np.isfinite(value):
            raise ValueError(f"{value} cannot stand in a spreadsheet cell")
        case _:
            return "", repr(value.item() if isinstance(value, np.generic) else value)


def _entry(name: str) -> ZipInfo:
    entry = ZipInfo(name, date_time=_FIRST_ZIP_DAY)
    entry.compress_type = ZIP_DEFLATED
    entry._compresslevel = _COMPRESSION  # type: ignore[attr-defined]  # zipfile takes a level with names only
    entry.external_attr = 0o600 << 16
    return entry


def _may_pass_two_gigabytes(content: SheetContent) -> bool:
    """Whether a sheet needs the large kind of zip entry, which some readers refuse, so that no other has it."""
    return (
        sum(
            len(block.values) * sum(len(column.formula) + _CELL_OVERHEAD for column in block.columns)
            for block in content.blocks
        )
        > 1 << 30
    )


def _refuse_open_file(path: Path) -> None:
    for lock in (path.with_name(f".~lock.{path.name}#"), path.with_name(f"~${path.name}")):
        if lock.exists():
            raise UserError(
                f"{path}: is open in a spreadsheet program; close it there, or choose another file with -o"
                f" (if it is not open, delete the left-over {lock.name})"
            )


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
