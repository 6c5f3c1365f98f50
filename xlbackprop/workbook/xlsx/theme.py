"""The theme: one colour a role, one named style a kind of cell, the same on every sheet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from weakref import WeakKeyDictionary

from msgspec import Struct
from openpyxl.cell.cell import Cell
from openpyxl.styles import Alignment, Border, Font, NamedStyle, PatternFill, Protection, Side
from openpyxl.workbook.workbook import Workbook

from xlbackprop.derivation import Role

INK = "262626"
FAINT = "7F7F7F"
PAPER = "FFFFFF"
LINE = "BFBFBF"
SHADING = "E7E6E6"
CHANGEABLE = "0000C0"
"""The ink of the numbers that a reader may change."""


class Shade(Struct, frozen=True):
    """The two colours of a role: a dark one for headers, lines and text, a light one behind numbers."""

    dark: str
    light: str


SHADES: Mapping[Role, Shade] = {
    Role.INPUT: Shade("1B5E93", "DCEBF7"),
    Role.TARGET: Shade("4D4D4D", "EDEDED"),
    Role.WEIGHT: Shade("8A5A00", "FDEBCB"),
    Role.HIDDEN: Shade("00664B", "D6F0E5"),
    Role.OUTPUT: Shade("7B3F73", "F1DEEE"),
    Role.LOSS: Shade("A32A14", "FBDCD5"),
    Role.GRADIENT: Shade("5F5B00", "F7F4C6"),
    Role.MEMORY: Shade("3F4C8C", "E1E4F5"),
    Role.ORDER: Shade("4D4D4D", "EDEDED"),
}
"""From the Okabe-Ito palette, darkened until white text on them has a contrast of at least 5 to 1."""

FORWARD, BACKWARD = SHADES[Role.INPUT].dark, "C99700"
"""The arrows of the two passes: blue and gold stay apart for every eye, dark and light on every printer."""
LIT_ROAD, LIT_OPACITY = "F2A900", 0.45
"""A marking that lets the lines under it through."""

VALUE_FORMAT = "0.000000"
TINY_FORMAT = "0.00E+00"
COUNT_FORMAT = "0"
PLAIN_FORMAT = "General"
PRECISE_FORMAT = "0.0000000E+00;-0.0000000E+00;0"
POWER_FORMAT = "0E+00"

UNSEEN_FORMAT = ";;;"
"""Of what formulas need and no reader: nothing is shown, whatever the number."""

LARGEST_PLAIN = 10_000
"""Six decimals of it just fit a column of twelve characters."""


def number_format(role: Role | None) -> str:
    """How a number of a role is shown: what is counted without decimals."""
    return COUNT_FORMAT if role is Role.ORDER else VALUE_FORMAT


TITLE = "Title cell"
TEXT = "Text cell"
HEADING = "Heading cell"
NOTE = "Note cell"
MATHEMATICS = "Mathematics cell"
LABEL = "Label cell"
SYMBOL = "Symbol cell"
NODE = "Node cell"
INPUT = "Input cell"
CALCULATION = "Calculation cell"
RESULT = "Result cell"
CHECK = "Check cell"
LINK = "Link cell"
SURFACE = "Surface cell"

_FONT = "Calibri"


class Look(Struct, frozen=True):
    """How a cell looks: a named style, and what the cell's role and place add to it."""

    style: str = TEXT
    role: Role | None = None
    number_format: str = "General"
    align: str | None = None
    indent: int = 0
    edges: str = ""
    """The sides at which the cell is the border of a box, out of `lrtb`."""
    shaded: bool = False
    wrap: bool = False
    turned: bool = False
    """Written from bottom to top."""


COLUMN_HEAD = Look(HEADING, align="center", shaded=True, wrap=True)
"""The heading of a column that belongs to no role."""
SECTION = Look(HEADING, shaded=True)
PROSE, WRAPPED = (Look(TEXT, align="left", indent=1, wrap=wrap) for wrap in (False, True))
WRITTEN = Look(MATHEMATICS, align="left", indent=1, wrap=True)
HELPER = Look(CALCULATION)
"""A number that others are made of, out of sight."""


def add_styles(workbook: Workbook) -> None:
    """Give a workbook the named styles of the theme."""
    thin = Side(style="thin", color=LINE)
    boxed = Border(left=thin, right=thin, top=thin, bottom=thin)
    white = Side(style="thin", color=PAPER)
    apart = Border(left=white, right=white, top=white, bottom=white)
    centre = Alignment(horizontal="center", vertical="center")
    middle = Alignment(vertical="center")
    styles = (
        NamedStyle(TITLE, font=_font(size=16, bold=True)),
        NamedStyle(TEXT, font=_font(), alignment=middle),
        NamedStyle(MATHEMATICS, font=_font(size=12), alignment=middle),
        NamedStyle(HEADING, font=_font(bold=True), alignment=middle),
        NamedStyle(NOTE, font=_font(size=10, italic=True)),
        NamedStyle(LABEL, font=_font(bold=True, color=PAPER), alignment=centre),
        NamedStyle(SYMBOL, font=_font(size=12, bold=True, color=PAPER), border=apart, alignment=centre),
        NamedStyle(
            NODE,
            font=_font(size=10, bold=True),
            alignment=Alignment(horizontal="center", vertical="center", shrink_to_fit=True),
        ),
        NamedStyle(
            INPUT,
            font=_font(bold=True, color=CHANGEABLE),
            fill=_solid("FFFBE0"),
            border=Border(left=thin, right=thin, top=thin, bottom=Side(style="medium", color=CHANGEABLE)),
            alignment=Alignment(horizontal="right", vertical="center"),
            protection=Protection(locked=False),
        ),
        NamedStyle(CALCULATION, font=_font(), border=boxed, alignment=middle),
        NamedStyle(RESULT, font=_font(bold=True), border=boxed, alignment=middle),
        NamedStyle(
            SURFACE, font=_font(size=8), alignment=Alignment(horizontal="center", vertical="center", shrink_to_fit=True)
        ),
        NamedStyle(
            CHECK, font=_font(italic=True), border=Border(bottom=Side(style="medium", color=INK)), alignment=middle
        ),
        NamedStyle(LINK, font=_font(color=SHADES[Role.INPUT].dark, underline="single"), alignment=middle),
    )
    for style in styles:
        workbook.add_named_style(style)


def apply(look: Look, cell: Cell) -> None:
    """Make a cell look as told."""
    cell.style = look.style
    if look.number_format != "General":
        cell.number_format = look.number_format
    if look.align or look.indent or look.wrap:
        _set(cell, "alignment", _alignment, look.align, look.indent, look.wrap)
    if look.turned:
        _set(cell, "alignment", _alignment, "center", 0, False, 90)
    if look.edges:
        _set(cell, "border", _edges, look.edges, "thin", INK)
    if look.shaded:
        _set(cell, "fill", _solid, SHADING)
    if look.role is not None:
        shade = SHADES[look.role]
        _set(cell, "fill", _solid, shade.dark if look.style in (LABEL, SYMBOL) else shade.light)
        if look.style == NODE:
            _set(cell, "border", _edges, "lrtb", "medium", shade.dark)
            _set(cell, "font", _font, 10, shade.dark, True)


_PARTS: WeakKeyDictionary[Workbook, dict[tuple[object, ...], int]] = WeakKeyDictionary()
"""The numbers of the parts of styles that a workbook has; openpyxl takes longer to find each than to make it."""


def _set(cell: Cell, kind: str, make: Callable[..., object], *details: object) -> None:
    """Give a cell a part of its style, which the workbook keeps once."""
    workbook = cell.parent.parent
    numbers = _PARTS.setdefault(workbook, {})
    number = numbers.get((kind, *details))
    if number is None:
        number = numbers[kind, *details] = getattr(workbook, f"_{kind}s").add(make(*details))
    setattr(cell._style, f"{kind}Id", number)


def _alignment(horizontal: str | None, indent: int, wrap: bool, turned: int | None = None) -> Alignment:
    return Alignment(
        horizontal=horizontal, vertical="center", indent=indent, wrap_text=wrap or None, text_rotation=turned
    )


def _edges(sides: str, style: str, colour: str) -> Border:
    edge = Side(style=style, color=colour)
    return Border(**{_SIDES[side]: edge for side in sides})


_SIDES = {"l": "left", "r": "right", "t": "top", "b": "bottom"}


def _font(
    size: float = 11, color: str = INK, bold: bool = False, italic: bool = False, underline: str | None = None
) -> Font:
    return Font(name=_FONT, size=size, color=color, bold=bold, italic=italic, underline=underline)


def _solid(colour: str) -> PatternFill:
    return PatternFill("solid", start_color=f"FF{colour}", end_color=f"FF{colour}")


_EDGE = Side(style="thin", color=INK)
LIT_FILL, LIT_BORDER = PatternFill(bgColor="FFFFE27A"), Border(left=_EDGE, right=_EDGE, top=_EDGE, bottom=_EDGE)
"""Of a cell that is lit up among those of all roles."""
