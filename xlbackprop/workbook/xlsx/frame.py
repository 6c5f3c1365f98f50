"""The frame of a sheet as text: all that stands around its rows, from its panes to its print set-up."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from msgspec import Struct, field

from xlbackprop.ground.grid import MOST_COLUMNS, MOST_ROWS, address
from xlbackprop.workbook.xlsx.spelling import DECLARATION, MAIN, escaped, in_attribute, listed

_PLACE, _FIXED = re.compile(r"[A-Z]+|[0-9]+"), r"$\g<0>"
"""A column or a row in an address, and the same with a dollar sign."""
_LAST_COLUMN, _LAST_ROW = MOST_COLUMNS - 1, MOST_ROWS - 1
"""Counted from 0."""


class PrintSetup(Struct):
    """How a sheet is printed: on A4, which printers with Letter trays fit, as the width is relative."""

    header: str
    is_landscape: bool = True
    pages_down: int = 0
    """Into how many pages its height has to go; 0 for as many as it takes."""
    scale: int = 0
    """Percent; 0 for as wide as the paper."""
    area: str = ""
    """The ranges that are printed, with commas between them; everything, if there are none."""
    rows: str = ""
    """Those that every page begins with, such as `32:32`."""
    columns: str = ""
    """The same of columns."""
    cuts: Sequence[int] = ()
    """The columns before which a page may begin where one is too narrow."""
    row_cuts: Sequence[int] = ()
    """The rows before which a page may begin where one is too low."""

    def names(self, title: str) -> Iterable[tuple[str, str]]:
        """What the workbook calls the parts of the sheet with a title that are printed."""
        repeated = [part for part in (self.columns, self.rows) if part]
        for name, parts in (("Print_Titles", repeated), ("Print_Area", self.area.split(",") if self.area else [])):
            if parts:
                yield f"_xlnm.{name}", ",".join(f"'{title}'!{_PLACE.sub(_FIXED, part)}" for part in parts)


class Frame(Struct):
    """What stands around the rows of a sheet."""

    title: str
    row_height: float
    """Points."""
    is_hidden: bool = False
    zoom: int = 100
    """Percent."""
    frozen: tuple[int, int] = (0, 0)
    """How many rows and columns stay in sight."""
    selected: tuple[int, int] = (1, 1)
    """The row and the column of the cell that it opens with."""
    merged: list[str] = field(default_factory=list)
    rules: dict[str, list[str]] = field(default_factory=dict)
    """The conditional formats, by the cells that they are for."""
    limits: list[str] = field(default_factory=list)
    """What some cells take."""
    links: list[str] = field(default_factory=list)
    paper: PrintSetup | None = None
    breaks: list[int] = field(default_factory=list)
    """The rows before which a new page begins in print."""
    column_breaks: list[int] = field(default_factory=list)
    """The same of columns."""

    def rule(self, cells: str, kind: str, content: str) -> None:
        """Add a conditional format."""
        number = 1 + sum(map(len, self.rules.values()))
        written = f'<cfRule type="{kind}" priority="{number}"'
        self.rules.setdefault(cells, []).append(f"{written}{content}</cfRule>")

    def above(self, *, is_first: bool) -> str:
        """What comes before the columns; the workbook opens with its first sheet."""
        paper = "<pageSetUpPr" + ' fitToPage="1"' * (self.paper is not None and not self.paper.scale) + "/>"
        shown = ' tabSelected="1"' * is_first
        zoomed = f' zoomScale="{self.zoom}" zoomScaleNormal="{self.zoom}"' if self.zoom != 100 else ""
        return (
            f'<sheetPr>{paper}</sheetPr><sheetViews><sheetView showGridLines="0"{shown}{zoomed} workbookViewId="0">'
            f'{self._panes()}</sheetView></sheetViews><sheetFormatPr defaultRowHeight="{self.row_height:g}"'
            ' customHeight="1"/>'
        )

    def below(self, numerals: Sequence[str], drawing: str, table: str) -> str:
        """What comes after the rows.

        Args:
            numerals: the addresses of texts that Excel would mark as numbers in the wrong place.
            drawing: the reference to the sheet's drawing; none if it has none.
            table: the same to its table.
        """
        merged = [f'<mergeCell ref="{cells}"/>' for cells in self.merged]
        rules = [
            f'<conditionalFormatting sqref="{cells}">{"".join(each)}</conditionalFormatting>'
            for cells, each in self.rules.items()
        ]
        marks = f'<ignoredError sqref="{" ".join(numerals)}" numberStoredAsText="1"/>'
        return "".join(
            [
                _PROTECTED,
                listed("mergeCells", merged),
                *rules,
                listed("dataValidations", self.limits),
                f"<hyperlinks>{''.join(self.links)}</hyperlinks>" if self.links else "",
                self._print(self.paper) if self.paper else "",
                f"<ignoredErrors>{marks}</ignoredErrors>" if numerals else "",
                f'<drawing r:id="{drawing}"/>' if drawing else "",
                listed("tableParts", [f'<tablePart r:id="{table}"/>'] if table else []),
            ]
        )

    def _panes(self) -> str:
        """The cell that the sheet opens with, in that part of it where the cell stands."""
        cell, (rows, columns) = address(*self.selected), self.frozen
        selection = f'activeCell="{cell}" sqref="{cell}"/>'
        if not (rows or columns):
            return f"<selection {selection}"
        panes = ["topRight"] * bool(columns) + ["bottomLeft"] * bool(rows) + ["bottomRight"] * bool(rows and columns)
        across = "Right" if columns and self.selected[1] > columns else "Left"
        active = f"{'bottom' if rows and self.selected[0] > rows else 'top'}{across}"
        split = f' xSplit="{columns}"' * bool(columns) + f' ySplit="{rows}"' * bool(rows)
        first = address(rows + 1, columns + 1)
        others = "".join(f'<selection pane="{pane}"/>' for pane in panes if pane != active)
        return (
            f'<pane{split} topLeftCell="{first}" activePane="{active}" state="frozen"/>'
            f'{others}<selection pane="{active}" {selection}'
        )

    def _print(self, paper: PrintSetup) -> str:
        way = "landscape" if paper.is_landscape else "portrait"
        scaled = f' scale="{paper.scale}"' if paper.scale else ""
        return (
            '<pageMargins left="0.25" right="0.25" top="0.6" bottom="0.6" header="0.3" footer="0.3"/>'
            f'<pageSetup orientation="{way}" paperSize="9"{scaled} fitToHeight="{paper.pages_down}"/>'
            f"<headerFooter><oddHeader>{escaped(paper.header)}</oddHeader>"
            "<oddFooter>&amp;C&amp;P / &amp;N</oddFooter></headerFooter>"
            f"{_breaks('rowBreaks', self.breaks, _LAST_COLUMN)}{_breaks('colBreaks', self.column_breaks, _LAST_ROW)}"
        )


def _breaks(name: str, before: Sequence[int], last: int) -> str:
    """Where pages begin: before which rows, or columns, each of them up to a last place."""
    each = "".join(f'<brk id="{place - 1}" max="{last}" man="1"/>' for place in before)
    count = len(before)
    return f'<{name} count="{count}" manualBreakCount="{count}">{each}</{name}>' if before else ""


_PROTECTED = '<sheetProtection sheet="1" formatCells="0" formatColumns="0" formatRows="0"/>'
"""A slip of the keyboard changes nothing that is not the reader's; looks and column widths stay theirs."""


def limit(cells: str, kind: str, formulas: Sequence[str], *, is_optional: bool, title: str, refusal: str) -> str:
    """Let cells take only what makes sense in them, and tell who types anything else."""
    blank = ' allowBlank="1"' * is_optional
    bounds = "".join(f"<formula{index}>{escaped(each)}</formula{index}>" for index, each in enumerate(formulas, 1))
    return (
        f'<dataValidation sqref="{cells}" type="{kind}"{blank} showErrorMessage="1" errorTitle="{in_attribute(title)}"'
        f' error="{in_attribute(refusal)}">{bounds}</dataValidation>'
    )


def link(cell: str, sheet: str, target: str) -> str:
    """Let a cell lead to one of a sheet of the same workbook."""
    return f'<hyperlink ref="{cell}" location="\'{sheet}\'!{target}"/>'


def table(number: int, name: str, cells: str, columns: Sequence[str]) -> str:
    """The part of the file that a table is, which says of its look that it has none."""
    named = [f'<tableColumn id="{index}" name="{in_attribute(each)}"/>' for index, each in enumerate(columns, 1)]
    no_look = " ".join(f'show{what}="0"' for what in ("FirstColumn", "LastColumn", "RowStripes", "ColumnStripes"))
    return (
        f'{DECLARATION}<table xmlns="{MAIN}" id="{number}" name="{name}" displayName="{name}" ref="{cells}">'
        f"{listed('tableColumns', named)}<tableStyleInfo {no_look}/></table>"
    )
