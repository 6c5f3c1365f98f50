"""The cells of sheets written as a workbook of their own, for an engine that reads no other file."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from xlbackprop.checker.file.cells import Cell, Sheet
from xlbackprop.ground.grid import Coordinates, address

_SPACE = "http://schemas.openxmlformats.org"
_MAIN = f"{_SPACE}/spreadsheetml/2006/main"
_TYPE = f"{_SPACE}/officeDocument/2006/relationships"
_CONTENT = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_STYLES = (
    f'<styleSheet xmlns="{_MAIN}"><fonts count="1"><font/></fonts><fills count="1"><fill><patternFill'
    ' patternType="none"/></fill></fills><borders count="1"><border/></borders><cellStyleXfs count="1"><xf/>'
    '</cellStyleXfs><cellXfs count="1"><xf xfId="0"/></cellXfs><cellStyles count="1"><cellStyle name="Normal"'
    ' xfId="0" builtinId="0"/></cellStyles></styleSheet>'
)
"""The least that an engine asks for."""


def write_cells(sheets: Sequence[Sheet], target: Path, *, with_values: bool = True) -> None:
    """Write a workbook with these sheets, their formulas, numbers and texts, and nothing else."""
    names = [f"worksheets/sheet{number}.xml" for number in range(1, len(sheets) + 1)]
    overrides = "".join(f'<Override PartName="/xl/{name}" ContentType="{_CONTENT}.worksheet+xml"/>' for name in names)
    listed = "".join(
        f'<sheet name={quoteattr(sheet.name)} sheetId="{number}" r:id="r{number}"/>'
        for number, sheet in enumerate(sheets, 1)
    )
    related = "".join(
        f'<Relationship Id="r{number}" Type="{_TYPE}/worksheet" Target="{name}"/>'
        for number, name in enumerate(names, 1)
    )
    related += f'<Relationship Id="styles" Type="{_TYPE}/styles" Target="styles.xml"/>'
    relationships = f'<Relationships xmlns="{_SPACE}/package/2006/relationships">'
    with zipfile.ZipFile(target, "w") as workbook:
        workbook.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{_SPACE}/package/2006/content-types"><Default Extension="rels"'
            ' ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Override PartName="/xl/workbook.xml" ContentType="{_CONTENT}.sheet.main+xml"/>'
            f'<Override PartName="/xl/styles.xml" ContentType="{_CONTENT}.styles+xml"/>{overrides}</Types>',
        )
        workbook.writestr("xl/styles.xml", _STYLES)
        workbook.writestr(
            "_rels/.rels",
            f'{relationships}<Relationship Id="r1" Type="{_TYPE}/officeDocument" Target="xl/workbook.xml"/>'
            "</Relationships>",
        )
        workbook.writestr(
            "xl/workbook.xml", f'<workbook xmlns="{_MAIN}" xmlns:r="{_TYPE}"><sheets>{listed}</sheets></workbook>'
        )
        workbook.writestr("xl/_rels/workbook.xml.rels", f"{relationships}{related}</Relationships>")
        for name, sheet in zip(names, sheets, strict=True):
            rows = "".join(_rows(sheet.cells, with_values))
            workbook.writestr(f"xl/{name}", f'<worksheet xmlns="{_MAIN}"><sheetData>{rows}</sheetData></worksheet>')


def _rows(cells: Mapping[Coordinates, Cell], with_values: bool) -> Iterator[str]:
    for row, places in groupby(sorted(cells), key=lambda place: place[0]):
        yield f'<row r="{row}">{"".join(_cell(place, cells[place], with_values) for place in places)}</row>'


def _cell(place: Coordinates, cell: Cell, with_values: bool) -> str:
    where = address(*place)
    if cell.formula is not None:
        value = f"<v>{cell.value!r}</v>" if with_values and isinstance(cell.value, float) else ""
        return f'<c r="{where}"><f>{escape(cell.formula.written(*place))}</f>{value}</c>'
    if isinstance(cell.value, float):
        return f'<c r="{where}"><v>{cell.value!r}</v></c>'
    return f'<c r="{where}" t="inlineStr"><is><t xml:space="preserve">{escape(cell.value or "")}</t></is></c>'
